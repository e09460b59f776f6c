"""The explicit list of rules."""

from __future__ import annotations

from functools import cache

from dara.rules.adapter_as_model import AdapterAsModel
from dara.rules.config_against_weights import ConfigAgainstWeights
from dara.rules.contradicted_backbone import ContradictedBackbone
from dara.rules.contradicted_context import ContradictedContext
from dara.rules.contradicted_dtype import ContradictedDtype
from dara.rules.contradicted_experts import ContradictedExperts
from dara.rules.contradicted_family import ContradictedFamily
from dara.rules.contradicted_format import ContradictedFormat
from dara.rules.contradicted_generation import ContradictedGeneration
from dara.rules.contradicted_heads import ContradictedHeads
from dara.rules.contradicted_hidden_size import ContradictedHiddenSize
from dara.rules.contradicted_labels import ContradictedLabels
from dara.rules.contradicted_layers import ContradictedLayers
from dara.rules.contradicted_parameters import ContradictedParameters
from dara.rules.contradicted_patch_size import ContradictedPatchSize
from dara.rules.contradicted_quantization import ContradictedQuantization
from dara.rules.contradicted_resolution import ContradictedResolution
from dara.rules.contradicted_size import ContradictedSize
from dara.rules.contradicted_task import ContradictedTask
from dara.rules.interface import Rule
from dara.rules.sibling_family import SiblingFamily
from dara.rules.uninformative_name import UninformativeName
from dara.rules.unknown_class import UnknownClass

_RULES: tuple[type[Rule], ...] = (
    ContradictedFamily,
    SiblingFamily,
    ContradictedBackbone,
    ConfigAgainstWeights,
    UnknownClass,
    ContradictedParameters,
    ContradictedSize,
    ContradictedLayers,
    ContradictedHiddenSize,
    ContradictedHeads,
    ContradictedExperts,
    ContradictedContext,
    ContradictedPatchSize,
    ContradictedResolution,
    ContradictedTask,
    ContradictedLabels,
    ContradictedQuantization,
    ContradictedDtype,
    ContradictedFormat,
    AdapterAsModel,
    ContradictedGeneration,
    UninformativeName,
)


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule, ordered by code."""
    return tuple(sorted((rule() for rule in _RULES), key=lambda rule: rule.code))


def rule_of(code: str) -> Rule | None:
    """The rule with a code or slug, whatever the case; None when there is none."""
    wanted = code.strip().lower()
    return next((rule for rule in all_rules() if wanted in (rule.code.lower(), rule.slug)), None)
