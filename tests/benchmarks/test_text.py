from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark_support import SOME, texts, write
from rac.benchmarks.text import has_mojibake, plain_words, read_lines, squeeze, stable_id, windows


@pytest.mark.parametrize(
    "text",
    [
        "Franklin鈥檚",
        "cafÃ©",
        "1991鈥?2000",
        "茂驴陆",
        "莽茫",
        "袦懈谢谢械薪薪懈褍屑",
        "a\ue185b",
        "lost \ufffd",
        "â€œquotedâ€\x9d",
    ],
)
def test_mojibake_is_seen(text: str) -> None:
    assert has_mojibake(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        "café",
        "naïve – dash",
        "中文字",
        "日本語",
        "Łódź",
        "“x”",
        "Müller’s",
        "£5",
        "½°",
        "Ã",
        "Москва",
        "Ελλάδα",
    ],
)
def test_real_text_is_not_taken_for_mojibake(text: str) -> None:
    assert not has_mojibake(text)


@given(st.text(st.characters(min_codepoint=0xC0, max_codepoint=0x24F), min_size=1, max_size=8))
@SOME
def test_latin_words_read_as_windows_1252_are_seen(text: str) -> None:
    try:
        damaged = text.encode("utf-8").decode("cp1252")
    except UnicodeDecodeError:
        return
    assert has_mojibake(damaged)


@given(st.lists(texts, max_size=6), st.sampled_from(["\n", "\r\n", "\r"]), st.booleans())
@SOME
def test_lines_end_at_line_ends_only(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], end: str, bom: bool
) -> None:
    path = tmp_path_factory.mktemp("lines") / "file.txt"
    write(path, b"\xef\xbb\xbf" * bom + "".join(line + end for line in lines).encode())
    assert read_lines(path) == lines


@given(st.text(st.sampled_from("ab .!?\"'\n"), max_size=200), st.integers(1, 7))
@SOME
def test_windows_hold_every_word_in_order_and_are_short(text: str, most: int) -> None:
    pieces = windows(text, most)
    assert [w for a, b in pieces for w in text[a:b].split()] == text.split()
    for start, end in pieces:
        assert 0 <= start < end <= len(text)
        assert 1 <= len(text[start:end].split()) <= most
        assert text[start:end] == text[start:end].strip()


def test_windows_are_cut_at_sentence_ends() -> None:
    text = 'He ran. "Stop!" she said. One two three four five six.'
    assert [text[a:b] for a, b in windows(text, 5)] == ['He ran. "Stop!" she said.', "One two three four five", "six."]
    with pytest.raises(ValueError, match="at least 1"):
        windows(text, 0)


def test_small_helpers() -> None:
    assert squeeze(" a\t\nb  c ") == "a b c"
    assert plain_words("It's a DUNE_(novel)?") == ["it", "s", "a", "dune", "novel"]
    assert stable_id("x", "a", "b") != stable_id("x", "ab", "") != stable_id("x", "", "ab")
    assert stable_id("x", "a") == "x-ca978112ca1b"
