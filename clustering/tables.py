"""Facts kept as data: the JSON tables of `clustering/data/`, each with its sources inside."""

import json
from functools import cache
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).with_name("data")


@cache
def table(name: str) -> Any:
    """The table `data/<name>.json`, read once. Callers must not change it.

    Raises:
        FileNotFoundError: there is no such table.
    """
    return json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
