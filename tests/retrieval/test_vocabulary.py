from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from rac.retrieval.vocabulary import Vocabulary, write_vocabulary

_terms = st.text(st.characters(exclude_characters="\n"), min_size=1)


@given(st.lists(_terms, unique=True), _terms)
def test_every_term_is_found_by_its_number_and_no_other(terms: list[str], other: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_vocabulary(Path(folder), {term: number for number, term in enumerate(terms)})
        vocabulary = Vocabulary(Path(folder))
        assert len(vocabulary) == len(terms)
        assert [vocabulary.number(term) for term in terms] == list(range(len(terms)))
        assert vocabulary.number(other) == (terms.index(other) if other in terms else None)


def test_halves_of_a_surrogate_pair_keep_the_order_of_their_bytes(tmp_path: Path) -> None:
    terms = ["\uffff", "\ud800", "\U0001f600", "\udfff", "\ue000", "z", "é"]
    write_vocabulary(tmp_path, {term: number for number, term in enumerate(terms)})
    vocabulary = Vocabulary(tmp_path)
    assert [vocabulary.number(term) for term in terms] == list(range(len(terms)))
