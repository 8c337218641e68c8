"""Overlap of a question with reference questions: ROUGE-1/2/L, BLEU, chrF, METEOR without WordNet.

Every function takes lists (one question and one list of references per item) and returns one value in 0..1 per item,
or None where there is no reference with a word in it: *unscored*, not zero. An empty question with references scores
0.0. With several references the best one counts, except for BLEU, whose own definition clips against all of them.

What fools them: they reward sounding like the reference. An invented option costs one word out of ten, and a faithful
question in other words scores low, so they say little about faithfulness; they are here because readers compare them.

Sources: Lin 2004 (ROUGE, package ``rouge-score``), Papineni et al. 2002 (BLEU) and Popovic 2015 (chrF, both package
``sacrebleu``), Banerjee and Lavie 2005 (METEOR).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from rac.errors import UserError, did_you_mean

References = Sequence[Sequence[str]]
Scores = list[float | None]

ROUGE_KINDS = {"rouge_1": "rouge1", "rouge_2": "rouge2", "rouge_l": "rougeL"}
METEOR_ALPHA, METEOR_BETA, METEOR_GAMMA = 0.9, 3.0, 0.5
"""Weight of recall, and exponent and weight of the fragmentation penalty, as published in 2005 (recall 9 : 1)."""
_BEAM = 40

# Ideographs, kana, hangul, Thai, Lao, Khmer and Burmese are written without spaces (or, hangul, compared by syllable):
# one token a character. On plain ASCII text this gives exactly the tokens of the ROUGE script.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_TOKEN = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")


def tokens(text: str) -> list[str]:
    """Return the lower-cased words and numbers of a text, of any script, without punctuation."""
    return _TOKEN.findall(text.lower())


class _Tokenizer:
    """The tokenizer in the form that ``rouge_score`` takes, with the references of several systems kept."""

    def __init__(self) -> None:
        self.tokenize = lru_cache(maxsize=65_536)(tokens)


def rouge(
    questions: Sequence[str], references: References, kinds: Sequence[str] = tuple(ROUGE_KINDS)
) -> dict[str, Scores]:
    """Return ROUGE F-measures (no stemming) for each of ``kinds``: ``rouge_1``, ``rouge_2``, ``rouge_l``.

    Per kind the reference with the highest F counts.
    """
    from rouge_score.rouge_scorer import RougeScorer

    unknown = [kind for kind in kinds if kind not in ROUGE_KINDS]
    if unknown:
        raise UserError(
            f"'{unknown[0]}' is not a kind of ROUGE that is computed here; {did_you_mean(unknown[0], ROUGE_KINDS)}"
        )
    scorer = RougeScorer([ROUGE_KINDS[kind] for kind in kinds], tokenizer=_Tokenizer())
    scores: dict[str, Scores] = {kind: [] for kind in kinds}
    for question, golds in usable_references(questions, references):
        best = scorer.score_multi(golds, question) if golds else None
        for kind in kinds:
            scores[kind].append(float(best[ROUGE_KINDS[kind]].fmeasure) if best else None)
    return scores


def rouge_l(questions: Sequence[str], references: References) -> Scores:
    """Return ROUGE-L: F-measure of the longest common subsequence of words."""
    return rouge(questions, references, ["rouge_l"])["rouge_l"]


def rouge_1(questions: Sequence[str], references: References) -> Scores:
    """Return ROUGE-1: F-measure of common words."""
    return rouge(questions, references, ["rouge_1"])["rouge_1"]


def rouge_2(questions: Sequence[str], references: References) -> Scores:
    """Return ROUGE-2: F-measure of common word pairs."""
    return rouge(questions, references, ["rouge_2"])["rouge_2"]


def bleu(questions: Sequence[str], references: References) -> Scores:
    """Return sentence BLEU-4 / 100 (sacreBLEU: tokenizer 13a, exponential smoothing, effective order).

    Several references are used as BLEU defines it: counts clipped by their union, brevity against the nearest length.
    Text written without spaces has few 13a tokens; use chrF there.
    """
    from sacrebleu.metrics import BLEU

    return _sacrebleu(BLEU(effective_order=True, smooth_method="exp"), questions, references)


def chrf(questions: Sequence[str], references: References) -> Scores:
    """Return sentence chrF2 / 100: F-measure of character n-grams up to 6, recall weighing twice; best reference."""
    from sacrebleu.metrics import CHRF

    return _sacrebleu(CHRF(), questions, references)


def meteor_without_wordnet(questions: Sequence[str], references: References) -> Scores:
    """Return METEOR (2005) with exact and stem matches only: no synonyms, hence the name; best reference.

    With m matched words, P = m / |question|, R = m / |reference|, F = 10 P R / (R + 9 P), and with c the fewest chunks
    of matches that are adjacent in both texts, METEOR = F (1 - 0.5 (c / m)^3). Stems are Snowball English; texts
    without English stems match exactly.
    """
    return [
        max(_meteor(_stems(question), _stems(gold)) for gold in golds) if golds else None
        for question, golds in usable_references(questions, references)
    ]


METRICS: dict[str, Callable[[Sequence[str], References], Scores]] = {
    "rouge_l": rouge_l,
    "rouge_1": rouge_1,
    "rouge_2": rouge_2,
    "bleu": bleu,
    "chrf": chrf,
    "meteor_nowordnet": meteor_without_wordnet,
}
"""Name in reports and files -> function."""


def reference_scores(
    questions: Sequence[str], references: References, metrics: Sequence[str] = tuple(METRICS)
) -> dict[str, Scores]:
    """Return all the named reference metrics at once (the kinds of ROUGE in one pass).

    Raises:
        UserError: for an unknown metric or lists of different length.
    """
    for name in metrics:
        if name not in METRICS:
            raise UserError(f"'{name}' is not a reference metric; {did_you_mean(name, METRICS)}")
    kinds = [name for name in metrics if name in ROUGE_KINDS]
    found = rouge(questions, references, kinds) if kinds else {}
    return {name: found[name] if name in found else METRICS[name](questions, references) for name in metrics}


def signature(metrics: Sequence[str] = tuple(METRICS)) -> dict[str, str]:
    """Return for each metric what made it: package, version and settings."""
    from importlib.metadata import version

    rouge_made = f"rouge-score-{version('rouge-score')}|F|no-stem|tok:unicode"
    sacre = f"sacrebleu-{version('sacrebleu')}|sentence"
    made = {
        "bleu": f"{sacre}|BLEU-4|tok:13a|smooth:exp|effective-order|refs:all",
        "chrf": f"{sacre}|chrF2|refs:max",
        "meteor_nowordnet": "own-1|METEOR-2005|exact+snowball-en|no-synonyms|refs:max",
    }
    return {name: made.get(name, f"{rouge_made}|refs:max") for name in metrics}


def usable_references(questions: Sequence[str], references: References) -> list[tuple[str, list[str]]]:
    """Pair each question with those of its references that contain a word."""
    if len(questions) != len(references):
        raise UserError(
            f"{len(questions)} questions and {len(references)} lists of references were given, so they cannot be "
            "paired; give one list of references (it may be empty) per question"
        )
    for golds in references:
        if isinstance(golds, str):
            raise UserError(
                f"the references of a question were given as one text ({golds!r:.60}), which would be read letter by "
                "letter; give a list of texts"
            )
    return [(q, [gold for gold in golds if tokens(gold)]) for q, golds in zip(questions, references, strict=True)]


def _sacrebleu(metric: Any, questions: Sequence[str], references: References) -> Scores:
    return [
        (float(metric.sentence_score(question, golds).score) / 100 if tokens(question) else 0.0) if golds else None
        for question, golds in usable_references(questions, references)
    ]


@lru_cache(maxsize=1)
def _stemmer() -> Any:
    import Stemmer

    return Stemmer.Stemmer("english")


@lru_cache(maxsize=65_536)
def _stems(text: str) -> tuple[str, ...]:
    return tuple(_stemmer().stemWords(tokens(text)))


def _meteor(question: Sequence[str], gold: Sequence[str]) -> float:
    matches, chunks = align(question, gold)
    if not matches:
        return 0.0
    precision, recall = matches / len(question), matches / len(gold)
    f_mean = precision * recall / (METEOR_ALPHA * precision + (1 - METEOR_ALPHA) * recall)
    return f_mean * (1 - METEOR_GAMMA * (chunks / matches) ** METEOR_BETA)


def align(left: Sequence[str], right: Sequence[str]) -> tuple[int, int]:
    """Return (matches, chunks) of an alignment of equal words: most matches first, then fewest chunks.

    The number of matches is exact, sum over words of min(count left, count right). Which copies of a repeated word
    are joined is searched with a beam of 40 states, as METEOR's own aligner does, so chunks may be one too many in
    texts that repeat themselves a lot.
    """
    places: dict[str, list[int]] = {}
    for index, word in enumerate(right):
        places.setdefault(word, []).append(index)
    counts = Counter(left)
    spare = {word: counts[word] - min(counts[word], len(places.get(word, ()))) for word in counts}
    matches = sum(counts.values()) - sum(spare.values())
    # A state: (chunks so far, last matched place in `right` or -2, used places as bits, words of `left` left out).
    states: dict[tuple[int, int, tuple[tuple[str, int], ...]], int] = {(-2, 0, ()): 0}
    for word in left:
        following: dict[tuple[int, int, tuple[tuple[str, int], ...]], int] = {}
        for (last, used, skipped), chunks in states.items():
            left_out = dict(skipped)
            if left_out.get(word, 0) < spare[word]:
                left_out[word] = left_out.get(word, 0) + 1
                key = (-2, used, tuple(sorted(left_out.items())))
                following[key] = min(following.get(key, chunks), chunks)
            for place in places.get(word, ()):
                if not used >> place & 1:
                    key = (place, used | 1 << place, skipped)
                    cost = chunks + (place != last + 1 or last < 0)
                    following[key] = min(following.get(key, cost), cost)
        states = dict(sorted(following.items(), key=lambda item: (item[1], item[0]))[:_BEAM])
    return matches, min(states.values())
