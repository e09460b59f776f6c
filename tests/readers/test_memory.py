"""With the default limits, no header of any format makes a reader take 256 MB, however it is made up.

Each file is read in a process of its own: resident memory is what counts, and tracing allocations would take minutes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

MEMORY = 256_000
"""kB beyond the interpreter with the reader's libraries and the file's own bytes."""
SECONDS = 120
READ = """
import json, struct, sys, time
from io import BytesIO
import numpy, zipfile
from clustering.errors import ReaderError
from clustering.readers.limits import DEFAULT_LIMITS
from clustering.readers.local import Buffer
from clustering.readers.registry import reader_for
import importlib.util
for library in ("h5py", "onnx"):
    if importlib.util.find_spec(library):
        importlib.import_module(library)
def now(word):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(word))
def text(value):
    return struct.pack("<Q", len(value)) + value
def varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128]); value >>= 7
    return out + bytes([value])
def piece(field, value):
    return bytes([field << 3 | 2]) + varint(len(value)) + value
def build():
    BUILD
data = build()
source = Buffer(data)
before, begun = now("VmRSS"), time.perf_counter()
with open("/proc/self/clear_refs", "w") as reset:
    reset.write("5")  # the peak begins anew
try:
    reader_for("PATH").read(source, DEFAULT_LIMITS)
    outcome = "read"
except ReaderError as error:
    outcome = str(error)[:200]
print(json.dumps({"outcome": outcome, "grown": now("VmHWM") - before, "seconds": time.perf_counter() - begun}))
"""

HOSTILE = {
    "safetensors: many tensors": (
        "x.safetensors",
        """row = '"%d":{"dtype":"U8","shape":[1],"data_offsets":[%d,%d]}'
    rows = ",".join(row % (n, n, n + 1) for n in range(199_990))
    return text(("{" + rows + "}").encode()) + bytes(199_990)""",
    ),
    "safetensors: long shapes": (
        "x.safetensors",
        """rows = ",".join('"%d":{"shape":[%s1]}' % (n, "1," * 20) for n in range(110_000))
    return text(("{" + rows + "}").encode())""",
    ),
    "safetensors: metadata": (
        "x.safetensors",
        """rows = ",".join('"%d":""' % n for n in range(1_900_000))
    return text(('{"__metadata__":{' + rows + "}}").encode())""",
    ),
    "safetensors: as much metadata as is read": (
        "x.safetensors",
        """rows = ",".join('"%032d":""' % n for n in range(590_000))
    return text(('{"__metadata__":{' + rows + "}}").encode())""",
    ),
    "safetensors: wide characters": (
        "x.safetensors",
        """return text(b'{"a":"' + "\\U0001f600".encode() * 6_000_000 + b'"}')""",
    ),
    "gguf: token lists": (
        "x.gguf",
        """tokens = text(b"tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 9_000_000) + text(b"a") * 9_000_000
    return b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + tokens""",
    ),
    "gguf: many tensors": (
        "x.gguf",
        """rows = b"".join(text(b"%0400d" % n) + struct.pack("<IIQ", 0, 0, 0) for n in range(190_000))
    return b"GGUF" + struct.pack("<IQQ", 3, 190_000, 0) + rows""",
    ),
    "onnx: many nodes": ("x.onnx", """return piece(7, b"\\x0a\\x02\\x0a\\x00" * 12_000_000)"""),
    "onnx: many tensors": (
        "x.onnx",
        """return piece(7, b"".join(piece(5, piece(8, b"%0480d" % n)) for n in range(190_000)))""",
    ),
    "pickle: many strings": (
        "x.bin",
        """strings = b"".join(b"X" + struct.pack("<I", 8) + b"%08d" % n for n in range(1_800_000))
    return b"\\x80\\x02](" + strings + b"e." """,
    ),
    "pickle: memo": (
        "x.bin",
        """return b"\\x80\\x02" + b"".join(b"]r" + struct.pack("<I", n) for n in range(3_900_000))""",
    ),
    "pickle: doubling": ("x.bin", """return b"\\x80\\x02]q\\x00" + b"(h\\x00h\\x00e" * 900_000 + b"." """),
    "flax: maps": (
        "x.msgpack",
        """return b"\\xdf\\xff\\xff\\xff\\xff" + b"".join(b"\\xa8%08d\\x80" % n for n in range(9_000_000))""",
    ),
    "flax: one key": ("x.msgpack", """return b"\\x81\\xdb\\x05\\xf5\\xe1\\x00" + bytes(100_000_000)"""),
    "numpy: archive": (
        "x.npz",
        """buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", b"\\x93NUMPY\\x02\\x00\\xff\\xff\\xff\\x7f" + bytes(400_000_000))
    return buffer.getvalue()""",
    ),
    "pytorch: archive": (
        "x.bin",
        """buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\\x80\\x02" + b"]" * 400_000_000)
    return buffer.getvalue()""",
    ),
    "hdf5: zeros": ("x.h5", """return b"\\x89HDF\\r\\n\\x1a\\n" + bytes(5) + b"\\x08\\x08" + bytes(100_000_000)"""),
    "tensorflow: zeros": (
        "model.ckpt.index",
        """return bytes(100_000_000) + struct.pack("<Q", 0xDB4775248B80FB57)""",
    ),
}


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peak memory is read from /proc")
@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_hostile_header_takes_less_than_256_mb(name: str) -> None:
    path, build = HOSTILE[name]
    code = READ.replace("BUILD", build).replace("PATH", path)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=SECONDS * 2, check=False
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    found = json.loads(done.stdout)
    assert found["grown"] < MEMORY, found
    assert found["seconds"] < SECONDS, found
