"""Turning a claim into a sentence that a passage may entail."""

from __future__ import annotations

import re

_OPEN = re.compile(
    r"(?:in|of|from|by|at|with|for|on|about|during|after|before|near|under|over|who|that|which|whose)\b", re.IGNORECASE
)
_CLAUSE = re.compile(r"(?:how|what|where|when|why|who|whether|if|which)\b", re.IGNORECASE)
_VERB = re.compile(
    r"(?:get|have|live|work|need|own|use|want|buy|find|make|run|play|pay|receive|claim|know|plan|like|prefer|learn|visit|go|be|"
    r"become|take|do)\b",
    re.IGNORECASE,
)
_IN_PARENTHESES = re.compile(r"(?P<name>[^()]*[^()\s])\s*\((?P<kind>[^()]+)\)")


def hypothesis(kind: str, text: str) -> str:
    """Return the hypothesis of a claim.

    Args:
        kind: The claim's kind.
        text: Its text, shared words filled in.

    Returns:
        "This is about ..." for things; "This tells ..." for clauses; for a name with its kind in parentheses, as titles
        have it, that it is of that kind: entailment models do not know what parentheses mean.

    >>> hypothesis("OPTION", "the school in Milledgeville")
    'This is about the school in Milledgeville.'
    >>> hypothesis("OPTION", "Dune (1984 film)")
    'Dune is a 1984 film.'
    """
    text = re.sub(r"\s+", " ", text).strip(" ?.,;:")
    if kind == "ATTRIBUTE":
        return f"This says something about {text}."
    titled = _IN_PARENTHESES.fullmatch(text) if kind in ("OPTION", "TOPIC") else None
    if titled:
        return _of_a_kind(titled["name"], titled["kind"].strip())
    if _CLAUSE.match(text):
        return f"This tells {text}."
    if kind == "TOPIC" and _VERB.match(text):
        return f"This is about people who {text}."
    if kind == "OPTION" and _OPEN.match(text):
        return f"This is something {text}."
    return f"This is about {text}."


def _of_a_kind(name: str, kind: str) -> str:
    if _OPEN.match(kind):
        return f"This is about {name} {kind}."
    if not re.search(r"[^\W\d_]{2}", kind):  # "Dune (1984)"
        return f"This is about {name} from {kind}."
    if re.match(r"(?:an?|the|some|one|his|her|its|their)\b", kind, re.IGNORECASE):
        return f"{name} is {kind}."
    return f"{name} is {'an' if kind[0].lower() in 'aeiou' else 'a'} {kind}."
