"""A Trainer that pushes to a hub on this machine: stopped by a wrong name, let through by a true one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hub_server import HubServer
from publishing import TINY, TOKEN, publishing_hub, sent_files, write_bert

from dara.publish import PublishRefusedError, check_model

pytestmark = [
    pytest.mark.graph,
    pytest.mark.slow,
    # of the hub's client, torch and accelerate, none of them ours
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    pytest.importorskip("accelerate")
    pytest.importorskip("transformers")
    with publishing_hub(monkeypatch, tmp_path / "cache") as server:
        yield server


@pytest.fixture
def model() -> Any:
    from transformers import BertConfig, BertForSequenceClassification

    return BertForSequenceClassification(BertConfig(**{k: v for k, v in TINY.items() if k != "model_type"}))


def trainer_of(model: Any, name: str, folder: Path, callback: Any, **more: Any) -> Any:
    import torch
    from transformers import Trainer, TrainingArguments

    rows = [{"input_ids": torch.tensor([1, 2, 3, 4]), "labels": torch.tensor(number % 2)} for number in range(4)]
    arguments = TrainingArguments(
        output_dir=str(folder / "out"),
        push_to_hub=True,
        hub_model_id=name,
        hub_token=TOKEN,
        max_steps=1,
        per_device_train_batch_size=2,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        **more,
    )
    return Trainer(model, arguments, train_dataset=rows, callbacks=[callback])


def test_a_wrong_name_ends_before_the_training(hub: HubServer, model: Any, tmp_path: Path) -> None:
    from dara.publish import DaraCallback

    with pytest.raises(PublishRefusedError, match="DAR101"):
        trainer_of(model, "acme/deberta-v3-tiny", tmp_path, DaraCallback())
    assert not sent_files(hub)
    assert all(not repo.files for repo in hub.repos.values())


def test_a_true_name_is_trained_and_pushed(hub: HubServer, model: Any, tmp_path: Path) -> None:
    from dara.publish import DaraCallback

    callback = DaraCallback()
    trainer = trainer_of(model, "acme/bert-2-layer", tmp_path, callback, save_strategy="no")
    trainer.train()
    trainer.push_to_hub()
    assert callback.last is not None
    assert not callback.last.refused
    assert callback.last.report.facts.measured("layers").value == 2  # type: ignore[union-attr]
    assert "model.safetensors" in hub.repos["acme/bert-2-layer"].files
    assert sent_files(hub)


def test_a_push_of_a_checkpoint_is_stopped_too(hub: HubServer, model: Any, tmp_path: Path) -> None:
    """The name goes wrong between the start and the push, as when a head or a size is changed by hand."""
    from dara.publish import DaraCallback

    trainer = trainer_of(model, "acme/bert-2-layer", tmp_path, DaraCallback(), save_strategy="steps", save_steps=1)
    trainer.args.hub_model_id = "acme/deberta-v3-tiny"
    with pytest.raises(PublishRefusedError):
        trainer.train()
    assert not sent_files(hub)


def test_warn_lets_it_through(hub: HubServer, model: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from dara.publish import DaraCallback

    callback = DaraCallback(on_error="warn")
    with caplog.at_level(logging.WARNING, logger="dara.publish"):
        trainer = trainer_of(model, "acme/deberta-v3-tiny", tmp_path, callback, save_strategy="no")
    assert "DAR101" in caplog.text
    trainer.push_to_hub()
    assert sent_files(hub)


def test_another_architecture_in_the_repository_stops_it(hub: HubServer, model: Any, tmp_path: Path) -> None:
    from dara.publish import DaraCallback

    hub.add_folder(write_bert(tmp_path / "acme--bert-demo", layers=4))
    with pytest.raises(PublishRefusedError, match="the repository holds another model"):
        trainer_of(model, "acme/bert-demo", tmp_path, DaraCallback())
    assert not sent_files(hub)
    trainer_of(model, "acme/bert-demo", tmp_path, DaraCallback(allow_other_architecture=True))


def test_a_model_in_memory_is_what_its_package_would_be(model: Any, tmp_path: Path) -> None:
    from dara.publish import check_folder

    model.save_pretrained(tmp_path / "saved")
    saved = check_folder(tmp_path / "saved", "bert-2-layer", compare=False).report
    memory = check_model(model, "bert-2-layer", compare=False).report
    for kind in ("family", "parameters", "layers", "hidden_size", "num_labels", "architecture_class"):
        assert memory.facts.best(kind).value == saved.facts.best(kind).value, kind  # type: ignore[union-attr]
    assert memory.fingerprint == saved.fingerprint
    assert memory.verdict == saved.verdict


def test_shards_of_a_process_are_not_taken_for_the_model(model: Any) -> None:
    for parameter in model.parameters():
        parameter.ds_id = 0  # as ZeRO 3 marks parameters of which this process holds a piece
    report = check_model(model, "bert-2-layer", compare=False).report
    assert report.facts.measured("parameters") is None
    assert report.facts.best("layers").value == 2  # type: ignore[union-attr]


class Adapter:
    """What PEFT models look like from outside."""

    peft_config: ClassVar[dict[str, Any]] = {}

    def save_pretrained(self, folder: Path) -> None:
        (Path(folder) / "adapter_config.json").write_text('{"peft_type": "LORA", "base_model_name_or_path": "a/b"}')
        write_bert(Path(folder))


def test_an_adapter_is_checked_by_its_own_files() -> None:
    assert check_model(Adapter(), "bert-2-layer-lora", compare=False).report.facts.best("layers") is not None
