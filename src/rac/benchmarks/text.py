"""Helpers for text that others wrote: lines, stable ids, windows, and signs of damage (counted, never mended)."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from rac.files import read_text

_FOREIGN = re.compile(r"[^\x00-\x7f]+")
_DAMAGE = re.compile("[\ue000-\uf8ff\ufffd\u9225]")


def read_lines(path: Path | str) -> list[str]:
    """Return the lines of a UTF-8 file without their ends (``\\n``, ``\\r\\n`` or ``\\r``, nothing else).

    A byte-order mark is dropped. ``str.splitlines`` would also cut at U+2028 and other characters that occur in text.
    """
    lines = read_text(path).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if lines and lines[-1] == "":
        lines.pop()
    return lines


def stable_id(prefix: str, *parts: str) -> str:
    """Return ``PREFIX-`` and twelve hex digits that depend on the text of the parts only."""
    digest = hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
    return f"{prefix}-{digest[:12]}"


def has_mojibake(text: str) -> bool:
    """Say whether UTF-8 text was once decoded with another encoding (GBK or Windows-1252) and saved like that.

    A run of non-ASCII characters counts if its bytes in one of these encodings are valid UTF-8 again, which real text
    practically never is: ``Franklin鈥檚`` is ``Franklin’s``, ``cafÃ©`` is ``café``. A byte lost at the run's end is
    tolerated. The replacement character, characters of the private use area, and 鈥 (the first two bytes of every
    dash and quotation mark, the third lost: ``1991鈥?``) count by themselves.
    """
    if text.isascii():
        return False
    if _DAMAGE.search(text):
        return True
    return any(_is_misread(match.group()) for match in _FOREIGN.finditer(text))


def _is_misread(run: str) -> bool:
    for encoding in ("gbk", "cp1252"):
        try:
            raw = b"".join(b"\x80" if encoding == "gbk" and c == "€" else c.encode(encoding) for c in run)
        except UnicodeEncodeError:
            continue
        try:
            repaired = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            # Half of a character may be missing at the very end, never in the middle.
            if error.start == 0 or len(raw) - error.start > 3 or "unexpected end" not in error.reason:
                continue
            repaired = raw[: error.start].decode("utf-8")
        if any(ord(c) > 127 for c in repaired):
            return True
    return False


_SENTENCE_END = re.compile(r"(?<=[.!?])[\"'”’)\]]*\s+|\n\s*\n")


def windows(text: str, max_words: int) -> list[tuple[int, int]]:
    """Split a text at sentence ends into pieces of at most ``max_words`` words; longer sentences are cut at words.

    Returns:
        (start, end) character offsets, end exclusive, without white space at either end; together they hold every
        word of the text, in order.
    """
    if max_words < 1:
        raise ValueError("max_words must be at least 1")
    sentences: list[tuple[int, int]] = []
    start = 0
    for match in [*_SENTENCE_END.finditer(text), None]:
        end = match.start() if match else len(text)
        # Closing quotes belong to the sentence before them.
        if match:
            end += len(match.group()) - len(match.group().lstrip("\"'”’)]"))
        words = [(start + w.start(), start + w.end()) for w in re.finditer(r"\S+", text[start:end])]
        for first in range(0, len(words), max_words):
            piece = words[first : first + max_words]
            sentences.append((piece[0][0], piece[-1][1]))
        start = end
    pieces: list[tuple[int, int]] = []
    size = 0
    for begin, end in sentences:
        length = len(text[begin:end].split())
        if pieces and size + length <= max_words:
            pieces[-1] = (pieces[-1][0], end)
            size += length
        else:
            pieces.append((begin, end))
            size = length
    return pieces


def squeeze(text: str) -> str:
    """Return text with every run of white space as one space, none at the ends."""
    return " ".join(text.split())


_WORD = re.compile(r"[^\W_]+")


def plain_words(text: str) -> list[str]:
    """Return the words of a text in lower case, without punctuation, for comparing texts with each other."""
    return _WORD.findall(text.casefold())
