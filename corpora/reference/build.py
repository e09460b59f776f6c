"""Builds the packaged index from a raw reference corpus: `python -m corpora.reference.build RAW OUT`."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from clustering.family import FamilyScorer
from clustering.family_index import FamilyIndex, save_index
from clustering.family_learn import example, learn_index
from clustering.family_twins import find_twins
from corpora.reference.build_priors import derivation_priors
from corpora.reference.records import read_raw, read_versions


def build(raw: Path) -> FamilyIndex:
    """Learn the index of a raw corpus.

    Raises:
        CorpusError: the corpus is damaged or of another schema.
    """
    examples = (
        example(m.model_type, m.class_name, m.variant, m.listing, published=m.spelling == "published")
        for m in read_raw(raw)
    )
    index = learn_index(examples, priors=derivation_priors(), meta={"versions": read_versions(raw)})
    twins = find_twins(FamilyScorer(index))
    return replace(index, meta={**index.meta, "twins": twins})


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m corpora.reference.build", description=__doc__)
    parser.add_argument("raw", type=Path, help="raw corpus written by corpora.reference.raw")
    parser.add_argument("out", type=Path, help="index to write (.npz)")
    options = parser.parse_args(arguments)
    index = build(options.raw)
    save_index(index, options.out)
    sys.stderr.write(
        f"{len(index.families)} families, {len(index.classes)} classes, {len(index.templates)} templates, "
        f"{options.out.stat().st_size / 1e6:.1f} MB\n"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
