"""Tables as corpora: each row of a CSV, TSV or Parquet file, or of a Hugging Face data set, is one passage."""

from __future__ import annotations

import csv
import importlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from rac.corpus.encoding import decode_pieces
from rac.corpus.plaintext import note_encoding
from rac.corpus.report import ReadReport
from rac.errors import DataError, UserError
from rac.records import Passage

CSV_SUFFIXES = (".csv", ".tsv")
PARQUET_SUFFIXES = (".parquet",)
DATASETS = "datasets:"

LONGEST_FIELD = 8_000_000
"""Characters of one cell; a longer one ends the reading of its file."""
_LONGEST_LINE = 4 * LONGEST_FIELD

_NAMES: dict[str, tuple[str, ...]] = {
    "id": ("id", "_id", "doc_id", "docid", "docno", "document_id", "passage_id", "pid", "uid", "key"),
    "title": ("title", "name", "heading", "headline", "subject", "label"),
    "text": ("text", "content", "contents", "body", "passage", "document", "article", "abstract", "answer"),
    "types": ("types", "type", "category", "categories", "class"),
    "description": ("description", "summary", "short_description", "subtitle"),
}


class RowMapper:
    """Turns rows into passages by the names of their columns.

    ``id``, ``title``, ``text``, ``types`` and ``description`` are found by their usual names in any spelling. Without a
    text column the text is every other column, one ``name: value`` a line. Without an id a row is ``NAME#NUMBER``.

    Args:
        columns: Names of the columns.
        name: Name of the table.
    """

    def __init__(self, columns: Sequence[str], name: str) -> None:
        by_lower = {column.strip().lower().replace(" ", "_"): column for column in reversed(columns)}
        self._column = {
            role: next((by_lower[n] for n in names if n in by_lower), None) for role, names in _NAMES.items()
        }
        if self._column["text"] is None and self._column["description"] is not None:
            self._column["text"], self._column["description"] = self._column["description"], None
        used = {column for column in self._column.values() if column is not None}
        self._others = [column for column in columns if column not in used and column.strip()]
        self._name = name

    def passage(self, row: Mapping[str, Any], number: int) -> Passage | None:
        """Return the passage of a row, None if it holds nothing to read."""
        title, description = self._text(row, "title"), self._text(row, "description")
        text = self._text(row, "text")
        if self._column["text"] is None:
            values = ((column, _plain(row.get(column))) for column in self._others)
            text = "\n".join(f"{column}: {value}" for column, value in values if value)
        if not text and not title:
            return None
        types = self._column["types"]
        return Passage(
            id=self._text(row, "id") or f"{self._name}#{number}",
            title=title,
            text=text,
            types=_types(row.get(types)) if types is not None else (),
            description=description,
            source=self._name,
            meta={"row": number},
        )

    def _text(self, row: Mapping[str, Any], role: str) -> str:
        column = self._column[role]
        return "" if column is None else _plain(row.get(column))


def _plain(value: Any) -> str:
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    if isinstance(value, (list, tuple)):
        return ", ".join(part for part in map(_plain, value) if part)
    return str(value).strip()


def _types(value: Any) -> tuple[str, ...]:
    parts = value if isinstance(value, (list, tuple)) else [value]
    return tuple(part for part in map(_plain, parts) if part)


def read_csv(path: Path, name: str, report: ReadReport) -> Iterator[Passage]:
    """Yield the rows of a CSV or TSV file; the separator is the one that its first line has most of.

    A quoted field may hold line ends. Many TSV files are written without any quoting: where not all of one can be read
    as quoted rows of the header's length, each line is a row, and a quote that is not closed on its line is text.

    Raises:
        DataError: for a file without rows, quotes that do not match, or a field of more than ``LONGEST_FIELD``
            characters; it names the line where the row begins.
    """
    csv.field_size_limit(max(csv.field_size_limit(), LONGEST_FIELD))
    rows = _rows(path, _lines(path, report))
    header = next(rows, [])
    mapper = RowMapper(header, name)
    number = empty = odd = 0
    for number, row in enumerate(rows, start=1):
        odd += len(row) not in (len(header), 0)
        passage = mapper.passage(dict(zip(header, row, strict=False)), number)
        if passage is None:
            empty += 1
            continue
        yield passage
    if number == empty:
        raise DataError(path, "holds no row with text below its header; the first line names the columns")
    if odd:
        report.notes[f"table(s) with rows of another length than the header ({name}: {odd})"] += 1
    if empty:
        report.notes[f"table(s) with empty rows ({name}: {empty})"] += 1


def _rows(path: Path, lines: Iterator[str]) -> Iterator[list[str]]:
    """Yield the cells of the header and of each row."""
    blank, first = next(((n, line) for n, line in enumerate(lines) if line.strip()), (0, ""))
    number, begin = 0, blank + 1
    try:
        tabs = path.suffix.lower() == ".tsv"
        if tabs and not _is_quoted(path):
            for line in chain([first], lines):
                yield _cells(line)
                number, begin = number + 1, begin + 1
        else:
            # Loose parsing would take all rows behind an unpaired quote for one field, and say nothing.
            delimiter = "\t" if tabs else max("\t,;|", key=first.count)
            reader = csv.reader(chain([first], lines), delimiter=delimiter, strict=True)
            for cells in reader:
                yield cells
                number, begin = number + 1, blank + reader.line_num + 1
    except csv.Error as error:
        what = f"row {number}" if number else "the header"
        raise DataError(
            path, f"{what} cannot be read ({error}); check its quotes, or split long fields", line=begin
        ) from error


def _is_quoted(path: Path) -> bool:
    """Whether all of a TSV file can be read as quoted rows of the header's length."""
    lines = (line for line in _lines(path, ReadReport()) if line.strip())
    try:
        rows = csv.reader(lines, delimiter="\t", strict=True)
        width = len(next(rows, []))
        return all(len(row) == width for row in rows)
    except csv.Error:
        return False


def _cells(line: str) -> list[str]:
    """Return the cells of a line of a TSV file; many are written without any quoting, so that a quote is text."""
    line = line.rstrip("\n")
    if '"' in line:
        try:
            return next(csv.reader([line], delimiter="\t", strict=True))
        except csv.Error:
            pass  # not quoted as CSV is
    return next(csv.reader([line], delimiter="\t", quoting=csv.QUOTE_NONE))


def _lines(path: Path, report: ReadReport) -> Iterator[str]:
    """Yield decoded lines with their ends, in bounded memory.

    Raises:
        DataError: for a line that is longer than a row can be.
    """
    buffer, name, replaced = "", "", 0
    for text, encoding in decode_pieces(path):
        name = encoding.name
        replaced += text.count("\ufffd")
        *whole, buffer = (buffer + text).split("\n") if "\n" in text else (buffer + text,)
        yield from (f"{line}\n" for line in whole)
        if len(buffer) > _LONGEST_LINE:
            raise DataError(path, f"has a line of more than {_LONGEST_LINE:,} characters, which is no row of a table")
    if buffer:
        yield buffer
    note_encoding(report, name, replaced)


def read_parquet(path: Path, name: str) -> Iterator[Passage]:
    """Yield the rows of a Parquet file, a batch at a time.

    Raises:
        UserError: if ``pyarrow`` is not installed.
        DataError: for a damaged file, or one without rows.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise UserError(
            "Parquet files need a package that is not installed; run: pip install 'rac-clarify[documents]'"
        ) from error
    number = kept = 0
    try:
        with pyarrow.parquet.ParquetFile(path, memory_map=True) as file:
            mapper = RowMapper(file.schema_arrow.names, name)
            for batch in file.iter_batches(batch_size=512):
                for row in batch.to_pylist():
                    number += 1
                    passage = mapper.passage(row, number)
                    if passage is not None:
                        kept += 1
                        yield passage
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise DataError(path, f"is damaged or no Parquet file ({str(error).splitlines()[0]})") from error
    if not kept:
        raise DataError(path, "holds no row with text")


def read_datasets(source: str) -> Iterator[Passage]:
    """Yield the rows of a Hugging Face data set: ``datasets:NAME[@CONFIG][:SPLIT]`` or ``datasets:FOLDER[:SPLIT]``.

    A name is streamed from the hub; a folder is one that ``save_to_disk`` wrote, or that holds data files.

    Raises:
        UserError: if ``datasets`` is not installed, or there is no such data set or split.
    """
    try:
        datasets = importlib.import_module("datasets")
    except ImportError as error:
        raise UserError(
            f"the corpus {source} needs a package that is not installed; run: pip install 'rac-clarify[datasets]'"
        ) from error
    name, config, split = split_name(source)
    try:
        loaded = _load(datasets, name, config, split)
    except Exception as error:  # the library raises errors of its own, of the hub and of the file system
        raise UserError(f"{source} cannot be loaded ({str(error).splitlines()[0]:.200}); check its name") from error
    if isinstance(loaded, Mapping):
        if len(loaded) > 1:
            raise UserError(
                f"{source} has the splits {', '.join(loaded)}; name one of them, as in {source}:{next(iter(loaded))}"
            )
        ((split, loaded),) = loaded.items()
    yield from rows_of(loaded, f"{name}:{split}" if split else name, source)


def split_name(source: str) -> tuple[str, str | None, str | None]:
    """Return name, configuration and split of ``datasets:NAME[@CONFIG][:SPLIT]``."""
    name, _, split = source.removeprefix(DATASETS).partition(":")
    name, _, config = name.partition("@")
    return name, config or None, split or None


def _load(datasets: Any, name: str, config: str | None, split: str | None) -> Any:
    folder = Path(name)
    if (folder / "dataset_info.json").exists() or (folder / "dataset_dict.json").exists():
        loaded = datasets.load_from_disk(name)
        if isinstance(loaded, Mapping) and split:
            if split not in loaded:
                raise ValueError(f"it has no split '{split}', only {', '.join(loaded)}")
            return loaded[split]
        return loaded
    return datasets.load_dataset(name, config, split=split, streaming=True)


def rows_of(rows: Iterable[Mapping[str, Any]], name: str, source: str) -> Iterator[Passage]:
    """Yield passages of rows whose columns are those of the first row."""
    mapper: RowMapper | None = None
    kept = 0
    for number, row in enumerate(rows, start=1):
        mapper = mapper or RowMapper(list(row), name)
        passage = mapper.passage(row, number)
        if passage is not None:
            kept += 1
            yield passage
    if not kept:
        raise UserError(f"{source} has no row with text, so there is nothing to index")
