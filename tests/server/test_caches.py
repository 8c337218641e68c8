from __future__ import annotations

from rac.metrics import lexical, text
from rac.metrics.lexical import prepare
from rac.records import Passage
from rac.server.caches import TextCaches, empty_caches


def test_caches_are_emptied_when_enough_text_went_in() -> None:
    empty_caches()
    caches = TextCaches(most=5000)
    most = 0
    for number in range(40):
        passage = Passage(id="p", text=f"passage{number} " + "word " * 100)
        caches.saw([passage])
        prepare(passage)
        most = max(most, lexical._prepared.cache_info().currsize)
    # Some 710 characters count for each, so eight of them empty the caches.
    assert 5 <= most <= 8
    assert text.key.cache_info().currsize > 0
    empty_caches()
    assert text.key.cache_info().currsize == lexical._prepared.cache_info().currsize == 0
