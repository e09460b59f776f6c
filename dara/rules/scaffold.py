"""Starts a new rule in a checkout: `python -m dara.rules.scaffold DAR107 contradicted-thing`, or `make new-rule`.

Writes the rule, its fixtures and its lines in the registry and the catalogue. What it writes does not pass the tests:
the documentation, the check and the fixtures are the author's.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

RULE = '''"""{code}."""

from __future__ import annotations

from collections.abc import Iterator

from dara.findings import Outcome, Severity
from dara.rules.interface import Rule
from dara.subject import Subject


class {name}(Rule):
    """TODO: what the rule says, in one sentence.

    ## Why it matters
    TODO

    ## How it is checked
    TODO

    ## Example
    TODO

    ## Known limits
    TODO
    """

    code = "{code}"
    slug = "{slug}"
    severity = Severity.WARNING
    since = "{since}"
    preview = True

    def check(self, subject: Subject) -> Iterator[Outcome]:
        """TODO: yield a finding, a held claim or a skip for each claim that the rule is about."""
        for claim in subject.claims("TODO"):
            yield self.skipped(f"not written yet: {{claim.kind}}")
'''

FIXTURES = """# Claims and facts as the parser and the readers give them; other rules' fixtures show every key.
[[positive]]
name = "TODO/TODO"
expect = { severity = "warning", confidence = "medium", says = ["TODO"] }

[[negative]]
name = "TODO/TODO"
expect = { held = true }

[[near_miss]]
why = "TODO: what looks like the defect and is not"
name = "TODO/TODO"
expect = { skipped = "TODO" }
"""


class ScaffoldError(Exception):
    """The rule cannot be started: a bad or taken code or slug, or not a checkout."""


def scaffold(root: Path, code: str, slug: str, since: str) -> list[Path]:
    """Starts the rule in the checkout at `root` and returns the files that were written or changed.

    Raises:
        ScaffoldError: nothing was written.
    """
    if not re.fullmatch(r"DAR[1-8]\d\d", code):
        raise ScaffoldError(f"{code!r} is no code: DAR and three digits, the first of them 1 to 8 (docs/concepts.md)")
    if not re.fullmatch(r"[a-z]+(-[a-z]+)+", slug):
        raise ScaffoldError(f"{slug!r} is no slug: lower-case words with hyphens that name the defect")
    registry, tests = root / "dara" / "rules" / "registry.py", root / "tests" / "dara" / "rules"
    catalogue = tests / "catalogue.toml"
    if not (registry.is_file() and catalogue.is_file()):
        raise ScaffoldError(f"{root} is not a checkout of DARA")
    pinned = catalogue.read_text("utf-8")
    if re.search(rf'^{code} =|= "{slug}"$', pinned, re.MULTILINE):
        raise ScaffoldError(f"{code} or {slug} is taken: see tests/dara/rules/catalogue.toml")
    module, name = slug.replace("-", "_"), "".join(word.capitalize() for word in slug.split("-"))
    rule, fixtures = registry.with_name(f"{module}.py"), tests / "fixtures" / f"{code}.toml"
    rule.write_text(RULE.format(code=code, slug=slug, name=name, since=since), "utf-8")
    fixtures.write_text(FIXTURES, "utf-8")
    registry.write_text(registered(registry.read_text("utf-8"), module, name), "utf-8")
    lines = pinned.splitlines()
    codes = [line for line in (*lines, f'{code} = "{slug}"') if line.startswith("DAR")]
    head = lines[: lines.index("[rules]") + 1]
    catalogue.write_text("\n".join([*head, *sorted(codes)]) + "\n", "utf-8")
    return [rule, fixtures, registry, catalogue]


def registered(text: str, module: str, name: str) -> str:
    """The registry's source with the rule imported, in alphabetical order, and listed last."""
    imports = sorted(
        {*re.findall(r"^from dara\.rules\..*$", text, re.MULTILINE), f"from dara.rules.{module} import {name}"}
    )
    first, last = text.index("from dara.rules."), text.index("\n\n_RULES")
    text = text[:first] + "\n".join(imports) + text[last:]
    end = text.index(")\n", text.index("_RULES"))
    return f"{text[:end]}    {name},\n{text[end:]}"


def main(arguments: list[str]) -> int:
    """Runs the command; 2 for a usage error, as everywhere in DARA."""
    from dara import __version__

    if len(arguments) != 2:
        print("usage: python -m dara.rules.scaffold CODE SLUG", file=sys.stderr)
        return 2
    try:
        code, slug = arguments
        written = scaffold(Path.cwd(), code, slug, since=__version__.partition(".dev")[0])
    except ScaffoldError as error:
        print(error, file=sys.stderr)
        return 2
    print("\n".join(str(path.relative_to(Path.cwd())) for path in written))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
