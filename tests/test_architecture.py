"""The structure that docs/concepts.md draws: imports run one way, and heavy libraries stay out of light paths."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = {
    "dara": {"dara", "corpora", "clustering", "naming"},
    "corpora": {"corpora", "clustering"},
    "clustering": {"clustering"},
    "naming": {"naming"},
}
HEAVY = {"torch", "transformers", "sklearn", "spacy", "scipy", "timm", "onnx", "h5py", "gguf", "tensorflow", "ray"}
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or ""


def imported_at_load(tree: ast.Module) -> Iterator[str]:
    """Modules that are imported when the module itself is, without what stands in functions or under TYPE_CHECKING."""
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from imported(node)
        elif isinstance(node, ast.Try):
            yield from (name for item in node.body for name in imported(item))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    tops = {name.partition(".")[0] for name in imported(ast.parse(path.read_text("utf-8")))}
    assert tops & set(ROOMS) <= ROOMS[room]
    if room != "dara":
        assert not tops & {"rich", "typer"}, "only the application talks to people"


def own_modules(tree: ast.Module, known: set[str]) -> Iterator[str]:
    """Modules of the project that a module imports anywhere: in functions and under TYPE_CHECKING too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{alias.name}" for alias in node.names} & known
            yield from names or {node.module} & known


def test_no_circle_of_imports() -> None:
    """Not even a late one, but for the one that notebooks need: a report shows itself by its HTML format."""
    import networkx as nx

    names = {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in FILES}
    graph = nx.DiGraph()
    for name, path in names.items():
        graph.add_edges_from((name, other) for other in own_modules(ast.parse(path.read_text("utf-8")), set(names)))
    graph.remove_edge("dara.report", "dara.reports.html")
    graph.remove_nodes_from([name for name in names if names[name].name == "__init__.py"])  # they hand names on
    assert list(nx.simple_cycles(graph)) == []


MODULES_OF_ONE_LIBRARY = {
    "clustering/clusters/density.py": {"sklearn"},
    "clustering/family/estimator.py": {"sklearn"},
    "dara/publish/callback.py": {"transformers"},
    "naming/language.py": {"spacy"},
}
"""Modules that are the binding to one heavy library; they are themselves imported late."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_heavy_libraries_are_imported_late(path: Path) -> None:
    tops = {name.partition(".")[0] for name in imported_at_load(ast.parse(path.read_text("utf-8")))}
    allowed = MODULES_OF_ONE_LIBRARY.get(path.relative_to(ROOT).as_posix(), set())
    assert tops & HEAVY <= allowed


def loaded_by(statement: str) -> set[str]:
    """Top-level modules in a fresh interpreter after a statement."""
    script = f"import sys\n{statement}\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("module", ["dara", "dara.cli.app", "naming", "clustering", "corpora", "dara.rules.registry"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    assert not loaded_by(f"import {module}") & (HEAVY | {"networkx", "pyarrow"})
