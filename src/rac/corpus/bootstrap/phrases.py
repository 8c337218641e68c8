"""Short noun phrases from descriptions: "American painter and sculptor (1841-1919)" -> "American painter".

A description is what the corpus says in a few words about the thing that a passage is about: the passage's
``description``, its types, the parenthesis of its title, or the predicate of a first sentence "X is a Y that ...".
Phrases are cut out of it and never composed, so every word of a phrase stands in the passage.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from rac.corpus.bootstrap.case import DIRECTIONS
from rac.corpus.documents import prose
from rac.records import Passage

_PARENTHESIS = re.compile(r"\s*\([^()]*\)")
_IS_A = re.compile(r"^[^.]{0,160}?\b(?:is|was|are|were)\s+(?:an?|the|one of the)\s+([^.;:]{3,160})", re.IGNORECASE)


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words that end the short form of a phrase; what follows "of" is kept, since "the process" alone says nothing.
_PREPOSITIONS = _set(
    "about above across after against along among around as at before behind below beneath beside between beyond by "
    "containing despite during for from in into like near off on onto over per since through to toward towards under "
    "until up upon via with within without regarding involving including concerning amid outside inside"
)
_RELATIVES = _set("that which who whom whose where when while if because but")
_FINITE = _set("is was are were has had have can may could will would does do did")
# Words that cannot be inside a noun phrase behind its first word ...
_BREAKS = _set("formerly not usually often originally commonly worth used set divisible only primarily mainly")
# ... and adjectives that end one if nothing but a preposition follows ("language native to", "an independent state").
_POSTPOSED = _set(
    "native common endemic capable similar responsible able equal related available unique typical parallel adjacent "
    "independent based due"
)
_PRESENT_PARTICIPLES = _set(
    "using affecting performing linking comprising consisting containing orbiting living relating resulting causing "
    "carrying focusing describing depicting emphasizing making giving taking having belonging connecting covering "
    "combining occurring involving including allowing leading flowing spanning straddling dealing stretching"
)
_PAST_PARTICIPLES = _set(
    "spoken known made found held built written worn grown led given seen eaten taken drawn driven thrown drunk sung "
    "taught bought sold caught kept born begun chosen fought hidden laid woven"
)
_TAILS = frozenset({"by", "in", "from", "about", "for", "on"})
_PLAIN_TOKEN = re.compile(r"^[\w'’&./+–-]+$")
_ORDINALS = _set("first second third fourth fifth sixth seventh eighth ninth tenth last")
_ADJECTIVES = _set(
    "large small long short old flat thin thick hard soft warm cold hot dry wet round low high tall heavy"
)
_EMPTY_HEADS = _set("name names term terms word words title one ones thing things concept number")
_ERAS = _set("BC AD BCE CE c. century")
_VAGUE_ALONE = _set(
    "group system ability process use object substance form type kind set part activity action act method mechanism "
    "condition property quality space way series collection member study field area change state body changes forms "
    "groups systems objects methods techniques activities actions substances structures structure processes "
    "theories practices treatments return conflicts limitation place"
)
_NOT_PARTICIPLES = _set(
    "bed seed reed weed breed creed deed feed red shed sled steed united king ring wing spring string building "
    "painting drawing clothing wedding being thing writing engineering housing offspring sibling evening morning "
    "meeting speed covered seaweed watershed hundred naked sacred wicked lightning pudding ceiling earring gelding"
)
_JOINERS = frozenset({"and", "or"})
_BAD_START = _set(
    "how when where why what any all some each every no not it its this these those there one who whose "
    "having being something anything someone both either"
)


def without_parenthesis(text: str) -> str:
    """Return a text without its parentheses: "Dune (novel)" -> "Dune"."""
    return " ".join(_PARENTHESIS.sub("", text).split())


def in_parenthesis(title: str) -> str:
    """Return what the parenthesis at the end of a title holds, else ``""``: "Dune (novel)" -> "novel"."""
    found = re.search(r"\(([^()]+)\)\s*$", title)
    return found[1].strip() if found else ""


@dataclass(frozen=True)
class NounPhrase:
    """A description in two lengths, without an article: "play" and "play by William Shakespeare".

    ``short`` and ``long`` are equal where nothing can be left out.
    """

    short: str
    long: str


def description_of(passage: Passage) -> str:
    """Return what a passage says in a few words about its subject, ``""`` if it does not.

    Tried in this order: description, first type, the predicate of the first sentence, the parenthesis of the title.
    """
    if passage.description.strip():
        return passage.description.strip()
    if passage.types:
        return passage.types[0].strip()
    found = _IS_A.match(without_parenthesis(prose(passage)[:600]))
    if found:
        return found[1].strip()
    return in_parenthesis(passage.title)


def noun_phrase(description: str, heads: Counter[str] | None = None, *, max_words: int = 7) -> NounPhrase | None:
    """Cut a noun phrase out of a description.

    Args:
        description: "Capital and largest city of Greece", "1968 film", ...
        heads: How often a word ends a short phrase in this corpus; decides where a coordination can be cut.
        max_words: Longest short form, about: one word more is allowed, and two more in the long form.

    Returns:
        The phrase, or None if the description does not begin like a noun phrase.
    """
    tokens = _first_part(description, heads)
    if not tokens or any(not _PLAIN_TOKEN.match(token) for token in tokens[:max_words]):
        return None
    core = _core_end(tokens, heads)
    cut = _cut_coordination(tokens, core, heads)
    if tokens[cut - 1].lower() in _EMPTY_HEADS or _is_gerund(tokens, cut, heads):
        return None
    # A coordination that was cut has its complement behind the second noun: "capital [and largest city] of Greece".
    complement, end = _complement(tokens, core, heads)
    if complement is None:
        return None
    if cut < core and not (
        _takes_complement(tokens[cut - 1], heads) and not _takes_complement(tokens[core - 1], heads)
    ):
        # "saint and follower of Jesus", "queen and founder of the Kalmar Union": it belongs to the second noun.
        complement, end = [], len(tokens)
    short = tokens[:cut] + complement
    tail = _tail(tokens, end, heads)
    long = short + tail if len(short) + len(tail) <= max_words + 2 and "or" not in tail else short
    if _is_superlative(short[0]) and not complement:
        if len(long) == len(short):
            return None  # "smallest area" of what?
        short = long
    if all(token in _ERAS or not any(c.islower() for c in token) for token in short):
        return None  # "331 BC"
    if len(short) == 1 and short[0].lower() in _VAGUE_ALONE:
        short = long
        if len(short) == 1:
            return None
    if len(short) > max_words + 1 or "or" in short:
        return None  # an option with "or" in it reads as two
    return NounPhrase(" ".join(short), " ".join(long))


def _first_part(description: str, heads: Counter[str] | None) -> list[str]:
    """Return the words up to the first comma or end of sentence, [] if they do not begin like a noun phrase."""
    # A point ends the phrase behind a whole word only, not in "U.S. Navy officer".
    parts = re.split(r"[;:,](?:\s|$)|(?<=[a-z]{3})\.(?:\s|$)|\s[–—-]\s", without_parenthesis(description))
    tokens = re.sub(r"^(?:(?:an?|the)\s+)+", "", parts[0].strip(), flags=re.IGNORECASE).split()
    if not tokens or tokens[0].lower() in _BAD_START | _PREPOSITIONS | _RELATIVES | _JOINERS | {"of", "a", "an", "the"}:
        return []
    if len(parts) > 1 and heads is not None and _may_be_adjective(tokens, heads):
        return []  # "Single, usually cylindrical, strand", "Family of large, long-legged birds": cut before the noun
    return tokens


def _may_be_adjective(tokens: list[str], heads: Counter[str]) -> bool:
    last = tokens[-1].lower()
    if last in _ADJECTIVES:
        return True
    if heads[last] >= 2:
        return False
    return len(tokens) == 1 or last.endswith(("ous", "ive", "ful", "less", "able", "ible", "ed"))


def _is_gerund(tokens: list[str], end: int, heads: Counter[str] | None) -> bool:
    """Whether the phrase is an activity ("preparing food") and no thing ("flying mammal")."""
    first = tokens[0].lower()
    if not first.endswith("ing") or first in _NOT_PARTICIPLES or tokens[1:2] in ([], ["of"]):
        return False
    return end == 1 or heads is None or heads[tokens[end - 1].lower()] < 3


def _complement(tokens: list[str], at: int, heads: Counter[str] | None) -> tuple[list[str] | None, int]:
    """Return the "of ..." behind a core and where it ends; None if it breaks off in the middle."""
    complement: list[str] = []
    while at < len(tokens) and tokens[at] == "of" and len(complement) <= 4:
        stop = _complement_end(tokens, at, heads)
        part = _trim(tokens[at:stop])
        if (
            len(part) < 2
            or part[1].lower() in _BAD_START | _PREPOSITIONS | {"of"}
            or (part[-1].lower().endswith("ing") and part[-1].lower() not in _NOT_PARTICIPLES)
        ):
            return None, at
        complement += part
        at = stop
    return complement, at


def _takes_complement(head: str, heads: Counter[str] | None) -> bool:
    """Whether a head mostly has an "of ..." in this corpus: "capital", but not the saint of "saint and follower of"."""
    if heads is None:
        return True
    return 0 < heads[head.lower()] <= 2 * heads[f"{head.lower()} of"]


def _tail(tokens: list[str], at: int, heads: Counter[str] | None) -> list[str]:
    """Return the maker, place or time behind a phrase: "by Ovid", "in Venezuela", "from 1306 to 1329"."""
    if at >= len(tokens) or tokens[at].lower() not in _TAILS:
        return []
    stop = _complement_end(tokens, at, heads)
    if tokens[at].lower() == "from" and stop + 1 < len(tokens) and tokens[stop] == "to":
        stop += 2
    while stop < len(tokens) and tokens[stop] == "of":
        stop = _complement_end(tokens, stop, heads)
    tail = _trim(tokens[at:stop])
    # "plateau in Central, South and East Asia" breaks off at the comma.
    broken = len(tail) < 2 or tail[-1].endswith("ing") or tail[-1].lower() in DIRECTIONS
    return [] if broken else tail


def _is_superlative(word: str) -> bool:
    last = word.lower().rpartition("-")[2]
    if last in _ORDINALS:
        return True
    return last == "most" or (last.endswith("est") and len(last) > 5 and last not in {"forest", "harvest", "protest"})


def _trim(tokens: list[str]) -> list[str]:
    while tokens and tokens[-1].lower() in _JOINERS | {"the", "a", "an"}:
        tokens = tokens[:-1]
    return tokens


def _complement_end(tokens: list[str], start: int, heads: Counter[str] | None) -> int:
    """Return where the noun phrase behind the preposition at ``start`` ends (exclusive)."""
    stop = start + 2
    while stop < len(tokens) and not _ends_core(tokens, stop, heads):
        stop += 1
    return min(stop, len(tokens))


def _ends_core(tokens: list[str], at: int, heads: Counter[str] | None) -> bool:
    word = tokens[at].lower()
    # An article inside a phrase begins a clause: "instructions a computer can execute".
    if word in {"of", "a", "an"} or word in _PREPOSITIONS | _RELATIVES | _FINITE | _BREAKS | _PRESENT_PARTICIPLES:
        return True
    following = tokens[at + 1].lower() if at + 1 < len(tokens) else ""
    if word in _POSTPOSED:
        return not following or following in _PREPOSITIONS
    if word.endswith("ed") and len(word) > 4 and word not in _NOT_PARTICIPLES and "-" not in word:
        # "tower located in", but "domesticated species": a participle behind a noun is followed by a preposition.
        return not following or following in _PREPOSITIONS | _PRESENT_PARTICIPLES
    if word in _PAST_PARTICIPLES:
        return True
    if word.endswith("ing") and word not in _NOT_PARTICIPLES:
        if following in _PREPOSITIONS | {"the", "a", "an"}:
            return True
        # "line dividing one calendar day", but "computer programming language"
        return heads is not None and heads[tokens[at - 1].lower()] >= 3 and not heads[following]
    return False


def _core_end(tokens: list[str], heads: Counter[str] | None) -> int:
    end = 1
    while end < len(tokens) and not _ends_core(tokens, end, heads):
        end += 1
    return len(_trim(tokens[:end])) or 1


def _cut_coordination(tokens: list[str], end: int, heads: Counter[str] | None) -> int:
    for at in range(1, end):
        if tokens[at].lower() in _JOINERS:
            # "German playwright and poet" -> "German playwright", but "health and social care organisation" stays.
            if heads is not None and heads[tokens[at - 1].lower()] >= 3:
                return at
            return end
    return end


def head_word(phrase: str) -> str:
    """Return the head of a phrase, lower-cased: "species" of "species of bird", "painter" of "French painter"."""
    core = re.split(r"\s(?:of|by|in|from|about|for|on)\s", phrase)[0].split()
    return core[-1].lower() if core else ""


def count_heads(descriptions: Iterable[str]) -> Counter[str]:
    """Count which words head a corpus's descriptions ("painter"), and how often "of" follows ("capital of").

    Descriptions with a coordination are left out, since they are what the counts are for.
    """
    heads: Counter[str] = Counter()
    for description in descriptions:
        phrase = noun_phrase(description)
        if phrase and not any(f" {joiner} " in phrase.short for joiner in _JOINERS):
            head = head_word(phrase.short)
            heads[head] += 1
            heads[f"{head} of"] += f"{head} of" in phrase.short.lower()
    return +heads
