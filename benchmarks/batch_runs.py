"""Runs of `dara batch` as processes of their own: time, memory, and what becomes of those that are killed."""

from __future__ import annotations

import hashlib
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

MAIN = "from dara.cli import main; main()"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run took."""

    seconds: float
    """By the clock, from the start of the process to its end."""
    used: float
    """Of all processors together."""
    peak: int
    """Most resident bytes of all its processes together, sampled ten times a second from /proc; 0 elsewhere."""


def command(snapshot: Path, out: Path, workers: int, engine: str = "local") -> list[str]:
    """The command line."""
    options = ["--workers", str(workers), "--engine", engine]
    return [sys.executable, "-c", MAIN, "batch", str(snapshot), "-o", str(out), *options]


def resident(root: int) -> int:
    """Resident bytes of a process and all below it."""
    total = 0
    try:
        status = Path(f"/proc/{root}/status").read_text()
        total += next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))
        children = Path(f"/proc/{root}/task/{root}/children").read_text().split()
    except (OSError, StopIteration):
        return total
    return total + sum(resident(int(child)) for child in children)


def run(snapshot: Path, out: Path, workers: int, engine: str = "local") -> Cost:
    """One run to its end.

    Raises:
        SystemExit: it failed.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    process = subprocess.Popen(command(snapshot, out, workers, engine), stdout=subprocess.DEVNULL)
    peak, ended = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not ended.wait(0.1):
            peak = max(peak, resident(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = process.wait()
    seconds = time.perf_counter() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended.set()
    watcher.join()
    if code not in {0, 3}:  # 3: every row is there, and none says enough to be judged
        raise SystemExit(f"dara batch ended with {code}")
    return Cost(seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, peak)


def killed_run(snapshot: Path, out: Path, workers: int, span: float, kills: int, seed: int) -> list[float]:
    """Kills a run with all its processes at random moments, and lets it come to its end then.

    Args:
        snapshot: as for `dara batch`.
        out: likewise.
        workers: likewise.
        span: seconds that an undisturbed run takes; moments are spread so that all kills together take about as long.
        kills: how often.
        seed: of the moments.

    Returns:
        the seconds after which each attempt was killed; fewer than `kills` when an attempt came to its end before.
    """
    chance = random.Random(seed)
    moments: list[float] = []
    for _ in range(kills):
        wait = chance.uniform(0.2, max(0.4, 1.5 * span / kills))
        process = subprocess.Popen(command(snapshot, out, workers), stdout=subprocess.DEVNULL, start_new_session=True)
        try:
            process.wait(wait)
            break  # it was done
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            moments.append(round(wait, 2))
    subprocess.run(command(snapshot, out, workers), stdout=subprocess.DEVNULL, check=True)
    return moments


def digests(out: Path) -> dict[str, str]:
    """Digest of every file of results."""
    found = {}
    for path in sorted(out.iterdir()):
        with path.open("rb") as stream:
            found[path.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found
