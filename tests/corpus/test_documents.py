"""Text, Markdown, HTML, PDF and DOCX become passages with headings and places in the source."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus_support import make_docx, make_pdf
from rac.corpus import ReadOptions, read_corpus
from rac.corpus.documents import prose, title_of_file
from rac.corpus.encoding import SAMPLE
from rac.corpus.html import text_of_fragment
from rac.records import Passage

MARKDOWN = """---
title: The guide
description: all about it
---
Intro with **bold** and a [link](https://example.org).

# Install

Use *pip*:

```
pip install it
```

- one
- two

| system | command |
|---|---|
| Linux | apt |

## On Linux

![badge](b.svg) Nothing to do.
"""

HTML = """<!doctype html><html><head><title>Install &mdash; Flask docs</title>
<meta name="description" content="How to install"><script>var x = "<p>no</p>"</script><style>p{}</style></head>
<body><nav><a href=/>Home</a></nav><main><h1 id="install">Install<a class=headerlink href=#install>¶</a></h1>
<p>Use <b>pip</b> &amp; wait.<br>Then go.</p><noscript>Turn it on</noscript>
<section id="linux"><h2>On Linux</h2><ul><li>one<li>two</ul><pre>a
  b</pre><table><tr><th>k<th>v<tr><td>1<td>2</table><p hidden>not shown</p></section>
""" + "<p>" + "Filler words that make the main part long enough to be taken for it. " * 4 + """</p>
</main><footer>Imprint</footer></body></html>"""  # fmt: skip


def passages(folder: Path, options: ReadOptions | None = None) -> dict[str, Passage]:
    return {p.id: p for p in read_corpus(folder, options)}


def test_markdown_keeps_headings_and_offsets_and_loses_marks(tmp_path: Path) -> None:
    path = tmp_path / "g.md"
    path.write_text(MARKDOWN, encoding="utf-8")
    lead, install, linux = read_corpus(path)
    assert (lead.title, lead.description, lead.text) == ("The guide", "all about it", "Intro with bold and a link.")
    assert MARKDOWN[lead.start : lead.end] == "Intro with **bold** and a [link](https://example.org)."
    assert (install.title, install.description) == ("Install", "The guide")
    assert install.text == "Use pip:\n\npip install it\n\none\n\ntwo\n\nsystem | command\n\nLinux | apt"
    assert MARKDOWN[install.start : install.end].startswith("Use *pip*")
    assert MARKDOWN[install.start : install.end].endswith("| Linux | apt |")
    assert (linux.title, linux.description, linux.text) == ("On Linux", "Install, The guide", "Nothing to do.")
    assert linux.meta["headings"] == ["The guide", "Install", "On Linux"]


def test_code_and_tables_are_text_but_no_prose(tmp_path: Path) -> None:
    (tmp_path / "g.md").write_text(MARKDOWN, encoding="utf-8")
    (tmp_path / "p.html").write_text(HTML, encoding="utf-8")
    rst = "The ``make`` of :ref:`it`\n=====\n\nRun this::\n\n   make all\n\n   make more\n\nThen\n  wait.\n\n"
    rst += ".. image:: x.png\n\n.. note:: Stay.\n"
    (tmp_path / "t.rst").write_text(rst, encoding="utf-8")
    found = passages(tmp_path)
    install, linux = (next(p for p in found.values() if p.title == t) for t in ("Install", "On Linux"))
    assert "pip install it" in install.text and prose(install) == "Use pip:\n\none\n\ntwo"
    assert prose(linux) == "Nothing to do." and "verbatim" not in linux.meta
    page = next(p for p in found.values() if p.meta.get("anchor") == "linux")
    assert "a\n  b" in page.text and prose(page).startswith("one\n\ntwo\n\nFiller")
    assert found["t.rst"].title == "The make of it"
    assert prose(found["t.rst"]) == "Run this::\n\nThen\n  wait.\n\n.. note:: Stay."


def test_code_is_known_in_every_piece_of_a_long_section(tmp_path: Path) -> None:
    text = "# Long\n\n" + "\n\n".join(f"Say it {n} times over.\n\n```\ncall(x{n});\n```" for n in range(40))
    (tmp_path / "l.md").write_text(text, encoding="utf-8")
    found = list(read_corpus(tmp_path, ReadOptions(passage_tokens=40, overlap_tokens=10)))
    assert len(found) > 10 and all("call(" in p.text for p in found)
    assert all("Say it" in prose(p) and "call(" not in prose(p) for p in found)


@pytest.mark.parametrize("odd", ["all", [1], [[5, 2]], [["a", "b"]], [[0, 3], [1, 2]], None])
def test_prose_of_passages_that_came_from_elsewhere(odd: object) -> None:
    assert prose(Passage(id="1", text="One two", meta={"verbatim": odd})) in ("One two", "two")


def test_html_is_what_a_reader_sees(tmp_path: Path) -> None:
    path = tmp_path / "p.html"
    path.write_text(HTML, encoding="utf-8")
    install, linux = read_corpus(path)
    assert (install.title, install.description) == ("Install", "Flask docs")
    assert install.text == "Use pip & wait. Then go." and install.meta["anchor"] == "install"
    assert (linux.title, linux.meta["anchor"]) == ("On Linux", "linux")
    assert linux.text.startswith("one\n\ntwo\n\na\n  b\n\nk | v\n\n1 | 2\n\nFiller")
    everything = install.text + linux.text
    assert not any(word in everything for word in ("var x", "Home", "Imprint", "Turn it on", "not shown", "¶"))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b'<meta charset="cp1251"><p>\xef\xf0\xe8\xe2\xe5\xf2 \xec\xe8\xf0 \xe8 \xe2\xf1\xe5', "привет мир и все"),
        ("<p>naïve café".encode(), "naïve café"),
        ('<?xml version="1.0" encoding="utf-8"?><html><body><p>x</p></body></html>'.encode("utf-16"), "x"),
        (b'<meta charset="nonsense"><p>caf\xe9', "café"),
        (b'<meta charset="cp1251"><p hidden>' + b"x " * SAMPLE + b"</p><p>\xe4\xe0", "да"),
        (b'<meta charset="cp1251"><p hidden>' + b"x " * SAMPLE + "</p><p>naïve".encode(), "naïve"),
        (b"<p hidden>" + b"x " * SAMPLE + b"</p><p>caf\xe9", "café"),
        (
            b'<meta charset="iso-8859-1"><p>' + ("Füße " * 50).encode() + b"\xff",
            "Füße " * 50 + "\ufffd",
        ),
    ],
)
def test_html_in_other_encodings(content: bytes, text: str, tmp_path: Path) -> None:
    (tmp_path / "p.html").write_bytes(content)
    assert [p.text for p in read_corpus(tmp_path / "p.html")] == [text]


def test_fragments_of_html_inside_markdown() -> None:
    path = Path("x.md")
    assert text_of_fragment("<div align=center><b>Big</b> news</div><script>x</script>", path) == "Big news"
    assert text_of_fragment("<!-- nothing -->", path) == ""


def test_tags_inside_a_line_of_markdown_part_words_as_on_a_page(tmp_path: Path) -> None:
    text = "# A<br/>B\n\nred<br>green <b>b</b>lue<BR />H<sub>2</sub>O<p>end</p>.\n\n| a |\n|---|\n| one<br>two |\n"
    (tmp_path / "x.md").write_text(text, encoding="utf-8")
    (passage,) = read_corpus(tmp_path)
    assert passage.title == "A B" and passage.text == "red green blue H2O end .\n\na\n\none two"


def test_underlined_lines_are_headings_of_plain_text(tmp_path: Path) -> None:
    text = "=====\nTitle\n=====\n\nPara one.\n\nSub\n---\nBody here.\n\nOther\n=====\nEnd.\n\na-b\n\n--\n"
    (tmp_path / "t.rst").write_text(text, encoding="utf-8")
    found = list(read_corpus(tmp_path / "t.rst"))
    assert [(p.title, p.description) for p in found] == [("Title", ""), ("Sub", "Title"), ("Other", "Title")]
    assert [text[p.start : p.end] for p in found] == ["Para one.", "Body here.", "End.\n\na-b\n\n--"]


def test_pdf_pages_and_outline(tmp_path: Path) -> None:
    pytest.importorskip("pypdfium2")
    (tmp_path / "a.pdf").write_bytes(make_pdf(["First page\ngoes on", "Second page"], title="The report"))
    first, second = read_corpus(tmp_path / "a.pdf")
    assert (first.title, first.text, first.meta) == ("The report", "First page goes on", {"page": 1})
    assert (second.text, second.meta["page"], second.start) == ("Second page", 2, 20)
    outline = [("One", 0), ("Two", 2)]
    (tmp_path / "b.pdf").write_bytes(make_pdf(["alpha", "beta", "gamma"], outline=outline))
    one, two = read_corpus(tmp_path / "b.pdf")
    assert (one.title, one.description, one.text) == ("One", "b", "alpha\n\nbeta")
    assert (two.title, two.text, two.meta["page"]) == ("Two", "gamma", 3)


def test_docx_headings_and_tables(tmp_path: Path) -> None:
    pytest.importorskip("docx")
    make_docx(tmp_path / "h.docx")
    lead, holidays = read_corpus(tmp_path / "h.docx")
    assert (lead.title, lead.text) == ("Handbook", "What everybody should know.")
    assert (holidays.title, holidays.description) == ("Holidays", "Handbook")
    assert holidays.text == "Thirty days a year.\n\nDays\n\nBerlin | 30"


def docx_of(path: Path, body: str) -> None:
    """Write a document with this XML in its body; without namespaces: ``<p><r><t>word</t></r></p>``."""
    docx = pytest.importorskip("docx")
    from docx.oxml import parse_xml
    from docx.oxml.ns import nsdecls

    document = docx.Document()
    prefixed = re.sub(r"(</?)(\w)", r"\1w:\2", re.sub(r" (\w+)=", r" w:\1=", body))
    for number, element in enumerate(list(parse_xml(f"<w:body {nsdecls('w')}>{prefixed}</w:body>"))):
        document.element.body.insert(number, element)
    document.save(str(path))


def words_in_docx(*texts: str) -> str:
    return "".join(f"<r><t>{text}</t></r>" for text in texts)


def test_docx_content_controls_and_tracked_changes(tmp_path: Path) -> None:
    word = words_in_docx
    body = (
        f"<sdt><sdtPr/><sdtContent><p><pPr><pStyle val='Heading1'/></pPr>{word('Cover')}</p><sdt><sdtContent>"
        f"<p>{word('inner')}</p></sdtContent></sdt></sdtContent></sdt>"
        f"<p>{word('a')}<ins id='1'>{word('b')}<del id='2'><r><delText>x</delText></r></del></ins>"
        f"<del id='3'><r><delText>y</delText></r></del><moveFrom id='4'>{word('z')}</moveFrom>"
        f"<moveTo id='5'>{word('c')}</moveTo><hyperlink><ins id='6'>{word('d')}</ins></hyperlink>"
        f"<sdt><sdtContent>{word('e')}</sdtContent></sdt><smartTag>{word('f')}</smartTag></p>"
        f"<tbl><sdt><sdtContent><tr><sdt><sdtContent><tc><p>{word('g')}</p></tc></sdtContent></sdt>"
        f"<tc><p>{word('h')}</p><tbl><tr><tc><p>{word('i')}</p></tc></tr></tbl></tc></tr></sdtContent></sdt></tbl>"
    )
    docx_of(tmp_path / "d.docx", body)
    (passage,) = read_corpus(tmp_path / "d.docx")
    assert passage.title == "Cover" and passage.text == "inner\n\nabcdef\n\ng | h i"


def test_docx_with_a_merged_cell_that_has_none_above(tmp_path: Path) -> None:
    merged = "<tcPr><vMerge/></tcPr>"
    rows = [f"<tr><tc>{merged}<p/></tc><tc><p>{words_in_docx(text)}</p></tc></tr>" for text in ("one", "two")]
    docx_of(tmp_path / "d.docx", f"<tbl>{''.join(rows)}</tbl>")
    (passage,) = read_corpus(tmp_path / "d.docx")
    assert passage.text == "one\n\ntwo"


def test_long_documents_are_cut_and_short_ones_are_not(tmp_path: Path) -> None:
    text = "# Long\n\n" + "\n\n".join(f"Sentence number {n} stands here." for n in range(100))
    (tmp_path / "l.md").write_text(text, encoding="utf-8")
    found = list(read_corpus(tmp_path, ReadOptions(passage_tokens=30, overlap_tokens=0)))
    assert len(found) == 20 and found[0].id == "l.md" and found[1].id == f"l.md#{found[1].start}"
    assert all(text[p.start : p.end] == p.text for p in found)
    assert "".join(p.text for p in found).count("Sentence") == 100


@pytest.mark.parametrize("filler", ["word ", "A sentence ends. ", "x" * 5_000 + " ", "line\n", "one  \n  two "])
def test_a_paragraph_that_never_ends_is_cut_at_known_places(filler: str, tmp_path: Path) -> None:
    text = (filler * 20_000)[:80_000].rstrip()
    (tmp_path / "t.txt").write_text(text, encoding="utf-8")
    (tmp_path / "t.html").write_text(f"<p>{text}</p>", encoding="utf-8")
    found = list(read_corpus(tmp_path / "t.txt", ReadOptions(passage_tokens=100, overlap_tokens=0)))
    assert "".join("".join(p.text.split()) for p in found) == "".join(text.split())
    assert all("".join(text[p.start : p.end].split()) == "".join(p.text.split()) for p in found)
    page = list(read_corpus(tmp_path / "t.html", ReadOptions(passage_tokens=100, overlap_tokens=0)))
    assert "".join("".join(p.text.split()) for p in page) == "".join(text.split())


words = st.text(alphabet="ab *_`[]()#|-<>&\n\\!é", max_size=120)


@settings(deadline=None, max_examples=60)
@given(words, st.sampled_from(["x.md", "x.txt", "x.html"]), st.integers(1, 8))
def test_any_text_gives_distinct_passages_with_places_in_it(
    tmp_path_factory: pytest.TempPathFactory, text: str, name: str, tokens: int
) -> None:
    folder = tmp_path_factory.mktemp("d")
    (folder / name).write_text(text, encoding="utf-8")
    (folder / "other.txt").write_text("so that the folder is not empty", encoding="utf-8")
    found = list(read_corpus(folder, ReadOptions(passage_tokens=tokens, overlap_tokens=0)))
    assert len({p.id for p in found}) == len(found)
    for p in found:
        assert p.text.strip() and p.start is not None and p.end is not None and p.start < p.end
        if name == "x.txt" and p.source == name:
            assert " ".join(text[p.start : p.end].split()) == " ".join(p.text.split())
        if name == "x.md" and p.source == name:
            assert p.end <= len(text)


def test_titles_of_files_without_one() -> None:
    assert title_of_file("bash/copyright.txt") == ("copyright", "bash")
    assert title_of_file("docs/sign_in-guide.txt") == ("sign in guide", "")
    assert title_of_file("README.md") == ("README", "")
