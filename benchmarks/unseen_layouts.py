"""Families in layouts that the reference corpus was never asked to build: are they still told?

    python -m benchmarks.unseen_layouts [--families 40] [--draws 3] [--seed 0] [--index FILE]

Of a seeded sample of the library's families configurations are drawn: booleans turned over, options of a `Literal`
exchanged, numbers that are None by default stated, small numbers and periods changed, sequences of layer kinds drawn
layer by layer, parts left out, several of these at once and in another size. The fields are those of the configuration
class itself, not those that the corpus enumerates. Each model is built on the meta device and identified in the
spelling of published files. Needs the `graph` extra; 40 families take about five minutes.

Draws whose tensors equal those of the defaults are left out; some of the others happen to be layouts that the corpus
holds. The share of these is told: `exact` counts draws that a template of the family explains completely.
"""

from __future__ import annotations

import argparse
import random
import re
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from benchmarks.fingerprint_figures import Report, Share
from clustering.errors import MissingExtraError
from clustering.family.calibrate import EXACT
from clustering.family.index import load_index
from clustering.family.scorer import FamilyScorer
from clustering.graphs.layers import fold_tied, parameters_of, roots_of
from clustering.live.listing import LiveModelError, listing_from_module
from clustering.tensors import TensorListing
from corpora.reference import load_reference
from corpora.reference.enumerate import ModelEntry, config_types, model_entries
from corpora.reference.flags import shallow
from corpora.reference.overrides import arguments_for
from corpora.reference.raw import prepare
from corpora.reference.sizes import Leaf, apply, leaves, profile, role_of, sub_configs, with_changes
from corpora.reference.variants import LIMITS, Signature, signature

NO_LAYOUT = re.compile(
    r"_.*|output_.*|max_.*|min_.*|num_labels|id2label|label2id|architectures|.*name_or_path|problem_type|backbone|dtype"
    r"|use_(cache|return_dict|pretrained_backbone|timm_backbone)|return_dict|is_decoder|is_encoder_decoder|torchscript"
    r"|add_cross_attention|cross_attention_hidden_size|tie_encoder_decoder|chunk_size_feed_forward"
    r"|.*(token|_ids?|index|indices|dropout|seed|beam|max_length|min_length|version|eps|theta|factor|range|coef|loss)$"
)
"""Fields that steer running, or name what they hold."""
STATED = {"heads": 4, "kv": 2, "head_dim": 32, "ffn": 96, "width": 64, "experts": 4}
"""What a number that is None by default is set to, by its role."""
RESIZED = frozenset({"kv", "rank", "shared_experts", "experts"})
SIZES = ("library", "half", "wide", "deep", "narrow")
LAYERS = 6
MOST_TRIED, MOST_TENSORS, MOST_TOGETHER = 50, 6_000, 8
LIKELY, UNLIKELY = 0.35, 0.1
"""How often a change is drawn that alters the tensors by itself, and one that does not."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A model in a drawn configuration."""

    family: str
    class_name: str
    changes: dict[str, Any]
    listing: TensorListing


@dataclass(frozen=True, slots=True)
class _Subject:
    """A class that configurations are drawn for."""

    entry: ModelEntry
    model_class: Any
    base: dict[str, Any]
    found: list[Leaf]
    small: dict[str, Any]

    def listing(self, changes: dict[str, Any], spelling: str = "memory") -> TensorListing | None:
        """The model's listing; None where the library refuses the configuration."""
        from clustering.live.listing import module_from_class

        try:
            config = with_changes(self.entry.config_class, self.base, changes)
            module = module_from_class(self.model_class, config, limits=LIMITS)
            return listing_from_module(module, spelling=spelling)  # type: ignore[arg-type]  # one of two words
        except (LiveModelError, MissingExtraError):
            return None
        except Exception:  # noqa: BLE001  # a configuration class may raise anything
            return None


def changes_of(config: Any, draw: random.Random, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Every field with another value, by dotted name; the value is drawn."""
    values = config.to_dict()
    for item in fields(config):
        if not NO_LAYOUT.fullmatch(item.name):
            yield from ((prefix + item.name, other) for other in _others(item, values.get(item.name), draw))
    if depth < 1:
        for name, inner in sub_configs(config).items():
            yield from changes_of(inner, draw, f"{prefix}{name}.", depth + 1)
            yield name, None


def _others(item: Any, value: Any, draw: random.Random) -> Iterator[Any]:
    role = role_of(item.name)
    literal = [a for a in typing.get_args(item.type) if isinstance(a, str) and a != value]
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, list) and value and all(isinstance(kind, str) for kind in value) and "type" in item.name:
        kinds = sorted(set(value))
        some = draw.sample(kinds, draw.randint(1, len(kinds)))
        yield [draw.choice(some) for _ in value]
    elif literal and typing.get_origin(item.type) is typing.Literal:
        yield draw.choice(literal)
    elif value is None and int in typing.get_args(item.type):
        yield STATED.get(role or "", draw.choice((1, 2, 4)))
    elif type(value) is int and role is None and value < 100_000:
        yield draw.choice([other for other in (0, 1, 2, 3, value * 2, value // 2) if other != value])
    elif type(value) is int and role in RESIZED:
        yield draw.choice([other for other in (0, 1, value // 2, None) if other != value])


def draws(entry: ModelEntry, number: int, seed: int) -> Iterator[Drawn]:
    """Models of an entry's usual head in drawn configurations, no two with the same tensors."""
    heads = [c for c in entry.classes if c.__name__.endswith(("ForCausalLM", "ForConditionalGeneration"))]
    model_class = heads[0] if heads else entry.classes[0]
    base = arguments_for(entry.model_type, model_class.__name__)
    draw = random.Random(f"{seed} {entry.model_type}")
    try:
        config = with_changes(entry.config_class, base, {})
        found = leaves(config)
    except Exception:  # noqa: BLE001  # a configuration class may raise anything
        return
    subject = _Subject(entry, model_class, base, found, shallow(found, LAYERS))
    plain = subject.listing(subject.small)
    if plain is None:
        return
    seen = {signature(plain)}
    config = with_changes(entry.config_class, base, subject.small)
    likely = list(_effective(subject, list(changes_of(config, draw)), draw, signature(plain)))
    for _ in range(3 * number):
        drawn = _drawn(subject, likely, draw)
        if drawn is None or signature(drawn.listing) in seen:
            continue
        seen.add(signature(drawn.listing))
        yield drawn
        if len(seen) > number:
            return


def _effective(
    subject: _Subject, changes: list[tuple[str, Any]], draw: random.Random, plain: Signature
) -> Iterator[tuple[str, Any, float]]:
    """Changes that build, with how likely each is to be drawn."""
    draw.shuffle(changes)
    for path, value in changes[:MOST_TRIED]:
        listing = subject.listing(_merged(subject.small, {path: value}))
        if listing is not None:
            yield path, value, LIKELY if signature(listing) != plain else UNLIKELY


def _drawn(subject: _Subject, likely: Sequence[tuple[str, Any, float]], draw: random.Random) -> Drawn | None:
    steps = tuple(s for s in profile(draw.choice(SIZES)) if s.role not in {"depth", "depths", "experts"})
    resized = {path: value for change in apply(steps, subject.found).values() for path, value in change.items()}
    size = {**resized, **subject.small}
    if subject.listing(size) is None:
        size = dict(subject.small)
    chosen = [(path, value) for path, value, chance in likely if draw.random() < chance]
    draw.shuffle(chosen)
    kept: dict[str, Any] = {}
    for path, value in chosen[:MOST_TOGETHER]:
        if subject.listing(_merged(size, {**kept, path: value})) is not None:
            kept[path] = value
    listing = subject.listing(_merged(size, kept), "published")
    if not kept or listing is None or len(listing.tensors) > MOST_TENSORS:
        return None
    return Drawn(subject.entry.model_type, subject.model_class.__name__, kept, listing)


def _merged(size: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """All changes; nothing is changed inside a part that is left out."""
    whole = {path for path, value in changes.items() if value is None and "." not in path}
    return {
        path: value
        for path, value in {**size, **changes}.items()
        if path in whole or path.partition(".")[0] not in whole
    }


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", type=int, default=40)
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--index", type=Path, help="another index than the shipped one")
    given = parser.parse_args()
    prepare()
    scorer = FamilyScorer(load_index(given.index)) if given.index else load_reference()
    known = [name for name in config_types() if scorer.known(name)]
    chosen = random.Random(given.seed).sample(known, min(given.families, len(known)))
    both, alone = Share("both channels: right", grouped=False), Share("structure alone: right", grouped=False)
    unknown, exact = Share("both channels: unknown", grouped=False), Share("exact", grouped=False)
    for entry in model_entries(chosen):
        for drawn in draws(entry, given.draws, given.seed) if entry.classes else ():
            answer = scorer.identify(drawn.listing)
            parameters = parameters_of(drawn.listing)
            structure, _ = scorer.ranked(fold_tied(parameters), roots_of(parameters))
            held = any(c.family == drawn.family and c.fit and c.fit.overlap >= EXACT for c in structure)
            exact.add(drawn.family, hit=held)
            for share, ranked in ((both, answer.family), (alone, answer.structure_only)):
                first = ranked[0] if ranked else None
                hit = first is not None and drawn.family in {first.model_type, *first.twins}
                said = ", ".join(f"{match.model_type} {match.score:.3f}" for match in ranked[:3]) or "unknown"
                reason = f"{drawn.class_name} {drawn.changes}: answered {said}" if share is both else ""
                share.add(drawn.family, hit=hit, reason=reason)
            unknown.add(drawn.family, hit=not answer.family)
    report = Report()
    report.add("Drawn layouts", both, unknown, alone, exact)
    report.show()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
