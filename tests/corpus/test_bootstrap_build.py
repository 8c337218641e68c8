from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from bootstrap_support import CORPUS, WordSearcher
from rac.corpus.bootstrap import Bootstrap, bootstrap
from rac.corpus.bootstrap.card import data_card
from rac.corpus.bootstrap_settings import KINDS
from rac.errors import UserError
from rac.records import Passage

SETTINGS = Bootstrap(examples=200, validation=0.1, test=0.2)
SEARCHER = WordSearcher(CORPUS)


def test_examples_of_every_kind_with_options_from_the_retrieved_passages() -> None:
    # A name that two texts mention and that is nobody's title; nationalities are none.
    ferry = Passage(id="azul", title="Azul", description="Ferry", text="Azul is a ferry that sails from Lisbon.")
    hall = Passage(id="ribeira", title="Ribeira", description="Market hall", text="Ribeira is a hall in Lisbon.")
    corpus = [*CORPUS, ferry, hall]
    searcher = WordSearcher(corpus)
    result = bootstrap(corpus, searcher, SETTINGS, 0)
    # Sections and clusters need documents: see test_bootstrap_documents.
    assert {e.meta["kind"] for e in result.examples} == set(KINDS) - {"topic", "cluster"}
    by_id = {p.id: p for p in corpus}
    for example in result.examples:
        d = {hit.passage.id for hit in searcher.search_batch([example.query], SETTINGS.top_k)[0]}
        assert len(example.passage_ids) in (2, 3)
        assert set(example.passage_ids) <= d
        assert 1 <= len(example.questions) <= SETTINGS.questions_per_example
        for facet, passage_id in zip(example.facets, example.passage_ids, strict=True):
            source = by_id[passage_id]
            text = f"{source.title} {source.description} {source.text}".lower()
            for word in facet.replace(",", " ").replace("(", " ").replace(")", " ").lower().split():
                assert word in text or word == "the", (facet, word)


def test_known_questions() -> None:
    questions = [q for e in bootstrap(CORPUS, SEARCHER, SETTINGS, 0).examples for q in e.questions]
    assert any("Casablanca (city)" in q and "Casablanca (1942 film)" in q for q in questions)
    assert any("the opera by Giuseppe Verdi" in q and "the opera by Georges Bizet" in q for q in questions)


def test_same_seed_same_data_and_another_seed_other_data() -> None:
    first = bootstrap(CORPUS, SEARCHER, SETTINGS, 7)
    assert first == bootstrap(CORPUS, SEARCHER, SETTINGS, 7, batch=3)
    assert first.examples != bootstrap(CORPUS, SEARCHER, SETTINGS, 8).examples


def test_ids_and_queries_are_unique_and_groups_stay_together() -> None:
    examples = bootstrap(CORPUS, SEARCHER, SETTINGS, 0).examples
    assert max(Counter(e.id for e in examples).values()) == 1
    assert max(Counter(e.query.lower() for e in examples).values()) == 1
    split_of: dict[str, str] = {}
    for example in examples:
        assert split_of.setdefault(example.group, example.split) == example.split


def test_every_query_tried_is_kept_or_counted() -> None:
    counts = bootstrap(CORPUS, SEARCHER, SETTINGS, 0).counts
    left_out = sum(n for name, n in counts.items() if name.startswith("queries left out: "))
    dropped = counts.get("examples left out: share a passage with a held-out query", 0)
    kept = sum(counts.get(f"examples: {split}", 0) for split in ("train", "validation", "test"))
    assert counts["queries tried"] == left_out + dropped + kept


def test_a_number_of_examples_is_a_limit() -> None:
    assert len(bootstrap(CORPUS, SEARCHER, Bootstrap(examples=3, validation=0, test=0), 0).examples) == 3


def test_the_check_refuses_questions_and_is_counted() -> None:
    def no_brackets(question: str, query: str, passages: Sequence[Passage]) -> str:
        assert query
        assert passages
        return "brackets" if "(" in question else ""

    result = bootstrap(CORPUS, SEARCHER, SETTINGS, 0, check=no_brackets)
    assert not any("(" in q for e in result.examples for q in e.questions)
    assert result.counts["questions left out: brackets"] > 0


def test_rewordings_must_keep_every_option() -> None:
    def shout(items: Sequence[tuple[str, str, Sequence[Passage]]]) -> list[str]:
        assert all(passages for _, _, passages in items)
        return [
            "Hm. " + q if query == query.lower() else "What do you mean?" if q[0] < "E" else "" for q, query, _ in items
        ]

    result = bootstrap(CORPUS, SEARCHER, SETTINGS, 0, reword=shout)
    assert result.counts["rewordings used"] > 0
    assert result.counts["rewordings left out: an option or the question mark is missing"] > 0
    assert result.counts["rewordings left out: no answer"] > 0
    for example in result.examples:
        assert all(q.startswith("Hm. ") == (example.query == example.query.lower()) for q in example.questions)


def test_rewordings_are_checked_too() -> None:
    def refuse(question: str, query: str, passages: Sequence[Passage]) -> str:
        return "shouted" if question.startswith("HEY") else ""

    plain = bootstrap(CORPUS, SEARCHER, SETTINGS, 0)
    result = bootstrap(CORPUS, SEARCHER, SETTINGS, 0, check=refuse, reword=lambda items: ["HEY " + i[0] for i in items])
    assert result.examples == plain.examples
    assert result.counts["rewordings left out: shouted"] == result.counts["questions written"]


def test_faults_become_preference_pairs() -> None:
    result = bootstrap(CORPUS, SEARCHER, SETTINGS.model_copy(update={"faults_per_example": 2}), 0)
    examples = {e.id: e for e in result.examples}
    assert result.pairs
    for pair in result.pairs:
        assert pair.chosen in examples[pair.example_id].questions
        assert pair.chosen not in pair.all_rejected
        assert len(pair.all_rejected) == len(pair.rejected_kinds) <= 2
        assert set(examples[pair.example_id].passage_ids) <= {p.id for p in pair.passages}


def test_pairs_of_held_out_queries_are_left_out_and_counted() -> None:
    result = bootstrap(CORPUS, SEARCHER, SETTINGS.model_copy(update={"faults_per_example": 1}), 0)
    training = {e.id for e in result.examples if e.split == "train"}
    assert len(training) < len(result.examples) and {p.example_id for p in result.pairs} <= training
    left_out = {name: n for name, n in result.counts.items() if name.startswith("pairs left out: ")}
    assert left_out["pairs left out: of validation and test queries"] > 0
    made = result.counts.get("examples without a faulty twin", 0) + len(result.pairs) + sum(left_out.values())
    everything = len(result.examples) + result.counts.get("examples left out: share a passage with a held-out query", 0)
    assert made == everything
    assert "| pairs left out: of validation and test queries |" in data_card(result, SETTINGS, 0, "mine")


def test_near_duplicates_are_one_option() -> None:
    text = "A long text about a lake in the north that both of the two entries have in common word by word."
    twins = [
        Passage(id="1", title="Hope (song)", description="1990 song", text=text),
        Passage(id="2", title="Hope (lake)", description="Canadian lake", text=text + " Indeed."),
    ]
    with pytest.raises(UserError, match="can be told apart"):
        bootstrap(twins, WordSearcher(twins), Bootstrap(), 0)


def test_parts_of_a_document_are_one_option_if_they_carry_its_words() -> None:
    def part(document: str, number: int, text: str, description: str = "") -> Passage:
        source = f"{document}.md"
        return Passage(id=f"{source}#{number}", title=document, description=description, text=text, source=source)

    passages = [
        part("Deployment guide", 0, "How the service is set up.", "Guide for operators"),
        part("Deployment guide", 1, "Deployment guide, rollback: a deployment is undone.", "Guide for operators"),
        part("Deployment checklist", 0, "Deployment needs a key, a host and a backup."),
    ]
    result = bootstrap(passages, WordSearcher(passages), Bootstrap(validation=0, test=0, kinds=("name",)), 0)
    assert {e.group for e in result.examples} == {"deployment"}
    for example in result.examples:
        assert len({i.split("#")[0] for i in example.passage_ids}) == len(example.passage_ids) == 2
        assert all("Deployment checklist" in question for question in example.questions)


def test_an_empty_or_plain_corpus_is_refused_with_advice() -> None:
    with pytest.raises(UserError, match="holds no passage"):
        bootstrap([], SEARCHER, Bootstrap(), 0)
    plain = [Passage(id="1", title="One", text="Text."), Passage(id="2", title="Two", text="Other.")]
    with pytest.raises(UserError, match="give a larger corpus"):
        bootstrap(plain, WordSearcher(plain), Bootstrap(), 0)


def test_shares_that_leave_nothing_to_train_on_are_refused() -> None:
    with pytest.raises(ValueError, match="leave nothing to train on"):
        Bootstrap(validation=0.5, test=0.5)
    with pytest.raises(ValueError, match="extra"):
        Bootstrap(example=3)  # type: ignore[call-arg]


def test_the_data_card_tells_counts_and_escapes_the_corpus() -> None:
    passages = [
        Passage(id="1", title="Hope <script>", description="1990 song", text="A song about the sea and the wind."),
        Passage(id="2", title="Hope <script> (film)", description="1991 film", text="Moving pictures of a farm."),
    ]
    settings = Bootstrap(validation=0, test=0)
    card = data_card(bootstrap(passages, WordSearcher(passages), settings, 0), settings, 0, "mine")
    assert "# Clarification data from `mine`" in card
    assert "| train | " in card
    assert "<script>" not in card
