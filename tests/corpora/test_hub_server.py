"""The test hub speaks to the real client in both directions."""

from __future__ import annotations

from pathlib import Path

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError


@pytest.fixture
def api(hub, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)  # uploads by LFS, which the hub speaks
    hub.users["secret"] = "me"
    return HfApi(endpoint=hub.endpoint, token="secret")


def test_whoami(api, hub):
    assert api.whoami()["name"] == "me"
    with pytest.raises(HfHubHTTPError):
        HfApi(endpoint=hub.endpoint, token=False).whoami(token="wrong")


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # of the client's own upload
def test_upload_is_logged_and_served_again(api, hub, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "model.safetensors").write_bytes(b"weights" * 100)
    assert hub.uploads() == []
    api.create_repo("me/new")
    api.upload_folder(repo_id="me/new", folder_path=tmp_path)
    assert hub.uploads()[0].method == "POST"
    assert any("/commit/" in entry.path for entry in hub.uploads())
    assert set(hub.repos["me/new"].files) == {"config.json", "model.safetensors"}
    assert hub.repos["me/new"].files["model.safetensors"].read(0, 7) == b"weights"
    assert api.file_exists("me/new", "config.json")


def test_existing_repository_and_missing_token(api, hub):
    api.create_repo("me/new")
    with pytest.raises(HfHubHTTPError):
        api.create_repo("me/new")
    api.create_repo("me/new", exist_ok=True)
    with pytest.raises(HfHubHTTPError):
        HfApi(endpoint=hub.endpoint, token=False).create_repo("x/y", token=False)


def test_listing_pages_and_filters(api, hub):
    hub.page = 3
    for index in range(8):
        hub.add(f"acme/bert-{index}", {"config.json": "{}"})
    hub.add("other/gpt", {"config.json": "{}"})
    assert len(list(api.list_models(author="acme"))) == 8
    assert [model.id for model in api.list_models(search="gpt")] == ["other/gpt"]


def test_tree_and_download(api, hub, tmp_path):
    hub.add("acme/x", {"config.json": "{}", "a/model.safetensors": b"w" * 2_000_000})
    assert {item.path for item in api.list_repo_tree("acme/x", recursive=True)} == {
        "config.json",
        "a/model.safetensors",
    }
    path = api.hf_hub_download("acme/x", "a/model.safetensors", cache_dir=tmp_path)
    assert Path(path).read_bytes() == b"w" * 2_000_000


def test_missing_repository(api):
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("acme/none")
