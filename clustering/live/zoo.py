"""Architectures of timm, built on the meta device like everything else here: no weights, no network.

timm imports torchvision, whose compiled operators exist only for the torch version that it was built for. Nothing here
computes with them, so where they are missing they are declared, without an implementation, before it is imported.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from clustering.errors import MissingExtraError
from clustering.live.limits import LiveLimits, LiveModelError, build_budget

if TYPE_CHECKING:
    from torch import nn

_OPERATORS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
"""What torchvision registers fake versions of when it is imported (torchvision/_meta_registrations.py)."""

_declared: list[Any] = []  # the library object must live as long as its declarations


def prepare_torchvision() -> None:
    """Make `import torchvision` work with a torch that it has no compiled operators for. Harmless where it has them."""
    if _declared or importlib.util.find_spec("torchvision") is None:
        return
    import torch

    with contextlib.suppress(ImportError, RuntimeError, AttributeError):
        importlib.import_module("torchvision")  # its own extension declares the operators where it fits this torch
        if hasattr(torch.ops.torchvision, "nms"):
            return
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name, schema in _OPERATORS.items():
        with contextlib.suppress(RuntimeError):  # declared by somebody else meanwhile
            library.define(name + schema)
    _declared.append(library)


def timm_module(architecture: str, *, limits: LiveLimits | None = None, **arguments: Any) -> nn.Module:
    """Build a timm architecture (`resnet50`, also with a weight tag, `resnet50.a1_in1k`) on the meta device.

    Args:
        architecture: Name in timm's registry.
        limits: How much the build may cost.
        **arguments: Passed on to timm (`num_classes`, `depth` ...).

    Raises:
        LiveModelError: unknown name, or the build failed.
        MissingExtraError: timm is not installed.
    """
    timm = _timm()
    import torch

    name = architecture.partition(".")[0].removeprefix("timm/").removeprefix("hf_hub:")
    if not timm.is_model(name):
        raise LiveModelError(f"{architecture[:80]!r} is no architecture of timm {timm.__version__}")
    try:
        with build_budget(limits or LiveLimits()), torch.device("meta"):
            module: nn.Module = timm.create_model(name, pretrained=False, **arguments)
    except LiveModelError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        raise LiveModelError(f"timm {name!r} cannot be built ({type(error).__name__}: {text})") from error
    return module.eval()


def timm_architectures() -> Iterator[tuple[str, str]]:
    """Every architecture of the installed timm with its family (the timm module that defines it), sorted.

    Raises:
        MissingExtraError: timm is not installed.
    """
    timm = _timm()
    for name in sorted(timm.list_models()):
        yield timm.model_entrypoint(name).__module__.rpartition(".")[2], name


def _timm() -> Any:
    try:
        prepare_torchvision()
        import timm
    except ImportError as error:
        raise MissingExtraError("timm architectures", "timm") from error
    return timm
