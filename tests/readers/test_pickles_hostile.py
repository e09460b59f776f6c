"""A corpus of malicious pickles: nothing of them may run, be imported, or cost more than the limits."""

from __future__ import annotations

import contextlib
import pickle
import pickletools
import struct
import sys
import time
import tracemalloc
from collections.abc import Callable

import pytest

from clustering.errors import ReaderError
from clustering.readers.limits import Limits
from clustering.readers.local import Buffer
from clustering.readers.pickles.opcodes import _HANDLERS
from clustering.readers.pytorch import PytorchReader

TENSOR = (
    b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu"
    b"K\x06tQK\x00K\x02K\x03\x86K\x03K\x01\x86\x89ccollections\nOrderedDict\n)RtR"
)
"""A 2 x 3 tensor as torch.save writes it."""


def short(text: str) -> bytes:
    raw = text.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def with_tensor(payload: bytes) -> bytes:
    """A state dictionary with one good tensor beside `payload` (which leaves one value)."""
    return b"\x80\x02}(" + short("weight") + TENSOR + short("evil") + payload + b"u."


@pytest.fixture
def canary(tmp_path, monkeypatch):
    """A module whose import, and a command whose run, would leave a file."""
    flag = tmp_path / "ran"
    (tmp_path / "canary_module.py").write_text(
        f"open({str(flag)!r}, 'w').close()\ndef f(*a, **k): pass\nclass C: pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield flag
    assert not flag.exists()
    assert "canary_module" not in sys.modules


def attacks(flag) -> dict[str, bytes]:
    command = short(f"touch {flag}")
    code = short(f"open({str(flag)!r}, 'w')")
    subclass = b"ctorch._tensor\n_rebuild_from_type_v2\n"
    state = short("__setstate__")
    return {
        "os.system": b"cos\nsystem\n" + command + b"\x85R",
        "posix.system": b"cposix\nsystem\n" + command + b"\x85R",
        "eval": b"cbuiltins\neval\n" + code + b"\x85R",
        "exec": b"c__builtin__\nexec\n" + code + b"\x85R",
        "subprocess": b"csubprocess\ncheck_output\n(" + short("touch") + command + b"l\x85R",
        "stack global": short("os") + short("system") + b"\x93" + command + b"\x85R",
        "stack global by memo": short("system") + b"q\x050" + short("os") + b"h\x05\x93" + command + b"\x85R",
        "inst": b"(" + command + b"ios\nsystem\n",
        "obj": b"(cos\nsystem\n" + command + b"o",
        "newobj": b"ccanary_module\nC\n)\x81",
        "newobj_ex": b"ccanary_module\nC\n)}\x92",
        "import": b"ccanary_module\nf\n)R",
        "dotted name": short("canary_module") + short("f.__globals__") + b"\x93)R",
        "getattr chain": b"cbuiltins\ngetattr\n(cos\n__dict__\n" + short("system") + b"tR" + command + b"\x85R",
        "reduce of a reduce": b"cbuiltins\n__import__\n" + short("canary_module") + b"\x85R)R)R)R",
        "build with setstate": b"ccanary_module\nC\n)\x81}(" + state + b"cos\nsystem\nub" + command + b"0",
        "build a slot state": b"ccanary_module\nC\n)\x81N}" + short("x") + b"K\x01s\x86b",
        "extension 1": b"\x82\x01)R",
        "extension 2": b"\x83\x01\x00)R",
        "extension 4": b"\x84\x01\x00\x00\x00)R",
        "load from bytes": b"ctorch.storage\n_load_from_bytes\nB\x04\0\0\0\x80\x02N.\x85R",
        "torch.load": b"ctorch.serialization\nload\n" + command + b"\x85R",
        "runpy": b"crunpy\n_run_code\n(" + code + b"}tR",
        "persistent id": command + b"Q",
        "persistent line": b"Pcanary_module\n",
        "allow-listed with a callable": subclass + b"(cos\nsystem\ncos\nsystem\n" + command + b"\x85NtR",
        "nested allow-listed": subclass + b"(" + subclass + b"NNNtR",
        "buffers": b"\x97\x98",
        "dict of calls": b"}" + b"(cos\nsystem\n" + command + b"\x85RK\x01u",
    }  # fmt: skip


ATTACKS = sorted(attacks("unused"))


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_beside_a_tensor_is_not_run(name, canary, read, torch_zip):
    payload = attacks(canary)[name]
    stream = with_tensor(payload)
    for data in (stream, torch_zip(stream)):
        with contextlib.suppress(ReaderError):
            listing = read(PytorchReader, data)
            assert [(t.name, t.shape) for t in listing.tensors if t.name == "weight"] == [("weight", (2, 3))]


@pytest.mark.parametrize(
    "name", ["os.system", "eval", "stack global", "stack global by memo", "inst", "obj", "subprocess"]
)
def test_what_it_would_import_is_named(name, canary, read):
    listing = read(PytorchReader, with_tensor(attacks(canary)[name]))
    foreign = listing.metadata["foreign_globals"]
    assert any(part in " ".join(foreign) for part in ("os.system", "builtins.eval", "subprocess.check_output"))


def test_a_pickle_without_tensors_says_what_it_would_import(canary, read):
    with pytest.raises(ReaderError, match=r"holds no tensors; loading it would import os\.system"):
        read(PytorchReader, b"\x80\x02" + attacks(canary)["os.system"] + b".")


def test_the_real_pickle_module_would_have_run_it(tmp_path):
    """The corpus is no straw man."""
    flag = tmp_path / "ran"
    pickle.loads(b"\x80\x02" + attacks(flag)["os.system"] + b".")
    assert flag.exists()


def test_every_opcode_of_python_is_known():
    known = {code for code, handler in enumerate(_HANDLERS) if handler is not None} | {ord(".")}
    assert known == {ord(opcode.code) for opcode in pickletools.opcodes}


@pytest.mark.parametrize(
    ("stream", "words"),
    [
        (b"\x80\x09N.", "protocol 9"),
        (b"\x80\x02\xff.", "unknown opcode 0xff"),
        (b"\x80\x02", "ends too early"),
        (b"\x80\x020.", "damaged"),
        (b"\x80\x02.", "damaged"),
        (b"\x80\x02(K\x010.", "no tensors|damaged"),
        (b"\x80\x02t.", "damaged"),
        (b"\x80\x02h\x05.", "damaged"),
        (b"\x80\x02K\x01K\x02s.", "damaged"),
        (b"\x80\x02K\x01K\x02a.", "damaged"),
        (b"\x80\x02}(K\x01u.", "key without a value"),
        (b"\x80\x02\x8b\xff\xff\xff\x7f.", "whole number of 2147483647 bytes"),
        (b"\x80\x02\x8b\xff\xff\xff\xff.", "whole number of -1 bytes"),
        (b"\x80\x02B\xff\xff\xff\xff.", "ends too early"),
        (b"\x80\x02\x8e" + b"\xff" * 8 + b".", "ends too early"),
        (b"\x80\x02T\xff\xff\xff\xff.", "negative"),
        (b"\x80\x02X\x01\x00\x00\x00\xff.", "damaged"),
        (b"\x80\x02I" + b"9" * 70_000 + b"\n.", "line is longer"),
        (b"\x80\x02I" + b"x\n.", "damaged"),
        (b"\x80\x02L" + b"9" * 5_000 + b"L\n.", "many digits"),
        (b"\x80\x02Fabc\n.", "damaged"),
        (b"\x80\x02K\x01K\x02\x93.", "no text"),
        (b"\x80\x02K\x01r\xff\xff\xff\xff0p9999999999\n.", "memo|damaged"),
    ],
)
def test_damaged_streams_are_refused(stream, words, read):
    with pytest.raises(ReaderError, match=words):
        read(PytorchReader, stream)


@pytest.mark.parametrize(
    "arguments",
    [
        b"()",
        b"(NK\x00K\x02\x85K\x01\x85t",
        b"(NNNNt",
        b"((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x06tQNNNt",
        b"((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x06tQK\x00NNt",
        b"((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x06tQK\x00]Na]t",
        b"((X\x07\x00\x00\x00storagectorch\nFloatStorage\nNX\x03\x00\x00\x00cpuK\x06tQK\x00))t",
    ],
)
def test_a_tensor_that_cannot_be_understood_is_an_error(arguments, read):
    stream = b"\x80\x02}" + short("w") + b"ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"Rs."
    with pytest.raises(ReaderError):
        read(PytorchReader, stream)


@pytest.mark.parametrize("size", [b"J\xff\xff\xff\xff", b"\x8a\x08" + b"\xff" * 7 + b"\x7f"])
def test_impossible_sizes_are_refused(size, read):
    stream = with_tensor(b"N").replace(b"K\x02K\x03\x86", size + size + b"\x86", 1)
    with pytest.raises(ReaderError, match="weight"):
        read(PytorchReader, stream)


def long(value: int) -> bytes:
    return b"\x8a\x0b" + value.to_bytes(11, "little")


def bombs(scale: int) -> dict[str, Callable[[], bytes]]:
    """Streams that would grow far beyond their length; `scale` thousand steps each."""
    n = scale * 1_000
    text = b"X\x00\x08\x00\x00" + bytes(2048)
    get = [b"h" + bytes([i]) for i in range(61)]
    many = b"](" + b"K\x01" * n + b"eq\x000"
    return {
        "nested tuples": lambda: b")" + b"\x85" * n,
        "nested lists": lambda: b"]" * n + b"a" * (n - 1),
        "nested dicts": lambda: (b"}K\x01" * n) + b"N" + b"s" * n,
        "a tuple as a key": lambda: b"})" + b"\x85" * n + b"Ns",
        "laughs": lambda: b"]q\x00" + b"".join(b"(" + get[i] * 10 + b"lq" + bytes([i + 1]) for i in range(60)),
        "memo": lambda: b"N" + b"\x94" * n,
        "puts": lambda: b"N" + b"".join(b"r" + struct.pack("<I", i) for i in range(n)),
        "duplicates": lambda: b"]" + b"2" * n + b"(1",
        "marks": lambda: b"(" * n + b"N",
        "self": lambda: b"]q\x00h\x00a",
        "dict in itself": lambda: b"}q\x00" + short("a") + b"h\x00s",
        "copies of a long list": lambda: many + b"c__builtin__\ndict\nh\x00\x85R0" * n + b"N",
        "long list as a shape": lambda: many + b"ctorch\nSize\nh\x00\x85R0" * n + b"N",
        "colliding keys": lambda: b"}(" + b"".join(long(i * ((1 << 61) - 1)) + b"N" for i in range(n)) + b"u",
        "texts": lambda: b"](" + text * min(n, 20_000) + b"e",
        "encoded texts": lambda: text + b"q\x000](" + b"c_codecs\nencode\nh\x00\x85R" * n + b"e",
        "tensors": lambda: b"](" + TENSOR * n + b"e",
        "endless": lambda: b"N0" * n * 10 + b"N",
    }  # fmt: skip


BOMBS = sorted(bombs(1))


def cost(data: bytes, limits: Limits) -> tuple[int, float]:
    """Peak of memory in bytes and seconds of reading; only reader errors come out."""
    tracemalloc.start()
    begun = time.perf_counter()
    try:
        with contextlib.suppress(ReaderError):
            PytorchReader().read(Buffer(data), limits)
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return peak, time.perf_counter() - begun


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_bounded(name):
    data = b"\x80\x02" + bombs(20)[name]() + b"."
    peak, seconds = cost(data, Limits(operations=50_000))
    assert peak < 30_000_000
    assert seconds < 20


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nested tuples", "memo", "tensors", "texts"])
def test_bombs_are_bounded_by_the_default_limits(name):
    data = b"\x80\x02" + bombs(300)[name]() + b"."
    peak, _ = cost(data, Limits())
    assert peak < 256_000_000


def test_cycles_end_and_tensors_beside_them_are_found(read):
    stream = b"\x80\x02}q\x00(" + short("self") + b"h\x00" + short("weight") + TENSOR + b"u."
    assert [t.name for t in read(PytorchReader, stream).tensors] == ["weight"]


def test_instances_that_share_a_state_do_not_multiply_it(read):
    shared = b"}(" + b"".join(short(f"k{n}") + b"N" for n in range(2_000)) + b"u\x94"
    many = b"](" + b"ccanary\nC\n)\x81h\x00b" * 2_000 + b"e"
    with pytest.raises(ReaderError):
        read(PytorchReader, b"\x80\x04" + shared + b"0" + many + b".", Limits(operations=100_000))
