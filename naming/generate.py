"""Write the lexicon files: the family lexicon of the installed transformers, and the one-entry-a-line layout of all.

    python -m naming.generate            regenerate families_transformers.json and lay out every other file again
    python -m naming.generate --check    change nothing; exit 1 when a file is not as this module would write it

The family lexicon is built from `CONFIG_MAPPING_NAMES`; which of the types are mere parts of composite models is read
from the configuration classes. No model is built.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

LEXICONS = Path(__file__).parent / "lexicons"
GENERATED = "families_transformers.json"
CURATED = "families.json"
FLAGS = "flags.toml"

_SEPARATORS = re.compile(r"[\s_.\-/]+")
_PARTS = re.compile(r"_(?:text|vision|encoder|decoder|backbone|tokenizer|hifigan|talker|vqgan|det)(?:_model|_\w+)?$")
"""A part's word behind the name of a model, for the towers that no configuration class lists as its own."""

_WHOLE = frozenset(
    {
        "fastspeech2_conformer",
        "fastspeech2_conformer_with_hifigan",
        "step3p5",
        "timm_wrapper",
        "cohere2_vision",
        "hyperclovax_vision_v2",
    }
)
"""Parts of another model that are published as models of their own, too."""


def surface(text: str) -> str:
    """Lower-case form in which lexicons spell a word: every run of separators is one hyphen."""
    return _SEPARATORS.sub("-", text.lower()).strip("-")


def dump(lexicon: Mapping[str, Any]) -> str:
    """Lay a lexicon out with one entry a line, so that a changed fact is a changed line.

    Args:
        lexicon: a lexicon as `json.load` returns it; the order of keys and entries is kept.
    """
    lines = ["{"]
    lines += [f"  {_json(key)}: {_json(value)}," for key, value in lexicon.items() if key != "blocks"]
    lines.append('  "blocks": [')
    blocks = lexicon["blocks"]
    for number, block in enumerate(blocks):
        lines.append("    {")
        lines += [f"      {_json(key)}: {_json(value)}," for key, value in block.items() if key != "entries"]
        lines.append('      "entries": {')
        entries = [f"        {_json(name)}: {_json(entry)}" for name, entry in block["entries"].items()]
        lines.append(",\n".join(entries))
        lines += ["      }", "    }" + ("," if number + 1 < len(blocks) else "")]
    lines += ["  ]", "}"]
    return "\n".join(line for line in lines if line) + "\n"


def class_prefixes() -> tuple[str, dict[str, str]]:
    """Version of the installed transformers, and the class prefix of every model type (`bert` -> `Bert`).

    Raises:
        ModuleNotFoundError: transformers is not installed.
    """
    import transformers
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

    return transformers.__version__, {name: cls.removesuffix("Config") for name, cls in CONFIG_MAPPING_NAMES.items()}


def part_types(types: Iterable[str]) -> set[str]:
    """Model types which only occur inside composite models: towers, decoders and tokenizers of another type.

    A type is a part when a configuration class lists it among its sub-configurations, or when it is another type's name
    with the word for a part behind it.
    """
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    names = set(types)
    listed = {
        sub.model_type
        for name in names
        for sub in (getattr(CONFIG_MAPPING[name], "sub_configs", None) or {}).values()
        if getattr(sub, "model_type", "") not in {"", name}
    }
    towers = {name for name in names if (match := _PARTS.search(name)) and name[: match.start()] in names}
    return (towers | listed & names) - _WHOLE


def spellings(model_type: str, prefix: str) -> Iterator[str]:
    """Surfaces of a model type: as registered, glued, and as its classes spell it."""
    yield surface(model_type)
    yield surface(model_type).replace("-", "")
    yield surface(prefix)
    yield surface(prefix).replace("-", "")


def curated_surfaces(curated: Mapping[str, Any]) -> tuple[set[str], dict[str, tuple[str, str]]]:
    """What the curated family lexicon already speaks for.

    Returns:
        Every surface of it, and for each model type that is a generation of a group the group and the generation.
    """
    owned: set[str] = set()
    generations: dict[str, tuple[str, str]] = {}
    for block in curated["blocks"]:
        for name, entry in block["entries"].items():
            owned |= {surface(name), *entry.get("aliases", ())}
            for version, generation in entry.get("generations", {}).items():
                for model_type in generation["accepts"]:
                    if _generation_digits(model_type, name) == re.sub(r"\D", "", version):
                        generations.setdefault(model_type, (name, version))
    return owned, generations


def curated_variants(curated: Mapping[str, Any]) -> dict[str, list[str]]:
    """Model types under which a group's variants are published: `llava-onevision` -> llava_onevision, llava_qwen ...

    A registered type of that very name is only one of them.
    """
    return {
        surface(f"{name}-{word}"): variant["accepts"]
        for block in curated["blocks"]
        for name, entry in block["entries"].items()
        for word, variant in entry.get("with", {}).items()
    }


def _generation_digits(model_type: str, group: str) -> str | None:
    """Digits of the generation in a model type: `qwen2_5_vl` of group `qwen` -> "25"; none in another group's type."""
    rest = surface(model_type).removeprefix(group)
    match = re.match(r"-?[a-z]*-?(\d[\d-]*)", rest)
    return match[1].replace("-", "") if match and rest != surface(model_type) else None


def family_lexicon(curated: Mapping[str, Any], flags: Mapping[str, Any]) -> dict[str, Any]:
    """The lexicon of every model type of the installed transformers that `families.json` does not describe itself.

    Args:
        curated: the curated family lexicon; its surfaces are left to it.
        flags: lists `word`, `glue` and `silent` of model types.
    """
    version, prefixes = class_prefixes()
    owned, generations = curated_surfaces(curated)
    parts = part_types(prefixes)
    variants = curated_variants(curated)
    described = {name for name in prefixes if surface(name) not in owned}
    taken = owned | {surface(name) for name in described}
    entries: dict[str, Any] = {}
    for model_type, prefix in sorted(prefixes.items()):
        if model_type not in described:
            continue
        aliases = []
        for alias in spellings(model_type, prefix):
            if alias not in taken and alias not in aliases and len(alias) > 1:
                aliases.append(alias)
        taken.update(aliases)
        entry: dict[str, Any] = {"aliases": aliases}
        if model_type in flags["silent"]:
            entry |= {"aliases": [], "only_aliases": True}
        if model_type in parts:
            entry["part"] = True
        if model_type in generations:
            entry["group"], entry["generation"] = generations[model_type]
        if surface(model_type) in variants:
            entry["accepts"] = list(dict.fromkeys((model_type, *variants[surface(model_type)])))
        entry |= {flag: True for flag in ("word", "glue") if model_type in flags[flag]}
        entries[model_type] = entry
    return {
        "category": "architecture",
        "generated": "python -m naming.generate",
        "transformers": version,
        "registry": sorted(prefixes),
        "blocks": [
            {
                "source": f"transformers {version}, CONFIG_MAPPING_NAMES: model types and class prefixes",
                "entries": entries,
            }
        ],
    }


def expected_files() -> Iterator[tuple[Path, str]]:
    """Each lexicon file with the text it ought to have."""
    for path in sorted(LEXICONS.glob("*.json")):
        if path.name != GENERATED:
            yield path, dump(json.loads(path.read_text(encoding="utf-8")))
    curated = json.loads((LEXICONS / CURATED).read_text(encoding="utf-8"))
    flags = tomllib.loads((LEXICONS / FLAGS).read_text(encoding="utf-8"))
    yield LEXICONS / GENERATED, dump(family_lexicon(curated, flags))


def main(arguments: list[str] | None = None) -> int:
    """Write the files, or with `--check` say which differ.

    Returns:
        The exit code: 1 when `--check` found a difference.
    """
    parser = argparse.ArgumentParser(description="Generate the family lexicon and lay out all lexicons.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file differs")
    options = parser.parse_args(arguments)
    differing = [
        (path, text) for path, text in expected_files() if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path, text in differing:
        sys.stderr.write(f"{path.name}: {'differs' if options.check else 'written'}\n")
        if not options.check:
            path.write_text(text, encoding="utf-8")
    return int(options.check and bool(differing))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main())
