"""`dara batch` as a process of its own, for tests that kill it or take its disk away."""

from __future__ import annotations

import sys
from pathlib import Path

RUN = """
import signal
import sys
from pathlib import Path
from dara.batch.engines import LocalEngine
from dara.batch.run import run_batch
from dara.errors import DaraError
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's job in the background would ignore it
    source, out, workers, shard = sys.argv[1:]
    try:
        run_batch(Path(source), Path(out), engine=LocalEngine(int(workers)), shard=int(shard))
    except DaraError as error:
        sys.exit(str(error))
"""


def command(folder: Path, source: Path, out: Path, workers: int = 1, shard: int = 10) -> list[str]:
    """What to start; the script is written into the folder."""
    script = folder / "run.py"
    script.write_text(RUN)
    return [sys.executable, str(script), str(source), str(out), str(workers), str(shard)]
