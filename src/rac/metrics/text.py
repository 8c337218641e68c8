"""Words of English text as the lexical metrics see them: keys with character spans, numbers, aliases, languages.

A *key* is the form under which words match: lower case without accents, inflection removed by rules, numbers and dates
normalised, aliases mapped to one form ("Irish", "Ireland" -> "ireland"; "2nd", "second" -> "2"). Pure Python, no model.
What fools it: synonyms and paraphrases have different keys, homographs the same one.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

from rac.metrics.wordlists import ALIASES, BIGRAM_ALIASES, IRREGULAR, NUMBER_WORDS, OTHER_LANGUAGES, STOP_WORDS


class Word(NamedTuple):
    """One word or number: its key and where it stands (character offsets, end exclusive)."""

    key: str
    start: int
    end: int

    @property
    def is_number(self) -> bool:
        """Whether the key is a number (years, quantities, ordinals)."""
        return self.key[:1].isdigit()


# Numbers first, so that "1,200" and "3.5" stay whole; letters with inner apostrophes and initials ("U.S.") after them.
_WORD = re.compile(
    r"\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?(?:st|nd|rd|th|s)?(?![a-z\d])|(?<![^\W_])[^\W\d_](?:\.[^\W\d_])+\.?(?![^\W_])|[^\W_]+(?:['’][^\W\d_]+)*",
    re.IGNORECASE,
)
_POSSESSIVE = re.compile(r"['’]s?$")
_CONTRACTION = re.compile(r"(i|we|he|it|you|she|who|they|that|there|what)['’](?:m|re|ve|ll|d|s)$")
_VOWEL = re.compile(r"[aeiouy]")
_MOJIBAKE = {"鈥檚": "'s", "鈥檛": "'t"}  # UTF-8 quotes read as GBK, in CLAQUA; same length, so offsets stay true
_QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "„": '"', "–": "-", "—": "-", "\u00a0": " "})


def plain(text: str) -> str:
    """Return ``text`` of the same length with typographic quotes, dashes and known mojibake replaced."""
    for wrong, right in _MOJIBAKE.items():
        if wrong in text:
            text = text.replace(wrong, right)
    return text.translate(_QUOTES)


def lower(text: str) -> str:
    """Return ``text`` in lower case and of the same length (letters whose lower case is longer stay as they are)."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in text)


def fold(word: str) -> str:
    """Return ``word`` in lower case without accents ("Café" -> "cafe")."""
    if word.isascii():
        return word.lower()
    decomposed = unicodedata.normalize("NFKD", word.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def _number(word: str) -> str | None:
    """Return the normalised form of a number in digits, None for anything else: "1,200" -> "1200", "2nd" -> "2"."""
    if not word[:1].isdigit():
        return None
    digits = re.match(r"[\d,.]+", word)
    if digits is None:
        return None
    rest = word[digits.end() :]
    value = digits.group().replace(",", "").rstrip(".")
    if rest in ("", "st", "nd", "rd", "th"):
        return value.lstrip("0") or "0"
    return value + rest if rest == "s" else None


def _inflection(word: str) -> str:
    """Strip plural and verb endings so that all forms of a word share one key ("stories", "story" -> "story").

    Only inflection is removed: "writer" and "writing" stay apart, "writes", "writing" and "write" do not.
    """
    if len(word) <= 3:
        return word
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith(("sses", "shes", "ches", "xes", "zes")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed"):
        stem = word[: -len(ending)]
        if word.endswith(ending) and len(stem) >= 3 and _VOWEL.search(stem) and not word.endswith("eed"):
            word = stem[:-1] if stem[-1] == stem[-2] and stem[-1] not in "lsz" else stem
            break
    if word.endswith("ied"):
        word = word[:-3] + "y"
    if word.endswith("ie"):
        word = word[:-2] + "y"
    if len(word) > 3 and word.endswith("e") and not word.endswith("ee"):
        word = word[:-1]
    # British and American spelling: colour/color, theatre/theater, organise/organize.
    if word.endswith("our") and len(word) > 4:
        word = word[:-3] + "or"
    elif word.endswith("tr") and len(word) > 4:
        word = word[:-1] + "er"
    elif word.endswith("is") and len(word) > 5:
        word = word[:-2] + "iz"
    return word


@lru_cache(maxsize=200_000)
def key(word: str) -> str:
    """Return the matching key of one word."""
    if word in ("us", "Us"):
        return "us"  # the pronoun; "US" is the country
    folded = fold(word)
    if short := _CONTRACTION.match(folded):
        return short.group(1)
    folded = _POSSESSIVE.sub("", folded).replace("'", "").replace("’", "")
    if not folded:
        return ""
    number = _number(folded)
    if number is not None:
        return number
    folded = folded.replace(".", "")
    if folded in NUMBER_WORDS:
        return NUMBER_WORDS[folded]
    if folded in ALIASES:
        return ALIASES[folded]
    base = IRREGULAR.get(folded)
    if base is not None:
        if base == folded:
            return base
        if base in ALIASES:
            return ALIASES[base]
        folded = base
    stem = _inflection(folded)
    return ALIASES.get(stem, stem)


def words(text: str) -> list[Word]:
    """Return every word of ``text`` with its key and span; two-word aliases ("United States") become one word."""
    text = plain(text)
    found: list[Word] = []
    for match in _WORD.finditer(text):
        surface = match.group()
        start, end = match.span()
        if (
            surface[0].isdigit()
            and not surface.replace(",", "").replace(".", "").isdigit()
            and _number(surface) is None
        ):
            # "20km", "2x4", "4K": digits and letters apart, so that "20 km" matches.
            for part in re.finditer(r"\d+|[^\W\d_]+", surface):
                found.append(Word(key(part.group()), start + part.start(), start + part.end()))
            continue
        name = key(surface)
        if not name:
            continue
        if found and (alias := BIGRAM_ALIASES.get((found[-1].key, name))) and start - found[-1].end <= 2:
            found[-1] = Word(alias, found[-1].start, end)
        else:
            found.append(Word(name, start, end))
    return found


_STOP_KEYS: frozenset[str] = frozenset(
    {*STOP_WORDS, *(key(w) for w in STOP_WORDS if key(w) not in ("", "1", "2", "usa"))}
)


def is_content(word: Word) -> bool:
    """Whether the word carries content: not a function word, not a single letter."""
    return word.key not in _STOP_KEYS and (len(word.key) > 1 or word.is_number)


def content_words(text: str) -> list[Word]:
    """Return the words of ``text`` that carry content, in order."""
    return [w for w in words(text) if is_content(w)]


def content_keys(text: str) -> set[str]:
    """Return the keys of the words of ``text`` that carry content."""
    return {w.key for w in content_words(text)}


@lru_cache(maxsize=100_000)
def match_keys(term: str) -> tuple[str, ...]:
    """Return the keys under which a term may stand in a passage, the term itself first.

    Besides the key itself: the verb of an agent noun ("director": "directed"). A decade matches itself only: "1980s"
    neither "1980" nor "1985".
    """
    options = [term]
    if len(term) > 5 and term.endswith(("er", "or")):
        stem = term[:-2]
        options.append(stem)
        if stem[-1] == stem[-2]:
            options.append(stem[:-1])
    return tuple(options)


def language_problem(text: str) -> str | None:
    """Return why ``text`` cannot be read by rules for English, None if it can.

    Returns ``"script"`` when fewer than half of the letters are Latin, ``"language"`` when function words of another
    language outnumber the English ones; short texts without any such word pass as English.
    """
    letters = [c for c in text if c.isalpha()]
    if not letters:
        return None
    latin = sum(1 for c in letters if c < "\u0250" or unicodedata.name(c, "").startswith("LATIN"))
    if latin < len(letters) / 2:
        return "script"
    found = sorted(set(re.findall(r"[^\W\d_]+", text.lower())))
    english = sum(1 for w in found if w in STOP_WORDS)
    for marks in OTHER_LANGUAGES.values():
        # Different words, and many of them: "Cafe de la Paix" is a name in an English question.
        foreign = sum(1 for w in found if w in marks)
        if foreign > max(1, english) and foreign >= 0.4 * len(found):
            return "language"
    return None
