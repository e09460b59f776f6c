"""What a model card can say of a package without anybody's judgement: derived from files, measurements and the name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from clustering.text import escape
from corpora.card import ModelCard
from corpora.errors import PackageError
from corpora.package import Package
from corpora.sources.names import is_repo_id, weak_name
from dara.report import AuditReport

ADAPTER_CONFIG: Final = "adapter_config.json"
_NOT_OWNERS: Final = frozenset({"models", "model", "ckpts", "saved", "saves", "logs", "exp", "workspace", "mnt"})
"""First parts of relative paths that look like `owner/name` and are none."""


@dataclass(frozen=True, slots=True)
class Derived:
    """One entry of a model card, with where it comes from."""

    key: str
    value: str | tuple[str, ...]
    reason: str


def derive(package: Package, report: AuditReport) -> tuple[Derived, ...]:
    """Entries that the card lacks and that can be derived, in the order of the hub's own documentation."""
    card = package.card()
    derived = [
        *_language(report),
        *_library(package),
        *_task(report),
        *base_model_of(package),
        *_datasets(report, card),
    ]
    return tuple(item for item in derived if not _stated(card, item.key))


def _stated(card: ModelCard, key: str) -> bool:
    return card.data.get(key) not in (None, "", [], {})


def _language(report: AuditReport) -> Iterator[Derived]:
    languages = _claimed(report, "language")
    codes = tuple(code for code, _ in languages if code.isascii() and code.isalpha())
    if codes:
        words = ", ".join(text for _, text in languages)
        yield Derived("language", codes, f"the name says {words}")


def _library(package: Package) -> Iterator[Derived]:
    if package.has(ADAPTER_CONFIG):
        yield Derived("library_name", "peft", f"{ADAPTER_CONFIG} is there")
    elif package.has("model_index.json"):
        yield Derived("library_name", "diffusers", "model_index.json is there")
    elif package.has("modules.json"):
        yield Derived("library_name", "sentence-transformers", "modules.json is there")
    elif "transformers_version" in _json(package, "config.json"):
        yield Derived("library_name", "transformers", "config.json: transformers_version")


def _task(report: AuditReport) -> Iterator[Derived]:
    fact = report.facts.best("task")
    if fact is not None and isinstance(fact.value, str):
        yield Derived("pipeline_tag", fact.value, fact.source)


def base_model_of(package: Package) -> Iterator[Derived]:
    """The published model that an adapter or configuration says it was made from, with the relation."""
    config = _json(package, "config.json")
    if package.has(ADAPTER_CONFIG):
        relation: str | None = "adapter"
        base, source = (
            _json(package, ADAPTER_CONFIG).get("base_model_name_or_path"),
            f"{ADAPTER_CONFIG}: base_model_name_or_path",
        )
    else:
        relation = "quantized" if config.get("quantization_config") else None
        base, source = config.get("_name_or_path"), "config.json: _name_or_path"
    if not _is_published(base) or base == package.name:
        return
    yield Derived("base_model", str(base), source)
    if relation is not None:
        why = f"{ADAPTER_CONFIG} is there" if relation == "adapter" else "config.json: quantization_config"
        yield Derived("base_model_relation", relation, why)


def _is_published(base: Any) -> bool:
    """Whether a text is a repository of a hub rather than a path of the machine that the model was trained on."""
    if not isinstance(base, str) or not is_repo_id(base) or base.count("/") != 1:
        return False
    owner, _, repo = base.partition("/")
    return owner.lower() not in _NOT_OWNERS and weak_name(owner) is not None and weak_name(repo) is not None


def _datasets(report: AuditReport, card: ModelCard) -> Iterator[Derived]:
    evaluated = [
        result["dataset"]["type"]
        for entry in card.model_index
        for result in (entry.get("results") if isinstance(entry.get("results"), list) else ()) or ()
        if isinstance(result, dict)
        and isinstance(result.get("dataset"), dict)
        and isinstance(result["dataset"].get("type"), str)
        and is_repo_id(result["dataset"]["type"])
    ]
    named = _claimed(report, "dataset")
    values = tuple(dict.fromkeys([*evaluated, *(value for value, _ in named)]))
    if values:
        reasons = (["the card's evaluation results"] if evaluated else []) + [
            f"the name says {text}" for _, text in named
        ]
        yield Derived("datasets", values, ", ".join(reasons))


def _claimed(report: AuditReport, kind: str) -> list[tuple[str, str]]:
    """Values and words of a kind that the name states outright and that no finding contradicts."""
    wrong = {finding.claim.text for finding in report.findings if finding.claim is not None}
    claims = report.parsed.claims if report.parsed else ()
    return [
        (claim.value, escape(claim.text))
        for claim in claims
        if claim.kind == kind
        and claim.modality == "stated"
        and isinstance(claim.value, str)
        and claim.text not in wrong
    ]


def _json(package: Package, path: str) -> dict[str, Any]:
    """A JSON object of the package; empty where there is none."""
    try:
        value = package.read_json(path).value if package.has(path) else {}
    except PackageError:
        return {}
    return value if isinstance(value, dict) else {}
