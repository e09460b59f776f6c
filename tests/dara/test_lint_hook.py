"""The commit hook: which package a file belongs to, and a real git repository whose commits it stops.

pre-commit would build the hook's environment from the network; here the hook runs the `dara` of this environment
(`language: system`), everything else is as published.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from publishing import write_bert

from dara.cli import main
from dara.lint_targets import packages_of

ROOT = Path(__file__).resolve().parents[2]
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


@pytest.fixture
def lint(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Done]:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["dara", "lint", *arguments])
        with pytest.raises(SystemExit) as stopped:
            main()
        captured = capsys.readouterr()
        return Done(int(stopped.value.code or 0), captured.out, captured.err)

    return run


def test_the_hook_takes_the_files_that_a_package_is_judged_by() -> None:
    (hook,) = HOOKS
    assert hook["entry"] == "dara lint"
    assert "torch" not in str(hook)
    taken = re.compile(hook["files"])
    for path in (
        "config.json",
        "README.md",
        "model.safetensors",
        "models/a--b/model-00001-of-00002.safetensors",
        "model.safetensors.index.json",
        "pytorch_model.bin",
        "q4/model-Q4_K_M.gguf",
        "unet/config.json",
        "model_index.json",
    ):
        assert taken.search(path), path
    for path in ("src/main.py", "myconfig.json", "README.md.bak", "docs/index.md", "package.json", "vocab.txt"):
        assert not taken.search(path), path


@pytest.mark.parametrize(
    ("layout", "file", "package"),
    [
        (["config.json", "model.safetensors"], "model.safetensors", "."),
        (["config.json", "README.md"], "README.md", "."),
        (["models/a--b/config.json"], "models/a--b/config.json", "models/a--b"),
        (["config.json", "models/a--b/config.json"], "models/a--b/config.json", "models/a--b"),
        (["model_index.json", "unet/config.json"], "unet/config.json", "."),
        (["modules.json", "1_Pooling/config.json"], "1_Pooling/config.json", "."),
        (["config.json", "onnx/model.onnx"], "onnx/model.onnx", "."),
        (["config.json", "docs/README.md"], "docs/README.md", "."),
        (["m/model_index.json", "m/unet/config.json", "README.md"], "m/unet/config.json", "m"),
        (["app/config.json!", "app/net/config.json"], "app/net/config.json", "app/net"),
        (["README.md"], "README.md", None),
        (["docs/README.md"], "docs/README.md", None),
        (["only.gguf"], "only.gguf", "."),
    ],
)
def test_a_file_stands_for_its_package(layout: list[str], file: str, package: str | None, tmp_path: Path) -> None:
    for path in layout:
        name = tmp_path / path.removesuffix("!")
        name.parent.mkdir(parents=True, exist_ok=True)
        model = '{"model_type": "bert"}' if not path.endswith("!") else '{"port": 80}'
        name.write_text(model if name.name == "config.json" else "{}")
    folders, strays = packages_of([tmp_path / file], tmp_path)
    if package is None:
        assert (folders, strays) == ([], [tmp_path / file])
    else:
        assert (folders, strays) == ([tmp_path / package], [])


def test_looking_upwards_ends_where_it_should(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    inner = tmp_path / "checkout" / "net"
    inner.mkdir(parents=True)
    (inner / "config.json").write_text('{"model_type": "bert"}')
    assert packages_of([inner / "config.json"], tmp_path / "checkout")[0] == [inner]
    (tmp_path / "checkout" / ".git").mkdir()
    assert packages_of([inner / "config.json"], tmp_path / "elsewhere")[0] == [inner]


def test_hostile_configurations_are_no_configurations(tmp_path: Path) -> None:
    inner = tmp_path / "net"
    inner.mkdir()
    (inner / "config.json").write_text("{}")
    for text in (b"[" * 100_000, b"\xff\xfe", b"[]", b"null", b'{"model_type"'):
        (tmp_path / "config.json").write_bytes(text)
        assert packages_of([inner / "config.json"], tmp_path)[0] == [inner]


def test_several_files_of_a_package_are_one_check(lint: Callable[..., Done], tmp_path: Path) -> None:
    write_bert(tmp_path / "models" / "acme--deberta-v3-large")
    write_bert(tmp_path / "models" / "acme--bert-2-layer")
    files = [str(p.relative_to(tmp_path)) for p in sorted((tmp_path / "models").rglob("*")) if p.is_file()]
    done = lint(*files)
    assert done.code == 1
    assert "2 packages: 1 consistent, 1 defective" in done.err
    assert done.out.count("acme/deberta-v3-large") == 1


def test_files_of_no_package_do_not_stop_a_commit(lint: Callable[..., Done], tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# notes")
    assert lint("README.md") == Done(0, "", "dara: 1 files belong to no package; nothing to check\n")


def test_a_package_with_nothing_to_check_yet_does_not_stop_a_commit(lint: Callable[..., Done], tmp_path: Path) -> None:
    (tmp_path / "acme--bert-base").mkdir()
    pointer = tmp_path / "acme--bert-base" / "model.safetensors"
    pointer.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 437955512\n")
    done = lint("acme--bert-base/model.safetensors")
    assert (done.code, done.out) == (0, "")
    assert "Git LFS pointer" in done.err
    assert "not checked" in done.err
    assert lint("acme--bert-base").code == 3  # a folder is asked for: then it is the answer


def test_a_pointer_is_not_checked_but_the_configuration_is(lint: Callable[..., Done], tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "acme--gpt2-tiny")
    (folder / "model.safetensors").write_text(
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 98000\n"
    )
    done = lint("acme--gpt2-tiny/model.safetensors")
    assert done.code == 1
    assert "Git LFS pointer" in done.out
    (folder).rename(tmp_path / "acme--bert-tiny")
    assert lint("acme--bert-tiny/model.safetensors").code == 0


def test_one_name_for_several_packages_is_a_mistake(lint: Callable[..., Done], tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_bert(tmp_path / name)
    done = lint("a/config.json", "b/config.json", "--name", "acme/bert-2-layer")
    assert done.code == 2
    assert lint("a/config.json", "a/README.md", "--name", "acme/bert-2-layer").code == 0


def git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def hook_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository that publishes the hook, run by the `dara` of this environment."""
    folder = tmp_path_factory.mktemp("hook")
    hook = {**HOOKS[0], "language": "system", "entry": f"{Path(sys.executable).parent / 'dara'} lint"}
    (folder / ".pre-commit-hooks.yaml").write_text(yaml.safe_dump([hook]))
    git(folder, "init", "-q")
    git(folder, "add", ".")
    assert git(folder, "commit", "-qm", "hook").returncode == 0
    return folder


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if shutil.which("git") is None or not (Path(sys.executable).parent / "pre-commit").exists():
        pytest.skip("needs git and pre-commit")
    monkeypatch.setenv("PRE_COMMIT_HOME", str(tmp_path / "pre-commit"))
    for variable in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(variable)
    folder = tmp_path / "checkout"
    folder.mkdir()
    git(folder, "init", "-q")
    git(folder, "remote", "add", "origin", "https://huggingface.co/acme/deberta-v3-large")
    write_bert(folder)
    git(folder, "add", ".")
    return folder


def pre_commit(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    tool = Path(sys.executable).parent / "pre-commit"
    return subprocess.run([tool, *arguments], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_try_repo_tells_a_wrong_name_from_a_true_one(checkout: Path, hook_repository: Path) -> None:
    done = pre_commit(checkout, "try-repo", str(hook_repository), "dara-lint", "--all-files")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "DAR101" in done.stdout
    assert "acme/deberta-v3-large" in done.stdout  # the git remote names the package
    git(checkout, "remote", "set-url", "origin", "https://huggingface.co/acme/bert-2-layer")
    done = pre_commit(checkout, "try-repo", str(hook_repository), "dara-lint", "--all-files")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Passed" in done.stdout


@pytest.mark.slow
def test_an_installed_hook_stops_the_commit(checkout: Path, hook_repository: Path) -> None:
    revision = git(hook_repository, "rev-parse", "HEAD").stdout.strip()
    settings = {"repos": [{"repo": str(hook_repository), "rev": revision, "hooks": [{"id": "dara-lint"}]}]}
    (checkout / ".pre-commit-config.yaml").write_text(yaml.safe_dump(settings))
    git(checkout, "add", ".")
    assert pre_commit(checkout, "install").returncode == 0
    done = git(checkout, "commit", "-m", "publish")
    assert done.returncode == 1
    assert "DAR101" in done.stdout + done.stderr
    assert git(checkout, "rev-parse", "--verify", "HEAD").returncode != 0, "nothing was committed"
    # The name is right when the hook is told the name that is intended.
    settings["repos"][0]["hooks"][0]["args"] = ["--name", "acme/bert-2-layer"]  # type: ignore[index]
    (checkout / ".pre-commit-config.yaml").write_text(yaml.safe_dump(settings))
    git(checkout, "add", ".")
    done = git(checkout, "commit", "-m", "publish")
    assert done.returncode == 0, done.stdout + done.stderr
    assert git(checkout, "rev-parse", "--verify", "HEAD").returncode == 0
