"""Checks for code that publishes: nothing is uploaded under a name that the package contradicts.

`checked_upload` stands around `HfApi.upload_folder`, `checked_push_to_hub` around a model's `push_to_hub`, and
`DaraCallback` in transformers' `Trainer`. `check_folder` and `check_model` only look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dara.publish.callback import DaraCallback
    from dara.publish.check import PublishCheck, PublishRefusedError, check_folder
    from dara.publish.models import check_model
    from dara.publish.upload import checked_push_to_hub, checked_upload

__all__ = [
    "DaraCallback", "PublishCheck", "PublishRefusedError", "check_folder", "check_model", "checked_push_to_hub",
    "checked_upload",
]  # fmt: skip

_HOME = {
    "DaraCallback": "callback",
    "PublishCheck": "check",
    "PublishRefusedError": "check",
    "check_folder": "check",
    "check_model": "models",
    "checked_push_to_hub": "upload",
    "checked_upload": "upload",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    try:
        module = importlib.import_module(f"{__name__}.{_HOME[name]}")
    except ModuleNotFoundError as error:
        if error.name != "transformers":
            raise
        from clustering.errors import MissingExtraError

        raise ImportError(str(MissingExtraError(f"{__name__}.{name}", "graph")), name=error.name) from error
    return getattr(module, name)
