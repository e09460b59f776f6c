"""DAR804."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from clustering.facts import Fact
from clustering.text import escape
from dara.findings import Confidence, Evidence, Outcome, Severity
from dara.rules.common.wording import listed
from dara.rules.interface import Rule
from dara.subject import Subject


class CodeExecution(Rule):
    """Loading the model needs code from the package.

    ## Why it matters
    `trust_remote_code=True` runs the publisher's Python with the reader's rights, in whatever version is there that
    day.

    ## How it is checked
    `auto_map` in config.json names classes in Python files, of this package or of another.

    ## Example
    A config.json with `"auto_map": {"AutoModel": "modeling_net.NetModel"}`.

    ## Known limits
    The code is not read. Libraries other than transformers have other ways of loading code.
    """

    code = "DAR804"
    slug = "code-execution"
    severity = Severity.NOTE
    since = "0.1.0"

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """Looks for `auto_map`."""
        named = (subject.config or {}).get("auto_map")
        if not isinstance(named, Mapping) or not named:
            return
        targets = sorted(
            {str(item) for value in named.values() for item in (value if isinstance(value, list) else [value])}
        )
        elsewhere = [target for target in targets if "--" in target]
        where = "another package" if elsewhere else "the package"
        yield self.finding(
            f"loading runs Python code of {where}: {listed(targets, 'and')}",
            confidence=Confidence.HIGH,
            fact=Fact("remote_code", targets[:20], "declared", "config.json: auto_map"),
            evidence=(Evidence("config.json", f"auto_map: {listed([escape(target) for target in targets], 'and')}"),),
        )
