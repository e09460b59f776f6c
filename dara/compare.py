"""What two models share and where they part: parts, facts, and a pairing of their tensors. Prints nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from clustering.alignment.align import Alignment, AlignmentError, Lone, align
from clustering.errors import MissingExtraError
from clustering.facts import Facts
from clustering.identity import Part
from clustering.tensors import TensorListing
from clustering.text import escape, one_line
from corpora.sources.registry import open_package
from dara.errors import IncompleteAuditError, NothingAuditableError
from dara.measurement import Measurement, measure

COMPARED_FACTS = (
    "parameters",
    "layers",
    "encoder_layers",
    "decoder_layers",
    "hidden_size",
    "intermediate_size",
    "attention_heads",
    "key_value_heads",
    "experts",
    "vocabulary",
    "context",
    "patch_size",
    "image_size",
    "backbone",
    "backbone_variant",
    "pixel_decoder",
    "queries",
    "num_labels",
    "task",
    "dtype",
    "quantization",
    "format",
)
"""Facts that a reader of a comparison looks for; of the graph first, of the encoding last."""

_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two models."""

    name: str
    """`owner/repo` where it is known, else where it was read."""
    location: str
    listing: TensorListing
    facts: Facts
    parts: tuple[Part, ...]
    digest: str | None
    structure: str | None
    built: bool
    """Whether the graph was built from the configuration because there are no weights."""
    problems: tuple[str, ...] = ()
    """Files that could not be read, shards that are missing."""


@dataclass(frozen=True, slots=True)
class PartPair:
    """A part of both models, or of one."""

    role: str
    left: Part | None
    right: Part | None
    differences: tuple[str, ...]
    """`family`, `variant` or keys of the detail that differ; empty where the part is the same or stands alone."""

    @property
    def same(self) -> bool:
        """Whether both sides have it with the same family, variant and sizes."""
        return self.left is not None and self.right is not None and not self.differences


@dataclass(frozen=True, slots=True)
class LoneGroup:
    """Tensors without counterpart that differ in their indices only."""

    name: str
    """Name with numbers replaced by `*`."""
    count: int
    shape: tuple[int, ...]
    kind: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models side by side."""

    left: Side
    right: Side
    parts: tuple[PartPair, ...]
    facts: tuple[tuple[str, Any, Any], ...]
    """(kind, left, right) of facts that differ; None where a side does not show it."""
    alignment: Alignment

    @property
    def complete(self) -> bool:
        """False when a side could not be read as a whole; what stands alone may then have a counterpart."""
        return not (self.left.problems or self.right.problems)

    @property
    def same(self) -> bool:
        """Whether the graphs are the same once layout is set aside."""
        return self.alignment.same


def compare(left: str, right: str, *, offline: bool = False) -> Comparison:
    """Compares two packages.

    Args:
        left: `owner/repo` on the hub, a folder, or a weight file; the original.
        right: the same; the copy, the conversion, the replication.
        offline: never use the network.

    Raises:
        NothingAuditableError: a side has no graph that could be compared.
        IncompleteAuditError: a side could not be read.
        PackageError: a target cannot be opened.
    """
    sides = [_side(target, offline=offline) for target in (left, right)]
    try:
        alignment = align(sides[0].listing, sides[1].listing)
    except AlignmentError as error:
        raise NothingAuditableError(f"cannot be compared: {error}") from None
    return Comparison(
        sides[0], sides[1], pair_parts(sides[0].parts, sides[1].parts), differing_facts(sides[0], sides[1]), alignment
    )


def _side(target: str, *, offline: bool) -> Side:
    package = open_package(target, offline=offline)
    known = measure(package)
    problems = [*known.damaged, *(str(error) for error in package.failures() if str(error) not in known.damaged)]
    listing, built = known.listing, False
    if listing is None:
        listing, built = _declared_graph(known), True
    if listing is None:
        if problems:
            raise IncompleteAuditError(f"{escape(package.location)}: {problems[0]}")
        reason = known.skipped[0].reason if known.skipped else "holds no weights that can be read"
        raise NothingAuditableError(f"{escape(package.location)}: {reason}")
    if listing.names_only:
        raise NothingAuditableError(f"{escape(package.location)}: only an index is there, names without shapes")
    if listing.adapter is not None:
        raise NothingAuditableError(
            f"{escape(package.location)}: an adapter ({escape(listing.adapter)}) has no graph of its own to compare"
        )
    if listing.incomplete:
        problems.append(f"{len(listing.incomplete)} shards are missing, the first is {escape(listing.incomplete[0])}")
    return Side(
        name=package.name or package.location,
        location=package.location,
        listing=listing,
        facts=known.facts,
        parts=known.parts or (_whole(known),),
        digest=known.fingerprint.digest if known.fingerprint else None,
        structure=known.fingerprint.structure if known.fingerprint else None,
        built=built,
        problems=tuple(problems),
    )


def _declared_graph(known: Measurement) -> TensorListing | None:
    if known.config is None:
        return None
    from clustering.live.listing import LiveModelError, listing_from_config

    try:
        return listing_from_config(known.config)
    except (MissingExtraError, LiveModelError) as error:
        raise NothingAuditableError(
            f"no weight header, and the declared class was not built: {one_line(error)}"
        ) from None


def _whole(known: Measurement) -> Part:
    """A model of one piece as its only part."""
    identity = known.identification
    best = identity.family[0].model_type if identity is not None and identity.family else "unknown"
    declared = known.facts.declared("family")
    if declared is not None and identity is not None and identity.family and declared.value in identity.family[0].twins:
        best = str(declared.value)  # twins have one graph; the declaration says which of them is meant
    kinds = ("layers", "hidden_size", "intermediate_size", "attention_heads", "vocabulary", "context", "num_labels")
    found = {kind: known.facts.best(kind) for kind in kinds}
    return Part("model", best, None, {kind: fact.value for kind, fact in found.items() if fact is not None})


def pair_parts(left: Sequence[Part], right: Sequence[Part]) -> tuple[PartPair, ...]:
    """Parts of one role side by side, in the order of the left model; several of a role in their order."""
    waiting = list(right)
    rows: list[PartPair] = []
    for part in left:
        other = next((candidate for candidate in waiting if candidate.role == part.role), None)
        if other is not None:
            waiting.remove(other)
        rows.append(PartPair(part.role, part, other, _differences(part, other) if other is not None else ()))
    rows += [PartPair(part.role, None, part, ()) for part in waiting]
    return tuple(rows)


def _differences(left: Part, right: Part) -> tuple[str, ...]:
    found = [kind for kind in ("family", "variant") if getattr(left, kind) != getattr(right, kind)]
    for key in sorted({*left.detail, *right.detail}):
        ours, theirs = left.detail.get(key), right.detail.get(key)
        if ours is not None and theirs is not None and _plain(ours) != _plain(theirs):
            found.append(key)
    return tuple(found)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def differing_facts(left: Side, right: Side) -> tuple[tuple[str, Any, Any], ...]:
    """Facts that the two sides do not share, of the kinds of `COMPARED_FACTS`."""
    rows: list[tuple[str, Any, Any]] = []
    for kind in COMPARED_FACTS:
        ours, theirs = (_fact(side, kind) for side in (left, right))
        if _plain(ours) != _plain(theirs):
            rows.append((kind, ours, theirs))
    return tuple(rows)


def _fact(side: Side, kind: str) -> Any:
    fact = side.facts.best(kind)
    return fact.value if fact is not None else None


def starred(name: str) -> str:
    """The name with every number replaced by `*`."""
    return _NUMBER.sub("*", name)


def grouped(lone: Sequence[Lone]) -> tuple[LoneGroup, ...]:
    """What stands alone, one row for names that differ in numbers only; parameters first, in stored order."""
    groups: dict[tuple[str, str], LoneGroup] = {}
    for item in lone:
        key = (item.kind, starred(item.name))
        known = groups.get(key)
        groups[key] = replace(known, count=known.count + 1) if known else LoneGroup(key[1], 1, item.shape, item.kind)
    return tuple(sorted(groups.values(), key=lambda group: group.kind != "parameter"))


def layouts(comparison: Comparison) -> Mapping[str, int]:
    """How many pairs need which change of layout; rows of fused matrices count as `fused`."""
    counts = Counter("fused" if pair.change == "fused" else pair.layout for pair in comparison.alignment.pairs)
    return dict(sorted(counts.items(), key=lambda item: (item[0] != "same", -item[1], item[0])))
