"""``bootstrap``: from passages and an index to clarification examples, with a count of everything left out."""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Protocol

from rac.corpus.bootstrap.facets import choose_facets, is_supported
from rac.corpus.bootstrap.faults import FaultMaker
from rac.corpus.bootstrap.phrases import words
from rac.corpus.bootstrap.splitting import SPLITS, leakage, split_groups
from rac.corpus.bootstrap.subjects import Subject, read_corpus_subjects
from rac.corpus.bootstrap.terms import Term, find_terms
from rac.corpus.bootstrap.wording import TypedQuery, Wording, typed_queries, write_questions
from rac.corpus.bootstrap_settings import KINDS, Bootstrap
from rac.errors import UserError
from rac.progress import Progress
from rac.records import ClarificationExample, Passage, PreferencePair

log = logging.getLogger(__name__)

Check = Callable[[str, str, Sequence[Passage]], str]
"""Judges (question, query, D) and returns "" if the question is accepted, else the reason why it is not."""


Reword = Callable[[str, str, Sequence[Passage]], str]
"""Says a question in other words, given (question, query, D); what it returns is checked like any other question."""

NEAR_DUPLICATE = 0.8
"""Two passages whose words overlap more than this (Jaccard) are one option, not two."""


class _Hit(Protocol):
    @property
    def passage(self) -> Passage: ...


class Searcher(Protocol):
    """What bootstrapping asks of an index."""

    def search_batch(self, queries: Sequence[str], top_k: int) -> Sequence[Sequence[_Hit]]:
        """Return the best ``top_k`` passages of each query, best first."""
        ...


@dataclass(frozen=True)
class BootstrapResult:
    """Clarification data made from a corpus.

    Attributes:
        examples: The examples, training first; ``passage_ids`` are the passages that the options name.
        counts: What was found, tried, accepted, and left out for which reason.
        leakage: Share of the held-out splits' retrieved passages that training queries retrieve as well.
        pairs: With ``faults_per_example``: gold questions against faulty twins, ``prompt`` not filled in.
    """

    examples: list[ClarificationExample]
    counts: dict[str, int]
    leakage: dict[str, float] = field(default_factory=dict)
    pairs: list[PreferencePair] = field(default_factory=list)


def bootstrap(
    passages: Iterable[Passage],
    index: Searcher,
    settings: Bootstrap | None = None,
    seed: int = 0,
    *,
    check: Check | None = None,
    reword: Reword | None = None,
    batch: int = 512,
) -> BootstrapResult:
    """Make clarification examples from a corpus without labels.

    Ambiguous terms are found in titles and descriptions, typed as a keyword, a question or an imperative, and searched
    for. The options of the questions are those retrieved passages that the term may mean; a query that retrieves fewer
    than two of them is left out. The same passages, index, settings and seed give the same examples. The passages are
    read once and not kept; what is kept of each is a name and a phrase.

    Args:
        passages: The corpus.
        index: An index of the same corpus.
        settings: The recipe's ``bootstrap`` section.
        seed: Seed of all choices.
        check: Judge of every question; questions it refuses are left out and counted by its reasons.
        reword: Says questions in other words; a rewording that loses an option or fails the check is not used.
        batch: Queries searched for at once.

    Raises:
        UserError: if the corpus is empty or gives no example at all.
    """
    settings = settings or Bootstrap()
    reading = read_corpus_subjects(passages, settings.max_titles)
    subjects = reading.subjects
    if not subjects:
        raise UserError("the corpus holds no passage, so no query can be found in it; give a corpus with text")
    terms, found = find_terms(reading, settings)
    maker = _Maker(subjects, settings, seed, check, reword)
    maker.counts.update({"passages": len(subjects), **found})
    candidates = _candidates(terms, subjects, settings, seed)
    with Progress("bootstrapping", settings.examples, unit="examples") as progress:
        while len(maker.examples) < settings.examples and (some := list(islice(candidates, batch))):
            results = index.search_batch([query.text for _, query in some], settings.top_k)
            for (term, query), hits in zip(some, results, strict=True):
                if len(maker.examples) == settings.examples:
                    break
                progress.advance(maker.add(term, query, [hit.passage for hit in hits]))
    if not maker.examples:
        raise UserError(
            f"none of {maker.counts['queries tried']} ambiguous queries in {len(subjects)} passages retrieved two "
            "passages that can be told apart; give a larger corpus, passages with titles and descriptions, or a "
            "larger bootstrap.top_k"
        )
    return _split(maker, settings, seed)


def _candidates(
    terms: Sequence[Term], subjects: Sequence[Subject], settings: Bootstrap, seed: int
) -> Iterator[tuple[Term, TypedQuery]]:
    """Yield queries, kinds in turn, likelier terms earlier; every term has one query before any has a second one.

    Words that are only mentioned come last, when names and classes are used up.
    """
    queues: dict[str, list[tuple[Term, list[TypedQuery]]]] = {kind: [] for kind in KINDS}
    for term in terms:
        rng = random.Random(f"{seed} {term.key}")
        own = [subjects[row] for row in term.rows]
        queues[term.kind].append((term, typed_queries(term, own, rng, settings.queries_per_term)))
    for kind, queue in queues.items():
        rng = random.Random(f"{seed} order {kind}")
        rng.shuffle(queue)
        queue.sort(key=lambda entry: -round(entry[0].plausible, 1))
    last = queues.pop("mention")
    for some in (queues, {"mention": last}):
        for number in range(settings.queries_per_term):
            for place in range(max(len(queue) for queue in some.values())):
                for queue in some.values():
                    if place < len(queue) and number < len(queue[place][1]):
                        yield queue[place][0], queue[place][1][number]


class _Maker:
    """Makes one example at a time and counts why others are not made."""

    def __init__(
        self, subjects: Sequence[Subject], settings: Bootstrap, seed: int, check: Check | None, reword: Reword | None
    ) -> None:
        self.examples: dict[str, ClarificationExample] = {}
        self.retrieved: dict[str, set[str]] = {}
        self.pairs: list[PreferencePair] = []
        self.counts: Counter[str] = Counter()
        self._subjects, self._settings, self._seed = subjects, settings, seed
        self._check, self._reword = check, reword
        self._row_of = {s.id: row for row, s in enumerate(subjects)}
        self._faults = FaultMaker(subjects) if settings.faults_per_example else None

    def add(self, term: Term, query: TypedQuery, d: Sequence[Passage]) -> int:
        """Make the example of one query if there is one; return how many were made (0 or 1)."""
        self.counts["queries tried"] += 1
        if query.text.lower() in self.examples:
            self.counts["queries left out: asked before"] += 1
            return 0
        made = self._make(term, query, d)
        if isinstance(made, str):
            self.counts[f"queries left out: {made}"] += 1
            return 0
        self.examples[query.text.lower()] = made
        self.retrieved[made.id] = {p.id for p in d}
        return 1

    def _make(self, term: Term, query: TypedQuery, d: Sequence[Passage]) -> ClarificationExample | str:
        self.counts["hits that are not in the corpus"] += sum(p.id not in self._row_of for p in d)
        relevant = self._relevant(term, d)
        if len(relevant) < 2:
            return "fewer than two passages of the term retrieved"
        offered = _without_near_duplicates(relevant)[: self._settings.options]
        if len(offered) < 2:
            return "passages are near duplicates"
        chosen = choose_facets([self._subjects[row] for row, _ in offered], query.term, of_class=term.kind == "class")
        if isinstance(chosen, str):
            return chosen
        facets = [replace(facet, passage_id=p.id) for facet, (_, p) in zip(chosen, offered, strict=True)]
        if not all(is_supported(facet, p) for facet, (_, p) in zip(facets, offered, strict=True)):
            return "an option is not in the retrieved part of its document"
        rng = random.Random(f"{self._seed} questions {query.text}")
        written = write_questions(facets, query.term, term, self._settings.questions_per_example, rng)
        accepted = [wording for wording in written if self._accepted(wording.text, query.text, d)]
        if not accepted:
            return "no question passed the check"
        identity = f"{term.kind}:{term.key}:{len(self.examples)}".replace(" ", "_")
        self._add_pairs(identity, query.text, accepted, d, rng)
        return ClarificationExample(
            id=identity,
            query=query.text,
            questions=tuple(dict.fromkeys(self._reworded(wording, query.text, d) for wording in accepted)),
            passage_ids=tuple(f.passage_id for f in facets),
            facets=tuple(f.appositive() for f in facets),
            group=term.key,
            meta={"kind": term.kind, "form": query.form, "term": query.term},
        )

    def _relevant(self, term: Term, d: Sequence[Passage]) -> list[tuple[int, Passage]]:
        """Return the passages of D that the term may mean, with the rows of their documents, each document once."""
        found: dict[int, Passage] = {}
        for passage in d:
            row = self._row_of.get(passage.id, -1)
            if row < 0:
                continue
            first = row if self._subjects[row].part_of < 0 else self._subjects[row].part_of
            if first in term.rows and self._subjects[first].name:
                found.setdefault(first, passage)
        # A name alone says little: passages without a description are offered only if too few have one.
        described = [(row, passage) for row, passage in found.items() if self._subjects[row].phrase]
        return described if len(described) >= 2 else list(found.items())

    def _accepted(self, question: str, query: str, d: Sequence[Passage]) -> bool:
        self.counts["questions written"] += 1
        reason = self._check(question, query, d) if self._check else ""
        if reason:
            self.counts[f"questions left out: {reason}"] += 1
        return not reason

    def _reworded(self, wording: Wording, query: str, d: Sequence[Passage]) -> str:
        if self._reword is None:
            return wording.text
        other = " ".join(self._reword(wording.text, query, d).split())
        kept = [f.attribute if wording.form == "attribute" else f.name for f in wording.facets]
        if not other.endswith("?") or any(part.lower() not in other.lower() for part in kept):
            self.counts["rewordings left out: an option or the question mark is missing"] += 1
        elif self._check and (reason := self._check(other, query, d)):
            self.counts[f"rewordings left out: {reason}"] += 1
        else:
            self.counts["rewordings used"] += 1
            return other
        return wording.text

    def _add_pairs(
        self, identity: str, query: str, accepted: Sequence[Wording], d: Sequence[Passage], rng: random.Random
    ) -> None:
        if self._faults is None:
            return
        wording = accepted[0]
        faults = self._faults.make(wording, d, self._settings.faults_per_example, rng)
        if not faults:
            self.counts["examples without a faulty twin"] += 1
            return
        self.counts.update(f"faults: {fault.kind}" for fault in faults)
        self.pairs.append(
            PreferencePair(
                id=f"{identity}:faults",
                example_id=identity,
                query=query,
                passages=tuple(d),
                chosen=wording.text,
                rejected=faults[0].question,
                more_rejected=tuple(fault.question for fault in faults[1:]),
                chosen_kind="gold",
                rejected_kinds=tuple(f"edited-gold: {fault.kind}" for fault in faults),
            )
        )


def _without_near_duplicates(found: Sequence[tuple[int, Passage]]) -> list[tuple[int, Passage]]:
    """Return those that are not nearly the same text as an earlier one."""
    kept: list[tuple[int, Passage, set[str]]] = []
    for row, passage in found:
        own = {w.lower() for w in words(passage.text)}
        if all(len(own & other) <= NEAR_DUPLICATE * len(own | other) or not own for _, _, other in kept):
            kept.append((row, passage, own))
    return [(row, passage) for row, passage, _ in kept]


def _split(maker: _Maker, settings: Bootstrap, seed: int) -> BootstrapResult:
    examples, counts = list(maker.examples.values()), maker.counts
    passages_of: dict[str, set[str]] = {}
    for example in examples:
        passages_of.setdefault(example.group, set()).update(example.passage_ids)
    splits = split_groups(
        passages_of,
        Counter(e.group for e in examples),
        {"validation": settings.validation, "test": settings.test},
        seed,
    )
    kept = []
    for split in SPLITS:
        for example in examples:
            if splits.split_of.get(example.group) == split:
                kept.append(example.model_copy(update={"split": split}))
                counts[f"examples: {split}"] += 1
                counts[f"examples of kind: {example.meta['kind']}"] += 1
                counts[f"examples of form: {example.meta['form']}"] += 1
                counts["gold questions"] += len(example.questions)
    if left_out := len(examples) - len(kept):
        counts["examples left out: share a passage with a held-out query"] = left_out
    split_of = {e.id: e.split for e in kept}
    leaks = leakage({e.id: maker.retrieved[e.id] for e in kept}, split_of)
    log.debug("bootstrapped %d examples; leakage %s", len(kept), leaks)
    return BootstrapResult(kept, dict(counts), leaks, [p for p in maker.pairs if p.example_id in split_of])
