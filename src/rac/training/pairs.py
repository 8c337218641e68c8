"""Data generation: candidates of a query become {(U_q, D, C_q+, C_q-)}, with a count of what was dropped and why.

For each query C_q+ is taken from gold or from samples of ``grounded``, and C_q- from samples of both stage-1 models or
from one-claim edits. A candidate's *value* is the share of its options that are supported by D and different from one
another; C_q+ must have value 1, C_q- less by the margin. Among the many C_q- left, those nearest to C_q+ in wording are
kept: they differ in the claim that is wrong and in little else, so that is what the model learns from.

The scorer is passed in; it is the selection scorer (``rac.metrics.selection``), never the one that reports.
"""

from __future__ import annotations

import logging
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from typing import Any, Protocol

from rac.records import Passage, PreferencePair
from rac.training.edit_pool import EditPool
from rac.training.edits import one_claim_edits
from rac.training.pair_settings import Pairs
from rac.training.repairs import repaired

log = logging.getLogger(__name__)


class Score(Protocol):
    """What the scorer says of one question."""

    @property
    def faithfulness(self) -> float:
        """How far D supports the options, in 0..1."""

    @property
    def options(self) -> Sequence[Any]:
        """What the question offers."""

    @property
    def supported(self) -> Sequence[bool]:
        """Whether D supports each option."""

    @property
    def distinct(self) -> bool:
        """Whether no option is offered twice."""

    @property
    def apart(self) -> bool:
        """Whether the options tell passages apart."""


class Scorer(Protocol):
    """Scores a question against D; ``rac.metrics.selection.SelectionScorer`` is one."""

    def score(self, question: str, query: str, passages: Sequence[Passage]) -> Score:
        """Return the score of one question."""


@dataclass(frozen=True)
class PairSource:
    """One query with everything that pairs can be made of.

    Attributes:
        example_id: The example.
        query: U_q.
        passages: D, as in the prompt; stored with the pair.
        prompt: The rendered prompt.
        gold: Gold questions.
        grounded: Samples of the grounded model.
        ungrounded: Samples of the ungrounded model.
        visible: D as far as the prompt shows it (texts may be cut), which candidates are scored against; empty:
            ``passages``.
        asked: What the grounded model asks greedily, "" if that is not known: a candidate like its samples, and of
            the faulty ones the first to learn from, since it is the fault that a user would see. Where no sample is
            sound, C_q+ is this question with its faulty options exchanged (``rac.training.repairs``).
    """

    example_id: str
    query: str
    passages: tuple[Passage, ...]
    prompt: str = ""
    gold: tuple[str, ...] = ()
    grounded: tuple[str, ...] = ()
    ungrounded: tuple[str, ...] = ()
    visible: tuple[Passage, ...] = ()
    asked: str = ""


@dataclass
class _Candidate:
    text: str
    kind: str
    faithfulness: float | None = None
    value: float = 0.0
    options: int = 0
    negated: int = 0
    distance: float = 0.0
    label: str = ""


@dataclass
class _Draft:
    """A pair before the shares of kinds are balanced."""

    source: PairSource
    chosen: _Candidate
    rejected: list[_Candidate] = field(default_factory=list)


def make_pairs(
    sources: Sequence[PairSource], settings: Pairs, *, seed: int, scorer: Scorer, pool: EditPool | None = None
) -> tuple[list[PreferencePair], dict[str, int]]:
    """Make preference pairs, one for each query where both sides are found.

    Args:
        sources: Queries with gold questions and samples. Their order is kept.
        settings: The recipe's section ``pairs``.
        seed: Of the edits; the same seed and sources give the same pairs.
        scorer: Judges candidates where ``settings.filter`` is on.
        pool: Donors for edits; made of the sources' passages if None.

    Returns:
        The pairs, and counts: queries and candidates read, kept, and dropped by reason.
    """
    counts: Counter[str] = Counter()
    edited = any(kind.startswith("edited") for kind in settings.negatives)
    if edited and pool is None:
        pool = EditPool(p for source in sources for p in source.passages)
    drafts: list[_Draft] = []
    for source in sources:
        counts["queries"] += 1
        maker = _Maker(source, settings, scorer, counts)
        chosen = maker.chosen()
        if chosen is None:
            continue
        rng = random.Random(f"{seed}|{source.example_id}")
        rejected = maker.rejected(chosen, maker.negatives(chosen, pool, rng))
        if rejected:
            drafts.append(_Draft(source, chosen, rejected))
    drafts = _balance(drafts, settings, counts)
    counts["pairs"] = len(drafts)
    for draft in drafts:
        counts[f"C+ {draft.chosen.kind}"] += 1
        for candidate in draft.rejected:
            counts[f"C- {candidate.kind}"] += 1
            if candidate.label:
                counts[f"C- {candidate.kind}: {candidate.label}"] += 1
    found = {name: counts[name] for name in sorted(counts)}
    log.info("pairs: %s", ", ".join(f"{name} {count}" for name, count in found.items()))
    return [_record(draft) for draft in drafts], found


def normalise(question: str) -> str:
    """Return the form under which two questions count as the same: case, punctuation and spaces do not matter."""
    return " ".join(re.findall(r"\w+", question.casefold()))


def option_value(score: Score, *, tell_apart: bool = False) -> float:
    """Return the share of a question's options that are supported and different, in 0..1; 0 without options.

    One option offered twice counts as one good and one bad option.

    Args:
        score: Of the question.
        tell_apart: Count options that do not tell passages apart as one good and one bad, too.
    """
    count = len(score.options)
    if count == 0:
        return 0.0
    good = sum(score.supported) - (0 if score.distinct and (score.apart or not tell_apart) else 1)
    return max(good, 0) / count


class _Maker:
    """Candidates of one query."""

    def __init__(self, source: PairSource, settings: Pairs, scorer: Scorer, counts: Counter[str]) -> None:
        self.source, self.settings, self.scorer, self.counts = source, settings, scorer, counts
        self.passages = source.visible or source.passages
        self._sampled: dict[str, list[_Candidate]] = {}

    def _scored(self, text: str, kind: str, label: str = "") -> _Candidate:
        candidate = _Candidate(text.strip(), kind, label=label)
        if self.settings.filter:
            score = self.scorer.score(candidate.text, self.source.query, self.passages)
            candidate.faithfulness = float(score.faithfulness)
            candidate.value = option_value(score, tell_apart=self.settings.tell_apart)
            candidate.options = len(score.options)
            candidate.negated = sum(getattr(option, "kind", "") == "NOT-TYPE" for option in score.options)
        return candidate

    def _unique(self, texts: Sequence[str], kind: str) -> list[_Candidate]:
        """Score the different texts of a list, in order; empty ones and repetitions are counted."""
        seen: dict[str, _Candidate] = {}
        for text in texts:
            key = normalise(text)
            if not key:
                self.counts[f"{kind} dropped: empty"] += 1
            elif key in seen:
                self.counts[f"{kind} dropped: sampled before"] += 1
            else:
                seen[key] = self._scored(text, kind)
        return list(seen.values())

    def _samples(self, model: str, kind: str) -> list[_Candidate]:
        """Return the scored samples of a model under the name of what they are used for."""
        if model not in self._sampled:
            texts = getattr(self.source, model)
            if model == "grounded" and self.source.asked:
                texts = (self.source.asked, *texts)
            self._sampled[model] = self._unique(texts, model)
        return [replace(candidate, kind=kind) for candidate in self._sampled[model]]

    def chosen(self) -> _Candidate | None:
        """Choose C_q+, or count why there is none."""
        settings, source = self.settings, self.source
        gold = self._unique(source.gold, "gold")
        candidates = gold if settings.positives == "gold" else self._samples("grounded", settings.positives)
        if not candidates and not (settings.positives == "best-of-n" and gold):
            self.counts["queries dropped: no candidate for C+"] += 1
            return None
        if not settings.filter:
            return candidates[0]
        # What C_q+ should be like: gold, or the question of the model's own that is to be mended; of the latter the
        # fault must not be mended by offering less.
        wanted = gold or self._asked()
        least = settings.min_options
        if least is None:
            least = min(2, max((c.options for c in wanted), default=1))
        good = [c for c in candidates if self._is_good(c, least)]
        if settings.positives == "best-of-n":
            # All good ones are equally faithful: the one worded most like what is wanted is the most natural, and where
            # that is not known the one worded most like the others.
            likeness = _likeness([c.text for c in good], [c.text for c in wanted])
            order = sorted(range(len(good)), key=lambda i: (settings.natural_first * good[i].negated, -likeness[i]))
            good = [good[i] for i in order]
            good = good or [c for c in gold if self._is_good(c, least)]
            good = good or [c for c in self._repaired() if self._is_good(c, least)]
        if not good:
            self.counts["queries dropped: no C+ with supported, different options"] += 1
            return None
        return good[0]

    def _asked(self) -> list[_Candidate]:
        """Return what the model asks greedily, the first of its samples, where that is known."""
        return self._samples("grounded", "grounded")[:1] if normalise(self.source.asked) else []

    def _repaired(self) -> list[_Candidate]:
        """Return what the model asks with its faulty options exchanged, where that is known and can be done."""
        source, settings = self.source, self.settings
        if not source.asked:
            return []

        def value(question: str) -> float:
            score = self.scorer.score(question, source.query, self.passages)
            return option_value(score, tell_apart=settings.tell_apart)

        text = repaired(source.asked, source.query, self.passages, (*source.grounded, *source.ungrounded), value)
        return [] if text is None else [self._scored(text, "repaired")]

    def _is_good(self, candidate: _Candidate, least: int) -> bool:
        if candidate.options < max(least, 1):
            self.counts["C+ candidates dropped: too few options"] += 1
        elif candidate.value < 1:
            self.counts["C+ candidates dropped: an option is unsupported or repeated"] += 1
        else:
            return True
        return False

    def negatives(self, chosen: _Candidate, pool: EditPool | None, rng: random.Random) -> list[_Candidate]:
        """Return the candidates for C_q- of all wanted kinds."""
        found: list[_Candidate] = []
        for kind in self.settings.negatives:
            if kind in ("grounded", "ungrounded"):
                found += self._samples(kind, kind)
            else:
                assert pool is not None
                texts = self.source.gold if kind == "edited-gold" else (chosen.text,)
                for text in texts[:1] if kind == "edited-chosen" else rng.sample(texts, min(len(texts), 1)):
                    edits = one_claim_edits(
                        text, self.source.query, self.passages, pool,
                        wanted=self.settings.edits, rng=rng, kinds=self.settings.edit_kinds,
                    )  # fmt: skip
                    if not edits:
                        self.counts[f"queries without an edit ({kind})"] += 1
                    found += [self._scored(edit.question, kind, edit.kind) for edit in edits]
        return found

    def rejected(self, chosen: _Candidate, candidates: list[_Candidate]) -> list[_Candidate]:
        """Choose the C_q- for a C_q+: faulty, different, the nearest of each kind first; count what is dropped."""
        settings, counts = self.settings, self.counts
        kept: list[_Candidate] = []
        seen = {normalise(chosen.text)}
        for candidate in candidates:
            key = normalise(candidate.text)
            if key in seen:
                counts[f"C- {candidate.kind} dropped: same as another question"] += 1
                continue
            seen.add(key)
            if settings.filter:
                gap = chosen.value - candidate.value
                if gap <= 0:
                    counts[f"C- {candidate.kind} dropped: tie"] += 1
                    continue
                if gap < settings.margin:
                    counts[f"C- {candidate.kind} dropped: margin"] += 1
                    continue
            candidate.distance = 1 - similarity(chosen.text, candidate.text)
            kept.append(candidate)
        if not kept:
            counts["queries dropped: no C-"] += 1
            return []
        if not settings.filter:
            counts["C- dropped: more than max_negatives"] += max(0, len(kept) - settings.max_negatives)
            return kept[: settings.max_negatives]
        size = len(chosen.text.split())
        asked = normalise(self.source.asked)

        def order(candidate: _Candidate) -> tuple[bool, bool, float]:
            too_long = abs(len(candidate.text.split()) - size) > settings.length_tolerance * size
            return normalise(candidate.text) != asked, too_long, candidate.distance

        kept.sort(key=order)
        # Edits of C_q+ are always nearest: without taking turns the model's own faults would never be learnt from.
        place: Counter[str] = Counter()
        turns = []
        for candidate in kept:
            turns.append((place[candidate.kind], settings.negatives.index(candidate.kind)))
            place[candidate.kind] += 1
        kept = [candidate for _, candidate in sorted(zip(turns, kept, strict=True), key=lambda item: item[0])]
        counts["C- dropped: more than max_negatives"] += max(0, len(kept) - settings.max_negatives)
        return kept[: settings.max_negatives]


def similarity(one: str, other: str) -> float:
    """Return how alike two questions are word by word, in 0..1 (ratio of matching words in order)."""
    return SequenceMatcher(None, one.lower().split(), other.lower().split(), autojunk=False).ratio()


def _likeness(texts: Sequence[str], wanted: Sequence[str]) -> list[float]:
    """Return how alike each text is to the nearest wanted one, or, where none is, to the other texts on average."""
    if wanted:
        return [max(similarity(text, other) for other in wanted) for text in texts]
    others = max(len(texts) - 1, 1)
    return [
        sum(similarity(text, other) for j, other in enumerate(texts) if j != i) / others for i, text in enumerate(texts)
    ]


def _balance(drafts: list[_Draft], settings: Pairs, counts: Counter[str]) -> list[_Draft]:
    """Remove the C_q- farthest from their C_q+ until no kind has more than its share."""
    for kind in settings.negatives if len(settings.negatives) > 1 else ():
        share = settings.max_shares.get(kind, 1.0)
        if share >= 1:
            continue
        own = [(d, c) for d in drafts for c in d.rejected if c.kind == kind]
        others = sum(len(d.rejected) for d in drafts) - len(own)
        # u / (u + others) <= share
        allowed = int(share / (1 - share) * others + 1e-9)
        # Where a query has other C_q- it can do without this one.
        own.sort(key=lambda item: (len({c.kind for c in item[0].rejected}) == 1, -item[1].distance))
        for draft, candidate in own[: max(0, len(own) - allowed)]:
            draft.rejected.remove(candidate)
            counts[f"C- {kind} dropped: share"] += 1
    empty = [d for d in drafts if not d.rejected]
    if empty:
        counts["queries dropped: no C- left by the shares"] += len(empty)
    return [d for d in drafts if d.rejected]


def _record(draft: _Draft) -> PreferencePair:
    source, chosen, rejected = draft.source, draft.chosen, draft.rejected
    scored = chosen.faithfulness is not None
    return PreferencePair(
        id=source.example_id,
        example_id=source.example_id,
        query=source.query,
        passages=source.passages,
        prompt=source.prompt,
        chosen=chosen.text,
        rejected=rejected[0].text,
        more_rejected=tuple(c.text for c in rejected[1:]),
        chosen_kind=chosen.kind,
        rejected_kinds=tuple(c.kind for c in rejected),
        chosen_score=chosen.faithfulness,
        rejected_scores=tuple(c.faithfulness or 0.0 for c in rejected) if scored else (),
    )
