"""The library: what `import dara` gives, in any order of imports, without cost and without printing."""

from __future__ import annotations

import inspect
import json
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

import dara
from dara.examples import write_examples
from dara.report import AuditReport


def fresh(code: str) -> str:
    """Output of a new interpreter."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_every_exported_name_is_there_and_documented() -> None:
    assert sorted(dara.__all__) == list(dara.__all__)
    for name in dara.__all__:
        value = getattr(dara, name)
        assert name == "__version__" or inspect.getdoc(value)
        assert name in dir(dara)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="verdict_of_everything"):
        dara.verdict_of_everything  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize(
    "before", ["pass", "import dara.audit", "from dara.audit import audit", "import dara.cli", "import dara.publish"]
)
def test_audit_can_be_called_whatever_was_imported_before(before: str) -> None:
    code = f"import dara\n{before}\ntry: dara.audit('./no-such-folder')\nexcept Exception as e: print(e)"
    assert "no such file or folder" in fresh(code)


def test_import_alone_loads_nothing_of_its_own() -> None:
    code = (
        "import sys, dara\nprint(sorted(n for n in sys.modules if n.startswith(('dara', 'naming', 'corpora', 'clus'))))"
    )
    assert fresh(code) == "['dara']"


def test_audit_returns_a_report_and_prints_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = {folder.name: folder for folder in write_examples(tmp_path)}
    report = dara.audit(str(folders["acme--pocket-llama-7b"]))
    assert isinstance(report, dara.AuditReport)
    assert report.verdict is dara.Verdict.DEFECTIVE
    assert [finding.code for finding in report.findings] == ["DAR201"]
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


@pytest.mark.parametrize(
    ("name", "base", "codes"),
    [
        ("acme/mistral-7b-qlora-law", "meta-llama/Llama-2-7b-hf", ["DAR602"]),
        ("acme/Llama-2-7b-qlora-law", "meta-llama/Llama-2-7b-hf", []),
        ("acme/qlora-law", "meta-llama/Llama-2-7b-hf", []),
        ("acme/mistral-7b-qlora-law", "./out", []),
    ],
)
def test_an_adapter_is_compared_with_the_model_it_is_made_for(
    name: str, base: str, codes: list[str], tmp_path: Path
) -> None:
    header: dict[str, object] = {}
    for place, (part, shape) in enumerate((("lora_A", [8, 64]), ("lora_B", [64, 8]))):
        key = f"base_model.model.model.layers.0.self_attn.q_proj.{part}.weight"
        header[key] = {"dtype": "F32", "shape": shape, "data_offsets": [2048 * place, 2048 * (place + 1)]}
    text = json.dumps(header).encode()
    (tmp_path / "adapter_model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + bytes(4096))
    (tmp_path / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "base_model_name_or_path": base}))
    report = dara.audit(str(tmp_path), name=name)
    assert [finding.code for finding in report.findings if finding.severity >= dara.Severity.WARNING] == codes


def test_notebooks_show_a_report(report: AuditReport, hostile_report: AuditReport) -> None:
    shown = report._repr_html_()
    assert "acme/roberta-base" in shown
    assert "DAR101" in shown
    hostile = hostile_report._repr_html_()
    assert "<script" not in hostile
    assert not re.search(r"<(script|link|img|iframe|object|embed)\b|\bon\w+=", hostile)
    # A notebook has a style of its own: every rule must stay inside the report.
    style = re.search(r"<style>(.*?)</style>", shown, re.DOTALL)
    assert style is not None
    selectors = [item for rule in re.findall(r"([^{}]+)\{", style[1]) for item in rule.split(",")]
    assert all(selector.strip().startswith(".dara-report") for selector in selectors)
