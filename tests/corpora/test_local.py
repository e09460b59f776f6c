"""Folders, single files and the hub's cache on this machine."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

import pytest

from clustering.errors import ReaderError
from corpora.errors import DamagedFileError, InvalidTargetError, NotFoundError, OfflineError, PackageError
from corpora.sources import open_package
from corpora.sources.names import folder_name, given_name, weak_name

HEADER = b'{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
WEIGHTS = struct.pack("<Q", len(HEADER)) + HEADER + bytes(8)


def make(folder: Path, **files: bytes | str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        path = folder / name.replace("__", "/").replace("_json", ".json").replace("_md", ".md").replace(
            "_st", ".safetensors"
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return folder


def cache_repo(root: Path, repo_id: str, commits: dict[str, dict[str, bytes]], refs: dict[str, str]) -> Path:
    """A repository as the hub's client lays it out: snapshots of links into blobs."""
    repository = root / f"models--{repo_id.replace('/', '--')}"
    (repository / "blobs").mkdir(parents=True)
    for commit, files in commits.items():
        for path, data in files.items():
            blob = repository / "blobs" / str(abs(hash((commit, path))))
            blob.write_bytes(data)
            link = repository / "snapshots" / commit / path
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.relpath(blob, link.parent))
    (repository / "refs").mkdir()
    for name, commit in refs.items():
        path = repository / "refs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(commit)
    return repository


# ---- folders


def test_folder_with_nested_files(tmp_path):
    folder = make(
        tmp_path / "acme--bert-base",
        config_json='{"model_type": "bert"}',
        README_md="---\nlicense: mit\n---\n",
        unet__model_st=WEIGHTS,
    )
    package = open_package(str(folder))
    assert (package.name, package.name_basis, package.source) == ("acme/bert-base", "folder", "folder")
    assert dict(package.files.sizes()) == {"README.md": 21, "config.json": 22, "unet/model.safetensors": len(WEIGHTS)}
    assert package.config().value == {"model_type": "bert"}
    assert package.card().license == "mit"
    with_source = package.files.open("unet/model.safetensors")
    assert with_source.read(0, 8) == WEIGHTS[:8]
    with_source.close()
    assert package.skipped == ()


def test_name_given_wins(tmp_path):
    package = open_package(str(make(tmp_path / "acme--x", config_json="{}")), name="me/roberta-large")
    assert (package.name, package.owner, package.repo, package.name_basis) == (
        "me/roberta-large",
        "me",
        "roberta-large",
        "given",
    )


@pytest.mark.parametrize("spelling", ["{}", "{}/", "{}/.", "{}/sub/.."])
def test_folder_is_named_however_it_is_reached(tmp_path, spelling):
    folder = make(tmp_path / "acme--x", config_json="{}", sub__a_json="{}")
    assert open_package(spelling.format(folder)).name == "acme/x"


def test_current_folder_has_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(make(tmp_path / "acme--x", config_json="{}"))
    assert open_package(".").name == "acme/x"


def test_links_stay_inside(tmp_path):
    make(tmp_path / "outside", secret_json='{"secret": 1}')
    folder = make(tmp_path / "acme--x", config_json="{}", real_st=WEIGHTS)
    (folder / "inside.safetensors").symlink_to("real.safetensors")
    (folder / "leak.json").symlink_to(tmp_path / "outside" / "secret.json")
    (folder / "up.json").symlink_to("../outside/secret.json")
    (folder / "outside").symlink_to(tmp_path / "outside")
    (folder / "broken.json").symlink_to("nowhere.json")
    package = open_package(str(folder))
    assert package.paths == ("config.json", "inside.safetensors", "real.safetensors")
    assert dict(package.skipped) == {
        "broken.json": "no such file or directory",
        "leak.json": "a symbolic link that leads out of the package is not followed",
        "outside": "a symbolic link that leads out of the package is not followed",
        "up.json": "a symbolic link that leads out of the package is not followed",
    }


def test_a_file_replaced_by_a_link_after_listing_is_not_followed(tmp_path):
    (tmp_path / "secret").write_text("secret")
    folder = make(tmp_path / "acme--x", config_json="{}")
    package = open_package(str(folder))
    (folder / "config.json").unlink()
    (folder / "config.json").symlink_to(tmp_path / "secret")
    with pytest.raises(DamagedFileError, match="leads out of the package"):
        package.config()


def test_loops_of_links_end(tmp_path):
    folder = make(tmp_path / "acme--x", config_json="{}")
    (folder / "self").symlink_to(".")
    (folder / "a").symlink_to("b")
    (folder / "b").symlink_to("a")
    (folder / "sub").mkdir()
    (folder / "sub" / "up").symlink_to("../sub")
    package = open_package(str(folder))
    assert package.paths == ("config.json",)
    reasons = dict(package.skipped)
    assert set(reasons) == {"self", "a", "b", "sub/up"}
    assert reasons["self"] == "a symbolic link to a folder is not followed"
    assert reasons["a"] in {"too many levels of symbolic links", "the symbolic links form a loop"}


def test_pipes_sockets_and_devices_are_left_out(tmp_path, monkeypatch):
    folder = make(tmp_path / "acme--x", config_json="{}")
    os.mkfifo(folder / "model.safetensors")
    monkeypatch.chdir(folder)  # names of sockets are short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("s")
        package = open_package(str(folder))
    assert package.paths == ("config.json",)
    assert dict(package.skipped) == {"model.safetensors": "not a regular file", "s": "not a regular file"}


def test_pipe_as_target_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "model.safetensors")
    with pytest.raises(DamagedFileError, match="not a regular file"):
        open_package(str(tmp_path / "model.safetensors"))


def test_unreadable_file_and_folder(tmp_path, monkeypatch):
    """Permissions do not bind the superuser, so the refusal is staged."""
    folder = make(tmp_path / "acme--x", config_json="{}", locked__a_json="{}")
    package = open_package(str(folder))
    real_open, real_scan = os.open, os.scandir

    def no_open(path, flags, *args, **kwargs):
        if str(path).endswith("config.json"):
            raise PermissionError(13, "Permission denied")
        return real_open(path, flags, *args, **kwargs)

    def no_scan(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return real_scan(path)

    monkeypatch.setattr(os, "open", no_open)
    with pytest.raises(DamagedFileError, match=r"config\.json: Permission denied"):
        package.config()
    monkeypatch.setattr(os, "scandir", no_scan)
    assert dict(open_package(str(folder)).skipped) == {"locked/": "permission denied"}


def test_unreadable_root(tmp_path, monkeypatch):
    folder = make(tmp_path / "acme--x", config_json="{}")

    def no_scan(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", no_scan)
    with pytest.raises(DamagedFileError, match="permission denied; check the folder's permissions"):
        open_package(str(folder))


def test_depth_and_number_are_bounded(tmp_path, monkeypatch):
    from corpora.sources import local_files

    folder = make(tmp_path / "acme--x", config_json="{}")
    deep = folder.joinpath(*["d"] * 12)
    deep.mkdir(parents=True)
    (deep / "x.json").write_text("{}")
    package = open_package(str(folder))
    assert package.paths == ("config.json",)
    assert package.skipped[0][1] == "more than 8 folders deep"
    monkeypatch.setattr(local_files, "MAX_ENTRIES", 10)
    for index in range(20):
        (folder / f"{index}.json").write_text("{}")
    package = open_package(str(folder))
    assert len(package.paths) <= 11
    assert any("more than 10 entries" in reason for _, reason in package.skipped)


def test_version_control_and_caches_are_passed_over(tmp_path):
    folder = make(tmp_path / "acme--x", config_json="{}")
    make(folder / ".git", HEAD="x", config_json="{}")
    make(folder / ".cache" / "huggingface", a_json="{}")
    assert open_package(str(folder)).paths == ("config.json",)


def test_names_of_files_are_made_harmless(tmp_path):
    folder = make(tmp_path / "acme--x", config_json="{}")
    (folder / "a\x1b[31m\n.json").write_text("not json")
    package = open_package(str(folder))
    with pytest.raises(DamagedFileError) as caught:
        package.read_json("a\x1b[31m\n.json")
    assert str(caught.value).startswith("a\\x1b[31m\\x0a.json: not JSON")


def test_file_name_that_is_not_utf8(tmp_path):
    folder = make(tmp_path / "acme--x", config_json="{}")
    try:
        (Path(os.fsdecode(os.fsencode(folder) + b"/\xff.json"))).write_text("{}")
    except OSError:
        pytest.skip("the file system takes only UTF-8")
    assert dict(open_package(str(folder)).skipped) == {"\\udcff.json": "the file's name is not UTF-8"}


@pytest.mark.parametrize(
    "path", ["../../etc/passwd", "/etc/passwd", "..", ".", "", "config.json/../config.json", "a\0b"]
)
def test_only_listed_paths_open(tmp_path, path):
    """What an index names may be anything; only files of the package are ever opened."""
    package = open_package(str(make(tmp_path / "acme--x", config_json="{}")))
    with pytest.raises(ReaderError, match="no such file in the package"):
        package.files.open(path)
    with pytest.raises(NotFoundError):
        package.read_bytes(path)


def test_empty_folder(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFoundError, match="the folder holds no file that can be read") as caught:
        open_package(str(tmp_path / "empty"))
    assert caught.value.exit_code_hint == 3


def test_folder_of_packages_is_not_a_package(tmp_path):
    make(tmp_path / "all" / "acme--x", config_json="{}")
    with pytest.raises(InvalidTargetError, match="is a folder of packages"):
        open_package(str(tmp_path / "all"))


def test_config_that_is_no_object(tmp_path):
    folder = make(tmp_path / "acme--x", config_json="[1]")
    with pytest.raises(DamagedFileError, match=r"config\.json: not a JSON object"):
        open_package(str(folder)).config()


def test_huge_config_is_refused_unread(tmp_path):
    folder = make(tmp_path / "acme--x", config_json="{}")
    with (folder / "config.json").open("wb") as stream:
        stream.truncate(5 << 30)
    with pytest.raises(DamagedFileError, match=r"config\.json: larger than 16,777,216 bytes; not read"):
        open_package(str(folder)).config()


def test_package_without_config_or_card(tmp_path):
    package = open_package(str(make(tmp_path / "acme--x", model_st=WEIGHTS)))
    assert package.config() is None
    assert not package.card().present


def test_card_in_another_encoding_is_still_read(tmp_path):
    folder = make(tmp_path / "acme--x", README_md="---\nlicense: mit\nname: é\n---\n".encode("latin-1"))
    assert open_package(str(folder)).card().license == "mit"


def test_front_matter_longer_than_the_first_block(tmp_path):
    tags = "".join(f"- tag-{i}\n" for i in range(900)) + "- " + "x" * 100_000 + "\n"
    folder = make(tmp_path / "acme--x", README_md=f"---\nlicense: mit\ntags:\n{tags}---\n")
    assert len(open_package(str(folder)).card().tags) == 901


# ---- whose name it is


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


# ---- single files


def test_single_file(tmp_path):
    path = tmp_path / "Llama-2-7B-Chat.Q4_K_M.gguf"
    path.write_bytes(b"GGUF")
    package = open_package(str(path))
    assert (package.source, package.repo, package.owner, package.name_basis) == (
        "file",
        "Llama-2-7B-Chat.Q4_K_M",
        None,
        "weak",
    )
    assert dict(package.files.sizes()) == {path.name: 4}
    assert package.read_bytes(path.name) == b"GGUF"


def test_single_file_in_a_package_folder_has_its_name(tmp_path):
    folder = make(tmp_path / "acme--bert", model_st=WEIGHTS, config_json="{}")
    package = open_package(str(folder / "model.safetensors"))
    assert (package.name, package.paths) == ("acme/bert", ("model.safetensors",))


def test_single_file_behind_a_link_and_its_missing_neighbour(tmp_path):
    (tmp_path / "blob").write_bytes(WEIGHTS)
    (tmp_path / "bert.safetensors").symlink_to("blob")
    package = open_package(str(tmp_path / "bert.safetensors"))
    assert package.read_bytes("bert.safetensors") == WEIGHTS
    assert package.repo == "bert"


@pytest.mark.parametrize(
    "name",
    [
        "model.safetensors",
        "pytorch_model.bin",
        "model-00001-of-00002.safetensors",
        "tf_model.h5",
        "model.fp16.safetensors",
        "consolidated.00.pth",
        "diffusion_pytorch_model.safetensors",
        "adapter_model.bin",
        "weights.pt",
        "checkpoint-500.pt",
    ],
)
def test_names_that_programs_give_are_no_names(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    assert open_package(str(tmp_path / name)).name is None


# ---- the hub's cache

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


# ---- targets and names


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
