"""Documents into passages: whole sentences up to a token budget, with overlap, and with offsets into the document."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator

from rac.errors import UserError
from rac.records import Passage

Span = tuple[int, int]
"""Character offsets, end exclusive."""

_TOKEN = re.compile(r"\w+|[^\w\s]")
_ABBREVIATIONS = frozenset(
    {
        "mr", "mrs", "ms", "dr", "prof", "sr", "jr", "st", "mt", "ft", "vs", "etc", "e.g", "i.e", "cf", "al",
        "fig", "no", "vol", "pp", "ed", "eds", "gen", "col", "sgt", "capt", "lt", "rev", "hon", "pres", "gov",
        "sen", "rep", "inc", "ltd", "co", "corp", "dept", "univ", "approx", "ca", "est", "jan", "feb", "mar",
        "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec", "u.s", "u.k", "a.m", "p.m",
    }
)  # fmt: skip
# A mark that may end a sentence, with what closes behind it, before white space; or a mark of a script without spaces.
# Only the first mark of a run may begin it: where no space follows, each of the others would be tried in vain.
_END = re.compile(r"(?<![.!?…])[.!?…]+[\"'”’»)\]]*(?=\s)|[。！？]+[」』”’）]*|\n[ \t]*\n")
_LAST_WORD = re.compile(r"[\w.]+$")
_VISIBLE = re.compile(r"\S")


def count_tokens(text: str) -> int:
    """Return the number of words and punctuation marks of a text."""
    return len(_TOKEN.findall(text))


def sentences(text: str) -> list[Span]:
    """Return the sentences of a text as offsets, in order, without the white space around them.

    Together they hold every character that is not white space. A full stop behind an abbreviation or an initial, or
    before a lower-case word, does not end a sentence; an empty line does.

    Example:
        >>> text = "Dr. Who left. He came back?"
        >>> [text[a:b] for a, b in sentences(text)]
        ['Dr. Who left.', 'He came back?']
    """
    spans: list[Span] = []
    start = 0
    for match in _END.finditer(text):
        if _ends_sentence(text, match):
            _append_trimmed(spans, text, start, match.end())
            start = match.end()
    _append_trimmed(spans, text, start, len(text))
    return spans


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    mark = match.group()
    if mark.isspace() or mark[0] in "。！？":
        return True
    following = _VISIBLE.search(text, match.end())  # not a copy of all the text behind: that would take squared time
    if following and following.group().islower():
        return False
    if mark != ".":
        return True
    word = _LAST_WORD.search(text, max(0, match.start() - 30), match.start())
    if word is None:
        return True
    last = word.group().lower()
    return last not in _ABBREVIATIONS and not (len(last) == 1 and last.isalpha())


def _append_trimmed(spans: list[Span], text: str, start: int, end: int) -> None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        spans.append((start, end))


def split_document(
    document: Passage, max_tokens: int = 200, overlap_tokens: int = 40, *, count: Callable[[str], int] = count_tokens
) -> list[Passage]:
    """Cut a document into passages.

    Each passage holds whole sentences of up to ``max_tokens`` together; a longer sentence is cut between words. A
    passage starts with the last sentences of the one before, as long as they have at most ``overlap_tokens``.

    Passages keep title, types, description and meta data. ``source``, ``start`` and ``end`` say where the text lies:
    ``document.text[start:end]``, shifted by the document's own ``start`` if it has one. The id is ``ID#START``, which
    stays the same as long as the text before it does; a document that fits whole keeps its own id.

    Args:
        document: The document.
        max_tokens: Budget of a passage.
        overlap_tokens: Budget of what is repeated; less than ``max_tokens``.
        count: Counts tokens of a sentence; words and punctuation marks by default. A model's tokenizer may be given.

    Raises:
        UserError: for budgets that cannot work.
    """
    if max_tokens < 1 or not 0 <= overlap_tokens < max_tokens:
        raise UserError(
            f"passages of {max_tokens} tokens with {overlap_tokens} repeated cannot be made: the first must be at "
            "least 1 and more than the second"
        )
    text, base = document.text, document.start or 0
    units = [piece for span in sentences(text) for piece in _fit(text, span, max_tokens, count)]
    groups = _pack([tokens for _, _, tokens in units], max_tokens, overlap_tokens)
    if len(groups) <= 1:
        whole = {"source": document.source or document.id, "start": base, "end": base + len(text)}
        return [document.model_copy(update=whole if text else {})]
    passages = []
    for first, last in groups:
        start, end = units[first][0], units[last - 1][1]
        passages.append(
            document.model_copy(
                update={
                    "id": f"{document.id}#{base + start}",
                    "text": text[start:end],
                    "source": document.source or document.id,
                    "start": base + start,
                    "end": base + end,
                }
            )
        )
    return passages


def _pack(sizes: list[int], budget: int, overlap: int) -> list[Span]:
    """Group consecutive units: (first, end) pairs of at most ``budget`` tokens that repeat at most ``overlap``."""
    groups: list[Span] = []
    first = 0
    while first < len(sizes):
        total, last = 0, first
        while last < len(sizes) and (last == first or total + sizes[last] <= budget):
            total += sizes[last]
            last += 1
        groups.append((first, last))
        if last == len(sizes):
            break
        # Step back over whole units, but leave room for the next new one, or the passage would bring nothing new.
        repeated, back = 0, last
        while back - 1 > first and repeated + sizes[back - 1] <= overlap:
            if repeated + sizes[back - 1] + sizes[last] > budget:
                break
            back -= 1
            repeated += sizes[back]
        first = back
    return groups


def _fit(text: str, span: Span, budget: int, count: Callable[[str], int]) -> Iterator[tuple[int, int, int]]:
    """Yield a sentence, or the pieces of one that exceeds the budget, as (start, end, tokens)."""
    start, end = span
    tokens = count(text[start:end])
    if tokens <= budget:
        yield start, end, tokens
        return
    ends = [match.end() for match in _TOKEN.finditer(text, start, end)]
    while start < end:
        # The largest number of words whose count fits, but at least one, by bisection: counts grow with the text.
        low = bisect_right(ends, start)
        # A word mostly counts at least one. Bisecting over the whole rest would count half of it for every piece.
        high = low + budget + 1
        while high < len(ends) and count(text[start : ends[high - 1]]) <= budget:
            high += high - low
        candidates = range(low, min(high, len(ends)))
        fitting = bisect_right(candidates, budget, key=lambda i: count(text[start : ends[i]]))
        cut = ends[max(low, low + fitting - 1)] if low < len(ends) else end
        yield start, cut, count(text[start:cut])
        start = cut
        while start < end and text[start].isspace():
            start += 1


def split_corpus(
    documents: Iterable[Passage], max_tokens: int = 200, overlap_tokens: int = 40, *,
    count: Callable[[str], int] = count_tokens,
) -> Iterator[Passage]:  # fmt: skip
    """Stream the passages of a stream of documents; see ``split_document``."""
    for document in documents:
        yield from split_document(document, max_tokens, overlap_tokens, count=count)
