"""Two runs compared: every kind of change, its cause, and the same answer however little memory there is."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from batch_results import finding, package, write_results
from commandline import Run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dara import diff as diffing
from dara.diff import KINDS, Diff
from dara.studies.snapshot import Snapshot

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/schema/dara-diff-1.schema.json").read_text("utf-8"))
VERDICTS = ("consistent", "defective", "unverifiable")


def rows(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Packages by name: a verdict, or columns."""
    return [
        package(n, name, **({"verdict": value} if isinstance(value, str) else value))
        for n, (name, value) in enumerate(values.items())
    ]


def bad(*codes: str, **more: Any) -> dict[str, Any]:
    return {"verdict": "defective", "codes": list(codes or ("DAR101",)), **more}


def found(tmp_path: Path, old: list[dict[str, Any]], new: list[dict[str, Any]], **versions: Any) -> Diff:
    one = write_results(tmp_path / "old", old)
    other = write_results(tmp_path / "new", new, **versions)
    return Diff(Snapshot(one), Snapshot(other))


def kinds(diff: Diff) -> dict[str, str]:
    return {change.name: change.kind for change in diff.changes()}


OLD = {
    "a/became": "consistent", "a/repaired": bad(), "a/lost": bad(), "a/other": bad("DAR101"), "a/same": bad("DAR201"),
    "a/fine": "consistent", "a/gone": bad(), "a/blind": "unverifiable",
}  # fmt: skip
NEW = {
    "b/new": "consistent", "b/wrong": bad(), "a/became": bad(), "a/repaired": "consistent", "a/lost": "unverifiable",
    "a/other": bad("DAR301"), "a/same": bad("DAR201"), "a/fine": "consistent", "a/blind": "consistent",
}  # fmt: skip
EXPECTED = {
    "a/became": "defective", "a/repaired": "repaired", "a/lost": "unjudged", "a/other": "codes", "a/gone": "vanished",
    "a/blind": "verdict", "b/new": "appeared", "b/wrong": "appeared-defective",
}  # fmt: skip


def test_every_kind_of_change(tmp_path: Path) -> None:
    diff = found(tmp_path, rows(OLD), rows(NEW))
    assert kinds(diff) == EXPECTED
    assert set(EXPECTED.values()) == set(KINDS)
    assert (diff.compared, diff.new_defects) == (7, 2)


def test_a_run_compared_with_itself(tmp_path: Path) -> None:
    assert kinds(found(tmp_path, rows(OLD), rows(OLD))) == {}


names = st.dictionaries(st.text("abé\U0001f600-/", min_size=1, max_size=4), st.sampled_from(VERDICTS), max_size=30)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names, names, st.randoms(use_true_random=False))
def test_sorting_on_disk_changes_nothing(
    tmp_path: Path, old: dict[str, str], new: dict[str, str], chance: random.Random
) -> None:
    expected = {
        name: diffing._kind(
            {"verdict": old[name], "codes": []} if name in old else None,
            {"verdict": new[name], "codes": []} if name in new else None,
        )
        for name in {*old, *new}
    }
    packages = rows(new)
    chance.shuffle(packages)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diffing, "RUN", 3)
        patch.setattr("dara.studies.snapshot.BATCH", 2)
        diff = found(tmp_path, rows(old), packages)
        changes = list(diff.changes())
    assert {change.name: change.kind for change in changes} == {k: v for k, v in expected.items() if v}
    assert [change.name for change in changes] == sorted(change.name for change in changes)
    assert diff.counts.total() == len(changes)


@pytest.mark.parametrize(
    ("revisions", "alike", "contents", "cause"),
    [
        (("1", "2"), True, False, "package"),
        (("1", "2"), False, False, "package or dara"),
        (("1", "1"), False, True, "dara"),
        (("1", "1"), True, True, "unknown"),
        ((None, "2"), True, True, "package"),
        ((None, None), True, False, "unknown"),
        ((None, None), False, False, "dara"),
        ((None, None), False, True, "package or dara"),
    ],
)
def test_the_cause_of_a_change(
    tmp_path: Path, revisions: tuple[str | None, str | None], alike: bool, contents: bool, cause: str
) -> None:
    old = rows({"a/x": {"verdict": "consistent", "revision": revisions[0], "family": "bert"}})
    new = rows({"a/x": bad(revision=revisions[1], family="gpt2" if contents else "bert")})
    diff = found(tmp_path, old, new, versions=None if alike else {"dara": "9", "fingerprint": "1"})
    assert [change.cause for change in diff.changes()] == [cause]


def test_other_settings_are_a_cause_and_the_size_of_shards_is_none(tmp_path: Path) -> None:
    diff = found(tmp_path, rows(OLD), rows(NEW))
    document = json.loads((tmp_path / "new" / "run.json").read_text())
    document["settings"]["shard"] = 7
    (tmp_path / "new" / "run.json").write_text(json.dumps(document))
    assert Diff(diff.old, Snapshot(tmp_path / "new")).judged_alike
    document["settings"]["ignore"] = ["DAR101"]
    (tmp_path / "new" / "run.json").write_text(json.dumps(document))
    other = Diff(diff.old, Snapshot(tmp_path / "new"))
    assert other.settings == {"ignore": ("[]", "['DAR101']")}
    assert not other.judged_alike


def test_rows_without_a_name_and_names_that_come_twice(tmp_path: Path) -> None:
    twice = [package(0, "a/x"), package(1, None), package(2, "a/x", **bad()), package(3, "a/y")]
    diff = found(tmp_path, twice, [package(0, "a/y"), package(1, "a/x")])
    assert kinds(diff) == {}
    assert (diff.unnamed, diff.repeated, diff.compared) == (1, 1, 2)


# -- the command --------------------------------------------------------------------------------------------------


@pytest.fixture
def outs(tmp_path: Path) -> tuple[Path, Path]:
    new = rows(NEW)
    messages = [finding(row["entry"], row["name"], f"wrong {row['name']} <b>|") for row in new if row["codes"]]
    return (
        write_results(tmp_path / "old", rows(OLD)),
        write_results(tmp_path / "new", new, findings=messages, versions={"dara": "0.2.0", "fingerprint": "1"}),
    )


def test_json(dara: Run, outs: tuple[Path, Path]) -> None:
    done = dara("diff", *outs, "--format", "json")
    assert done.code == 1, "there are new defects"
    document = json.loads(done.out)
    jsonschema.validate(document, SCHEMA)
    assert {change["name"]: change["kind"] for change in document["changes"]} == EXPECTED
    assert document["new_defects"] == 2
    assert document["versions_changed"] == {"dara": {"old": "0.1.0", "new": "0.2.0"}}
    assert list(document) == sorted(document)


def test_text_and_markdown(dara: Run, outs: tuple[Path, Path]) -> None:
    done = dara("diff", *outs)
    assert done.code == 1
    assert "Other versions: dara 0.1.0 to 0.2.0" in done.out
    assert "wrong a/became <b>|" in done.out
    assert "DAR101 to DAR301" in done.out
    marked = dara("diff", *outs, "--format", "markdown", "-o", "diff.md")
    assert (marked.code, marked.out) == (1, "")
    text = (outs[0].parent / "diff.md").read_text("utf-8")
    assert "<b>" not in text
    assert "### Packages: repaired" in text


def test_no_new_defects(dara: Run, outs: tuple[Path, Path]) -> None:
    done = dara("diff", outs[0], outs[0])
    assert done.code == 0
    assert "same versions with the same settings" in done.out
    document = json.loads(dara("diff", outs[0], outs[0], "--format", "json").out)
    jsonschema.validate(document, SCHEMA)
    assert document["changes"] == []


def test_repairs_alone_do_not_fail(dara: Run, tmp_path: Path) -> None:
    one = write_results(tmp_path / "old", rows({"a/x": bad()}))
    other = write_results(tmp_path / "new", rows({"a/x": "consistent"}))
    assert dara("diff", one, other).code == 0


def test_usage_and_damage(dara: Run, outs: tuple[Path, Path], tmp_path: Path) -> None:
    assert dara("diff", outs[0]).code == 2
    missing = dara("diff", outs[0], tmp_path / "missing")
    assert (missing.code, missing.err.count("\n")) == (2, 1)
    (outs[1] / "packages.parquet").write_bytes(b"PAR1 nothing")
    damaged = dara("diff", *outs, "--format", "json", "-o", "diff.json")
    assert (damaged.code, damaged.err.count("\n")) == (4, 1)
    assert not (tmp_path / "diff.json").exists(), "half a report is none"
