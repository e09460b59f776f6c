"""`dara snapshot pull`: what is pulled is judged as the live packages are; killed pulls go on; messages and codes."""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commandline import Run
from hub_files import safetensors_file
from hub_server import HubServer

from corpora.sources.snapshots import open_snapshot
from dara.audit import audit, audit_package
from dara.batch.engines import LocalEngine
from dara.batch.run import run_batch
from dara.cli.snapshot import query_of
from dara.errors import UsageError
from dara.reports.document import audit_document


@pytest.fixture
def dara(hub: HubServer, hub_dara: Run) -> Run:
    """Five packages a page, so that a pull turns pages."""
    hub.page = 5
    return hub_dara


def damage(hub: HubServer) -> None:
    """Packages that an audit can say little about, each in its own way."""
    head = (1 << 40).to_bytes(8, "little")
    hub.add("odd/bert-header-of-a-terabyte", {"config.json": {"model_type": "bert"}, "model.safetensors": head + b"{"})
    hub.add("odd/bert-no-json", {"config.json": "{", "README.md": "---\nlicense: [\n---\n"})
    hub.add(
        "odd/gpt2-index-only", {"model.safetensors.index.json": {"weight_map": {"wte.weight": "absent.safetensors"}}}
    )
    hub.add("odd/pickle", {"pytorch_model.bin": b"\x80\x04cos\nsystem\n.", "config.json": {"model_type": "gpt2"}})
    hub.add("odd/text", {"weights.npz": b"PK", "README.md": "---\ndara:\n  ignore: [DAR101]\n---\n" + "x" * 200_000})
    hub.add("odd/pointer", {"model.safetensors": "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"})


def layouts(hub: HubServer) -> None:
    """Packages whose weights lie in several files, or in other formats."""
    import numpy as np

    names = [f"model-{number:05d}-of-00012.safetensors" for number in range(1, 13)]
    layers = [{f"model.layers.{n}.mlp.{part}.weight": ("BF16", (4096, 4096)) for part in ("a", "b")} for n in range(12)]
    index = {"weight_map": {name: names[n] for n, layer in enumerate(layers) for name in layer}}
    shards = {name: safetensors_file(layer) for name, layer in zip(names, layers, strict=True)}
    config = {"config.json": {"model_type": "llama", "num_hidden_layers": 12}}
    hub.add("lay/llama-12-layers", {**config, "model.safetensors.index.json": {"metadata": {}, **index}, **shards})
    del shards[names[7]]
    hub.add("lay/llama-13b-shard-missing", {**config, "model.safetensors.index.json": index, **shards})
    unet = {"conv_in.weight": ("F16", (320, 4, 3, 3)), "conv_out.bias": ("F16", (4,))}
    pipeline = {"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"]}
    hub.add(
        "lay/diffusion",
        {
            "model_index.json": pipeline,
            "unet/config.json": {"_class_name": "UNet2DConditionModel"},
            "unet/diffusion_pytorch_model.safetensors": safetensors_file(unet),
        },
    )
    hub.add(
        "lay/bert-lora",
        {
            "adapter_config.json": {"peft_type": "LORA", "base_model_name_or_path": "bert-base-cased"},
            "adapter_model.safetensors": safetensors_file({"base_model.model.q.lora_A.weight": ("F32", (8, 768))}),
        },
    )
    arrays = io.BytesIO()
    np.savez(arrays, **{"embed.weight": np.zeros((10, 4), np.float32), "norm.bias": np.zeros(4, np.float32)})
    hub.add("lay/arrays", {**config, "weights.npz": arrays.getvalue()})
    kinds = {"tokenizer.ggml.tokens": [f"word{n}" for n in range(20_000)]}
    hub.add("lay/llama-gguf", {"model.gguf": gguf_file(kinds)})


def gguf_file(values: dict[str, list[str]]) -> bytes:
    """A GGUF file of one tensor; its header is longer than what is read at first."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    data = b"GGUF" + struct.pack("<IQQ", 3, 1, len(values) + 1)
    data += text("general.architecture") + struct.pack("<I", 8) + text("llama")
    for key, items in values.items():
        data += text(key) + struct.pack("<IIQ", 9, 8, len(items)) + b"".join(map(text, items))
    data += text("token_embd.weight") + struct.pack("<IQQIQ", 2, 64, 32, 0, 0)
    return data + bytes(-len(data) % 32) + bytes(64 * 32 * 4)


def test_the_audit_of_a_pulled_package_is_that_of_the_live_one(dara: Run, hub: HubServer, tmp_path: Path) -> None:
    damage(hub)
    layouts(hub)
    code, _, err = dara("snapshot", "pull", "--limit", "99", "-o", "hub.jsonl")
    assert (code, err) == (0, "")
    measured: set[str | None] = set()
    compared = 0
    for package in open_snapshot(tmp_path / "hub.jsonl").packages():
        outcomes = []
        for judge in (
            lambda package=package: audit(package.name, build_graphs=False),
            lambda package=package: audit_package(package, build_graphs=False),
        ):
            try:
                outcomes.append(json.dumps(audit_document(judge()), sort_keys=True))
            except Exception as error:  # noqa: BLE001 - whatever the one says, the other has to say
                outcomes.append(f"{type(error).__name__}: {error}")
        assert outcomes[0] == outcomes[1]
        compared += 1
        if '"fingerprint": {' in outcomes[0]:
            measured.add(package.name)
    assert compared == len(hub.repos)
    sound = {name for name in hub.repos if name.startswith(("acme/", "lay/"))}
    assert sound - measured == {"lay/bert-lora"}, "an adapter has no graph of its own"


def test_batch_reads_what_was_pulled(dara: Run, hub: HubServer, packages: list[Path], tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    hub.add("acme/secret-bert", {"config.json": "{}"}, gated="manual")
    assert dara("snapshot", "pull", "--limit", "99", "-o", "hub.jsonl")[0] == 0
    run_batch(tmp_path / "hub.jsonl", tmp_path / "pulled", engine=LocalEngine(1))
    run_batch(packages[0].parent, tmp_path / "mirrored", engine=LocalEngine(1))
    columns = ["name", "verdict", "digest", "structure", "identified", "codes", "facts"]
    tables = [pq.read_table(tmp_path / out / "packages.parquet", columns=columns) for out in ("pulled", "mirrored")]
    pulled, mirrored = (sorted(table.to_pylist(), key=lambda row: row["name"]) for table in tables)
    assert pulled == mirrored
    assert all(row["digest"] for row in pulled), "graphs are fingerprinted"
    skipped = pq.read_table(tmp_path / "pulled" / "skipped.parquet").to_pylist()
    reasons = [row["reason"] for row in skipped if row["check"] == "entry"]
    assert len(reasons) == 1
    assert "acme/secret-bert: gated" in reasons[0]


def test_summary(dara: Run, hub: HubServer) -> None:
    hub.add("acme/secret", {"config.json": "{}"}, gated="manual")
    code, out, err = dara("snapshot", "pull", "author:acme", "-o", "hub.jsonl")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].endswith("packages, 1 left out")
    assert "gated" in lines[1]
    assert lines[-1] == "snapshot: hub.jsonl; next: dara batch hub.jsonl -o OUT"


def test_exit_codes(dara: Run, hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    assert dara("snapshot", "pull", "-o", "x.jsonl")[0] == 2, "the whole hub, by accident"
    assert dara("snapshot", "pull", "bert", "sort:nothing", "-o", "x.jsonl")[0] == 2
    assert dara("snapshot", "pull", "author:nobody", "-o", "x.jsonl")[0] == 3
    assert dara("snapshot", "pull", "--limit", "1", "-o", "there.jsonl")[0] == 0
    assert dara("snapshot", "pull", "--limit", "1", "-o", "there.jsonl")[0] == 2
    assert dara("snapshot", "pull", "--limit", "1", "-o", "missing/x.jsonl")[0] == 2
    hub.fault("/api/models$", "status", status=400, times=None)
    code, _, err = dara("snapshot", "pull", "bert", "-o", "x.jsonl")
    assert code == 4
    assert err.count("\n") == 1
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert dara("snapshot", "pull", "bert", "-o", "x.jsonl")[0] == 4


def test_words_of_a_query() -> None:
    found = query_of(["author:google", "filter:fill-mask bert", "large"], filters=["license:mit"], sort="likes")
    assert (found.author, found.search, found.filter, found.sort) == (
        "google", "bert large", ("fill-mask", "license:mit"), "likes",
    )  # fmt: skip
    assert query_of(["a:b author:"]).search == "a:b author:"
    assert query_of(["author:x"], author="x").author == "x"
    with pytest.raises(UsageError, match="one author"):
        query_of(["author:x"], author="y")


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs a limit on files")
def test_a_full_disk(hub: HubServer, tmp_path: Path) -> None:
    environment = {**os.environ, "HF_ENDPOINT": hub.endpoint, "HF_HUB_CACHE": str(tmp_path / "cache")}
    environment.pop("HF_HUB_OFFLINE", None)
    command = [sys.executable, "-c", "from dara.cli import main; main()", "snapshot", "pull", "--limit", "99", "-o"]
    done = subprocess.run(
        [*command, str(tmp_path / "out.jsonl")],
        env=environment,
        timeout=120,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000)),
    )
    assert done.returncode == 4
    assert "cannot be written" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs kill -9")
def test_kill_9_and_resume(hub: HubServer, tmp_path: Path) -> None:
    hub.fault("/api/models/", "slow", seconds=0.05, times=None)
    environment = {**os.environ, "HF_ENDPOINT": hub.endpoint, "HF_HUB_CACHE": str(tmp_path / "cache")}
    environment.pop("HF_HUB_OFFLINE", None)
    command = [sys.executable, "-c", "from dara.cli import main; main()", "snapshot", "pull", "--limit", "99", "-o"]
    subprocess.run(
        [*command, str(tmp_path / "whole.jsonl")], check=True, env=environment, timeout=120, capture_output=True
    )
    killed = 0
    for moment in (3, 8, 15):
        hub.log.clear()
        process = subprocess.Popen([*command, str(tmp_path / "out.jsonl")], env=environment, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if len(hub.log) >= moment:
                process.kill()
                break
            time.sleep(0.002)
        killed += process.wait(30) == -signal.SIGKILL
    assert killed >= 2
    subprocess.run(
        [*command, str(tmp_path / "out.jsonl")], check=True, env=environment, timeout=120, capture_output=True
    )
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
