"""What a package is called, and targets that are none."""

from __future__ import annotations

import os

import pytest
from layouts import make

from corpora.errors import InvalidTargetError, OfflineError, PackageError
from corpora.sources import open_package
from corpora.sources.names import folder_name, given_name, weak_name

A = "a" * 40


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://huggingface.co/acme/bert-base", "acme/bert-base"),
        ("https://user:secret@huggingface.co/acme/bert-base", "acme/bert-base"),
        ("https://huggingface.co/acme/bert-base.git", "acme/bert-base"),
        ("git@hf.co:acme/bert-base", "acme/bert-base"),
        ("ssh://git@hf.co/acme/bert-base", "acme/bert-base"),
        ("https://huggingface.co/gpt2", "gpt2"),
        ("https://hub.example/acme/bert-base", "acme/bert-base"),
        ("https://github.com/acme/bert-base", None),
        ("git@github.com:acme/bert-base.git", None),
        ("https://huggingface.co/datasets/acme/x", None),
        ("../elsewhere", None),
        ("https://[", None),
    ],
)
def test_checkout_of_a_hub_repository(tmp_path, monkeypatch, url, name):
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.example")
    folder = make(tmp_path / "checkout", config_json="{}")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text(
        f'[core]\n\tbare = false\n[remote "origin"]\n\turl = {url}\n[x]\n\turl = y\n'
    )
    package = open_package(str(folder))
    assert (package.name, package.name_basis) == ((name, "remote") if name else ("checkout", "weak"))


def test_remotes_other_than_origin(tmp_path):
    folder = make(tmp_path / "checkout", config_json="{}")
    (folder / ".git").mkdir()
    config = folder / ".git" / "config"
    config.write_text('[remote "hub"]\nurl = https://huggingface.co/a/b\n')
    assert open_package(str(folder)).name == "a/b"
    config.write_text(
        '[remote "hub"]\nurl = https://huggingface.co/a/b\n[remote "x"]\nurl = https://huggingface.co/c/d\n'
    )
    assert open_package(str(folder)).name_basis == "weak"
    config.unlink()
    os.mkfifo(config)
    assert open_package(str(folder)).name_basis == "weak"


def test_order_of_names(tmp_path):
    card = "---\ndara: {name: card/name}\n---\n"
    remote = '[remote "origin"]\nurl = https://huggingface.co/remote/name\n'
    folder = make(tmp_path / "weak", README_md=card)
    assert (open_package(str(folder)).name, open_package(str(folder)).name_basis) == ("card/name", "card")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text(remote)
    assert open_package(str(folder)).name == "remote/name"
    folder = folder.rename(tmp_path / "folder--name")
    assert open_package(str(folder)).name == "folder/name"
    assert open_package(str(folder), name="given/name").name == "given/name"


@pytest.mark.parametrize("name", ["a/b/c", "''", "[x]", "{a: b}"])
def test_bad_name_in_a_card_is_no_name(tmp_path, name):
    folder = make(tmp_path / "weak", README_md=f"---\ndara: {{name: {name}}}\n---\n")
    assert open_package(str(folder)).name_basis == ("weak" if name != "[x]" else "card")


@pytest.mark.parametrize(
    "target",
    [
        "",
        "  ",
        "/nowhere/at/all",
        "./x",
        "x.safetensors",
        "a/b/c",
        "a\0b",
        "\x1b]0;x\x07",
        "x" * 10_000,
        "\ud800",
        "~/x",
        "C:\\x",
    ],
)
def test_bad_targets_are_one_harmless_line(target, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PackageError) as caught:
        open_package(target, offline=True, cache_dir=tmp_path)
    assert not isinstance(caught.value, OfflineError)
    assert caught.value.exit_code_hint == 3
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 500


def test_folder_wins_over_the_hub(tmp_path, monkeypatch):
    make(tmp_path / "acme" / "x", config_json="{}")
    monkeypatch.chdir(tmp_path)
    assert open_package("acme/x").source == "folder"


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("a--b", ("a", "b")),
        ("a--b.c-d_e", ("a", "b.c-d_e")),
        ("models--a--b", ("a", "b")),
        ("models--gpt2", (None, "gpt2")),
        ("a---b", ("a", "-b")),
        ("a-b", None),
        ("a--", None),
        ("--b", None),
        ("a--b--c", None),
        ("models--a--b--c", None),
    ],
)
def test_names_in_folders(folder, name):
    found = folder_name(folder)
    assert (found and (found.owner, found.repo)) == name


@pytest.mark.parametrize("name", ["", "/", "a/", "/b", "a/b/c", "x" * 10_001])
def test_given_names_are_checked(name):
    with pytest.raises(InvalidTargetError):
        given_name(name)


@pytest.mark.parametrize("name", ["x" * 10_000, "模型", "a\x1bb", "a/b c"])
def test_given_names_may_be_odd(name):
    assert given_name(name).repo


@pytest.mark.parametrize("name", ["bert-base", "llama", "my_model", "testimony", "runner", "output-bert", "models"])
def test_weak_names(name):
    assert weak_name(name) is not None


@pytest.mark.parametrize(
    "name", ["model", "tmpab12", "checkpoint-500", "output", A, ".", "..", "---", "", "123", ".hidden"]
)
def test_names_nobody_meant(name):
    assert weak_name(name) is None
