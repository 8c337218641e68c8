"""Text out of bytes: which encoding a file has, and decoding it piece by piece in constant memory."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from rac.errors import DataError

SAMPLE = 1 << 16
"""Bytes that the encoding is judged by."""
_OUTSIDE_ASCII = re.compile(rb"[\x80-\xff]")

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MAGIC = {
    b"%PDF-": "a PDF", b"PK\x03\x04": "a zip archive or office document", b"\x1f\x8b": "gzip data",
    b"\x89PNG": "a PNG image", b"GIF8": "a GIF image", b"\xff\xd8\xff": "a JPEG image", b"\x7fELF": "a program",
    b"PAR1": "a Parquet table", b"SQLite format 3": "a database", b"\xd0\xcf\x11\xe0": "an old office document",
    b"BZh": "bzip2 data", b"\xfd7zXZ": "xz data", b"\x28\xb5\x2f\xfd": "zstd data", b"7z\xbc\xaf": "a 7z archive",
}  # fmt: skip
_CONTROLS = frozenset(range(32)) - set(b"\t\n\r\f\x0b\x08\x1b")
_FEW = 8
"""With fewer bytes outside ASCII nothing can be detected; Western European text (cp1252) is then the best guess."""


class Encoding(NamedTuple):
    """The encoding of a file and how many bytes of byte-order mark stand before its text."""

    name: str
    skip: int = 0


def detect(raw: bytes, path: Path | str, *, whole: bool) -> Encoding:
    """Return the encoding of a text from its first bytes.

    A byte-order mark decides; else UTF-8 where it fits (a few damaged bytes do not make it something else); else what
    ``charset-normalizer`` finds. ASCII is UTF-8 here, but decides nothing about what comes behind it.

    Args:
        raw: The first bytes.
        path: The file, for the error message.
        whole: Whether they are the whole text; otherwise its last character may be cut.

    Raises:
        DataError: if the bytes are no text.
    """
    sample = raw[:SAMPLE]
    for bom, name in _BOMS:
        if sample.startswith(bom):
            return Encoding(name, len(bom))
    for magic, what in _MAGIC.items():
        if sample.startswith(magic):
            raise DataError(path, f"is {what}, not text; give it its proper file name, or convert it")
    if b"\0" in sample or sum(byte in _CONTROLS for byte in sample) > len(sample) // 20:
        raise DataError(path, "holds binary data, not text; remove it, or convert it to text")
    return Encoding(_unmarked(raw, path, whole))


def _unmarked(raw: bytes, path: Path | str, whole: bool) -> str:
    """Return the encoding of a text without a byte-order mark."""
    outside = _OUTSIDE_ASCII.search(raw)
    # What is judged must hold the bytes that differ between encodings, and what follows the first of them.
    start = outside.start() if outside and outside.start() > SAMPLE // 2 else 0
    sample = raw[start : start + SAMPLE]
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    try:
        decoder.decode(sample, final=whole and start + SAMPLE >= len(raw))
    except UnicodeDecodeError:
        return _foreign(sample, path)
    return "utf-8"


def _foreign(sample: bytes, path: Path | str) -> str:
    loose = sample.decode("utf-8", "replace")
    bad, good = loose.count("\ufffd"), sum(ord(c) > 127 for c in loose) - loose.count("\ufffd")
    if bad * 10 <= good:
        return "utf-8"
    outside = sum(byte > 127 for byte in sample)
    if outside < _FEW:
        return "cp1252"
    from charset_normalizer import from_bytes

    best = from_bytes(sample).best()
    if best is None:
        raise DataError(path, "is text in no encoding that could be detected; convert it to UTF-8")
    return str(best.encoding).replace("_", "-")


def decode_pieces(path: Path, size: int = 1 << 18) -> Iterator[tuple[str, Encoding]]:
    """Yield a text file in pieces of about ``size`` bytes, each with the encoding that the file has as far as known.

    While all is ASCII that is UTF-8; the first piece that is not decides. What cannot be decoded becomes U+FFFD. Line
    ends become ``\\n``, so that offsets count characters as an editor does.

    Raises:
        DataError: if the file cannot be read or is no text.
    """
    try:
        with path.open("rb") as handle:
            block, whole = _undecided(handle, SAMPLE)
            encoding, decided = detect(block, path, whole=whole), not block.isascii()
            decode = codecs.getincrementaldecoder(encoding.name)("replace")
            newlines = _Newlines()
            block = block[encoding.skip :]
            while True:
                following, whole = (handle.read(size), False) if decided else _undecided(handle, size)
                text = newlines.decode(decode.decode(block, final=not following), final=not following)
                if text:
                    yield text, encoding
                if not following:
                    return
                if not decided and not following.isascii():
                    decided, encoding = True, Encoding(_unmarked(following, path, whole))
                    decode = codecs.getincrementaldecoder(encoding.name)("replace")
                block = following
    except OSError as error:
        raise DataError(path, f"cannot be read ({error.strerror})") from error


def _undecided(handle: BinaryIO, size: int) -> tuple[bytes, bool]:
    """Read a block of a file whose encoding is not known yet, and whether the file ends with it.

    One that is not ASCII gets enough behind it to be judged by: its first such byte may be its last.
    """
    block = handle.read(size)
    if block.isascii():
        return block, False
    behind = handle.read(SAMPLE)
    return block + behind, len(behind) < SAMPLE


class _Newlines:
    """Turns ``\\r\\n`` and ``\\r`` into ``\\n`` across pieces."""

    def __init__(self) -> None:
        self._held = ""

    def decode(self, text: str, *, final: bool) -> str:
        text = self._held + text
        self._held = ""
        if text.endswith("\r") and not final:
            text, self._held = text[:-1], "\r"
        return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def decode_whole(path: Path, limit: int) -> tuple[str, Encoding]:
    """Return the whole text of a file and its encoding.

    Raises:
        DataError: also if the file has more than ``limit`` bytes.
    """
    check_size(path, limit)
    pieces = list(decode_pieces(path))
    return "".join(text for text, _ in pieces), pieces[-1][1] if pieces else Encoding("utf-8")


def check_size(path: Path, limit: int) -> None:
    """Refuse a file that is too large to be read at once.

    Raises:
        DataError: naming size and limit.
    """
    size = path.stat().st_size
    if size > limit:
        raise DataError(
            path,
            f"has {size / 1e6:,.0f} MB, and a file of this format is read whole, up to {limit / 1e6:,.0f} MB; split it",
        )
