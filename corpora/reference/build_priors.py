"""How much of the library derives from each family: the prior that orders twins.

transformers says where its code comes from: `# Copied from transformers.models.bert...` comments and the imports of its
modular files. A family that many others derive from is the more likely owner of a graph that several share.
"""

from __future__ import annotations

import re
from collections import defaultdict
from math import log1p
from pathlib import Path

_COPIED = re.compile(r"Copied from transformers\.models\.(\w+)\.")
_IMPORTED = re.compile(r"^from \.\.\.?(?:models\.)?(\w+)\.modeling_\w+ import", re.MULTILINE)
PART_PENALTY = 2.0
"""Part types (`qwen2_vl_text`) are rarely published by themselves; subtracted from the prior of the whole's folder."""


def derivation_priors() -> dict[str, float]:
    """log(1 + folders that derive from the family's folder), for every model type that the library knows."""
    import transformers
    from transformers import CONFIG_MAPPING

    folder = Path(transformers.__file__).parent / "models"
    derived: dict[str, set[str]] = defaultdict(set)
    for path in sorted(folder.glob("*/mod*_*.py")):
        text = path.read_text(encoding="utf-8")
        for source in (*_COPIED.findall(text), *_IMPORTED.findall(text)):
            if source != path.parent.name:
                derived[source].add(path.parent.name)
    priors: dict[str, float] = {}
    for model_type in CONFIG_MAPPING:
        home = CONFIG_MAPPING[model_type].__module__.split(".")[-2]
        prior = log1p(len(derived[home]))
        whole = model_type.replace("-", "_") == home
        priors[model_type] = round(prior if whole else min(prior - PART_PENALTY, 0.0), 4)
    return priors
