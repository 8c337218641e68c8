"""What the benchmark tests share: hypothesis strategies for text and records, and small writers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from rac.records import ClarificationExample, Passage

SOME = settings(deadline=None, max_examples=40)
"""For property tests that write files."""

# Awkward on purpose: quotes, delimiters, mojibake, a line separator that ends no line, a combining mark, an emoji.
_ODD = "aB cé'\"\\,;|:%<>&#-鈥檚Ã©\u2028\u0301\U0001f600 "
texts = st.text(st.sampled_from(_ODD) | st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=30)
words = texts.map(lambda t: " ".join(t.split())).filter(bool)
"""Text with something in it, white space as single spaces."""
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(texts, json_values, max_size=3)
tuples = st.lists(texts, max_size=3).map(tuple)
passages = st.builds(
    Passage,
    id=words,
    text=texts,
    title=texts,
    types=tuples,
    description=texts,
    source=texts,
    start=st.none() | st.integers(0, 10**9),
    end=st.none() | st.integers(0, 10**9),
    meta=objects,
)
examples = st.builds(
    ClarificationExample,
    id=words,
    query=words,
    questions=tuples,
    passages=st.lists(passages, max_size=3).map(tuple),
    passage_ids=tuples,
    facets=tuples,
    answers=tuples,
    history=st.lists(json_values, max_size=3).map(tuple),
    qrels=st.dictionaries(words, st.integers(-2, 4), max_size=3),
    group=texts,
    split=texts,
    labels=objects,
    meta=objects,
)


def write(path: Path, content: str | bytes | Any) -> Path:
    """Write text, bytes, or anything else as JSON; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, str):
        path.write_text(content, encoding="utf-8", newline="")
    else:
        path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    return path


def tsv(header: list[str], rows: list[list[str]], delimiter: str = "\t", end: str = "\n") -> str:
    """Return a table; cells are quoted as the csv module would."""
    import csv
    import io

    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end)
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()
