"""WHITE-ShARC: follow-up questions that a rule text requires before a wh-question can be answered.

Source: https://github.com/ntunlplab/WHITE-ShARC, ``dataset/{train_aug,dev}.json`` and ``sharc_open_id2snippet.json``.
Licence: not stated by the publisher; built on ShARC, CC BY-SA 3.0. Sizes: 1,294 follow-ups on 242 rules in
``train_aug`` (paraphrased scenarios of fewer originals), 546 turns in dev, 218 of them follow-ups on 51 rules; 651
rule texts.

One example is one turn whose right response is a follow-up question: ``query`` the user's question ("Why can I get
tax relief?"), ``questions`` the follow-up ("Did you donate through gift aid?"), ``history`` the user's scenario, then
earlier follow-ups with their answers, ``meta.scenario`` the scenario, ``labels.snippet_seen`` the source's flag. D is
the one rule text (gold); the corpus is all 651. ``group`` is the rule.

Turns that are answered are left out and counted. 23 of dev's 51 rules occur in train as well: ``rac describe`` counts
that leak, and training code drops training groups that are held out. The source has no facets and no resolved
queries. Not here: the original training and test files (``train.json`` can be brought by hand as
``publisher-train``).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rac.benchmarks.base import Benchmark, BenchmarkInfo, RemoteFile
from rac.benchmarks.history import turn
from rac.benchmarks.sources import SourceModel, read_source_json, unique_rows
from rac.benchmarks.text import squeeze
from rac.errors import DataError
from rac.records import ClarificationExample, Passage

_REPO, _COMMIT = "ntunlplab/WHITE-ShARC", "7e7fd79c11af1d1c21e7fdb9524b32b00efff129"
_SNIPPETS = "dataset/sharc_open_id2snippet.json"

INFO = BenchmarkInfo(
    name="white-sharc",
    title="WHITE-ShARC, follow-up questions from rule texts",
    url="https://github.com/ntunlplab/WHITE-ShARC",
    licence="not stated; built on ShARC, CC BY-SA 3.0",
    citation="WHITE-ShARC, NTU NLP Lab, https://github.com/ntunlplab/WHITE-ShARC; built on Saeidi et al.: "
    "Interpretation of Natural Language Rules in Conversational Machine Reading. EMNLP 2018",
    splits=("train", "dev"),
    passages="its own corpus: 651 rule texts; one gold rule for each query",
    own_passages=True,
    missing="the original training file, the test file, facets, resolved queries",
    splitting="the publisher's (train_aug, dev), which share 23 rules; group = rule",
    files=(
        RemoteFile(
            _REPO, _COMMIT, _SNIPPETS,
            "01cb4eb5a1d9c1e0e4873232a4bc092d3a6c48e114a7f198e5c277bed6ecfd12", 161847,
        ),
        RemoteFile(
            _REPO, _COMMIT, "dataset/train_aug.json",
            "bad2b9a65600e5de99290d06a117cb0f4f7105c31ece59e925ec6cccab129558", 1014810, "train",
        ),
        RemoteFile(
            _REPO, _COMMIT, "dataset/dev.json",
            "0dfdc6a167752e689c4b3648c99048c11b55d061608e63888c5230901d763b48", 534099, "dev",
        ),
    ),
    by_hand=(("publisher-train", f"{_REPO}/dataset/train.json"),),
)  # fmt: skip


class _FollowUp(SourceModel):
    follow_up_question: str
    follow_up_answer: str


class _Row(SourceModel):
    utterance_id: str
    question: str
    scenario: str
    answer: str
    history: list[_FollowUp]
    gold_snippet_id: str
    snippet: str
    is_followup: bool
    snippet_seen: bool | None = None


def _passage(identity: str, text: str) -> Passage:
    lines = [line for line in text.splitlines() if line.strip()]
    title = ""
    if lines and lines[0].lstrip().startswith("#"):
        title = lines.pop(0).strip().lstrip("#").strip()
    return Passage(id=f"white-sharc-{identity}", title=title, text="\n".join(map(squeeze, lines)), source="ShARC")


def _read(directory: Path, split: str, counts: Counter[str]) -> tuple[list[ClarificationExample], list[Passage]]:
    snippets = read_source_json(directory / _REPO / _SNIPPETS, dict[str, str])
    corpus = {identity: _passage(identity, text) for identity, text in snippets.items()}
    examples: list[ClarificationExample] = []
    for part in INFO.splits if split == "all" else (split,):
        name = {"train": "train_aug", "publisher-train": "train"}.get(part, part)
        path = directory / _REPO / f"dataset/{name}.json"
        seen: set[str] = set()
        rows = read_source_json(path, list[_Row])
        counts["turns"] += len(rows)
        for row in unique_rows(rows, lambda r: r.model_dump_json(), counts, "turns"):
            if row.utterance_id in seen:
                raise DataError(path, f"id '{row.utterance_id}' is used by two different turns", field="utterance_id")
            seen.add(row.utterance_id)
            if not row.is_followup:
                counts["turns that are answered, not asked back (left out)"] += 1
                continue
            if snippets.get(row.gold_snippet_id) != row.snippet:
                raise DataError(
                    path,
                    f"'{row.utterance_id}' has a rule text that is not number {row.gold_snippet_id} of "
                    f"{Path(_SNIPPETS).name}; the files are of different versions",
                    field="snippet",
                )
            if not row.question.strip() or not row.answer.strip():
                raise DataError(path, f"'{row.utterance_id}' has an empty question or follow-up", field="question")
            counts["follow-ups without a scenario (kept)"] += not row.scenario.strip()
            examples.append(_make_example(row, corpus[row.gold_snippet_id], part))
    return examples, list(corpus.values())


def _make_example(row: _Row, passage: Passage, split: str) -> ClarificationExample:
    history = [turn("user", row.scenario)] if row.scenario.strip() else []
    for earlier in row.history:
        history += [turn("system", earlier.follow_up_question), turn("user", earlier.follow_up_answer)]
    return ClarificationExample(
        id=f"white-sharc-{split}-{row.utterance_id}",
        query=squeeze(row.question),
        questions=(squeeze(row.answer),),
        passages=(passage,),
        passage_ids=(passage.id,),
        history=tuple(history),
        qrels={passage.id: 1},
        group=f"rule-{row.gold_snippet_id}",
        split=split,
        labels={} if row.snippet_seen is None else {"snippet_seen": row.snippet_seen},
        meta={"scenario": squeeze(row.scenario)},
    )


BENCHMARK = Benchmark(INFO, _read)
