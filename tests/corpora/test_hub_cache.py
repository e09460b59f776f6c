"""The hub's cache on this machine."""

from __future__ import annotations

import os

import pytest
from layouts import WEIGHTS, cache_repo, make

from corpora.errors import InvalidTargetError, NotFoundError
from corpora.sources import open_package

A, B = "a" * 40, "b" * 40


def test_cached_package(tmp_path):
    repository = cache_repo(
        tmp_path,
        "acme/x",
        {A: {"config.json": b'{"v": 1}', "sub/m.safetensors": WEIGHTS}, B: {"config.json": b'{"v": 2}'}},
        {"main": B, "refs/pr/1": A},
    )
    package = open_package(str(repository))
    assert (package.source, package.name, package.revision) == ("hub-cache", "acme/x", B)
    assert package.config().value == {"v": 2}
    older = open_package(str(repository), revision=A)
    assert older.config().value == {"v": 1}
    assert older.paths == ("config.json", "sub/m.safetensors")
    assert open_package(str(repository), revision="refs/pr/1").revision == A
    assert open_package(str(repository / "snapshots" / A)).revision == A
    assert open_package(str(repository / "snapshots" / A)).name == "acme/x"
    assert open_package(str(tmp_path), name="acme/x").revision == B


def test_cached_package_without_owner(tmp_path):
    assert open_package(str(cache_repo(tmp_path, "gpt2", {A: {"config.json": b"{}"}}, {"main": A}))).name == "gpt2"


def test_cache_without_main_branch(tmp_path):
    repository = cache_repo(tmp_path, "acme/x", {A: {"config.json": b"{}"}, B: {"config.json": b"{}"}}, {})
    os.utime(repository / "snapshots" / A, (2_000_000_000, 2_000_000_000))
    package = open_package(str(repository))
    assert package.revision == A
    assert package.notes == ("the cache holds 2 snapshots and no main branch; the newest is used",)


def test_cache_needs_a_name(tmp_path):
    cache_repo(tmp_path, "acme/x", {A: {"config.json": b"{}"}}, {"main": A})
    with pytest.raises(InvalidTargetError, match="name one of them with --name"):
        open_package(str(tmp_path))
    with pytest.raises(NotFoundError, match="acme/y is not in the cache"):
        open_package(str(tmp_path), name="acme/y")
    with pytest.raises(InvalidTargetError):
        open_package(str(tmp_path), name="../../etc")


@pytest.mark.parametrize("revision", ["../../../secret", "/etc/passwd", "nope", "refs/../../secret"])
def test_revisions_do_not_leave_the_cache(tmp_path, revision):
    repository = cache_repo(tmp_path, "acme/x", {A: {"config.json": b"{}"}}, {"main": A})
    (tmp_path / "secret").write_text(A)
    with pytest.raises(NotFoundError, match="is not in the cache"):
        open_package(str(repository), revision=revision)


def test_links_out_of_the_blobs_are_not_followed(tmp_path):
    repository = cache_repo(tmp_path, "acme/x", {A: {"config.json": b"{}"}}, {"main": A})
    (tmp_path / "secret").write_text("{}")
    (repository / "snapshots" / A / "leak.json").symlink_to("../../../secret")
    package = open_package(str(repository))
    assert package.paths == ("config.json",)
    assert package.skipped[0][0] == "leak.json"


def test_cache_whose_blob_is_missing(tmp_path):
    repository = cache_repo(tmp_path, "acme/x", {A: {"config.json": b"{}"}}, {"main": A})
    for blob in (repository / "blobs").iterdir():
        blob.unlink()
    with pytest.raises(NotFoundError, match="download the package again"):
        open_package(str(repository))


def test_cache_inside_a_package_is_not_part_of_it(tmp_path):
    folder = make(tmp_path / "acme--x", config_json='{"own": 1}')
    cache_repo(folder, "other/y", {A: {"config.json": b"{}", "model.safetensors": b"w"}}, {"main": A})
    package = open_package(str(folder))
    assert (package.source, package.name, package.paths) == ("folder", "acme/x", ("config.json",))


def test_cache_with_the_files_of_a_cache(tmp_path):
    cache_repo(tmp_path, "acme/x", {A: {"config.json": b"{}"}}, {"main": A})
    (tmp_path / "version.txt").write_text("1")
    (tmp_path / ".locks").mkdir()
    assert open_package(str(tmp_path), name="acme/x").source == "hub-cache"
