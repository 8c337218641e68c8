"""JSON Lines, datasets.Dataset, TREC formats and folders of them: nothing is lost on the way."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark_support import SOME, examples, passages, words, write
from rac.benchmarks import READERS, trec
from rac.benchmarks.export import export_examples
from rac.errors import DataError, UserError
from rac.files import read_records, write_records
from rac.records import ClarificationExample, Passage

several = st.lists(examples, max_size=4, unique_by=lambda e: e.id)
PINNED = [name for name, benchmark in READERS.items() if benchmark.info.files]


@given(several)
@SOME
def test_json_lines_round_trip(tmp_path_factory: pytest.TempPathFactory, found: list[ClarificationExample]) -> None:
    path = tmp_path_factory.mktemp("j") / "e.jsonl"
    write_records(path, found)
    assert read_records(path, ClarificationExample) == found


@pytest.mark.extra
@given(several)
@SOME
def test_datasets_round_trip(found: list[ClarificationExample]) -> None:
    from rac.benchmarks.hub import from_dataset, to_dataset

    assert from_dataset(to_dataset(found)) == found


@pytest.mark.extra
def test_dataset_columns_and_refusals(tmp_path: Path) -> None:
    import datasets

    from rac.benchmarks.hub import from_dataset, to_dataset, to_dataset_dict

    example = ClarificationExample(
        id="1", query="q", split="publisher-train", qrels={"p": 2}, passages=(Passage(id="p"),)
    )
    dataset = to_dataset([example])
    assert dataset[0]["qrels"] == [{"passage_id": "p", "grade": 2}]
    assert list(to_dataset_dict([example])) == ["publisher_train"]
    with pytest.raises(UserError, match="no column 'id'"):
        from_dataset(datasets.Dataset.from_list([{"query": "q"}]))
    written = export_examples([example], [], tmp_path / "hf", "datasets")
    assert written == {"publisher_train": 1}
    assert from_dataset(datasets.load_from_disk(str(tmp_path / "hf"))["publisher_train"]) == [example]


@given(
    st.lists(
        st.tuples(words, words, st.dictionaries(words, st.integers(-2, 9), max_size=3)),
        max_size=4,
        unique_by=lambda t: t[0],
    )
)
@SOME
def test_trec_topics_and_qrels_round_trip(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, dict[str, int]]]
) -> None:
    folder = tmp_path_factory.mktemp("t")
    found = [ClarificationExample(id=i, query=q, qrels=judged) for i, q, judged in rows]
    trec.write_topics(folder / "topics", found)
    trec.write_qrels(folder / "qrels", found)
    assert trec.read_topics(folder / "topics") == {i: q for i, q, _ in rows}
    assert trec.read_qrels(folder / "qrels") == {i: judged for i, _, judged in rows if judged}


@given(words)
@SOME
def test_trec_ids_have_no_white_space(identity: str) -> None:
    encoded = trec.encode_id(f"{identity} \t{identity}")
    assert encoded.split() == [encoded]
    assert trec.decode_id(encoded) == f"{identity} \t{identity}"


@given(st.lists(passages, max_size=4, unique_by=lambda p: p.id), st.booleans())
@SOME
def test_trec_collections_round_trip(
    tmp_path_factory: pytest.TempPathFactory, found: list[Passage], zipped: bool
) -> None:
    path = tmp_path_factory.mktemp("c") / "corpus.trec"
    trec.write_collection(path, found)
    if zipped:
        packed = path.with_suffix(".gz")
        packed.write_bytes(gzip.compress(path.read_bytes()))
        path = packed
    again = list(trec.read_collection(path))
    assert [p.id for p in again] == [p.id for p in found]
    for before, after in zip(found, again, strict=True):
        assert after.title == " ".join(before.title.split())
        extra = ", ".join([*before.types, *([before.description] if before.description else [])])
        assert after.text == " ".join(f"{extra}\n{before.text}".split())


def test_collections_of_other_makers(tmp_path: Path) -> None:
    write(
        tmp_path / "a" / "one.txt",
        b"<DOC>\n<DOCNO> FT911-1 </DOCNO>\n<HEADLINE>A <b>head</b> &amp; line</HEADLINE>\n"
        b"<TEXT>\nOne\n</TEXT>\n<TEXT>caf\xe9</TEXT>\n</DOC>\n"
        b"<doc><docno>x2</docno>\njust < 3 words <p>here</p>\n</doc>\n",
    )
    write(tmp_path / "a" / "b" / "two.gz", gzip.compress(b"<DOC><DOCNO>z</DOCNO><BODY>Two</BODY></DOC>\n"))
    found = {p.id: (p.title, p.text) for p in trec.read_collection(tmp_path / "a")}
    assert found == {"FT911-1": ("A head & line", "One café"), "x2": ("", "just < 3 words here"), "z": ("", "Two")}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<DOC>\n<DOCNO>a</DOCNO>\n<TEXT>x", "line 1: the last document does not end"),
        (b"<DOC>\n<TEXT>x</TEXT>\n</DOC>\n", "line 1: is a document without <DOCNO>"),
        (b"<DOC>\n<DOCNO>a</DOCNO>\n<DOC>\n", "line 3: a document begins before the one before it ends"),
    ],
)
def test_broken_collections_are_refused(content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        list(trec.read_collection(write(tmp_path / "c.txt", content)))
    with pytest.raises(DataError, match="not a whole gzip file"):
        list(
            trec.read_collection(
                write(tmp_path / "c.gz", gzip.compress(b"<DOC>\n<DOCNO>a</DOCNO>\n</DOC>\n" * 2000)[:-20])
            )
        )
    with pytest.raises(DataError, match="no such file or folder"):
        list(trec.read_collection(tmp_path / "none"))


def test_topics_of_other_makers_and_broken_ones(tmp_path: Path) -> None:
    path = tmp_path / "t"
    write(
        path,
        "<top>\n<num> Number: 301 </num>\n<title> Topic: Organized\n crime &amp; co\n<desc> Description:\nx\n</top>",
    )
    assert trec.read_topics(path) == {"301": "Organized crime & co"}
    write(path, "1\tfirst query\n\n2\tsecond\n")
    assert trec.read_topics(path) == {"1": "first query", "2": "second"}
    for content, message in (
        ("<top><num>1</num></top>", "topic 1 has no <num> or no <title>"),
        ("1 no tab\n", "line 1: is neither"),
        ("1\ta\n1\tb\n", "line 2: topic '1' occurs twice"),
    ):
        with pytest.raises(DataError, match=message):
            trec.read_topics(write(path, content))
    for content, message in (
        ("1 0 d\n", "line 1: is not 'TOPIC 0 DOCUMENT GRADE'"),
        ("1 0 d x\n", "line 1: is not"),
        ("1 0 d 1 e\n", "has 5 fields"),
        ("1 0 d 1\n1 0 d 2\n", "line 2: judges 'd' twice for topic '1', with two grades"),
    ):
        with pytest.raises(DataError, match=message):
            trec.read_qrels(write(path, content))


def test_gold_passages_are_judgements_where_there_are_none(tmp_path: Path) -> None:
    trec.write_qrels(tmp_path / "q", [ClarificationExample(id="a b", query="q", passage_ids=("p 1", "p2"))])
    assert (tmp_path / "q").read_text() == "a%20b 0 p%201 1\na%20b 0 p2 1\n"


def test_export_folders(tmp_path: Path) -> None:
    found = [ClarificationExample(id=f"e{s}", query="q", split=s, passage_ids=("p",)) for s in ("train", "dev", "")]
    corpus = [Passage(id="p", text="t")]
    assert export_examples(found, corpus, tmp_path / "x", "jsonl") == {
        "train.jsonl": 1, "dev.jsonl": 1, "all.jsonl": 1, "corpus.jsonl": 1,
    }  # fmt: skip
    written = export_examples(found, corpus, tmp_path / "x", "trec")
    assert sorted(p.name for p in (tmp_path / "x").iterdir() if p.suffix) == sorted(written)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(UserError, match="holds files that rac export did not write"):
        export_examples(found, corpus, tmp_path / "mine", "jsonl")
    with pytest.raises(UserError, match="is a file where a folder"):
        export_examples(found, corpus, tmp_path / "mine" / "thesis.txt", "jsonl")
    with pytest.raises(UserError, match="no export format; did you mean 'trec'"):
        export_examples(found, corpus, tmp_path / "y", "trek")
    with pytest.raises(UserError, match=r"'\.\./up' cannot be a file name"):
        export_examples([found[0].model_copy(update={"split": "../up"})], [], tmp_path / "y", "jsonl")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "x" and not (tmp_path / "y").exists()


@pytest.mark.parametrize("name", PINNED)
def test_every_real_benchmark_keeps_the_contract_and_round_trips(name: str, mirror: Path, tmp_path: Path) -> None:
    benchmark = READERS[name]
    data = benchmark.read(mirror)
    ids = [e.id for e in data.examples]
    assert len(set(ids)) == len(ids) > 0
    assert {e.split for e in data.examples} == set(benchmark.info.splits)
    corpus = {p.id: p for p in data.corpus}
    assert len(corpus) == len(data.corpus)
    assert bool(corpus) == benchmark.info.own_passages
    for example in data.examples:
        assert example.query == example.query.strip()
        assert all(q.strip() for q in example.questions)
        assert {p.id: p for p in example.passages}.items() <= corpus.items()
        assert set(example.gold_ids) <= corpus.keys() and set(example.qrels) <= corpus.keys()
        assert not any(" " in i for i in (*example.gold_ids, example.id))
    export_examples(data.examples, data.corpus, tmp_path / "out", "jsonl")
    again = [
        e
        for split in benchmark.info.splits
        for e in read_records(tmp_path / "out" / f"{split}.jsonl", ClarificationExample)
    ]
    assert sorted(again, key=lambda e: e.id) == sorted(data.examples, key=lambda e: e.id)


@pytest.mark.extra
@pytest.mark.parametrize("name", PINNED)
def test_every_real_benchmark_is_a_dataset(name: str, mirror: Path) -> None:
    from rac.benchmarks.hub import from_dataset, to_dataset

    found = READERS[name].read(mirror).examples[:200]
    assert from_dataset(to_dataset(found)) == found
