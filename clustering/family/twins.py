"""Twins: families whose base model is the same graph at equal sizes.

Each base model's template is instantiated at sizes that share no accidental equality, and every other template is asked
to explain the instance. Families that explain each other's instances exactly are twins; vocabulary and positions are
sizes like any other and so play no part.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from clustering.family.calibrate import EXACT
from clustering.family.scorer import FamilyScorer
from clustering.family.templates import Template
from clustering.family.unify import Observed

Shape = tuple[int, ...]
_DEPTHS = (5, 7, 11, 13, 17, 19, 23, 29)
_NEAR = 40
"""Most similar bare models that are asked to explain an instance; a twin's tokens are the same, so it is among them."""
_MIN_TENSORS = 12
"""Smaller graphs (a projection, a code book) say too little to call two families the same."""


def _distinct(usual: tuple[int, ...]) -> list[int]:
    """Sizes near the usual ones, no two equal, none a small multiple of another."""
    taken: set[int] = set()
    result = []
    for size in usual:
        value = max(19, size) | 1
        while value in taken or any(value % p == 0 for p in (3, 5, 7)):
            value += 2
        taken.add(value)
        result.append(value)
    return result


def instance(template: Template) -> list[Shape]:
    """Shapes of the template at generic sizes, in group order."""
    sizes: list[int | None] = list(_distinct(template.usual))
    depths: list[int | None] = [_DEPTHS[n % len(_DEPTHS)] for n in range(template.depths)]
    shapes: list[Shape] = []
    for group in template.groups:
        shape = tuple(d.value(sizes) or 0 for d in group.dims)
        shapes += [shape] * max(0, group.count.value(depths) or 0)
    return shapes


def _bases(scorer: FamilyScorer) -> Iterator[tuple[str, int]]:
    """(family, template) of the bare models in their main layout; of all classes where none is named so."""
    index = scorer.index
    rows: dict[str, list[tuple[str, int]]] = defaultdict(list)
    main: dict[tuple[int, int], int] = {}
    for layout in range(len(index.layout_family)):
        key = int(index.layout_family[layout]), int(index.layout_class[layout])
        if (
            not index.layout_published[layout]
            and index.layout_variants[layout] > index.layout_variants[main.get(key, layout)]
        ):
            main[key] = layout
        main.setdefault(key, layout)
    for (family_number, class_number), layout in sorted(main.items()):
        rows[index.families[family_number]].append((index.classes[class_number], int(index.layout_template[layout])))
    for family, classes in sorted(rows.items()):
        bare = [number for name, number in classes if name.endswith("Model")]
        for number in sorted(set(bare or [number for _, number in classes])):
            yield family, number


def find_twins(scorer: FamilyScorer) -> dict[str, list[str]]:
    """Twins of every family that has any, sorted."""
    explains: dict[str, set[str]] = defaultdict(set)
    owners: dict[int, set[str]] = defaultdict(set)
    for family, number in _bases(scorer):
        owners[number].add(family)
    for number, families in sorted(owners.items()):
        template = scorer.templates.template(number)
        shapes = instance(template)
        if len(shapes) < _MIN_TENSORS:
            continue
        for family in families:  # a shared template needs no search to explain itself
            explains[family] |= families
        for other, fit in scorer.templates.nearest(Observed(shapes), set(owners), _NEAR).items():
            if fit.overlap >= EXACT:
                for family in families:
                    explains[family] |= owners[other]
    twins: dict[str, list[str]] = {}
    for family, others in sorted(explains.items()):
        mutual = sorted(o for o in others if o != family and family in explains.get(o, set()))
        if mutual:
            twins[family] = mutual
    return twins
