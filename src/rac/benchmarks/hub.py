"""Examples as a Hugging Face ``datasets.Dataset`` and back, without loss."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rac.errors import UserError
from rac.records import ClarificationExample

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

_TEXT = ("id", "query", "group", "split")
_TEXTS = ("questions", "passage_ids", "facets", "answers")
_JSON = ("history", "labels", "meta")
"""Of free form: stored as JSON text, because a column of a table has one type."""


def _library() -> Any:
    try:
        import datasets
    except ImportError as error:
        raise UserError(
            "a datasets.Dataset was asked for, but the package is not installed; run: pip install "
            "'rac-clarify[datasets]'"
        ) from error
    return datasets


def features() -> Any:
    """Return the columns: ``passages`` and ``qrels`` are lists of structs, free-form fields are JSON text."""
    d = _library()
    text, number = d.Value("string"), d.Value("int64")
    passage = {
        "id": text, "text": text, "title": text, "types": d.List(text), "description": text, "source": text,
        "start": number, "end": number, "meta": text,
    }  # fmt: skip
    columns: dict[str, Any] = dict.fromkeys(_TEXT, text)
    columns |= {name: d.List(text) for name in _TEXTS}
    columns["passages"] = d.List(passage)
    columns["qrels"] = d.List({"passage_id": text, "grade": number})
    columns |= dict.fromkeys(_JSON, text)
    return d.Features(columns)


def to_row(example: ClarificationExample) -> dict[str, Any]:
    """Return an example as a row of the data set."""
    row: dict[str, Any] = {name: getattr(example, name) for name in _TEXT}
    row |= {name: list(getattr(example, name)) for name in _TEXTS}
    row["passages"] = [{**p.model_dump(), "types": list(p.types), "meta": _dump(p.meta)} for p in example.passages]
    row["qrels"] = [{"passage_id": p, "grade": grade} for p, grade in example.qrels.items()]
    row |= {name: _dump(getattr(example, name)) for name in _JSON}
    return row


def from_row(row: dict[str, Any]) -> ClarificationExample:
    """Undo ``to_row``."""
    values = {name: row[name] for name in (*_TEXT, *_TEXTS)}
    values["passages"] = [{**p, "meta": json.loads(p["meta"])} for p in row["passages"]]
    values["qrels"] = {judged["passage_id"]: judged["grade"] for judged in row["qrels"]}
    values |= {name: json.loads(row[name]) for name in _JSON}
    return ClarificationExample.model_validate(values)


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def to_dataset(examples: Sequence[ClarificationExample]) -> Dataset:
    """Return examples as one ``datasets.Dataset``.

    Raises:
        UserError: if ``datasets`` is not installed.
    """
    rows, columns = [to_row(e) for e in examples], features()
    by_column = {name: [row[name] for row in rows] for name in columns}
    dataset: Dataset = _library().Dataset.from_dict(by_column, features=columns)
    return dataset


def to_dataset_dict(examples: Sequence[ClarificationExample]) -> DatasetDict:
    """Return examples as a ``datasets.DatasetDict``, one data set for each split, named as ``datasets`` allows."""
    splits: dict[str, list[ClarificationExample]] = {}
    for example in examples:
        splits.setdefault((example.split or "all").replace("-", "_"), []).append(example)
    found: DatasetDict = _library().DatasetDict({name: to_dataset(part) for name, part in splits.items()})
    return found


def save_quietly(datasets: DatasetDict, folder: Path) -> None:
    """Save a ``DatasetDict`` to disk without the library's progress bars, whose setting is left as it was."""
    library = _library()
    shown = not library.are_progress_bars_disabled()
    library.disable_progress_bars()
    try:
        datasets.save_to_disk(str(folder))
    finally:
        if shown:
            library.enable_progress_bars()


def from_dataset(dataset: Dataset) -> list[ClarificationExample]:
    """Return the examples of a data set made by ``to_dataset``.

    Raises:
        UserError: if columns are missing.
    """
    missing = [c for c in (*_TEXT, *_TEXTS, "passages", "qrels", *_JSON) if c not in dataset.column_names]
    if missing:
        raise UserError(
            f"the data set has no column '{missing[0]}' (it has {', '.join(dataset.column_names)}); only data sets "
            "made by rac are read back, use a column map for others"
        )
    return [from_row(row) for row in dataset]
