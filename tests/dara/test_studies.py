"""Studies count what is there, and say what is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from batch_results import finding, graph, package, write_results
from commandline import Run
from hypothesis import given
from hypothesis import strategies as st

from dara.errors import IncompleteAuditError, UsageError
from dara.studies import licences
from dara.studies.interface import StudyResult, Table
from dara.studies.rates import wilson
from dara.studies.registry import STUDIES, run_studies, study_names
from dara.studies.snapshot import Snapshot

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/schema/dara-study-1.schema.json").read_text("utf-8"))
HOSTILE = "evil/<img src=x onerror=alert(1)>|`x`[y](z)"


def results(out: Path, *names: str) -> dict[str, StudyResult]:
    return {result.name: result for result in run_studies(Snapshot(out), names)}


def tables(out: Path, name: str) -> dict[str, Table]:
    return {table.key: table for table in results(out, name)[name].tables}


def rows(table: Table) -> dict[Any, tuple[Any, ...]]:
    return {row[0]: row[1:] for row in table.rows}


def test_the_registry_is_complete() -> None:
    assert study_names() == (
        "elements", "conventions", "families", "claimed", "owners", "months", "downloads", "defective", "clusters",
        "identical", "licences",
    )  # fmt: skip
    assert all(study.__doc__ and study.title for study in STUDIES)


def test_a_column_that_the_snapshot_lacks_is_not_counted_as_zero(tmp_path: Path) -> None:
    found = results(write_results(tmp_path / "out", [package(n, f"a/bert-{n}") for n in range(20)]))
    missing = {name: result.missing for name, result in found.items() if result.missing}
    assert missing == {
        "families": "not available: no family in this snapshot",
        "claimed": "not available: no claimed family in this snapshot",
        "months": "not available: no created in this snapshot",
        "downloads": "not available: no downloads in this snapshot",
        "defective": "not available: no downloads in this snapshot",
        "clusters": "not available: no digest in this snapshot",
        "identical": "not available: no digest in this snapshot",
        "licences": "not available: no license in this snapshot",
    }
    assert not any(result.tables for result in found.values() if result.missing)


def test_elements_are_the_letters_of_the_paper(tmp_path: Path) -> None:
    patterns = ["architecture-size", "architecture-size|size", "task_dataset", "product.parameters-quantization", None]
    out = write_results(tmp_path / "out", [package(n, f"a/x{n}", pattern=p) for n, p in enumerate(patterns)])
    letters = rows(tables(out, "elements")["elements"])
    assert {letter: row[1] for letter, row in letters.items() if row[1]} == {
        "A": 3, "S": 2, "T": 1, "D": 1, "P": 1, "C": 1,
    }  # fmt: skip
    assert letters["A"][2] == 3 / 4, "a name that could not be read is no name without elements"
    assert rows(tables(out, "elements")["lengths"])["3"][0] == 2


def test_conventions_and_separators(tmp_path: Path) -> None:
    given_patterns = [("both", "task-architecture_size"), ("implementation", "architecture-size"), ("other", "other")]
    out = write_results(
        tmp_path / "out", [package(n, f"a/{n}", convention=c, pattern=p) for n, (c, p) in enumerate(given_patterns)]
    )
    found = tables(out, "conventions")
    assert {key: row[1] for key, row in rows(found["conventions"]).items()} == {
        "implementation": 1, "application": 0, "both": 1, "other": 1,
    }  # fmt: skip
    separators = rows(found["separators"])
    assert (separators["hyphen"][0], separators["underscore"][0], separators["several kinds in one name"][0]) == (
        2,
        1,
        1,
    )


def test_rates_leave_out_what_could_not_be_judged(tmp_path: Path) -> None:
    verdicts = ["defective", "consistent", "consistent", "unverifiable", "unverifiable"]
    out = write_results(
        tmp_path / "out",
        [
            *(package(n, f"acme/b{n}", verdict=v, family="bert") for n, v in enumerate(verdicts)),
            package(9, "lone", verdict="unverifiable", family="gpt2"),
        ],
    )
    found = rows(tables(out, "families")["families-largest"])
    assert found["bert"][:3] == (5, 3, 1)
    assert found["bert"][3] == pytest.approx(1 / 3)
    assert found["gpt2"] == (1, 0, 0, None, None, None), "nothing judged has no rate"
    owners = tables(out, "owners")
    assert list(rows(owners["owners-largest"])) == ["acme"], "no owner is not an owner"
    assert list(rows(owners["owners-worst"])) == ["acme"]


@given(st.integers(0, 500), st.integers(0, 500))
def test_the_interval_holds_the_rate(hits: int, misses: int) -> None:
    low, high = wilson(hits, hits + misses)
    assert 0 <= low <= high <= 1
    if hits + misses:
        assert low - 1e-12 <= hits / (hits + misses) <= high + 1e-12


def test_the_interval_of_known_numbers() -> None:
    assert wilson(1, 10) == pytest.approx((0.0179, 0.4042), abs=1e-3)  # Newcombe 1998, table I
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-3)


def test_months_in_their_order_without_other_texts(tmp_path: Path) -> None:
    dates = ["2024-05-15T00:00:00.000Z", "2023-12-01", "2024-05-16", "yesterday", "2024-13-01", None, "2024-5-1"]
    out = write_results(tmp_path / "out", [package(n, f"a/{n}", created=date) for n, date in enumerate(dates)])
    (table,) = tables(out, "months").values()
    assert [row[:2] for row in table.rows] == [("2023-12", 1), ("2024-05", 2)]


def test_tenths_of_downloads(tmp_path: Path) -> None:
    loads = [*range(100), None]
    packages = [
        package(n, f"a/{n}", downloads=load, verdict="defective" if load is not None and load >= 90 else "consistent")
        for n, load in enumerate(loads)
    ]
    (table,) = tables(write_results(tmp_path / "out", packages), "downloads").values()
    assert [row[2] for row in table.rows] == [10] * 10
    assert [row[4] for row in table.rows] == [0] * 9 + [10]
    assert table.rows[-1][:2] == ("10", "90 to 99")


def test_packages_with_equal_downloads_are_in_one_tenth(tmp_path: Path) -> None:
    packages = [package(n, f"a/{n}", downloads=max(0, n - 55)) for n in range(100)]
    (table,) = tables(write_results(tmp_path / "out", packages), "downloads").values()
    assert table.rows[0][:3] == ("1 to 6", "0 to 4", 60)
    assert sum(int(row[2] or 0) for row in table.rows) == 100


def test_the_most_downloaded_defective_packages_come_with_their_finding(tmp_path: Path) -> None:
    packages = [
        package(0, "a/few", verdict="defective", downloads=1, codes=["DAR101"]),
        package(1, "a/fine", downloads=1_000_000),
        package(2, "a/many", verdict="defective", downloads=900, codes=["DAR101", "DAR201"]),
        package(3, "a/unknown", verdict="defective"),
    ]
    out = write_results(
        tmp_path / "out", packages, findings=[finding(2, "a/many", "first"), finding(2, "a/many", "second")]
    )
    (table,) = tables(out, "defective").values()
    assert [row[0] for row in table.rows] == ["a/many", "a/few", "a/unknown"]
    assert table.rows[0][1:] == (900, "DAR101, DAR201", "first")


def test_only_the_most_downloaded_are_listed(tmp_path: Path) -> None:
    packages = [package(n, f"a/{n}", verdict="defective", downloads=n * 7 % 200) for n in range(200)]
    (table,) = tables(write_results(tmp_path / "out", packages), "defective").values()
    assert [row[1] for row in table.rows] == list(range(199, 149, -1))
    assert table.left_out == 150


def test_mixed_clusters_and_their_outliers(tmp_path: Path) -> None:
    packages = [
        package(n, f"a/bert-{n}", digest="d1", cluster=0, outlier=False, claimed_family="bert", family="bert")
        for n in range(3)
    ]
    packages.append(
        package(3, "a/gpt2-x", digest="d1", cluster=0, outlier=True, claimed_family="gpt2", family="bert", downloads=3)
    )
    shared = {"graphs": 1, "purity": 1.0, "families": "{}", "defective": 0}
    clusters = [
        {"cluster": 0, "family": "bert", "packages": 4, "outliers": 1, "claimed": '{"bert":3,"gpt2":1}', **shared},
        {"cluster": 1, "family": "vit", "packages": 2, "outliers": 0, "claimed": '{"vit":1,"":1}', **shared},
    ]
    out = write_results(tmp_path / "out", packages, clusters=clusters, graphs=[graph("d1", {"bert": 3, "gpt2": 1})])
    found = tables(out, "clusters")
    assert [row[0] for row in found["clusters"].rows] == [0], "a cluster of one family's names is not mixed"
    assert found["clusters"].rows[0][6] == "bert 3, gpt2 1"
    assert found["outliers"].rows == (("a/gpt2-x", "gpt2", "bert", 0, "consistent", 3),)


def test_identical_graphs_under_several_names(tmp_path: Path) -> None:
    packages = [
        package(0, "a/bert-x", digest="d1", claimed_family="bert"),
        package(1, "a/gpt2-x", digest="d1", claimed_family="gpt2"),
        package(2, "a/bert-y", digest="d2", claimed_family="bert"),
    ]
    graphs = [graph("d1", {"bert": 1, "gpt2": 1}, strangers=1), graph("d2", {"bert": 1, "": 4})]
    (table,) = tables(write_results(tmp_path / "out", packages, graphs=graphs), "identical").values()
    assert table.rows == (("d1", "bert", 2, "bert 1, gpt2 1", 1, "a/bert-x; a/gpt2-x"),)
    assert "normal" in table.note


def test_licences_beside_those_of_base_models(tmp_path: Path) -> None:
    base = "Meta/Base"
    packages = [
        package(0, "me/open", license="apache-2.0", base_models=["meta/base"], downloads=5),
        package(1, "me/same", license="LLAMA3", base_models=[base]),
        package(2, "me/none", base_models=[base]),
        package(3, "me/lost", license="mit", base_models=["gone/away"]),
        package(4, "me/merge", license="mit", base_models=[base, "x/y"]),
        package(5, base, license="llama3"),  # behind its descendants
        package(6, "me/plain", license="mit"),
    ]
    found = tables(write_results(tmp_path / "out", packages), "licences")
    assert {row[0]: row[1] for row in found["licences"].rows} == {
        "the same licence": 1, "another licence": 1, "the package states none": 1, "the base model states none": 0,
        "the base model is not in this snapshot": 1,
    }  # fmt: skip
    assert found["licences"].note.startswith("1 packages with several")
    assert set(found["licence-groups"].rows) == {
        ("model-terms", "permissive", 1), ("model-terms", "model-terms", 1),
    }  # fmt: skip
    assert found["licence-widened"].rows == (("meta/base", "llama3", "apache-2.0", 1, "me/open", 5),)


def test_every_licence_is_in_one_group() -> None:
    import tomllib
    from importlib.resources import files

    text = files("dara.studies").joinpath("data", "licences.toml").read_text("utf-8")
    every = [name for names in tomllib.loads(text).values() for name in names]
    assert len(every) == len(set(every))
    assert licences.group_of("MIT") == "permissive"
    assert licences.group_of("other") == licences.UNCLEAR


# -- the command --------------------------------------------------------------------------------------------------


@pytest.fixture
def out(tmp_path: Path) -> Path:
    packages = [
        package(0, HOSTILE, verdict="defective", downloads=7, family="bert", codes=["DAR101"], created="2024-01-01"),
        package(1, "a/fine", downloads=9, family="bert", created="2024-01-02"),
    ]
    return write_results(tmp_path / "out", packages, findings=[finding(0, HOSTILE, "says | this\\")])


def test_json_follows_the_schema_and_is_stable(dara: Run, out: Path) -> None:
    done = dara("study", out, "--format", "json")
    assert done.code == 0
    document = json.loads(done.out)
    jsonschema.validate(document, SCHEMA)
    assert [item["name"] for item in document["studies"]] == list(study_names())
    assert dara("study", out, "--format", "json").out == done.out


def test_text_says_what_is_missing(dara: Run, out: Path) -> None:
    done = dara("study", out, "defective", "licences")
    assert done.code == 0
    assert "not available: no license in this snapshot" in done.out
    assert "<img" in done.out
    assert "Naming" not in done.out, "only what was asked for"
    assert max(map(len, done.out.splitlines())) <= 160


def test_markdown_shows_names_as_they_are(dara: Run, out: Path) -> None:
    done = dara("study", out, "--format", "markdown", "-o", "study.md")
    assert (done.code, done.out) == (0, "")
    text = (out.parent / "study.md").read_text("utf-8")
    assert "<img" not in text
    assert r"\`x\`" in text
    line = next(line for line in text.splitlines() if "onerror" in line)
    unescaped = line.replace(r"\|", "")
    assert unescaped.count("|") == 5, "a bar in a name breaks no table"


def test_usage_and_damage(dara: Run, out: Path, tmp_path: Path) -> None:
    assert dara("study").code == 2
    unknown = dara("study", out, "nonsense")
    assert unknown.code == 2
    assert "there are elements" in unknown.err
    assert dara("study", tmp_path / "missing").code == 2
    assert dara("study", tmp_path).err.count("\n") == 1
    data = (out / "packages.parquet").read_bytes()
    (out / "packages.parquet").write_bytes(data[: len(data) // 2])
    damaged = dara("study", out)
    assert (damaged.code, damaged.err.count("\n")) == (4, 1)


def test_results_of_an_older_version_say_so(out: Path) -> None:
    (out / "clusters.parquet").unlink()
    (out / "graphs.parquet").unlink()
    assert results(out)["clusters"].missing
    with pytest.raises(UsageError, match="run it again"):
        list(Snapshot(out).scan(("cluster",), "clusters"))
    (out / "findings.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(IncompleteAuditError, match="damaged"):
        list(Snapshot(out).scan(("entry",), "findings"))
