"""The files of a folder, in a fixed order: no links followed, nothing special opened, names made safe to print."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rac.corpus.report import Problem, ReadReport

_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_OWN_MARKERS = ("run.json", "bootstrap.json")


@dataclass(frozen=True)
class SourceFile:
    """A file of a corpus.

    Attributes:
        path: Where it lies.
        name: Its path relative to the corpus, safe to print and to store; the ids of its passages begin with it.
        size: Bytes.
        mtime_ns: Time of its last change, in nanoseconds.
    """

    path: Path
    name: str
    size: int
    mtime_ns: int


def safe_name(name: str) -> str:
    r"""Return a file name as one line of valid text.

    Line breaks, control characters and bytes that are no UTF-8 are written as escapes; such a name gets a hash of its
    bytes behind it, so that no two names become one.

    Example:
        >>> safe_name("notes.md")
        'notes.md'
        >>> safe_name("a\nb.md")[:8]
        'a\\x0ab.m'
    """
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    text = _UNSAFE.sub(lambda m: f"\\x{ord(m[0]):02x}", text)
    if text == name:
        return name
    return f"{text}~{hashlib.blake2b(os.fsencode(name), digest_size=4).hexdigest()}"


def source_file(path: Path, name: str | None = None) -> SourceFile:
    """Return one file with its size and time; ``OSError`` if it cannot be looked at."""
    status = path.stat()
    return SourceFile(path, safe_name(name or path.name), status.st_size, status.st_mtime_ns)


def walk(folder: Path, report: ReadReport) -> list[SourceFile]:
    """Return the regular files of a folder and its subfolders, sorted by name.

    Left out and counted in the report: hidden files and folders, symbolic links (so loops cannot occur and nothing
    outside the folder is read), sockets, pipes and devices, folders that rac itself wrote, folders without permission.
    """
    found = list(_walk(folder, "", report))
    found.sort(key=lambda file: file.name)
    return found


def _walk(folder: Path, prefix: str, report: ReadReport) -> Iterator[SourceFile]:
    waiting = [(folder, prefix)]
    while waiting:
        where, before = waiting.pop()
        try:
            with os.scandir(where) as scan:
                entries = sorted(scan, key=lambda entry: os.fsencode(entry.name))
        except OSError as error:
            report.problems.append(Problem(safe_name(before) or str(folder), f"cannot be listed ({error.strerror})"))
            continue
        if before and _is_own(entries):
            report.skipped["folders that rac wrote"] += 1
            continue
        for entry in entries:
            name = before + entry.name
            try:
                if entry.name.startswith("."):
                    report.skipped["hidden"] += 1
                elif entry.is_symlink():
                    report.skipped["symbolic links (not followed)"] += 1
                elif entry.is_dir(follow_symlinks=False):
                    waiting.append((Path(entry.path), f"{name}/"))
                elif entry.is_file(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    yield SourceFile(Path(entry.path), safe_name(name), status.st_size, status.st_mtime_ns)
                else:
                    kind = stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode)
                    report.skipped["pipes and sockets" if kind != stat.S_IFBLK else "devices"] += 1
            except OSError as error:
                report.problems.append(Problem(safe_name(name), f"cannot be looked at ({error.strerror})"))


def _is_own(entries: list[os.DirEntry[str]]) -> bool:
    """Whether rac wrote a folder: a run, bootstrapped data, an index."""
    names = {entry.name for entry in entries}
    return any(marker in names for marker in _OWN_MARKERS) or (
        "current" in names and any(name.startswith("generation-") for name in names)
    )
