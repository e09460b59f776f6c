"""The engine ray: the same tables as the local one, on a cluster of its own and on one that is there."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from corpora.errors import DamagedFileError
from corpora.sources.snapshots import open_snapshot
from dara.batch.engines import ENGINES, LocalEngine
from dara.batch.engines import ray as ray_engine
from dara.batch.plan import Plan, snapshot_identity, versions
from dara.batch.run import run_batch
from dara.batch.shard import Work, Worker, finished
from dara.batch.tables import PARTS
from dara.errors import UsageError
from dara.examples import write_examples
from dara.settings import Settings

BERT = {"model_type": "bert", "architectures": ["BertForMaskedLM"], "hidden_size": 768}
needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")

RUN = """
import sys
from pathlib import Path
from dara.batch.engines import ENGINES
from dara.batch.run import run_batch

def run(source, out):
    return run_batch(Path(source), Path(out), engine=ENGINES["ray"](2), shard=5)

if __name__ == "__main__":
    rows, mirror, folder = sys.argv[1:]
    run(rows, folder + "/own cluster")
    import ray
    from ray.cluster_utils import Cluster
    assert not ray.is_initialized(), "what it started is stopped"
    memory = 100 << 20
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": memory})
    cluster.add_node(num_cpus=1, object_store_memory=memory)  # as another machine: its worker checks what it has
    ray.init(address=cluster.address, logging_level="error", log_to_driver=False)
    run(mirror, folder + "/mirror")
    assert ray.is_initialized(), "what it found is left"
    ray.shutdown()
    cluster.shutdown()
"""


def snapshot(folder: Path) -> Path:
    path = folder / "models.jsonl"
    rows = [
        json.dumps({"id": f"a/{'bert' if n % 3 else 'gpt2'}-{n}", "config": BERT, "downloads": n}) for n in range(33)
    ]
    rows[11] = "damaged"
    path.write_text("\n".join(rows) + "\n")
    return path


def contents(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir()}


@needs_ray
@pytest.mark.slow
def test_tables_are_those_of_the_local_engine(tmp_path: Path) -> None:
    rows, mirror = snapshot(tmp_path), tmp_path / "mirror"
    write_examples(mirror)
    run_batch(rows, tmp_path / "local rows", engine=LocalEngine(1), shard=5)
    run_batch(mirror, tmp_path / "local mirror", engine=LocalEngine(1), shard=5)
    (tmp_path / "run.py").write_text(RUN)
    (tmp_path / "ray").mkdir()
    arguments = [sys.executable, str(tmp_path / "run.py"), str(rows), str(mirror), str(tmp_path / "ray")]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]
    assert contents(tmp_path / "ray" / "own cluster") == contents(tmp_path / "local rows")
    assert contents(tmp_path / "ray" / "mirror") == contents(tmp_path / "local mirror")


def test_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'dara\[ray\]'"):
        ENGINES["ray"](2)


@pytest.mark.parametrize("workers", [0, 5_000])
def test_workers_are_bounded(workers: int) -> None:
    with pytest.raises(UsageError, match="workers"):
        ENGINES["ray"](workers)


@pytest.fixture
def work(tmp_path: Path) -> Work:
    rows = snapshot(tmp_path)
    source = open_snapshot(rows)
    plan = Plan(str(rows), source.kind, snapshot_identity(rows), 33, 5, Settings())
    (tmp_path / "shards").mkdir()
    return Work(source, plan, tmp_path / "shards", None, rows)


def test_a_machine_with_another_snapshot_or_program_refuses(work: Work) -> None:
    assert ray_engine._refusal(work, versions()) is None
    assert "other versions" in (ray_engine._refusal(work, {**versions(), "program": "x"}) or "")
    assert work.snapshot is not None
    with work.snapshot.open("a") as stream:
        stream.write("{}\n")
    assert "not the same" in (ray_engine._refusal(work, versions()) or "")
    work.snapshot.unlink()
    assert "not the same" in (ray_engine._refusal(work, versions()) or "")
    assert "not the same" in (ray_engine._refusal(replace(work, snapshot=None), versions()) or "")


def test_shards_that_are_sent_are_written_as_they_are(work: Work) -> None:
    passed: list[int] = []
    row: dict[str, Any]
    for number, content in Worker(work).shards([0, 1]):
        assert tuple(content) == PARTS
        row = {"number": number, "error": None, **content}
        ray_engine._take(row, work, passed.append)
    assert finished(work.folder, 7) == {0, 1}
    assert passed == [5, 5]
    with pytest.raises(DamagedFileError, match="not the same"):
        ray_engine._take({"number": None, "error": "is not the same"}, work, passed.append)
