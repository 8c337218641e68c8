"""Questions for people: blind, shuffled sheets out; agreement and correlation with the metrics back in.

A sheet is a CSV file that any spreadsheet opens: one row per question with its query and numbered passages, and empty
columns for the grades. Sheets name neither system nor example; which is which stands in ``key.json``, which annotators
do not get. Questions that several systems asked word for word stand in a sheet once.
"""

from __future__ import annotations

import csv
import io
import logging
import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rac.errors import DataError, UserError
from rac.files import read_json, read_text, sha256_json, write_json, write_text
from rac.metrics.agreement import krippendorff_alpha, rank_correlation
from rac.metrics.catalog import METRICS
from rac.metrics.significance import bootstrap_ci
from rac.records import Passage
from rac.report.compare import ScoredSystem

log = logging.getLogger(__name__)

KEY_SCHEMA = 1
CRITERIA = ("faithfulness", "usefulness", "clarity")
COLUMNS = ("item", "query", "passages", "question", *CRITERIA, "comment")
GUIDELINE = """# How to grade clarifying questions

Somebody typed an ambiguous **query**. A search assistant found the **passages** and may ask one **question** before it
answers. Grade each question from 1 (worst) to 5 (best). Use the passages only, not what you know. Leave a grade empty
if you cannot decide, and say why under *comment*. Do not talk about items with other annotators before all are done.

**faithfulness**: is everything that the question offers or presupposes supported by the passages, each part by *one*
passage? An attribute of one passage joined to the name of another is not supported. The query's own words need no
support.

- 5: everything; 4: everything but a detail that misleads nobody; 3: one option or presupposition is not supported;
- 2: most are not; 1: none is, or the question offers nothing that a passage could support.

**usefulness**: would the answer tell the assistant which passage is meant?

- 5: it tells the passages apart; 3: it rules some out; 1: it tells nothing ("What do you mean?", "X or X").

**clarity**: is it one fluent question that you understand at once?

- 5: yes; 3: understandable but clumsy; 1: not understandable, or no question.
"""


@dataclass(frozen=True)
class Asked:
    """One system's question for one query, with the D that it is judged against."""

    id: str
    system: str
    query: str
    question: str
    passages: tuple[Passage, ...]
    cluster: str = ""


@dataclass(frozen=True)
class ExportCounts:
    """What an export wrote; ``left_out`` questions were empty, ``merged`` ones stand in a sheet for another system."""

    queries: int
    items: int
    rows: int
    merged: int
    left_out: int


def export_sheets(
    asked: Sequence[Asked], folder: Path | str, *, annotators: int = 2, queries: int | None = None,
    overlap: float = 1.0, seed: int = 0,
) -> ExportCounts:  # fmt: skip
    """Write ``sheet-1.csv`` ..., ``guideline.md`` and ``key.json``.

    Args:
        asked: The questions of all systems.
        folder: A new or empty directory.
        annotators: Number of sheets, each in an order of its own.
        queries: Number of queries, drawn at random; all systems' questions for a drawn query are taken. None for all.
        overlap: Share of the items that every annotator gets; the rest is dealt out, one annotator each.
        seed: Of drawing, shuffling and dealing.

    Raises:
        UserError: nothing to annotate, a number out of range, or a folder that is not empty.
    """
    if annotators < 1 or not 0 <= overlap <= 1 or (queries is not None and queries < 1):
        raise UserError(
            f"annotators={annotators}, queries={queries}, overlap={overlap} make no sheets; use 1 or more annotators "
            "and queries and an overlap from 0 to 1"
        )
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} exists and is not empty, and sheets may hold people's work; give a new directory")
    rng = random.Random(seed)
    usable = [a for a in asked if a.question.strip()]
    ids = sorted({a.id for a in usable})
    if not ids:
        raise UserError(
            "no question has a word in it, so there is nothing to annotate; give predictions with questions"
        )
    drawn = set(ids if queries is None else rng.sample(ids, min(queries, len(ids))))
    items = items_of([a for a in usable if a.id in drawn], seed)
    order = sorted(items)
    rng.shuffle(order)
    common = order[: round(overlap * len(order))]
    sheets = [list(common) for _ in range(annotators)]
    for position, name in enumerate(order[len(common) :]):
        sheets[position % annotators].append(name)
    for number, sheet in enumerate(sheets, start=1):
        rng.shuffle(sheet)
        write_text(folder / f"sheet-{number}.csv", sheet_text([items[name] for name in sheet]))
    write_text(folder / "guideline.md", GUIDELINE)
    key = {name: {k: v for k, v in item.items() if k not in ("query", "passages")} for name, item in items.items()}
    write_json(
        folder / "key.json",
        {
            "schema": KEY_SCHEMA,
            "seed": seed,
            "sheets": [f"sheet-{n}.csv" for n in range(1, annotators + 1)],
            "items": key,
        },
    )
    merged = sum(len(item["systems"]) - 1 for item in items.values())
    left_out = sum(not a.question.strip() for a in asked)
    return ExportCounts(len(drawn), len(items), sum(map(len, sheets)), merged, left_out)


def items_of(asked: Sequence[Asked], seed: int) -> dict[str, dict[str, Any]]:
    """Return item name -> what is asked and by whom; names tell nothing and are the same for the same seed."""
    items: dict[str, dict[str, Any]] = {}
    for a in sorted(asked, key=lambda a: (a.id, a.system)):
        passages = passages_text(a.passages)
        name = item_name([seed, a.id, a.question, passages])
        item = items.setdefault(
            name,
            {"id": a.id, "cluster": a.cluster or a.id, "query": a.query, "question": a.question, "passages": passages,
             "systems": []},
        )  # fmt: skip
        item["name"] = name
        item["systems"].append(a.system)
    return items


def item_name(value: Any) -> str:
    """Return the name of a sheet's item, made of a JSON value that is its own."""
    # A letter first: a spreadsheet makes a number of 465880803208 and of 79816300e562, and writes that back.
    return "x" + sha256_json(value)[:12]


def passages_text(passages: Sequence[Passage]) -> str:
    """Return D as a sheet shows it: numbered, with what each passage is."""
    lines = []
    for number, p in enumerate(passages, start=1):
        labels = ", ".join([*p.types, *([p.description] if p.description else [])])
        head = f"{p.title} ({labels})" if labels else p.title
        lines.append(f"[{number}] {head}: {' '.join(p.text.split())}")
    return "\n".join(lines)


def new_folder(folder: Path | str) -> Path:
    """Return the folder for a sheet.

    Raises:
        UserError: if there is something in it, or it is a file.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} exists and is not empty, and a sheet may hold somebody's work; give a new directory")
    return folder


def read_key(key: Path | str, form: str, called: str) -> dict[str, Any]:
    """Read the key of a study.

    Args:
        key: ``key.json``, or the folder that it lies in.
        form: What the key must be of.
        called: How that is called in the error.

    Raises:
        DataError: if it is the key of something else.
    """
    path = Path(key)
    path = path / "key.json" if path.is_dir() else path
    stored = read_json(path)
    if not isinstance(stored, dict) or stored.get("schema") != KEY_SCHEMA or stored.get("form") != form:
        raise DataError(path, f"is no key of {called}; give the key.json that the sheet came with")
    return stored


def sheet_text(
    items: Sequence[Mapping[str, Any]], columns: Sequence[str] = COLUMNS, *, given: Sequence[str] = COLUMNS[1:4]
) -> str:
    """Return a sheet as CSV: one row an item, its ``name``, what is ``given`` of it, and the other columns empty."""
    handle = io.StringIO(newline="")
    writer = csv.writer(handle)
    writer.writerow(columns)
    for item in items:
        row = [item["name"], *(safe_cell(item[name]) for name in given)]
        writer.writerow([*row, *([""] * (len(columns) - len(row)))])
    # Spreadsheets take a file without a byte-order mark for a local encoding.
    return "\ufeff" + handle.getvalue()


def safe_cell(text: str) -> str:
    """Return a text that a spreadsheet shows and does not run: a quote before what would start a formula."""
    clean = "".join(c for c in text if c.isprintable() or c in "\n\t")
    return "'" + clean if clean.lstrip()[:1] in ("=", "+", "-", "@") or clean[:1] in ("\t", "\r") else clean


@dataclass(frozen=True)
class Annotations:
    """Filled sheets put back together.

    Attributes:
        items: Item name -> its entry in the key.
        grades: Item name -> criterion -> the grades that were given.
        empty: Rows x criteria that were left empty.
        sheets: Number of sheets read.
    """

    items: dict[str, dict[str, Any]]
    grades: dict[str, dict[str, list[float]]]
    empty: int
    sheets: int

    def mean(self, name: str, criterion: str) -> float | None:
        """Return the mean grade of an item, None if nobody graded it."""
        given = self.grades.get(name, {}).get(criterion, [])
        return sum(given) / len(given) if given else None


def read_sheets(key: Path | str, sheets: Sequence[Path | str]) -> Annotations:
    """Read filled sheets.

    Args:
        key: ``key.json``, or the folder that it lies in.
        sheets: The filled CSV files, one per annotator.

    Raises:
        DataError: naming file and line: a missing column, an unknown or repeated item, a grade that is not 1 to 5.
        UserError: if no sheet is given or nothing is filled in.
    """
    key = Path(key)
    key = key / "key.json" if key.is_dir() else key
    stored = read_json(key)
    if not isinstance(stored, dict) or stored.get("schema") != KEY_SCHEMA:
        raise DataError(key, f"is no key of schema version {KEY_SCHEMA}; give the key.json that the sheets came with")
    items: dict[str, dict[str, Any]] = stored["items"]
    if not sheets:
        raise UserError("no sheet was given, so there are no grades to read; name the filled CSV files")
    grades: dict[str, dict[str, list[float]]] = {}
    empty = 0
    for sheet in sheets:
        empty += _read_sheet(Path(sheet), items, grades)
    if not any(given for row in grades.values() for given in row.values()):
        raise UserError("no grade is filled in in any of the sheets; fill in the columns " + ", ".join(CRITERIA))
    return Annotations(items, grades, empty, len(sheets))


def sheet_rows(path: Path, items: Mapping[str, Any], columns: Sequence[str]) -> Iterator[tuple[int, str, dict]]:
    """Yield the rows of a filled sheet as (line, item name, column -> cell).

    Args:
        path: The CSV file.
        items: The items of the key, by name.
        columns: What it must have beside ``item``.

    Raises:
        DataError: naming file and line: a missing column, an unknown or repeated item.
    """
    text = read_text(path)
    # Some spreadsheets write semicolons, whatever they were given.
    head = text.split("\n", 1)[0]
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=";" if head.count(";") > head.count(",") else ",")
    missing = [name for name in ("item", *columns) if name not in (reader.fieldnames or [])]
    if missing:
        raise DataError(path, f"has no column '{missing[0]}'; keep the header of the exported sheet", line=1)
    seen: set[str] = set()
    for row in reader:
        name, line = (row["item"] or "").strip(), reader.line_num
        if name not in items:
            raise DataError(
                path, f"item '{name}' is not in the key; keep the column as exported", line=line, field="item"
            )
        if name in seen:
            raise DataError(path, f"item '{name}' occurs twice; one row per item", line=line, field="item")
        seen.add(name)
        yield line, name, row


def _read_sheet(path: Path, items: Mapping[str, Any], grades: dict[str, dict[str, list[float]]]) -> int:
    """Add one sheet's grades to ``grades``; return how many were left empty."""
    empty = 0
    for line, name, row in sheet_rows(path, items, CRITERIA):
        for criterion in CRITERIA:
            grade = _grade(row[criterion], path, line, criterion)
            if grade is None:
                empty += 1
            else:
                grades.setdefault(name, {}).setdefault(criterion, []).append(grade)
    return empty


def _grade(cell: str | None, path: Path, line: int, criterion: str) -> float | None:
    text = (cell or "").strip()
    if not text:
        return None
    if text not in ("1", "2", "3", "4", "5"):
        raise DataError(
            path, f"'{text[:20]}' is no grade; a grade is 1, 2, 3, 4, 5 or empty", line=line, field=criterion
        )
    return float(text)


@dataclass(frozen=True)
class AnnotationResult:
    """What the grades say, as plain JSON values.

    Attributes:
        agreement: criterion -> Krippendorff's alpha (ordinal) with interval and counts.
        systems: system -> criterion -> mean grade with interval.
        correlations: criterion -> metric -> rank correlation over (system, query), clusters resampled whole.
        counts: Items, grades, empty cells, (system, query) pairs with a score.
    """

    agreement: dict[str, dict[str, Any]]
    systems: dict[str, dict[str, dict[str, Any]]]
    correlations: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


def analyse(annotations: Annotations, scored: Sequence[ScoredSystem] = (), *, seed: int = 0) -> AnnotationResult:
    """Return agreement, mean grades per system, and the correlation of each metric with the grades.

    Args:
        annotations: The filled sheets.
        scored: Scores of the systems, by the names that the key has.
        seed: Of the bootstraps.

    Raises:
        UserError: if two of the scored systems have one name of the key, or a scored question is not the graded one.
    """
    agreement = {
        criterion: krippendorff_alpha(
            [row.get(criterion, []) for row in annotations.grades.values()], level="ordinal", seed=seed
        ).to_dict()
        for criterion in CRITERIA
    }
    rows = [
        (system, item, item["cluster"], {c: annotations.mean(name, c) for c in CRITERIA})
        for name, item in sorted(annotations.items.items())
        for system in item["systems"]
    ]
    systems: dict[str, dict[str, dict[str, Any]]] = {}
    for system in dict.fromkeys(row[0] for row in rows):
        own = [row for row in rows if row[0] == system]
        systems[system] = {
            c: bootstrap_ci([row[3][c] for row in own], [row[2] for row in own], seed).to_dict() for c in CRITERIA
        }
    by_name = _by_name(scored, systems)
    found = [_scores_of(by_name.get(system), item) for system, item, _, _ in rows]
    correlations: dict[str, dict[str, dict[str, Any]]] = {}
    if scored:
        for c in CRITERIA:
            people = [row[3][c] for row in rows]
            correlations[c] = {
                metric: rank_correlation(
                    people, [None if f is None else f.get(metric) for f in found], [row[2] for row in rows], seed=seed
                ).to_dict()
                for metric in METRICS
                if any(f is not None and f.get(metric) is not None for f in found)
            }
    counts = {
        "items": len(annotations.items),
        "graded items": len(annotations.grades),
        "grades": sum(len(g) for row in annotations.grades.values() for g in row.values()),
        "empty cells": annotations.empty,
        "sheets": annotations.sheets,
        "system questions": len(rows),
        "system questions without scores": sum(f is None for f in found) if scored else 0,
    }
    return AnnotationResult(agreement, systems, correlations, counts)


def _by_name(scored: Sequence[ScoredSystem], graded: Collection[str]) -> dict[str, ScoredSystem]:
    """Return the scored systems that have grades, by name."""
    found: dict[str, ScoredSystem] = {}
    for one in scored:
        if one.name not in graded:
            continue
        other = found.setdefault(one.name, one)
        if other is not one:
            raise UserError(
                f"both {other.source} and {one.source} have scores of the system '{one.name}', and the grades belong "
                "to one of them; give the scores of the run that the sheets were made of"
            )
    return found


def _scores_of(system: ScoredSystem | None, item: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return a system's scores of a graded question, None where there are none."""
    row = None if system is None else system.rows.get(item["id"])
    if system is None or row is None:
        return None
    # A score file may hold numbers alone; then the ids are all there is.
    asked = row.get("question")
    if asked is not None and str(asked).strip() != item["question"].strip():
        raise UserError(
            f"{system.source} has scores of another question of '{system.name}' for query '{item['id']}' than the one "
            "that was graded, as after another training; give the scores that belong to the sheets"
        )
    return row
