"""Hand-made reports, so that formats and engine are tested apart from everything that measures."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from commandline import Done, Run
from hub_server import HubServer

from clustering.facts import Fact, Facts
from clustering.identity import FamilyMatch, Fingerprint, Identification, Part
from dara.cli import main
from dara.examples import write_examples
from dara.findings import Confidence, Evidence, Finding, Held, Outcomes, Severity, Skipped, Verdict
from dara.report import AuditReport, PackageId
from naming.records import Claim, Component, Convention, ParsedName

HOSTILE = "evil\x1b[31m\u202e<script>alert(1)</script>|`x`"
"""Terminal colour, a right-to-left override, HTML, and Markdown, as a stranger may put them into any text."""


@pytest.fixture
def family_claim() -> Claim:
    return Claim("family", "roberta", "roberta", role="main", accepts=("roberta",))


@pytest.fixture
def finding(family_claim: Claim) -> Finding:
    return Finding(
        code="DAR101",
        slug="contradicted-family",
        severity=Severity.ERROR,
        confidence=Confidence.HIGH,
        message="name says roberta, the weights hold a bert",
        claim=family_claim,
        fact=Fact("family", "bert", "measured", "model.safetensors: 201 tensors"),
        evidence=(Evidence("config.json", "model_type = bert"), Evidence("model.safetensors", "512 positions")),
        suggestion="acme/bert-base-sentiment",
    )


@pytest.fixture
def report(finding: Finding) -> AuditReport:
    size = Claim("size", "base", "base")
    layers = Fact("layers", 12, "measured", "model.safetensors: 12 blocks of encoder.layer")
    return AuditReport(
        package=PackageId("acme/roberta-base", "acme", "roberta-base", "abc", "folder", "acme--roberta-base"),
        verdict=Verdict.DEFECTIVE,
        outcomes=Outcomes((finding,), (Held("DAR202", size, layers),), (Skipped("DAR301", "no head"),)),
        facts=Facts([layers, finding.fact, Fact("parameters", 110e6, "measured", "model.safetensors")]),  # type: ignore[list-item]
        parsed=ParsedName(
            "acme/roberta-base",
            "acme",
            "roberta-base",
            (Component("roberta", 0, 7, "architecture", "roberta", "main"), Component("base", 8, 12, "size", "base")),
            Convention("implementation", "architecture-size"),
            (finding.claim, size),  # type: ignore[arg-type]
        ),
        fingerprint=Fingerprint("1", "d" * 64, "s" * 64, "v" * 64),
        identification=Identification((FamilyMatch("bert", 0.98765, ("roberta",)),), (), "both"),
        parts=(Part("backbone", "swin", "tiny", {"layers": [2, 2, 6, 2]}), Part("head", "linear")),
    )


@pytest.fixture
def hostile_report(report: AuditReport, finding: Finding) -> AuditReport:
    bad = replace(
        finding,
        message=HOSTILE,
        claim=Claim("family", HOSTILE, HOSTILE),
        fact=Fact("family", HOSTILE, "declared", HOSTILE),
        evidence=(Evidence(HOSTILE, HOSTILE),),
        suggestion=HOSTILE,
    )
    return replace(
        report,
        package=PackageId(HOSTILE, HOSTILE, HOSTILE, HOSTILE, "folder", HOSTILE),
        outcomes=Outcomes((bad,), (), (Skipped(HOSTILE, HOSTILE),)),
        facts=Facts([Fact("family", HOSTILE, "declared", HOSTILE)]),
        parts=(Part(HOSTILE, HOSTILE, HOSTILE, {HOSTILE: HOSTILE}),),
    )


@pytest.fixture
def dara(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs `dara ARGUMENTS` in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["dara", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        captured = capsys.readouterr()
        code = stopped.value.code
        return Done(code if isinstance(code, int) else 0, captured.out, captured.err)

    return run


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The example packages, as folders."""
    return write_examples(tmp_path_factory.mktemp("served"))


@pytest.fixture
def hub(packages: list[Path]) -> Iterator[HubServer]:
    """A hub of this machine that serves the example packages."""
    with HubServer() as server:
        for folder in packages:
            server.add_folder(folder)
        yield server
    from huggingface_hub import close_session

    close_session()


@pytest.fixture
def hub_dara(hub: HubServer, dara: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """`dara` with that hub as its hub."""
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    return dara
