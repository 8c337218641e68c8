"""Other words for the same facet, so that support is not learnt as word overlap alone."""

from __future__ import annotations

import random
import re

from rac.metrics.entailment_training.phrases import YEAR, word_map
from rac.metrics.wordlists import ALIASES, COUNTRIES

_COUNTRY_OF = {a: t for a, t in ALIASES.items() if t in COUNTRIES and a != t and t not in ("usa", "uk", "ussr")}
_COUNTRY_OF |= {"american": "the United States", "british": "the United Kingdom", "soviet": "the Soviet Union"}
_SYNONYMS = word_map(
    """film:movie movie:film tv:television television:TV author:writer writer:author soccer:football
    physician:doctor doctor:physician novelist:writer illness:disease disease:illness automobile:car car:automobile
    song:track company:firm firm:company town:municipality kid:child picture:image monarch:ruler ruler:monarch
    location:place place:location vocalist:singer singer:vocalist attorney:lawyer lawyer:attorney highschool:school
    aircraft:plane ship:vessel vessel:ship conflict:war area:region region:area kind:type type:kind"""
)
_PHRASES = (
    (r"\bpublished by\b", "from the publisher"),
    (r"\bdirected by\b", "by the director"),
    (r"\bwritten by\b", "by the author"),
    (r"\bdesigned by\b", "by the designer"),
    (r"\bdeveloped by\b", "from the developer"),
    (r"\bfounded by\b", "by the founder"),
    (r"\bborn in\b", "from"),
    (r"\b(?:located|situated|based) in\b", "in"),
    (r"\bthe United States\b|\bthe U\.S\.", "America"),
    (r"\bUnited States\b", "USA"),
    (r"\bthe United Kingdom\b", "Britain"),
    (r"\bunder\b", "below"),
    (r"\bduring\b", "in"),
    (r"^in (?=[A-Z])", "located in "),
    (r"^in (?=\d{4})", "from "),
    (r"^by (?=[A-Z])", "made by "),
)


def reword(text: str, rng: random.Random, *, decade: bool = False) -> str:
    """Return a wording of ``text`` that is true wherever ``text`` is; often ``text`` itself.

    Args:
        text: A facet.
        rng: Chooses among the rules that apply.
        decade: Allow "the 1980s" for 1982.
    """
    options: list[str] = []
    first, _, rest = text.partition(" ")
    country = _COUNTRY_OF.get(first.lower())
    if country and rest:
        named = country if country.startswith("the ") else country.title()
        options.append(f"{rest} from {named}")
    for word in re.findall(r"[A-Za-z]+", text):
        if word.lower() in _SYNONYMS:
            options.append(re.sub(rf"\b{word}\b", _SYNONYMS[word.lower()], text, count=1))
    for pattern, other in _PHRASES:
        if re.search(pattern, text):
            options.append(re.sub(pattern, other, text, count=1))
    year = YEAR.search(text)
    if decade and year:
        options.append(text.replace(year.group(), f"the {year.group()[:3]}0s", 1))
    return rng.choice(options) if options else text
