"""A user's own CSV, TSV or JSON Lines file as examples, through a column map."""

from __future__ import annotations

import ast
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

from rac.benchmarks.column_settings import ColumnMap, make_column_map
from rac.benchmarks.sources import read_table
from rac.benchmarks.text import squeeze, stable_id
from rac.errors import DataError, UserError, did_you_mean
from rac.files import iterate_json_lines, read_text
from rac.records import ClarificationExample, Passage
from rac.settings import parse_yaml

_LONGEST_LIST = 1_000_000


def read_mapped(
    path: Path | str, columns: ColumnMap, *, prefix: str = "", split: str = ""
) -> tuple[list[ClarificationExample], dict[str, int]]:
    """Read a table or JSON Lines file through a column map.

    Rows with the same id (or, without an id column, the same query and group) become one example with all their
    questions, facets, answers and passages. Rows without a query are left out and counted.

    Args:
        path: A ``.jsonl`` file, or else a delimited table with a header line.
        columns: The map.
        prefix: Put before ids.
        split: The split's name where the map names no split column.

    Raises:
        DataError: for a column that is not there (the columns found are listed), shifted columns, or rows of one id
            with different queries.
    """
    path = Path(path)
    counts: Counter[str] = Counter()
    rows = _json_rows(path, columns) if path.suffix == ".jsonl" else _table_rows(path, columns, counts)
    merged: dict[str, dict[str, Any]] = {}
    for line, row in rows:
        counts["rows"] += 1
        query = squeeze(_text(row.get(columns.query)))
        if not query:
            counts["rows without a query (left out)"] += 1
            continue
        group = _text(row.get(columns.group)).strip() if columns.group else ""
        if columns.id:
            key = _text(row.get(columns.id)).strip()
            if not key:
                raise DataError(path, "is empty where every row needs an id", line=line, field=columns.id)
        else:
            key = f"{query.casefold()}\x1f{group}"
        own = merged.setdefault(key, {"line": line, "query": query, "group": group, "rows": 0})
        if own["query"].casefold() != query.casefold():
            raise DataError(
                path, f"id '{key}' has another query in line {own['line']}; ids must be unique", line=line,
                field=columns.id,
            )  # fmt: skip
        own["rows"] += 1
        counts["rows of a query that has an earlier row (merged)"] += own["rows"] > 1
        _collect(own, row, columns)
    examples = [_example(key, own, columns, prefix, split) for key, own in merged.items()]
    counts["examples"] = len(examples)
    counts["examples without a gold question"] = sum(not e.questions for e in examples)
    return examples, {name: count for name, count in counts.items() if count or name == "examples"}


def _table_rows(path: Path, columns: ColumnMap, counts: Counter[str]) -> list[tuple[int, dict[str, Any]]]:
    delimiter = columns.delimiter or ("\t" if path.suffix == ".tsv" else ",")
    rows = read_table(
        path, columns.columns, delimiter=delimiter, encoding=columns.encoding, multiline=True, counts=counts
    )
    return [(line, dict(row)) for line, row in rows]


def _json_rows(path: Path, columns: ColumnMap) -> list[tuple[int, dict[str, Any]]]:
    rows = [(line, {c: _reach(value, c) for c in columns.columns}, value) for line, value in iterate_json_lines(path)]
    for column in columns.columns:
        if rows and all(row[column] is None for _, row, _ in rows):
            found = sorted({key for *_, value in rows for key in value})
            raise DataError(
                path, f"no line has the key '{column}'; keys found: {', '.join(found)}; {did_you_mean(column, found)}"
            )
    return [(line, row) for line, row, _ in rows]


def _reach(value: Any, column: str) -> Any:
    if isinstance(value, dict) and column in value:
        return value[column]
    for part in column.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _collect(own: dict[str, Any], row: dict[str, Any], columns: ColumnMap) -> None:
    for name in ("questions", "facets", "answers"):
        values = [v for c in getattr(columns, name) for v in _values(row.get(c), columns.separator)]
        own.setdefault(name, {}).update(dict.fromkeys(squeeze(_text(v)) for v in values))
    titles = [_text(v) for c in columns.passage_titles for v in _values(row.get(c), columns.separator)]
    texts = [v for c in columns.passages for v in _values(row.get(c), columns.separator)]
    for i, value in enumerate(texts):
        passage = _passage(value, titles[i] if i < len(titles) else "")
        if passage is not None:
            known = own.setdefault("passages", {}).setdefault(passage.id, passage)
            if (known.title, known.text) != (passage.title, passage.text):
                raise UserError(
                    f"two different passages of one query have the id '{passage.id}'; give each an id of its own"
                )
    if columns.history and "history" not in own:
        own["history"] = [v if isinstance(v, dict) else _text(v) for v in _values(row.get(columns.history), "")]
    if columns.split:
        own.setdefault("split", _text(row.get(columns.split)).strip())
    for column in columns.labels:
        own.setdefault("labels", {}).setdefault(column, row.get(column))


def _passage(value: Any, title: str) -> Passage | None:
    if isinstance(value, dict):
        text = _text(value.get("text") or value.get("passage") or value.get("contents")).strip()
        title = title or _text(value.get("title"))
        identity = _text(value.get("id")).strip()
    else:
        text, identity = _text(value).strip(), ""
    if not text and not title:
        return None
    return Passage(id=identity or stable_id("passage", title, text), title=squeeze(title), text=text)


def _example(key: str, own: dict[str, Any], columns: ColumnMap, prefix: str, split: str) -> ClarificationExample:
    passages = tuple(own.get("passages", {}).values())
    identity = key if columns.id else f"row-{own['line']}"
    return ClarificationExample(
        id=f"{prefix}{identity}",
        query=own["query"],
        questions=tuple(q for q in own["questions"] if q),
        facets=tuple(f for f in own["facets"] if f),
        answers=tuple(a for a in own["answers"] if a),
        passages=passages,
        passage_ids=tuple(p.id for p in passages),
        qrels={p.id: 1 for p in passages},
        history=tuple(own.get("history", ())),
        group=own["group"] or own["query"].casefold(),
        split=own.get("split") or split,
        labels=own.get("labels", {}),
    )


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return value if isinstance(value, str) else str(value)


def _values(cell: Any, separator: str) -> list[Any]:
    """Return the values of a cell: of a list, of a text that is a JSON or Python list, or of separated text."""
    if cell is None:
        return []
    if isinstance(cell, (list, tuple)):
        return list(cell)
    if not isinstance(cell, str):
        return [cell]
    text = cell.strip()
    if text.startswith("[") and text.endswith("]") and len(text) <= _LONGEST_LIST:
        found = _parse_list(text)
        if found is not None:
            return found
    if separator:
        return [part.strip() for part in cell.split(separator) if part.strip()]
    return [cell] if text else []


def _parse_list(text: str) -> list[Any] | None:
    try:
        value = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        try:
            # Accepts literals only: nothing in the cell is executed.
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return None
    return value if isinstance(value, list) else None


def read_column_map(path: Path | str) -> ColumnMap:
    """Read a column map from a YAML (or JSON) file.

    Raises:
        DataError: for a file that is missing, not YAML, or no map.
    """
    import yaml

    text = read_text(path)
    try:
        values = parse_yaml(text)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = f"is not valid YAML ({getattr(error, 'problem', error)})"
        raise DataError(path, problem, line=mark.line + 1 if mark else None) from error
    if not isinstance(values, dict):
        raise DataError(path, "must map keys to columns, such as 'query: question'", line=1)
    try:
        return make_column_map(values)
    except UserError as error:
        raise DataError(path, str(error)) from error
