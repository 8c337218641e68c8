"""Facet coverage by hand."""

from __future__ import annotations

import pytest

from rac.errors import UserError
from rac.metrics.claims import claims
from rac.metrics.facets import facet_coverage

QUERY = "dinosaur exhibit"


def score(question, facets, query=QUERY):
    return facet_coverage([claims(question, query)], [facets], [query])[0]


def test_by_hand():
    # Options: {price}, {location}; facets {price}, {opening, hours}. F1(price, price) = 1, everything else 0.
    result = score("Do you mean the price or the location?", ["price of the exhibit", "opening hours"])
    assert result == (0.5, 1.0, 0.5)


def test_partial_overlap_is_an_f1():
    # {annual, pass} against {annual, pass, price}: 2 * 2 / (2 + 3).
    result = score("Do you mean the annual pass or the map?", ["annual pass price"])
    assert result.facet_coverage == pytest.approx(0.8)
    assert result.facet_hit == pytest.approx(0.8)
    assert result.facet_fit == pytest.approx(0.4)


def test_unscored_and_zero():
    assert score("Do you mean the price or the map?", []) == (None, None, None)
    assert score("Do you mean the price or the map?", ["the dinosaur exhibit"]) == (None, None, None)
    assert score("What do you mean?", ["price"]) == (0.0, 0.0, 0.0)
    assert score("", ["price"]) == (0.0, 0.0, 0.0)


def test_lists_must_fit():
    with pytest.raises(UserError, match="cannot be paired"):
        facet_coverage([], [["a"]], ["q"])
