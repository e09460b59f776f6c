"""`dara publish` against a hub on this machine: its log is the proof of what was sent."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hub_server import HubServer
from publishing import TOKEN, publishing_hub, sent_files, write_bert

from dara.cli import main

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>':DeprecationWarning")  # the hub's own client

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    with publishing_hub(monkeypatch, tmp_path / "cache") as server:
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield server


@pytest.fixture
def publish(hub: HubServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)
    write_bert(tmp_path / "out")

    def run(*arguments: str, answer: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
        monkeypatch.setattr(sys, "argv", ["dara", "publish", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        captured = capsys.readouterr()
        return (int(stopped.value.code or 0), captured.out, captured.err)

    return run


def test_a_wrong_name_sends_nothing_even_with_consent(publish: Run, hub: HubServer) -> None:
    code, out, err = publish("out", "acme/deberta-v3-large", "--yes")
    assert code == 1
    assert "DAR101" in out
    assert "nothing was sent" in err
    assert not hub.uploads()
    assert not hub.repos


def test_a_true_name_is_uploaded_after_a_yes(publish: Run, hub: HubServer) -> None:
    code, out, err = publish("out", "acme/bert-2-layer", "-m", "First", answer="y\n")
    assert code == 0, err
    assert "CONSISTENT" in out
    assert "acme/bert-2-layer/commit/" in out
    assert "[y/N]" in err
    assert {"config.json", "model.safetensors"} <= set(hub.repos["acme/bert-2-layer"].files)
    assert sent_files(hub)


@pytest.mark.parametrize("answer", ["", "n\n", "\n", "yeah\n"])
def test_without_consent_nothing_is_sent(answer: str, publish: Run, hub: HubServer) -> None:
    code, _, err = publish("out", "acme/bert-2-layer", answer=answer)
    assert code == 2
    assert "not confirmed" in err
    assert not hub.uploads()


def test_a_dry_run_lists_what_would_go_and_sends_nothing(publish: Run, hub: HubServer) -> None:
    code, out, err = publish("out", "acme/bert-2-layer", "--dry-run", "--yes")
    assert code == 0
    assert "model.safetensors" in out
    assert "dry run" in err
    assert not hub.uploads()


def test_another_model_in_the_repository_is_asked_about(publish: Run, hub: HubServer, tmp_path: Path) -> None:
    hub.add_folder(write_bert(tmp_path / "acme--bert-demo", layers=4))
    code, _, err = publish("out", "acme/bert-demo", "--yes")
    assert code == 1
    assert "the repository holds another model: layers 4" in err
    assert not sent_files(hub)
    assert publish("out", "acme/bert-demo", "--yes", "--allow-other-architecture")[0] == 0
    assert sent_files(hub)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("out", "no name"), 2),
        (("out", "a/b/c"), 2),
        (("missing", "acme/bert-2-layer"), 3),
        (("out", "acme/bert-2-layer", "--ignore", "DAR999"), 2),
    ],
)
def test_mistakes_are_one_line_and_reach_no_hub(
    arguments: tuple[str, ...], expected: int, publish: Run, hub: HubServer
) -> None:
    code, out, err = publish(*arguments, "--yes")
    assert (code, out) == (expected, "")
    assert len(err.splitlines()) == 1
    assert not hub.uploads()


def test_an_upload_that_fails_is_one_line(publish: Run, hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_unknown")
    code, _, err = publish("out", "acme/bert-2-layer", "--yes")
    assert code == 4
    assert "hf auth whoami" in err
    assert "hf_unknown" not in err
    assert "Traceback" not in err
