"""A live hub through the real client: what is asked, what is moved, what is recorded."""

from __future__ import annotations

import json
import struct
import threading
from pathlib import Path

import pytest
from hub_files import Sparse, safetensors_file

from corpora.errors import GatedError, InvalidTargetError, NotFoundError, OfflineError, UnavailableError
from corpora.package import Package
from corpora.sources import open_package
from corpora.sources.names import hub_address

HEADER = {f"layer.{i}.weight": ("F32", (768, 768)) for i in range(200)}


def read_header(package: Package, path: str) -> dict[str, object]:
    source = package.files.open(path)
    (length,) = struct.unpack("<Q", source.read(0, 8))
    header: dict[str, object] = json.loads(source.read(8, length))
    return header


def add_bert(hub, name="acme/bert-base", **more):
    files = {
        "config.json": {"model_type": "bert"},
        "README.md": "---\nlicense: mit\nbase_model: google/bert\n---\n# Card\n",
        "model.safetensors": safetensors_file(HEADER),
    }
    return hub.add(name, files, **more)


def test_header_of_a_large_file_costs_its_header(hub, opened):
    add_bert(hub)
    package = opened("acme/bert-base")
    assert len(read_header(package, "model.safetensors")) == 200
    assert package.files.sizes()["model.safetensors"] > 400e6
    assert hub.sent < 100_000
    assert [entry.range for entry in hub.requests("safetensors", "cdn")] == ["bytes=0-65535"]


def test_package_carries_name_commit_config_card_and_metadata(hub, opened):
    repo = add_bert(
        hub,
        info={
            "tags": ["transformers", "bert"],
            "pipeline_tag": "fill-mask",
            "library_name": "transformers",
            "cardData": {"license": "mit", "base_model": "google/bert"},
            "safetensors": {"parameters": {"F32": 117964800}, "total": 117964800},
            "config": {"architectures": ["BertForMaskedLM"], "model_type": "bert"},
        },
    )
    package = opened("acme/bert-base")
    assert (package.name, package.owner, package.repo, package.name_basis) == (
        "acme/bert-base",
        "acme",
        "bert-base",
        "hub",
    )
    assert (package.source, package.revision, package.asked) == ("hub", repo.sha, None)
    assert package.config().value == {"model_type": "bert"}
    assert package.card().license == "mit"
    assert package.metadata.pipeline_tag == "fill-mask"
    assert package.metadata.base_model == ("google/bert",)
    assert package.metadata.safetensors_total == 117964800
    assert package.metadata.safetensors_parameters == {"F32": 117964800}
    assert package.metadata.config["model_type"] == "bert"
    assert package.metadata.gated is False


def test_files_are_read_at_the_commit_that_was_listed(hub, opened):
    repo = add_bert(hub)
    package = opened("acme/bert-base")
    package.config()
    assert hub.requests("config.json")[0].path == f"/acme/bert-base/resolve/{repo.sha}/config.json"


def test_metadata_of_unexpected_types_is_left_out(hub, opened):
    add_bert(
        hub,
        info={
            "tags": [1, None, "x"],
            "pipeline_tag": 7,
            "library_name": ["a"],
            "gguf": [1],
            "config": "x",
            "likes": -3,
        },
    )
    metadata = opened("acme/bert-base").metadata
    assert metadata.tags == ("x",)
    assert metadata.pipeline_tag is None
    assert metadata.library_name is None
    assert (dict(metadata.gguf), dict(metadata.config), metadata.likes) == ({}, {}, None)


@pytest.mark.parametrize(
    "odd",
    [
        {"cardData": {"ignore_metadata_errors": True}},
        {"cardData": {"self": 1, "get": 2, "to_dict": 3}},
        {"cardData": {"eval_results": 3, "model-index": "x", "language": "\ud800"}},
        {"cardData": [1]},
        {"safetensors": {"parameters": {"F32": 1}}},
        {"safetensors": {"total": 5}},
        {"safetensors": "x"},
        {"transformersInfo": {"unheard": "of"}, "evalResults": [1], "inferenceProviderMapping": 5},
        {"lastModified": "nonsense", "createdAt": 5},
        {"tags": 5, "gated": 5, "widgetData": 5, "author": None},
    ],
)
def test_card_of_a_stranger_does_not_hinder_the_audit(hub, opened, odd, caplog, capsys):
    """The constructors of the hub's client raise on some of these, and warn on stderr about others."""
    add_bert(hub, info=odd)
    package = opened("acme/bert-base")
    assert package.config().value == {"model_type": "bert"}
    assert caplog.records == []
    assert capsys.readouterr() == ("", "")


def test_140_gb_in_shards_move_less_than_a_megabyte(hub, opened):
    shards = 30
    names = [f"model-{i:05d}-of-{shards:05d}.safetensors" for i in range(1, shards + 1)]
    layout = {f"model.layers.{i}.mlp.gate_proj.weight": ("BF16", (28672, 8192)) for i in range(10)}
    weights = {name: safetensors_file(layout) for name in names}
    index = {"metadata": {}, "weight_map": {f"{i}": names[i] for i in range(shards)}}
    hub.add("acme/big-70b", {"config.json": {}, "model.safetensors.index.json": index, **weights})
    package = opened("acme/big-70b")
    assert sum(size or 0 for size in package.files.sizes().values()) > 140e9
    package.config()
    package.read_json("model.safetensors.index.json")
    assert all(len(read_header(package, name)) == 10 for name in names)
    assert hub.sent < 1_000_000
    assert len(hub.requests("safetensors$", "cdn")) == shards  # one request each


def test_shards_are_fetched_together(hub, opened):
    names = [f"model-{i:05d}-of-00008.safetensors" for i in range(1, 9)]
    hub.add("acme/x", {name: safetensors_file(HEADER) for name in names})
    for name in names:
        hub.fault(name, "slow", side="cdn", seconds=0.2)
    package = opened("acme/x")
    package.files.open(names[0])
    assert len(hub.requests(side="cdn")) >= len(names)


def test_long_header_of_a_shard_comes_by_its_exact_length(hub, opened):
    layout = {f"experts.{i}.down_proj.weight": ("BF16", (64, 64)) for i in range(2_000)}
    names = [f"model-{i:05d}-of-00100.safetensors" for i in range(1, 101)]
    hub.add("acme/moe", {name: safetensors_file(layout) for name in names})
    package = opened("acme/moe")
    assert len(read_header(package, names[7])) == 2_000
    header = len(safetensors_file(layout).head)
    assert [entry.sent for entry in hub.requests(names[7], "cdn")] == [4096, header - 4096]


def test_small_steps_are_coalesced_and_kept(hub, opened):
    hub.add("acme/gguf", {"model.gguf": Sparse(bytes(range(256)) * 4096, 10 << 30)})
    source = opened("acme/gguf").files.open("model.gguf")
    data = b"".join(source.read(offset, 100) for offset in range(0, 500_000, 100))
    assert data == (bytes(range(256)) * 4096)[:500_000]
    assert len(hub.requests(side="cdn")) <= 5
    assert source.read(1_000, 50) == data[1_000:1_050]
    assert source.read((10 << 30) - 10, 100) == bytes(10)
    assert source.read(10 << 30, 5) == b""
    assert source.read(-1, 5) == b""


def test_prefetch_brings_what_every_audit_reads_at_once(hub, opened):
    add_bert(hub)
    package = opened("acme/bert-base")
    package.prefetch()
    asked = len(hub.log)
    assert package.config().value == {"model_type": "bert"}
    assert package.card().license == "mit"
    assert len(read_header(package, "model.safetensors")) == 200
    assert len(hub.log) == asked
    assert hub.sent < 100_000


def test_prefetch_of_a_failing_hub_says_nothing_until_it_is_read(hub, opened):
    add_bert(hub)
    package = opened("acme/bert-base")
    hub.fault("config.json", "status", status=503, times=None)
    package.prefetch()
    assert package.card().license == "mit"
    with pytest.raises(UnavailableError):
        package.config()


def test_storage_address_is_reused_and_asked_for_again_when_it_expires(hub, opened):
    hub.add("acme/x", {"model.gguf": Sparse(b"GGUF", 5 << 30)})
    source = opened("acme/x").files.open("model.gguf")
    source.read(0, 4)
    source.read(1 << 30, 40_000)
    assert len(hub.requests("resolve", "hub")) == 1
    hub.fault("gguf", "status", side="cdn", status=403)
    assert source.read(2 << 30, 40_000) == bytes(40_000)
    assert len(hub.requests("resolve", "hub")) == 2


def test_credentials_reach_the_hub_and_never_the_storage(hub, opened):
    hub.users["secret"] = "me"
    add_bert(hub)
    package = opened("acme/bert-base", token="secret")
    read_header(package, "model.safetensors")
    assert all(entry.authorized for entry in hub.requests(side="hub"))
    assert not any(entry.authorized for entry in hub.requests(side="cdn"))


def test_renamed_package_records_both_names(hub, opened):
    add_bert(hub, "new-owner/bert-base")
    hub.renamed["acme/bert-base"] = "new-owner/bert-base"
    package = opened("acme/bert-base")
    assert (package.name, package.asked) == ("new-owner/bert-base", "acme/bert-base")
    assert package.notes == ("acme/bert-base is called new-owner/bert-base on the hub now",)
    assert package.config().value == {"model_type": "bert"}


def test_package_without_owner(hub, opened):
    add_bert(hub, "gpt2")
    package = opened("gpt2")
    assert (package.name, package.owner, package.repo) == ("gpt2", None, "gpt2")
    assert len(read_header(package, "model.safetensors")) == 200


def test_given_name_wins_over_the_hubs(hub, opened):
    add_bert(hub)
    package = opened("acme/bert-base", name="me/roberta-large")
    assert (package.name, package.name_basis) == ("me/roberta-large", "given")


@pytest.mark.parametrize(("token", "error"), [(False, NotFoundError), ("other", NotFoundError)])
def test_missing_and_private_packages_look_alike(hub, opened, token, error):
    hub.users["other"] = "somebody"
    add_bert(hub, "acme/hidden", private=True, allowed=frozenset({"mine"}))
    for target in ("acme/hidden", "acme/missing"):
        with pytest.raises(error, match=f"{target}: not on the hub, or private; check the name") as caught:
            opened(target, token=token)
        assert caught.value.exit_code_hint == 3
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("token", [False, "other"])
def test_gated_package_is_refused_with_the_next_step(hub, opened, token):
    hub.users.update({"other": "somebody", "mine": "me"})
    add_bert(hub, gated="manual", allowed=frozenset({"mine"}))
    with pytest.raises(GatedError, match="gated; ask for access on its page, then run `hf auth login`") as caught:
        opened("acme/bert-base", token=token)
    assert caught.value.exit_code_hint == 4
    assert opened("acme/bert-base", token="mine").config().value == {"model_type": "bert"}


def test_refused_token(hub, opened):
    hub.users["good"] = "me"
    add_bert(hub)
    with pytest.raises(GatedError, match="refuses the access token; run `hf auth login`"):
        opened("acme/bert-base", token="stale")


def test_missing_revision_and_file(hub, opened):
    add_bert(hub)
    with pytest.raises(NotFoundError, match="no such revision"):
        opened("acme/bert-base@v9")
    package = opened("acme/bert-base")
    with pytest.raises(NotFoundError, match=r"weights.h5: no such file in acme/bert-base"):
        package.read_bytes("weights.h5")


def test_revision_from_address_and_option(hub, opened):
    repo = add_bert(hub)
    assert opened(f"acme/bert-base@{repo.sha}").revision == repo.sha
    assert opened("acme/bert-base", revision="main").revision == repo.sha
    assert opened(f"{hub.endpoint}/acme/bert-base/tree/{repo.sha}").name == "acme/bert-base"


def test_address_of_one_file_narrows_the_package(hub, opened):
    files = {"config.json": "{}", "README.md": "x", "a.Q4_K_M.gguf": b"GGUF", "b.Q8_0.gguf": b"GGUF"}
    hub.add("acme/quants", {**files, "model.safetensors.index.json": "{}"})
    package = opened(f"{hub.endpoint}/acme/quants/blob/main/b.Q8_0.gguf")
    assert package.paths == ("README.md", "b.Q8_0.gguf", "config.json")
    assert opened("hf://acme/quants/a.Q4_K_M.gguf").paths == ("README.md", "a.Q4_K_M.gguf", "config.json")
    assert len(opened(f"{hub.endpoint}/acme/quants/tree/main").paths) == 5
    hub.add("acme/large", {f"m-{i:05d}-of-00002.gguf": b"GGUF" for i in (1, 2)} | {"x.gguf": b"GGUF"})
    assert opened("hf://acme/large/m-00001-of-00002.gguf").paths == ("m-00001-of-00002.gguf", "m-00002-of-00002.gguf")
    with pytest.raises(NotFoundError, match=r"acme/quants/c\.gguf: no such file in this revision"):
        opened("hf://acme/quants/c.gguf")


def test_paths_that_leave_the_package_are_left_out(hub, opened):
    add_bert(
        hub,
        info={"siblings": [{"rfilename": "../../etc/passwd"}, {"rfilename": "/etc/passwd"}, {"rfilename": "ok.json"}]},
    )
    package = opened("acme/bert-base")
    assert package.paths == ("ok.json",)
    assert [path for path, _ in package.skipped] == ["../../etc/passwd", "/etc/passwd"]


def test_package_without_files(hub, opened):
    hub.add("acme/empty", {})
    with pytest.raises(NotFoundError, match="holds no files"):
        opened("acme/empty")


def test_files_of_the_cache_are_not_fetched_again(hub, opened):
    from huggingface_hub import hf_hub_download

    add_bert(hub)
    hf_hub_download("acme/bert-base", "config.json", endpoint=hub.endpoint, cache_dir=opened.cache, token=False)
    hub.log.clear()
    package = opened("acme/bert-base")
    assert package.config().value == {"model_type": "bert"}
    assert hub.requests("config.json") == []


def test_nothing_is_written(hub, opened, tmp_path):
    add_bert(hub)
    package = opened("acme/bert-base")
    package.config()
    package.card()
    read_header(package, "model.safetensors")
    assert list(tmp_path.rglob("*")) == []


def test_offline_uses_the_cache_and_no_request(hub, opened, monkeypatch):
    from huggingface_hub import hf_hub_download

    repo = add_bert(hub)
    hf_hub_download("acme/bert-base", "config.json", endpoint=hub.endpoint, cache_dir=opened.cache, token=False)
    hub.log.clear()
    package = opened("acme/bert-base", offline=True)
    assert (package.source, package.name, package.revision) == ("hub-cache", "acme/bert-base", repo.sha)
    assert package.config().value == {"model_type": "bert"}
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert opened("acme/bert-base").source == "hub-cache"
    with pytest.raises(
        OfflineError, match="acme/other is not on this machine; go online, or run `hf download acme/other`"
    ):
        opened("acme/other")
    assert hub.log == []


def test_endpoint_comes_from_the_environment_as_it_is_now(hub, opened, monkeypatch):
    add_bert(hub)
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint + "/")
    package = open_package("acme/bert-base", cache_dir=opened.cache, token=False)
    assert package.location == f"{hub.endpoint}/acme/bert-base"


def test_files_can_be_read_from_several_threads(hub, opened):
    hub.add("acme/x", {"model.gguf": Sparse(bytes(range(256)) * 1024, 1 << 30)})
    source = opened("acme/x").files.open("model.gguf")
    results: dict[int, bytes] = {}

    def read(offset: int) -> None:
        results[offset] = source.read(offset, 1_000)

    threads = [threading.Thread(target=read, args=(offset,)) for offset in range(0, 200_000, 10_000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole = bytes(range(256)) * 1024
    assert results == {offset: whole[offset : offset + 1_000] for offset in range(0, 200_000, 10_000)}


@pytest.mark.parametrize(
    ("text", "repo_id", "revision"),
    [
        ("a/b", "a/b", None),
        ("gpt2", "gpt2", None),
        (" a/b ", "a/b", None),
        ("a/b@main", "a/b", "main"),
        ("a/b@refs/pr/1", "a/b", "refs/pr/1"),
        ("hf://a/b", "a/b", None),
        ("hf://a/b@v1/model.safetensors", "a/b", "v1"),
        ("hf://models/a/b", "a/b", None),
        ("hf://a/b@refs/pr/3/config.json", "a/b", "refs/pr/3"),
        ("hf://a/b/folder/config.json", "a/b", None),
        ("https://huggingface.co/a/b", "a/b", None),
        ("https://huggingface.co/a/b/tree/main", "a/b", "main"),
        ("https://huggingface.co/a/b/tree/refs%2Fpr%2F1", "a/b", "refs/pr/1"),
        ("https://hf.co/a/b/blob/main/config.json?download=true", "a/b", "main"),
        ("https://huggingface.co/api/models/a/b", "a/b", None),
        ("https://hub.example:8443/a/b", "a/b", None),
    ],
)
def test_addresses(text, repo_id, revision):
    address = hub_address(text, "https://hub.example:8443")
    assert (address.repo_id, address.revision) == (repo_id, revision)


@pytest.mark.parametrize(
    "text",
    [
        "a/b/c",
        "a//b",
        "/a",
        "-a/b",
        "a--b/c",
        "a/b..c",
        "a/b.git",
        "a/" + "b" * 97,
        "a b/c",
        "datasets/a/b",
        "https://huggingface.co/datasets/a/b",
        "https://huggingface.co/spaces/a/b",
        "https://example.org/a/b",
        "ftp://huggingface.co/a/b",
        "http://[::1/a/b",
        "hf://",
        "a/b\n",
        "\u0430/b",  # a Cyrillic letter
    ],
)
def test_what_is_no_address(text):
    if text == "a/b\n":
        assert hub_address(text).repo_id == "a/b"
        return
    with pytest.raises(InvalidTargetError):
        hub_address(text)


def test_mirror_of_a_folder(hub, opened, tmp_path: Path):
    folder = tmp_path / "acme--served"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    hub.add_folder(folder)
    assert opened("acme/served").config().value == {}
