"""`dara audit owner/repo` against a hub on this machine: what is moved, what is said, how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commandline import Run
from hub_server import HubServer


def test_a_defective_package_is_found_for_the_price_of_its_header(hub_dara: Run, hub: HubServer) -> None:
    code, out, err = hub_dara("audit", "acme/pocket-llama-7b", "--format", "json")
    assert not err
    document = json.loads(out)
    assert code == 1
    assert document["package"]["source"] == "hub"
    assert document["package"]["revision"]
    assert [finding["code"] for finding in document["findings"]] == ["DAR201"]
    assert hub.sent < 200_000
    assert not hub.uploads()


def test_the_same_package_gives_the_same_answer_from_disk(hub_dara: Run, packages: list[Path]) -> None:
    for folder in packages:
        _, served, _ = hub_dara("audit", folder.name.replace("--", "/"), "--format", "json")
        _, local, _ = hub_dara("audit", str(folder), "--format", "json")
        first, second = json.loads(served), json.loads(local)
        for key in ("fingerprint", "facts", "findings", "held", "verdict", "claims"):
            assert first[key] == second[key]


def test_a_renamed_package_is_judged_by_the_name_that_was_asked_for(hub_dara: Run, hub: HubServer) -> None:
    hub.renamed["old/bert-large-uncased"] = "acme/bert-base-uncased-12-layer"
    code, out, _ = hub_dara("audit", "old/bert-large-uncased", "--format", "json")
    assert json.loads(out)["package"]["name"] in {"old/bert-large-uncased", "acme/bert-base-uncased-12-layer"}
    assert code in {0, 1}


@pytest.mark.parametrize(
    ("target", "fault", "expected"),
    [
        ("acme/not-there", None, 3),
        ("acme/pocket-llama-7b", ("api/models", 401), 3),  # a hub says 401 for what may not exist
        ("acme/pocket-llama-7b", ("api/models", 503), 4),
    ],
)
def test_failures_are_one_line_with_the_right_code(
    target: str,
    fault: tuple[str, int] | None,
    expected: int,
    hub_dara: Run,
    hub: HubServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    if fault is not None:
        hub.fault(fault[0], "status", status=fault[1], times=None)
    code, out, err = hub_dara("audit", target)
    assert code == expected
    assert out == ""
    assert len(err.splitlines()) == 1


def test_a_hub_that_stops_in_the_middle_is_an_incomplete_audit(
    hub_dara: Run, hub: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    hub.fault("safetensors", "status", side="cdn", status=503, times=None)
    code, out, err = hub_dara("audit", "acme/pocket-llama-7b", "--format", "json")
    assert code == 4
    assert json.loads(out)["skipped"]
    assert "model.safetensors" in err


def test_offline_makes_no_request(hub_dara: Run, hub: HubServer) -> None:
    code, out, err = hub_dara("audit", "acme/pocket-llama-7b", "--offline")
    assert (code, out) == (4, "")
    assert len(err.splitlines()) == 1
    assert not hub.log


def test_lint_never_asks_the_hub(hub_dara: Run, hub: HubServer) -> None:
    code, out, _ = hub_dara("lint", "acme/pocket-llama-7b")
    assert (code, out) == (3, "")
    assert not hub.log
