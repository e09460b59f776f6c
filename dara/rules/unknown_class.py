"""DAR105."""

from __future__ import annotations

from collections.abc import Iterator

from clustering.text import escape
from dara.findings import Confidence, Evidence, Outcome, Severity
from dara.rules.common.families import gather
from dara.rules.interface import Rule
from dara.subject import Subject


class UnknownClass(Rule):
    """The configuration names a model class that no known library has, and no code for it is in the package.

    ## Why it matters
    Such a package cannot be loaded by anyone but its author.

    ## How it is checked
    The declared family is not in the reference corpus, the configuration has no `auto_map` to code, the package holds
    no Python file, and the weights are not those of a known family either.

    ## Example
    A config.json with `"model_type": "my_net"` and no modeling file.

    ## Known limits
    Libraries beside transformers use config.json too; a package that names its library is not reported.
    """

    code = "DAR105"
    slug = "unknown-class"
    severity = Severity.NOTE
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Reports declarations that nothing can resolve."""
        evidence = gather(subject)
        config = subject.config or {}
        if subject.kinship is None or not evidence.declared_name or evidence.known or "auto_map" in config:
            return
        library = (subject.hub.library_name if subject.hub else None) or (
            subject.card.library_name if subject.card else None
        )
        if (library and library != "transformers") or any(path.endswith(".py") for path in subject.files):
            return
        if evidence.measured is not None or evidence.declared_fact is None:
            return
        if evidence.declared_fact.kind == "timm_architecture":
            return  # timm resolves its nets, under names of its own
        declared = escape(evidence.declared_name)
        yield self.finding(
            f"config.json declares {declared}, which no known library resolves and no file here defines",
            confidence=Confidence.LOW,
            fact=evidence.declared_fact,
            evidence=(Evidence(evidence.declared_fact.source, escape(evidence.declared_name)),),
        )
