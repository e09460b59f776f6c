"""`dara batch` as a user meets it: exit codes, streams, one line for what goes wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from commandline import Run

from dara.batch.tables import RESULTS
from dara.cli.batch import summary_text
from dara.findings import Confidence, Finding, Outcome
from dara.rules.contradicted_family import ContradictedFamily
from dara.subject import Subject


@pytest.fixture
def batch(dara: Run) -> Run:
    """Runs `dara batch ARGUMENTS` in one process in an empty folder."""
    return lambda *arguments: dara("batch", *arguments, "--workers", "1")


def config(family: str, architecture: str) -> dict[str, object]:
    return {"model_type": family, "architectures": [architecture]}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    path = tmp_path / "models.jsonl"
    rows = [
        {"id": "acme/bert-base", "config": config("bert", "BertForMaskedLM")},
        {"id": "acme/gpt2-small", "config": config("llama", "LlamaForCausalLM")},
        "no object",
    ]
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    return path


def test_complete(batch: Run, models: Path, tmp_path: Path) -> None:
    done = batch(models, "-o", "out")
    assert done.code == 0, "a snapshot always has findings; they fail a run only when that is asked for"
    assert done.err == "", "progress is for terminals"
    assert done.out.splitlines()[0] == "2 packages of 3 entries; 1 could not be read"
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(RESULTS)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["verdicts"]["defective"] == 1
    assert summary["findings"]["by_code"] == {"DAR101": {"error": 1}}
    assert summary["skipped"]["entry"] == {"total": 1, "reasons": [{"count": 1, "reason": "not an object"}]}


def test_again(batch: Run, models: Path) -> None:
    first = batch(models, "-o", "out")
    again = batch(models, "-o", "out")
    assert (again.code, again.out) == (0, first.out)
    assert again.err == "dara: 3 entries were judged by an earlier run\n"


@pytest.mark.parametrize(("limit", "code"), [("error", 1), ("warning", 1), ("note", 1), ("never", 0)])
def test_findings_fail_a_run_that_asks_for_it(batch: Run, models: Path, limit: str, code: int) -> None:
    assert batch(models, "-o", "out", "--fail-on", limit).code == code
    assert batch(models, "-o", "out2", "--fail-on", limit, "--ignore", "DAR101").code == 0


def test_usage(batch: Run, models: Path, tmp_path: Path) -> None:
    assert batch(models).code == 2
    assert batch(models, "-o", "out", "--select", "DAR999").code == 2
    assert batch(models, "-o", models).code == 2
    batch(models, "-o", "out")
    other = batch(models, "-o", "out", "--ignore", "DAR101")
    assert other.code == 2
    assert other.err.count("\n") == 1
    assert "--restart" in other.err
    assert batch(models, "-o", "out", "--ignore", "DAR101", "--restart").code == 0


def test_nothing_auditable(batch: Run, tmp_path: Path) -> None:
    path = tmp_path / "models.jsonl"
    path.write_text('{"id": "acme/bert-base"}\n')
    done = batch(path, "-o", "out")
    assert done.code == 3
    assert "skipped.parquet" in done.err
    path.write_text("not json\n")
    assert batch(path, "-o", "out2").code == 3
    assert batch(tmp_path / "missing", "-o", "out3").code == 3
    assert not (tmp_path / "out3").exists()


def test_could_not_complete(batch: Run, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dara.batch.shard.write_shard", full)
    done = batch(models, "-o", "out")
    assert done.code == 4
    assert done.err == "dara: out: no space is left; free some and run the same command again; what is done is kept\n"


def test_hostile_names_in_messages(batch: Run, tmp_path: Path) -> None:
    done = batch("evil\x1b[31m", "-o", "out\x1b[31m")
    assert done.code == 3
    assert "\x1b" not in done.out + done.err


def test_totals_of_nothing() -> None:
    summary = {
        "packages": 0, "entries": 0, "unread_entries": 0,
        "verdicts": {"consistent": 0, "defective": 0, "unverifiable": 0}, "findings": {"by_code": {}},
    }  # fmt: skip
    assert "0 packages" in summary_text(summary, Path("out"))
    clusters = {"graphs": 1_200, "clusters": 7, "graphs_alone": 3, "outliers": 2}
    text = summary_text({**summary, "clusters": clusters}, Path("out"))
    assert "1,200 different graphs in 7 clusters, 3 alone\n2 names do not fit" in text


@pytest.mark.parametrize(("wanted", "sure"), [("medium", 1), ("low", 2)])
def test_findings_that_are_not_sure_are_shown_and_fail_nothing(
    batch: Run, models: Path, monkeypatch: pytest.MonkeyPatch, wanted: str, sure: int
) -> None:
    check = ContradictedFamily.check

    def doubting(self: ContradictedFamily, subject: Subject) -> Iterator[Outcome]:
        for outcome in check(self, subject):
            yield outcome
            if isinstance(outcome, Finding):
                yield replace(outcome, confidence=Confidence.LOW, message="perhaps")

    monkeypatch.setattr(ContradictedFamily, "check", doubting)
    arguments = (models, "-o", "out", "--persona", "all", "--select", "DAR101", "--min-confidence", wanted)
    assert batch(*arguments, "--fail-on", "error").code == 1
    found = json.loads(Path("out/summary.json").read_text("utf-8"))["findings"]
    assert found["by_severity"]["error"] == 2
    assert found["sure_by_severity"]["error"] == sure
