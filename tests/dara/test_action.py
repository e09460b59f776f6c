"""The GitHub Action: its steps run in a plain shell, as a runner would run them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from publishing import write_bert

ROOT = Path(__file__).resolve().parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
_EXPRESSION = re.compile(r"\$\{\{\s*(.+?)\s*\}\}")

STRING, COUNT = {"type": "string"}, {"type": "integer", "minimum": 0}
TEXT = {"type": "object", "properties": {"text": STRING, "markdown": STRING}, "required": ["text"]}
LEVEL = {"enum": ["none", "note", "warning", "error"]}


def closed(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


RULE = closed(
    ["id"],
    id=STRING,
    name={"type": "string", "pattern": "^[A-Za-z0-9]+$"},
    shortDescription=TEXT,
    fullDescription=TEXT,
    help=TEXT,
    helpUri={"type": "string", "format": "uri"},
    defaultConfiguration=closed([], level=LEVEL),
)
LOCATION = closed(
    [],
    physicalLocation=closed(
        ["artifactLocation"],
        artifactLocation=closed(["uri"], uri={"type": "string", "pattern": r"^[A-Za-z0-9%._~/!$&'()*+,;=@-]+$"}),
        region=closed(["startLine"], startLine={"type": "integer", "minimum": 1}),
    ),
    logicalLocations={"type": "array", "items": closed([], fullyQualifiedName=STRING, kind=STRING)},
)
NOTIFICATION = closed(["message"], level=LEVEL, message=TEXT)
SARIF = closed(
    ["version", "runs"],
    **{"$schema": {"type": "string", "format": "uri"}},
    version={"const": "2.1.0"},
    runs={
        "type": "array",
        "items": closed(
            ["tool"],
            tool=closed(
                ["driver"],
                driver=closed(
                    ["name"],
                    name=STRING,
                    semanticVersion=STRING,
                    informationUri={"type": "string", "format": "uri"},
                    rules={"type": "array", "items": RULE, "uniqueItems": True},
                ),
            ),
            columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
            invocations={
                "type": "array",
                "items": closed(
                    ["executionSuccessful"],
                    executionSuccessful={"type": "boolean"},
                    toolExecutionNotifications={"type": "array", "items": NOTIFICATION},
                ),
            },
            results={
                "type": "array",
                "items": closed(
                    ["message"],
                    ruleId=STRING,
                    ruleIndex=COUNT,
                    level=LEVEL,
                    message=TEXT,
                    locations={"type": "array", "items": LOCATION},
                    partialFingerprints={"type": "object", "additionalProperties": STRING},
                    properties={"type": "object"},
                ),
            },
        ),
    },
)
"""What a SARIF 2.1.0 log of this tool may hold, after the standard; like its schema it takes no other keys."""


@dataclass(frozen=True)
class Ran:
    """What a run of the whole action left behind."""

    codes: dict[str, int]
    out: str
    outputs: dict[str, str]
    summary: str


def evaluate(text: str, inputs: dict[str, str], outputs: dict[str, str], folder: Path) -> str:
    """The few expressions that the action uses."""

    def value(match: re.Match[str]) -> str:
        words = match[1]
        if words == "github.action_path":
            return str(ROOT)
        compared = re.fullmatch(r"(\S+) (==|!=) '(.*)'", words)
        if compared:
            left = evaluate("${{ " + compared[1] + " }}", inputs, outputs, folder)
            return str((left == compared[3]) == (compared[2] == "==")).lower()
        if words.startswith("inputs."):
            return inputs[words.removeprefix("inputs.")]
        assert words.startswith("steps.audit.outputs."), words
        return outputs.get(words.removeprefix("steps.audit.outputs."), "")

    return _EXPRESSION.sub(value, text)


def run_action(folder: Path, **given: str) -> Ran:
    inputs = {name: str(item.get("default", "")) for name, item in ACTION["inputs"].items()}
    inputs |= {name.replace("_", "-"): value for name, value in given.items()}
    codes: dict[str, int] = {}
    outputs: dict[str, str] = {}
    shown = ""
    for name in ("output", "summary"):
        (folder / name).touch()
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    # Installing needs the network; the stand-in notes what it was asked and leaves the installed dara as it is.
    (tools / "python").write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > {folder}/installed\n')
    (tools / "python").chmod(0o755)
    for step in ACTION["runs"]["steps"]:
        if evaluate(step.get("if", "true"), inputs, outputs, folder) != "true":
            continue
        if "uses" in step:
            codes[step["name"]] = 0
            continue
        environment = {
            "PATH": f"{tools}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "GITHUB_OUTPUT": str(folder / "output"),
            "GITHUB_STEP_SUMMARY": str(folder / "summary"),
            **{key: evaluate(str(text), inputs, outputs, folder) for key, text in step.get("env", {}).items()},
        }
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        codes[step["name"]] = done.returncode
        shown += done.stdout + done.stderr
        outputs = dict(line.split("=", 1) for line in (folder / "output").read_text().splitlines())
        if done.returncode:
            break
    return Ran(codes, shown, outputs, (folder / "summary").read_text())


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    write_bert(tmp_path / "models" / "acme--deberta-v3-large")
    write_bert(tmp_path / "models" / "acme--bert-2-layer")
    return tmp_path


def test_the_action_says_what_it_is() -> None:
    assert ACTION["runs"]["using"] == "composite"
    assert all(item["description"] for item in (*ACTION["inputs"].values(), *ACTION["outputs"].values()))
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step.get("run", ""), "inputs reach scripts as variables only"
        assert step.get("shell") == "bash" or "uses" in step


def test_findings_fail_the_last_step_with_everything_written(workspace: Path) -> None:
    ran = run_action(workspace, targets="models/acme--deberta-v3-large\nmodels/acme--bert-2-layer", offline="true")
    assert ran.codes == {"Install": 0, "Audit": 0, "Result": 1}
    assert ran.outputs == {"exit-code": "1", "sarif-file": "dara.sarif"}
    annotation = next(line for line in ran.out.splitlines() if line.startswith("::error"))
    assert "file=models/acme--deberta-v3-large/config.json,line=2," in annotation
    assert "title=DAR101" in annotation
    assert "acme/deberta-v3-large: defective" in ran.summary
    assert "acme/bert-2-layer: consistent" in ran.summary
    document = json.loads((workspace / "dara.sarif").read_text())
    jsonschema.Draft202012Validator(SARIF, format_checker=jsonschema.FormatChecker()).validate(document)
    first = document["runs"][0]["results"][0]
    assert document["runs"][0]["tool"]["driver"]["rules"][first["ruleIndex"]]["id"] == first["ruleId"]
    place = first["locations"][0]["physicalLocation"]
    assert (workspace / place["artifactLocation"]["uri"]).is_file()
    assert place["region"]["startLine"] == 2
    assert (workspace / "installed").read_text().splitlines()[-1] == str(ROOT)


def test_true_names_pass(workspace: Path) -> None:
    ran = run_action(workspace, targets="models/acme--bert-2-layer", offline="true", install="none")
    assert ran.codes == {"Audit": 0, "Result": 0}
    assert not (workspace / "installed").exists()
    assert "::" not in ran.out


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"fail_on": "never"}, 0),
        ({"ignore": "DAR1,DAR2"}, 0),
        ({"name": "acme/bert-2-layer"}, 0),
        ({"fail_on": "sometimes"}, 2),
        ({"targets": "./missing"}, 3),
        ({"upload_sarif": "true"}, 1),
    ],
)
def test_inputs_reach_the_audit(given: dict[str, str], code: int, workspace: Path) -> None:
    given = {"targets": "models/acme--deberta-v3-large", "offline": "true", "install": "none", **given}
    ran = run_action(workspace, **given)
    assert ran.codes["Result"] == code
    assert ("Code scanning" in ran.codes) is ("upload_sarif" in given)


@pytest.mark.parametrize("target", ["$(touch pwned)", "`touch pwned`", "; touch pwned", "--help", "*", "-o pwned"])
def test_a_target_cannot_become_a_command(target: str, workspace: Path) -> None:
    ran = run_action(workspace, targets=target, offline="true", install="none", name="")
    assert not (workspace / "pwned").exists()
    assert ran.codes["Result"] in {2, 3, 4}
