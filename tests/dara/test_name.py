"""`dara name`: a name from what a folder holds, and entries for its card that change nothing else."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from publishing import write_bert

from corpora.card import parse_card
from corpora.errors import DamagedFileError
from dara.cardtext import complete
from dara.cli import main
from dara.metadata import Derived

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["dara", "name", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        captured = capsys.readouterr()
        return (int(stopped.value.code or 0), captured.out, captured.err)

    return call


def configure(folder: Path, **more: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **more}))


def test_a_wrong_part_is_replaced_and_the_rest_kept(run: Run, tmp_path: Path) -> None:
    write_bert(tmp_path / "acme--deberta-sentiment")
    code, out, _ = run("acme--deberta-sentiment")
    assert code == 0
    assert out.splitlines()[0] == "acme/bert-sentiment"


def test_a_folder_without_a_name_is_called_by_what_it_holds(run: Run, tmp_path: Path) -> None:
    write_bert(tmp_path / "output")
    code, out, _ = run("output")
    assert code == 0
    assert out.splitlines()[0].split("-")[0] == "bert"
    assert "model" not in out.splitlines()[0]


def test_the_card_is_completed_only_on_demand(run: Run, tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "acme--bert-german-conll2003-sentiment")
    configure(folder, transformers_version="5.0.0", _name_or_path="bert-org/bert-base-german")
    before = (folder / "README.md").read_text()
    code, out, _ = run(folder.name)
    assert code == 0
    assert (folder / "README.md").read_text() == before
    for line in ("+language:", "+- de", "+base_model: bert-org/bert-base-german", "+pipeline_tag: text-classification"):
        assert line in out
    assert run(folder.name, "--write")[0] == 0
    after = (folder / "README.md").read_text()
    assert "".join(line for line in before) == "".join(
        line for line in after.splitlines(keepends=True) if line in before.splitlines(keepends=True)
    )
    card = parse_card(after)
    assert card.license == "mit"
    assert card.language == ("de",)
    assert card.pipeline_tag == "text-classification"
    assert card.library_name == "transformers"
    code, out, err = run(folder.name)
    assert "already says" in err
    assert "+++" not in out


def test_what_the_card_says_is_never_changed(run: Run, tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "acme--bert-german", card="pipeline_tag: fill-mask\nlanguage: fr")
    _, out, _ = run(folder.name)
    assert "+language" not in out
    assert "+pipeline_tag" not in out


@pytest.mark.parametrize(
    "path", ["./out", "/data/bert", "out/checkpoint-500", "models/bert", "C:\\models\\bert", "bert", "", None, 7]
)
def test_a_path_of_somebodys_machine_is_no_base_model(path: object, run: Run, tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "acme--bert-2-layer")
    configure(folder, _name_or_path=path)
    assert "base_model" not in run(folder.name)[1]


def test_an_adapter_has_a_base_model_and_says_so(run: Run, tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "acme--bert-2-layer-lora")
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "base_model_name_or_path": "o/b"}))
    out = run(folder.name)[1]
    assert "+base_model: o/b" in out
    assert "+base_model_relation: adapter" in out
    assert "+library_name: peft" in out


def test_a_quantized_package_says_so(run: Run, tmp_path: Path) -> None:
    folder = write_bert(tmp_path / "acme--bert-2-layer-gptq")
    configure(folder, _name_or_path="o/b", quantization_config={"quant_method": "gptq", "bits": 4})
    assert "+base_model_relation: quantized" in run(folder.name)[1]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "---\nlanguage:\n- 'no'\n---\n"),
        ("# Title\n", "---\nlanguage:\n- 'no'\n---\n\n# Title\n"),
        ("---\nlicense: mit\n---\n# T\n", "---\nlicense: mit\nlanguage:\n- 'no'\n---\n# T\n"),
        ("---\r\nlicense: mit\r\n---\r\n# T", "---\r\nlicense: mit\r\nlanguage:\r\n- 'no'\r\n---\r\n# T"),
        ("---\n---\n", "---\nlanguage:\n- 'no'\n---\n"),
        ("---\nx: 'é' # why\n---\nno end", "---\nx: 'é' # why\nlanguage:\n- 'no'\n---\nno end"),
    ],
)
def test_entries_are_added_and_nothing_else(before: str, after: str, tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    if before:
        path.write_bytes(before.encode())
    assert complete(path, [Derived("language", ("no",), "")]).after == after


@pytest.mark.parametrize(
    "content",
    [b"---\nlicense: mit\n", b"---\n- a\n- b\n---\n", b"---\n{a: 1}\n---\n", b"---\na: 'open\n---\n", b"\xff\xfe\x00"],
)
def test_a_card_that_cannot_be_completed_is_left_alone(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_bytes(content)
    with pytest.raises(DamagedFileError):
        complete(path, [Derived("pipeline_tag", "fill-mask", "")])
    assert path.read_bytes() == content


def test_a_link_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "target.md").write_text("# T\n")
    (tmp_path / "README.md").symlink_to(tmp_path / "target.md")
    with pytest.raises(DamagedFileError, match="symbolic link"):
        complete(tmp_path / "README.md", [])


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), max_size=60))
def test_the_text_below_is_kept_whatever_it_is(tmp_path_factory: pytest.TempPathFactory, body: str) -> None:
    path = tmp_path_factory.mktemp("card") / "README.md"
    text = f"---\nlicense: mit\n---\n{body}"
    path.write_bytes(text.encode())
    after = complete(path, [Derived("datasets", ("squad",), "")]).after
    assert after.replace("datasets:\n- squad\n", "", 1) == text
