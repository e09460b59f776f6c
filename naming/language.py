"""The spaCy pipeline that reads names: a tokenizer, and the resolver, span and claim components."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, cast, get_args

from naming._fast import component, parsed_name
from naming._spacy import load_spacy
from naming.claims import claims_of
from naming.convention import convention_of
from naming.errors import NameRefused
from naming.lexicon import Lexicon, default_lexicon
from naming.records import Category, ParsedName
from naming.resolve import Scene, resolve
from naming.segment import Segment
from naming.segmenter import Segmenter
from naming.text import check, fold, split_owner

load_spacy()

from spacy.language import Language  # noqa: E402 (torch is hidden while spaCy is imported, see naming._spacy)
from spacy.tokens import Doc, Span  # noqa: E402
from spacy.vocab import Vocab  # noqa: E402

COMPONENTS = "components"
"""Span group that holds the components of a parsed name."""
BATCH_SIZE = 512
_NOT_FOR_RECORDS = ["name_spans"]
"""Components whose work is only seen on documents."""
_SEGMENTS = "dara.segments"
_SCENE = "dara.scene"
_PARSED = "dara.parsed"


class NameTokenizer:
    """Cuts a repository name at separators, camelCase, digits, and inside words fused from known ones.

    Tokens are the segments and the separators between them, so `doc.text` is the name as written. What the lexicons
    count as one item (`xlm-roberta`, `8x7B`, `v1.5`, `opus-mt`, `q4_K_M`) is one token. Each segment carries its
    candidate meanings from the lexicons.
    """

    def __init__(self, vocab: Vocab, lexicon: Lexicon) -> None:
        self.vocab = vocab
        self.lexicon = lexicon
        self.segmenter = Segmenter(lexicon)

    def __call__(self, text: str) -> Doc:
        """Tokenize the repository part of a name."""
        folded = fold(text)
        segments = self.segmenter.segments(text, folded)
        doc = self.document(text, segments)
        doc.user_data[_SEGMENTS] = (folded, segments)
        return doc

    def outline(self, text: str) -> Doc:
        """A document without tokens: all that records need. Making tokens is a tenth of the time of a stream."""
        folded = fold(text)
        doc = Doc(self.vocab)
        doc.user_data[_SEGMENTS] = (folded, self.segmenter.segments(text, folded))
        return doc

    def document(self, text: str, segments: list[Segment]) -> Doc:
        """A document whose tokens are the segments and what stands between them."""
        words: list[str] = []
        end = 0
        for segment in segments:
            start = segment.start
            if start > end:
                words.append(text[end:start])
            words.append(segment.text)
            end = segment.end
        if end < len(text):
            words.append(text[end:])
        return Doc(self.vocab, words=words, spaces=[False] * len(words))


@Language.factory("name_resolver", default_config={"timm": True})
class NameResolver:
    """Settles category, value and role of every segment from the words around it."""

    def __init__(self, nlp: Language, name: str, timm: bool) -> None:
        self.name = name
        self.timm = timm
        tokenizer = nlp.tokenizer
        if not isinstance(tokenizer, NameTokenizer):
            raise TypeError("name_resolver needs a pipeline whose tokenizer is NameTokenizer")
        self.tokenizer = tokenizer

    def __call__(self, doc: Doc) -> Doc:
        """Resolve one document made by `NameTokenizer`."""
        folded, segments = doc.user_data[_SEGMENTS]
        name = doc._context if isinstance(doc._context, str) else ""  # noqa: SLF001
        owner, text = split_owner(name or doc.text)
        scene = resolve(text, folded, owner, segments, self.tokenizer.lexicon, timm=self.timm)
        if scene.retokenize and len(doc):
            context = doc._context  # noqa: SLF001
            doc = self.tokenizer.document(text, scene.segments)
            doc._context = context  # noqa: SLF001
        doc.user_data[_SCENE] = scene
        return doc


@Language.factory("name_spans", default_config={"key": COMPONENTS})
class NameSpans:
    """Writes the settled segments as a span group: label = category, `span._.value` and `span._.role`."""

    def __init__(self, nlp: Language, name: str, key: str) -> None:
        self.name = name
        self.key = key
        for category in get_args(Category):
            nlp.vocab.strings.add(category)
        for extension, default in (("value", None), ("role", "")):
            if not Span.has_extension(extension):
                Span.set_extension(extension, getter=_getter(extension, default))

    def __call__(self, doc: Doc) -> Doc:
        """Add the span group to one resolved document."""
        doc.spans[self.key] = [
            span
            for segment in doc.user_data[_SCENE].segments
            if (span := doc.char_span(segment.start, segment.end, label=segment.category)) is not None
        ]
        return doc


@Language.factory("name_claims")
class NameClaims:
    """Builds the record of a resolved name: components, convention and checkable claims."""

    def __init__(self, nlp: Language, name: str) -> None:  # noqa: ARG002 (spaCy passes it)
        self.name = name

    def __call__(self, doc: Doc) -> Doc:
        """Build the record of one resolved document."""
        scene: Scene = doc.user_data[_SCENE]
        components = tuple([component(s.text, s.start, s.end, s.category, s.value, s.role) for s in scene.segments])
        name = doc._context if isinstance(doc._context, str) else scene.repo  # noqa: SLF001
        doc.user_data[_PARSED] = parsed_name(
            name,
            scene.owner,
            scene.repo,
            components,
            convention_of(scene.repo, scene.segments),
            tuple(claims_of(scene)),
        )
        return doc


def _getter(extension: str, default: object) -> Callable[[Span], object]:
    def get(span: Span) -> object:
        scene = span.doc.user_data.get(_SCENE)
        for segment in scene.segments if scene is not None else ():
            if segment.start == span.start_char and segment.end == span.end_char:
                return getattr(segment, extension)
        return default

    return get


def build(lexicon: Lexicon | None = None) -> Language:
    """Make a new pipeline.

    Args:
        lexicon: what words mean; the packaged lexicons when not given.
    """
    words = lexicon if lexicon is not None else default_lexicon()
    vocab = Vocab()
    nlp = Language(vocab, create_tokenizer=lambda nlp: NameTokenizer(nlp.vocab, words))
    for name in ("name_resolver", "name_spans", "name_claims"):
        nlp.add_pipe(name)
    return nlp


@cache
def pipeline() -> Language:
    """The pipeline with the packaged lexicons, made once.

    The lexicons live as long as the process; freezing them keeps the garbage collector from walking through a hundred
    thousand objects again and again (6 % of the time of a long stream).
    """
    nlp = build()
    gc.collect()
    gc.freeze()
    return nlp


def parse_name(name: str) -> ParsedName:
    """Take a package name apart.

    Args:
        name: `owner/repo`, `owner/repo/file` or a bare name.

    Raises:
        NameRefused: the string is no name (empty, too long, not valid Unicode).
    """
    return next(parse_names((name,), batch_size=1))


def parse_names(
    names: Iterable[str],
    batch_size: int = BATCH_SIZE,
    on_refused: Callable[[str, NameRefused], object] | None = None,
) -> Iterator[ParsedName]:
    """Take a stream of names apart in constant memory; the order is kept.

    Args:
        names: names, read batch by batch.
        batch_size: names that are held at a time; it does not change any result.
        on_refused: called for strings that are no names, which are then left out. Without it the first one raises.

    Raises:
        NameRefused: a string is no name and `on_refused` is not given.
    """
    nlp = pipeline()
    outline = cast("NameTokenizer", nlp.tokenizer).outline
    # A document lives until its record is made, and adds no strings to the vocabulary: nothing grows over the stream.
    outlines = ((outline(split_owner(name)[1]), name) for name in _accepted(names, on_refused))
    docs = nlp.pipe(outlines, as_tuples=True, batch_size=batch_size, disable=_NOT_FOR_RECORDS)
    for doc, _ in docs:
        yield doc.user_data[_PARSED]


def _accepted(names: Iterable[str], on_refused: Callable[[str, NameRefused], object] | None) -> Iterator[str]:
    for name in names:
        try:
            yield check(name)
        except NameRefused as refusal:
            if on_refused is None:
                raise
            on_refused(name, refusal)


def state(doc: Doc) -> Any:
    """The resolver's scene of a document, for debugging and for the letters view."""
    return doc.user_data[_SCENE]
