"""Facet coverage: how much of what the query's gold facets ask for the question offers. It reads gold.

Facets are short texts of the source ("Find the price of an annual pass"). With K(x) the content keys of a text outside
query and frame, and F1(o, f) = 2 |K(o) ∩ K(f)| / (|K(o)| + |K(f)|) for an offered option o and a facet f:

    facet_coverage = mean_f max_o F1(o, f)      how many of the facets are offered
    facet_hit      = max_f max_o F1(o, f)       whether at least one is: the measure where a question asks for one facet
    facet_fit      = mean_o max_f F1(o, f)      how many of the options are facets (precision)

Range 0..1; None without a facet that has a word outside the query; 0 if nothing is offered. What fools it: facets in
other words than the options count as missed, and options that are right but that the source does not list count as
wrong, so a low value says little and a high one much. Cost: microseconds. Compare the facet matching of Hashemi et al.
2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rac.errors import UserError
from rac.metrics.claims import Claim
from rac.metrics.grounding import new_terms

OFFERED = ("OPTION", "TOPIC", "NOT-TYPE")


class FacetScore(NamedTuple):
    """Facet coverage of one question; None is unscored."""

    facet_coverage: float | None
    facet_hit: float | None
    facet_fit: float | None


def facet_coverage(
    claims: Sequence[Sequence[Claim]], facets: Sequence[Sequence[str]], queries: Sequence[str]
) -> list[FacetScore]:
    """Return the coverage of gold facets for each question.

    Args:
        claims: Per question its claims; those of kind ATTRIBUTE offer nothing and are left out.
        facets: Per question the gold facets of its query.
        queries: The queries, whose words do not count.

    Raises:
        UserError: for lists of different length.
    """
    if not len(claims) == len(facets) == len(queries):
        raise UserError(
            f"{len(claims)} lists of claims, {len(facets)} lists of facets and {len(queries)} queries were given, so "
            "they cannot be paired; give one of each per question"
        )
    return [_score(*item) for item in zip(claims, facets, queries, strict=True)]


def _score(claims: Sequence[Claim], facets: Sequence[str], query: str) -> FacetScore:
    wanted = [words for words in (set(new_terms(facet, query)) for facet in facets) if words]
    if not wanted:
        return FacetScore(None, None, None)
    offered = [
        set(c.terms) if c.kind != "NOT-TYPE" else set(new_terms(c.text, query)) for c in claims if c.kind in OFFERED
    ]
    offered = [words for words in offered if words]
    if not offered:
        return FacetScore(0.0, 0.0, 0.0)
    table = [[2 * len(o & f) / (len(o) + len(f)) for o in offered] for f in wanted]
    covered = [max(row) for row in table]
    fits = [max(column) for column in zip(*table, strict=True)]
    return FacetScore(sum(covered) / len(covered), max(covered), sum(fits) / len(fits))
