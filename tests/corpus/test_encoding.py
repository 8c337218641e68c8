from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rac.corpus import ReadReport, read_corpus
from rac.corpus.encoding import SAMPLE, decode_pieces, decode_whole, detect
from rac.errors import DataError

RUSSIAN = "Привет, мир. Это простой текст на русском языке, чтобы было что узнавать. " * 3
JAPANESE = "これは日本語の文章です。文字コードを判別するための短い例です。" * 4


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("naïve".encode(), "naïve"),
        ("naïve".encode("utf-8-sig"), "naïve"),
        ("naïve".encode("utf-16"), "naïve"),
        (b"\xfe\xff" + "naïve".encode("utf-16-be"), "naïve"),
        ("naïve".encode("utf-32"), "naïve"),
        (b"caf\xe9 \x93quoted\x94", "café “quoted”"),
        (RUSSIAN.encode("cp1251"), RUSSIAN.strip()),
        (RUSSIAN.encode("koi8-r"), RUSSIAN.strip()),
        (JAPANESE.encode("shift_jis"), JAPANESE),
        ("é".encode() * 30 + b"\xff" + "é".encode() * 30, "é" * 30 + "\ufffd" + "é" * 30),
    ],
)
def test_encodings_are_detected(raw: bytes, text: str, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_bytes(raw)
    assert [p.text for p in read_corpus(tmp_path / "t.txt")] == [text]


@pytest.mark.parametrize("before", [SAMPLE - 1, SAMPLE, 3 * SAMPLE, 10 * SAMPLE - 1])
@pytest.mark.parametrize(
    ("raw", "text", "name"),
    [
        (RUSSIAN.encode("cp1251"), RUSSIAN, "cp1251"),
        ("naïve".encode() * 40_000, "naïve" * 40_000, "utf-8"),
        (b"\xe9t\xe9", "été", "cp1252"),
        ("\ufeffné".encode(), "\ufeffné", "utf-8"),
    ],
)
def test_a_long_beginning_in_ascii_decides_nothing(
    before: int, raw: bytes, text: str, name: str, tmp_path: Path
) -> None:
    (tmp_path / "t.txt").write_bytes(b"a" * before + raw)
    pieces = list(decode_pieces(tmp_path / "t.txt", 3 * SAMPLE))
    assert "".join(piece for piece, _ in pieces) == "a" * before + text and pieces[-1][1].name == name
    assert decode_whole(tmp_path / "t.txt", 1 << 30)[1].name == name


def test_foreign_encodings_are_reported(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_bytes(RUSSIAN.encode("cp1251"))
    (tmp_path / "u.txt").write_bytes("é".encode() * 30 + b"\xff")
    report = ReadReport()
    list(read_corpus(tmp_path, report=report))
    assert report.notes == {"read as cp1251": 1, "with bytes that could not be decoded (now U+FFFD)": 1}


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"%PDF-1.7 and so on", "is a PDF, not text"),
        (b"PK\x03\x04rest", "zip archive"),
        (b"text\0with zero", "binary data"),
        (bytes(range(1, 9)) * 20, "binary data"),
    ],
)
def test_what_is_no_text_is_refused(raw: bytes, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        detect(raw, "x.txt", whole=True)


@settings(deadline=None, max_examples=60)
@given(
    st.text(alphabet="aé漢\r\n", min_size=1, max_size=60), st.integers(1, 7), st.sampled_from(["utf-8-sig", "utf-16"])
)
def test_pieces_are_the_whole_text(
    tmp_path_factory: pytest.TempPathFactory, text: str, size: int, encoding: str
) -> None:
    path = tmp_path_factory.mktemp("e") / "t.txt"
    path.write_bytes(text.encode(encoding))
    expected = text.replace("\r\n", "\n").replace("\r", "\n")
    assert "".join(piece for piece, _ in decode_pieces(path, size)) == expected
