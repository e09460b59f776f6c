"""`dara compare` as a user meets it."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import jsonschema
import pytest
from commandline import Run
from weights import Shapes, write

from clustering.identity import Part
from dara.compare import pair_parts

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/schema/dara-comparison-1.schema.json").read_text("utf-8"))


def model(*, prefix: str = "", labels: int = 2, bias: bool = True, layers: int = 2) -> Shapes:
    shapes: Shapes = {f"{prefix}embed.weight": (300, 16)}
    for index in range(layers):
        for name, rows, columns in (
            ("query", 16, 16),
            ("key", 16, 16),
            ("value", 16, 16),
            ("up", 64, 16),
            ("down", 16, 64),
        ):
            shapes[f"{prefix}layer.{index}.{name}.weight"] = (rows, columns)
            if bias:
                shapes[f"{prefix}layer.{index}.{name}.bias"] = (rows,)
    return shapes | {"classifier.weight": (labels, 16)}


@pytest.fixture
def original(tmp_path: Path) -> Path:
    return write(tmp_path / "acme--model" / "model.safetensors", model()).parent


def test_exit_0_the_same_graph_under_other_names(dara: Run, original: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other.safetensors", model(prefix="net."))
    done = dara("compare", original, other, "--format", "json")
    assert done.code == 0
    document = json.loads(done.out)
    jsonschema.validate(document, SCHEMA)
    assert document["same"] is True
    assert len(document["pairs"]) == len(model())
    assert dara("compare", original, other).out.count("The graphs are the same") == 1


def test_exit_1_the_graphs_differ(dara: Run, original: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other.safetensors", model(bias=False, labels=5))
    done = dara("compare", original, other)
    assert done.code == 1
    assert "only left: 10 parameters" in done.out
    assert "layer.*.query.bias [16] x 2" in done.out
    assert "classifier.weight [2, 16] -> classifier.weight [5, 16] resized" in done.out
    document = json.loads(dara("compare", original, other, "--format", "json").out)
    jsonschema.validate(document, SCHEMA)
    assert document["same"] is False


@pytest.mark.parametrize("arguments", [("compare",), ("compare", "a"), ("compare", "a", "b", "--format", "xml")])
def test_exit_2_usage(dara: Run, arguments: tuple[str, ...]) -> None:
    assert dara(*arguments).code == 2


def test_exit_3_nothing_to_compare(dara: Run, original: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "README.md").write_text("nothing")
    done = dara("compare", original, tmp_path / "empty")
    assert (done.code, done.out) == (3, "")
    assert done.err.count("\n") == 1


def test_exit_3_an_adapter_has_no_graph(dara: Run, original: Path, tmp_path: Path) -> None:
    lora: Shapes = {}
    for name in ("q_proj", "v_proj"):
        stem = f"base_model.model.model.layers.0.self_attn.{name}"
        lora |= {f"{stem}.lora_A.weight": (8, 16), f"{stem}.lora_B.weight": (16, 8)}
    write(tmp_path / "adapter" / "adapter_model.safetensors", lora)
    (tmp_path / "adapter" / "adapter_config.json").write_text('{"peft_type": "LORA", "r": 8}')
    done = dara("compare", original, tmp_path / "adapter")
    assert done.code == 3
    assert "adapter" in done.err


def test_exit_4_a_damaged_file(dara: Run, original: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.safetensors").write_bytes(struct.pack("<Q", 1 << 60) + b"{")
    done = dara("compare", original, tmp_path / "bad.safetensors")
    assert done.code == 4
    assert "Traceback" not in done.err


def test_hostile_names_are_escaped(dara: Run, original: Path, tmp_path: Path) -> None:
    shapes = model() | {"evil\x1b[31m\u202e<script>.weight": (7, 7)}
    other = write(tmp_path / "other.safetensors", shapes)
    for form in ("text", "json"):
        done = dara("compare", original, other, "--format", form, "--full")
        assert done.code == 1
        assert "\x1b" not in done.out
        assert "\u202e" not in done.out


def test_two_runs_are_byte_identical(dara: Run, original: Path, tmp_path: Path) -> None:
    other = write(tmp_path / "other.safetensors", model(prefix="x."))
    arguments = ("compare", original, other, "--format", "json")
    assert dara(*arguments).out == dara(*arguments).out


def test_the_report_goes_to_the_file(dara: Run, original: Path, tmp_path: Path) -> None:
    done = dara("compare", original, original, "--format", "json", "-o", tmp_path / "out.json")
    assert (done.code, done.out) == (0, "")
    assert json.loads((tmp_path / "out.json").read_text("utf-8"))["same"] is True


def test_full_shows_every_pair(dara: Run, original: Path) -> None:
    done = dara("compare", original, original, "--full")
    assert all(name in done.out for name in model())


def test_parts_are_paired_by_role() -> None:
    left = (Part("backbone", "swin", "tiny", {"depths": (2, 2)}), Part("head", "mask", None, {"classes": 150}))
    right = (
        Part("backbone", "swin", "tiny", {"depths": [2, 2]}),
        Part("head", "mask", None, {"classes": 133}),
        Part("text", "clip"),
    )
    pairs = {pair.role: pair for pair in pair_parts(left, right)}
    assert pairs["backbone"].same
    assert pairs["head"].differences == ("classes",)
    assert pairs["text"].left is None
    assert not pairs["text"].same
