"""Publishing with a check in between; the hub's log is the proof of what was sent."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hub_server import HubServer
from publishing import TOKEN, publishing_hub, sent_files, write_bert

from dara.errors import NothingAuditableError, UsageError
from dara.findings import Confidence, Finding, Verdict
from dara.publish import PublishRefusedError, check_folder, checked_push_to_hub, checked_upload
from dara.publish.check import _reasons
from dara.publish.target import Comparison
from dara.report import AuditReport
from dara.settings import Settings

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>':DeprecationWarning")  # the hub's own client


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    with publishing_hub(monkeypatch, tmp_path / "cache") as server:
        yield server


@pytest.fixture
def bert(tmp_path: Path) -> Path:
    return write_bert(tmp_path / "out")


def test_a_wrong_name_is_refused_and_nothing_is_sent(hub: HubServer, bert: Path) -> None:
    with pytest.raises(PublishRefusedError, match="DAR101") as refused:
        checked_upload(bert, "acme/deberta-v3-tiny", create=True, token=TOKEN)
    assert refused.value.check.report.verdict is Verdict.DEFECTIVE
    assert not hub.uploads()
    assert not hub.repos


def test_a_true_name_is_uploaded(hub: HubServer, bert: Path) -> None:
    done = checked_upload(bert, "acme/bert-2-layer", create=True, token=TOKEN, commit_message="First")
    assert "acme/bert-2-layer" in str(done.commit_url)
    assert {"config.json", "model.safetensors", "README.md"} <= set(hub.repos["acme/bert-2-layer"].files)
    assert sent_files(hub)


def test_warn_logs_the_reasons_and_uploads(hub: HubServer, bert: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="dara.publish"):
        checked_upload(bert, "acme/deberta-v3-tiny", create=True, token=TOKEN, on_error="warn")
    assert "DAR101" in caplog.text
    assert "should not be published" in caplog.text
    assert hub.repos["acme/deberta-v3-tiny"].commits


def test_a_finding_that_is_not_sure_refuses_nothing(report: AuditReport, finding: Finding) -> None:
    doubtful = replace(finding, confidence=Confidence.LOW)
    seen = replace(report, outcomes=replace(report.outcomes, findings=(doubtful,)))
    assert _reasons(seen, Comparison(), Settings(persona="all"), False) == []
    assert _reasons(seen, Comparison(), Settings(min_confidence=Confidence.LOW), False)


def test_settings_decide_what_refuses(hub: HubServer, bert: Path) -> None:
    settings = Settings(ignore=("DAR1",))
    assert not check_folder(bert, "acme/deberta-v3-tiny", settings=settings, token=TOKEN).refused
    assert not check_folder(bert, "acme/deberta-v3-tiny", settings=Settings(fail_on="never"), token=TOKEN).refused
    assert check_folder(bert, "acme/deberta-v3-tiny", token=TOKEN).refused


@pytest.mark.parametrize(
    ("change", "word"),
    [({"layers": 4}, "layers 4"), ({"hidden": 64}, "hidden size 64")],
)
def test_another_size_in_the_repository_refuses(
    change: dict[str, int], word: str, hub: HubServer, bert: Path, tmp_path: Path
) -> None:
    hub.add_folder(write_bert(tmp_path / "acme--bert-demo", **change))
    with pytest.raises(PublishRefusedError, match=word):
        checked_upload(bert, "acme/bert-demo", token=TOKEN)
    assert not sent_files(hub)
    checked_upload(bert, "acme/bert-demo", token=TOKEN, allow_other_architecture=True)
    assert sent_files(hub)


def test_another_family_in_the_repository_refuses(hub: HubServer, bert: Path) -> None:
    hub.add("acme/demo", {"config.json": {"model_type": "gpt2", "n_layer": 2, "architectures": ["GPT2LMHeadModel"]}})
    check = check_folder(bert, "acme/demo", token=TOKEN)
    assert check.refused
    assert "architecture gpt2" in check.message
    assert "bert" in check.message
    assert len(check.comparison.conflicts) == 1


def test_the_same_architecture_with_another_head_is_no_conflict(hub: HubServer, bert: Path, tmp_path: Path) -> None:
    other = write_bert(tmp_path / "acme--bert-demo")
    config = (other / "config.json").read_text()
    (other / "config.json").write_text(config.replace("ForSequenceClassification", "ForTokenClassification"))
    hub.add_folder(other)
    check = check_folder(bert, "acme/bert-demo", token=TOKEN)
    assert not check.refused
    assert check.comparison.exists


def test_a_repository_that_holds_no_model_conflicts_with_nothing(hub: HubServer, bert: Path) -> None:
    hub.add("acme/bert-demo", {".gitattributes": "* text", "README.md": "# soon"})
    assert not check_folder(bert, "acme/bert-demo", token=TOKEN).refused


def test_a_hub_that_does_not_answer_is_a_note_and_no_accusation(
    hub: HubServer, bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    hub.fault("api/models", "status", status=503, times=None)
    check = check_folder(bert, "acme/bert-demo", token=TOKEN)
    assert not check.refused
    assert check.comparison.note is not None
    assert "not compared" in check.comparison.note


@pytest.mark.parametrize("name", ["", "a/b/c", "../x", "acme/na me", "acme/x\n", "acme/--x"])
def test_what_is_no_name_never_reaches_the_hub(name: str, hub: HubServer, bert: Path) -> None:
    with pytest.raises(UsageError):
        checked_upload(bert, name, token=TOKEN)
    assert not hub.log


def test_a_folder_without_a_model_is_not_uploaded_unchecked(hub: HubServer, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "README.md").write_text("# nothing")
    with pytest.raises(NothingAuditableError):
        checked_upload(tmp_path / "notes", "acme/bert-demo", token=TOKEN)
    assert not hub.uploads()


def test_a_damaged_weight_file_is_refused(hub: HubServer, bert: Path) -> None:
    (bert / "model.safetensors").write_bytes(b"\xff" * 64)
    with pytest.raises(PublishRefusedError, match="cannot be read"):
        checked_upload(bert, "acme/bert-2-layer", token=TOKEN)
    assert not hub.uploads()


class Saved:
    """Anything that can save itself."""

    def __init__(self, write: Path | None = None) -> None:
        self.write = write

    def save_pretrained(self, folder: str) -> None:
        if self.write is None:
            write_bert(Path(folder), card=None)
        else:
            (Path(folder) / self.write).write_text("{}")


def test_checked_push_sends_what_it_checked(hub: HubServer) -> None:
    with pytest.raises(PublishRefusedError):
        checked_push_to_hub(Saved(), "acme/deberta-v3-large", token=TOKEN)
    assert not hub.uploads()
    checked_push_to_hub(Saved(), "acme/bert-2-layer", also=(Saved(Path("tokenizer.json")),), token=TOKEN)
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(hub.repos["acme/bert-2-layer"].files)


def test_the_callback_without_transformers_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    import dara.publish

    monkeypatch.setitem(sys.modules, "transformers", None)
    monkeypatch.delitem(sys.modules, "dara.publish.callback", raising=False)
    with pytest.raises(ImportError, match=r"pip install 'dara\[graph\]'"):
        dara.publish.DaraCallback  # noqa: B018
    assert dara.publish.checked_upload is checked_upload
