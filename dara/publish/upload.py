"""Uploads that are checked first. What was checked is what is sent."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dara.publish.check import OnError, PublishCheck, PublishRefusedError, check_folder
from dara.settings import Settings

if TYPE_CHECKING:
    from huggingface_hub import CommitInfo, HfApi

_LOGGER = logging.getLogger("dara.publish")


def checked_upload(
    folder: str | Path,
    repo_id: str,
    *,
    on_error: OnError = "raise",
    settings: Settings | None = None,
    allow_other_architecture: bool = False,
    create: bool = False,
    private: bool | None = None,
    api: HfApi | None = None,
    token: str | bool | None = None,
    **options: Any,
) -> CommitInfo:
    """`HfApi.upload_folder` for a model, after a check of its name. Without a clean check nothing is sent.

    Args:
        folder: the package. The whole folder is checked, also where `allow_patterns` sends only a part.
        repo_id: `owner/name`.
        on_error: `raise` refuses; `warn` logs the reasons and uploads.
        settings: as for `check_folder`.
        allow_other_architecture: the repository may hold another architecture.
        create: make the repository when it is not there.
        private: whether a new repository is private.
        api: the client to use.
        token: access token.
        options: whatever else `upload_folder` takes: `commit_message`, `revision`, `create_pr` ...

    Raises:
        PublishRefusedError: the name and the package disagree, or the repository holds another model.
        NothingAuditableError: the folder holds neither a configuration nor weights.
    """
    check = check_folder(
        folder,
        repo_id,
        settings=settings,
        allow_other_architecture=allow_other_architecture,
        revision=options.get("revision"),
        token=token,
    )
    settle(check, on_error)
    return send(folder, repo_id, create=create, private=private, api=api, token=token, **options)


def checked_push_to_hub(
    model: Any,
    repo_id: str,
    *,
    also: tuple[Any, ...] = (),
    on_error: OnError = "raise",
    settings: Settings | None = None,
    allow_other_architecture: bool = False,
    private: bool | None = None,
    api: HfApi | None = None,
    token: str | bool | None = None,
    commit_message: str | None = None,
    **options: Any,
) -> CommitInfo:
    """A model's `push_to_hub` after a check of its name; the repository is made when it is not there.

    Args:
        model: anything with `save_pretrained`: a model, a pipeline, an adapter.
        repo_id: `owner/name`.
        also: tokenizer, processor and the like, saved beside the model.
        on_error: `raise` refuses; `warn` logs the reasons and uploads.
        settings: as for `check_folder`.
        allow_other_architecture: the repository may hold another architecture.
        private: whether a new repository is private.
        api: the client to use.
        token: access token.
        commit_message: of the commit.
        options: whatever else the model's `save_pretrained` takes, such as `max_shard_size`.

    Raises:
        PublishRefusedError: the name and the package disagree, or the repository holds another model.
    """
    with tempfile.TemporaryDirectory(prefix="dara-push-") as scratch:
        model.save_pretrained(scratch, **options)
        for item in also:
            item.save_pretrained(scratch)
        return checked_upload(
            scratch,
            repo_id,
            on_error=on_error,
            settings=settings,
            allow_other_architecture=allow_other_architecture,
            create=True,
            private=private,
            api=api,
            token=token,
            commit_message=commit_message or f"Upload {type(model).__name__}",
        )


def settle(check: PublishCheck, on_error: OnError) -> None:
    """Ends a refused publication, or logs why it should not have been made.

    Raises:
        PublishRefusedError: when the check refuses and `on_error` is `raise`.
    """
    if check.comparison.note:
        _LOGGER.warning("%s", check.comparison.note)
    if not check.refused:
        return
    if on_error == "raise":
        raise PublishRefusedError(check)
    _LOGGER.warning("%s", check.message.replace(" is not published:", " should not be published:"))


def send(
    folder: str | Path,
    repo_id: str,
    *,
    create: bool,
    private: bool | None = None,
    api: HfApi | None = None,
    token: str | bool | None = None,
    **options: Any,
) -> CommitInfo:
    """Uploads a folder that has been checked."""
    if api is None:
        from huggingface_hub import HfApi

        from corpora.sources.hub import endpoint_of
        from corpora.sources.interface import OpenOptions

        api = HfApi(endpoint=endpoint_of(OpenOptions()))
    if create:
        api.create_repo(repo_id, token=token, private=private, exist_ok=True)
    sent: CommitInfo = api.upload_folder(repo_id=repo_id, folder_path=folder, token=token, **options)
    return sent
