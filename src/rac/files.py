"""Files: JSON Lines of records with a header beside them, atomic writing, hashes.

A file ``x.jsonl`` that rac writes has a header ``x.jsonl.header.json`` with the record type, the schema version and
the number of records. Files written by hand need no header.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from rac.errors import DataError, UserError, nearest
from rac.records import SCHEMA_VERSION, Record

log = logging.getLogger(__name__)
R = TypeVar("R", bound=Record)

_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")

LONGEST_LINE = 64_000_000
"""Bytes of a line of JSON Lines at most: no record is longer, and memory stays bounded."""

_UNKNOWN_KEYS = 5
"""Keys that a warning names at most."""


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that replaces it when the block ends well.

    The block may write a file or a directory there. If it raises, what it wrote is removed and ``path`` is untouched.

    Raises:
        UserError: if the device has no space left, or the path has no name of its own (``.``, ``..``, ``/``).
    """
    path = Path(path)
    if path.name in ("", ".."):
        raise UserError(
            f"{path} is a folder that cannot be replaced: give the name of a new file or folder in it, such as "
            f"{path / 'out'}"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    _remove(temporary)
    try:
        yield temporary
        if temporary.is_file():
            with temporary.open("rb") as handle:
                os.fsync(handle.fileno())
        if temporary.is_dir() and path.is_dir():
            old = path.with_name(f".{path.name}.{os.getpid()}.old")
            _remove(old)
            path.rename(old)
            temporary.rename(path)
            _remove(old)
        else:
            temporary.replace(path)
    except Exception as error:
        _remove(temporary)
        if is_disk_full(error):
            raise UserError(
                f"no space left on the device while writing {path}; nothing was changed there: free some space and "
                "run the same command again"
            ) from error
        raise
    except BaseException:
        _remove(temporary)
        raise


def is_disk_full(error: BaseException) -> bool:
    """Whether an error means that the device is full, whichever library raised it."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return True
    # numpy reports a short write, safetensors the system's message, both without an error number.
    return bool(re.search(r"No space left on device|\d+ requested and \d+ written", str(error)))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def write_text(path: Path | str, text: str) -> None:
    """Write ``text`` as UTF-8, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path | str, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically. NaN and infinity are refused: JSON has none."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def read_text(path: Path | str) -> str:
    """Read a UTF-8 text file (a byte-order mark is dropped).

    Raises:
        DataError: if the file is missing, is not a file or is not UTF-8 (the message names the byte and the line).
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(path, "no such file; check the path") from error
    except IsADirectoryError as error:
        raise DataError(path, "is a directory where a file is expected") from error
    except OSError as error:
        raise DataError(path, f"cannot be read ({error.strerror})") from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(
            path, f"byte {error.start} is not valid UTF-8; convert the file to UTF-8 first", line=line
        ) from error


def read_json(path: Path | str) -> Any:
    """Read a JSON file; a file that does not parse is a ``DataError`` with its line."""
    text = read_text(path)
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        raise DataError(path, f"is not valid JSON ({getattr(error, 'msg', error)})", line=line) from error


def header_path(path: Path | str) -> Path:
    """Return where the header of a JSON Lines file lies."""
    path = Path(path)
    return path.with_name(path.name + ".header.json")


def write_records(path: Path | str, records: Iterable[Record], **header: Any) -> int:
    """Write records as JSON Lines with a header beside them, both atomically; return how many were written."""
    path = Path(path)
    count = 0
    kind = ""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as handle:
        for record in records:
            kind = type(record).__name__
            handle.write(json.dumps(record.to_dict(), ensure_ascii=False, allow_nan=False) + "\n")
            count += 1
    write_json(header_path(path), {"schema": SCHEMA_VERSION, "record": kind, "count": count, **header})
    return count


def check_header(path: Path | str) -> dict[str, Any]:
    """Return the header of a JSON Lines file, ``{}`` if it has none.

    Raises:
        DataError: if the header names a schema version that this version of rac cannot read.
    """
    where = header_path(path)
    if not where.exists():
        return {}
    header: dict[str, Any] = read_json(where)
    if header.get("schema") != SCHEMA_VERSION:
        raise DataError(
            where,
            f"schema version {header.get('schema')!r} cannot be read by this rac, which knows version "
            f"{SCHEMA_VERSION}; use the rac version that wrote it, or make the file again",
            field="schema",
        )
    return header


def iterate_json_lines(path: Path | str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (1-based line number, object) of a JSON Lines file; empty lines are skipped.

    Raises:
        DataError: for a missing file, invalid UTF-8, a line that does not parse, is not an object, has no end or has
            half of a surrogate pair, which is no text and could be written nowhere.
    """
    path = Path(path)
    if path.is_dir():
        raise DataError(path, "is a directory where a JSON Lines file is expected")
    try:
        handle = path.open("rb")
    except FileNotFoundError as error:
        raise DataError(path, "no such file; check the path") from error
    except OSError as error:
        raise DataError(path, f"cannot be read ({error.strerror})") from error
    with handle:
        for number, raw in enumerate(iter(lambda: handle.readline(LONGEST_LINE + 1), b""), start=1):
            if len(raw) > LONGEST_LINE:
                raise DataError(
                    path, f"has more than {LONGEST_LINE // 1_000_000} MB; give one object a line", line=number
                )
            try:
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            except UnicodeDecodeError as error:
                raise DataError(
                    path, f"byte {error.start} is not valid UTF-8; convert the file to UTF-8 first", line=number
                ) from error
            if not line:
                continue
            try:
                value = json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(
                    path, f"is not valid JSON ({error.msg} at column {error.colno}); one object a line", line=number
                ) from error
            except RecursionError as error:
                raise DataError(path, "is nested too deeply for a record", line=number) from error
            if not isinstance(value, dict):
                raise DataError(path, f"is a JSON {type(value).__name__} where an object is expected", line=number)
            if _HALF_PAIR.search(line):
                try:
                    json.dumps(value, ensure_ascii=False).encode()
                except UnicodeEncodeError as error:
                    raise DataError(
                        path, "a text has half of a surrogate pair (\\ud800 to \\udfff); write whole characters",
                        line=number,
                    ) from error  # fmt: skip
            yield number, value


def parse_record(kind: type[R], value: dict[str, Any], path: Path | str, line: int | None = None) -> R:
    """Make a record from a JSON object; what is wrong is a ``DataError`` that names file, line and field."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        # As it stands in the file: null and true, not Python's None and True.
        shown = json.dumps(first["input"], ensure_ascii=False, default=repr)
        given = "" if first["type"] == "missing" else f", not {shown:.80}"
        problem = first["msg"].removeprefix("Value error, ")
        problem = problem[0].lower() + problem[1:]
        problem = re.sub(r"valid dictionary( or instance of \w+)?", "JSON object", problem)
        problem = problem.replace("valid tuple", "list")
        raise DataError(path, f"{problem}{given} ({kind.__name__})", line=line, field=field or None) from error


def read_records(
    path: Path | str, kind: type[R], *, unique_ids: bool = True, key: Callable[[R], str] | None = None
) -> list[R]:
    """Read a JSON Lines file of records.

    Keys that the record does not know are ignored, counted and logged with the nearest known key.

    Args:
        path: The file.
        kind: The record class.
        unique_ids: Refuse a second record with the same key.
        key: What must be unique; the record's ``id`` by default.

    Raises:
        DataError: naming file, line and field; also for an unknown schema version.
    """
    check_header(path)
    seen: dict[str, int] = {}
    unknown: Counter[str] = Counter()
    records: list[R] = []
    for number, value in iterate_json_lines(path):
        unknown.update(name for name in value if name not in kind.model_fields)
        record = parse_record(kind, value, path, number)
        identity = key(record) if key else str(getattr(record, "id", number))
        if unique_ids and identity in seen:
            raise DataError(
                path, f"id '{identity}' was already used in line {seen[identity]}; ids must be unique",
                line=number, field="id",
            )  # fmt: skip
        seen[identity] = number
        records.append(record)
    warn_of_unknown_keys(path, unknown, kind.model_fields, "record")
    return records


def warn_of_unknown_keys(path: Path | str, unknown: Counter[str], known: Iterable[str], what: str) -> None:
    """Log in one line which keys of a file were ignored, the most frequent ones by name.

    Args:
        path: The file.
        unknown: Key -> how many lines have it; nothing is logged if there is none.
        known: The keys that would have been read.
        what: What a line is, in the singular.
    """
    known = list(known)
    said = []
    for name, count in unknown.most_common(_UNKNOWN_KEYS):
        best = nearest(name, known)
        said.append(f"'{name}' in {count:,} {what}{'s' * (count != 1)}" + (f" (did you mean '{best}'?)" * bool(best)))
    if len(unknown) > _UNKNOWN_KEYS:
        said.append(f"{len(unknown) - _UNKNOWN_KEYS} more")
    if said:
        log.warning("%s: unknown keys ignored: %s; known: %s", path, ", ".join(said), ", ".join(known))


def sha256_file(path: Path | str) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def sha256_json(value: Any) -> str:
    """Return the SHA-256 of a JSON value in canonical form, in hex."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


class ResumableLines:
    """Results of a long loop, one JSON object a line, kept across interruptions.

    Each finished item is appended at once; a half-written last line (a kill in mid-write) is dropped on reading. A file
    whose first line names other inputs is started anew.

    Args:
        path: The working file.
        digest: Hash of everything that the results depend on.
    """

    def __init__(self, path: Path, digest: str) -> None:
        self.path = path
        self.done: dict[str, Any] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = [json.dumps({"digest": digest})]
        if path.exists():
            lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
            if lines[0] == whole[0]:
                for line in lines[1:-1]:
                    entry = json.loads(line)
                    self.done[entry["id"]] = entry["value"]
                    whole.append(line)
        write_text(path, "\n".join(whole) + "\n")

    def add(self, items: dict[str, Any]) -> None:
        """Append finished items."""
        try:
            with self.path.open("a", encoding="utf-8") as handle:
                for identity, value in items.items():
                    handle.write(json.dumps({"id": identity, "value": value}, ensure_ascii=False) + "\n")
        except OSError as error:
            raise UserError(f"cannot write {self.path} ({error.strerror}); free some space and run it again") from error
        self.done.update(items)

    def remove(self) -> None:
        """Delete the working file; the results have been written where they belong."""
        self.path.unlink(missing_ok=True)
