"""`--fix`: what follows from a package is proposed, what would be a guess is not, and a card keeps every other byte."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from commandline import Run
from publishing import write_bert

from clustering.facts import Fact, Facts
from corpora.card import parse_card
from dara.errors import IncompleteAuditError
from dara.fixing.apply import rename_folder, write_card
from dara.fixing.records import CardChange, CardEdit, Correction, Fix, Rename, Unresolved
from dara.fixing.words import true_words
from dara.report import AuditReport
from dara.reports.registry import format_names, format_of
from naming.records import Claim

SCHEMA = Path(__file__).parents[2] / "docs/schema/dara-audit-1.schema.json"


def fix_of(dara: Run, *arguments: str | Path) -> dict[str, object]:
    done = dara("audit", *arguments, "--offline", "--fix", "--format", "json")
    document = json.loads(done.out)
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(document)
    fix = document["fix"]
    assert isinstance(fix, dict)
    return fix


def replacing(key: str, old: str, new: str) -> CardEdit:
    return CardEdit("DAR807", key, old, new, "because")


# -- names --


def test_a_wrong_family_is_replaced_in_the_diff_and_nothing_is_written(dara: Run, tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "acme--deberta-sentiment")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    done = dara("audit", folder.name, "--offline", "--fix")
    assert done.code == 1
    assert "-acme/deberta-sentiment\n+acme/bert-sentiment\n" in done.out
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    rename = fix_of(dara, folder.name)["rename"]
    assert isinstance(rename, dict)
    assert rename["to"] == "acme/bert-sentiment"
    assert [item["code"] for item in rename["corrections"]] == ["DAR101"]


def test_without_the_option_the_document_has_no_such_key(dara: Run, tmp_path: Path) -> None:
    write_bert(tmp_path / "acme--deberta-sentiment")
    assert "fix" not in json.loads(dara("audit", "acme--deberta-sentiment", "--offline", "--format", "json").out)


def test_a_true_name_is_left_alone(dara: Run, tmp_path: Path) -> None:
    write_bert(tmp_path / "acme--bert-sentiment")
    done = dara("audit", "acme--bert-sentiment", "--offline", "--fix")
    assert done.code == 0
    assert "nothing to correct" in done.out
    assert "+++" not in done.out


def test_a_wrong_task_is_no_word_that_could_be_derived(dara: Run, tmp_path: Path) -> None:
    """The head classifies whole texts; whether sentiment, topic or toxicity, nothing says."""
    write_bert(tmp_path / "acme--bert-question-answering")
    fix = fix_of(dara, "acme--bert-question-answering")
    assert fix["rename"] is None


def test_a_correction_has_to_satisfy_the_rules_itself(
    dara: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bert(tmp_path / "acme--deberta-sentiment")
    monkeypatch.setattr("dara.fixing.names.true_words", lambda *_: "whisper")
    fix = fix_of(dara, "acme--deberta-sentiment")
    assert fix["rename"] is None
    assert fix["unresolved"]


@pytest.mark.parametrize(
    ("claim", "fact", "words"),
    [
        (Claim("parameters", 7e9, "7B"), Fact("parameters", 1.1e9, "measured", "x"), "1.1B"),
        (Claim("layers", 6, "L-6"), Fact("layers", 12, "measured", "x"), "L-12"),
        (Claim("context", 131072, "128k"), Fact("context", 8192, "declared", "x"), "8k"),
        (Claim("context", 131072, "128k"), Fact("context", 4095, "declared", "x"), None),
        (Claim("family", "llama", "vicuna", modality="implied"), Fact("family", "bert", "declared", "x"), None),
        (Claim("family", "bert", "PubMedBERT", accepts=("bert",)), Fact("family", "distilbert", "declared", "x"), None),
        (Claim("family", "llama", "Llama-3", accepts=("llama",)), Fact("vocabulary", 32000, "declared", "x"), None),
        (Claim("parameters", {"experts": 8, "each": 7e9}, "8x7B"), Fact("parameters", 7e9, "measured", "x"), None),
        (
            Claim("backbone", {"family": "swin", "variant": "base"}, "swin-base"),
            Fact("backbone", {"family": "swin", "variant": "tiny"}, "measured", "x"),
            "swin-tiny",
        ),
        (
            Claim("backbone", {"family": "swin", "variant": "base"}, "swin-base"),
            Fact("backbone", {"family": "resnet", "variant": "50"}, "measured", "x"),
            "resnet-50",
        ),
        (
            Claim("backbone", {"family": "swin", "variant": "base"}, "swin-base"),
            Fact("backbone", {"family": "resnet", "variant": None}, "measured", "x"),
            None,
        ),
        (Claim("dataset", "mnli", "mnli"), Fact("num_labels", 5, "measured", "x"), None),
        (Claim("quantization", {"method": "gptq"}, "gptq"), Fact("dtype", "F32", "measured", "x"), ""),
    ],
)
def test_words_of_the_truth(claim: Claim, fact: Fact, words: str | None) -> None:
    facts = Facts([fact, Fact("dtype", "F32", "measured", "x")])
    assert true_words(claim, fact, facts) == words


def test_a_name_is_not_corrected_by_what_the_card_says(dara: Run, tmp_path: Path) -> None:
    write_bert(tmp_path / "acme--bert-german-sentiment", card="license: mit\nlanguage: fr")
    assert fix_of(dara, "acme--bert-german-sentiment")["rename"] is None


# -- cards --


def test_a_pipeline_tag_that_the_head_contradicts_is_replaced(dara: Run, tmp_path: Path) -> None:
    card = "# where it comes from\nlicense: mit  # ours\npipeline_tag: token-classification # wrong\ntags:\n- a"
    folder = write_bert(tmp_path / "acme--bert-sentiment", card=card)
    before = (folder / "README.md").read_bytes()
    done = dara("audit", folder.name, "--offline", "--fix")
    assert "-pipeline_tag: token-classification # wrong\n+pipeline_tag: text-classification # wrong\n" in done.out
    assert (folder / "README.md").read_bytes() == before
    assert dara("audit", folder.name, "--offline", "--fix", "--apply").code == 0
    changed = before.replace(b"token-classification", b"text-classification")
    assert (folder / "README.md").read_bytes() == changed
    assert "nothing to correct" in dara("audit", folder.name, "--offline", "--fix").out


def test_an_adapter_gets_the_base_model_that_it_says_itself(dara: Run, tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "acme--bert-lora", card="license: mit")
    (folder / "adapter_config.json").write_text(
        json.dumps({"peft_type": "LORA", "base_model_name_or_path": "o/bert-b"})
    )
    card = fix_of(dara, folder.name)["card"]
    assert isinstance(card, dict)
    assert {edit["key"]: edit["to"] for edit in card["edits"]} == {
        "base_model": "o/bert-b",
        "base_model_relation": "adapter",
    }
    assert dara("lint", folder.name, "--fix", "--apply").code == 0
    assert parse_card((folder / "README.md").read_text()).base_model == ("o/bert-b",)


@pytest.mark.parametrize("base", ["./out", "/data/bert", "", None])
def test_a_path_is_no_base_model(base: object, dara: Run, tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "acme--bert-lora", card="license: mit")
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "base_model_name_or_path": base}))
    assert fix_of(dara, folder.name)["card"] is None


def test_an_encoder_may_serve_similarity(dara: Run, tmp_path: Path) -> None:
    """Near miss: a tag that is not the head's own and that the head does not contradict."""
    folder = write_bert(tmp_path / "acme--bert-sentiment", card="license: mit\npipeline_tag: zero-shot-classification")
    assert fix_of(dara, folder.name)["card"] is None


# -- writing --


def change(before: str, after: str) -> CardChange:
    return CardChange("README.md", before, after, (replacing("a", "b", "c"),))


def test_rights_of_the_card_are_kept(tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    card.write_bytes(b"one\r\n")
    card.chmod(0o640)
    write_card(tmp_path, change("one\r\n", "two\r\n"))
    assert card.read_bytes() == b"two\r\n"
    assert card.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


def test_a_read_only_card_is_left_as_it_is(tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    card.write_text("one")
    card.chmod(0o444)
    with pytest.raises(IncompleteAuditError, match="read-only"):
        write_card(tmp_path, change("one", "two"))
    assert card.read_text() == "one"


def test_a_card_that_changed_meanwhile_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("three")
    with pytest.raises(IncompleteAuditError, match="was changed"):
        write_card(tmp_path, change("one", "two"))
    assert (tmp_path / "README.md").read_text() == "three"


def test_a_link_is_not_written_through(tmp_path: Path) -> None:
    outside = tmp_path / "outside.md"
    outside.write_text("one")
    folder = tmp_path / "package"
    folder.mkdir()
    (folder / "README.md").symlink_to(outside)
    with pytest.raises(IncompleteAuditError, match="symbolic link"):
        write_card(folder, change("one", "two"))
    assert outside.read_text() == "one"


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "README.md").write_text("one")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(IncompleteAuditError, match="No space left"):
        write_card(tmp_path, change("one", "two"))
    assert (tmp_path / "README.md").read_text() == "one"
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


def test_the_cards_diff_applies(dara: Run, tmp_path: Path) -> None:
    """What is printed is a real unified diff."""
    folder = write_bert(tmp_path / "acme--bert-sentiment", card="license: mit\npipeline_tag: token-classification")
    card = fix_of(dara, folder.name)["card"]
    assert isinstance(card, dict)
    done = subprocess.run(
        ["git", "apply", "--no-index", "-"], input=card["diff"], text=True, cwd=folder, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert parse_card((folder / "README.md").read_text()).pipeline_tag == "text-classification"


# -- the command line --


def test_a_folder_is_renamed_only_on_request(dara: Run, tmp_path: Path) -> None:
    write_bert(tmp_path / "acme--deberta-sentiment")
    done = dara("audit", "acme--deberta-sentiment", "--offline", "--fix", "--apply")
    assert done.code == 1
    assert "--rename-folder" in done.err
    assert (tmp_path / "acme--deberta-sentiment").is_dir()
    done = dara("audit", "acme--deberta-sentiment", "--offline", "--fix", "--apply", "--rename-folder")
    assert done.code == 1
    assert dara("audit", "acme--bert-sentiment", "--offline").code == 0


def test_a_folder_is_never_renamed_onto_another(dara: Run, tmp_path: Path) -> None:
    write_bert(tmp_path / "acme--deberta-sentiment")
    (tmp_path / "acme--bert-sentiment").mkdir()
    done = dara("audit", "acme--deberta-sentiment", "--offline", "--fix", "--apply", "--rename-folder")
    assert done.code == 4
    assert "is there already" in done.err
    assert (tmp_path / "acme--deberta-sentiment").is_dir()


def test_a_folder_of_another_name_is_not_renamed(tmp_path: Path) -> None:
    (tmp_path / "output").mkdir()
    with pytest.raises(IncompleteAuditError, match="is not called"):
        rename_folder(tmp_path / "output", "acme/deberta", "acme/bert")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--apply",), "--fix"),
        (("--fix", "--rename-folder"), "--apply"),
        (("--apply", "--rename-folder"), "--fix"),
    ],
)
def test_options_that_belong_together(options: tuple[str, ...], says: str, dara: Run, tmp_path: Path) -> None:
    write_bert(tmp_path / "acme--deberta-sentiment")
    done = dara("audit", "acme--deberta-sentiment", "--offline", *options)
    assert (done.code, done.out) == (2, "")
    assert says in done.err


def test_a_hub_repository_is_never_changed(dara: Run) -> None:
    done = dara("audit", "acme/deberta-sentiment", "--fix", "--apply", "--offline")
    assert done.code == 2
    assert "local folders only" in done.err


def test_the_hubs_cache_is_never_changed(dara: Run, tmp_path: Path) -> None:
    folder = tmp_path / "models--acme--deberta-sentiment" / "snapshots" / ("a" * 40)
    write_bert(folder, card="license: mit\npipeline_tag: token-classification")
    before = (folder / "README.md").read_bytes()
    done = dara("audit", folder, "--offline", "--fix", "--apply")
    assert done.code == 4
    assert "cache" in done.err
    assert (folder / "README.md").read_bytes() == before


def test_several_folders_are_changed_each_for_itself(dara: Run, tmp_path: Path) -> None:
    names = ("acme--bert-one", "acme--bert-two")
    for name in names:
        write_bert(tmp_path / name, card="license: mit\npipeline_tag: token-classification")
    (tmp_path / names[0] / "README.md").chmod(0o444)
    done = dara("audit", *names, "--offline", "--fix", "--apply")
    assert done.code == 4
    assert "read-only" in done.err
    tags = [parse_card((tmp_path / name / "README.md").read_text()).pipeline_tag for name in names]
    assert tags == ["token-classification", "text-classification"]


# -- reports --


@pytest.mark.parametrize("name", format_names())
def test_strangers_text_in_a_fix_cannot_act(name: str, report: AuditReport) -> None:
    evil = "evil\x1b[31m\u202e</pre><script>alert(1)</script>\n```\n"
    fix = Fix(
        Rename(f"acme/{evil}", "acme/bert", (Correction("DAR101", evil, "bert", evil),)),
        CardChange("README.md", evil, f"{evil}more\n", (replacing("license", evil, "mit"),)),
        (Unresolved("DAR301", evil),),
    )
    sink = io.StringIO()
    format_of(name).write([replace(report, fix=fix)], sink)
    shown = sink.getvalue()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)
    if name in ("html", "github"):
        assert "<script" not in shown
    if name == "markdown":
        assert "````diff" in shown  # a fence longer than any inside


@pytest.mark.parametrize("name", ["text", "markdown", "html"])
def test_reports_for_people_show_the_diff(name: str, report: AuditReport) -> None:
    fix = Fix(Rename("acme/roberta-base", "acme/bert-base", ()))
    sink = io.StringIO()
    format_of(name).write([replace(report, fix=fix)], sink)
    shown = re.sub(r"<[^>]+>", "", sink.getvalue())
    assert "-acme/roberta-base\n+acme/bert-base" in shown
