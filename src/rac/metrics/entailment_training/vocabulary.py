"""Words that replace others in altered claims, harvested from passages and split for training and evaluation."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rac.metrics.entailment_training.phrases import YEAR, head_noun, phrases
from rac.metrics.entailment_windows import split_sentences
from rac.metrics.wordlists import ALIASES, COUNTRIES, STOP_WORDS
from rac.records import Passage

HELD_OUT_SHARE = 0.3
SLOTS = ("place", "person", "name", "type", "noun", "modifier", "nationality", "phrase")


def is_held_out(word: str) -> bool:
    """Whether a replacement may be used in the evaluation only: by the hash of its lower-case text."""
    digest = hashlib.sha256(word.lower().encode("utf-8")).digest()
    return digest[0] / 256 < HELD_OUT_SHARE


@dataclass(frozen=True)
class Vocabulary:
    """Replacements by slot, each list sorted; ``types_by_word`` finds sibling types that share a word."""

    words: dict[str, list[str]]
    types_by_word: dict[str, list[str]]

    def pick(self, slot: str, like: str, rng: random.Random) -> str:
        """Return a random replacement of a slot, of as many words as ``like`` where there is one.

        A slot without any word gives ``like`` back, which alters nothing.
        """
        options = self.words.get(slot)
        if not options:
            return like
        size = len(like.split())
        for _ in range(12):
            word = rng.choice(options)
            if word.lower() != like.lower() and abs(len(word.split()) - size) <= (0 if size < 3 else 1):
                return word
        return rng.choice(options)

    def sibling_type(self, like: str, rng: random.Random) -> str:
        """Return a type that shares a word with ``like`` ("film actor" for "film director"), else any type."""
        near = [t for w in like.lower().split() for t in self.types_by_word.get(w, []) if t != like.lower()]
        return rng.choice(near) if near and rng.random() < 0.6 else self.pick("type", like, rng)


def nationalities() -> list[str]:
    """Return the demonyms of the word lists ("Irish"), sorted."""
    found = {a for a, target in ALIASES.items() if target in COUNTRIES and a != target and len(a) > 3}
    return sorted(w.capitalize() for w in found if w.endswith(("n", "sh", "se", "ch", "i", "k")))


def harvest(passages: Iterable[Passage], *, held_out: bool) -> Vocabulary:
    """Collect replacements from passages.

    Args:
        passages: Where words come from.
        held_out: True for the evaluation's half of the words, False for the training half. No word is in both.
    """
    counts: dict[str, Counter[str]] = {slot: Counter() for slot in SLOTS}
    for passage in passages:
        for type_ in passage.types:
            counts["type"][type_.lower()] += 1
        if passage.description:
            head = head_noun(passage.description).lower()
            if head.isalpha() and head not in STOP_WORDS:
                counts["type"][head] += 1
        for sentence in split_sentences(passage.text):
            for phrase in phrases(sentence):
                if phrase.kind in ("place", "person", "name"):
                    counts[phrase.kind][phrase.text] += 1
                elif phrase.kind == "noun":
                    words = phrase.text.split()
                    if words[-1].isalpha() and words[-1].islower():
                        counts["noun"][words[-1]] += 1
                    if len(words) > 1 and words[0].isalpha() and words[0].islower():
                        counts["modifier"][words[0]] += 1
                    if 1 < len(words) < 4 and phrase.text.islower():
                        counts["phrase"][phrase.text] += 1
    counts["nationality"].update(dict.fromkeys(nationalities(), 2))
    replacements = {slot: _half(counter, slot, held_out) for slot, counter in counts.items()}
    by_word: dict[str, list[str]] = {}
    for type_ in replacements["type"]:
        for word in type_.split():
            by_word.setdefault(word, []).append(type_)
    return Vocabulary(replacements, by_word)


def _half(counter: Counter[str], slot: str, held_out: bool) -> list[str]:
    least = 1 if slot in ("place", "person", "name", "phrase") else 2
    found = [w for w, n in counter.items() if n >= least and is_held_out(w) == held_out]
    return sorted(w for w in found if not YEAR.search(w))


def check_disjoint(training: Vocabulary, held_out: Vocabulary) -> None:
    """Raise if a held-out replacement is also a training one."""
    for slot in SLOTS:
        shared = _lower(training.words[slot]) & _lower(held_out.words[slot])
        assert not shared, f"held-out words in training: {sorted(shared)[:5]}"


def _lower(words: Sequence[str]) -> set[str]:
    return {w.lower() for w in words}
