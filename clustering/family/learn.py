"""Learning the index from reference models: templates per class, vocabularies per layout, tokens per template."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clustering.family.index import FamilyIndex, encode_template
from clustering.family.templates import HARD_CONSTANT, Template, learn
from clustering.family.tokens import main_width, shape_tokens
from clustering.family.unions import encode_union, learn_union
from clustering.family.vocabulary import tail
from clustering.graphs.layers import Parameter, fold_tied, parameters_of, roots_of
from clustering.tensors import TensorListing

_MADE_UP = re.compile(r"half|wide|deep|narrow|mha|mixed\d|sundry|flag:|pattern:|combined:|size\d")
"""Variants whose sizes nobody published."""
_SHARED = 1 << 19
"""Parameters kept for sharing; the corpus has about 300,000 different ones."""
INDEPENDENT = "mixed"
"""Variants whose fields move independently begin with this; they inform the sibling classes too."""


@dataclass(frozen=True, slots=True)
class Example:
    """One reference model, as the learner sees it."""

    family: str
    class_name: str
    variant: str
    published: bool
    parameters: tuple[Parameter, ...]
    roots: frozenset[str]


@dataclass(slots=True)
class _Layout:
    family: str
    class_name: str
    published: bool
    template: int
    names: frozenset[str]
    variants: int


@dataclass(slots=True)
class _Templates:
    """Unique templates; equal graphs of different classes share one."""

    blobs: list[bytes] = field(default_factory=list)
    values: list[Template] = field(default_factory=list)
    tokens: list[Counter[str]] = field(default_factory=list)
    members: list[int] = field(default_factory=list)
    numbers: dict[bytes, int] = field(default_factory=dict)

    def add(self, template: Template) -> int:
        """Number of the template; `usual`, `typical` and `follows` shares do not make a template different."""
        shape = Template(
            tuple(type(g)(g.dims, g.count, 0.0) for g in template.groups), template.sizes, template.depths, (), ()
        )
        key = encode_template(shape)
        number = self.numbers.setdefault(key, len(self.numbers))
        if number == len(self.blobs):
            self.blobs.append(encode_template(template))
            self.values.append(template)
            self.tokens.append(Counter())
            self.members.append(0)
        return number


def example(family: str, class_name: str, variant: str, listing: TensorListing, *, published: bool = False) -> Example:
    """Prepare one reference model."""
    parameters = parameters_of(listing)
    slim = tuple(_slim(p.star, p.shape) for p in fold_tied(parameters))
    return Example(family, class_name, variant, published, slim, roots_of(parameters))


@lru_cache(maxsize=_SHARED)
def _slim(star: str, shape: tuple[int, ...]) -> Parameter:
    """What the learner reads of a parameter; equal ones are one object, which a corpus of millions needs."""
    return Parameter(star, (), shape, "")


def learn_index(
    examples: Iterable[Example], *, priors: Mapping[str, float] | None = None, meta: Mapping[str, Any] | None = None
) -> FamilyIndex:
    """The index over all examples. Deterministic: depends on the examples and their order within a class only.

    Args:
        examples: reference models; those of one class in one spelling may come in any place.
        priors: weight per family for ties between twins (default 0).
        meta: versions and the like, kept in the index.
    """
    grouped: dict[tuple[str, str, bool], list[Example]] = defaultdict(list)
    for item in examples:
        grouped[item.family, item.class_name, item.published].append(item)
    further: dict[tuple[str, bool], list[tuple[str, Example]]] = defaultdict(list)
    for (family, class_name, published), several in sorted(grouped.items(), key=lambda kv: kv[0]):
        further[family, published] += [(class_name, e) for e in several if e.variant.startswith(INDEPENDENT)]
    templates = _Templates()
    layouts: list[_Layout] = []
    for (family, class_name, published), several in sorted(grouped.items(), key=lambda kv: kv[0]):
        several.sort(key=lambda e: e.variant != "library")
        siblings = [e.parameters for name, e in further[family, published] if name != class_name]
        learnt = learn([e.parameters for e in several], siblings)
        for template, slots, members in learnt:
            number = templates.add(template)
            for member in members:
                templates.members[number] += 1
                for token, weight in shape_tokens([p.shape for p in several[member].parameters]).items():
                    templates.tokens[number][token] += weight  # type: ignore[assignment]  # weights are real numbers
            names = frozenset(star for star, _ in slots)
            for roots, several_members in _by_roots(several, members):
                layouts.append(_Layout(family, class_name, published, number, names | roots, several_members))
    index = _pack(layouts, templates, _table_sizes(grouped.values()), priors or {}, meta or {})
    return replace(index, unions=_unions(grouped, index))


def _unions(grouped: Mapping[tuple[str, str, bool], Sequence[Example]], index: FamilyIndex) -> tuple[bytes, ...]:
    """The union of every family, in the order of the index."""
    models: dict[str, list[tuple[Parameter, ...]]] = defaultdict(list)
    for (family, _, _), several in sorted(grouped.items(), key=lambda kv: kv[0]):
        models[family] += [item.parameters for item in several]
    numbers = {name: number for number, name in enumerate(index.star_names)}
    return tuple(encode_union(learn_union(models[family]), numbers) for family in index.families)


def _table_sizes(grouped: Iterable[Sequence[Example]]) -> dict[str, set[int]]:
    """Sizes of unrepeated parameters in the library default and in published configurations, by family."""
    sizes: dict[str, set[int]] = defaultdict(set)
    for several in grouped:
        for item in several:
            if _MADE_UP.match(item.variant):
                continue
            width = main_width(Counter(p.shape for p in item.parameters))
            for parameter in item.parameters:
                if "*" not in parameter.star.split("."):
                    sizes[item.family].update(s for s in parameter.shape if s > HARD_CONSTANT and s != width)
    return sizes


def _by_roots(several: Sequence[Example], members: Sequence[int]) -> list[tuple[frozenset[str], int]]:
    """The root sets among the members, with how many have each: tied and untied variants of one layout differ."""
    found = Counter(several[member].roots for member in members)
    return sorted(found.items(), key=lambda item: sorted(item[0]))


def _idf(sets: Sequence[tuple[int, frozenset[str]]]) -> dict[str, float]:
    """log(1 + families / families that have the name)."""
    owners: dict[str, set[int]] = defaultdict(set)
    for family, names in sets:
        for name in names:
            owners[name].add(family)
    families = len({family for family, _ in sets}) or 1
    return {name: log(1 + families / len(who)) for name, who in sorted(owners.items())}


def _rows(sets: Sequence[Sequence[int]]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    offsets = np.zeros(len(sets) + 1, dtype=np.int64)
    np.cumsum([len(s) for s in sets], out=offsets[1:])
    flat = np.array([n for s in sets for n in s], dtype=np.int32)
    return flat, offsets


def _vocabulary(
    layouts: Sequence[_Layout], families: Mapping[str, int], names: Sequence[frozenset[str]]
) -> tuple[tuple[str, ...], NDArray[np.float32], NDArray[np.int32], NDArray[np.int64]]:
    idf = _idf([(families[layout.family], found) for layout, found in zip(layouts, names, strict=True)])
    numbers = {name: number for number, name in enumerate(idf)}
    flat, offsets = _rows([sorted(numbers[n] for n in found) for found in names])
    return tuple(idf), np.array(list(idf.values()), dtype=np.float32), flat, offsets


def _pack(
    layouts: Sequence[_Layout],
    templates: _Templates,
    sizes: Mapping[str, set[int]],
    priors: Mapping[str, float],
    meta: Mapping[str, Any],
) -> FamilyIndex:
    families = {name: n for n, name in enumerate(sorted({layout.family for layout in layouts}))}
    classes = {name: n for n, name in enumerate(sorted({layout.class_name for layout in layouts}))}
    stars = [layout.names for layout in layouts]
    tails = [frozenset(tail(star) for star in found) for found in stars]
    star_names, star_idf, star_flat, star_offsets = _vocabulary(layouts, families, stars)
    tail_names, tail_idf, tail_flat, tail_offsets = _vocabulary(layouts, families, tails)
    usual, usual_offsets = _rows([sorted(sizes.get(family, ())) for family in families])
    owners: dict[str, int] = Counter(token for bag in templates.tokens for token in bag)
    token_idf = {t: log(1 + len(templates.blobs) / n) for t, n in sorted(owners.items()) if n > 0}
    numbers = {t: n for n, t in enumerate(token_idf)}
    rows: list[list[int]] = []
    weights: list[NDArray[np.float32]] = []
    for bag, members in zip(templates.tokens, templates.members, strict=True):
        kept = sorted(numbers[t] for t in bag)
        rows.append(kept)
        by_number = {numbers[t]: w / max(1, members) for t, w in bag.items()}
        row = np.array([by_number[n] for n in kept], dtype=np.float32)
        weights.append(row)
    idf = np.array(list(token_idf.values()), dtype=np.float32)
    flat, offsets = _rows(rows)
    scaled = [w * idf[np.array(r, dtype=np.int64)] if r else w for w, r in zip(weights, rows, strict=True)]
    unit = [w / max(1e-9, float(np.linalg.norm(w))) for w in scaled]
    return FamilyIndex.of_rows(
        families=tuple(families),
        priors=np.array([priors.get(f, 0.0) for f in families], dtype=np.float32),
        classes=tuple(classes),
        layout_family=np.array([families[x.family] for x in layouts], dtype=np.int32),
        layout_class=np.array([classes[x.class_name] for x in layouts], dtype=np.int32),
        layout_template=np.array([x.template for x in layouts], dtype=np.int32),
        layout_published=np.array([x.published for x in layouts], dtype=np.int8),
        layout_variants=np.array([x.variants for x in layouts], dtype=np.int32),
        star_names=star_names,
        star_idf=star_idf,
        stars=star_flat,
        star_offsets=star_offsets,
        tail_names=tail_names,
        tail_idf=tail_idf,
        tails=tail_flat,
        tail_offsets=tail_offsets,
        usual=usual,
        usual_offsets=usual_offsets,
        templates=tuple(templates.blobs),
        token_names=tuple(token_idf),
        token_idf=idf,
        tokens=flat,
        token_weights=np.concatenate(unit).astype(np.float32) if unit else np.zeros(0, np.float32),
        token_offsets=offsets,
        meta=dict(meta),
    )
