"""The packaged index of the reference corpus."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from clustering.family.index import load_index
from clustering.family.scorer import FamilyScorer

INDEX_FILE = Path(__file__).parent / "data" / "reference.npz"


@lru_cache(maxsize=1)
def load_reference() -> FamilyScorer:
    """The scorer over the packaged index, loaded once per process.

    Raises:
        IndexFormatError: the file is missing or damaged.
    """
    return FamilyScorer(load_index(INDEX_FILE))
