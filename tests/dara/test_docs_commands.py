"""Every documented command line is run, and every command documents itself with an example that works."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from batch_results import package, write_results
from hub_server import HubServer
from publishing import write_bert

from dara.examples import write_examples

ROOT = Path(__file__).resolve().parents[2]
DARA = Path(sys.executable).parent / "dara"
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])

_CONSOLE = re.compile(r"^\$ (dara .*)$", re.MULTILINE)
_INLINE = re.compile(r"`(dara [a-z][^`\n]*)`")
_EXAMPLE = re.compile(r"Example: (dara .*?)\n\s*\n", re.DOTALL)
_PLACEHOLDER = re.compile(r"\b[A-Z]+\b|\.\.\.|\|")

NOT_RUN = {"dara corpus build": "takes minutes; its own tests build small corpora"}


def commands() -> Iterator[tuple[str, ...]]:
    """Every command, as the words that call it."""
    from dara.cli.app import app

    for command in app.registered_commands:
        assert command.name
        yield (command.name,)
    for group in app.registered_groups:
        assert group.typer_instance is not None
        for command in group.typer_instance.registered_commands:
            assert command.callback is not None
            yield (str(group.name), command.name or command.callback.__name__)


def documented() -> list[str]:
    """Command lines of the pages; a mere mention of a command, or a line with placeholders, is no command line."""
    mentions = {" ".join(("dara", *words)) for words in commands()}
    lines: dict[str, None] = {}
    for page in PAGES:
        text = page.read_text("utf-8")
        for line in (*_CONSOLE.findall(text), *_INLINE.findall(text)):
            runnable = len(line.split()) > 2 and not _PLACEHOLDER.search(re.sub(r"DAR\d+|OWNER--REPO", "", line))
            if (runnable and line not in mentions) or line in _CONSOLE.findall(text):
                lines[line.strip()] = None
    return list(lines)


def run(line: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {"PATH": os.environ["PATH"], "HOME": str(folder), "COLUMNS": "100", **environment}
    return subprocess.run([DARA, *line], cwd=folder, env=variables, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    with HubServer() as server:
        folder = write_bert(tmp_path_factory.mktemp("hub") / "org--model-name")
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        for name in (
            "org/model-name",
            "facebook/deit-small-patch16-224",
            "acme/bert-base-sentiment",
            "google/bert-base",
        ):
            server.add(name, files)
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Everything that the documentation speaks of."""
    write_examples(tmp_path)
    write_examples(tmp_path / "snapshot")
    for name in ("folder", "my-model", "original", "replication", "acme--bert-base-chinese-ner"):
        write_bert(tmp_path / name)
    shutil.copy(tmp_path / "folder" / "model.safetensors", tmp_path / "model.safetensors")
    for name in ("results", "results-may", "results-june"):
        write_results(tmp_path / name, [package(0, "acme/bert-base", family="bert")])
    (tmp_path / "known.json").write_text('{"schema": "dara-baseline/1", "findings": []}')
    return tmp_path


@pytest.mark.parametrize("line", documented())
def test_a_documented_command_line_works(line: str, folder: Path, hub: HubServer) -> None:
    done = run(shlex.split(line)[1:], folder, HF_ENDPOINT=hub.endpoint, HF_HUB_CACHE=str(folder / "cache"))
    assert done.returncode in {0, 1}, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout
    for option in re.findall(r"(?:--also \w+=|-o |--write-baseline )(\S+)", line):
        assert (folder / option).exists(), option


def test_the_pages_hold_command_lines() -> None:
    assert len(documented()) > 10


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_a_command_has_help_with_an_example_of_itself(words: tuple[str, ...], tmp_path: Path) -> None:
    done = run([*words, "--help"], tmp_path)
    assert done.returncode == 0
    example = _EXAMPLE.search(done.stdout)
    assert example is not None, done.stdout
    assert shlex.split(example[1])[1 : 1 + len(words)] == list(words)


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_the_example_of_a_command_works(words: tuple[str, ...], folder: Path, hub: HubServer) -> None:
    if " ".join(("dara", *words)) in NOT_RUN:
        pytest.skip(NOT_RUN[" ".join(("dara", *words))])
    example = _EXAMPLE.search(run([*words, "--help"], folder).stdout)
    assert example is not None
    line = shlex.split(example[1])[1:]
    for missing in (word for word in line if word.endswith((".parquet", ".gguf"))):
        # Files that a test does not carry: the command must at least understand the line.
        assert words[0] in {"batch", "compare"}, missing
        line = [str(folder / "original") if word == missing and words[0] == "compare" else word for word in line]
    if words[0] == "batch":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table({"id": ["acme/bert-base"], "config": ['{"model_type": "bert"}']}), folder / line[1])
    done = run(line, folder, HF_ENDPOINT=hub.endpoint, HF_HUB_CACHE=str(folder / "cache"))
    assert done.returncode in {0, 1}, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands(shell: str, tmp_path: Path) -> None:
    done = run([], tmp_path, _DARA_COMPLETE=f"source_{shell}")  # the options ask which shell started the tests
    assert done.returncode == 0
    assert "_DARA_COMPLETE" in done.stdout
    if shell == "bash":
        asked = run([], tmp_path, _DARA_COMPLETE="complete_bash", COMP_WORDS="dara pu", COMP_CWORD="1")
        assert asked.stdout.split() == ["publish"]


def test_the_extension_of_hf_is_installed_and_run_by_hf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`hf extensions install` with the folder docs/hf-dara served in the place of the repository on GitHub."""
    extensions = pytest.importorskip("huggingface_hub.cli.extensions")

    class Reply:
        def __init__(self, content: bytes) -> None:
            self.content, self.text = content, content.decode()

        def json(self) -> object:
            return json.loads(self.content)

    def request(method: str, url: str, **options: object) -> Reply:
        if "info/refs" in url:
            return Reply(b"0" * 40 + b" HEAD\x00")
        assert url.startswith("https://raw.githubusercontent.com/dara-project/hf-dara/HEAD/"), url
        return Reply((ROOT / "docs" / "hf-dara" / url.rpartition("/")[2]).read_bytes())

    monkeypatch.setattr(extensions, "_github_request", request)
    monkeypatch.setattr(extensions, "EXTENSIONS_ROOT", tmp_path / ".local/share/hf/extensions")
    manifest = extensions._install_extension(owner="dara-project", repo_name="hf-dara", short_name="dara")
    assert manifest.type == "binary"
    assert manifest.description
    hf = Path(sys.executable).parent / "hf"
    environment = {
        "PATH": f"{hf.parent}:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    }
    done = subprocess.run([hf, "dara", "--version"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("dara ")
    done = subprocess.run(
        [hf, "dara", "explain", "DAR999"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
