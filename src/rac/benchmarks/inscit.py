"""INSCIT (Wu et al., TACL 2023): information-seeking conversations over Wikipedia, with clarifying responses.

Source: https://github.com/ellenmellon/INSCIT, ``data/dev.json``. Licence: not stated by the publisher. Sizes: 86
conversations, 502 turns, 835 responses; 116 responses in 92 turns are clarifications.

One example is one turn that at least one annotator answered with a clarification: ``query`` the user's last
utterance, ``history`` the turns before, ``questions`` the clarifying responses (some begin with a statement: "There
are two. Which ...?"), ``answers`` the responses of other types to the same turn, ``passages`` the evidence of the
clarifications, ``qrels`` 1 for those, ``labels.response_types`` one for each annotator. ``group`` is the seed
article. The corpus is every evidence passage of the file, of all turns. A passage's title is its article and
sections.

Turns without a clarification are left out and counted. The source has no facets and no resolved queries. Splits: the
publisher's training and test files are not fetched, so its dev file is carved by seed article into ``train`` (70 %)
and ``evaluation``; bring the others by hand as ``publisher-train`` and ``publisher-test``. Not here: the full
Wikipedia dump behind the benchmark; retrieval from 996 passages is easier than the original task.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rac.benchmarks.base import Benchmark, BenchmarkInfo, RemoteFile
from rac.benchmarks.history import turn
from rac.benchmarks.sources import SourceModel, read_source_json
from rac.benchmarks.text import squeeze
from rac.errors import DataError
from rac.records import ClarificationExample, Passage

_REPO, _COMMIT = "ellenmellon/INSCIT", "2319fb85932b9528a13417223ffc6fc629ae8087"

INFO = BenchmarkInfo(
    name="inscit",
    title="INSCIT, clarifying responses in conversations over Wikipedia",
    url="https://github.com/ellenmellon/INSCIT",
    licence="not stated; public research data",
    citation="Wu et al.: InSCIt: Information-Seeking Conversations with Mixed-Initiative Interactions. TACL 2023",
    splits=("train", "evaluation"),
    passages="its own corpus: the 996 evidence passages of all turns; gold ones for each clarification",
    own_passages=True,
    missing="the publisher's training and test files, the full Wikipedia dump, facets, resolved queries",
    splitting="carved from the publisher's dev file, 70/30 by seed article; group = seed article",
    files=(
        RemoteFile(
            _REPO, _COMMIT, "data/dev.json",
            "00d8760bbf42637a8628d52af88f32441b3d4cea32e0fe26d5c9dbe7e1aa4243", 4176926,
        ),
    ),
    by_hand=(("publisher-train", f"{_REPO}/data/train.json"), ("publisher-test", f"{_REPO}/data/test.json")),
    carved=(("train", 0.7), ("evaluation", 0.3)),
)  # fmt: skip


class _Evidence(SourceModel):
    passage_id: str
    passage_text: str
    passage_titles: list[str]


class _Label(SourceModel):
    responseType: str
    response: str
    evidence: list[_Evidence]


class _Turn(SourceModel):
    context: list[str]
    prevEvidence: list[list[_Evidence]]
    labels: list[_Label]


class _Article(SourceModel):
    title: str
    topic: str = ""


class _Conversation(SourceModel):
    seedArticle: _Article
    turns: list[_Turn]


def _passage(evidence: _Evidence) -> Passage:
    return Passage(
        id="inscit-" + "_".join(evidence.passage_id.split()),
        title=" - ".join(map(squeeze, evidence.passage_titles)),
        text=squeeze(evidence.passage_text),
        source="Wikipedia",
    )


def _file_of(split: str) -> str:
    return {"publisher-train": "train", "publisher-test": "test"}.get(split, "dev")


def _read(directory: Path, split: str, counts: Counter[str]) -> tuple[list[ClarificationExample], list[Passage]]:
    path = directory / _REPO / f"data/{_file_of(split)}.json"
    corpus: dict[str, Passage] = {}
    examples: list[ClarificationExample] = []
    for name, conversation in read_source_json(path, dict[str, _Conversation]).items():
        counts["conversations"] += 1
        for number, item in enumerate(conversation.turns):
            counts["turns"] += 1
            given = [e for label in item.labels for e in label.evidence]
            for evidence in [*given, *(e for earlier in item.prevEvidence for e in earlier)]:
                passage = _passage(evidence)
                if corpus.setdefault(passage.id, passage).text != passage.text:
                    raise DataError(path, f"passage '{evidence.passage_id}' has two different texts", field=name)
            asked = [label for label in item.labels if label.responseType == "clarification" and label.response.strip()]
            if not asked:
                counts["turns without a clarification (left out)"] += 1
                continue
            if not item.context or not item.context[-1].strip():
                raise DataError(path, "has no utterance to clarify", field=f"{name}.turns.{number}.context")
            examples.append(_make_example(name, number, conversation, item, asked, corpus, _file_of(split)))
            counts["clarifying responses"] += len(asked)
            counts["clarifying responses without evidence (kept)"] += sum(not label.evidence for label in asked)
    return examples, list(corpus.values())


def _make_example(
    name: str,
    number: int,
    conversation: _Conversation,
    item: _Turn,
    asked: list[_Label],
    corpus: dict[str, Passage],
    split: str,
) -> ClarificationExample:
    passages = {p.id: p for label in asked for e in label.evidence for p in [corpus[_passage(e).id]]}
    others = [label.response for label in item.labels if label not in asked]
    return ClarificationExample(
        id=f"inscit-{name}-{number}",
        query=squeeze(item.context[-1]),
        questions=tuple(dict.fromkeys(squeeze(label.response) for label in asked)),
        passages=tuple(passages.values()),
        passage_ids=tuple(passages),
        answers=tuple(dict.fromkeys(squeeze(text) for text in others if text.strip())),
        # Utterances alternate; the last one, the query, is the user's.
        history=tuple(
            turn("user" if (len(item.context) - 1 - i) % 2 == 0 else "system", text)
            for i, text in enumerate(item.context[:-1])
        ),
        qrels=dict.fromkeys(passages, 1),
        group=f"wikipedia {conversation.seedArticle.title.casefold()}",
        split=split,
        labels={"response_types": [label.responseType for label in item.labels]},
        meta={"conversation": name, "topic": conversation.seedArticle.topic},
    )


BENCHMARK = Benchmark(INFO, _read)
