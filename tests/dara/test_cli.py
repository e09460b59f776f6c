"""The command line as a user meets it: exit codes, streams, hostile input. One test per row of the README's table."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
from commandline import Run

from dara.examples import write_examples


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = write_examples(tmp_path_factory.mktemp("examples"))
    return {folder.name.partition("--")[2]: folder for folder in folders}


EXPECTED = {
    "bert-base-uncased-12-layer": ("consistent", None),
    "roberta-base-sentiment": ("defective", {"DAR101", "DAR102"}),
    "pocket-llama-7b": ("defective", {"DAR201"}),
    "bert-large-uncased": ("defective", {"DAR202"}),
    "bert_uncased_L-6_H-768": ("defective", {"DAR203"}),
    "pocket-llama-1.1b-gptq-4bit": ("defective", {"DAR501"}),
    "maskformer-swin-base-ade": ("defective", {"DAR103"}),
    "maskformer-swin-base-ade20k": ("defective", {"DAR101", "DAR102"}),
    "maskformer-swin-base-ade-semantic": ("consistent", None),
    "my-first-upload": ("unverifiable", None),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_examples_get_the_verdict_that_a_person_would_give(name: str, dara: Run, examples: dict[str, Path]) -> None:
    verdict, codes = EXPECTED[name]
    done = dara("audit", examples[name], "--format", "json")
    document = json.loads(done.out)
    assert document["verdict"] == verdict
    found = {finding["code"] for finding in document["findings"]}
    if codes is None:
        assert not found
        assert done.code == 0
    else:
        assert found & codes
        assert done.code == 1
        assert all(finding["evidence"] for finding in document["findings"])


def test_exit_0_nothing_found(dara: Run, examples: dict[str, Path]) -> None:
    assert dara("audit", examples["bert-base-uncased-12-layer"]).code == 0


def test_exit_1_findings_and_only_above_fail_on(dara: Run, examples: dict[str, Path]) -> None:
    target = examples["pocket-llama-7b"]
    assert dara("audit", target).code == 1
    assert dara("audit", target, "--fail-on", "never").code == 0
    assert dara("audit", target, "--ignore", "DAR201").code == 0
    assert dara("audit", target, "--select", "contradicted-family").code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("audit",),
        ("audit", ".", "--format", "xml"),
        ("audit", ".", "--select", "DAR999"),
        ("audit", ".", "--fail-on", "sometimes"),
        ("audit", "a", "b", "--name", "x/y"),
        ("audit", ".", "--baseline", "missing.json"),
        ("explain", "DAR999"),
        ("no-such-command",),
    ],
)
def test_exit_2_usage(arguments: tuple[str, ...], dara: Run) -> None:
    done = dara(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert "Traceback" not in done.err


def test_exit_3_nothing_auditable(dara: Run, tmp_path: Path) -> None:
    empty = tmp_path / "acme--bert-base"
    empty.mkdir()
    done = dara("audit", empty)
    assert (done.code, done.out) == (3, "")
    assert len(done.err.splitlines()) == 1
    missing = dara("audit", tmp_path / "nowhere" / "at" / "all")
    assert (missing.code, missing.out) == (3, "")


def test_exit_4_could_not_complete(dara: Run, tmp_path: Path) -> None:
    package = tmp_path / "acme--bert-base"
    package.mkdir()
    (package / "model.safetensors").write_bytes(b"\xff" * 64)
    done = dara("audit", package)
    assert (done.code, done.out) == (4, "")
    assert len(done.err.splitlines()) == 1


def test_several_targets_give_one_object_a_line_in_order(dara: Run, examples: dict[str, Path], tmp_path: Path) -> None:
    empty = tmp_path / "acme--empty"
    empty.mkdir()
    targets = [examples["pocket-llama-7b"], empty, examples["my-first-upload"]]
    done = dara("audit", *targets, "--format", "json")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [row["verdict"] for row in rows] == ["defective", "unverifiable", "unverifiable"]
    assert rows[1]["error"]["exit_code"] == 3
    assert done.code == 1
    assert "3 packages: 1 defective, 1 unverifiable, 1 not audited" in done.err


def test_two_runs_are_byte_identical(dara: Run, examples: dict[str, Path]) -> None:
    for output in ("json", "sarif", "markdown", "html", "text"):
        runs = {dara("audit", *examples.values(), "--format", output).out for _ in range(2)}
        assert len(runs) == 1


def test_the_report_goes_to_the_file_whole_or_not_at_all(dara: Run, examples: dict[str, Path], tmp_path: Path) -> None:
    target = examples["pocket-llama-7b"]
    done = dara("audit", target, "--format", "json", "-o", tmp_path / "report.json")
    assert done.out == ""
    assert json.loads((tmp_path / "report.json").read_text())["verdict"] == "defective"
    blocked = dara("audit", target, "-o", tmp_path / "missing" / "report.json")
    assert blocked.code == 4
    assert len(blocked.err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_a_baseline_hides_known_findings_only(dara: Run, examples: dict[str, Path], tmp_path: Path) -> None:
    target, baseline = examples["pocket-llama-7b"], tmp_path / "baseline.json"
    assert dara("audit", target, "--write-baseline", baseline).code == 0
    assert dara("audit", target, "--baseline", baseline).code == 0
    assert dara("audit", examples["bert-large-uncased"], "--baseline", baseline).code == 1


@pytest.mark.parametrize(
    ("command", "output"), list(product(("audit", "lint"), ("text", "json", "sarif", "markdown", "html")))
)
def test_name_option_wins_over_the_folder(command: str, output: str, dara: Run, examples: dict[str, Path]) -> None:
    done = dara(
        command, examples["bert-base-uncased-12-layer"], "--name", "acme/bert-large-uncased", "--format", output
    )
    assert done.code == 1
    assert "DAR202" in done.out


def test_the_card_can_ignore_a_rule(dara: Run, tmp_path: Path) -> None:
    folder = next(path for path in write_examples(tmp_path) if path.name.endswith("llama-7b"))
    (folder / "README.md").write_text("---\ndara:\n  ignore: [DAR201]\n---\n")
    assert dara("audit", folder).code == 0


def _safetensors(path: Path, header: bytes, length: int | None = None) -> None:
    path.write_bytes(struct.pack("<Q", len(header) if length is None else length) + header)


HOSTILE_HEADERS = {
    "negative": (b'{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}', None),
    "overlapping": (
        b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}',
        None,
    ),
    "endless": (b"{}", 2**63),
    "duplicate": (
        b'{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}',
        None,
    ),
    "truncated": (b'{"a":', None),
    "deep": (b"[" * 50_000, None),
}


@pytest.mark.parametrize("kind", HOSTILE_HEADERS)
def test_a_hostile_header_is_one_line_and_exit_4(kind: str, dara: Run, tmp_path: Path) -> None:
    package = tmp_path / "acme--bert-base"
    package.mkdir()
    _safetensors(package / "model.safetensors", *HOSTILE_HEADERS[kind])
    done = dara("audit", package)
    assert (done.code, done.out) == (4, "")
    assert len(done.err.splitlines()) == 1
    assert "model.safetensors" in done.err


def test_a_config_that_is_not_json_is_one_line_and_exit_4(dara: Run, tmp_path: Path) -> None:
    package = tmp_path / "acme--bert-base"
    package.mkdir()
    (package / "config.json").write_text("{broken")
    done = dara("audit", package)
    assert (done.code, done.out) == (4, "")
    assert "config.json" in done.err
    assert len(done.err.splitlines()) == 1


class _Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch bomb-went-off",)


def test_a_pickle_never_runs(dara: Run, tmp_path: Path) -> None:
    import pickle
    import zipfile

    package = tmp_path / "acme--bert-base"
    package.mkdir()
    with zipfile.ZipFile(package / "pytorch_model.bin", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"weight": _Bomb()}, protocol=2))
        archive.writestr("archive/version", "3\n")
    done = dara("audit", package)
    assert done.code in {3, 4}
    assert "posix.system" in done.err
    assert len(done.err.splitlines()) == 1
    assert not (tmp_path / "bomb-went-off").exists()
    assert not (package / "bomb-went-off").exists()


@pytest.mark.parametrize(
    "name", ["acme/\x1b[2J\u202egpj", "a/" + "b" * 10_000, "x/" + "\u0130" * 500, "/", " ", "a/b/c/d"]
)
def test_hostile_names_never_reach_the_terminal_raw(name: str, dara: Run, examples: dict[str, Path]) -> None:
    for arguments in (
        ("audit", examples["my-first-upload"], "--name", name),
        ("parse", name),
        ("audit", name, "--offline"),
    ):
        done = dara(*arguments)
        assert done.code in {0, 1, 2, 3, 4}
        for text in (done.out, done.err):
            assert "\x1b" not in text
            assert "\u202e" not in text
            assert "Traceback" not in text


def test_symbolic_link_loops_and_unreadable_files_end(dara: Run, tmp_path: Path) -> None:
    package = tmp_path / "acme--bert-base"
    package.mkdir()
    (package / "loop").symlink_to(package, target_is_directory=True)
    (package / "self.safetensors").symlink_to("self.safetensors")
    os.mkfifo(package / "model.safetensors")
    done = dara("audit", package)
    assert done.code in {3, 4}
    assert done.out == ""
    assert len(done.err.splitlines()) == 1


def test_lint_loads_no_deep_learning_library(examples: dict[str, Path]) -> None:
    script = (
        "import sys\nfrom dara.cli import main\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    code = stop.code\n"
        "heavy = {'torch', 'transformers', 'sklearn', 'tensorflow', 'onnx'} & set(sys.modules)\n"
        "sys.stderr.write(f'code={code} heavy={sorted(heavy)}')\n"
    )
    for command in ("lint", "audit"):
        done = subprocess.run(
            [sys.executable, "-c", script, command, str(examples["maskformer-swin-base-ade"])],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr.endswith("code=1 heavy=[]")


def test_parse_follows_the_contract(dara: Run) -> None:
    done = dara("parse", "google/vit-base-patch16-224", "acme/pocket-llama-7b", "--format", "json")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [row["repo"] for row in rows] == ["vit-base-patch16-224", "pocket-llama-7b"]
    for row in rows:
        assert {"name", "owner", "repo", "components", "convention", "claims"} <= set(row)
        for component in row["components"]:
            assert row["repo"][component["start"] : component["end"]] == component["text"]


def test_fingerprint_ignores_the_name(dara: Run, examples: dict[str, Path]) -> None:
    first = json.loads(dara("fingerprint", examples["bert-large-uncased"]).out)
    second = json.loads(dara("fingerprint", examples["my-first-upload"]).out)
    assert first["fingerprint"] == second["fingerprint"]
    assert first["facts"] == second["facts"]
    assert first["facts"]["layers"]["value"] == 12
    assert first["fingerprint"]["family"][0]["model_type"] == "bert"


def test_demo_shows_every_example(dara: Run) -> None:
    done = dara("demo")
    assert done.code == 0
    assert done.out.count("DEFECTIVE") == 7
    assert max(map(len, done.out.splitlines())) <= 80
