"""Small good files of every format, so that fuzzing begins behind the first bytes: `python tests/fuzz/seeds.py FOLDER`.

One folder for each reader. Every seed starts with the byte that `fuzz_readers.py` drops.
"""

from __future__ import annotations

import json
import pickle
import runpy
import struct
import sys
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np

READER_TESTS = Path(__file__).resolve().parents[1] / "readers"


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def safetensors() -> bytes:
    names = {"a.0.weight": [2, 3], "a.1.weight": [2, 3], "b.bias": [4]}
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, shape in names.items():
        size = 4 * int(np.prod(shape))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    return text(json.dumps(header).encode()) + bytes(at)


def gguf() -> bytes:
    pairs = text(b"general.architecture") + struct.pack("<I", 8) + text(b"llama")
    pairs += text(b"tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 2) + text(b"a") + text(b"b")
    tensor = text(b"token_embd.weight") + struct.pack("<IQQIQ", 2, 32, 2, 8, 0)
    return b"GGUF" + struct.pack("<IQQ", 3, 1, 2) + pairs + tensor + bytes(200)


def zipped(data: bytes, method: int) -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/version", "3\n")
    return buffer.getvalue()


def seeds() -> Iterator[tuple[str, bytes]]:
    """(format of the reader, content)."""
    yield "safetensors", safetensors()
    yield "gguf", gguf()
    state = {"layer.weight": np.zeros((2, 3), "f4"), "nested": {"b": np.zeros(4)}}
    for protocol in (2, 4):
        plain = pickle.dumps(state, protocol)
        yield "pytorch", plain
        yield "pytorch", zipped(plain, zipfile.ZIP_STORED)
        yield "pytorch", zipped(plain, zipfile.ZIP_DEFLATED)
    arrays = BytesIO()
    np.savez(arrays, a=np.zeros((2, 3), "f4"), b=np.zeros(4, "i8"))
    yield "numpy", arrays.getvalue()
    single = BytesIO()
    np.save(single, np.zeros((2, 3)))
    yield "numpy", single.getvalue()
    # The table of a checkpoint takes fifty lines to write; the reader's own test has them.
    yield "tensorflow", runpy.run_path(str(READER_TESTS / "test_tensorflow.py"))["checkpoint"]()
    yield from optional()


def optional() -> Iterator[tuple[str, bytes]]:
    """Seeds written by libraries, where they are installed."""
    try:
        import torch

        buffer = BytesIO()
        torch.save({"model.layer.weight": torch.zeros(2, 3), "model.layer.bias": torch.zeros(2)}, buffer)
        yield "pytorch", buffer.getvalue()
    except ImportError:
        pass
    try:
        import h5py

        for version in ("earliest", "latest"):
            buffer = BytesIO()
            with h5py.File(buffer, "w", libver=version) as file:
                file.attrs["layer_names"] = [b"dense"]
                group = file.create_group("dense/dense")
                file["dense"].attrs["weight_names"] = [b"dense/kernel:0"]
                group["kernel:0"] = np.zeros((2, 3), "f4")
            yield "hdf5", buffer.getvalue()
    except ImportError:
        pass
    try:
        import msgpack

        array = msgpack.packb(([2, 3], "float32", bytes(24)))
        tree = {"params": {"dense": {"kernel": msgpack.ExtType(1, array)}}}
        yield "flax", msgpack.packb(tree)
    except ImportError:
        pass
    try:
        from onnx import TensorProto, helper

        weight = helper.make_tensor("w", TensorProto.FLOAT, [3, 2], [0.0] * 6)
        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2]) for name in ("x", "y")]
        graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", ends[:1], ends[1:], [weight])
        yield "onnx", helper.make_model(graph).SerializeToString()
    except ImportError:
        pass


def main() -> int:
    folder = Path(sys.argv[1])
    for number, (form, content) in enumerate(seeds()):
        place = folder / form
        place.mkdir(parents=True, exist_ok=True)
        (place / f"seed{number:02d}").write_bytes(b"\0" + content)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
