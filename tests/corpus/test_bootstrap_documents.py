"""Clarification data from documents with headings: sections are told apart by what stands above them."""

from __future__ import annotations

import random

import pytest

from bootstrap_support import WordSearcher
from rac.corpus import read_corpus
from rac.corpus.bootstrap import Bootstrap, BootstrapResult, bootstrap
from rac.corpus.bootstrap.case import is_identifier
from rac.corpus.bootstrap.clusters import clusters
from rac.corpus.bootstrap.facets import Facet, choose_facets
from rac.corpus.bootstrap.maker import _is_about, _only_one_is_meant
from rac.corpus.bootstrap.subjects import Subject, document_of, heading_name, read_corpus_subjects, says_nothing
from rac.corpus.bootstrap.terms import Term, find_terms
from rac.corpus.bootstrap.wording import typed_queries, write_questions
from rac.metrics.selection import SelectionScorer
from rac.records import Passage

DOCUMENTS = {
    "flask.md": """# Flask handbook

Flask is a small web framework.

## Deployment

Put it behind a server.

### Certificates

Ask the authority for a certificate and renew it.

### Static files

Let the proxy send the static files.

## Class: Request

What a browser sent to the application.
""",
    "requests.md": """# Requests guide

Requests is a library for HTTP.

## Deployment

Nothing but the package is needed.

## Certificates

Name a bundle of authorities to trust.

## Class: Request

What will be sent to a server.
""",
}


@pytest.fixture(scope="module")
def passages(tmp_path_factory: pytest.TempPathFactory) -> list[Passage]:
    folder = tmp_path_factory.mktemp("docs")
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text, encoding="utf-8")
    return list(read_corpus(folder))


@pytest.fixture(scope="module")
def result(passages: list[Passage]) -> BootstrapResult:
    check = SelectionScorer(min_options=2).problem
    settings = Bootstrap(examples=60, validation=0.0, test=0.0)
    return bootstrap(passages, WordSearcher(passages), settings, 0, check=check)


def test_sections_of_one_heading_are_told_apart_by_their_documents(result: BootstrapResult) -> None:
    questions = [q for e in result.examples if e.group == "deployment" for q in e.questions]
    assert questions and all("Flask handbook" in q and "Requests guide" in q for q in questions)
    assert any("Deployment in Flask handbook" in q or "Deployment (Flask handbook)" in q for q in questions)
    assert not any(" the Flask" in q or "class Deployment" in q for q in questions)


def test_a_heading_with_sections_is_a_topic(result: BootstrapResult) -> None:
    topics = [e for e in result.examples if e.meta["kind"] == "topic" and "deployment" in e.query.lower()]
    for example in topics:
        assert set(example.facets) == {"Certificates", "Static files"}
        assert not any("called" in example.query for example in topics)


def test_labels_before_a_colon_are_not_typed(result: BootstrapResult) -> None:
    queries = {e.query for e in result.examples if e.group == "class: request"}
    assert queries and not any("class" in query.lower() for query in queries)


def test_every_question_names_passages_of_the_documents(result: BootstrapResult, passages: list[Passage]) -> None:
    texts = {p.id: f"{p.title} {p.description} {p.text}".lower() for p in passages}
    for example in result.examples:
        for facet, identity in zip(example.facets, example.passage_ids, strict=True):
            assert all(word in texts[identity] for word in facet.lower().replace(" in ", " ").split())


def test_documents_are_not_cut_between_splits(passages: list[Passage]) -> None:
    made = bootstrap(passages, WordSearcher(passages), Bootstrap(examples=60, validation=0.2, test=0.2), 0)
    splits: dict[str, set[str]] = {}
    for example in made.examples:
        for identity in example.passage_ids:
            splits.setdefault(identity.split("#")[0], set()).add(example.split)
    assert splits and all(len(found) == 1 for found in splits.values())


def test_facets_of_sections() -> None:
    def section(name: str, *contexts: str) -> Subject:
        return Subject(name + "".join(contexts), name, contexts=contexts)

    one, two = section("Install", "Linux", "Flask"), section("Install", "Linux", "Requests")
    chosen = choose_facets([one, two])
    assert isinstance(chosen, list) and [f.within() for f in chosen] == ["Install in Flask", "Install in Requests"]
    chosen = choose_facets([section("Linux", "Install"), section("macOS", "Install")])
    assert isinstance(chosen, list) and [f.bracketed() for f in chosen] == ["Linux", "macOS"]
    assert choose_facets([section("Install", "Flask"), section("Install", "Flask")]) == "passages cannot be told apart"
    assert choose_facets([section("Install"), section("Install", "Flask")]) == "passages cannot be told apart"
    assert Facet("p", "Install").within() == "Install"


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("2.1 Overview:", "Overview"), ("... use my own model", "use my own model"), ("Where is it?", ""),
        ("How it works", ""), ("macOS or Windows installers", ""), ("Orders", "Orders"), ("one " * 10, ""),
        ("I. Setup", "Setup"), ("2 - Stability", "Stability"), ("> Quoted", "Quoted"), ("Don’t indent", ""),
        ("Types implement it and are used", ""),
    ],
)  # fmt: skip
def test_headings_as_names(heading: str, name: str) -> None:
    assert heading_name(heading) == name


def test_headings_that_fit_any_document_are_no_terms_and_keep_their_place() -> None:
    assert says_nothing("See also") and says_nothing("Step 2") and not says_nothing("Examples of mercury")
    passages = [
        Passage(id=f"{page}.md#{n}", source=f"{page}.md", title=title, text=f"Text {n} of {page}.",
                meta={"headings": [page, "Options", title]})
        for page in ("Alpha", "Beta", "Gamma") for n, title in enumerate(("Overview", "depth"))
    ]  # fmt: skip
    reading = read_corpus_subjects(passages, 2)
    assert {s.contexts for s in reading.subjects} == {("Alpha",), ("Beta",), ("Gamma",)}  # all three have "Options"
    chosen = choose_facets([reading.subjects[0], reading.subjects[1]])
    assert isinstance(chosen, list) and [f.bracketed() for f in chosen] == ["Overview (Alpha)", "depth"]
    found = find_terms(reading, Bootstrap(max_titles=8))
    assert {t.key for t in found[0]} == {"depth", "alpha", "beta", "gamma"}
    assert found[1]["terms left out: headings that fit any document"] == 2  # as homonym and as name


def test_code_as_headings_and_places_are_no_terms() -> None:
    passages = [
        Passage(id=f"a.md#{n}", source="a.md", title=title, text=f"Text {n}.", meta={"headings": ["A", above, title]})
        for n, (above, title) in enumerate((("At the top", "[repr(C)]"), ("At the top", "One"), ("At the top", "Two")))
    ]
    reading = read_corpus_subjects(passages, 8)
    assert [s.name for s in reading.subjects] == ["", "One", "Two"]
    assert "at the top" not in {t.key for t in find_terms(reading, Bootstrap())[0]}


def test_a_word_that_only_begins_sentences_is_no_name() -> None:
    texts = ("Alright. We met Ann there.", "Alright. Then Ann left.")
    passages = [Passage(id=str(n), title=f"Tale {n}", text=text) for n, text in enumerate(texts)]
    assert "Alright" not in read_corpus_subjects(passages).mentions


def test_a_word_in_code_or_an_example_is_no_matter_of_a_section() -> None:
    def section(text: str, **meta: object) -> Passage:
        return Passage(id="a.md#9", source="a.md", title="Sizes", text=text, meta=meta)

    assert _is_about(section("The token is short. It ends."), "token", True)
    assert not _is_about(section("The token is short. It ends."), "token", False)
    assert not _is_about(section("It is short. So is a token. It ends."), "token", True)
    assert _is_about(section("It is short. So is a token. Each token ends."), "token", False)
    assert not _is_about(section("Look: token = token", verbatim=[[6, 19]]), "token", True)
    assert not _is_about(section("It is short. Ask Ann. Ann knows."), "Ann", True)
    assert _is_about(section("It is short."), "sizes", False)
    assert _is_about(Passage(id="1", text="It is short. So is a token."), "token", False)


def test_a_section_that_is_called_just_so_leaves_no_doubt() -> None:
    def section(name: str, document: str) -> Subject:
        return Subject(name, name, contexts=(document,), document=document)

    term = Term("Selectors", "name", (0, 1))
    assert _only_one_is_meant([section("Selectors", "a"), section("Pseudo Selectors", "a")], term)
    assert not _only_one_is_meant([section("Selectors", "a"), section("Selectors", "b")], term)
    assert not _only_one_is_meant([section("All Selectors", "a"), section("Pseudo Selectors", "a")], term)


def test_queries_fit_the_grammar_of_headings() -> None:
    def typed(text: str, kind: str = "topic") -> set[str]:
        parts = [Subject("1", "One", contexts=(text,), common=(text,)), Subject("2", "Two", contexts=(text,))]
        return {q.text for q in typed_queries(Term(text, kind, (0, 1)), parts, random.Random(0), 12)}

    assert "how do I reproduce a table?" in {
        q.lower().replace("how do i", "how do I") for q in typed("Reproduce a table")
    }
    assert not any(q.startswith(("I need", "tell", "show")) for q in typed("Reproduce a table"))
    assert {q.lower() for q in typed("Folds, transfer, results")} == {"folds, transfer, results"}
    assert {q.lower() for q in typed("How it works")} == {"how it works"}
    assert not any(q.lower().startswith("how") for q in typed("Send and Sync"))
    assert any(q.lower() == "how do tokens work?" for q in typed("tokens"))
    assert any(q.lower() == "what are tokens?" for q in typed("tokens", "name"))
    assert not any("what is tokens" in q.lower() for q in typed("tokens", "name"))


def test_orders_as_options_stand_behind_a_colon() -> None:
    facets = [Facet("1", "Make training data", of_section=True), Facet("2", "Serve", of_section=True)]
    term = Term("Guide", "topic", (0, 1))
    texts = {w.text for seed in range(9) for w in write_questions(facets, "guide", term, 9, random.Random(seed))}
    assert texts and all(": Make training data or Serve?" in text for text in texts)
    found = [Passage(id="1", title="Make training data"), Passage(id="2", title="Serve")]
    assert not any(SelectionScorer(min_options=2).problem(text, "guide", found) for text in texts)


def test_what_is_retrieved_for_a_word_falls_into_clusters() -> None:
    def passage(number: int, text: str) -> Passage:
        return Passage(id=f"p{number}", title=f"Page {number}", text=text)

    river = "bank of the river where otters swim among reeds and willows grow near water"
    money = "bank that lends money at interest to traders with credit and keeps accounts"
    found = clusters([passage(n, t) for n, t in enumerate([river, money, river + " today", money + " safely"])], "bank")
    assert [[p.id for p in group] for group in found] == [["p0", "p2"], ["p1", "p3"]]
    assert clusters([], "bank") == []


def test_words_of_many_documents_are_asked_about_if_they_cluster() -> None:
    passages = []
    for number in range(12):
        river = number % 2 == 0
        text = (
            f"Otters swim near the bank of the river, reeds grow and willows stand in water {number}."
            if river
            else f"Traders pay interest to the bank, credit and money and accounts are kept {number}."
        )
        passages.append(
            Passage(id=f"p{number}", title=f"{'Wetland' if river else 'Lender'} {chr(65 + number)}", text=text)
        )
    passages.append(Passage(id="title", title="The old bank", text="It is closed."))
    passages += [
        Passage(id=f"x{n}", title=f"Other {n}", text=f"Nothing of note happened in place {n}.") for n in range(400)
    ]
    reading = read_corpus_subjects(passages, 8)
    assert "bank" in reading.common and "bank" not in reading.mentions
    settings = Bootstrap(examples=5, kinds=("cluster",), validation=0, test=0, top_k=6)
    made = bootstrap(passages, WordSearcher(passages), settings, 0)
    (example, *_) = [e for e in made.examples if e.meta["term"] == "bank"]
    assert example.meta["kind"] == "cluster" and len(example.facets) == 2
    assert {f.split()[0] for f in example.facets} == {"Wetland", "Lender"}


def test_the_document_of_a_passage() -> None:
    assert document_of(Passage(id="a.md#30", source="a.md")) == "a.md"
    assert document_of(Passage(id="a.md", source="a.md")) == "a.md"
    assert document_of(Passage(id="wikipedia:Dune", source="wikipedia")) == "wikipedia:Dune"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("util.debug", True), ("napi_create_object", True), ("asyncResource", True), ("Sino-Japanese War", False),
        ("U.S. Navy", False), ("McDonald", False), ("J. M.", False),
    ],
)  # fmt: skip
def test_names_of_programs_are_spelled_in_one_way(text: str, expected: bool) -> None:
    assert is_identifier(text) == expected
