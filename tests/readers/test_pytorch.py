from __future__ import annotations

import pickle
import zipfile

import numpy as np
import pytest

from clustering.errors import NoWeightsError, ReaderError
from clustering.readers.limits import Limits
from clustering.readers.local import Buffer, Counted, LocalFile
from clustering.readers.pytorch import PytorchReader

pytestmark = pytest.mark.graph
torch = pytest.importorskip("torch")


def small():
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Conv1d(2, 5, 3, bias=False))


def expected(module):
    return [(name, tuple(tensor.shape)) for name, tensor in module.state_dict().items()]


def listed(path):
    with LocalFile(path) as source:
        return PytorchReader().read(source, Limits())


def rows(listing):
    return [(tensor.name, tensor.shape) for tensor in listing.tensors]


@pytest.mark.parametrize("modern", [True, False])
def test_a_state_dictionary(tmp_path, modern):
    model = small()
    torch.save(model.state_dict(), tmp_path / "m.bin", _use_new_zipfile_serialization=modern)
    listing = listed(tmp_path / "m.bin")
    assert rows(listing) == expected(model)
    assert listing.metadata["kind"] == ("zip" if modern else "legacy")
    assert listing.metadata["foreign_globals"] == []
    assert {tensor.name: tensor.dtype for tensor in listing.tensors}["1.num_batches_tracked"] == "I64"


@pytest.mark.parametrize("modern", [True, False])
def test_tied_tensors_share_their_storage(tmp_path, modern):
    weight = torch.zeros(4, 3)
    state = {"a": weight, "b": weight, "c": torch.zeros(4, 3), "half": weight[2:]}
    torch.save(state, tmp_path / "m.bin", _use_new_zipfile_serialization=modern)
    a, b, c, half = listed(tmp_path / "m.bin").tensors
    assert a.storage == b.storage
    assert c.storage != a.storage
    assert half.storage != a.storage


@pytest.mark.parametrize(
    "dtype",
    ["float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool", "complex64",
     "float8_e4m3fn", "float8_e5m2", "uint16"],
)  # fmt: skip
def test_element_types(tmp_path, dtype):
    tensor = torch.zeros(2, 3, dtype=getattr(torch, dtype))
    torch.save({"w": tensor}, tmp_path / "m.bin")
    (found,) = listed(tmp_path / "m.bin").tensors
    assert found.shape == (2, 3)
    assert found.nbytes == tensor.numel() * tensor.element_size()
    torch.save({"w": torch.nn.Parameter(tensor, requires_grad=False)}, tmp_path / "p.bin")
    assert listed(tmp_path / "p.bin").tensors[0].dtype == found.dtype


def test_meta_tensors_have_shapes(tmp_path):
    torch.save({"w": torch.zeros(5, 7, device="meta")}, tmp_path / "m.bin")
    (found,) = listed(tmp_path / "m.bin").tensors
    assert (found.shape, found.dtype) == ((5, 7), "F32")


@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict", "module", "net"])
def test_training_checkpoints(tmp_path, key):
    model = small()
    optimizer = torch.optim.AdamW(model.parameters())
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    content = {"epoch": 3, key: model.state_dict(), "optimizer": optimizer.state_dict(), "args": {"lr": torch.ones(3)}}
    torch.save(content, tmp_path / "m.ckpt")
    listing = listed(tmp_path / "m.ckpt")
    assert rows(listing) == expected(model)
    assert listing.metadata["container"] == key


def test_a_model_in_parts_is_kept_whole(tmp_path):
    torch.save({"model": {"w": torch.zeros(2)}, "projector": {"w": torch.zeros(3)}}, tmp_path / "m.pt")
    assert rows(listed(tmp_path / "m.pt")) == [("model.w", (2,)), ("projector.w", (3,))]


def test_a_pickled_module(tmp_path):
    model = small()
    torch.save(model, tmp_path / "m.pt")
    listing = listed(tmp_path / "m.pt")
    assert rows(listing) == expected(model)
    assert "torch.nn.modules.linear.Linear" in listing.metadata["foreign_globals"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_scripted_module(tmp_path):
    model = small()
    torch.jit.script(model).save(str(tmp_path / "m.pt"))
    listing = listed(tmp_path / "m.pt")
    assert sorted(rows(listing)) == sorted(expected(model))
    assert listing.metadata["kind"] == "torchscript"


@pytest.mark.parametrize("protocol", [1, 2, 3, 4, 5])
def test_plain_pickles_of_numpy_arrays(tmp_path, protocol):
    content = {"model": {"a.w": np.zeros((300, 40), "f4"), "b": np.arange(3), "s": np.float32(2)}, "__author__": "x"}
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(content, protocol=protocol))
    listing = listed(tmp_path / "m.pkl")
    assert [(t.name, t.shape, t.dtype) for t in listing.tensors] == [("a.w", (300, 40), "F32"), ("b", (3,), "I64")]
    assert listing.metadata["foreign_globals"] == []


def test_data_is_not_read(tmp_path):
    torch.save({f"w{n}": torch.zeros(100_000) for n in range(20)}, tmp_path / "m.bin")
    (tmp_path / "m.pkl").write_bytes(pickle.dumps({f"w{n}": np.zeros(100_000) for n in range(20)}))
    for name in ("m.bin", "m.pkl"):
        with LocalFile(tmp_path / name) as file:
            source = Counted(file)
            assert len(PytorchReader().read(source, Limits()).tensors) == 20
        assert source.bytes_read < 150_000


def test_a_deflated_archive_is_read(tmp_path):
    torch.save({"w": torch.zeros(3)}, tmp_path / "m.bin")
    with zipfile.ZipFile(tmp_path / "m.bin") as old, zipfile.ZipFile(tmp_path / "d.bin", "w", 8) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert rows(listed(tmp_path / "d.bin")) == [("w", (3,))]


def test_a_file_without_tensors_is_sound_but_empty(tmp_path):
    torch.save({"args": [1, 2], "name": "x"}, tmp_path / "m.bin")
    with pytest.raises(NoWeightsError):
        listed(tmp_path / "m.bin")


def test_every_truncation_is_refused(tmp_path):
    for modern in (True, False):
        torch.save({"w": torch.zeros(3)}, tmp_path / "m.bin", _use_new_zipfile_serialization=modern)
        data = (tmp_path / "m.bin").read_bytes()
        # Behind its structure a legacy file has only storage keys and numbers, which are not read.
        end = len(data) if modern else data.index(b"storage")
        for length in range(end):
            with pytest.raises(ReaderError):
                PytorchReader().read(Buffer(data[:length]), Limits())
