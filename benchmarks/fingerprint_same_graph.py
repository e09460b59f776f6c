"""Is the graph of a package really that of another family? The other family's class is built, and compared by name.

`same_when_built` takes the class that was answered, gives it the package's own configuration on the meta device, and
compares every tensor by name and shape. Equal means that the package's weights could be loaded into that class with
nothing missing and nothing left over: the families differ in code only, or not at all. Options per layer that the
package's configuration does not have are tried with one value for all layers, or with dense layers before sparse ones,
since a copy of a family often brings such a list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.fingerprint_data import Asked
from clustering.graphs.layers import fold_tied, parameters_of
from clustering.tensors import TensorListing

NOT_THE_MODEL = frozenset({"architectures", "auto_map", "model_type", "quantization_config", "transformers_version"})
"""Entries of a configuration that say nothing about tensors, or name the family."""
_DENSE, _SPARSE, _FIRST_DENSE = "dense", "sparse", "first_k_dense_replace"

Tensors = Counter[tuple[str, tuple[int, ...]]]
"""Starred name and shape with how many there are."""


def tensors_of(listing: TensorListing) -> Tensors:
    """What is compared: parameters without containers, tied copies once."""
    return Counter((p.star, p.shape) for p in fold_tied(parameters_of(listing)))


def same_when_built(package: Asked, family: str, class_name: str) -> bool:
    """Whether a class of another family, in the package's own configuration, has exactly the package's tensors.

    Returns:
        False too where the class cannot be built from this configuration, so nothing is claimed then.
    """
    import transformers

    wanted = tensors_of(package.listing)
    values = {key: value for key, value in package.config.items() if key not in NOT_THE_MODEL}
    model_class = getattr(transformers, class_name, None)
    if model_class is None or family not in transformers.CONFIG_MAPPING:
        return False
    for further in ({}, *_per_layer(family, values)):
        try:
            config = transformers.AutoConfig.for_model(family, **{**values, **further})
            if any(found == wanted for found in _built(model_class, config)):
                return True
        except Exception:  # noqa: BLE001  # any error of a class under options that were not made for it
            continue
    return False


def _built(model_class: Any, config: Any) -> Iterator[Tensors]:
    """The tensors of a class as it is saved and as it is in memory."""
    import torch

    from clustering.live.listing import listing_from_module, saved_listing

    with torch.device("meta"):
        module = model_class(config)
    yield tensors_of(saved_listing(module))
    yield tensors_of(listing_from_module(module))


def _per_layer(family: str, values: Mapping[str, Any]) -> Iterator[dict[str, list[str]]]:
    """Further options: lists of the family with one kind per layer that the package's configuration does not have."""
    import transformers

    layers = values.get("num_hidden_layers")
    if not isinstance(layers, int):
        return
    try:
        usual = transformers.AutoConfig.for_model(family).to_dict()
    except Exception:  # noqa: BLE001  # no defaults, no lists
        return
    for name, kinds in usual.items():
        if name in values or not isinstance(kinds, list) or not kinds or not all(isinstance(k, str) for k in kinds):
            continue
        yield from ({name: [kind] * layers} for kind in sorted(set(kinds)))
        first = values.get(_FIRST_DENSE)
        if isinstance(first, int) and {_DENSE, _SPARSE} >= set(kinds):
            yield {name: [_DENSE] * first + [_SPARSE] * (layers - first)}
