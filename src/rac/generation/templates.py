"""Template baselines: a question without any model, from the titles of D, or from titles and what tells them apart.

``title_question`` offers two titles. ``typed_question`` names each thing by a type that the other one lacks ("arcade
game Rescue"), or by its short description ("Dune (1984 film)"); on CLAQUA it is the baseline to beat.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rac.corpus.documents import prose
from rac.metrics.text import content_keys, content_words
from rac.records import Passage

WORDING = "Do you mean {options}?"
"""How the question is put. ``{options}`` is "A or B", ``{name}`` what both have in common with the query."""

CLAQUA_WORDING = "Which one do you mean, {options}, when you say {name}?"
"""As CLAQUA's own questions are put."""

_BRACKETS = re.compile(r"\s*\([^()]*\)")
_BRACKETED = re.compile(r"\(([^()]+)\)")
_DEFINITION = re.compile(
    r"\b(?:is|are|was|were) (?:an? |the |one of the )?(?P<what>[^;:()]{3,}?)"
    r"(?=\.(?!\d)|[;:(]|, | which | who | that | located | born | released | published |$)"
)
_JOINING = frozenset(
    """
    a an and at between by for from in of on or that the to which who with
    """.split()  # noqa: SIM905 - a column of words is easier to read than a column of quotes
)
_LABEL_WORDS = 7
"""Most words of a label that is read off a text."""


def title_question(query: str, passages: Sequence[Passage], *, wording: str = WORDING) -> str:
    """Return a question that offers the titles of the two passages most likely meant; "" if no passage has a title.

    Args:
        query: U_q.
        passages: D, best first.
        wording: See ``WORDING``.
    """
    titles = list(dict.fromkeys(p.title.strip() for p in _likely(query, passages)))[:2]
    return _fill(wording, titles, query) if titles else ""


def typed_question(query: str, passages: Sequence[Passage], *, wording: str = WORDING) -> str:
    """Return a question that offers two passages by title and by what tells them apart; "" if no passage has a title.

    Args:
        query: U_q.
        passages: D, best first.
        wording: See ``WORDING``.
    """
    pair = _likely(query, passages)[:2]
    if not pair:
        return ""
    options = []
    for passage in pair:
        others = [p for p in pair if p is not passage]
        options.append(_option(passage, others[0] if others else None))
    return _fill(wording, list(dict.fromkeys(options)), query, [p.title for p in pair])


def facets(query: str, passages: Sequence[Passage]) -> list[str]:
    """Return what tells the two passages most likely meant apart: their titles, or their labels where these are alike.

    Args:
        query: U_q.
        passages: D, best first.
    """
    pair = _likely(query, passages)[:2]
    names = [_BRACKETS.sub("", p.title).strip() or p.title.strip() for p in pair]
    if len({n.lower() for n in names}) == len(pair):
        return names
    # "Dune (film)" with the type "film": what tells it apart stands in the title already.
    labels = [_label(p, pair[1 - i])[0] or " ".join(_BRACKETED.findall(p.title)) for i, p in enumerate(pair)]
    return list(dict.fromkeys(label for label in labels if label))


def _likely(query: str, passages: Sequence[Passage]) -> list[Passage]:
    """Sort titled passages: first those whose name the query has, and of these first the name that most share."""
    asked = content_keys(query)
    names = {id(p): frozenset(content_keys(_BRACKETS.sub("", p.title))) for p in passages}
    titled = [p for p in passages if p.title.strip()]

    def rank(passage: Passage) -> tuple[float, int, int]:
        name = names[id(passage)]
        named = len(name & asked) / len(name) if name else 0.0
        sharing = sum(names[id(p)] == name for p in titled)
        return (-named, -sharing, titled.index(passage))

    return sorted(titled, key=rank)


def _option(passage: Passage, other: Passage | None) -> str:
    """Name a passage so that it differs from the other one."""
    title = passage.title.strip()
    label, is_type = _label(passage, other)
    if is_type:
        return f"{label} {title}"
    # A title such as "Dune (novel)" would have two brackets; the label says more.
    return f"{_BRACKETS.sub('', title) or title} ({label})" if label else title


def _label(passage: Passage, other: Passage | None) -> tuple[str, bool]:
    """Return what tells a passage from the other one ("" if nothing does), and whether it is a type."""
    title = passage.title.strip()
    if other is not None:
        own = [t for t in passage.types if t not in other.types and not content_keys(t) <= content_keys(title)]
        taken = content_keys(" ".join([*other.types, other.description, other.text]))
        # A type whose words the other passage does not even mention tells most.
        own.sort(key=lambda t: bool(content_keys(t) & taken))
        if own:
            return own[0], True
    for label in (passage.description, _definition(passage), _first_words(passage, other)):
        label = label.strip(" .,;:")
        if label and not content_keys(label) <= content_keys(title) and (other is None or label != other.description):
            return label, False
    return "", False


def _definition(passage: Passage) -> str:
    """Return what the text says its thing is, cut to a few words; "" if it does not say."""
    found = _DEFINITION.search(prose(passage)[:400])
    if not found:
        return ""
    words = found["what"].split()
    if len(words) > _LABEL_WORDS:
        words = words[:_LABEL_WORDS]
        # Cut before the phrase that the limit broke off ("bridge between Canada and the United").
        joints = [i for i, word in enumerate(words) if i >= 2 and word.lower() in _JOINING]
        words = words[: joints[-1]] if joints else words
    while words and words[-1].lower() in _JOINING:
        words.pop()
    return " ".join(words)


def _first_words(passage: Passage, other: Passage | None) -> str:
    """Return the first words of the text from the first one on that neither the title nor the other passage has."""
    known = content_keys(passage.title) | (content_keys(f"{other.title} {other.text}") if other else set())
    text = prose(passage)
    for word in content_words(text):
        if word.key not in known:
            return " ".join(text[word.start :].split()[: _LABEL_WORDS - 2])
    return ""


def _fill(wording: str, options: list[str], query: str, titles: Sequence[str] = ()) -> str:
    names = {_BRACKETS.sub("", t).strip().lower(): _BRACKETS.sub("", t).strip() for t in titles or options}
    name = next(iter(names.values())) if len(names) == 1 else query.strip(" ?.!")
    filled = {"{options}": " or ".join(options), "{name}": name}
    # In one pass, so that braces inside a title stay text.
    return re.sub(r"\{(?:options|name)\}", lambda slot: filled[slot[0]], wording)
