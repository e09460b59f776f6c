"""Audits of whole snapshots: what the tables say, and that nothing is lost, doubled or half there."""

from __future__ import annotations

import gzip
import json
import os
import random
import resource
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from batch_process import command

from clustering.declared.config import read_config
from corpora.errors import PackageError
from dara.audit import audit
from dara.batch import merge as merging
from dara.batch.engines import ENGINES, Engine, LocalEngine, Progress
from dara.batch.engines.interface import in_runs
from dara.batch.plan import SHARD, SHARD_OF_FILES
from dara.batch.run import run_batch
from dara.batch.shard import Work, Worker
from dara.batch.tables import RESULTS, TABLES, column_names
from dara.batch.workspace import HIDDEN, Workspace
from dara.errors import IncompleteAuditError, UsageError
from dara.examples import write_examples
from dara.settings import Settings

BERT = {"model_type": "bert", "architectures": ["BertForMaskedLM"], "hidden_size": 768, "num_hidden_layers": 12}
LLAMA = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "num_hidden_layers": 32}
pytest.importorskip("pyarrow")


def row(name: str, config: dict[str, Any] | None = None, **more: Any) -> str:
    return json.dumps({"id": name, **({"config": config} if config else {}), **more})


ROWS = [
    row("acme/bert-base-cased", BERT, downloads=12, sha="abc", siblings=[{"rfilename": "model.safetensors"}]),
    row("acme/gpt2-small", LLAMA, cardData={"license": "mit"}),  # the name says another family
    "{ not json",
    row("acme/llama-7b", LLAMA),
    row("acme/nothing-known"),
    json.dumps({"no": "name"}),
    row("acme/bert-\ud800", BERT),  # no text, so no name
    row("acme/bert-\x1b[31m", BERT),
    row("acme/gpt2-small", LLAMA, cardData={"license": "mit"}),  # twice in the snapshot
]


def snapshot(folder: Path, rows: Sequence[str] = ROWS) -> Path:
    path = folder / "models.jsonl"
    path.write_text("\n".join(rows) + "\n")
    return path


def tables(out: Path) -> dict[str, list[dict[str, Any]]]:
    import pyarrow.parquet as pq

    return {name: pq.read_table(out / f"{name}.parquet").to_pylist() for name in TABLES}


def contents(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir()}


def test_every_entry_is_a_package_or_skipped_with_its_place(tmp_path: Path) -> None:
    result = run_batch(snapshot(tmp_path), tmp_path / "out", engine=LocalEngine(1))
    found = tables(tmp_path / "out")
    unread = {r["entry"]: (r["place"], r["reason"]) for r in found["skipped"] if r["check"] == "entry"}
    assert unread == {2: ("models.jsonl:3", "not JSON"), 5: ("models.jsonl:6", "no id")}
    assert [r["entry"] for r in found["packages"]] == [0, 1, 3, 4, 6, 7, 8]
    assert [r["entry"] for r in found["packages"] if r["reason"]] == [4]
    assert [r["entry"] for r in found["skipped"] if r["check"] == "name"] == [6]
    assert next(r for r in found["packages"] if r["entry"] == 6)["verdict"] == "unverifiable"
    assert result.summary["entries"] == len(ROWS) == result.summary["packages"] + result.summary["unread_entries"]
    assert result.summary["unread_entries"] == 2
    assert sum(result.summary["verdicts"].values()) == result.summary["packages"] == 7
    assert "holds neither" in found["packages"][3]["reason"]


def test_rows_carry_what_the_single_audit_says(tmp_path: Path) -> None:
    """The same package as a folder and as a row of metadata."""
    folder = tmp_path / "acme--gpt2-small"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(LLAMA))
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    single = audit(str(folder), build_graphs=False)
    run_batch(snapshot(tmp_path), tmp_path / "out", engine=LocalEngine(1))
    found = tables(tmp_path / "out")
    package = next(r for r in found["packages"] if r["entry"] == 1)
    assert single.verdict.value == "defective" == package["verdict"]
    assert package["codes"] == sorted({finding.code for finding in single.findings}) == ["DAR101"]
    findings = [r for r in found["findings"] if r["entry"] == 1]
    assert [r["message"] for r in findings] == [finding.message for finding in single.findings]
    assert json.loads(package["facts"]).keys() == set(single.facts.kinds())
    assert (package["family"], package["claimed_family"], package["license"]) == ("llama", "gpt2", "mit")
    assert json.loads(package["claims"])[0]["value"] == "gpt2"


def test_a_mirror_gives_the_same_as_its_packages_one_by_one(tmp_path: Path) -> None:
    folders = write_examples(tmp_path / "mirror")
    run_batch(tmp_path / "mirror", tmp_path / "out", engine=LocalEngine(1), shard=2)
    found = {r["name"]: r for r in tables(tmp_path / "out")["packages"]}
    assert len(found) == len(folders)
    for folder in folders:
        single = audit(str(folder), build_graphs=False)
        batch = found[single.package.name]
        assert single.fingerprint is not None
        assert single.identification is not None
        assert (batch["verdict"], batch["digest"]) == (single.verdict.value, single.fingerprint.digest)
        assert batch["codes"] == sorted({finding.code for finding in single.findings})
        assert batch["identified"] == single.identification.family[0].model_type


def test_columns_are_those_of_the_contract(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    run_batch(snapshot(tmp_path), tmp_path / "out", engine=LocalEngine(1))
    for name in TABLES:
        assert tuple(pq.read_schema(tmp_path / "out" / f"{name}.parquet").names) == column_names(name)
    text = json.dumps(tables(tmp_path / "out"), ensure_ascii=False)
    assert "\x1b" not in text, "control characters of names are spelled out"
    assert sorted(contents(tmp_path / "out")) == sorted(RESULTS), "nothing else is left"


def test_missing_columns_are_not_missing_licences(tmp_path: Path) -> None:
    rows = [row("a/bert-base", BERT), row("a/bert-base", BERT, cardData={"language": "en"})]
    pedantic = Settings(persona="pedantic")
    run_batch(snapshot(tmp_path, rows), tmp_path / "out", engine=LocalEngine(1), settings=pedantic)
    found = [(r["entry"], r["code"]) for r in tables(tmp_path / "out")["findings"]]
    assert (1, "DAR801") in found
    assert not [code for entry, code in found if entry == 0]


def many(count: int = 40) -> list[str]:
    rows = [row(f"org{n % 7}/{'bert' if n % 3 else 'gpt2'}-base-{n}", BERT, downloads=n) for n in range(count)]
    rows[count // 3] = "damaged"
    return rows


@pytest.mark.parametrize("shard", [1, 7, 100])
def test_the_size_of_shards_changes_no_row(tmp_path: Path, shard: int) -> None:
    source = snapshot(tmp_path, many())
    run_batch(source, tmp_path / "whole", engine=LocalEngine(1), shard=40)
    run_batch(source, tmp_path / "cut", engine=LocalEngine(1), shard=shard)
    assert tables(tmp_path / "cut") == tables(tmp_path / "whole")


@pytest.mark.slow
def test_workers_give_the_same_bytes(tmp_path: Path) -> None:
    source = snapshot(tmp_path, many())
    run_batch(source, tmp_path / "one", engine=LocalEngine(1), shard=4)
    run_batch(source, tmp_path / "two", engine=LocalEngine(2), shard=4)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


class Stopping(Engine):
    """Judges some shards, in a mixed order, and then fails as a killed process does: without a word."""

    def __init__(self, shards: int, seed: int = 0) -> None:
        self.left = shards
        self.random = random.Random(seed)
        self.judged: list[int] = []

    def run(self, work: Work, shards: Sequence[int], progress: Progress) -> None:
        worker = Worker(work)
        for number in self.random.sample(list(shards), len(shards)):
            if not self.left:
                raise KeyboardInterrupt
            worker.run([number], progress)
            self.judged.append(number)
            self.left -= 1
        worker.close()


def test_a_stopped_run_goes_on_where_it_was(tmp_path: Path) -> None:
    source = snapshot(tmp_path, many())
    run_batch(source, tmp_path / "whole", engine=LocalEngine(1), shard=4)
    judged: list[int] = []
    for seed, shards in enumerate((3, 1, 4)):
        engine = Stopping(shards, seed)
        with pytest.raises(KeyboardInterrupt):
            run_batch(source, tmp_path / "out", engine=engine, shard=4)
        judged += engine.judged
        assert sorted(contents_of_results(tmp_path / "out")) == [], "no table before all shards are there"
        (tmp_path / "out" / HIDDEN / "shards" / ".0000009.1").mkdir()  # half of a shard
    last = Stopping(99)
    result = run_batch(source, tmp_path / "out", engine=last, shard=4)
    assert sorted(judged + last.judged) == list(range(10)), "each shard was judged once"
    assert result.resumed > 0
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def contents_of_results(out: Path) -> list[str]:
    return [name for name in RESULTS if (out / name).exists()]


ORIGINAL = merging.replaced


def test_stopped_between_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = snapshot(tmp_path, many())
    run_batch(source, tmp_path / "whole", engine=LocalEngine(1), shard=4)
    for left in range(len(RESULTS)):
        out = tmp_path / f"out{left}"
        with monkeypatch.context() as patch:
            written: list[str] = []

            def replaced(path: Path, left: int = left, written: list[str] = written) -> Any:
                if path.name in RESULTS:
                    if len(written) == left:
                        raise KeyboardInterrupt
                    written.append(path.name)
                return ORIGINAL(path)

            patch.setattr(merging, "replaced", replaced)
            with pytest.raises(KeyboardInterrupt):
                run_batch(source, out, engine=LocalEngine(1), shard=4)
        assert not (out / "run.json").exists()
        run_batch(source, out, engine=Stopping(0), shard=4)  # all shards are there already
        assert contents(out) == contents(tmp_path / "whole")


def test_a_complete_run_is_not_made_again(tmp_path: Path) -> None:
    source = snapshot(tmp_path)
    first = run_batch(source, tmp_path / "out", engine=LocalEngine(1))
    again = run_batch(source, tmp_path / "out", engine=Stopping(0))
    assert (again.summary, again.resumed) == (first.summary, len(ROWS))
    assert sorted(contents(tmp_path / "out")) == sorted(RESULTS)


@pytest.mark.parametrize("complete", [True, False])
def test_another_run_is_refused_until_restart(tmp_path: Path, complete: bool) -> None:
    source, out = snapshot(tmp_path), tmp_path / "out"
    if complete:
        run_batch(source, out, engine=LocalEngine(1))
    else:
        with pytest.raises(KeyboardInterrupt):
            run_batch(source, out, engine=Stopping(0))
    before = contents(out) if complete else {}
    with pytest.raises(UsageError, match=r"other settings.*--restart"):
        run_batch(source, out, engine=LocalEngine(1), settings=Settings(ignore=("DAR101",)))
    with source.open("a") as stream:
        stream.write(row("late/comer", BERT) + "\n")
    with pytest.raises(UsageError, match="changed since"):
        run_batch(source, out, engine=LocalEngine(1))
    other = snapshot(tmp_path, many()).rename(tmp_path / "other.jsonl")
    with pytest.raises(UsageError, match="another snapshot"):
        run_batch(other, out, engine=LocalEngine(1))
    if complete:
        assert {name: data for name, data in contents(out).items() if name in RESULTS} == before
    assert run_batch(other, out, engine=LocalEngine(1), restart=True).summary["entries"] == 40


def test_foreign_tables_are_not_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "packages.parquet").write_text("mine")
    with pytest.raises(UsageError, match="something else"):
        run_batch(snapshot(tmp_path), out, engine=LocalEngine(1))
    assert (out / "packages.parquet").read_text() == "mine"


class Meddling(Engine):
    """Changes the snapshot while it is read."""

    def __init__(self, path: Path, change: Any) -> None:
        self.path, self.change = path, change

    def run(self, work: Work, shards: Sequence[int], progress: Progress) -> None:
        worker = Worker(work)
        worker.run(shards[:1], progress)
        self.change(self.path)
        worker.run(shards[1:], progress)


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_text(path.read_text() + row("late/comer", BERT) + "\n"),
        lambda path: path.write_text(path.read_text()[:600]),
        lambda path: path.write_text(path.read_text().replace("org1", "org9")),
        lambda path: path.unlink(),
    ],
    ids=["grown", "cut", "other rows of the same length", "gone"],
)
def test_a_snapshot_that_changes_gives_no_table(tmp_path: Path, change: Any) -> None:
    source = snapshot(tmp_path, many())
    with pytest.raises(IncompleteAuditError, match="changed while it was read"):
        run_batch(source, tmp_path / "out", engine=Meddling(source, change), shard=8)
    assert contents_of_results(tmp_path / "out") == []


def test_a_shard_is_about_a_second_of_work(tmp_path: Path) -> None:
    write_examples(tmp_path / "mirror")
    for source, entries in ((tmp_path / "mirror", SHARD_OF_FILES), (snapshot(tmp_path), SHARD)):
        out = tmp_path / f"out-of-{source.name}"
        with pytest.raises(KeyboardInterrupt):
            run_batch(source, out, engine=Stopping(0))
        assert json.loads((out / HIDDEN / "plan.json").read_text("utf-8"))["settings"]["shard"] == entries


def test_a_mirror_that_changes_gives_no_table(tmp_path: Path) -> None:
    write_examples(tmp_path / "mirror")
    target = next((tmp_path / "mirror").iterdir()) / "config.json"
    engine = Meddling(target, lambda path: path.write_text('{"model_type": "bert"}'))
    with pytest.raises(IncompleteAuditError, match="changed while it was read"):
        run_batch(tmp_path / "mirror", tmp_path / "out", engine=engine, shard=2)
    assert contents_of_results(tmp_path / "out") == []


def test_out_inside_the_snapshot_or_a_file(tmp_path: Path) -> None:
    write_examples(tmp_path / "mirror")
    with pytest.raises(UsageError, match="inside the snapshot"):
        run_batch(tmp_path / "mirror", tmp_path / "mirror" / "out", engine=LocalEngine(1))
    with pytest.raises(UsageError, match="is a file"):
        run_batch(tmp_path / "mirror", snapshot(tmp_path), engine=LocalEngine(1))


def test_one_run_at_a_time(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    with (
        Workspace(tmp_path / "out").locked(),
        pytest.raises(IncompleteAuditError, match="another run writes to it"),
    ):
        run_batch(snapshot(tmp_path), tmp_path / "out", engine=LocalEngine(1))


def test_an_unforeseen_error_costs_one_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(config: dict[str, Any]) -> Any:
        if config.get("model_type") == "llama":
            raise ZeroDivisionError
        return read_config(config)

    monkeypatch.setattr("clustering.declared.config.read_config", explode)
    result = run_batch(snapshot(tmp_path), tmp_path / "out", engine=LocalEngine(1))
    found = {r["entry"]: r for r in tables(tmp_path / "out")["packages"]}
    assert "internal error (ZeroDivisionError" in found[1]["reason"]
    assert found[0]["reason"] is None
    assert result.summary["packages"] == 7


@pytest.mark.parametrize("workers", [0, 65])
def test_workers_are_bounded(workers: int) -> None:
    with pytest.raises(UsageError, match="workers"):
        ENGINES["local"](workers)


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("longest", [1, 16, 500, None])
@pytest.mark.parametrize("missing", [set(), {0}, {3, 4}, set(range(1, 100, 2))])
def test_runs_of_shards_cover_all_once(workers: int, longest: int | None, missing: set[int]) -> None:
    shards = [number for number in range(100) if number not in missing]
    runs = in_runs(shards, workers, longest)
    assert [number for run in runs for number in run] == shards
    assert all(run == list(range(run[0], run[-1] + 1)) for run in runs)
    assert len(runs) >= min(workers, len(shards))
    assert longest is None or all(len(run) <= longest for run in runs)


# -- as a process of its own --------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
@pytest.mark.parametrize("workers", [1, 2])
def test_kill_9_and_resume(tmp_path: Path, workers: int) -> None:
    source = snapshot(tmp_path, many(300))
    run_batch(source, tmp_path / "whole", engine=LocalEngine(1), shard=4)
    shards = tmp_path / "out" / HIDDEN / "shards"
    for wanted in (5, 20, 50):
        process = subprocess.Popen(command(tmp_path, source, tmp_path / "out", workers, 4))
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if shards.is_dir() and len(list(shards.glob("[0-9]*"))) >= wanted:
                process.kill()
                break
            time.sleep(0.005)
        process.wait(30)
        assert process.returncode == -signal.SIGKILL
        assert contents_of_results(tmp_path / "out") == []
    subprocess.run(command(tmp_path, source, tmp_path / "out", workers, 4), check=True, timeout=120)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def children(pid: int) -> list[int]:
    """Workers below a process, without the tracker of shared memory."""
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
            found.append(int(child))
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc")
@pytest.mark.parametrize("victim", ["worker", "parent by Ctrl-C"])
def test_a_worker_that_dies_and_a_run_that_is_stopped(tmp_path: Path, victim: str) -> None:
    source, out = snapshot(tmp_path, many(4000)), tmp_path / "out"
    # enough shards that the run is not over before a busy machine lets this process act
    process = subprocess.Popen(command(tmp_path, source, out, 2, 2), stderr=subprocess.PIPE, text=True)
    shards = out / HIDDEN / "shards"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (shards.is_dir() and len(list(shards.glob("[0-9]*"))) > 10):
        time.sleep(0.005)
    workers = children(process.pid)
    if victim == "worker":
        os.kill(workers[0], signal.SIGKILL)
    else:
        process.send_signal(signal.SIGINT)
    _, messages = process.communicate(timeout=60)
    assert process.returncode != 0
    if victim == "worker":
        assert "a worker process died" in messages
        assert messages.count("\n") == 1
    else:
        assert messages.rstrip().endswith("KeyboardInterrupt")
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers), "no worker is left behind"
    kept = len(list(shards.glob("[0-9]*")))
    assert 10 < kept < 2000
    assert contents_of_results(out) == []
    assert run_batch(source, out, engine=LocalEngine(1), shard=2).resumed == 2 * kept


@pytest.mark.parametrize("kind", ["gz", "parquet", "ptmtorrent", "cut gz"])
def test_other_forms_of_the_same_rows(tmp_path: Path, kind: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [json.loads(line) for line in many() if line != "damaged"]
    lines = "".join(json.dumps(values) + "\n" for values in rows).encode()
    run_batch(snapshot(tmp_path, lines.decode().splitlines()), tmp_path / "plain", engine=LocalEngine(1), shard=7)
    path = tmp_path / {"parquet": "m.parquet", "ptmtorrent": "m.json"}.get(kind, "m.jsonl.gz")
    if kind == "parquet":
        flat = [{**values, "config": json.dumps(values["config"])} for values in rows]
        pq.write_table(pa.Table.from_pylist(flat), path, row_group_size=11)
    elif kind == "ptmtorrent":
        path.write_text(json.dumps(rows))
    else:
        path.write_bytes(gzip.compress(lines)[: -40 if kind == "cut gz" else None])
    if kind == "cut gz":
        with pytest.raises(PackageError, match="breaks off"):
            run_batch(path, tmp_path / "out", engine=LocalEngine(1), shard=7)
        assert not (tmp_path / "out").exists()
        return
    run_batch(path, tmp_path / "out", engine=LocalEngine(1), shard=7)
    plain, other = tables(tmp_path / "plain"), tables(tmp_path / "out")
    for found in (plain, other):
        for table in found.values():
            for values in table:
                values.pop("place", None)
    assert other == plain


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs a limit on files")
@pytest.mark.parametrize("limit", [100, 3_000, 12_000])
def test_a_full_disk_leaves_no_damaged_table(tmp_path: Path, limit: int) -> None:
    source = snapshot(tmp_path, many(100))
    arguments = command(tmp_path, source, tmp_path / "out", 1, 10)
    done = subprocess.run(
        arguments,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.returncode == 1
    assert "no space is left" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list((tmp_path / "out").rglob("*.part"))
    for name in contents_of_results(tmp_path / "out"):
        assert name != "run.json"
    run_batch(source, tmp_path / "out", engine=LocalEngine(1), shard=10)
    run_batch(source, tmp_path / "whole", engine=LocalEngine(1), shard=10)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir(mode=0o500)
    with pytest.raises(IncompleteAuditError, match="cannot be written"):
        run_batch(snapshot(tmp_path), tmp_path / "out", engine=LocalEngine(1))


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, *arguments: Any, **more: Any) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(IncompleteAuditError, match=r"cannot be written.*check path and rights"):
        run_batch(snapshot(tmp_path), tmp_path / "out", engine=LocalEngine(1))


def test_damaged_shard_is_told(tmp_path: Path) -> None:
    source, out = snapshot(tmp_path, many()), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        run_batch(source, out, engine=Stopping(1), shard=8)
    shard = next((out / HIDDEN / "shards").iterdir())
    (shard / "packages.arrow").write_bytes(b"not arrow")
    with pytest.raises(IncompleteAuditError, match=r"damaged.*--restart"):
        run_batch(source, out, engine=LocalEngine(1), shard=8)
    assert "run.json" not in contents_of_results(out)
    assert run_batch(source, out, engine=LocalEngine(1), shard=8, restart=True).summary["entries"] == 40
