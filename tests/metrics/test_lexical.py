from __future__ import annotations

from rac.metrics.lexical import PassageWords, joined_terms
from rac.metrics.text import key


def test_what_a_preposition_joins() -> None:
    assert joined_terms("Red Hill in the inner suburb") == {"inner", "suburb"}
    assert joined_terms("1994 album by Luna that sold well") == {"luna"}
    assert joined_terms("ship Luna") == frozenset()


def test_types_tell_what_a_thing_is_and_not_where() -> None:
    hill = PassageWords("Red Hill", ("structure", "person in fiction"), "", "A trail leads to it.")
    assert hill.has(key("structure")) and not hill.places(key("structure"))
    assert hill.places(key("trail")) and hill.places(key("fiction"))
    assert not hill.places(key("brisbane"))
