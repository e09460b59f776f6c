"""Facts that a weight file shows by itself: counts, dimensions, inputs and head of any family's model.

Nothing here knows families. Blocks are found as runs of indices (`clustering.blocks.stacks`), the main stack and its
towers by `clustering.blocks.towers`, sizes by the shapes inside typical blocks. What the shapes leave open (the number
of heads of a plain BERT) is not stated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from clustering.blocks.names import Named, named_tensors
from clustering.blocks.stacks import Stack
from clustering.blocks.towers import Towers, find_towers, is_auxiliary, is_of, modality
from clustering.declared.config import declared_facts
from clustering.declared.gguf import gguf_facts
from clustering.facts import Fact
from clustering.identity import Part
from clustering.measured.blocks import experts, width
from clustering.measured.counts import adapter_fact, count, dtype_facts, quantization_facts
from clustering.measured.heads import find_head, head_facts
from clustering.measured.inputs import (
    Embeddings,
    find_embeddings,
    patch_facts,
    position_facts,
    query_facts,
    vocabulary_facts,
)
from clustering.measured.stacks import layers_of, stack_facts
from clustering.parts.backbones import backbone_part
from clustering.parts.decompose import decompose
from clustering.parts.wording import dimensions
from clustering.tensors import TensorListing


def measured_facts(listing: TensorListing, config: Mapping[str, Any] | None = None) -> tuple[Fact, ...]:
    """Everything a listing shows.

    Args:
        listing: tensors in logical form, of any spelling. With `names_only` only blocks are counted; with shards
            missing no total is given and block counts are lower bounds, which their sources say.
        config: the declared configuration, used for what no tensor holds: how many experts a token uses, and where
            in the range that a grid of patches allows the image size lies.

    Returns:
        Measured facts, at most one of each kind; for GGUF files followed by the declared ones of their key-values.
    """
    if listing.adapter is not None:
        own = named_tensors(listing)
        return (
            Fact("format", listing.format, "measured", _files(listing)),
            adapter_fact(listing, own),
            Fact("adapter_parameters", count(own).parameters, "measured", f"{len(own)} tensors"),
            *dtype_facts(own),
        )
    towers = find_towers(listing)
    facts = [Fact("format", listing.format, "measured", _files(listing))]
    if not listing.names_only:
        facts += _totals(listing, towers, config)
    parts = decompose(listing, config, towers=towers)
    facts += _part_facts(parts)
    if not any(part.role == "model" for part in parts):  # mask classifiers are told whole by their parts
        facts += _stack_facts(listing, towers, config)
    if not listing.names_only:
        facts += _input_facts(towers, config)
        facts += _head(towers, config)
    kept = _first_of_each(facts)
    if listing.format == "gguf":
        kept += gguf_facts(listing.metadata, listing.files[0] if listing.files else "GGUF header")
    return tuple(kept)


def _files(listing: TensorListing) -> str:
    return (
        ", ".join(listing.files[:3]) + (f" and {len(listing.files) - 3} more" if len(listing.files) > 3 else "")
        or listing.format
    )


def _first_of_each(facts: Sequence[Fact]) -> list[Fact]:
    seen: set[str] = set()
    return [fact for fact in facts if not (fact.kind in seen or seen.add(fact.kind))]  # type: ignore[func-returns-value]


def _totals(listing: TensorListing, towers: Towers, config: Mapping[str, Any] | None) -> list[Fact]:
    facts = dtype_facts(towers.named) + quantization_facts(listing, towers.named)
    if listing.incomplete:
        return facts
    tables = find_embeddings(_of(towers, None))
    copies = _tied_copies(towers, tables, config)
    counts = count([named for named in towers.named if named not in copies] if copies else towers.named)
    source = f"{counts.tensors} tensors" + (f", {counts.shared} shared elements counted once" if counts.shared else "")
    if copies:
        source += f", {', '.join(named.tensor.name for named in copies)} counted as copies"
    facts.append(Fact("parameters", counts.parameters, "measured", source))
    repeated = sum(named.elements for named in copies if named is tables.output)
    tabled = min(tables.elements() - repeated, counts.parameters)
    if tabled:
        facts.append(Fact("embedding_parameters", tabled, "measured", "token, position and output tables"))
        facts.append(
            Fact(
                "parameters_without_embeddings",
                counts.parameters - tabled,
                "measured",
                source + " less embedding tables",
            )
        )
    main = towers.main
    mixture = (
        experts(main, width(main, tables.tokens.shape[1] if tables.tokens is not None else None))
        if main is not None
        else None
    )
    active = _active(config) if mixture is not None else None
    if mixture is not None and active is not None and active[0] <= mixture.count:
        idle = mixture.elements - mixture.elements * active[0] // mixture.count
        facts.append(
            Fact(
                "parameters_active",
                counts.parameters - idle,
                "measured",
                f"{source}, {active[0]} of {mixture.count} experts ({active[1]})",
            )
        )
    return facts


def _tied_copies(towers: Towers, tables: Embeddings, config: Mapping[str, Any] | None) -> list[Named]:
    """Stored copies of the token table that the model uses as one.

    Encoder-decoders with a `shared` table have no other (T5, BART), however often a file repeats it; an output matrix
    is the token table again where the config says so.
    """
    table = tables.tokens
    if table is None:
        return []
    declared = {fact.kind: fact.value for fact in declared_facts(config or {})}
    shared = any(named.module == "shared" for named in towers.loose)
    copies: list[Named] = []
    for named in towers.loose:
        if named is table or named.shape != table.shape or named.leaf != "weight":
            continue
        repeats = shared and named.module in {"shared", "embed_tokens"}
        output = declared.get("tied_embeddings") is True and named is tables.output
        if repeats or output:
            copies.append(named)
    return copies


def _active(config: Mapping[str, Any] | None) -> tuple[int, str] | None:
    if config is None:
        return None
    found = next((fact for fact in declared_facts(config) if fact.kind == "experts_active"), None)
    return (found.value, found.source) if found is not None else None


def _stack_facts(listing: TensorListing, towers: Towers, config: Mapping[str, Any] | None) -> list[Fact]:
    facts: list[Fact] = []
    table = None if listing.names_only else find_embeddings(_of(towers, None)).tokens
    embedding = table.shape[1] if table is not None else None
    if towers.encoder is not None and towers.decoder is not None:
        encoder, decoder = layers_of(listing, towers.encoder), layers_of(listing, towers.decoder)
        facts += (
            stack_facts(listing, towers.encoder)
            if encoder[0] == decoder[0]
            else stack_facts(listing, towers.encoder, layers=False)
        )
        facts.append(Fact("encoder_layers", encoder[0], "measured", encoder[1]))
        facts.append(Fact("decoder_layers", decoder[0], "measured", decoder[1]))
        if not listing.names_only and width(towers.encoder) != width(towers.decoder):
            facts = [fact for fact in facts if fact.kind not in {"hidden_size", "layers", "intermediate_size"}]
            facts += stack_facts(listing, towers.encoder, "encoder_") + stack_facts(listing, towers.decoder, "decoder_")
    elif towers.decoder is not None:
        layers = layers_of(listing, towers.decoder)
        facts.append(Fact("decoder_layers", layers[0], "measured", layers[1]))
        facts += [fact for fact in stack_facts(listing, towers.decoder, "decoder_") if fact.kind != "decoder_layers"]
    elif towers.main is not None:
        facts += stack_facts(listing, towers.main, _prefix(towers.main, config), embedding=embedding)
        if towers.main.depths and not listing.names_only:
            facts += _residual_network(towers.named)
    for prefix, stack in (
        ("vision_", towers.vision),
        ("audio_", towers.audio),
        ("text_", towers.text),
        ("backbone_", towers.backbone),
    ):
        if stack is not None:
            facts += stack_facts(listing, stack, prefix)
    return facts


def _shapes_of(name: str, part: Part) -> str:
    """What was measured of a part, in words."""
    detail = dimensions(part)
    return f"shapes of the {name}: {detail}" if detail else f"shapes of the {name}"


def _part_facts(composite: Sequence[Part]) -> list[Fact]:
    """What the parts of a composite say about the whole: its backbone, and for mask classifiers their pixel decoder."""
    parts = {part.role: part for part in composite}
    facts: list[Fact] = []
    backbone, pixels, model = parts.get("backbone"), parts.get("pixel_decoder"), parts.get("model")
    if backbone is not None and backbone.family != "unknown":
        source = _shapes_of("backbone", backbone)
        facts.append(Fact("backbone", backbone.family, "measured", source))
        if backbone.variant is not None:
            facts.append(Fact("backbone_variant", backbone.variant, "measured", source))
    if pixels is not None:
        facts.append(Fact("pixel_decoder", pixels.family, "measured", _shapes_of("pixel decoder", pixels)))
    if model is not None:
        detail = model.detail
        for kind, key in (("decoder_layers", "decoder_layers"), ("queries", "queries"), ("num_labels", "classes")):
            if key in detail:
                facts.append(Fact(kind, detail[key], "measured", f"shapes of the {model.family} decoder and head"))
        sizes = backbone.detail if backbone is not None else {}
        facts += [
            Fact(f"backbone_{kind}", sizes[kind], "measured", "shapes of the backbone")
            for kind in ("depths", "embed_dim", "hidden_sizes")
            if kind in sizes
        ]
    return facts


def _prefix(main: Stack, config: Mapping[str, Any] | None) -> str:
    """`vision_` or `audio_` where the only stack is a tower that the config describes apart from its main part."""
    tower = modality(main)
    if tower not in {"vision", "audio"}:
        return ""
    described = any(fact.kind == f"{tower}_layers" for fact in declared_facts(config or {}))
    return f"{tower}_" if described else ""


def _residual_network(named: Sequence[Named]) -> list[Fact]:
    """ResNets are named by their number of layers, which counts convolutions, stem and classifier."""
    found = backbone_part(named)
    if found is None or found.family != "resnet":
        return []
    facts = [Fact("bottleneck", found.detail["bottleneck"], "measured", "convolutions of the blocks")]
    if found.variant is not None:
        source = f"stages of {found.detail['depths']} blocks: ResNet-{found.variant}"
        facts.append(Fact("layers", int(found.variant.rstrip("c")), "measured", source))
    return facts


def _of(towers: Towers, modality: str | None) -> list[Named]:
    """Loose tensors of the main part (None) or of a tower."""
    if modality is None:
        return [
            named for named in towers.loose if not any(_belongs(towers, named, other) for other in ("vision", "audio"))
        ]
    return [named for named in towers.loose if _belongs(towers, named, modality)]


def _belongs(towers: Towers, named: Named, modality: str) -> bool:
    stack = towers.vision if modality == "vision" else towers.audio
    return stack is not None and is_of(named, stack, modality)


def _stated_image(config: Mapping[str, Any] | None, prefix: str = "") -> int | None:
    """A declared image size; two-tower models and others state it for the tower or for the whole."""
    kinds = {f"{prefix}image_size", "image_size"}
    values = [fact.value for fact in declared_facts(config or {}) if fact.kind in kinds]
    return next((value for value in values if isinstance(value, int)), None)


def _input_facts(towers: Towers, config: Mapping[str, Any] | None) -> list[Fact]:
    main = _of(towers, None)
    tables = find_embeddings(main)
    facts: list[Fact] = []
    reads_pixels = patch_facts(main, tables, stated=_stated_image(config))
    facts += vocabulary_facts(tables)
    if tables.tokens is not None:
        facts += position_facts(tables)
    facts += reads_pixels
    if towers.vision is not None:
        vision = _of(towers, "vision")
        seen = patch_facts(vision, find_embeddings(vision), "vision_", _stated_image(config, "vision_"))
        facts += seen
        if (
            towers.text is not None and towers.main is None
        ):  # two towers: the image side is as much the model as the text side
            facts += [Fact(fact.kind.removeprefix("vision_"), fact.value, fact.basis, fact.source) for fact in seen]
    return facts + query_facts(main)


def _head(towers: Towers, config: Mapping[str, Any] | None) -> list[Fact]:
    tables: Embeddings = find_embeddings(_of(towers, None))
    pixels = bool(patch_facts(_of(towers, None), tables)) or (towers.main is not None and bool(towers.main.depths))
    reads = (
        "vision"
        if tables.tokens is None and pixels
        else "audio"
        if tables.tokens is None and _hears(towers)
        else "text"
    )
    tower = (
        None
        if towers.main is None
        else "vision"
        if towers.vision is not None
        else "audio"
        if towers.audio is not None
        else None
    )
    vocabulary = tables.tokens.shape[0] if tables.tokens is not None else None
    paired = towers.encoder is not None
    own = [
        named for named in (_of(towers, None) if towers.main is not None else towers.loose) if not is_auxiliary(named)
    ]
    head = find_head(own, modality=reads, encoder_decoder=paired, tower=tower, vocabulary=vocabulary)
    declared = next((fact.value for fact in declared_facts(config or {}) if fact.kind == "num_labels"), None)
    if head is not None and head.labels != declared and head.kind == "detection" and head.outputs == declared:
        head = replace(head, labels=declared)  # detectors with a sigmoid per class have no row for `no object`
    facts = head_facts(head)
    if head is not None and head.kind == "language-model" and vocabulary is None and head.outputs is not None:
        facts.append(Fact("vocabulary", head.outputs, "measured", f"rows of {head.tensor}"))
    return facts


def _hears(towers: Towers) -> bool:
    """Whether the first loose tensors are one-dimensional convolutions over a waveform or a spectrogram."""
    return any(
        len(named.shape) == 3 and named.leaf == "weight" and "conv" in named.dotted and not named.is_buffer
        for named in towers.named[:40]
    )
