from __future__ import annotations

from rac.corpus.bootstrap.facets import Facet, choose_facets, is_supported
from rac.corpus.bootstrap.phrases import NounPhrase
from rac.corpus.bootstrap.subjects import Subject, find_acronyms, read_corpus_subjects
from rac.records import Passage


def subject(name: str, short: str, long: str = "", **more: object) -> Subject:
    return Subject(id=name + short, name=name, phrase=NounPhrase(short, long or short), **more)  # type: ignore[arg-type]


def facets_of(*subjects: Subject, term: str = "", of_class: bool = False) -> list[Facet]:
    facets = choose_facets(subjects, term, of_class=of_class)
    assert isinstance(facets, list), facets
    return facets


def test_options_in_all_forms() -> None:
    lear, king = facets_of(subject("King Lear", "play"), subject("B. B. King", "guitarist"), term="King")
    assert lear.appositive() == "King Lear, the play"
    assert lear.bracketed() == "King Lear (play)"
    assert king.prefixed() == "the guitarist B. B. King"


def test_namesakes_get_the_longer_description() -> None:
    facets = facets_of(subject("Hyderabad", "city", "city in India"), subject("Hyderabad", "city", "city in Pakistan"))
    assert [f.description for f in facets] == ["city in India", "city in Pakistan"]


def test_members_of_a_class_get_years_or_names_and_attributes() -> None:
    poets = [
        subject("Li Bai", "Chinese poet", years="701–762"),
        subject("Tao Yuanming", "Chinese poet", years="365–427"),
    ]
    assert [f.bracketed() for f in facets_of(*poets, term="Chinese poet", of_class=True)] == [
        "Li Bai (701–762)",
        "Tao Yuanming (365–427)",
    ]
    operas = [subject("Carmen", "opera", "opera by Bizet"), subject("La traviata", "opera", "opera by Verdi")]
    facets = facets_of(*operas, term="opera", of_class=True)
    assert [f.bracketed() for f in facets] == ["Carmen", "La traviata"]
    assert [f.by_attribute() for f in facets] == ["the opera by Bizet", "the opera by Verdi"]


def test_attributes_that_are_equal_tell_nothing_apart() -> None:
    operas = [subject("Aida", "opera", "opera by Verdi"), subject("La traviata", "opera", "opera by Verdi")]
    assert all(f.attribute == "" for f in facets_of(*operas, term="opera", of_class=True))


def test_the_reason_why_a_passage_is_meant_is_said() -> None:
    (novel, _) = facets_of(
        subject("War and Peace", "novel", "novel by Leo Tolstoy"), subject("Leo Tolstoy", "writer"), term="Tolstoy"
    )
    assert novel.description == "novel by Leo Tolstoy"


def test_what_cannot_be_told_apart_is_refused_with_a_reason() -> None:
    assert choose_facets([subject("Hope", "song"), subject("Hope", "song")]) == "passages cannot be told apart"
    bare = Subject(id="x", name="Hope")
    assert choose_facets([bare, subject("Hope", "song")]) == "passages cannot be told apart"


def test_names_without_description_stand_alone() -> None:
    bare = Subject(id="x", name="History of Hope")
    assert [f.bracketed() for f in facets_of(bare, subject("Hope", "song"))] == ["History of Hope", "Hope (song)"]


def test_support_is_checked_word_by_word() -> None:
    passage = Passage(id="1", title="King Lear", description="Play by William Shakespeare", text="A tragedy.")
    assert is_supported(Facet("1", "King Lear", "play"), passage)
    assert not is_supported(Facet("1", "King Lear", "film"), passage)
    assert not is_supported(Facet("1", "King Lear", years="1606"), passage)


def test_a_description_before_its_name_must_not_repeat_it() -> None:
    assert not Facet("1", "Straits of Florida", "strait").before_name
    assert not Facet("1", "Robert I", "king of Scotland").before_name
    assert Facet("1", "King Lear", "play").before_name
    assert not Facet("1", "Joseph II, Holy Roman Emperor", "monarch").after_name


def test_articles_are_those_of_the_text() -> None:
    passages = [
        Passage(id="1", title="Canary Islands", description="Archipelago", text="The Canary Islands are Spanish."),
        Passage(id="2", title="Spain", description="Country", text="Spain is a country."),
    ]
    first, second = read_corpus_subjects(passages).subjects
    assert (first.article, second.article) == (True, False)
    assert Facet("1", first.name, "archipelago", article=True).bracketed() == "the Canary Islands (archipelago)"


def test_years_are_read_from_descriptions() -> None:
    passages = [
        Passage(id=str(n), title=f"Name {n}", description=d, text="Text.")
        for n, d in enumerate(["Poet (701–762)", "Author (born 1947)", "Poet (c. 310 – c. 395 AD)", "Film (restored)"])
    ]
    assert [s.years for s in read_corpus_subjects(passages).subjects] == [
        "701–762",
        "born 1947",
        "c. 310 – c. 395 AD",
        "",
    ]


def test_acronyms_are_spelled_by_the_name_and_stand_in_the_text() -> None:
    assert find_acronyms("Linear programming", "Linear programming (LP) is") == ("LP",)
    assert find_acronyms("Linear programming", "It is a method.") == ()
    assert find_acronyms("World Health Organization", "The WHO is") == ("WHO",)
    assert find_acronyms("HIV", "A virus.") == ("HIV",)
    assert find_acronyms("World War II", "A war.") == ()
