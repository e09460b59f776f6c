"""Folders and single files on this machine."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from layouts import WEIGHTS, make

from clustering.errors import ReaderError
from corpora.errors import DamagedFileError, InvalidTargetError, NotFoundError
from corpora.sources import open_package


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


def test_prefetch_of_a_folder_does_nothing(tmp_path):
    package = open_package(str(make(tmp_path / "acme--x", config_json="{}")))
    package.prefetch()
    assert package.failures() == ()


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
