"""The lists of sources, and what opening a package may load."""

from __future__ import annotations

import subprocess
import sys

from corpora.sources.interface import PackageSource, SnapshotSource
from corpora.sources.registry import SOURCES
from corpora.sources.snapshots import FILES, FOLDERS


def test_sources_are_listed_once_in_a_fixed_order():
    assert [source.kind for source in SOURCES] == ["file", "hub-cache", "folder", "hub"]
    assert all(isinstance(source, PackageSource) for source in SOURCES)
    assert [kind.kind for kind in (*FOLDERS, *FILES)] == [
        "hub-cache",
        "mirror",
        "jsonl",
        "ptmtorrent",
        "parquet",
        "peatmoss",
    ]
    assert all(issubclass(kind, SnapshotSource) for kind in (*FOLDERS, *FILES))


def loaded_after(code: str) -> set[str]:
    program = f"import sys\n{code}\nprint(' '.join(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_sources_loads_nothing_heavy():
    heavy = {"huggingface_hub", "httpx", "httpx2", "yaml", "pyarrow", "sqlite3", "numpy", "torch", "transformers"}
    assert not loaded_after("import corpora.sources, corpora.package") & heavy


def test_opening_a_folder_loads_no_client(tmp_path):
    folder = tmp_path / "acme--x"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    code = f"from corpora.sources import open_package\np = open_package({str(folder)!r})\np.config()\np.card()"
    assert not loaded_after(code) & {"huggingface_hub", "httpx", "httpx2", "pyarrow", "numpy", "torch"}
