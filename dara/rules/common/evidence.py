"""What is shown beside an accusation about a family, so that a reader can check it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from clustering.tensors import Tensor
from clustering.text import escape
from dara.findings import Evidence
from dara.rules.common.families import FamilyEvidence, accepted, squash
from dara.rules.common.wording import quoted
from dara.subject import Subject
from naming.records import Claim

_FIRST_BLOCK: Final = re.compile(r"(?:^|\.)0\.")
_LONGEST_NAME: Final = 120
_TELLING_TWINS: Final = ("token_types", "positions", "vocabulary")
"""What the configurations of twins differ in: a BERT has two token types and 512 positions, a RoBERTa one and 514."""


def family_evidence(evidence: FamilyEvidence, claim: Claim, subject: Subject) -> Iterator[Evidence]:
    """The observations behind an accusation: what is declared, what the graph is and is not, and a tensor of it.

    Where the claimed family has the same graph, what tells the two apart by the configuration.
    """
    if evidence.declared_fact is not None:
        yield Evidence(
            evidence.declared_fact.source, f"{evidence.declared_fact.kind} = {escape(evidence.declared_name)}"
        )
    named = subject.facts.declared("architecture_class")
    if named is not None and named is not evidence.declared_fact:
        yield Evidence(named.source, f"class = {escape(str(named.value))}")
    measured = evidence.measured
    alike = bool(accepted(claim) & (evidence.measured_set | evidence.declared_twins))
    if measured is not None:
        meant, count = escape(str(claim.value)), len(measured.twins)
        shared = f"; {count} other {'family has' if count == 1 else 'families have'} the same" if count else ""
        told = f", {meant} among them" if alike and count else "" if alike else f", not {meant}"
        yield Evidence("weights", f"graph of {escape(measured.model_type)}, score {measured.score:.2f}{shared}{told}")
    if alike:
        yield from (
            Evidence(fact.source, f"{kind.replace('_', ' ')} = {fact.value}")
            for kind in _TELLING_TWINS
            if (fact := subject.facts.declared(kind)) is not None and isinstance(fact.value, int)
        )
    elif (tensor := _telling_tensor(subject)) is not None:
        yield Evidence(escape(tensor.file or "weights"), f"{escape(tensor.name)} {list(tensor.shape)}")


def _telling_tensor(subject: Subject) -> Tensor | None:
    """The first matrix of the first block: its name is how a reader recognises a family."""
    tensors = subject.listing.tensors if subject.listing is not None and not subject.listing.names_only else ()
    matrices = [tensor for tensor in tensors if len(tensor.shape) > 1 and len(tensor.name) <= _LONGEST_NAME]
    return next((tensor for tensor in matrices if _FIRST_BLOCK.search(tensor.name)), matrices[0] if matrices else None)


def instead(claim: Claim, evidence: FamilyEvidence) -> str | None:
    """The declared family for a word that spells out another; None for brands, and where the weights say a third."""
    plain = claim.modality == "stated" and squash(claim.text) == squash(str(claim.value))
    if not plain or not evidence.declared or not evidence.recognised or evidence.agree is False:
        return None
    return f"{quoted(evidence.declared_name)} in place of {quoted(claim.text)}"
