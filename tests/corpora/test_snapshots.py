"""Folders of packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpora.errors import InvalidTargetError, NotFoundError
from corpora.package import Package
from corpora.sources import SkippedPackage, open_snapshot


def add(root: Path, *names: str) -> None:
    for name in names:
        (root / name).mkdir(parents=True)
        (root / name / "config.json").write_text("{}")


def test_mirror_is_sorted_and_says_what_it_leaves_out(tmp_path):
    add(tmp_path, "b--x", "a--y", "plain-name", ".hidden")
    (tmp_path / "c--empty").mkdir()
    (tmp_path / "file.txt").write_text("")
    source = open_snapshot(tmp_path)
    found = list(source.packages())
    assert (source.kind, source.total()) == ("mirror", 4)
    assert [item.name for item in found if isinstance(item, Package)] == ["a/y", "b/x", "plain-name"]
    assert [item.place for item in found if isinstance(item, SkippedPackage)] == ["c--empty"]


def test_cache(tmp_path):
    add(tmp_path, "models--a--x/snapshots/" + "a" * 40, "models--gpt2/snapshots/" + "b" * 40)
    (tmp_path / "models--broken").mkdir()
    source = open_snapshot(tmp_path)
    found = list(source.packages())
    assert source.kind == "hub-cache"
    assert [item.name for item in found if isinstance(item, Package)] == ["a/x", "gpt2"]
    assert [item.place for item in found if isinstance(item, SkippedPackage)] == ["models--broken"]


def test_what_is_no_snapshot(tmp_path):
    with pytest.raises(NotFoundError):
        open_snapshot(tmp_path / "nowhere")
    with pytest.raises(InvalidTargetError, match="holds no packages"):
        open_snapshot(tmp_path)
