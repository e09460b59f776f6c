from __future__ import annotations

import json
import struct

import pytest

from clustering.errors import ReaderError
from clustering.readers.artifacts import find_artifacts, holds_weights
from clustering.readers.limits import Limits
from clustering.readers.select import read_weights

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 438007537\n"


@pytest.fixture
def weights(safetensors_file):
    """A safetensors file of one tensor with the given name."""
    return lambda *names, dtype="F32", shape=(2, 3): safetensors_file(dict.fromkeys(names, (dtype, shape)))


def index(table: dict[str, str]) -> bytes:
    return json.dumps({"metadata": {}, "weight_map": table}).encode()


def names(listing) -> list[str]:
    return [tensor.name for tensor in listing.tensors]


def test_one_file(package, weights):
    result = read_weights(package({"config.json": b"{}", "model.safetensors": weights("a")}))
    assert names(result.listing) == ["a"]
    assert result.listing.files == ("model.safetensors",)
    assert result.listing.tensors[0].file == "model.safetensors"
    assert result.considered == ("model.safetensors",)
    assert result.skipped == result.damaged == result.others == ()
    assert result.bytes_read > 0


def test_no_weights_at_all(package):
    result = read_weights(package({"config.json": b"{}", "README.md": b"x"}))
    assert result.listing is None
    assert result.skipped == ()


def test_shards_are_joined_by_their_index(package, weights):
    files = {
        "model.safetensors.index.json": index(
            {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
        ),
        "model-00001-of-00002.safetensors": weights("a"),
        "model-00002-of-00002.safetensors": weights("b"),
    }
    result = read_weights(package(files))
    assert names(result.listing) == ["a", "b"]
    assert result.listing.incomplete == ()
    assert [t.file for t in result.listing.tensors] == sorted(files)[:2]
    assert result.listing.bytes_read <= result.bytes_read


@pytest.mark.parametrize("with_index", [True, False])
def test_missing_shards_are_named(package, weights, with_index):
    files = {"model-00001-of-00003.safetensors": weights("a")}
    if with_index:
        table = {name: f"model-0000{n}-of-00003.safetensors" for n, name in enumerate("abc", 1)}
        files["model.safetensors.index.json"] = index(table)
    result = read_weights(package(files))
    assert names(result.listing) == ["a"]
    assert result.listing.incomplete == ("model-00002-of-00003.safetensors", "model-00003-of-00003.safetensors")


def test_an_index_alone_gives_names(package):
    table = {"a.weight": "model-00001-of-00001.safetensors", "a.bias": "model-00001-of-00001.safetensors"}
    result = read_weights(package({"model.safetensors.index.json": index(table)}))
    assert result.listing.names_only
    assert result.listing.format == "index"
    assert names(result.listing) == ["a.weight", "a.bias"]
    assert result.listing.incomplete == ("model-00001-of-00001.safetensors",)


def test_an_index_is_not_read_when_its_shards_are_all_there(package, weights):
    files = package(
        {
            "model.safetensors.index.json": b"a long one",
            "model-00001-of-00002.safetensors": weights("a"),
            "model-00002-of-00002.safetensors": weights("b"),
        }
    )
    result = read_weights(files)
    assert names(result.listing) == ["a", "b"]
    assert result.damaged == ()
    assert "model.safetensors.index.json" not in files.opened


def test_concurrent_reading_gives_the_same(package, weights):
    count = 12
    shards = {f"model-{n:05}-of-{count:05}.safetensors": weights(f"t{n}") for n in range(1, count + 1)}
    files = package(shards)
    plain = read_weights(files)
    files.concurrency = 8
    assert read_weights(files) == plain


def test_a_damaged_shard_leaves_the_names(package, weights):
    files = {
        "model.safetensors.index.json": index(
            {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
        ),
        "model-00001-of-00002.safetensors": weights("a"),
        "model-00002-of-00002.safetensors": b"\0" * 4,
    }
    result = read_weights(package(files))
    assert result.listing.names_only
    assert result.damaged == result.skipped != ()


@pytest.mark.parametrize(
    "shard",
    [
        "../other/model.safetensors",
        "/etc/passwd",
        "a/../../b.safetensors",
        "..\\b.safetensors",
        "",
        7,
        None,
        "x" * 2000,
    ],
)
def test_an_index_cannot_lead_out_of_the_package(package, weights, shard):
    files = package({"model.safetensors.index.json": index({"a": shard}), "model.safetensors": weights("m")})
    result = read_weights(files)
    assert names(result.listing) == ["m"]
    assert [check for check, _ in result.damaged] == ["weights of model.safetensors.index.json"]
    assert set(files.opened) == {"model.safetensors.index.json", "model.safetensors"}


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{}", b'{"weight_map": []}', b'{"weight_map": {}}', b"{" * 100_000, b"\xff", POINTER]
)
def test_a_broken_index_is_reported(package, raw):
    result = read_weights(package({"model.safetensors.index.json": raw}))
    assert result.listing is None
    assert len(result.damaged) == 1


def test_formats_in_order_of_preference(package, weights):
    files = {
        "pytorch_model.bin": b"junk",
        "tf_model.h5": b"junk",
        "model.safetensors": weights("a"),
        "onnx/model.onnx": b"junk",
    }
    result = read_weights(package(files))
    assert result.listing.format == "safetensors"
    assert result.skipped == ()
    assert result.others == ("onnx/model.onnx", "pytorch_model.bin", "tf_model.h5")


def test_the_next_format_when_the_first_is_damaged(package, weights, torch_zip):
    files = {
        "model.safetensors": struct.pack("<Q", 1 << 62),
        "pytorch_model.bin": b"junk",
        "other/model.safetensors": weights("a"),
    }
    result = read_weights(package(files))
    assert names(result.listing) == ["a"]
    assert [check for check, _ in result.damaged] == ["weights of model.safetensors", "weights of pytorch_model.bin"]
    assert all("\n" not in reason for _, reason in result.damaged)


def test_a_pointer_is_not_damage(package):
    result = read_weights(package({"model.safetensors": POINTER}))
    assert result.listing is None
    assert result.damaged == ()
    assert result.skipped == (
        (
            "weights of model.safetensors",
            "a Git LFS pointer to 438007537 bytes, the weights themselves were not fetched",
        ),
    )


def test_pointers_beside_real_shards_are_missing_shards(package, weights):
    files = {"model-00001-of-00002.safetensors": weights("a"), "model-00002-of-00002.safetensors": POINTER}
    result = read_weights(package(files))
    assert names(result.listing) == ["a"]
    assert result.listing.incomplete == ("model-00002-of-00002.safetensors",)


@pytest.mark.parametrize(
    "path",
    [
        "optimizer.bin", "optimizer.pt", "scheduler.bin", "scheduler.pt", "training_args.bin", "rng_state.pth",
        "rng_state_0.pth", "random_states_0.pkl", "scaler.pt", "runs/x/model.bin", ".cache/model.safetensors",
        "global_step100/zero_pp_rank_0_mp_rank_00_optim_states.pt", "vocab.bin", "tokenizer.pkl", "imatrix.gguf",
        "config.json", "model.safetensors.md", "model.onnx_data", "README.md", "variables.data-00000-of-00001",
    ],
)  # fmt: skip
def test_what_is_no_weight(path):
    assert not holds_weights(path)


@pytest.mark.parametrize(
    "path",
    [
        "pytorch_model.bin", "model.safetensors", "tf_model.h5", "flax_model.msgpack", "model.onnx", "m-Q4_K_M.gguf",
        "bert_model.ckpt.index", "variables/variables.index", "model_final_a54504.pkl", "unet/pytorch_model.bin",
        "consolidated.00.pth", "lora.safetensors", "model.keras", "weights.npz", "variables.safetensors",
    ],
)  # fmt: skip
def test_what_is_a_weight(path):
    assert holds_weights(path)


def test_canonical_names_come_before_variants_and_originals(package, weights):
    files = {
        "consolidated.safetensors": weights("original", shape=(90, 90)),
        "model.fp16.safetensors": weights("half"),
        "model.safetensors": weights("main"),
        "something.safetensors": weights("other", shape=(50, 50)),
        "checkpoint-500/model.safetensors": weights("old"),
    }
    order = []
    while files:
        listing = read_weights(package(files)).listing
        order.append(names(listing)[0])
        del files[listing.files[0]]
    assert order == ["main", "other", "original", "half", "old"]


def test_training_checkpoints_only_when_there_is_nothing_else(package, weights):
    files = {"checkpoint-500/model.safetensors": weights("old"), "sub/model.safetensors": weights("new")}
    assert names(read_weights(package(files)).listing) == ["new"]


def test_an_adapter_is_called_one(package, safetensors_file):
    file = safetensors_file({"base_model.model.q_proj.lora_A.weight": ("F32", (8, 64))})
    config = json.dumps({"peft_type": "LORA", "r": 8}).encode()
    result = read_weights(package({"adapter_config.json": config, "adapter_model.safetensors": file}))
    assert result.listing.adapter == "lora"


def test_an_adapter_by_its_tensors(package, safetensors_file):
    lora = safetensors_file({"unet.a.lora_down.weight": ("F32", (8, 64)), "unet.a.lora_up.weight": ("F32", (64, 8))})
    assert read_weights(package({"style.safetensors": lora})).listing.adapter == "lora"
    ia3 = safetensors_file({"base_model.model.k_proj.ia3_l": ("F32", (64, 1))})
    assert read_weights(package({"x.safetensors": ia3})).listing.adapter == "ia3"


def test_a_whole_model_comes_before_its_adapter(package, weights, safetensors_file):
    adapter = safetensors_file({"q.lora_A.weight": ("F32", (8, 64))})
    result = read_weights(
        package({"adapter_config.json": b"{}", "adapter_model.safetensors": adapter, "model.safetensors": weights("a")})
    )
    assert result.listing.adapter is None
    assert result.others == ("adapter_model.safetensors",)


def test_a_model_with_a_few_lora_tensors_is_no_adapter(package, weights):
    assert read_weights(package({"model.safetensors": weights("a", "b", "c.lora_A.weight")})).listing.adapter is None


def test_a_diffusers_pipeline_by_folder(package, weights):
    pipeline = {
        "_class_name": "P",
        "vae": ["diffusers", "A"],
        "unet": ["diffusers", "B"],
        "text_encoder": ["t", "C"],
        "x": ["t", None],
    }
    files = {
        "model_index.json": json.dumps(pipeline).encode(),
        "vae/diffusion_pytorch_model.safetensors": weights("v", shape=(100, 100)),
        "unet/diffusion_pytorch_model.safetensors": weights("u"),
        "unet/diffusion_pytorch_model.fp16.safetensors": weights("u16"),
        "text_encoder/model.safetensors": weights("t"),
        "all-in-one.safetensors": weights("whole"),
    }
    result = read_weights(package(files))
    assert {name: names(part) for name, part in result.components.items()} == {
        "vae": ["v"],
        "unet": ["u"],
        "text_encoder": ["t"],
    }
    assert names(result.listing) == ["u"]
    assert result.others == ("all-in-one.safetensors", "unet/diffusion_pytorch_model.fp16.safetensors")


def test_one_of_several_quantizations_is_chosen_whatever_the_order(package):
    def gguf(name: str) -> bytes:
        raw = name.encode()
        row = struct.pack("<Q", len(raw)) + raw + struct.pack("<IQIQ", 1, 4, 0, 0)
        body = b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + row
        return body + bytes(-len(body) % 32 + 16)

    files = {
        "m.Q4_K_M.gguf": gguf("q4"),
        "m.Q8_0.gguf": gguf("q8"),
        "m.BF16-00001-of-00002.gguf": gguf("b1"),
        "m.BF16-00002-of-00002.gguf": gguf("b2"),
        "mmproj-m-f16.gguf": gguf("mm"),
    }
    result = read_weights(package(files))
    assert names(result.listing) == ["q4"]
    assert len(result.others) == 4
    assert read_weights(package(dict(reversed(files.items())))) == result
    assert names(read_weights(package({"mmproj-m-f16.gguf": gguf("mm")})).listing) == ["mm"]


def test_numbered_gguf_shards_are_joined(package):
    files = find_artifacts({f"m-0000{n}-of-00002.gguf": 10 for n in (1, 2)}, {})
    assert [artifact.files for artifact in files] == [("m-00001-of-00002.gguf", "m-00002-of-00002.gguf")]


def test_a_name_in_two_shards_is_kept_once(package, weights):
    files = {f"model-0000{n}-of-00002.safetensors": weights("a", f"b{n}") for n in (1, 2)}
    listing = read_weights(package(files)).listing
    assert names(listing) == ["a", "b1", "b2"]
    assert listing.metadata["repeated_names"] == 1


def test_errors_of_the_origin_are_reported(package, weights):
    files = package({"model.safetensors": weights("a")})

    def fail(path):
        raise ReaderError(f"{path}: 503 Service Unavailable")

    files.open = fail
    result = read_weights(files)
    assert result.damaged == (("weights of model.safetensors", "503 Service Unavailable"),)


def test_hostile_names_are_escaped(package):
    result = read_weights(package({"model\x1b[31m\n.safetensors": b""}))
    ((check, reason),) = result.damaged
    assert "\x1b" not in check + reason
    assert "\n" not in check + reason


def test_packed_weights_come_out_logical(package, safetensors_file):
    file = safetensors_file({"q.SCB": ("F32", (8,)), "q.weight": ("I8", (8, 4)), "q.weight_format": ("U8", ())})
    listing = read_weights(package({"model.safetensors": file, "config.json": b"not json"})).listing
    assert names(listing) == ["q.weight"]
    assert listing.quantization.method == "bitsandbytes"


def test_too_many_shards_are_refused(package, weights):
    files = {f"model-{n:05}-of-00009.safetensors": weights(f"t{n}") for n in range(1, 10)}
    result = read_weights(package(files), Limits(shards=5))
    assert result.listing is None
    assert "more than 5 shards" in result.damaged[0][1]


def test_a_layer_in_two_shards_is_in_one_piece(package, safetensors_file):
    first = safetensors_file({"l.0.a": ("F32", (2,)), "l.1.b": ("F32", (2,))})
    second = safetensors_file({"l.0.b": ("F32", (2,)), "l.1.a": ("F32", (2,))})
    files = {"model-00001-of-00002.safetensors": first, "model-00002-of-00002.safetensors": second}
    assert names(read_weights(package(files)).listing) == ["l.0.a", "l.0.b", "l.1.a", "l.1.b"]
    other = safetensors_file({"l.2.z": ("F32", (2,)), "l.2.a": ("F32", (2,))})  # in an order of its own
    files["model-00002-of-00002.safetensors"] = other
    assert names(read_weights(package(files)).listing) == ["l.0.a", "l.1.b", "l.2.z", "l.2.a"]


def test_slices_of_a_model_are_put_together(package, safetensors_file):
    part = safetensors_file(
        {
            "tok_embeddings.weight": ("BF16", (100, 4)),
            "layers.0.attention.wq.weight": ("BF16", (2, 16)),
            "layers.0.attention.wo.weight": ("BF16", (16, 4)),
            "layers.0.feed_forward.w1.weight": ("BF16", (12, 16)),
            "layers.0.attention_norm.weight": ("BF16", (16,)),
            "norm.weight": ("BF16", (16,)),
        }
    )
    files = {f"consolidated.0{n}.safetensors": part for n in range(4)}
    listing = read_weights(package(files)).listing
    assert {tensor.name: tensor.shape for tensor in listing.tensors} == {
        "tok_embeddings.weight": (100, 16),
        "layers.0.attention.wq.weight": (8, 16),
        "layers.0.attention.wo.weight": (16, 16),
        "layers.0.feed_forward.w1.weight": (48, 16),
        "layers.0.attention_norm.weight": (16,),
        "norm.weight": (16,),
    }
    assert listing.metadata["slices"] == 4
    assert len(listing.files) == 4
    assert sum(tensor.nbytes for tensor in listing.tensors) == 2 * sum(tensor.elements for tensor in listing.tensors)


def test_slices_that_cannot_be_put_together_are_refused(package, safetensors_file):
    part = safetensors_file({"a.weight": ("F32", (5, 7)), "norm.weight": ("F32", (16,))})
    result = read_weights(package({f"consolidated.0{n}.safetensors": part for n in range(2)}))
    assert result.listing is None
    assert "cannot be told how a.weight was cut" in result.damaged[0][1]


@pytest.mark.parametrize(
    ("path", "head"),
    [
        ("model.bin", b"\x06\0\0\0\x0cWhisperSpec"),
        ("openvino_model.bin", bytes(64)),
        ("cc.en.300.bin", b"\xba\x16\x4f\x2f" + bytes(20)),
        ("sklearn_model.pkl", b"x\x9c" + bytes(20)),
        ("model.pkl", b"\x80\x04cjoblib.numpy_pickle\nNumpyArrayWrapper\n" + bytes(20)),
    ],
)
def test_formats_of_other_programs_are_not_damage(package, path, head):
    result = read_weights(package({path: head}))
    assert result.listing is None
    assert result.damaged == ()
    assert "not read" in result.skipped[0][1]


@pytest.mark.parametrize("path", ["pytorch_model.bin", "model.pt", "adapter_model.bin"])
def test_a_torch_file_without_a_torch_head_is_damage(package, path):
    assert read_weights(package({path: b"<!DOCTYPE html>"})).damaged


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["model.onnx", "model_quantized.onnx", "model_fp16.onnx"], ()),
        (["decoder_model.onnx", "decoder_model_merged.onnx", "decoder_with_past_model.onnx", "encoder_model.onnx"],
         ("decoder_with_past_model.onnx", "encoder_model.onnx")),
        (["encoder_model_fp16.onnx", "decoder_model_fp16.onnx"], ("encoder_model_fp16.onnx",)),
        (["a/encoder_model.onnx", "b/decoder_model.onnx"], ()),
        (["vision_encoder.onnx", "model.onnx"], ()),
        (["my-detector.onnx"], ()),
    ],
)  # fmt: skip
def test_parts_of_an_onnx_export_are_not_the_whole(package, paths, expected):
    graph = b"\x2a\x07" + b"\x08\x02\x10\x01\x42\x01w"
    data = b"\x3a" + bytes([len(graph)]) + graph
    result = read_weights(package(dict.fromkeys(paths, data)))
    assert result.listing.incomplete == expected
