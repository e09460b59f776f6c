"""Truthful packages made untruthful in one respect, by renaming them or by swapping weights under a configuration.

A change counts only where a reader would call the new name wrong. Left out, because they would not:

- a context length behind a data set (`gptj-mnli-128k`): examples, not tokens;
- a context length where the configuration limits none (ALiBi, state space models): 4 of the 74 packages with a context
  that could be changed; DAR207 says there that it cannot tell;
- counts, layers and contexts of fixtures (`tiny-llama-test`), whose dimensions are arbitrary on purpose: 1 package;
- a count behind a data set, where a number with a b is read as a part of it;
- a family's word that publishers use for the package's family too (Falcon 3 is a Llama; an 8x22B Mistral, and a merged
  mixture of Llamas, a Mixtral);
- a method of quantization behind a number format (`b1.58-bf16`): what it was trained for, and what it is stored in;
- a second width or number of heads in a name that states one: 1 package;
- layers, width and heads in BERT's way of naming behind a model of pictures, where `L-16` is a size and a patch.

A backbone's word in the name of a plain network (`resnet-50`) is its family and size, and judged as such.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

from clustering.facts import Fact, Facts
from dara.rules.common.exempt import is_toy, resized_on_purpose
from dara.rules.common.families import accepted, squash
from dara.rules.common.numbers import numbers_in
from dara.rules.common.tables import table
from dara.rules.contradicted_context import unbounded
from dara.rules.contradicted_task import head_facts, heads_of
from dara.subject import Subject
from naming.records import Claim, ParsedName

FAMILIES: Final = {
    "vision": ("vit", "beit", "swin", "convnext", "deit", "resnet", "dinov2", "segformer", "poolformer", "mobilevit"),
    "parts": ("maskformer", "mask2former", "oneformer", "detr", "segformer", "upernet", "yolos"),
    "audio": ("whisper", "wav2vec2", "hubert", "wavlm", "speecht5", "seamless-m4t"),
    "text": (
        "bert", "roberta", "distilbert", "albert", "electra", "deberta-v3", "xlnet", "gpt2", "gpt-neox", "gptj", "opt",
        "bloom", "llama", "mistral", "mixtral", "falcon", "gemma", "phi-2", "t5", "mt5", "bart", "pegasus", "mbart",
        "longformer",
    ),
}  # fmt: skip
"""Words that replace a family, by what the package takes in: nobody calls a detector BART."""
PICTURES: Final = ("vision", "parts")
COUNTS: Final = ("70m", "125m", "350m", "780m", "1.1b", "3b", "7b", "13b", "34b", "70b", "180b")
QUANTIZATIONS: Final = ("GPTQ-4bit", "AWQ-4bit", "bnb-4bit", "int8", "nf4", "gptq-int4", "AWQ")


@dataclass(frozen=True, slots=True)
class Mutation:
    """One package with one thing changed."""

    kind: str
    name: str
    subject: Subject
    codes: frozenset[str]
    """Codes of rules that speak about this change; empty when the meaning was kept."""
    origin: str


Maker = Callable[[ParsedName, Subject, random.Random], Iterator[Mutation]]


def _renamed(kind: str, parsed: ParsedName, subject: Subject, repo: str, *codes: str) -> Mutation:
    owner = f"{parsed.owner}/" if parsed.owner else ""
    return Mutation(kind, owner + repo, subject, frozenset(codes), parsed.name)


def _swap(parsed: ParsedName, claim: Claim, word: str) -> str | None:
    """The repository name with a claim's words replaced; None where they cannot be told from their surroundings."""
    start = parsed.repo.find(claim.text)
    if start < 0 or parsed.repo.count(claim.text) != 1:
        return None
    end = start + len(claim.text)
    before, after = parsed.repo[:start], parsed.repo[end:]
    if (before and before[-1].isalnum()) or (after and after[0].isalnum()):
        return None
    return before + word + after


def _arbitrary(parsed: ParsedName, subject: Subject) -> bool:
    """Whether the package says that its dimensions are no model's: a fixture, or resized on purpose."""
    named = subject.under(parsed)
    return is_toy(named) or resized_on_purpose(named)


def _family(subject: Subject) -> Fact | None:
    return subject.facts.declared("family") or subject.facts.best("family")


def _modality(subject: Subject) -> str:
    if any(part.role in ("backbone", "pixel_decoder") for part in subject.parts):
        return "parts"
    heads = " ".join(head for fact in head_facts(subject) for head in heads_of(fact))
    if any(word in heads for word in ("audio", "speech")):
        return "audio"
    return "vision" if "patch_size" in subject.facts and "vocabulary" not in subject.facts else "text"


def _families(parsed: ParsedName, subject: Subject, draw: random.Random) -> Iterator[Mutation]:
    claims = [claim for claim in parsed.claims_of("family") if claim.role in ("", "main")]
    if len(claims) != 1 or claims[0].modality != "stated":
        return
    fact = _family(subject)
    declared = squash(str(fact.value)) if fact is not None else ""
    own = accepted(claims[0]) | {declared}
    others = [
        word
        for word in FAMILIES[_modality(subject)]
        if not any(squash(word)[:4] in name or name[:4] in squash(word) for name in own)
        and not (declared and _true_of(word, declared))
    ]
    for word in draw.sample(others, min(6, len(others))):
        repo = _swap(parsed, claims[0], word)
        if repo is not None:
            yield _renamed("family", parsed, subject, repo, "DAR101", "DAR102", "DAR103")


@cache
def _true_of(word: str, family: str) -> bool:
    """Whether publishers use a word for packages of a family: Falcon 3 is a Llama, an 8x22B Mistral a Mixtral."""
    from naming import parse_name

    names = {name for claim in parse_name(word).claims_of("family") for name in accepted(claim)}
    return family in names or (family == "mixtral" and bool(names & {"mistral", "llama"}))


def _sizes(parsed: ParsedName, subject: Subject, _draw: random.Random) -> Iterator[Mutation]:
    from clustering.parts.variants import sizes, variant_of

    family = _family(subject)
    claims = parsed.claims_of("size")
    says = {name for claim in parsed.claims_of("family") for name in accepted(claim)}
    if family is None or len(claims) != 1 or squash(str(family.value)) not in says:
        return  # the "small" of a brand without a family word is its own
    own = variant_of(str(family.value), subject.facts)
    if own is None:
        return
    for word in (word for word in sizes(str(family.value)) if word.isalpha()):  # "11b" is a count of parameters
        repo = _swap(parsed, claims[0], word) if word != own else None
        if repo is not None:
            yield _renamed("size", parsed, subject, repo, "DAR202")


def _counts(parsed: ParsedName, subject: Subject, draw: random.Random) -> Iterator[Mutation]:
    fact, claims = subject.facts.best("parameters"), parsed.claims_of("parameters")
    last = parsed.components[-1].category if parsed.components else ""
    if fact is None or len(claims) > 1 or subject.listing is None or last == "dataset" or _arbitrary(parsed, subject):
        return  # behind a data set a number with a b is read as a part of it
    for word in draw.sample(COUNTS, 6):
        number = float(word[:-1]) * (1e9 if word[-1] == "b" else 1e6)
        if 0.4 < fact.value / number < 2.5:
            continue
        repo = _swap(parsed, claims[0], word) if claims else f"{parsed.repo}-{word}"
        if repo is not None:
            yield _renamed("parameters", parsed, subject, repo, "DAR201")


def _layers(parsed: ParsedName, subject: Subject, draw: random.Random) -> Iterator[Mutation]:
    fact = subject.facts.best("layers")
    if fact is None or not isinstance(fact.value, int) or "depths" in subject.facts or _arbitrary(parsed, subject):
        return
    claims = parsed.claims_of("layers")
    for count in draw.sample((2, 4, 6, 8, 10, 12, 16, 18, 24, 36), 4):
        known = {
            item.value for kind in ("layers", "encoder_layers", "decoder_layers") for item in subject.facts.all(kind)
        }
        if count in known or count in {2 * value for value in known if isinstance(value, int)}:
            continue
        if not claims:
            # Behind a model of pictures `L-16` is a large one with patches of 16.
            words = f"{count}-layer" if _modality(subject) in PICTURES else f"L-{count}"
            yield _renamed("layers", parsed, subject, f"{parsed.repo}-{words}", "DAR203")
        elif (repo := _swap(parsed, claims[0], f"L-{count}")) is not None and len(claims) == 1:
            yield _renamed("layers", parsed, subject, repo, "DAR203")


def _backbones(parsed: ParsedName, subject: Subject, _draw: random.Random) -> Iterator[Mutation]:
    for word in ("tiny", "small", "base", "large"):
        found = re.search(r"swin-(tiny|small|base|large)", parsed.repo)
        if found and found[1] != word:
            repo = parsed.repo.replace(found[0], f"swin-{word}")
            yield _renamed("backbone", parsed, subject, repo, "DAR103")
    found = re.search(r"resnet-?(50|101)", parsed.repo)
    if found:
        other = {"50": "101", "101": "50"}[found[1]]
        plain = () if parsed.claims_of("backbone") else ("DAR101", "DAR202")
        for word in (f"resnet-{other}", "swin-tiny"):
            repo = parsed.repo.replace(found[0], word)
            yield _renamed("backbone", parsed, subject, repo, "DAR103", "DAR203", *plain)


def _quantizations(parsed: ParsedName, subject: Subject, draw: random.Random) -> Iterator[Mutation]:
    if subject.listing is None or "quantization" in subject.facts or parsed.claims_of("quantization"):
        return
    if parsed.claims_of("dtype"):
        return
    for word in draw.sample(QUANTIZATIONS, 3):
        yield _renamed("quantization", parsed, subject, f"{parsed.repo}-{word}", "DAR501")


def _dtypes(parsed: ParsedName, subject: Subject, _draw: random.Random) -> Iterator[Mutation]:
    measured, declared = subject.facts.measured("dtype"), subject.facts.declared("dtype")
    if (
        measured is None
        or declared is None
        or "quantization" in subject.facts
        or parsed.claims_of("dtype")
        or parsed.claims_of("quantization")
    ):
        return
    for word, value in (("bf16", "BF16"), ("fp16", "F16"), ("fp32", "F32")):
        if value not in (measured.value, declared.value):
            yield _renamed("dtype", parsed, subject, f"{parsed.repo}-{word}", "DAR502")


def _datasets(parsed: ParsedName, subject: Subject, draw: random.Random) -> Iterator[Mutation]:
    labels = {fact.value for fact in subject.facts.all("num_labels")}
    heads = {head for fact in head_facts(subject) for head in heads_of(fact)}
    if not labels or parsed.claims_of("dataset"):
        return
    for block in table("dataset_labels").values():
        # "emotion", "trec" and the like are words for topics too
        names = [
            name
            for name, counts in block["labels"].items()
            if not labels & set(counts) and len(name) > 5 and name != "emotion"
        ]
        if set(block["heads"]) & heads and names:
            for name in draw.sample(names, min(3, len(names))):
                yield _renamed("dataset", parsed, subject, f"{parsed.repo}-{name.replace('_', '-')}", "DAR302")


def _generations(parsed: ParsedName, subject: Subject, _draw: random.Random) -> Iterator[Mutation]:
    """Another generation of a series, where the generations leave a mark."""
    family, rows = _family(subject), subject.facts.best("vocabulary")
    claims = [claim for claim in parsed.claims_of("family") if claim.role in ("", "main")]
    if family is None or rows is None or len(claims) != 1 or claims[0].modality != "stated":
        return
    name = str(family.value)
    if name == "llama" and "llama" in claims[0].text.lower():
        word = "Llama-2" if rows.value > 120000 else "Llama-3"
    elif name in ("gemma", "gemma2"):
        word = "gemma-3"
    elif name in ("qwen2", "qwen3"):
        word = "Qwen3" if name == "qwen2" else "Qwen2"
    else:
        return
    repo = _swap(parsed, claims[0], word)
    if repo is not None:
        yield _renamed("generation", parsed, subject, repo, "DAR601", "DAR101")


def _dimensions(parsed: ParsedName, subject: Subject, draw: random.Random) -> Iterator[Mutation]:
    """Width and heads in BERT's way of naming: L, H and A together, one of them wrong."""
    known = {kind: subject.facts.best(kind) for kind in ("layers", "hidden_size", "attention_heads")}
    values = {kind: fact.value for kind, fact in known.items() if fact is not None and isinstance(fact.value, int)}
    stated = [claim for kind in known for claim in parsed.claims_of(kind)]
    if len(values) < 3 or "hidden_sizes" in subject.facts or stated or _modality(subject) in PICTURES:
        return
    taken = {
        fact.value for fact in subject.facts if fact.kind.endswith(("hidden_size", "projection_size", "embedding_size"))
    }
    heads = {fact.value for fact in subject.facts if fact.kind.endswith("_heads")}
    layers, hidden, count = values["layers"], values["hidden_size"], values["attention_heads"]
    for width in draw.sample((128, 256, 384, 512, 768, 1024), 2):
        if width not in taken:
            yield _renamed("width", parsed, subject, f"{parsed.repo}_L-{layers}_H-{width}_A-{count}", "DAR204")
    for other in draw.sample((2, 4, 6, 10, 14, 20), 2):
        if other not in heads:
            yield _renamed("heads", parsed, subject, f"{parsed.repo}_L-{layers}_H-{hidden}_A-{other}", "DAR205")


def _inputs(parsed: ParsedName, subject: Subject, draw: random.Random) -> Iterator[Mutation]:
    """Patch size, resolution and experts, replaced where the name states them."""
    for kind, choices, codes in (
        ("patch_size", ("patch8", "patch14", "patch16", "patch32"), "DAR208"),
        ("image_size", ("224", "256", "336", "384", "512"), "DAR209"),
        ("experts", ("4", "8", "16", "64", "128"), "DAR206"),
    ):
        claims = parsed.claims_of(kind)
        if len(claims) != 1 or not any(letter.isdigit() for letter in claims[0].text):
            continue
        for choice in draw.sample(choices, 2):
            word = choice
            number = int(re.sub(r"\D", "", word))
            if kind == "experts":  # `8x7B` and `128E` keep what stands around the number
                word = re.sub(r"^\d+", word, claims[0].text)
            repo = _swap(parsed, claims[0], word) if number not in numbers_in(claims[0].value) else None
            if repo is not None and (kind == "experts" or word[-1:].isdigit() == claims[0].text[-1:].isdigit()):
                yield _renamed(kind.replace("_", " "), parsed, subject, repo, codes)


def _contexts(parsed: ParsedName, subject: Subject, _draw: random.Random) -> Iterator[Mutation]:
    """A longer context than the positions, behind a language model's name."""
    positions = [
        fact.value for fact in subject.facts if fact.kind.startswith("context") and isinstance(fact.value, int)
    ]
    # names of older models use such numbers for vocabularies and steps
    if (
        positions
        and max(positions) >= 2048
        and "text-generation" in str(subject.facts.best("task"))
        and not parsed.claims_of("context")
        and (parsed.components[-1].category if parsed.components else "") != "dataset"
        and not unbounded(subject)
        and not _arbitrary(parsed, subject)
    ):
        for word in ("32k", "128k", "200k"):
            if int(word[:-1]) * 1000 > 2 * max(positions):
                yield _renamed("context", parsed, subject, f"{parsed.repo}-{word}", "DAR207")


def _casings(parsed: ParsedName, subject: Subject, _draw: random.Random) -> Iterator[Mutation]:
    claims = parsed.claims_of("casing")
    rows = subject.facts.best("vocabulary")
    if len(claims) == 1 and rows is not None and rows.value in (30522, 28996, 105879, 119547):
        other = "cased" if claims[0].value == "uncased" else "uncased"
        repo = _swap(parsed, claims[0], other)
        if repo is not None:
            yield _renamed("casing", parsed, subject, repo, "DAR403")


def _tasks(parsed: ParsedName, subject: Subject, draw: random.Random) -> Iterator[Mutation]:
    heads = {head for fact in head_facts(subject) for head in heads_of(fact)}
    if not heads or parsed.claims_of("task"):
        return
    data = table("tasks")
    words = []
    for row in data["task"].values():
        against = {
            head for word in row["contradicts"] for head in (data["groups"][word[1:]] if word[0] == "@" else (word,))
        }
        if heads <= against:
            words.append(row["words"][0])
    for word in draw.sample(words, min(2, len(words))):
        yield _renamed("task", parsed, subject, f"{parsed.repo}-{word}", "DAR301")


RENAMES: Final[tuple[Maker, ...]] = (
    _families, _sizes, _counts, _layers, _backbones, _quantizations, _dtypes, _datasets, _generations, _dimensions,
    _inputs, _contexts, _casings, _tasks,
)  # fmt: skip


def harmless(parsed: ParsedName, subject: Subject, draw: random.Random) -> Iterator[Mutation]:
    """Renames that keep the meaning: owner, appended brand, case, separators."""
    repo, brand = parsed.repo, draw.choice(("zorbl", "acmeta", "nurimo", "quillon"))
    variants = {
        "owner": (f"someone{draw.randrange(900)}", repo),
        "brand": (parsed.owner, f"{repo}-{brand}"),
        "case": (parsed.owner, repo.lower()),
        "separators": (parsed.owner, repo.replace("_", "-") if "_" in repo else repo.replace("-", "_")),
    }
    for kind, (owner, name) in variants.items():
        yield Mutation(f"kept {kind}", f"{owner}/{name}" if owner else name, subject, frozenset(), parsed.name)


def swapped(first: Subject, second: Subject, name: str, origin: str) -> Mutation:
    """The configuration of one package over the weights of another."""
    facts = [fact for fact in first.facts if fact.basis == "declared"]
    facts += [fact for fact in second.facts if fact.basis == "measured"]
    mixed: Any = replace(
        second, facts=Facts(facts), config=first.config, files=first.files, card=first.card, hub=first.hub
    )
    return Mutation("swapped weights", name, mixed, frozenset({"DAR104", "DAR101", "DAR102"}), origin)
