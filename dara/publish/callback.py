"""The check as a callback of transformers' `Trainer`.

Imported through `dara.publish`, so that transformers is loaded only where a training runs anyway.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from corpora.errors import PackageError
from dara.errors import DaraError
from dara.publish.check import OnError, PublishCheck
from dara.publish.models import check_model
from dara.publish.upload import settle
from dara.settings import Settings

_LOGGER = logging.getLogger("dara.publish")


class DaraCallback(TrainerCallback):  # type: ignore[misc]  # transformers is checked without its types
    """Refuses to push a model under a name that it contradicts.

        Trainer(model, TrainingArguments(..., push_to_hub=True), callbacks=[DaraCallback()])

    The model is checked when the trainer is made, so that a wrong name does not cost a training run, and again before
    each push. The trainer itself creates the (empty) repository before any callback is asked; call
    `dara.publish.check_model(model, name)` first where even that is too much.

    Args:
        on_error: `raise` ends the training before anything is uploaded; `warn` logs the reasons.
        settings: what is checked and what refuses; defaults when None.
        allow_other_architecture: the repository may hold another architecture.
    """

    def __init__(
        self,
        on_error: OnError = "raise",
        *,
        settings: Settings | None = None,
        allow_other_architecture: bool = False,
    ) -> None:
        self.on_error: OnError = on_error
        self.settings = settings
        self.allow_other_architecture = allow_other_architecture
        self.last: PublishCheck | None = None
        """The newest check, for a notebook to look at."""

    def on_init_end(self, args: Any, state: Any, control: Any, model: Any = None, **others: Any) -> None:
        """Checks at the start, when the arguments say that there will be a push."""
        del control, others
        if args.push_to_hub:
            self._check(args, state, model)

    def on_push_begin(self, args: Any, state: Any, control: Any, model: Any = None, **others: Any) -> None:
        """Checks before each push: of a checkpoint, at the end, or by hand."""
        del control, others
        self._check(args, state, model)

    def _check(self, args: Any, state: Any, model: Any) -> None:
        if model is None or not state.is_world_process_zero:
            return
        try:
            self.last = check_model(
                model,
                _repository(args),
                settings=self.settings,
                allow_other_architecture=self.allow_other_architecture,
                revision=getattr(args, "hub_revision", None),
                token=args.hub_token,
            )
        except (DaraError, PackageError) as error:
            # A model that cannot be checked is not accused of anything; the name stays unverified.
            _LOGGER.warning("not checked before the push: %s", error)
            return
        settle(self.last, self.on_error)


def _repository(args: Any) -> str:
    """The name that the trainer will push to; with the owner where that can be learned."""
    name = args.hub_model_id or Path(args.output_dir).absolute().name
    if "/" in name:
        return str(name)
    from huggingface_hub import HfApi

    from corpora.sources.hub import endpoint_of
    from corpora.sources.interface import OpenOptions

    try:
        user = HfApi(endpoint=endpoint_of(OpenOptions())).whoami(token=args.hub_token)["name"]
    except Exception as error:  # noqa: BLE001 - without an owner the name is checked all the same
        _LOGGER.info("the owner of %s is not known: %s", name, error)
        return str(name)
    return f"{user}/{name}"
