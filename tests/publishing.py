"""What the tests of publishing share: small packages with true and false names."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hub_server import HubServer
from weights import header

TOKEN = "hf_secret"
TINY: dict[str, Any] = {
    "model_type": "bert",
    "architectures": ["BertForSequenceClassification"],
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "vocab_size": 100,
    "max_position_embeddings": 64,
    "type_vocab_size": 2,
}


def write_bert(folder: Path, *, layers: int = 2, hidden: int = 32, card: str | None = "license: mit") -> Path:
    """A small BERT as a package: real names and shapes, data of zeros."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {**TINY, "num_hidden_layers": layers, "hidden_size": hidden, "intermediate_size": 2 * hidden}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    if card is not None:
        (folder / "README.md").write_text(f"---\n{card}\n---\n\n# A model\n")
    shapes: dict[str, list[int]] = {
        "bert.embeddings.word_embeddings.weight": [100, hidden],
        "bert.embeddings.position_embeddings.weight": [64, hidden],
        "bert.embeddings.token_type_embeddings.weight": [2, hidden],
        "bert.embeddings.LayerNorm.weight": [hidden],
        "bert.embeddings.LayerNorm.bias": [hidden],
        "bert.pooler.dense.weight": [hidden, hidden],
        "bert.pooler.dense.bias": [hidden],
        "classifier.weight": [2, hidden],
        "classifier.bias": [2],
    }
    for number in range(layers):
        stem = f"bert.encoder.layer.{number}"
        for name in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            shapes |= {f"{stem}.{name}.weight": [hidden, hidden], f"{stem}.{name}.bias": [hidden]}
        for name in ("attention.output.LayerNorm", "output.LayerNorm"):
            shapes |= {f"{stem}.{name}.weight": [hidden], f"{stem}.{name}.bias": [hidden]}
        shapes |= {
            f"{stem}.intermediate.dense.weight": [2 * hidden, hidden],
            f"{stem}.intermediate.dense.bias": [2 * hidden],
            f"{stem}.output.dense.weight": [hidden, 2 * hidden],
            f"{stem}.output.dense.bias": [hidden],
        }
    head, length = header({name: ("F32", tuple(shape)) for name, shape in sorted(shapes.items())})
    (folder / "model.safetensors").write_bytes(head + bytes(length))
    return folder


def sent_files(hub: HubServer) -> list[str]:
    """Requests that carry files: commits and what comes before them, uploads to the storage."""
    return [entry.path for entry in hub.log if entry.method in {"POST", "PUT"} and not entry.path.endswith("/create")]


@contextmanager
def publishing_hub(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Iterator[HubServer]:
    """A hub of this machine that every client in this process publishes to; `acme` owns the token."""
    constants = importlib.import_module("huggingface_hub.constants")
    with HubServer() as server:
        server.users[TOKEN] = "acme"
        monkeypatch.setenv("HF_ENDPOINT", server.endpoint)
        monkeypatch.setenv("HF_HUB_CACHE", str(cache))
        monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        monkeypatch.delenv("TRANSFORMERS_OFFLINE", raising=False)
        # The client reads its environment once, when it is imported.
        monkeypatch.setattr(constants, "ENDPOINT", server.endpoint)
        template = server.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        if "transformers" in sys.modules:
            kept = importlib.import_module("transformers.utils.hub")
            monkeypatch.setattr(kept, "_hf_api", None, raising=False)  # keeps the address that it was made with
        yield server
    from huggingface_hub import close_session

    close_session()
