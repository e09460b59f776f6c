"""Truthful packages with a complete model card, made wrong in one respect or rewritten without changing the meaning.

The card is written out and read again, so that spellings (scalars and lists, case, order, line ends) are part of what
is measured. The words are in card_words.toml; rules are never asked what would be wrong.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from clustering.facts import Facts
from clustering.tensors import Tensor, TensorListing
from corpora.card import parse_card
from corpora.package import HubMetadata
from dara.subject import Subject

BODY: Final = (
    "# Model\n\nTrained on the data sets above.\n\n## Evaluation\n\nThe results are in the table: accuracy 0.81.\n"
)
PLAIN: Final = "# Model\n\nLoad it with the library of your choice.\n"
FILES: Final = ("README.md", "config.json", "model.safetensors", "tokenizer.json")
PUBLISHERS: Final = (
    "google-bert",
    "facebook",
    "microsoft",
    "mistralai",
    "huggingface",
    "openai",
    "deepseek-ai",
    "nvidia",
)


@dataclass(frozen=True, slots=True)
class CardCase:
    """A package with its card in parts, before it is written out."""

    name: str
    subject: Subject
    front: Mapping[str, Any]
    body: str = BODY
    files: tuple[str, ...] = FILES
    text: str | None = None
    """The card as a file, where its spelling is the change."""
    on_hub: bool = True
    """Whether the list of files is known to be complete."""
    origin: str = ""

    def written(self) -> str:
        """The card as a file."""
        if self.text is not None:
            return self.text
        return f"---\n{yaml.safe_dump(dict(self.front), sort_keys=False, allow_unicode=True)}---\n\n{self.body}"

    def package(self) -> Subject:
        """What the rules see."""
        card = parse_card(self.written())
        hub = HubMetadata(tags=card.tags, base_model=card.base_model, license=card.license) if self.on_hub else None
        return replace(self.subject, card=card, files=self.files, hub=hub)


@dataclass(frozen=True, slots=True)
class Change:
    """A changed case; `code` is the rule that is about it."""

    code: str
    kind: str
    case: CardCase


@dataclass(frozen=True, slots=True)
class Bases:
    """Names of truthful packages that state their family, by declared family."""

    names: Mapping[str, tuple[str, ...]]
    twins: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def own(self, family: str, name: str) -> list[str]:
        """Names that a truthful card could give as the base model."""
        return [other for other in self.names.get(family, ()) if other != name]

    def foreign(self, family: str, draw: random.Random, count: int) -> list[str]:
        """Names of packages of other families, twins and other generations left out."""
        near = self.twins.get(family, frozenset()) | {family}
        apart = [
            other
            for other in sorted(self.names)
            if other not in near and other[:4] != family[:4] and family not in other and other not in family
        ]
        return [draw.choice(self.names[other]) for other in draw.sample(apart, min(count, len(apart)))]


@cache
def card_words() -> Mapping[str, Any]:
    """The words of card_words.toml."""
    return tomllib.loads(Path(__file__).with_name("card_words.toml").read_text("utf-8"))


def complete(name: str, subject: Subject, task: str, bases: Bases, family: str, draw: random.Random) -> CardCase:
    """A package with a card that says all that a reader needs, and nothing wrong."""
    own = bases.own(family, name)
    front: dict[str, Any] = {
        "license": "apache-2.0",
        "library_name": "transformers",
        "metrics": ["accuracy"],
        "tags": ["release"],
    }
    front["base_model"] = draw.choice(own) if own else "acme/origin"
    if task in card_words()["pipeline"]["same"]:
        front["pipeline_tag"] = task
    if not _parsed(name).claims_of("dataset"):
        front["datasets"] = ["acme/private-notes"]
    config = {key: value for key, value in (subject.config or {}).items() if key != "auto_map"}
    return CardCase(name, replace(subject, config=config), front, origin=name)


def _fronted(case: CardCase, **changed: Any) -> CardCase:
    """Another card; None takes a field away."""
    front = {key: value for key, value in {**case.front, **changed}.items() if value is not None}
    return replace(case, front=front)


def _named(case: CardCase, addition: str) -> CardCase:
    return replace(case, name=f"{case.name}-{addition}")


def _languages(case: CardCase, draw: random.Random) -> Iterator[tuple[bool, Change]]:
    rows = card_words()["language"]
    if any(item.category == "language" for item in _parsed(case.name).components):
        return
    first, other = draw.sample(rows, 2)
    named = _named(case, first["name"])
    yield False, Change("DAR401", "another language", _fronted(named, language=draw.choice(other["same"])))
    yield False, Change("DAR401", "other languages", _fronted(named, language=["en", draw.choice(other["same"])]))
    yield True, Change("DAR401", "same language", _fronted(named, language=draw.choice(first["same"])))
    yield True, Change("DAR401", "among others", _fronted(named, language=["en", draw.choice(first["same"])]))
    yield True, Change("DAR401", "multilingual", _fronted(named, language=["multilingual"]))
    yield True, Change("DAR401", "no language", named)


def _datasets(case: CardCase, draw: random.Random) -> Iterator[tuple[bool, Change]]:
    rows = card_words()["dataset"]
    if _parsed(case.name).claims_of("dataset"):
        return
    first, other = draw.sample(rows, 2)
    while set(first["same"]) & set(other["same"]) or first["name"][:4] == other["name"][:4]:
        other = draw.choice(rows)
    named = _named(case, first["name"])
    yield False, Change("DAR402", "another data set", _fronted(named, datasets=[draw.choice(other["same"])]))
    yield True, Change("DAR402", "same data set", _fronted(named, datasets=draw.choice(first["same"])))
    mixed = [draw.choice(other["same"]), draw.choice(first["same"])]
    yield True, Change("DAR402", "among others", _fronted(named, datasets=mixed))
    yield True, Change("DAR402", "no data set", _fronted(named, datasets=None))


def _formats(case: CardCase, draw: random.Random) -> Iterator[tuple[bool, Change]]:
    parsed = _parsed(case.name)
    if parsed.claims_of("format") or parsed.claims_of("quantization") or case.subject.listing is None:
        return
    word, file = draw.choice((("GGUF", "model-Q4_K_M.gguf"), ("ONNX", "onnx/model.onnx"), ("openvino", "model.xml")))
    named = _named(case, word)
    yield False, Change("DAR503", "no such file", named)
    yield True, Change("DAR503", "such a file", replace(named, files=(*case.files, file)))
    yield True, Change("DAR503", "no weights at all", replace(named, files=("README.md", "config.json")))


def _adapters(case: CardCase, draw: random.Random) -> Iterator[tuple[bool, Change]]:
    if _parsed(case.name).claims_of("adapter") or case.subject.listing is None:
        return
    rows = tuple(
        Tensor(f"base_model.model.layers.{layer}.q_proj.lora_{side}.weight", shape, "F32")
        for layer in range(2)
        for side, shape in (("A", (16, 64)), ("B", (64, 16)))
    )
    kept = [fact for fact in case.subject.facts if fact.basis == "declared"]
    bare = replace(
        case.subject,
        listing=TensorListing(rows, "safetensors", adapter="lora"),
        identification=None,
        parts=(),
        facts=Facts(kept),
    )
    lora = replace(case, subject=bare, files=("README.md", "adapter_config.json", "adapter_model.safetensors"))
    lora = _fronted(lora, library_name="peft")
    yield False, Change("DAR504", "adapter alone", lora)
    yield True, Change("DAR504", "called an adapter", _named(lora, draw.choice(("lora", "LoRA", "adapter", "qlora"))))
    yield False, Change("DAR802", "adapter without base", _fronted(_named(lora, "lora"), base_model=None))


def _base_models(case: CardCase, bases: Bases, family: str, draw: random.Random) -> Iterator[tuple[bool, Change]]:
    for other in bases.foreign(family, draw, 3):
        form: Any = draw.choice((other, [other]))
        yield False, Change("DAR602", "another family", _fronted(case, base_model=form))
    own = case.front.get("base_model")
    if own is not None:
        yield True, Change("DAR602", "in a list", _fronted(case, base_model=[own]))
        mixed = [own, *bases.foreign(family, draw, 1)]
        draw.shuffle(mixed)
        yield True, Change("DAR602", "one of two fits", _fronted(case, base_model=mixed))
    yield True, Change("DAR602", "a local path", _fronted(case, base_model="./output/checkpoint-2000"))
    yield True, Change("DAR602", "a brand", _fronted(case, base_model=f"acme/zorblax-{draw.randrange(9)}"))
    word = draw.choice(("finetuned", "GPTQ-4bit", "distilled", "merged"))
    if case.subject.listing is not None:
        yield False, Change("DAR802", "derived without base", _fronted(_named(case, word), base_model=None))
    if own is not None:
        yield True, Change("DAR802", "derived with base", _named(case, word))


def _attributes(case: CardCase, draw: random.Random) -> Iterator[tuple[bool, Change]]:
    yield False, Change("DAR801", "no licence", _fronted(case, license=None))
    yield True, Change("DAR801", "another licence", _fronted(case, license=draw.choice(("MIT", "llama3", "other"))))
    licence = replace(
        _fronted(case, license=None), files=(*case.files, draw.choice(("LICENSE", "LICENSE.md", "COPYING")))
    )
    yield True, Change("DAR801", "licence in a file", licence)
    pickles = draw.choice(
        (
            ("pytorch_model.bin",),
            ("model.pt",),
            ("pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"),
        )
    )
    others = tuple(path for path in case.files if not path.endswith(".safetensors"))
    yield False, Change("DAR803", "pickles alone", replace(case, files=(*others, *pickles)))
    yield True, Change("DAR803", "pickles beside", replace(case, files=(*case.files, *pickles)))
    yield (
        True,
        Change("DAR803", "other .bin files", replace(case, files=(*case.files, "training_args.bin", "optimizer.pt"))),
    )
    one = draw.choice(
        (("flax_model.msgpack",), ("tf_model.h5",), ("model.ckpt.index", "model.ckpt.data-00000-of-00001"))
    )
    yield False, Change("DAR808", "one framework", replace(case, files=(*others, *one)))
    yield True, Change("DAR808", "one framework beside", replace(case, files=(*case.files, *one)))
    config = {**(case.subject.config or {}), "auto_map": {"AutoModel": "modeling_net.NetModel"}}
    yield False, Change("DAR804", "code needed", replace(case, subject=replace(case.subject, config=config)))
    empty = {**config, "auto_map": draw.choice(({}, None))}
    yield True, Change("DAR804", "empty map", replace(case, subject=replace(case.subject, config=empty)))
    yield False, Change("DAR805", "no data", replace(_fronted(case, datasets=None), body=PLAIN))
    yield True, Change("DAR805", "data in the text", _fronted(case, datasets=None))
    bare = replace(_fronted(case, metrics=None), body=PLAIN)
    yield False, Change("DAR806", "no evaluation", bare)
    yield True, Change("DAR806", "evaluation in the text", _fronted(case, metrics=None))


def _tags(case: CardCase, draw: random.Random) -> Iterator[tuple[bool, Change]]:
    words, task = card_words()["pipeline"], case.front.get("pipeline_tag")
    if task is not None:
        for wrong in draw.sample(words["wrong"].get(task, []), min(2, len(words["wrong"].get(task, [])))):
            yield False, Change("DAR807", "another task", _fronted(case, pipeline_tag=wrong))
        for same in words["same"][task]:
            yield True, Change("DAR807", "same task", _fronted(case, pipeline_tag=same))
    marks = {"peft": "adapter_config.json", "diffusers": "model_index.json", "sentence-transformers": "modules.json"}
    stated, shown = draw.sample(sorted(marks), 2)
    if shown != "peft":
        wrong_files = (*case.files, marks[shown])
        wrong_library = _fronted(replace(case, files=wrong_files), library_name=stated)
        yield False, Change("DAR807", "another library", wrong_library)
        yield True, Change("DAR807", "same library", _fronted(wrong_library, library_name=shown.upper()))
    yield True, Change("DAR807", "no library", _fronted(case, library_name=None))


def _names(case: CardCase, draw: random.Random) -> Iterator[tuple[bool, Change]]:
    owner, _, repo = case.name.rpartition("/")
    for code, kind, name in (
        ("DAR701", "says nothing", f"{owner}/{draw.choice(('model', 'my-model', 'test-v2', 'final-3', 'checkpoint'))}"),
        ("DAR702", "run number", f"{owner}/autotrain-{repo[:20]}-{draw.randrange(10**10, 10**11)}"),
        ("DAR702", "hash", f"{case.name}-{draw.getrandbits(160) | 10 << 156:040x}"),
        ("DAR702", "time stamp", f"{case.name}-2023{draw.randrange(1, 13):02d}{draw.randrange(1, 29):02d}-093015"),
        ("DAR703", "two layers", f"{owner}/{repo}-6-layer-12-layer"),
        ("DAR703", "two casings", f"{owner}/{repo}-cased-uncased"),
        ("DAR704", "look-alike letter", f"{_cyrillic(owner or 'acme', draw)}/{repo}"),
        ("DAR704", "look-alike owner", f"{_skewed(draw.choice(PUBLISHERS))}/{repo}"),
        ("DAR705", "long", f"{owner}/{repo}-" + "-".join(draw.choices(("wise", "calm", "bold", "warm"), k=16))),
        ("DAR705", "doubled separators", f"{owner}/{repo}--final"),
    ):
        yield False, Change(code, kind, replace(case, name=name.lstrip("/")))
    for kind, name in (
        ("owner", f"someone{draw.randrange(900)}/{repo}"),
        ("brand", f"{case.name}-zorbl"),
        ("date", f"{case.name}-2{draw.randrange(401, 412)}"),
        ("version", f"{case.name}-v{draw.randrange(2, 5)}"),
    ):
        for code in ("DAR701", "DAR702", "DAR703", "DAR704", "DAR705"):
            yield True, Change(code, kind, replace(case, name=name))


def _classes(case: CardCase, draw: random.Random) -> Iterator[tuple[bool, Change]]:
    word = f"{draw.choice(('zorb', 'quill', 'nuri', 'talv'))}{draw.choice(('net', 'former', 'lm'))}"
    config = {**(case.subject.config or {}), "model_type": word, "architectures": [f"{word.title()}Model"]}
    from clustering.declared.config import declared_facts

    bare = replace(
        case.subject, config=config, facts=Facts(declared_facts(config)), listing=None, graph=None, identification=None,
        parts=(), fingerprint=None,
    )  # fmt: skip
    unknown = replace(_fronted(case, library_name=None), subject=bare)
    yield False, Change("DAR105", "class of no library", unknown)
    yield True, Change("DAR105", "code beside", replace(unknown, files=(*case.files, f"modeling_{word}.py")))
    yield True, Change("DAR105", "another library", _fronted(unknown, library_name="speechbrain"))


def _spellings(case: CardCase, draw: random.Random) -> Iterator[tuple[bool, Change]]:
    """Cards that say the same in another form; whatever any rule then says is a false alarm."""
    items = list(case.front.items())
    draw.shuffle(items)
    front = {key: [value] if isinstance(value, str) and draw.random() < 0.5 else value for key, value in items}
    plain = replace(case, front=front)
    written = plain.written()
    for kind, changed in (
        ("complete card", case),
        ("order and lists", plain),
        ("line ends", replace(plain, text=written.replace("\n", "\r\n"))),
        ("byte order mark", replace(plain, text="\ufeff" + written)),
        ("unknown keys", _fronted(case, zorbl={"a": 1}, extra_gated_fields={"Name": "text"})),
        ("on disk", replace(case, on_hub=False)),
    ):
        yield True, Change("", kind, changed)


Maker = Callable[[CardCase, random.Random], Iterator[tuple[bool, Change]]]

MAKERS: Final[tuple[Maker, ...]] = (
    _languages, _datasets, _formats, _adapters, _attributes, _tags, _names, _classes, _spellings,
)  # fmt: skip


def changes(case: CardCase, bases: Bases, family: str, draw: random.Random) -> Iterator[tuple[bool, Change]]:
    """Every change of one case, and whether it keeps the meaning."""
    yield from _base_models(case, bases, family, draw)
    for maker in MAKERS:
        yield from maker(case, draw)


def _cyrillic(word: str, draw: random.Random) -> str:
    """A word with one Latin letter exchanged for the Cyrillic letter of the same shape."""
    shapes = {"a": "\u0430", "e": "\u0435", "o": "\u043e", "p": "\u0440", "c": "\u0441", "x": "\u0445"}
    places = [place for place, letter in enumerate(word) if letter in shapes]
    if not places:
        return word + "\u0430"
    place = draw.choice(places)
    return word[:place] + shapes[word[place]] + word[place + 1 :]


def _skewed(owner: str) -> str:
    """A well-known owner as a look-alike: o for 0, l for 1, or m for rn."""
    for letter, look in (("o", "0"), ("l", "1"), ("i", "1"), ("m", "rn")):
        if letter in owner:
            return owner.replace(letter, look, 1)
    return owner[0] + owner[2] + owner[1] + owner[3:]


def _parsed(name: str) -> Any:
    from naming import parse_name

    return parse_name(name)
