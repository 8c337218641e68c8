"""``bootstrap``: from passages and an index to clarification examples, with a count of everything left out."""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from rac.corpus.bootstrap.facets import Subject, choose_facets, read_subjects
from rac.corpus.bootstrap.splitting import leakage, split_groups
from rac.corpus.bootstrap.terms import Term, find_terms
from rac.corpus.bootstrap.wording import TypedQuery, typed_queries, write_questions
from rac.corpus.bootstrap_settings import KINDS, Bootstrap
from rac.errors import UserError
from rac.progress import Progress
from rac.records import ClarificationExample, Passage

log = logging.getLogger(__name__)

Check = Callable[[str, str, Sequence[Passage]], str]
"""Judges (question, query, D) and returns "" if the question is accepted, else the reason why it is not."""


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
    """

    examples: list[ClarificationExample]
    counts: dict[str, int]
    leakage: dict[str, float] = field(default_factory=dict)


def bootstrap(
    passages: Iterable[Passage],
    index: Searcher,
    settings: Bootstrap | None = None,
    seed: int = 0,
    *,
    check: Check | None = None,
    batch: int = 512,
) -> BootstrapResult:
    """Make clarification examples from a corpus without labels.

    Ambiguous terms are found in titles and descriptions, typed as a keyword, a question or an imperative, and searched
    for. The options of the questions are those retrieved passages that the term may mean; a query that retrieves fewer
    than two of them is left out. The same passages, index, settings and seed give the same examples.

    Args:
        passages: The corpus.
        index: An index of the same corpus.
        settings: The recipe's ``bootstrap`` section.
        seed: Seed of all choices.
        check: Judge of every question; questions it refuses are left out and counted by its reasons.
        batch: Queries searched for at once.

    Raises:
        UserError: if the corpus is empty or gives no example at all.
    """
    settings = settings or Bootstrap()
    corpus = list(passages)
    if not corpus:
        raise UserError("the corpus holds no passage, so no query can be found in it; give a corpus with text")
    subjects = read_subjects(corpus)
    row_of = {s.id: row for row, s in enumerate(subjects)}
    terms, counts_found = find_terms(subjects, settings)
    counts: Counter[str] = Counter({"passages": len(corpus), **counts_found})
    examples: dict[str, ClarificationExample] = {}
    retrieved: dict[str, set[str]] = {}
    candidates = _candidates(terms, subjects, seed)
    with Progress("bootstrapping", settings.examples, unit="examples") as progress:
        while len(examples) < settings.examples and (some := list(islice(candidates, batch))):
            found = index.search_batch([query.text for _, query in some], settings.top_k)
            for (term, query), hits in zip(some, found, strict=True):
                if len(examples) == settings.examples:
                    break
                counts["queries tried"] += 1
                d = [hit.passage for hit in hits]
                example = _make(term, query, d, subjects, row_of, settings, seed, check, counts)
                if isinstance(example, str):
                    counts[f"queries left out: {example}"] += 1
                elif example.query.lower() in examples:
                    counts["queries left out: asked before"] += 1
                else:
                    examples[example.query.lower()] = example
                    retrieved[example.id] = {p.id for p in d}
                    progress.advance()
    if not examples:
        raise UserError(
            f"none of {counts['queries tried']} ambiguous queries in {len(corpus)} passages retrieved two passages "
            "that can be told apart; give a larger corpus, passages with titles and descriptions, or a larger "
            "bootstrap.top_k"
        )
    return _split(list(examples.values()), retrieved, settings, seed, counts)


def _candidates(terms: Sequence[Term], subjects: Sequence[Subject], seed: int) -> Iterator[tuple[Term, TypedQuery]]:
    """Yield queries, kinds in turn, likelier terms earlier; every term has one query before any has a second one."""
    queues: dict[str, list[tuple[Term, list[TypedQuery]]]] = {kind: [] for kind in KINDS}
    for term in terms:
        rng = random.Random(f"{seed} {term.key}")
        queue = queues[term.kind]
        queue.append((term, typed_queries(term, [subjects[row] for row in term.rows], rng)))
    for kind, queue in queues.items():
        rng = random.Random(f"{seed} order {kind}")
        rng.shuffle(queue)
        queue.sort(key=lambda entry: -round(entry[0].plausible, 1))
    rounds = max((len(queries) for queue in queues.values() for _, queries in queue), default=0)
    for number in range(rounds):
        longest = max(len(queue) for queue in queues.values())
        for place in range(longest):
            for queue in queues.values():
                if place < len(queue) and number < len(queue[place][1]):
                    yield queue[place][0], queue[place][1][number]


def _make(
    term: Term, query: TypedQuery, d: Sequence[Passage], subjects: Sequence[Subject], row_of: dict[str, int],
    settings: Bootstrap, seed: int, check: Check | None, counts: Counter[str],
) -> ClarificationExample | str:  # fmt: skip
    """Make the example of one query, or say why there is none."""
    meant = set(term.rows)
    relevant = [row for p in d if (row := row_of.get(p.id, -1)) in meant]
    if len(relevant) < 2:
        return "fewer than two passages of the term retrieved"
    offered = [subjects[row] for row in relevant if subjects[row].phrase is not None][: settings.options]
    if len(offered) < 2:
        return "fewer than two passages with a usable description"
    facets = choose_facets(offered, query.term)
    if isinstance(facets, str):
        return facets
    rng = random.Random(f"{seed} questions {query.text}")
    questions = []
    for question in write_questions(facets, query.term, term.kind, settings.questions_per_example, rng):
        reason = check(question, query.text, d) if check else ""
        counts["questions written"] += 1
        if reason:
            counts[f"questions left out: {reason}"] += 1
        else:
            questions.append(question)
    if not questions:
        return "no question passed the check"
    return ClarificationExample(
        id=f"{term.kind}:{term.key}:{query.form}".replace(" ", "_"),
        query=query.text,
        questions=tuple(questions),
        passage_ids=tuple(f.passage_id for f in facets),
        facets=tuple(f.appositive() for f in facets),
        group=term.key,
        meta={"kind": term.kind, "form": query.form, "term": query.term},
    )


def _split(
    examples: Sequence[ClarificationExample], retrieved: dict[str, set[str]], settings: Bootstrap, seed: int,
    counts: Counter[str],
) -> BootstrapResult:  # fmt: skip
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
    for split in ("train", "validation", "test"):
        for example in examples:
            if splits.split_of.get(example.group) == split:
                kept.append(example.model_copy(update={"split": split}))
                counts[f"examples: {split}"] += 1
                counts[f"examples of kind: {example.meta['kind']}"] += 1
                counts[f"examples of form: {example.meta['form']}"] += 1
                counts["gold questions"] += len(example.questions)
    left_out = len(examples) - len(kept)
    if left_out:
        counts["examples left out: share a passage with a held-out query"] = left_out
    leaks = leakage({e.id: retrieved[e.id] for e in kept}, {e.id: e.split for e in kept})
    log.debug("bootstrapped %d examples; leakage %s", len(kept), leaks)
    return BootstrapResult(kept, dict(counts), leaks)
