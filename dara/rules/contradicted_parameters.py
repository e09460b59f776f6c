"""DAR201."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from clustering.facts import Fact
from dara.findings import Confidence, Evidence, Outcome, Severity
from dara.rules.common.exempt import is_adapter, is_partial, is_toy, resized_on_purpose
from dara.rules.common.families import sub_families
from dara.rules.common.wording import quoted, short_number
from dara.rules.interface import Rule
from dara.subject import Subject
from naming.records import Claim

LOW: Final = 0.75
HIGH: Final = 1.45
"""Truthful names lie between these ratios of measured to stated parameters. Of 1,421 leaderboard models whose name has
one count, 96 % lie between .927 and 1.307 ("2B" for Gemma's 2.61 B); 1.3 % lie below .75 and 1.3 % above 1.45, which
are the defects this rule looks for, merges that kept a name, and a few miscounts of the table (`python -m
benchmarks.parameters`)."""

SURE_LOW: Final = 0.6
SURE_HIGH: Final = 1.8
"""Beyond these a contradiction is an error: 1.1 % and .6 % of the same table, every one a wrong name or a miscount."""

MIXTURE_LOW: Final = 0.5
MIXTURE_HIGH: Final = 1.2
"""`8x7B` holds 46.7e9, .83 of the product, since attention is shared; 23 mixtures of the table lie in .78 to .96."""

_EFFECTIVE: Final = re.compile(r"(?i)^e\d")
EFFECTIVE_HIGH: Final = 3.2
"""`E2B` counts what has to be in fast memory: Gemma 3n and 4 hold 4.5e9 to 5.4e9 with the embeddings of each layer."""

_NAMED_BY_WORDS: Final = frozenset(["encoder", "seq2seq", "gpt"])
"""Kinds of families whose published sizes are words."""

_STACKS: Final = frozenset({"encoder", "decoder"})
_ROUND: Final = ("1", "2", "3", "5")
_YEAR: Final = re.compile(r"(?:^|[-_.])20[12]\d(?:[-_.][a-z]{3})?[-_.]$")

_JOINED: Final = re.compile(r"^[vV]?(?:\d+_)+(\d+(?:\.\d+)?)\s*([bBmM])$")
_BEFORE: Final = re.compile(r"(\d{1,3})[._]$")
_WHOLE: Final = re.compile(r"^\d+[bBmM]$")
_DIMENSIONS: Final = ("hidden_size", "hidden_sizes", "layers", "depths", "vocabulary", "embed_dim", "attention_heads")
_SCALE: Final = {"b": 1e9, "m": 1e6}


class ContradictedParameters(Rule):
    """The number of parameters in the name is not that of the weights.

    ## Why it matters
    People pick hardware, and judge quality and price, by this number.

    ## How it is checked
    The logical number of parameters, with packed quantization unpacked and shared tensors counted once, is compared
    with every count in the name, with and without embeddings, and with that of each large sub-model. The tolerance is
    measured on published models (a "7B" may hold 6.7e9, a "2B" 2.6e9, an "8x7B" 46.7e9; "A3B" speaks of active ones).

    ## Example
    `someone/assistant-7b` whose tensors hold 1.1e9 parameters.

    ## Known limits
    Adapters, drafts, projectors, incomplete packages, and fixtures with random weights are skipped. When a name
    states several counts (a teacher's too) it is enough that one holds. Beside the size word of a text encoder a count
    may be that of its training data where it is round, or behind a year (`roberta-base-10M`, `...-2022-154m`); such
    findings have low confidence.
    """

    code = "DAR201"
    slug = "contradicted-parameters"
    severity = Severity.ERROR
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Compares stated counts with the counted parameters."""
        claims = subject.claims("parameters")
        if not claims:
            return
        reason = _exempt(subject)
        fact = subject.facts.best("parameters")
        if reason or fact is None or not isinstance(fact.value, int | float) or fact.value <= 0:
            yield self.skipped(reason or "no weight header tells the number of parameters")
            return
        counts = possible_counts(subject, float(fact.value))
        holding = [claim for claim in claims if any(_holds(claim, count, subject) for count in counts)]
        for claim in claims:
            if claim in holding:
                yield self.held(claim, fact)
            elif (
                holding
                or _speaks_of_active(claim, subject)
                or _active_beside_experts(claim, subject, float(fact.value))
            ):
                yield self.skipped(f"{quoted(claim.text)} speaks of another count, or of a part")
            else:
                yield self._contradiction(subject, claim, fact, counts)

    def _contradiction(self, subject: Subject, claim: Claim, fact: Fact, counts: tuple[float, ...]) -> Outcome:
        meanings = _stated(claim, subject)
        stated = meanings[0] if meanings else 0.0
        ratios = [count / meaning for count in counts for meaning in meanings] or [1.0]
        far = all(not SURE_LOW <= ratio <= SURE_HIGH for ratio in ratios) or isinstance(claim.value, Mapping)
        confirmed = not subject.config or any(
            fact.basis == "declared" and fact.kind.endswith(_DIMENSIONS) for fact in subject.facts
        )
        confidence = Confidence.HIGH if far and fact.basis == "measured" else Confidence.MEDIUM
        # A configuration without any dimension is a stub, and weights built from it have a library's default size.
        if (
            claim.modality == "ambiguous"
            or resized_on_purpose(subject)
            or not confirmed
            or _may_count_data(claim, subject)
        ):
            confidence = Confidence.LOW
        sure = far and confidence >= Confidence.MEDIUM
        return self.finding(
            f"name says {short_number(stated)} parameters ({quoted(claim.text)}), "
            f"the weights hold {short_number(float(fact.value))}",
            confidence=confidence,
            severity=None if sure else Severity.WARNING,
            claim=claim,
            fact=fact,
            evidence=(
                Evidence(fact.source, f"{int(fact.value):,} parameters"),
                *_tolerance(claim, subject),
            ),
        )


def _may_count_data(claim: Claim, subject: Subject) -> bool:
    """Whether a count beside a size word may be that of the training data (`roberta-base-10M`, `...-large-2022-154m`).

    Text encoders and their kin are named by size words, which tell the parameters already. Data is counted in round
    numbers, or in what had been collected by a year; nobody counts 7 or 13 billion of it.
    """
    if not isinstance(claim.value, int) or not subject.claims("size"):
        return False
    before = subject.parsed.repo.partition(claim.text)[0] if subject.parsed else ""
    first, millions = str(claim.value).rstrip("0"), claim.value < 1e9
    if first not in (_ROUND if millions else ("1",)) and not (millions and _YEAR.search(before)):
        return False
    from naming.domains import domain_of

    declared = subject.facts.best("family")
    return declared is not None and domain_of(str(declared.value)) in _NAMED_BY_WORDS


def _exempt(subject: Subject) -> str:
    if is_adapter(subject):
        return "an adapter is named after the model that it changes"
    if is_partial(subject):
        return "the package holds a part of a model, or not all of its shards"
    if is_toy(subject):
        return "a fixture with arbitrary dimensions"
    return ""


def possible_counts(subject: Subject, total: float) -> tuple[float, ...]:
    """The total, the total without embeddings, and totals of large sub-models."""
    counts = [total]
    embedded = subject.facts.best("embedding_parameters")
    if embedded is not None and isinstance(embedded.value, int | float) and 0 < embedded.value < total:
        counts.append(total - embedded.value)
    counts.extend(_sub_models(subject, total))
    return tuple(counts)


def _sub_models(subject: Subject, total: float) -> Iterator[float]:
    """Parameters under each first or second segment of the tensor names that has 30 to 97 % of all.

    A vision-language model is often named after its language model alone (`blip2-opt-2.7b`). Nobody calls an
    encoder-decoder of text after one of its two stacks.
    """
    if subject.listing is None or subject.listing.names_only:
        return
    whole = _is_plain_seq2seq(subject)
    sums: dict[str, int] = {}
    for tensor in subject.listing.tensors:
        pieces = tensor.name.split(".", 3)
        for depth in (1, 2):
            if len(pieces) > depth + 1 and not (whole and pieces[depth - 1] in _STACKS):
                key = ".".join(pieces[:depth])
                sums[key] = sums.get(key, 0) + tensor.elements
    yield from (float(count) for count in dict.fromkeys(sums.values()) if 0.3 * total <= count <= 0.97 * total)


def _is_plain_seq2seq(subject: Subject) -> bool:
    """Whether the package is an encoder-decoder of text and no composite of other models."""
    from naming.domains import domain_of

    declared = subject.facts.declared("family")
    return declared is not None and domain_of(str(declared.value)) == "seq2seq" and not sub_families(subject.config)


def _speaks_of_active(claim: Claim, subject: Subject) -> bool:
    return isinstance(claim.value, Mapping) and not _stated(claim, subject)


def _active_beside_experts(claim: Claim, subject: Subject, total: float) -> bool:
    """Whether a count beside words about experts may be that of the active parameters, or of each expert.

    `17B-16E` counts what is active; merge tools name a mixture after the model that each expert is (`Yi-9B-MoE`).
    """
    if not subject.claims("experts") or not isinstance(claim.value, int | float) or not 0 < claim.value < total:
        return False
    active, experts = subject.facts.best("parameters_active"), subject.facts.best("experts")
    if active is not None and isinstance(active.value, int | float) and 0.5 <= active.value / claim.value <= 2.0:
        return True
    count = experts.value if experts is not None and isinstance(experts.value, int) else 0
    return count > 1 and total <= claim.value * count * MIXTURE_HIGH


def _stated(claim: Claim, subject: Subject) -> tuple[float, ...]:
    """Counts that the claim can mean, the likeliest first."""
    value: Any = claim.value
    if isinstance(value, Mapping):
        experts, each = value.get("experts"), value.get("each")
        if isinstance(experts, int | float) and isinstance(each, int | float):
            return (float(experts) * float(each),)
        total = value.get("total")
        return (float(total),) if isinstance(total, int | float) and total > 0 else ()
    if not isinstance(value, int | float) or isinstance(value, bool) or value <= 0:
        return ()
    meanings = [float(value)]
    joined = _JOINED.match(claim.text.strip())  # "v9_7_1B": a version and a count look like one decimal number
    if joined:
        meanings.append(float(joined[1]) * _SCALE[joined[2].lower()])
    before = _BEFORE.search(subject.parsed.repo.partition(claim.text)[0]) if subject.parsed else None
    if before and _WHOLE.match(claim.text):  # "qw1.5B" cut behind its point
        meanings.append(float(f"{before[1]}.{claim.text[:-1]}") * _SCALE[claim.text[-1].lower()])
    return tuple(meanings)


def _holds(claim: Claim, count: float, subject: Subject) -> bool:
    if isinstance(claim.value, Mapping) and "each" in claim.value:
        return any(MIXTURE_LOW <= count / stated <= MIXTURE_HIGH for stated in _stated(claim, subject))
    if isinstance(claim.value, Mapping) and "active" in claim.value:
        active = subject.facts.best("parameters_active")
        stated = claim.value["active"]
        numbers = active is not None and isinstance(active.value, int | float) and isinstance(stated, int | float)
        return bool(numbers and active is not None and 0.5 <= active.value / stated <= 2.0)
    high = EFFECTIVE_HIGH if _EFFECTIVE.match(claim.text.strip()) else HIGH
    return any(LOW <= count / stated <= high for stated in _stated(claim, subject))


def _tolerance(claim: Claim, subject: Subject) -> Iterator[Evidence]:
    bounds = _bounds(claim, subject)
    if len(bounds) == 2:
        low, high = bounds
        yield Evidence("name", f"such names are truthful from {short_number(low)} to {short_number(high)} parameters")


def _bounds(claim: Claim, subject: Subject) -> tuple[float, ...]:
    low, high = (MIXTURE_LOW, MIXTURE_HIGH) if isinstance(claim.value, Mapping) else (LOW, HIGH)
    return tuple(bound for stated in _stated(claim, subject)[:1] for bound in (stated * low, stated * high))
