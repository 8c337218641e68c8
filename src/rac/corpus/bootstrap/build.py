"""``bootstrap``: from passages and an index to clarification examples, with a count of everything left out."""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from rac.corpus.bootstrap.maker import Check, ExampleMaker, Reword
from rac.corpus.bootstrap.splitting import SPLITS, leakage, split_groups
from rac.corpus.bootstrap.subjects import Subject, read_corpus_subjects
from rac.corpus.bootstrap.terms import Term, find_terms
from rac.corpus.bootstrap.wording import TypedQuery, typed_queries
from rac.corpus.bootstrap_settings import KINDS, LAST_KINDS, Bootstrap
from rac.errors import UserError
from rac.progress import Progress
from rac.records import ClarificationExample, Passage, PreferencePair

log = logging.getLogger(__name__)


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
        pairs: With ``faults_per_example``: gold questions of training queries against faulty twins, ``prompt`` not
            filled in.
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
    maker = ExampleMaker(subjects, settings, seed, check, reword)
    maker.counts.update({"passages": len(subjects), **found})
    candidates = _candidates(terms, subjects, settings, seed)
    with Progress("bootstrapping", settings.examples, unit="examples") as progress:
        while len(maker.examples) < settings.examples and (some := list(islice(candidates, batch))):
            depth = maker.depth if any(term.kind == "cluster" for term, _ in some) else settings.top_k
            results = index.search_batch([query.text for _, query in some], depth)
            for (term, query), hits in zip(some, results, strict=True):
                if len(maker.examples) == settings.examples:
                    break
                progress.advance(maker.add(term, query, [hit.passage for hit in hits]))
            maker.reword_new()
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
    last = {kind: queues.pop(kind) for kind in LAST_KINDS}
    for some in (queues, last):
        for number in range(settings.queries_per_term):
            for place in range(max(len(queue) for queue in some.values())):
                for queue in some.values():
                    if place < len(queue) and number < len(queue[place][1]):
                        yield queue[place][0], queue[place][1][number]


def _split(maker: ExampleMaker, settings: Bootstrap, seed: int) -> BootstrapResult:
    examples, counts = list(maker.examples.values()), maker.counts
    passages_of: dict[str, set[str]] = {}
    for example in examples:
        passages_of.setdefault(example.group, set()).update(maker.documents[example.id])
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
    # Pairs are training data: those of held-out queries would teach a model what it is tested with.
    pairs = [p for p in maker.pairs if split_of.get(p.example_id) == "train"]
    held_out = sum(split_of.get(p.example_id, "train") != "train" for p in maker.pairs)
    for reason, count in (
        ("of validation and test queries", held_out),
        ("of examples that are left out", len(maker.pairs) - len(pairs) - held_out),
    ):
        if count:
            counts[f"pairs left out: {reason}"] = count
    leaks = leakage({e.id: maker.retrieved[e.id] for e in kept}, split_of)
    log.debug("bootstrapped %d examples; leakage %s", len(kept), leaks)
    return BootstrapResult(kept, dict(counts), leaks, pairs)
