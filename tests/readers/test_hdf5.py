from __future__ import annotations

import contextlib
import zipfile

import numpy as np
import pytest

from clustering.errors import ReaderError
from clustering.readers.hdf5 import Hdf5Reader
from clustering.readers.limits import Limits
from clustering.readers.local import Buffer, Counted

h5py = pytest.importorskip("h5py")


def rows(listing):
    return [(tensor.name, tensor.shape, tensor.dtype) for tensor in listing.tensors]


@pytest.fixture
def keras_two(tmp_path):
    """A weights file as Keras 2 and transformers write it: names in attributes, in another order than on disk."""
    path = tmp_path / "tf_model.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("bert")
        names = []
        for number in (10, 2, 1):
            for part, shape in (("kernel", (4, number)), ("bias", (number,))):
                names.append(f"tf_bert/bert/layer_._{number}/{part}:0")
                group.create_dataset(names[-1], data=np.zeros(shape, "f4"))
        group.attrs["weight_names"] = np.array(names, dtype="S")
        file.create_group("dropout").attrs["weight_names"] = np.array([], dtype="S1")
        file.create_group("classifier").create_dataset("w:0", data=np.zeros(3, "f2"))
        file["classifier"].attrs["weight_names"] = np.array([b"w:0"])
        file.attrs["layer_names"] = np.array([b"dropout", b"bert", b"classifier"])
        file.attrs["backend"] = b"tensorflow"
    return path


def test_weights_in_the_order_of_the_model(read, keras_two):
    assert rows(read(Hdf5Reader, keras_two.read_bytes())) == [
        *[
            (f"tf_bert/bert/layer_._{n}/{part}:0", shape, "F32")
            for n in (10, 2, 1)
            for part, shape in (("kernel", (4, n)), ("bias", (n,)))
        ],
        ("w:0", (3,), "F16"),
    ]


def test_a_whole_model_without_its_optimizer(read, tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.create_dataset("model_weights/dense/dense/kernel:0", data=np.zeros((2, 3), "f4"))
        file["model_weights"].attrs["layer_names"] = np.array([b"dense"])
        file["model_weights/dense"].attrs["weight_names"] = np.array([b"dense/kernel:0"])
        file.create_dataset("optimizer_weights/Adam/m:0", data=np.zeros((2, 3), "f4"))
    assert rows(read(Hdf5Reader, (tmp_path / "m.h5").read_bytes())) == [("dense/kernel:0", (2, 3), "F32")]


def test_a_keras_three_archive(read, tmp_path):
    with h5py.File(tmp_path / "model.weights.h5", "w") as file:
        for layer in ("dense", "dense_1"):
            file.create_dataset(f"layers/{layer}/vars/0", data=np.zeros((3, 4)), compression="gzip")
            file.create_dataset(f"layers/{layer}/vars/1", data=np.zeros(4, "i1"))
        file.create_dataset("optimizer/vars/0", data=np.zeros(3))
        file["again"] = file["layers"]
        file["soft"] = h5py.SoftLink("/layers")
        file["outside"] = h5py.ExternalLink("other.h5", "/x")
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.write(tmp_path / "model.weights.h5", "model.weights.h5")
    expected = [
        ("dense/vars/0", (3, 4), "F64"),
        ("dense/vars/1", (4,), "I8"),
        ("dense_1/vars/0", (3, 4), "F64"),
        ("dense_1/vars/1", (4,), "I8"),
    ]
    for name in ("m.keras", "model.weights.h5"):
        found = rows(read(Hdf5Reader, (tmp_path / name).read_bytes()))
        assert [(path.partition("/")[2], shape, dtype) for path, shape, dtype in found] == expected


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"])
def test_element_types(read, tmp_path, dtype):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.create_dataset("w", data=np.zeros((2, 2), dtype))
    (tensor,) = read(Hdf5Reader, (tmp_path / "m.h5").read_bytes()).tensors
    assert tensor.nbytes == 4 * np.dtype(dtype).itemsize
    expected = {"f": "F", "i": "I", "u": "U", "?": "BOOL"}[dtype[0]]
    assert tensor.dtype.startswith(expected)


def test_many_members_and_long_attributes(read, tmp_path):
    names = [f"layer_{number}/kernel:0" for number in range(900)]
    with h5py.File(tmp_path / "m.h5", "w") as file:
        group = file.create_group("model")
        for name in names:
            group.create_dataset(name, data=np.zeros(2, "f4"))
        half = len(names) // 2
        group.attrs["weight_names0"] = np.array(names[half:], dtype="S")
        group.attrs["weight_names1"] = np.array(names[:half], dtype="S")
        file.attrs["layer_names"] = np.array([b"model"])
    listing = read(Hdf5Reader, (tmp_path / "m.h5").read_bytes())
    assert [tensor.name for tensor in listing.tensors] == names[half:] + names[:half]


def test_texts_are_no_tensors(read, tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.create_dataset("w", data=np.zeros(2, "f4"))
        file.create_dataset("text", data=b"hello")
        file.create_dataset("words", data=["a", "b"])
    assert [tensor.name for tensor in read(Hdf5Reader, (tmp_path / "m.h5").read_bytes()).tensors] == ["w"]


def test_the_newest_layout_is_read_or_refused_clearly(read, tmp_path):
    with h5py.File(tmp_path / "few.h5", "w", libver="latest") as file:
        file.create_dataset("a/w", data=np.zeros((2, 3), "f4"))
    assert rows(read(Hdf5Reader, (tmp_path / "few.h5").read_bytes())) == [("a/w", (2, 3), "F32")]
    with h5py.File(tmp_path / "many.h5", "w", libver="latest") as file:
        for number in range(50):
            file.create_dataset(f"w{number}", data=np.zeros(1))
    with pytest.raises(ReaderError, match="dense storage"):
        read(Hdf5Reader, (tmp_path / "many.h5").read_bytes())


def test_data_is_not_read(tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        for number in range(50):
            file.create_dataset(f"layer_{number}/w", data=np.zeros(100_000, "f4"))
    source = Counted(Buffer((tmp_path / "m.h5").read_bytes()))
    assert len(Hdf5Reader().read(source, Limits()).tensors) == 50
    assert source.bytes_read < 1_000_000


def test_damage_anywhere_is_a_reader_error_or_a_listing(keras_two):
    data = keras_two.read_bytes()
    limits = Limits(operations=20_000, scan_bytes=2_000_000)
    for at in range(0, len(data), 19):
        for byte in (0, 0xFF):
            broken = data[:at] + bytes([byte]) + data[at + 1 :]
            with contextlib.suppress(ReaderError):
                Hdf5Reader().read(Buffer(broken), limits)


def test_a_group_that_contains_itself_ends(read, tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        group = file.create_group("a")
        group["again"] = file["/"]
        group.create_dataset("w", data=np.zeros(2, "f4"))
    assert rows(read(Hdf5Reader, (tmp_path / "m.h5").read_bytes())) == [("a/w", (2,), "F32")]
