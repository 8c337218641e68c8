"""CLAQUA (Xu et al., EMNLP 2019), single turn, task 2: which of two entities of one name is meant.

Source: https://github.com/msra-nlc/MSParS_V2.0, ``data/single-turn/task2``. Licence: Apache-2.0. Sizes: 3,507
training and 431 validation rows, each with one question and two entities; 7,596 different entities.

Files: ``src-SPLIT.txt`` and ``tgt-SPLIT.txt``, one example a line, in the same order::

    src   QUERY <SP> NAME <S> TYPES <S> DESCRIPTION <SP> NAME <S> TYPES <S> DESCRIPTION
    tgt   Which one do you mean, <e> or <e>, when you say Rescue? <TSP> arcade game Rescue <TSP> Rescue published by X

Fields: ``questions`` is the target with its slots filled, ``facets`` the slots, ``passages`` and ``passage_ids`` both
entities, ``group`` the entities' common name (25 names lie in both splits), ``meta.natural`` is true when no option
is "non T X" (an option defined by lacking a type, 31 % of training and 35 % of validation). The corpus is every
entity of both splits. ``types`` are readable: "music.artist" becomes "music artist", "geography.lake" becomes "lake".
Types that say how the database stores a thing (``ratings.rated_entity`` and the like: 40 % of all types, and no gold
option uses one) are left out unless a thing has no other.

On purpose: four slots carry annotation behind ``<SMP>``, which is cut off; four rows have broken markers (``TSP>``,
``<>``), which are mended; rows whose slots still do not fit (three ``<e>`` for two parts) are left out; a row that
occurs twice becomes one example. The text is partly mojibake (UTF-8 read as GBK): it is kept as it is. All of that is
counted. Not here: the test split (can be brought by hand), the knowledge-base triples, task 1 (is clarification
needed) and the multi-turn part.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from rac.benchmarks.base import Benchmark, BenchmarkInfo, RemoteFile
from rac.benchmarks.text import has_mojibake, read_lines, stable_id
from rac.errors import DataError
from rac.records import ClarificationExample, Passage

_REPO, _COMMIT = "msra-nlc/MSParS_V2.0", "3e215b5f6ef47040275b3612fd2e1d5591909039"
_FOLDER = "data/single-turn/task2"


def _file(name: str, sha256: str, size: int) -> RemoteFile:
    # Every split needs every file, because the corpus is made of all of them.
    return RemoteFile(_REPO, _COMMIT, f"{_FOLDER}/{name}", sha256, size)


INFO = BenchmarkInfo(
    name="claqua",
    title="CLAQUA, single turn, entity ambiguity (task 2)",
    url="https://github.com/msra-nlc/MSParS_V2.0",
    licence="Apache-2.0",
    citation="Xu et al.: Asking Clarification Questions in Knowledge-Based Question Answering. EMNLP-IJCNLP 2019",
    splits=("train", "validation"),
    passages="its own corpus: all 7,596 entities (name, types, description); two gold ones for each query",
    own_passages=True,
    missing="test split, task 1, multi-turn part",
    splitting="the publisher's; group = the entities' name",
    by_hand=(("test", f"{_REPO}/{_FOLDER}/src-test.txt"),),
    files=(
        _file("src-train.txt", "318c1e3bb0b6507abf37def57d75629fa1bfb0842be37457ab0d7e974bc4c4f3", 3669723),
        _file("tgt-train.txt", "aea8594b026c6d5501e775c5c2034b4be234b70bb39674bd98bfed406c6ea436", 543563),
        _file("src-val.txt", "831f8df9679a23dc63043b88486a4670d2ec428945e1e027fd4b547141186015", 444814),
        _file("tgt-val.txt", "3ca278bf75700345172ce74a241d89dea51b4e3f3f5289b0289d8604f263a458", 69472),
    ),
)

# A name space is shown only before a last word that several name spaces share: "tv actor", but "lake".
_SHARED_WORDS = frozenset(
    re.findall(r"\w+", """
    actor artist athlete author board_member character coach crewmember creator director division entity group house
    league operation player producer production program publisher series series_episode subject team writer
    """)
)  # fmt: skip
# These say nothing about the thing itself.
_EMPTY_NAMESPACES = frozenset({"media_common", "ratings", "common", "dev/common", "award", "event", "people"})
_RENAMED = {
    "award.winning_work": "award-winning work",  # as the gold questions put it
    "fictional_universe.character": "fictional character",
    "fictional_universe.agent": "fictional agent",
    "religion.place_of_worship.religion": "religion",
}
_ASSIGNMENT = re.compile(r'(\S+\.\S+) = (?:"([^"]*)"|([^"./=]+?))(?=\s+\S*[./]|\s*$)')
_BOOKKEEPING = frozenset(
    {
        "rated entity", "cataloged instance", "creative work", "content", "ranked item", "local entity",
        "project focus", "conflation_hint",
    }
)  # fmt: skip

_SLOT = re.compile(r"<e>")
_PART = re.compile(r"<TSP>")
_BROKEN_PART = re.compile(r"<TSP(?!>)|(?<!<)\bTSP>")
_BROKEN_SLOT = re.compile(r"<>")
_ANNOTATION = re.compile(r"<SMP>.*", re.DOTALL)
_SPACE = re.compile(r"\s+")
_NON_TYPE = re.compile(r"non\s", re.IGNORECASE)


def readable_types(source: str) -> tuple[str, ...]:
    """Turn the source's type names into words, in their order, each once.

    >>> readable_types('music.artist ratings.rated_entity education.school_type = "High school"')
    ('music artist', 'high school')
    """
    values: list[str] = []

    def take(match: re.Match[str]) -> str:
        values.append((match[2] if match[2] is not None else match[3]).strip())
        return f"\x00{len(values) - 1}"

    words: list[str] = []
    loose: list[str] = []
    for token in [*_ASSIGNMENT.sub(take, source).split(), ""]:
        if token and not re.search(r"[./\x00]", token):
            loose.append(token.strip('"'))
            continue
        if loose:
            words.append(" ".join(loose))
            loose = []
        if token.startswith("\x00"):
            words.append(values[int(token[1:])].lower())
        elif token:
            words.append(_readable_type(token))
    found = tuple(dict.fromkeys(word for word in words if word))
    return tuple(word for word in found if word not in _BOOKKEEPING) or found


def _readable_type(token: str) -> str:
    if token in _RENAMED:
        return _RENAMED[token]
    namespace, _, last = token.rpartition(".")
    namespace, last = namespace or "", last.rpartition("/")[2]
    if last in _SHARED_WORDS and namespace and namespace not in _EMPTY_NAMESPACES:
        last = f"{namespace.rpartition('/')[2].replace('.', ' ')} {last}"
    return last.replace("_", " ").strip()


def make_passage(name: str, types: str, description: str) -> Passage:
    """Make the passage of an entity; its id depends on name, set of types and description only."""
    return Passage(
        id=stable_id("claqua", name, " ".join(sorted(types.split())), description),
        title=name,
        types=readable_types(types),
        text=description,
        source="CLAQUA",
    )


def fill_slots(target: str, counts: Counter[str] | None = None) -> tuple[str, tuple[str, ...]] | None:
    """Fill the ``<e>`` slots of a target line from its ``<TSP>`` parts.

    Args:
        target: ``TEMPLATE <TSP> PART <TSP> PART``.
        counts: Counts what had to be repaired.

    Returns:
        The question and the parts, or None if slots and parts do not fit each other.

    >>> fill_slots("Do you mean <e> or <e>? <TSP> arcade game Rescue <TSP> Rescue by X")
    ('Do you mean arcade game Rescue or Rescue by X?', ('arcade game Rescue', 'Rescue by X'))
    """
    counts = Counter() if counts is None else counts
    mended = _BROKEN_SLOT.sub("<e>", _BROKEN_PART.sub("<TSP>", target))
    counts["targets with a broken marker (mended)"] += mended != target
    template, *parts = _PART.split(mended)
    clean = tuple(_SPACE.sub(" ", _ANNOTATION.sub("", part)).strip() for part in parts)
    counts["targets with annotation in a slot (cut off)"] += any("<SMP>" in part for part in parts)
    if not clean or not all(clean) or len(_SLOT.findall(template)) != len(clean):
        return None
    filling = iter(clean)
    question = _SLOT.sub(lambda _: next(filling), template)
    return _SPACE.sub(" ", question).strip(), clean


def _read_split(directory: Path, split: str, counts: Counter[str]) -> list[ClarificationExample]:
    short = "val" if split == "validation" else split
    source_path = directory / _REPO / _FOLDER / f"src-{short}.txt"
    target_path = directory / _REPO / _FOLDER / f"tgt-{short}.txt"
    sources, targets = read_lines(source_path), read_lines(target_path)
    if len(sources) != len(targets):
        raise DataError(
            target_path,
            f"has {len(targets)} lines where {source_path.name} has {len(sources)}; the two files belong together line "
            "by line, fetch both again",
        )
    examples: dict[str, ClarificationExample] = {}
    for number, (source, target) in enumerate(zip(sources, targets, strict=True), start=1):
        counts["rows"] += 1
        query, *entities = (part.strip() for part in source.split("<SP>"))
        fields = [[f.strip() for f in entity.split("<S>")] for entity in entities]
        if not query or len(fields) < 2 or any(len(f) != 3 or not f[0] for f in fields):
            raise DataError(
                source_path,
                "is not 'QUERY <SP> NAME <S> TYPES <S> DESCRIPTION <SP> ...' with at least two entities",
                line=number,
            )
        passages = tuple({p.id: p for p in (make_passage(*f) for f in fields)}.values())
        counts["rows with mojibake (kept)"] += has_mojibake(source) or has_mojibake(target)
        filled = fill_slots(target, counts)
        if filled is None:
            counts["rows without a question: slots and parts do not fit (left out, entities kept)"] += 1
        key = "\x1f".join([query, *(p.id for p in passages)])
        example = examples.get(key)
        if example is not None:
            counts["rows that repeat query and entities (merged)"] += 1
        questions, facets = (filled[0],) if filled else (), filled[1] if filled else ()
        counts["questions that offer one option twice"] += len({f.casefold() for f in facets}) < len(facets)
        natural = not any(_NON_TYPE.match(f) for f in facets)
        if example is None:
            examples[key] = ClarificationExample(
                id=f"claqua-{split}-{number:04d}",
                query=query,
                questions=questions,
                passages=passages,
                passage_ids=tuple(p.id for p in passages),
                facets=facets,
                qrels={p.id: 1 for p in passages},
                group=f"claqua {passages[0].title.casefold()}",
                split=split,
                meta={"natural": natural},
            )
        else:
            examples[key] = example.model_copy(
                update={
                    "questions": tuple(dict.fromkeys([*example.questions, *questions])),
                    "facets": tuple(dict.fromkeys([*example.facets, *facets])),
                    "meta": {"natural": natural and example.meta["natural"]},
                }
            )
    return list(examples.values())


def _read(directory: Path, split: str, counts: Counter[str]) -> tuple[list[ClarificationExample], list[Passage]]:
    # The corpus is that of all splits, whichever one is asked for: retrieval must not get easier for a small split.
    # A test split brought by hand adds to it, but only where it is asked for, so that other tables stay the same.
    corpus: dict[str, Passage] = {}
    examples: list[ClarificationExample] = []
    for part in INFO.splits if split != "test" else (*INFO.splits, "test"):
        wanted = split in (part, "all")
        found = _read_split(directory, part, counts if wanted else Counter())
        for example in found:
            corpus.update((p.id, p) for p in example.passages if p.id not in corpus)
        if wanted:
            examples += [e for e in found if e.questions]
    counts["queries whose gold is natural (no 'non T' option)"] = sum(bool(e.meta["natural"]) for e in examples)
    return examples, list(corpus.values())


BENCHMARK = Benchmark(INFO, _read)
