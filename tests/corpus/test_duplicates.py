from __future__ import annotations

from pathlib import Path

from rac.corpus import ReadOptions, ReadReport, read_corpus
from rac.corpus.duplicates import DuplicateFinder, signature

LICENCE = (
    "Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated "
    "documentation files, to deal in the software without restriction, including without limitation the rights to use, "
    "copy, modify, merge, publish, distribute and sell copies of the software."
)
OTHER = "The harbour is closed in winter since the ice is too thick for the ferries that go to the islands every day."


def test_a_word_more_is_a_near_duplicate_and_another_text_is_not() -> None:
    finder = DuplicateFinder()
    assert finder.add(LICENCE, 0) is None and finder.add(OTHER, 1) is None
    assert finder.add(LICENCE + " Thank you.", 2) == 0
    assert finder.add(OTHER.replace("winter", "winter"), 3) == 1
    assert finder.add(" ".join(reversed(LICENCE.split())), 4) is None


def test_short_texts_must_be_equal() -> None:
    finder = DuplicateFinder()
    assert [finder.add(t, n) for n, t in enumerate(["See also", "see  also!", "See below", "", ""])] == [
        None, 0, None, None, None,
    ]  # fmt: skip


def test_signatures_are_the_same_everywhere() -> None:
    first = signature(LICENCE)
    assert first is not None and first[:3].tolist() == [171715568, 269674492, 99774675]
    assert signature("too short") is None


def test_counting_and_dropping(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt", "c.txt"):
        (tmp_path / name).write_text(OTHER if name == "b.txt" else f"{LICENCE}", encoding="utf-8")
    for how, expected in (("ignore", (3, 0, 0)), ("count", (3, 1, 0)), ("drop", (2, 1, 1))):
        report = ReadReport()
        found = list(read_corpus(tmp_path, ReadOptions(near_duplicates=how), report))  # type: ignore[arg-type]
        assert (len(found), report.near_duplicates, report.dropped) == expected
