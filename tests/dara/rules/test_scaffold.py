"""A new rule starts where the tests look for it, and is not done by being started."""

from __future__ import annotations

import ast
import shutil
import tomllib
from pathlib import Path

import pytest

from dara.rules.interface import HEADINGS
from dara.rules.registry import all_rules
from dara.rules.scaffold import ScaffoldError, main, scaffold

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def checkout(tmp_path):
    for name in ("dara/rules/registry.py", "tests/dara/rules/catalogue.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "tests/dara/rules/fixtures").mkdir()
    return tmp_path


def test_everything_is_written(checkout):
    written = scaffold(checkout, "DAR199", "contradicted-thing", "9.9.9")
    assert all(path.is_file() for path in written)
    rule = next(node for node in ast.parse(written[0].read_text()).body if isinstance(node, ast.ClassDef))
    assert rule.name == "ContradictedThing"
    documentation = ast.get_docstring(rule)
    assert tuple(line[3:] for line in documentation.splitlines() if line.startswith("## ")) == HEADINGS
    assert set(tomllib.loads(written[1].read_text())) == {"positive", "negative", "near_miss"}
    pinned = tomllib.loads(written[3].read_text())["rules"]
    assert pinned == {**{rule.code: rule.slug for rule in all_rules()}, "DAR199": "contradicted-thing"}
    assert list(pinned) == sorted(pinned)


def test_the_registry_lists_it_once_and_in_order(checkout):
    scaffold(checkout, "DAR199", "contradicted-thing", "9.9.9")
    text = (checkout / "dara/rules/registry.py").read_text()
    tree = ast.parse(text)
    imports = [node.module for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert imports[2:] == sorted(imports[2:])
    listed = next(node.value for node in tree.body if isinstance(node, ast.AnnAssign))
    assert [item.id for item in listed.elts].count("ContradictedThing") == 1
    assert len(listed.elts) == len(all_rules()) + 1


@pytest.mark.parametrize(
    ("code", "slug"),
    [
        ("DAR101", "contradicted-thing"),
        ("DAR199", "contradicted-family"),
        ("DAR999", "contradicted-thing"),
        ("DAR199", "../escape"),
        ("DAR199", "thing"),
        ("DAR1990", "contradicted-thing"),
    ],
)
def test_refused_without_a_trace(checkout, code, slug):
    before = {path: path.read_bytes() for path in checkout.rglob("*") if path.is_file()}
    with pytest.raises(ScaffoldError):
        scaffold(checkout, code, slug, "9.9.9")
    assert {path: path.read_bytes() for path in checkout.rglob("*") if path.is_file()} == before


def test_outside_of_a_checkout(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["DAR199", "contradicted-thing"]) == 2
    assert "not a checkout" in capsys.readouterr().err
    assert main([]) == 2
