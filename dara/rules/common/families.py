"""What a package says and shows about its family, gathered once for the rules about architecture."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final

from clustering.facts import Fact
from clustering.identity import FamilyMatch
from dara.rules.common.graphs import could_be, spelling
from dara.rules.common.tables import words
from dara.subject import Subject
from naming.records import Claim

SURE: Final = 0.9
"""Calibrated score from which a measured family is believed against the configuration."""

_CLASS_SUFFIX: Final = re.compile(
    r"(?:For[A-Z]\w*|(?:With)?LMHead\w*|DoubleHeadsModel|PreTrainedModel|(?<!Encoder)DecoderModel|EncoderModel|Model)$"
)
_NOT_ALPHANUMERIC: Final = re.compile(r"[^a-z0-9]+")

_UNNAMED_ROLES: Final = frozenset({"model", "transformer_decoder"})
"""The composite itself, and its inner decoder: a MaskFormer is built with DETR's and is nowhere called after it."""

_LONGEST_WORD: Final = 64
"""Longer names are not remembered: a stranger may write any number of long ones."""

SHORTEST_WORD: Final = 4
"""Shorter family names (`opt`, `sam`, `git`) occur inside other words by chance."""

PART_SUFFIXES: Final = (
    "_text_model",
    "_vision_model",
    "_text",
    "_vision",
    "_audio",
    "_encoder",
    "_decoder",
    "_backbone",
    "_model",
)
"""Endings by which a library names the sub-configurations of one family (`clip_text_model`, `qwen2_vl_text`)."""


def squash(model_type: str) -> str:
    """A family's name without case and separators, so that `xlm-roberta` and `XLMRoberta` are one."""
    return _squashed(model_type) if len(model_type) <= _LONGEST_WORD else _NOT_ALPHANUMERIC.sub("", model_type.lower())


@lru_cache(maxsize=8192)
def _squashed(model_type: str) -> str:
    return _NOT_ALPHANUMERIC.sub("", model_type.lower())


def family_of_class(class_name: str) -> str:
    """Squashed family prefix of a model class: `XLMRobertaForTokenClassification` gives `xlmroberta`."""
    return squash(_CLASS_SUFFIX.sub("", class_name))


@dataclass(frozen=True, slots=True)
class FamilyEvidence:
    """The family of a package from every side. All names are squashed."""

    declared: str
    """model_type, or the class prefix where there is none; empty when nothing is declared."""
    declared_name: str
    """As written in the configuration, or as libraries write the family of its class."""
    declared_fact: Fact | None
    class_family: str
    """Class prefix of `architectures[0]`, or the architecture of a GGUF file; empty when there is none."""
    measured: FamilyMatch | None
    """The first family of the estimator; None when there was no graph or it abstained."""
    measured_set: frozenset[str]
    """The measured family with its twins, and the declared one where the graph could be its."""
    components: frozenset[str]
    """Families of sub-configurations and parts."""
    known: bool
    """True when the declared family is in the reference corpus."""
    recognised: bool
    """True when it is known at least by name, as families of remote code are."""
    declared_twins: frozenset[str]
    """The declared family with its twins, as the reference corpus has them."""
    abstained: str
    """Why the estimator gave no family, when it did not."""

    @property
    def agree(self) -> bool | None:
        """Whether declared and measured family are the same or twins; None when one of them is missing."""
        if not self.declared or self.measured is None:
            return None
        return bool(({self.declared, self.class_family} | self.declared_twins) & self.measured_set)


def accepted(claim: Claim) -> frozenset[str]:
    """Squashed families under which the words of a claim are true."""
    values = claim.accepts or (claim.value,)
    return frozenset(squash(value) for value in values if isinstance(value, str)) - {""}


def variants_in_words(claim: Claim, subject: Subject) -> frozenset[str]:
    """Families that the words beside a claim turn it into.

    A distilled BERT may be a DistilBERT, and merge tools write a mixture of Llamas or Mistrals as a Mixtral.
    """
    names = accepted(claim)
    if names & {"llama", "mistral"} and _states_experts(subject):
        names |= {"mixtral"}
    if subject.parsed is None or "distil" not in subject.parsed.repo.lower():
        return names
    return names | {f"distil{name}" for name in names}


def _states_experts(subject: Subject) -> bool:
    counts = (claim.value for claim in subject.claims("parameters"))
    return bool(subject.claims("experts")) or any(isinstance(value, Mapping) and "experts" in value for value in counts)


@cache
def lexicon_families() -> Mapping[str, str]:
    """Families that the name lexicons know, those of remote code included: squashed form to spelling."""
    from naming.lexicon import default_lexicon

    names: dict[str, str] = {}
    for meanings in default_lexicon().index.values():
        for entry in meanings:
            if entry.category == "architecture":
                for name in (entry.value, *(entry.get("accepts") or ())):
                    names.setdefault(squash(str(name)), str(name))
    names.pop("", None)
    return names


def also_named(claim: Claim, subject: Subject, family: str) -> bool:
    """Whether the name speaks of a family in other words than the claim's.

    `Qwen-LLaMAfied` over a Llama, `megatron-bert` over a Megatron-BERT, `xlm-r-distilroberta` over an XLM-RoBERTa.
    """
    if subject.parsed is None or len(family) < SHORTEST_WORD:
        return False
    text = squash(claim.text)
    if text in family and family in squash(subject.parsed.repo):
        return len(family) > len(text)
    if family in squash(subject.parsed.repo.replace(claim.text, " ", 1)):
        return True
    return any(family in accepted(other) for other in subject.claims("family") if other.text != claim.text)


def sub_families(config: Mapping[str, Any] | None) -> frozenset[str]:
    """Model types of a configuration's sub-configurations (text, vision, audio, encoder, decoder, backbone ...)."""
    found: set[str] = set()
    inner_decoder = "decoder_config" if "backbone_config" in (config or {}) else ""
    for key, value in list((config or {}).items())[:500]:
        if key == inner_decoder:
            continue  # as in _UNNAMED_ROLES: nobody calls a MaskFormer after the DETR inside
        if isinstance(value, Mapping):
            if isinstance(value.get("model_type"), str):
                found |= _with_stem(value["model_type"])
            architectures = value.get("architectures")
            if isinstance(architectures, list) and architectures and isinstance(architectures[0], str):
                found.add(family_of_class(architectures[0]))
            for inner in list(value.values())[:200]:  # one level deeper: text_config inside thinker_config and the like
                if isinstance(inner, Mapping) and isinstance(inner.get("model_type"), str):
                    found |= _with_stem(inner["model_type"])
        elif isinstance(value, str) and key in ("backbone", "vision_tower", "text_model", "mm_vision_tower"):
            found.add(squash(re.split(r"[-_./](?=[^/]*$)", value)[0]))
    return frozenset(found) - {""}


def _with_stem(model_type: str) -> set[str]:
    names = {squash(model_type)}
    for suffix in PART_SUFFIXES:
        if model_type.endswith(suffix):
            names.add(squash(model_type.removesuffix(suffix)))
    return names


def gather(subject: Subject) -> FamilyEvidence:
    """Everything a package says and shows about its family, worked out once for each subject."""
    return subject.computed(_gathered)


def _gathered(subject: Subject) -> FamilyEvidence:
    facts = subject.facts
    declared_fact = facts.declared("family")
    class_fact = facts.declared("architecture_class")
    class_name = class_fact.value if class_fact is not None and isinstance(class_fact.value, str) else ""
    class_family = family_of_class(class_name)
    declared_name = declared_fact.value if declared_fact is not None and isinstance(declared_fact.value, str) else ""
    if not declared_name and class_family:
        declared_name, declared_fact = lexicon_families().get(class_family, class_name), class_fact
        declared = class_family
    else:
        declared = squash(declared_name)
    if not declared and not class_family:
        # What GGUF calls `llama` may be any family with that graph: it makes a claim true, and contradicts none.
        stated = facts.declared("gguf_architecture")
        class_family = squash(str(stated.value)) if stated is not None else ""
    net = facts.declared("timm_architecture") if not declared and not class_family else None
    timm = _timm_families(str(net.value)) if net is not None else ()
    if timm:
        declared_name, declared, declared_fact = timm[0], squash(timm[0]), net
    identification = subject.identification
    # A graph built from config.json repeats the configuration: it tells twins, it does not bear witness.
    own_graph = subject.listing is not None
    top = identification.family[0] if own_graph and identification is not None and identification.family else None
    kinship = subject.kinship
    spelled = spelling(subject, declared_name)
    known = bool(kinship is not None and declared_name and kinship.known(spelled))
    twins = {squash(name) for name in kinship.twins(spelled)} if kinship is not None and known else set()
    twins -= words("containers")
    # A container (`timm_wrapper`) holds any graph: that it could be one makes nothing alike.
    seen = {squash(top.model_type), *({squash(name) for name in top.twins} - words("containers"))} if top else set()
    parts = _part_families(subject)
    apart = top is not None and known and not ({declared, class_family} | twins) & seen
    if top and apart and (declared in parts or could_be(subject, spelled, top.model_type)):
        seen.add(declared)
    return FamilyEvidence(
        declared=declared,
        declared_name=declared_name,
        declared_fact=declared_fact,
        class_family=class_family,
        measured=top,
        measured_set=frozenset(seen),
        components=sub_families(subject.config) | parts | _also(timm, twins),
        known=known and not timm,  # timm's layouts of a family are its own: they are not compared with the weights
        recognised=known or bool({declared, class_family} & lexicon_families().keys()),
        declared_twins=frozenset({declared, *twins} - {""}),
        abstained=identification.reason or "the graph resembles no known family"
        if own_graph and identification is not None and not identification.family
        else "",
    )


@lru_cache(maxsize=1024)
def _timm_families(net: str) -> tuple[str, ...]:
    """Families of one of timm's nets (`vit_large_patch14_clip_336`: vit, clip), read as its packages' names are.

    The family itself stands first; empty where the words state none.
    """
    from naming import parse_name
    from naming.errors import NameRefused

    try:
        parsed = parse_name(f"timm/{net}.in1k")
    except NameRefused:
        return ()
    claims = [claim for claim in parsed.claims if claim.kind in ("family", "backbone")]
    names: dict[str, None] = {}
    for claim in claims:
        own = claim.value.get("family") if isinstance(claim.value, Mapping) else claim.value
        names.update(dict.fromkeys(str(name) for name in (own, *claim.accepts) if name))
    return tuple(name for name in names if squash(name) not in words("containers"))


def _also(timm: tuple[str, ...], twins: set[str]) -> frozenset[str]:
    """What else a timm net may be called: every reading of its words, and families with such a graph."""
    return frozenset({squash(name) for name in timm} | twins) if timm else frozenset()


def _part_families(subject: Subject) -> frozenset[str]:
    parts = (*subject.parts, *(subject.identification.parts if subject.identification else ()))
    names: set[str] = set()
    for part in parts:
        if part.role not in _UNNAMED_ROLES:
            names |= _with_stem(part.family)
    return frozenset(names) - {""}
