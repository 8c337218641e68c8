"""Predictions that others made: rac's JSON Lines, and the two run formats of ClariQ."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from rac.benchmarks.text import read_lines, squeeze
from rac.errors import DataError, UserError
from rac.files import read_records, write_text
from rac.records import Prediction

NO_QUESTION_REASON = "the run asks nothing (ClariQ's empty question)"
_QUESTION_ID = re.compile(r"Q\d+")


def is_clariq_run(path: Path | str) -> bool:
    """Say whether a file's first line looks like a ClariQ run: six fields, not a JSON object."""
    first = next((line for line in read_lines(path) if line.strip()), "")
    return not first.lstrip().startswith("{") and len(_fields(first)) == 6


def _fields(line: str) -> list[str]:
    try:
        cells = next(csv.reader(io.StringIO(line.strip()), delimiter=" ", skipinitialspace=True), [])
    except csv.Error:
        return line.split()
    if len(cells) != 6 and "\t" in line:
        cells = next(csv.reader(io.StringIO(line.strip()), delimiter="\t"), [])
    return [c for i, c in enumerate(cells) if c or i == 2]


def read_clariq_run(
    path: Path | str, bank: Mapping[str, str] | None = None, *, prefix: str = "clariq-", candidates: int = 29
) -> tuple[list[Prediction], dict[str, int]]:
    """Read a run in ClariQ's format: ``TOPIC 0 QUESTION RANK SCORE RUN``, question first by score, then by rank.

    ``QUESTION`` is an id of the question bank, or a quoted text (the format of generating systems). The best question
    of a topic is the prediction, the next ones are ``candidates``. The empty question (Q00001 or ``""``) in the first
    place is a prediction that asks nothing; further down it is left out.

    Args:
        path: The run.
        bank: Question id -> text (``rac.benchmarks.clariq.read_question_bank``); needed for runs with ids.
        prefix: Put before topic ids, so that ids are those of the examples.
        candidates: Further questions kept for each topic.

    Raises:
        DataError: for a line of another shape, an id that the bank lacks, two runs in one file, or a question that a
            topic has twice.
        UserError: if the run has ids and no bank was given.
    """
    counts: Counter[str] = Counter()
    topics: dict[str, list[tuple[float, int, int, str]]] = {}
    run = None
    seen: set[tuple[str, str]] = set()
    for line, text in enumerate(read_lines(path), start=1):
        if not text.strip():
            continue
        cells = _fields(text)
        try:
            topic, _, question, rank, score, name = cells
            place, value = int(rank), float(score)
        except ValueError as error:
            shape = "is not 'TOPIC 0 QUESTION RANK SCORE RUN' with a question of the bank or a quoted one"
            raise DataError(path, shape, line=line) from error
        if not math.isfinite(value):
            raise DataError(path, f"has the score {score}, which cannot be ranked", line=line)
        run = run or name
        if name != run:
            raise DataError(path, f"is of run '{name}' where the file began with '{run}'; one run a file", line=line)
        if (topic, question) in seen:
            raise DataError(path, f"ranks the same question twice for topic {topic}", line=line)
        seen.add((topic, question))
        topics.setdefault(topic, []).append((-value, place, line, _text_of(question, bank, path, line)))
        counts["lines"] += 1
    predictions = []
    for topic, ranked in topics.items():
        texts = [text for *_, text in sorted(ranked)]
        counts["topics"] += 1
        counts["topics where nothing is asked"] += not texts[0]
        rest = [t for t in texts[1:] if t]
        counts["empty questions below the first place (left out)"] += len(texts) - 1 - len(rest)
        counts["questions beyond the candidates kept (left out)"] += max(0, len(rest) - candidates)
        predictions.append(
            Prediction(
                id=f"{prefix}{topic}",
                question=texts[0],
                system=run or "",
                candidates=tuple(rest[:candidates]),
                reason="" if texts[0] else NO_QUESTION_REASON,
            )
        )
    if not predictions:
        raise DataError(path, "holds no line of a run")
    return predictions, {name: count for name, count in counts.items() if count}


def _text_of(question: str, bank: Mapping[str, str] | None, path: Path | str, line: int) -> str:
    if not _QUESTION_ID.fullmatch(question):
        return squeeze(question)
    if bank is None:
        raise UserError(
            f"{path}, line {line}, names question {question} by its id, and no question bank was given; fetch clariq "
            "first, so that its bank is there"
        )
    if question not in bank:
        raise DataError(path, f"question '{question}' is not in the bank", line=line)
    return bank[question]


def write_clariq_run(path: Path | str, predictions: Iterable[Prediction], *, prefix: str = "clariq-") -> int:
    """Write predictions as a ClariQ run of quoted questions; return the number of lines.

    The prediction has rank 1, candidates follow; scores fall by 1 with each rank, so that sorting keeps the order.

    Raises:
        UserError: if an id does not begin with the prefix, since its topic is then unknown.
    """
    lines = []
    for prediction in predictions:
        topic = prediction.id.removeprefix(prefix)
        if topic == prediction.id or not topic or topic.split() != [topic]:
            raise UserError(
                f"prediction '{prediction.id}' is not of a ClariQ topic ('{prefix}17'); a ClariQ run holds no others"
            )
        run = re.sub(r"\s+", "_", prediction.system) or "rac"
        asked = list(dict.fromkeys([squeeze(prediction.question), *(squeeze(c) for c in prediction.candidates if c)]))
        for rank, question in enumerate(asked, start=1):
            quoted = '"' + question.replace('"', '""') + '"'
            lines.append(f"{topic} 0 {quoted} {rank} {len(asked) - rank} {run}\n")
    write_text(path, "".join(lines))
    return len(lines)


def read_predictions(
    path: Path | str, bank: Mapping[str, str] | None = None
) -> tuple[list[Prediction], dict[str, int]]:
    """Read predictions in either format, recognised by the first line.

    Args:
        path: The file.
        bank: ClariQ's question bank; if a run names questions by id and none is given, the fetched one is read.

    Raises:
        DataError: for a file that is neither, or is broken.
        UserError: see ``read_clariq_run``.
    """
    if is_clariq_run(path):
        named = any(_QUESTION_ID.fullmatch(cells[2]) for line in read_lines(path) if len(cells := _fields(line)) == 6)
        return read_clariq_run(path, load_bank() if named and bank is None else bank)
    first = next((line for line in read_lines(path) if line.strip()), "")
    if first.lstrip().startswith("{"):
        predictions = read_records(path, Prediction)
        return predictions, {"predictions": len(predictions)}
    if not first:
        raise DataError(path, "has no predictions, so there is nothing to score; give at least one")
    shown = json.dumps(first[:60], ensure_ascii=False)
    raise DataError(
        path,
        f"begins with {shown}: neither a JSON object with 'id' and 'question' nor a ClariQ run line "
        "'TOPIC 0 QUESTION RANK SCORE RUN'",
        line=1,
    )


def load_bank(directory: Path | str | None = None, mirror: Path | str | None = None) -> dict[str, str]:
    """Return ClariQ's question bank, fetched if it is not there.

    Raises:
        UserError: if it can neither be found nor fetched.
    """
    from rac.benchmarks import clariq
    from rac.benchmarks.fetch import default_directory, fetch_files

    target = Path(directory) if directory is not None else default_directory()
    fetch_files(clariq.INFO, split="dev", directory=target, mirror=mirror)
    return clariq.read_question_bank(target)
