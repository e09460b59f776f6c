"""Our estimator beside the published method, on the same graphs in the same run.

    python -m benchmarks.published_comparison PACKAGES RAW [--families 40] [--seed 0]

PACKAGES is a folder made by `make_packages.py`, RAW a corpus written by `python -m corpora.reference.raw`. Figures are
macro recall, the mean over labels of the share that is answered right, over labels with at least `--support` graphs.
`+ twins` also counts a family whose graph is the same as that of the right one. Five folds everywhere:

packages, random
    Siblings of a package (other fine-tunes of one checkpoint, other sizes of one release) are in the training folds.
packages, owners apart
    All packages of an owner are in one fold, so what is asked about was published by somebody unseen.
packages, trained on the corpus
    What both know is the reference corpus; no package was seen.
corpus, random / sizes apart / classes apart
    Both are trained on a part of the corpus. Sizes apart: the sizes asked about were not shown of any class. Classes
    apart: no size of the class was shown, so only the model type can be asked for.

The estimator never sees a package: its answers on packages are the same whatever the split.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # runs as a file as well as with -m

from benchmarks.fingerprint_data import packages
from benchmarks.published_method import Vectors, listing_features, train_and_predict
from clustering.declared.task import task_of_class
from clustering.family.learn import example, learn_index
from clustering.family.scorer import FamilyScorer
from clustering.tensors import TensorListing
from corpora.reference import load_reference
from corpora.reference.records import read_lines, read_raw

FOLDS = 5
QUESTIONS = ("model type", "class", "task")
MOST_TENSORS = 3_000
"""Longer listings (unfused experts) are left out of the corpus's part: they add time and no label."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A graph with what is known of it."""

    model_type: str
    class_name: str
    group: str
    """The owner of a package; the variant (size) of a record."""
    published: bool
    listing: TensorListing
    features: Counter[str]

    def truth(self, question: str) -> str | None:
        """The label, where there is one."""
        if question == "task":
            return task_of_class(self.class_name, None) if self.class_name else None
        return (self.model_type if question == "model type" else self.class_name) or None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the estimator says of one graph; empty where it abstains."""

    model_type: str
    twins: frozenset[str]
    structure: str
    structure_twins: frozenset[str]
    class_name: str

    def label(self, question: str) -> str:
        """The answer to a question."""
        if question == "task":
            return task_of_class(self.class_name, None) or ""
        return self.model_type if question == "model type" else self.class_name


def ask(scorer: FamilyScorer, listing: TensorListing) -> Answer:
    """The estimator's answer, both channels and structure alone."""
    found = scorer.identify(listing)
    both = found.family[0] if found.family else None
    alone = found.structure_only[0] if found.structure_only else None
    classes = scorer.architecture_class(listing)
    return Answer(
        both.model_type if both else "",
        frozenset(both.twins if both else ()),
        alone.model_type if alone else "",
        frozenset(alone.twins if alone else ()),
        classes[0] if classes else "",
    )


def macro(truths: Sequence[str], right: Sequence[bool], support: int) -> tuple[float, int]:
    """Mean recall over labels with enough graphs, and how many labels those are."""
    by_label: dict[str, list[bool]] = defaultdict(list)
    for truth, hit in zip(truths, right, strict=True):
        by_label[truth].append(hit)
    kept = [sum(hits) / len(hits) for hits in by_label.values() if len(hits) >= support]
    return (sum(kept) / len(kept) if kept else float("nan")), len(kept)


def folds(keys: Sequence[str], seed: int) -> list[int]:
    """The fold of each key; equal keys share one, the largest groups are dealt first."""
    groups = Counter(keys)
    rng = random.Random(seed)
    order = sorted(groups, key=lambda key: (-groups[key], rng.random()))
    load = [0] * FOLDS
    fold: dict[str, int] = {}
    for key in order:
        fold[key] = min(range(FOLDS), key=lambda number: load[number])
        load[fold[key]] += groups[key]
    return [fold[key] for key in keys]


def baseline(samples: Sequence[Sample], fold: Sequence[int], question: str, seed: int) -> dict[int, str]:
    """The published method's answers, by number of the sample; each is asked while its fold is left out."""
    known = [n for n, sample in enumerate(samples) if sample.truth(question)]
    answers: dict[int, str] = {}
    for number in range(FOLDS):
        shown = [n for n in known if fold[n] != number]
        asked = [n for n in known if fold[n] == number]
        if shown and asked:
            answers |= transfer([samples[n] for n in shown], samples, asked, question, seed)
    return answers


def transfer(
    shown: Sequence[Sample], samples: Sequence[Sample], asked: Sequence[int], question: str, seed: int
) -> dict[int, str]:
    """The published method trained on some samples and asked about others."""
    vectors = Vectors()
    rows = vectors.fit([sample.features for sample in shown])
    labels = [sample.truth(question) or "" for sample in shown]
    predicted = train_and_predict(rows, labels, vectors.transform([samples[n].features for n in asked]), seed=seed)
    return dict(zip(asked, predicted, strict=True))


@dataclass(frozen=True, slots=True)
class Table:
    """Prints one experiment."""

    samples: Sequence[Sample]
    twins: Callable[[str], Iterable[str]]
    support: int

    def theirs(self, title: str, question: str, answers: dict[int, str]) -> None:
        """A line for the published method."""
        self._line(title, f"{question}, published method", question, {n: {said} for n, said in answers.items()})
        if question == "model type":
            wider = {n: {said, *self.twins(said)} for n, said in answers.items()}
            self._line(title, f"{question} + twins, published method", question, wider)

    def ours(self, title: str, answers: dict[int, Answer], questions: Sequence[str] = QUESTIONS) -> None:
        """The lines for our estimator."""
        for question in questions:
            said = {n: {answer.label(question)} for n, answer in answers.items()}
            self._line(title, f"{question}, ours", question, said)
        said = {n: {answer.structure} for n, answer in answers.items()}
        self._line(title, "model type, ours, structure alone", "model type", said)
        said = {n: {answer.model_type, *answer.twins} for n, answer in answers.items()}
        self._line(title, "model type + twins, ours", "model type", said)
        said = {n: {answer.structure, *answer.structure_twins} for n, answer in answers.items()}
        self._line(title, "model type + twins, ours, structure alone", "model type", said)

    def _line(self, title: str, what: str, question: str, said: Mapping[int, set[str]]) -> None:
        """Prints how often the truth is among what was said, over the samples that have the label."""
        truths = {n: self.samples[n].truth(question) for n in said}
        known = {n: truth for n, truth in truths.items() if truth is not None}
        hits = [truth in said[n] for n, truth in known.items()]
        value, labels = macro(list(known.values()), hits, self.support)
        shown = f"macro recall {value:.3f} over {labels} labels, accuracy {sum(hits) / max(1, len(hits)):.3f}"
        print(f"{title}: {what}: {shown}, n={len(hits)}", flush=True)


def package_samples(folder: Path) -> list[Sample]:
    """Packages that have weights and declare a model type."""
    found: list[Sample] = []
    for package in packages(folder):
        if package.model_type:
            owner = package.name.partition("/")[0].lower()
            features = listing_features(package.listing)
            found.append(Sample(package.model_type, package.class_name or "", owner, False, package.listing, features))
    return found


def corpus_samples(
    raw: Path, families: int, sizes: int, seed: int, asked: AbstractSet[str]
) -> tuple[list[Sample], set[str]]:
    """Records of a seeded choice of families and of those asked about, at most `sizes` of each class.

    Returns:
        The records, and the families of the seeded choice.
    """
    names = sorted({record["model_type"] for record in read_lines(raw, "model")})
    chosen = set(random.Random(seed).sample(names, min(families, len(names))))
    seen: Counter[tuple[str, bool]] = Counter()
    found: list[Sample] = []
    for model in read_raw(raw):
        key = model.class_name, model.spelling == "published"
        if model.model_type not in chosen | asked or seen[key] >= sizes or len(model.listing.tensors) > MOST_TENSORS:
            continue
        seen[key] += 1
        features = listing_features(model.listing)
        found.append(Sample(model.model_type, key[0], model.variant, key[1], model.listing, features))
    return found, chosen


def on_packages(samples: Sequence[Sample], shown: Sequence[Sample], options: argparse.Namespace) -> None:
    """The experiments with packages; `shown` is the part of the corpus that the network may see."""
    scorer = load_reference()
    table = Table(samples, scorer.twins, options.support)
    if options.ours:
        table.ours("packages", {n: ask(scorer, sample.listing) for n, sample in enumerate(samples)})
        return
    for title, keys in (
        ("packages, random", [str(n) for n in range(len(samples))]),
        ("packages, owners apart", [sample.group for sample in samples]),
    ):
        fold = folds(keys, options.seed)
        for question in QUESTIONS:
            table.theirs(title, question, baseline(samples, fold, question, options.seed))
    title = "packages, trained on the corpus"
    print(f"{title}: {len(shown)} records of {len({s.model_type for s in shown})} families shown to the network")
    for question in QUESTIONS:
        known = [sample for sample in shown if sample.truth(question)]
        asked = [n for n, sample in enumerate(samples) if sample.truth(question)]
        table.theirs(title, question, transfer(known, samples, asked, question, options.seed))
    started = time.perf_counter()
    table.ours(title, {n: ask(scorer, sample.listing) for n, sample in enumerate(samples)})
    print(f"{title}: ours took {(time.perf_counter() - started) / max(1, len(samples)):.2f} s a package", flush=True)


def on_corpus(samples: Sequence[Sample], options: argparse.Namespace) -> None:
    """The experiments inside the corpus."""
    table = Table(samples, load_reference().twins, 2)
    print(f"corpus: {len(samples)} records of {len({s.model_type for s in samples})} families")
    for title, keys, questions in (
        ("corpus, random", [str(n) for n in range(len(samples))], QUESTIONS),
        ("corpus, sizes apart", [sample.group for sample in samples], QUESTIONS),
        ("corpus, classes apart", [sample.class_name for sample in samples], QUESTIONS[:1]),
    ):
        fold = folds(keys, options.seed)
        asked = set(random.Random(options.seed).sample(range(len(samples)), min(options.asked, len(samples))))
        for question in questions:
            answers = baseline(samples, fold, question, options.seed)
            table.theirs(title, question, {n: answer for n, answer in answers.items() if n in asked})
        table.ours(title, _refitted(samples, fold, asked), questions)


def _refitted(samples: Sequence[Sample], fold: Sequence[int], asked: set[int]) -> dict[int, Answer]:
    """Our estimator's answers, learnt anew without each fold."""
    answers: dict[int, Answer] = {}
    for number in range(FOLDS):
        shown = [s for n, s in enumerate(samples) if fold[n] != number]
        examples = [example(s.model_type, s.class_name, s.group, s.listing, published=s.published) for s in shown]
        scorer = FamilyScorer(learn_index(examples, meta={"twins": load_reference().index.meta.get("twins", {})}))
        answers |= {n: ask(scorer, samples[n].listing) for n in sorted(asked) if fold[n] == number}
    return answers


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", type=Path)
    parser.add_argument("raw", type=Path)
    parser.add_argument("--families", type=int, default=40, help="families of the corpus, by a seeded choice")
    parser.add_argument("--sizes", type=int, default=7, help="records of one class in one spelling")
    parser.add_argument("--asked", type=int, default=120, help="records of the corpus that are asked about in a split")
    parser.add_argument("--packages-limit", type=int, default=0)
    parser.add_argument("--support", type=int, default=5, help="packages that a label needs to count")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ours", action="store_true", help="only our answers on packages: they depend on the index")
    options = parser.parse_args()
    started = time.perf_counter()
    samples = package_samples(options.packages)
    if options.packages_limit:
        samples = random.Random(options.seed).sample(samples, min(options.packages_limit, len(samples)))
    if options.ours:
        on_packages(samples, (), options)
        return 0
    asked = {sample.model_type for sample in samples}
    records, chosen = corpus_samples(options.raw, options.families, options.sizes, options.seed, asked)
    on_packages(samples, records, options)
    on_corpus([record for record in records if record.model_type in chosen], options)
    print(f"{time.perf_counter() - started:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
