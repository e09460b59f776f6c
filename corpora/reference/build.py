"""Builds the packaged index from raw reference corpora: `python -m corpora.reference.build RAW... OUT`.

Equal raw corpora give an equal index, byte for byte. `dara corpus build` does both steps.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from clustering.family.index import FamilyIndex, save_index
from clustering.family.learn import Example, example, learn_index
from clustering.family.scorer import FamilyScorer
from clustering.family.twins import find_twins
from corpora.reference.build_calibration import calibrate
from corpora.reference.build_priors import derivation_priors
from corpora.reference.records import read_raw, read_versions

CONTAINERS: Final = frozenset({"timm_wrapper", "timm_backbone"})
"""Model types that hold a model of any architecture; a graph is never theirs."""


def build(raws: Sequence[Path]) -> FamilyIndex:
    """Learn the index of raw corpora: templates and vocabularies, then twins, then the calibration.

    Raises:
        CorpusError: a corpus is damaged or of another schema.
    """
    examples = [
        example(m.model_type, m.class_name, m.variant, m.listing, published=m.spelling == "published")
        for raw in raws
        for m in read_raw(raw)
        if m.model_type not in CONTAINERS
    ]
    versions = {name: version for raw in raws for name, version in read_versions(raw).items()}
    return build_from(examples, versions)


def build_from(examples: Sequence[Example], versions: Mapping[str, str]) -> FamilyIndex:
    """Learn the index of prepared examples."""
    index = learn_index(examples, priors=derivation_priors(), meta={"versions": dict(versions)})
    twins = find_twins(FamilyScorer(index))
    calibration = calibrate(examples, twins)
    return replace(index, meta={**index.meta, "twins": twins, "calibration": calibration})


def main(arguments: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m corpora.reference.build", description=__doc__)
    parser.add_argument("raw", type=Path, nargs="+", help="corpora written by corpora.reference.raw")
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
