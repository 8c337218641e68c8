"""What the entailment model is trained and measured on: passages of two corpora and public NLI sets."""

from __future__ import annotations

import csv
import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rac.benchmarks.claqua import BENCHMARK as CLAQUA
from rac.corpus.wikipedia import read_wikipedia
from rac.errors import DataError
from rac.metrics.entailment_training.facets import short_title
from rac.records import ClarificationExample, Passage

CLAQUA_CALIBRATION = 0.2
WIKIPEDIA_PARTS = {"calibration": (0.0, 0.04), "test": (0.04, 0.12), "train": (0.12, 1.0)}


@dataclass(frozen=True)
class NliPair:
    """A pair of an NLI set; ``entailed`` is its two-class label, ``group`` what a split must keep together."""

    premise: str
    hypothesis: str
    entailed: bool
    group: str


@dataclass(frozen=True)
class PassageSet:
    """Passages with what a claim maker needs beside them; see ``claims.ClaimMaker``."""

    name: str
    passages: list[Passage]
    siblings: dict[str, list[Passage]]
    gold: dict[str, list[str]]


def share(text: str) -> float:
    """Return a number in 0..1 that depends on ``text`` alone, for splits that never move."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:4], "big") / 2**32


def claqua_passages(directory: Path, part: str) -> PassageSet:
    """Return the entities of a part of CLAQUA.

    Args:
        directory: Holds the benchmark's files as OWNER/REPO/PATH.
        part: ``train`` is its training split without the names that its validation split has too; ``calibration`` and
            ``test`` are two sides of its validation split, by name.
    """
    examples = CLAQUA.read(directory, "validation").examples
    if part == "train":
        reserved = {e.cluster for e in examples}
        examples = [e for e in CLAQUA.read(directory, "train").examples if e.cluster not in reserved]
    else:
        examples = [e for e in examples if (share(e.cluster) < CLAQUA_CALIBRATION) == (part == "calibration")]
    passages: dict[str, Passage] = {}
    siblings: dict[str, dict[str, Passage]] = {}
    gold: dict[str, list[str]] = {}
    for example in examples:
        for passage in example.passages:
            passages[passage.id] = passage
            siblings.setdefault(passage.id, {}).update((p.id, p) for p in example.passages if p.id != passage.id)
        for passage_id, facet in _gold_facets(example):
            gold.setdefault(passage_id, []).append(facet)
    return PassageSet("claqua", list(passages.values()), {k: list(v.values()) for k, v in siblings.items()}, gold)


def _gold_facets(example: ClarificationExample) -> Iterator[tuple[str, str]]:
    """Yield (passage id, facet without the name); the first facet belongs to the first entity in this benchmark."""
    for passage, facet in zip(example.passages, example.facets, strict=False):
        low, name = facet.lower(), short_title(passage.title).lower()
        at = low.find(name)
        text = (facet[:at] + facet[at + len(name) :]).strip() if at >= 0 else ""
        if text and not text.lower().startswith("non "):
            yield passage.id, " ".join(text.split())


def wikipedia_passages(part: str) -> PassageSet:
    """Return the embedded Wikipedia summaries of a part (``train``, ``calibration`` or ``test``), split by title."""
    from rac.metrics.entailment_training.claims import siblings_by_topic

    low, high = WIKIPEDIA_PARTS[part]
    passages = [p for p in read_wikipedia() if low <= share(p.title) < high]
    return PassageSet("wikipedia", passages, siblings_by_topic(passages), {})


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    if not path.is_file():
        raise DataError(path, "no such file; RAC_MIRROR must hold the data sets as OWNER/REPO/PATH")
    with path.open(encoding="utf-8-sig", newline="") as handle:
        yield from enumerate(csv.reader(handle, delimiter="\t", quoting=csv.QUOTE_NONE), start=1)


def _read(path: Path, columns: tuple[int, int, int], positive: str, group: int | None = None) -> list[NliPair]:
    found: list[NliPair] = []
    for number, row in _rows(path):
        if number == 1:
            continue
        if len(row) <= max(columns):
            raise DataError(path, f"has {len(row)} columns where {max(columns) + 1} are needed", line=number)
        premise, hypothesis, label = (row[c].strip() for c in columns)
        key = row[group] if group is not None else premise
        found.append(NliPair(premise, hypothesis, label.lower() == positive, key))
    return found


def conjnli(directory: Path, split: str) -> list[NliPair]:
    """ConjNLI (MIT): ``train`` is the authors' adversarial training set, ``dev`` their development set."""
    name = {"train": "adversarial_train_15k.tsv", "dev": "conj_dev.tsv"}[split]
    return _read(directory / "swarnaHub/ConjNLI/data/NLI" / name, (0, 1, 2), "entailment")


def med(directory: Path, split: str) -> list[NliPair]:
    """MED (CC BY-SA 4.0), monotonicity: it has no split, so 70 % of its premises are ``train``, the rest ``test``."""
    pairs = _read(directory / "verypluming/MED/MED.tsv", (8, 9, 15), "entailment")
    return [p for p in pairs if (share(p.group) < 0.7) == (split == "train")]


def rte(directory: Path, split: str) -> list[NliPair]:
    """RTE as in GLUE: "public research data" without a licence, so it is measured on and never trained on."""
    return _read(directory / "marcwww/nlu_eval/data/RTE" / f"{split}.tsv", (1, 2, 3), "entailment")


def sick(directory: Path) -> list[NliPair]:
    """SICK training part (CC BY-NC-SA): measured on, never trained on."""
    return _read(directory / "FTAsr/STS/data/SICK/SICK_train.txt", (1, 2, 4), "entailment")


def shuffled(pairs: list[NliPair], seed: int, limit: int | None = None) -> list[NliPair]:
    """Return the pairs in a random order, at most ``limit``."""
    found = list(pairs)
    random.Random(seed).shuffle(found)
    return found[:limit]


def sample(passages: PassageSet, count: int, seed: int) -> PassageSet:
    """Return ``count`` of the passages, with those of their siblings that were chosen too."""
    rng = random.Random(f"sample-{seed}")
    groups: dict[str, list[Passage]] = {}
    for passage in passages.passages:
        groups.setdefault(passage.title.casefold(), []).append(passage)
    titles = sorted(groups)
    rng.shuffle(titles)
    chosen: list[Passage] = []
    for title in titles:
        if len(chosen) >= count:
            break
        chosen += groups[title]
    return PassageSet(passages.name, chosen, passages.siblings, passages.gold)
