"""spaCy is imported without what no name needs, and everybody else finds it as usual afterwards."""

from __future__ import annotations

import subprocess
import sys


def fresh(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    ).stdout


def test_parsing_a_name_loads_neither_torch_nor_spacys_command_line() -> None:
    heavy = ("torch", "spacy.cli", "requests", "weasel")
    code = (
        "import sys, naming\nnaming.parse_name('acme/bert-base')\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    assert fresh(code).strip() == "[]"


def test_the_command_line_is_there_when_it_is_asked_for() -> None:
    code = (
        "import naming\nnaming.parse_name('acme/bert-base')\nimport spacy\n"
        "print(spacy.info(silent=True)['spacy_version'] == spacy.__version__)\n"
        "import spacy.cli.download\nprint(spacy.cli.__file__ is not None, spacy.cli.info.__module__)"
    )
    assert fresh(code).split() == ["True", "True", "spacy.cli.info"]
