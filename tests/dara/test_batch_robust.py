"""Runs that are killed, disks that are full or read-only: the tables are whole and the same, or not there at all."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from batch_process import command

from corpora.package import Package
from corpora.sources.interface import SkippedPackage
from dara.batch import plan as planning
from dara.batch import run as running
from dara.batch.engines import LocalEngine
from dara.batch.plan import program_digest
from dara.batch.rows import Rows
from dara.batch.run import run_batch
from dara.batch.shard import Judge
from dara.batch.tables import RESULTS
from dara.batch.workspace import HIDDEN
from dara.errors import UsageError

pytest.importorskip("pyarrow")
BERT = {"model_type": "bert", "architectures": ["BertForMaskedLM"], "hidden_size": 768}


def snapshot(folder: Path, count: int = 100) -> Path:
    path = folder / "models.jsonl"
    rows = [
        json.dumps({"id": f"a/{'bert' if n % 3 else 'gpt2'}-{n}", "config": BERT, "downloads": n}) for n in range(count)
    ]
    rows[count // 3] = "damaged"
    path.write_text("\n".join(rows) + "\n")
    return path


def contents(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir() if path.name != HIDDEN}


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")
def test_kill_9_of_all_processes_at_random_moments(tmp_path: Path) -> None:
    """Every process dies at once, as when a machine loses power: none is left to finish what it was doing."""
    source = snapshot(tmp_path, 400)
    subprocess.run(command(tmp_path, source, tmp_path / "whole", 2, 4), check=True, timeout=200)
    shards = tmp_path / "out" / HIDDEN / "shards"
    chance = random.Random(6)
    killed, there = 0, 0
    for _ in range(5):
        process = subprocess.Popen(command(tmp_path, source, tmp_path / "out", 2, 4), start_new_session=True)
        wanted = there + chance.randrange(0, 18)  # shards, of 100; moments between them are as random as the machine
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if shards.is_dir() and len(list(shards.glob("[0-9]*"))) >= wanted:
                time.sleep(chance.random() / 50)
                break
            time.sleep(0.002)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        killed += process.wait(30) == -signal.SIGKILL
        there = len(list(shards.glob("[0-9]*"))) if shards.is_dir() else there
        assert not (tmp_path / "out" / "run.json").exists() or process.returncode == 0
    assert killed >= 3
    subprocess.run(command(tmp_path, source, tmp_path / "out", 2, 4), check=True, timeout=200)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def in_a_mount(script: str, *arguments: str, timeout: float = 200) -> subprocess.CompletedProcess[str]:
    """Runs a shell script where it may mount file systems that nobody else sees; skips where this is not possible."""
    if shutil.which("unshare") is None:
        pytest.skip("no unshare on this machine")
    mine = ["unshare", "--map-root-user", "--mount", "sh", "-ec"]
    probe = subprocess.run([*mine, "mount -t tmpfs none /tmp"], capture_output=True, text=True, check=False, timeout=30)
    if probe.returncode:
        pytest.skip(f"no file system may be mounted here: {probe.stderr.strip()[:80]}")
    return subprocess.run(
        [*mine, script, "sh", *arguments], capture_output=True, text=True, check=False, timeout=timeout
    )


@pytest.mark.slow
@pytest.mark.parametrize("size", ["4k", "32k", "64k"])
def test_a_disk_that_is_really_full(tmp_path: Path, size: str) -> None:
    source, out, kept = snapshot(tmp_path), tmp_path / "out", tmp_path / "kept"
    out.mkdir()
    script = f"""
        mount -t tmpfs -o size={size} none "$1"; shift
        set +e; "$@" 2> "{tmp_path}/first"; echo $? > "{tmp_path}/code"; set -e
        ls -A "{out}" > "{tmp_path}/there"
        mount -o remount,size=64m "{out}"
        "$@"
        cp -r "{out}" "{kept}"
    """
    done = in_a_mount(script, str(out), *command(tmp_path, source, out))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "code").read_text().strip() == "1"
    messages = (tmp_path / "first").read_text()
    assert "no space is left" in messages
    assert messages.count("\n") == 1
    assert "run.json" not in (tmp_path / "there").read_text().split()
    assert ".part" not in (tmp_path / "there").read_text()
    subprocess.run(command(tmp_path, source, tmp_path / "whole"), check=True, timeout=100)
    assert contents(kept) == contents(tmp_path / "whole")


@pytest.mark.slow
def test_a_disk_that_is_read_only(tmp_path: Path) -> None:
    source, out = snapshot(tmp_path), tmp_path / "out"
    out.mkdir()
    script = """mount -t tmpfs -o ro none "$1"; shift; exec "$@" """
    done = in_a_mount(script, str(out), *command(tmp_path, source, out))
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "check path and rights" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_folder_without_the_right_to_write(tmp_path: Path) -> None:
    """Root may write anywhere, as long as it has the capability to override permissions."""
    source, out = snapshot(tmp_path), tmp_path / "out"
    out.mkdir(mode=0o500)
    call = command(tmp_path, source, out)
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("this runs as root, and there is no setpriv to give up its powers")
        call = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override", *call]
    done = subprocess.run(call, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(out.iterdir()) == []


def test_another_state_of_the_program_goes_on_with_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version says little about a checkout: rows of two programs must not come into one table."""
    source, out = snapshot(tmp_path, 20), tmp_path / "out"

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(running, "merge", stop)
        with pytest.raises(KeyboardInterrupt):
            run_batch(source, out, engine=LocalEngine(1))
    monkeypatch.setattr(planning, "program_digest", lambda: "other")
    with pytest.raises(UsageError, match=r"another state of dara's code or data.*--restart"):
        run_batch(source, out, engine=LocalEngine(1))
    assert sorted(contents(out)) == []
    run_batch(source, out, engine=LocalEngine(1), restart=True)
    assert sorted(contents(out)) == sorted(RESULTS)


@pytest.mark.parametrize("change", ["code", "data", "new file", "renamed"])
def test_the_digest_tells_programs_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    root = tmp_path / "package"
    (root / "inner").mkdir(parents=True)
    (root / "code.py").write_text("x = 1\n")
    (root / "inner" / "data.toml").write_text("x = 1\n")
    monkeypatch.setattr(planning, "_PACKAGES", ("package",))
    monkeypatch.setattr(planning.importlib.resources, "files", lambda _: root)
    digest = program_digest.__wrapped__
    before = digest()
    (root / "__pycache__").mkdir()
    (root / "__pycache__" / "code.pyc").write_bytes(b"x")
    assert digest() == before, "what Python writes beside the code is no part of it"
    if change == "code":
        (root / "code.py").write_text("x = 2\n")
    elif change == "data":
        (root / "inner" / "data.toml").write_text("x = 2\n")
    elif change == "new file":
        (root / "inner" / "more.py").write_text("")
    else:
        (root / "code.py").rename(root / "other.py")
    assert digest() != before


def test_long_rows_are_not_held_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred rows of 16 MB each would be 16 GB of objects."""
    path = tmp_path / "models.jsonl"
    long = {"id": "a/bert-long", "config": {**BERT, "x": "y" * 100_000}}
    path.write_text("".join(json.dumps(long if n % 20 else {"id": "a/bert", "config": BERT}) + "\n" for n in range(60)))
    together: list[int] = []
    judge = Judge.judge

    def watched(self: Judge, first: int, items: Sequence[Package | SkippedPackage]) -> Rows:
        together.append(len(items))
        return judge(self, first, items)

    run_batch(path, tmp_path / "whole", engine=LocalEngine(1))
    monkeypatch.setattr(Judge, "judge", watched)
    monkeypatch.setattr("dara.batch.shard.HEAVY", 500_000)
    run_batch(path, tmp_path / "out", engine=LocalEngine(1))
    assert sum(together) == 60
    assert max(together) <= 6
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
