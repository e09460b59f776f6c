"""DAR101."""

from __future__ import annotations

from collections.abc import Iterator

from dara.findings import Confidence, Outcome, Severity
from dara.rules.common.evidence import family_evidence, instead
from dara.rules.common.rulings import Ruling, observed_family, rulings, strength
from dara.rules.common.wording import claimed, quoted
from dara.rules.interface import Rule
from dara.subject import Subject


class ContradictedFamily(Rule):
    """The name states one model family, the package holds another.

    ## Why it matters
    The family decides which code, tokenizer and hardware a model needs. Half of the people who choose a package
    look for the architecture in its name.

    ## How it is checked
    Each family that the name states about the whole model is compared with the `model_type` (or class) that the
    configuration declares and with the family that the tensor graph shows. Every family under which the words are
    true is accepted: derivative brands, generations, fused spellings. So are families of parts, and twins, whose graph
    is the same, are left to DAR102. It is an error of high confidence when declaration and graph agree against the
    name, and of medium confidence from one of them alone.

    ## Example
    `someone/bert-medical-ner` whose config.json and tensors are those of a DistilBERT.

    ## Known limits
    Families that live only as remote code and are not in the reference corpus are skipped, not judged.
    """

    code = "DAR101"
    slug = "contradicted-family"
    severity = Severity.ERROR
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Judges every family claim about the whole model."""
        evidence, ruled = rulings(subject)
        for item in ruled:
            match item.ruling:
                case Ruling.HELD if item.fact is not None:
                    yield self.held(item.claim, item.fact)
                case Ruling.UNKNOWN | Ruling.DISPUTED:
                    yield self.skipped(f"{quoted(item.claim.text)}: {item.reason}")
                case Ruling.CONTRADICTED:
                    confidence = strength(item.claim, evidence)
                    indirect = item.claim.modality != "stated" or confidence < Confidence.MEDIUM
                    twins_unknown = subject.kinship is None or not (evidence.known or evidence.measured)
                    meant = claimed(item.claim.value, item.claim.text)
                    yield self.finding(
                        f"name says {meant}, the package is {observed_family(evidence)}",
                        confidence=confidence,
                        severity=Severity.WARNING if indirect or twins_unknown else None,
                        claim=item.claim,
                        fact=item.fact,
                        suggestion=instead(item.claim, evidence),
                        evidence=tuple(family_evidence(evidence, item.claim, subject)),
                    )
                case _:
                    pass
