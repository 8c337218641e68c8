"""Feedback becomes preference pairs {(U_q, D, C_q+, C_q-)}, with a count of what was dropped and why.

Entries of one query and one D are taken together. A question's votes are the users who picked an option of it, answered
it or found it helpful, minus those who found it unhelpful. C_q+ has more votes for than against and is faithful by the
selection scorer (a question that users like may still offer what no passage says); C_q- has more against. Where users
judged only one side, the other is found among the questions that were generated beside it: for C_q- one that fails the
scorer, for C_q+ one that passes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from rac.files import sha256_json
from rac.metrics.selection import SelectionScorer
from rac.records import Passage, PreferencePair
from rac.server.feedback import Feedback
from rac.training.pairs import normalise


@dataclass
class _Group:
    """What is known of one query with one D."""

    query: str
    passages: tuple[Passage, ...]
    votes: Counter[str] = field(default_factory=Counter)
    asked: dict[str, None] = field(default_factory=dict)
    candidates: dict[str, None] = field(default_factory=dict)


def feedback_pairs(
    entries: Iterable[Feedback],
    *,
    prompt: Callable[[str, Sequence[Passage]], str] | None = None,
    most_rejected: int = 3,
) -> tuple[list[PreferencePair], dict[str, int]]:
    """Make preference pairs of feedback.

    Args:
        entries: Feedback in the order of arrival.
        prompt: Renders (query, D) as the model's prompt; without it pairs have none.
        most_rejected: C_q- of a pair at most.

    Returns:
        The pairs in the order in which their queries first came, and counts of what was read, kept and dropped.
    """
    counts: Counter[str] = Counter()
    groups: dict[str, _Group] = {}
    for entry in entries:
        counts["entries"] += 1
        if not entry.passages:
            counts["entries without passages"] += 1
            continue
        passages = sorted((p.to_dict() for p in entry.passages), key=lambda p: str(p["id"]))
        key = sha256_json([normalise(entry.query), passages])
        group = groups.setdefault(key, _Group(entry.query, entry.passages))
        group.asked.setdefault(entry.question)
        group.candidates.update(dict.fromkeys(c for c in entry.candidates if c.strip()))
        group.votes[entry.question] += _vote(entry)
    pairs = []
    for key, group in groups.items():
        counts["queries"] += 1
        pair = _pair(key, group, counts, prompt, most_rejected)
        if pair is not None:
            pairs.append(pair)
    counts["pairs"] = len(pairs)
    return pairs, {name: counts[name] for name in sorted(counts)}


def _vote(entry: Feedback) -> int:
    """Return 1 for a question that served its user, -1 for one that did not, 0 if it is not said."""
    if entry.helpful is not None:
        return 1 if entry.helpful else -1
    return 1 if entry.option or entry.answer.strip() else 0


def _pair(
    key: str, group: _Group, counts: Counter[str], prompt: Callable[[str, Sequence[Passage]], str] | None, most: int
) -> PreferencePair | None:
    scorer = SelectionScorer(min_options=2)
    scores = {q: scorer.score(q, group.query, group.passages) for q in [*group.asked, *group.candidates]}
    liked = sorted((q for q in group.asked if group.votes[q] > 0), key=lambda q: -group.votes[q])
    disliked = sorted((q for q in group.asked if group.votes[q] < 0), key=lambda q: group.votes[q])
    if not liked and not disliked:
        counts["queries whose votes are even"] += 1
        return None
    unjudged = [q for q in group.candidates if q not in group.asked]
    chosen = next((q for q in liked if scores[q].good), None)
    chosen_kind = "feedback"
    if chosen is None and liked:
        counts["liked questions that the passages do not support"] += len(liked)
    if chosen is None and disliked:
        chosen, chosen_kind = next((q for q in unjudged if scores[q].good), None), "candidate"
    if chosen is None:
        counts["queries without a faithful C+"] += 1
        return None
    rejected = [(q, "feedback") for q in disliked]
    if not rejected:
        rejected = [(q, "candidate") for q in unjudged if not scores[q].good]
    same = normalise(chosen)
    rejected = [(q, kind) for q, kind in rejected if normalise(q) != same][:most]
    if not rejected:
        counts["queries without a C-"] += 1
        return None
    counts[f"C+ {chosen_kind}"] += 1
    counts[f"C- {rejected[0][1]}"] += len(rejected)
    return PreferencePair(
        id=f"feedback-{key[:16]}",
        example_id=f"feedback-{key[:16]}",
        query=group.query,
        passages=group.passages,
        prompt="" if prompt is None else prompt(group.query, group.passages),
        chosen=chosen,
        rejected=rejected[0][0],
        more_rejected=tuple(q for q, _ in rejected[1:]),
        chosen_kind=chosen_kind,
        rejected_kinds=tuple(kind for _, kind in rejected),
        chosen_score=scores[chosen].faithfulness,
        rejected_scores=tuple(scores[q].faithfulness for q, _ in rejected),
    )
