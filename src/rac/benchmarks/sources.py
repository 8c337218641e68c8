"""Reading the publishers' JSON and tables: what is wrong is said with file, line and field, never passed over."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from rac.errors import DataError, did_you_mean
from rac.files import read_json, read_text

T = TypeVar("T")


class SourceModel(BaseModel):
    """Base of the models that document a publisher's format: strict about types, tolerant of further keys."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


def read_source_json(path: Path | str, kind: type[T]) -> T:
    """Read a JSON file of the given shape, such as ``list[MyModel]`` or ``dict[str, MyModel]``.

    Raises:
        DataError: for a file that is missing, cut off, or of another shape; the field is named with its place, such as
            ``17.turns.3.context``.
    """
    value = read_json(path)
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        problem = first["msg"][0].lower() + first["msg"][1:]
        given = "" if first["type"] == "missing" else f", not {first['input']!r:.80}"
        where = ".".join(str(part) for part in first["loc"]) or None
        raise DataError(path, f"{problem}{given}: this is not the format that was expected", field=where) from error


def read_table(
    path: Path | str,
    required: Sequence[str],
    *,
    delimiter: str = "\t",
    encoding: str = "utf-8",
    multiline: bool = False,
    counts: Counter[str] | None = None,
) -> list[tuple[int, dict[str, str]]]:
    """Read a delimited table with a header line; fields may be quoted as in CSV.

    A byte-order mark and Windows line ends are accepted. Empty cells beyond the header are dropped and counted.

    Args:
        path: The file.
        required: Columns that must be there.
        delimiter: One character.
        encoding: Another one than UTF-8 has to be named; nothing is guessed.
        multiline: Whether a quoted field may hold a line end. Where it may not, one is a sign of a stray quote.
        counts: Counts cells that were dropped and empty lines.

    Returns:
        (number of the line where the row begins, column -> text) for each row.

    Raises:
        DataError: for a missing column (the columns found are listed, and a wrong delimiter is guessed at), a row with
            more or fewer cells than the header (shifted columns), or quotes that do not close.
    """
    counts = Counter() if counts is None else counts
    text = _decode(path, encoding)
    text = text.replace("\r\n", "\n").replace("\r", "\n") if not multiline else text
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[tuple[int, dict[str, str]]] = []
    header: list[str] = []
    begin = 1
    try:
        for cells in reader:
            line, begin = begin, reader.line_num + 1
            if not header:
                header = _check_header(path, cells, required, delimiter)
                continue
            if not any(cells):
                counts["empty lines (left out)"] += 1
                continue
            if not multiline and any("\n" in cell for cell in cells):
                raise DataError(path, "a quote opened here does not close on this line; double or remove it", line=line)
            if len(cells) > len(header) and not any(cells[len(header) :]):
                counts["rows with empty cells beyond the header (cells dropped)"] += 1
                cells = cells[: len(header)]
            if len(cells) != len(header):
                raise DataError(
                    path,
                    f"has {len(cells)} cells where the header has {len(header)} columns, so columns are shifted; look "
                    "for a stray delimiter, quote or line end",
                    line=line,
                )
            rows.append((line, dict(zip(header, cells, strict=True))))
    except csv.Error as error:
        raise DataError(path, f"is not a well-formed table ({error})", line=begin) from error
    if not header:
        raise DataError(path, "is empty where a header line is expected")
    return rows


def _decode(path: Path | str, encoding: str) -> str:
    if encoding.lower().replace("_", "-") in ("utf-8", "utf8", "utf-8-sig"):
        return read_text(path)
    try:
        return Path(path).read_bytes().decode(encoding)
    except FileNotFoundError as error:
        raise DataError(path, "no such file; check the path") from error
    except LookupError as error:
        raise DataError(path, f"cannot be read as '{encoding}': no encoding of that name is known") from error
    except UnicodeDecodeError as error:
        raise DataError(path, f"byte {error.start} is not valid {encoding}; name the file's encoding") from error


def _check_header(path: Path | str, cells: list[str], required: Sequence[str], delimiter: str) -> list[str]:
    # A table may have unnamed columns at its end (MIMICS-Duo has eight).
    while cells and not cells[-1].strip():
        cells = cells[:-1]
    header = [cell.strip() for cell in cells]
    doubled = [name for name, count in Counter(header).items() if count > 1]
    if doubled:
        raise DataError(path, f"has two columns named '{doubled[0]}'; rename one", line=1)
    missing = [name for name in required if name not in header]
    if missing:
        hint = ""
        if len(header) <= 1:
            other = next((d for d in ",\t;|" if d != delimiter and d in (header or [""])[0]), None)
            hint = f"; the delimiter seems to be {other!r}, not {delimiter!r}" if other else ""
        near = "" if hint else f"; {did_you_mean(missing[0], header)}" if header else ""
        raise DataError(
            path,
            f"has no column '{missing[0]}'; columns found: {', '.join(map(repr, header)) or 'none'}{hint or near}",
            line=1,
        )
    return header


def unique_rows(rows: Iterable[T], key: Callable[[T], Hashable], counts: Counter[str], what: str = "rows") -> list[T]:
    """Return the rows without exact repetitions of an earlier one; those are counted."""
    seen: set[Any] = set()
    kept = []
    for row in rows:
        identity = key(row)
        if identity in seen:
            counts[f"{what} that repeat an earlier one exactly (left out)"] += 1
            continue
        seen.add(identity)
        kept.append(row)
    return kept


def unescape_quotes(text: str) -> str:
    r"""Return text with ``\'`` and ``\"`` as plain quotes (TREC topic descriptions have them)."""
    return text.replace("\\'", "'").replace('\\"', '"')
