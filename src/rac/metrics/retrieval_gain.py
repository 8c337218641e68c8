"""What a question is worth to search: nDCG, MRR and recall of query + question + answer minus those of the query alone.

    delta_M = M(query + question + answer) - M(query)      M in {nDCG@k, RR@k, Recall@k}

The answer is gold where the source has one; otherwise a simulated user answers once for each passage that belongs to
the query as their target (``rac.metrics.simulated_user``), only that passage counts as relevant, and the mean over
targets is the value. Range -1..1; None where nothing is relevant or no answer can be had. It reads gold passages or
judgements and is not part of the headline. What fools it: a question that names passages helps lexical search even if
nobody would ask so; an index that finds everything leaves no gain to measure. Cost: two searches per target.

Measures by ``ir-measures``. Compare Aliannejadi et al. 2019 (Qulac) and 2021 (ClariQ), who append question and answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from rac.errors import UserError
from rac.metrics.simulated_user import simulated_answers
from rac.records import ClarificationExample, Passage

if TYPE_CHECKING:
    from rac.metrics.entailment import EntailmentScorer
    from rac.metrics.support import SupportFit
    from rac.retrieval.base import Hit

MEASURES = ("ndcg", "mrr", "recall")


class Searchable(Protocol):
    """What is needed of ``rac.retrieval.Index``."""

    def search_batch(self, queries: Sequence[str], top_k: int) -> list[list[Hit]]:
        """Return for each query its best passages, best first."""
        ...


@dataclass(frozen=True)
class Turn:
    """One clarification to be measured.

    Attributes:
        query: U_q.
        question: C_q.
        answer: What the user said.
        relevant: Passage id -> grade (> 0) of what the user wants.
    """

    query: str
    question: str
    answer: str
    relevant: Mapping[str, int]


@dataclass(frozen=True)
class Gain:
    """Gain of one question: ``before``, ``after`` and ``delta`` by measure; empty with a ``reason`` if unscored."""

    before: Mapping[str, float] = field(default_factory=dict)
    after: Mapping[str, float] = field(default_factory=dict)
    answers: tuple[str, ...] = ()
    reason: str = ""

    @property
    def delta(self) -> dict[str, float]:
        """Difference by measure: ``delta_ndcg``, ``delta_mrr``, ``delta_recall``."""
        return {f"delta_{name}": self.after[name] - self.before[name] for name in self.after}

    def row(self) -> dict[str, float | None]:
        """Return the deltas for a score file, None where unscored."""
        return {f"delta_{name}": self.delta.get(f"delta_{name}") for name in MEASURES}


def turn_gains(turns: Sequence[Turn], index: Searchable, *, k: int = 10) -> list[Gain]:
    """Return the gain of each turn; every different search text is searched once."""
    if k < 1:
        raise UserError(f"k is {k}, but measures look at the first k passages; use 10")
    texts = {t.query: None for t in turns} | {expanded(t): None for t in turns}
    found = dict(zip(texts, index.search_batch(list(texts), k), strict=True)) if texts else {}
    scored = [i for i, t in enumerate(turns) if any(grade > 0 for grade in t.relevant.values())]
    before = _measure([(turns[i].relevant, found[turns[i].query]) for i in scored], k)
    after = _measure([(turns[i].relevant, found[expanded(turns[i])]) for i in scored], k)
    gains = [Gain(answers=(t.answer,), reason="nothing-relevant") for t in turns]
    for i, old, new in zip(scored, before, after, strict=True):
        gains[i] = Gain(old, new, (turns[i].answer,))
    return gains


def expanded(turn: Turn) -> str:
    """Return the search text after the clarification."""
    return " ".join(part for part in (turn.query, turn.question.strip(), turn.answer.strip()) if part)


def retrieval_gain(
    questions: Sequence[str], examples: Sequence[ClarificationExample], index: Searchable, *,
    passages: Mapping[str, Passage] | None = None, k: int = 10, answers: str = "auto",
    entailment: EntailmentScorer | None = None, fit: SupportFit | None = None,
) -> list[Gain]:  # fmt: skip
    """Return for each question what it is worth to search.

    Args:
        questions: The questions, one per example.
        examples: Queries with gold answers, judgements (``qrels``) and gold passages.
        index: What is searched.
        passages: Passages by id, for gold passages that the examples only name.
        k: Depth of the measures.
        answers: ``gold``, ``simulated``, or ``auto``: gold where the example has answers and the question is one of its
            own (an answer to another question is no answer to this one), else simulated.
        entailment: Entailment model of the simulated user.
        fit: Parameters of support of the simulated user; the shipped ones if None.

    Returns:
        One gain per question; unscored where the question is empty, nothing is relevant, or no answer can be had.

    Raises:
        UserError: for lists of different length or an unknown kind of answers.
    """
    if len(questions) != len(examples):
        raise UserError(
            f"{len(questions)} questions and {len(examples)} examples were given, so they cannot be paired; give one "
            "question per example"
        )
    if answers not in ("auto", "gold", "simulated"):
        raise UserError(f"answers='{answers}' is not known, so no answer can be had; use auto, gold or simulated")
    turns: list[Turn] = []
    owners: list[int] = []
    results: list[Gain | None] = [None] * len(questions)
    targets: list[tuple[int, Passage]] = []
    for i, (question, example) in enumerate(zip(questions, examples, strict=True)):
        if not question.strip():
            results[i] = Gain(reason="empty")
        elif gold := _gold_answer(question, example) if answers != "simulated" else None:
            turns.append(Turn(example.query, question, gold, _relevant(example)))
            owners.append(i)
        elif answers == "gold":
            results[i] = Gain(reason="no-gold-answer")
        elif wanted := _targets(example, passages or {}):
            targets += [(i, passage) for passage in wanted]
        else:
            results[i] = Gain(reason="no-target-passage")
    said = simulated_answers(
        [questions[i] for i, _ in targets], [examples[i].query for i, _ in targets], [p for _, p in targets],
        entailment=entailment, fit=fit,
    )  # fmt: skip
    for (i, passage), answer in zip(targets, said, strict=True):
        turns.append(Turn(examples[i].query, questions[i], answer.text, {passage.id: 1}))
        owners.append(i)
    own: dict[int, list[Gain]] = {}
    for i, gain in zip(owners, turn_gains(turns, index, k=k), strict=True):
        own.setdefault(i, []).append(gain)
    return [result or _mean(own[i]) for i, result in enumerate(results)]


def _gold_answer(question: str, example: ClarificationExample) -> str | None:
    """Return the answer that the source has for this very question."""
    own = [q.strip().casefold() for q in example.questions]
    if question.strip().casefold() not in own:
        return None
    place = own.index(question.strip().casefold())
    if len(example.answers) == len(own):
        return example.answers[place]
    return example.answers[0] if len(own) == 1 and example.answers else None


def _relevant(example: ClarificationExample) -> dict[str, int]:
    return dict(example.qrels) if example.qrels else dict.fromkeys(example.gold_ids, 1)


def _targets(example: ClarificationExample, passages: Mapping[str, Passage]) -> list[Passage]:
    """Return the passages that a user with this query may be after: gold ones, else those judged relevant."""
    held = {p.id: p for p in example.passages}
    ids: Iterable[str] = example.gold_ids or [i for i, grade in example.qrels.items() if grade > 0]
    return [held.get(i) or passages[i] for i in ids if i in held or i in passages]


def _mean(gains: Sequence[Gain]) -> Gain:
    scored = [g for g in gains if not g.reason]
    answers = tuple(a for g in gains for a in g.answers)
    if not scored:
        return Gain(answers=answers, reason=gains[0].reason)
    before = {name: sum(g.before[name] for g in scored) / len(scored) for name in MEASURES}
    after = {name: sum(g.after[name] for g in scored) / len(scored) for name in MEASURES}
    return Gain(before, after, answers)


def _measure(items: Sequence[tuple[Mapping[str, int], Sequence[Hit]]], k: int) -> list[dict[str, float]]:
    """Return nDCG@k, RR@k and recall@k of each result list."""
    if not items:
        return []
    import ir_measures
    from ir_measures import RR, R, nDCG

    names: dict[Any, str] = {nDCG @ k: "ndcg", RR @ k: "mrr", R @ k: "recall"}
    qrels = [ir_measures.Qrel(str(n), i, grade) for n, (wanted, _) in enumerate(items) for i, grade in wanted.items()]
    # The rank, not the engine's score, is what counts; equal scores would otherwise be re-ordered by id.
    run = [
        ir_measures.ScoredDoc(str(n), hit.passage.id, float(-hit.rank))
        for n, (_, hits) in enumerate(items)
        for hit in hits
    ]
    values: list[dict[str, float]] = [dict.fromkeys(MEASURES, 0.0) for _ in items]
    for metric in ir_measures.iter_calc(list(names), qrels, run):
        values[int(metric.query_id)][names[metric.measure]] = float(metric.value)
    return values
