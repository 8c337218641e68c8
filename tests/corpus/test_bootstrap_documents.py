"""Clarification data from documents with headings: sections are told apart by what stands above them."""

from __future__ import annotations

import pytest

from bootstrap_support import WordSearcher
from rac.corpus import read_corpus
from rac.corpus.bootstrap import Bootstrap, BootstrapResult, bootstrap
from rac.corpus.bootstrap.case import is_identifier
from rac.corpus.bootstrap.clusters import clusters
from rac.corpus.bootstrap.facets import Facet, choose_facets
from rac.corpus.bootstrap.subjects import Subject, document_of, read_corpus_subjects
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
