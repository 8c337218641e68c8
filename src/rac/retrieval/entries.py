"""What is indexed of a passage: its entries, orthogonal to how they are searched. Several may point at one passage."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from rac.errors import UserError
from rac.records import ClarificationExample, Passage

QUERIES_KEY = "queries"
"""Key of ``Passage.meta`` that lists the queries which the passage answers."""

_FIRST_SENTENCE = re.compile(r".*?[.!?](?=\s|$)", re.DOTALL)


def full_text(passage: Passage) -> str:
    """Return title, types, description and text, each on a line of its own."""
    parts = (passage.title, ", ".join(passage.types), passage.description, passage.text)
    return "\n".join(part for part in parts if part)


def entries(passage: Passage, fields: str) -> list[str]:
    """Return what is indexed of a passage, at least one entry.

    Args:
        passage: The passage.
        fields: ``text``; ``title+text``; ``facets`` (its name with its short description and with each type; a passage
            without any of these gives its first sentence); ``facets+text`` (these, and title and text); ``queries``
            (its title and each query in its meta data; a passage without queries gives title and text);
            ``queries+text`` (each query in its meta data, and title and text).

    Example:
        >>> entries(Passage(id="d", title="Dune (novel)", description="1965 novel", text="..."), "facets")
        ['Dune (novel): 1965 novel']
    """
    if fields == "text":
        return [passage.text or full_text(passage)]
    if fields == "title+text":
        return [full_text(passage)]
    if fields in ("facets", "facets+text"):
        name = passage.title
        facets = [f"{name}: {facet}" if name else facet for facet in (passage.description, *passage.types) if facet]
        facets = list(dict.fromkeys(facets)) or [_short(passage)]
        return facets if fields == "facets" else list(dict.fromkeys([*facets, full_text(passage)]))
    if fields in ("queries", "queries+text"):
        queries = passage.meta.get(QUERIES_KEY) or []
        if not isinstance(queries, list) or not all(isinstance(query, str) for query in queries):
            raise UserError(
                f"passage '{passage.id}' has meta['{QUERIES_KEY}'] = {queries!r:.60}, which is not a list of strings; "
                "make it one, or index other fields"
            )
        if not queries or fields == "queries+text":
            return list(dict.fromkeys([*queries, full_text(passage)]))
        return list(dict.fromkeys([passage.title, *queries] if passage.title else queries))
    raise ValueError(f"unknown fields {fields!r}")


def _short(passage: Passage) -> str:
    first = _FIRST_SENTENCE.match(passage.text.strip())
    sentence = first.group() if first else passage.text.strip()
    return f"{passage.title}: {sentence}" if passage.title else sentence


def attach_queries(passages: Iterable[Passage], examples: Iterable[ClarificationExample]) -> Iterator[Passage]:
    """Yield the passages with the queries of the examples that name them as gold, for ``fields: queries``."""
    queries: dict[str, list[str]] = {}
    for example in examples:
        for identity in example.gold_ids:
            queries.setdefault(identity, []).append(example.query)
    for passage in passages:
        found = queries.get(passage.id)
        if not found:
            yield passage
            continue
        known = passage.meta.get(QUERIES_KEY) or []
        yield passage.model_copy(update={"meta": {**passage.meta, QUERIES_KEY: list(dict.fromkeys([*known, *found]))}})
