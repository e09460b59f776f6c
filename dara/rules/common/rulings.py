"""How one family claim stands against the evidence; DAR101, DAR102 and DAR601 each report their part of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from clustering.facts import Fact
from clustering.text import escape
from dara.findings import Confidence
from dara.rules.common.exempt import repo_words
from dara.rules.common.families import (
    SHORTEST_WORD,
    SURE,
    FamilyEvidence,
    accepted,
    also_named,
    gather,
    squash,
    variants_in_words,
)
from dara.rules.common.graphs import same_graph, spelling
from dara.rules.common.tables import words
from dara.subject import Subject
from naming.records import Claim

_COUNT_GOES_ON: Final = re.compile(r"[bBmM](?![A-Za-z])")
_WORDS: Final = re.compile(r"[-_]")
"""Remote code calls a composite after its language model (`bunny-llama`, `llava_qwen`)."""
_DIGITS: Final = re.compile(r"\d.*$")


class Ruling(Enum):
    """What the evidence says about one family claim."""

    HELD = auto()
    SIBLING = auto()
    """True only through a twin: same graph, another declaration, tokenizer and code."""
    GENERATION = auto()
    """Another generation of the same series (`qwen3` over a `qwen2` graph)."""
    CONTRADICTED = auto()
    DISPUTED = auto()
    """Configuration and weights contradict each other, and the name agrees with the configuration (DAR104)."""
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class RuledClaim:
    """A claim with its ruling, the fact that decided, and why."""

    claim: Claim
    ruling: Ruling
    fact: Fact | None
    reason: str = ""


def series(model_type: str) -> str:
    """The series a model type belongs to: `qwen2_5_vl` and `qwen3` are both `qwen`."""
    return _DIGITS.sub("", squash(model_type))


def measured_fact(evidence: FamilyEvidence) -> Fact | None:
    """The family that the graph shows, as a fact."""
    if evidence.measured is None:
        return None
    twins = f", twins {', '.join(sorted(evidence.measured.twins)[:4])}" if evidence.measured.twins else ""
    return Fact(
        "family", evidence.measured.model_type, "measured", f"graph, score {evidence.measured.score:.2f}{twins}"
    )


def rule_on(claim: Claim, evidence: FamilyEvidence, subject: Subject) -> RuledClaim:
    """The ruling on one claim."""
    accept = variants_in_words(claim, subject)
    best = evidence.declared_fact or measured_fact(evidence)
    shown = bool(accept & evidence.measured_set)
    if {evidence.declared, evidence.class_family} & accept:
        sure = evidence.measured is not None and evidence.measured.score >= SURE
        if evidence.agree is False and not shown and sure:
            return RuledClaim(claim, Ruling.DISPUTED, best, "config.json and the weights name different families")
        if spelled_twin(claim, evidence) or _spells_shorter_twin(claim, evidence, subject):
            return RuledClaim(replace(claim, modality="stated"), Ruling.SIBLING, best)
        return RuledClaim(claim, Ruling.HELD, best)
    if accept & evidence.components:
        return RuledClaim(claim, Ruling.HELD, best, "names a part of the model")
    if any(len(name) > 2 and _is_built_on(evidence.declared, name, claim) for name in accept) or (
        not evidence.known and accept & set(_WORDS.split(evidence.declared_name.lower()))
    ):
        reason = f"{escape(evidence.declared_name)} is built on the family that the name states"
        return RuledClaim(claim, Ruling.UNKNOWN, best, reason)
    if shown and evidence.agree is not True:
        if not evidence.declared:
            return RuledClaim(claim, Ruling.HELD, measured_fact(evidence))
        reason = "the graph fits the name and config.json does not"
        return RuledClaim(claim, Ruling.UNKNOWN, measured_fact(evidence), reason)
    if also_named(claim, subject, evidence.declared):
        reason = f"other words of the name speak of {escape(evidence.declared_name)}"
        return RuledClaim(claim, Ruling.UNKNOWN, best, reason)
    if shown or accept & evidence.declared_twins:
        return RuledClaim(claim, Ruling.SIBLING, best)
    return _apart(claim, accept, evidence, best, subject)


def _is_built_on(declared: str, name: str, claim: Claim) -> bool:
    """Whether a declared family carries on a claimed one (`llava_llama`), but for another release than the name states.

    `phi-2` over a `phi3` is another generation; `sam-huge` over a `sam2` may just have left the number out.
    """
    if not declared.startswith(name):
        return False
    released = declared[len(name) : len(name) + 1].isdigit() and any(letter.isdigit() for letter in claim.text)
    return not released


def spelled_twin(claim: Claim, evidence: FamilyEvidence) -> str:
    """The twin that a brand's word spells, where it is a closer description than the declared family; empty for none.

    A `sikuroberta` may be a BERT by its publisher's own card; its name still says RoBERTa. The other way round, "bert"
    in a brand (`phobert`) is said of every encoder of the kind.
    """
    text = squash(claim.text)
    if len(evidence.declared) < SHORTEST_WORD or not {evidence.declared, evidence.class_family} & accepted(claim):
        return ""
    finer = (
        name for name in sorted(evidence.declared_twins) if evidence.declared in name and name != evidence.declared
    )
    return max((name for name in finer if name in text), key=len, default="")


def _spells_shorter_twin(claim: Claim, evidence: FamilyEvidence, subject: Subject) -> bool:
    """Whether a fused word of several readings ends with one twin to the letter, and the other is declared.

    `daT5` may be said of every T5, yet a reader of that word loads T5 and not the MT5 that is there. Where the longer
    name stands in the word (`afri-mt5`) nothing is wrong, nor where the word is a method's (`sbert`), which has more
    readings than two, or where the words together spell what is declared (`speecht5_hifigan`).
    """
    if subject.parsed is not None and evidence.declared in squash(subject.parsed.repo):
        return False
    text, value = squash(claim.text), squash(str(claim.value))
    return (
        claim.modality == "ambiguous"
        and value != evidence.declared
        and evidence.declared.endswith(value)
        and text.endswith(value)
        and evidence.declared not in text
        and accepted(claim) == {value, evidence.declared}
    )


def _apart(
    claim: Claim, accept: frozenset[str], evidence: FamilyEvidence, best: Fact | None, subject: Subject
) -> RuledClaim:
    """The ruling where nothing makes the claim true."""
    if squash(str(claim.value)) in words("containers") and repo_words(subject) & words("roles"):
        return RuledClaim(claim, Ruling.UNKNOWN, best, "names a part of a composite")
    if not evidence.declared and evidence.measured is None:
        reason = evidence.abstained or "neither a configuration nor a readable graph tells the family"
        return RuledClaim(claim, Ruling.UNKNOWN, None, reason)
    if repo_words(subject) & words("companions"):
        return RuledClaim(claim, Ruling.UNKNOWN, best, "drafts and projectors are named after the model they are for")
    if accept & words("composites") and subject.listing is not None and subject.listing.format == "gguf":
        return RuledClaim(claim, Ruling.UNKNOWN, best, "GGUF keeps the language model of a composite alone")
    if accept & words("pipelines"):
        return RuledClaim(claim, Ruling.UNKNOWN, best, "names a pipeline that the model may serve")
    if evidence.declared in words("containers") and not evidence.components:
        reason = f"the parts of this {escape(evidence.declared_name)} are not declared"
        return RuledClaim(claim, Ruling.UNKNOWN, best, reason)
    if not evidence.declared and evidence.measured_set <= words("containers"):
        return RuledClaim(claim, Ruling.UNKNOWN, best, "the graph is told only as one that a container may hold")
    if evidence.declared and not evidence.recognised and evidence.measured is None:
        reason = f"the declared family {escape(evidence.declared_name)} is not one that DARA knows"
        return RuledClaim(claim, Ruling.UNKNOWN, best, reason)
    roots = {series(name) for name in accept}
    own = {series(name) for name in (evidence.declared, *evidence.measured_set) if name}
    if any(len(root) > 2 for root in roots & own):
        return RuledClaim(claim, Ruling.GENERATION, best)
    meant = [name for name in claim.accepts or (str(claim.value),) if squash(str(name)) not in words("containers")]
    named = tuple(spelling(subject, name) for name in meant)
    if same_graph(subject, named):
        return RuledClaim(claim, Ruling.SIBLING, best)
    return RuledClaim(claim, Ruling.CONTRADICTED, best)


def rulings(subject: Subject) -> tuple[FamilyEvidence, tuple[RuledClaim, ...]]:
    """Rulings on every family claim about the whole model.

    When a name states several families and one of them is the package's, the others are not accused: they name a part,
    a parent or a teacher that the parser could not tell. A word that holds for a part alone (`swin` in a detector) does
    not speak for the other words.
    """
    evidence = gather(subject)
    claims = [claim for claim in subject.claims("family") if claim.role in ("", "main")]
    claims = [replace(claim, modality="ambiguous") if _cut_from_count(claim, subject) else claim for claim in claims]
    ruled = [rule_on(claim, evidence, subject) for claim in claims]
    if any(item.ruling is Ruling.HELD and not item.reason for item in ruled):
        ruled = [item for item in ruled if item.ruling in (Ruling.HELD, Ruling.DISPUTED)]
    return evidence, tuple(ruled)


def _cut_from_count(claim: Claim, subject: Subject) -> bool:
    """Whether the last digit of the words belongs to a count, as in `gpt-1b`, read as the first GPT."""
    repo = subject.parsed.repo if subject.parsed is not None else ""
    return claim.text[-1:].isdigit() and _COUNT_GOES_ON.match(repo.partition(claim.text)[2]) is not None


def strength(claim: Claim, evidence: FamilyEvidence) -> Confidence:
    """How sure a family accusation is: channels that agree raise it, indirect wording lowers it."""
    if claim.modality == "ambiguous":
        return Confidence.LOW
    both = evidence.agree is True and evidence.measured is not None and evidence.measured.score >= SURE
    if claim.modality == "implied":
        return Confidence.MEDIUM if both else Confidence.LOW
    return Confidence.HIGH if both else Confidence.MEDIUM


def observed_family(evidence: FamilyEvidence) -> str:
    """The family the package has, in words."""
    measured = evidence.measured.model_type if evidence.measured is not None else ""
    if not evidence.declared:
        return f"{escape(measured)} by its graph"
    if evidence.measured is None:
        return f"{escape(evidence.declared_name)} by its configuration"
    if evidence.agree:
        return f"{escape(evidence.declared_name)} by configuration and graph"
    return f"{escape(evidence.declared_name)} by its configuration and {escape(measured)} by its graph"
