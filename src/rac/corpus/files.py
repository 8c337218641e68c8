"""A corpus on disk: a JSON Lines file, a text file, or a folder of such files."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rac.corpus.jsonl import read_jsonl
from rac.errors import DataError, UserError
from rac.files import read_text
from rac.records import Passage

log = logging.getLogger(__name__)
TEXT_SUFFIXES = (".txt", ".md")
SUFFIXES = (".jsonl", *TEXT_SUFFIXES)


def read_files(path: Path) -> Iterator[Passage]:
    """Stream the passages of a file or folder; see ``rac.corpus.read_corpus``.

    Raises:
        UserError: if the path does not exist, is of another kind, or is a folder without readable files.
        DataError: for what is wrong inside a file.
    """
    if path.is_dir():
        return _read_folder(path)
    if not path.exists():
        raise DataError(path, "no such corpus; give a .jsonl, .txt or .md file, a folder of them, or 'wikipedia'")
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(
            f"{path} is a '{path.suffix}' file, which is no corpus format here; convert it to JSON Lines with "
            '{"id": ..., "title": ..., "text": ...} on each line'
        )
    return _read_one(path, path.name)


def _read_one(path: Path, name: str) -> Iterator[Passage]:
    if path.suffix.lower() in TEXT_SUFFIXES:
        return iter([read_text_file(path, name)])
    return read_jsonl(path)


def read_text_file(path: Path, name: str | None = None) -> Passage:
    """Return a text or Markdown file as one passage; its id is its name, its title the first heading or the stem."""
    text = read_text(path)
    title = path.stem.replace("_", " ").strip()
    if path.suffix.lower() == ".md":
        heading = next((line for line in text.splitlines() if line.startswith("#")), "")
        title = heading.lstrip("#").strip() or title
    return Passage(id=name or path.name, title=title, text=text, source=name or path.name)


def _read_folder(folder: Path) -> Iterator[Passage]:
    files = sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    readable = [p for p in files if p.suffix.lower() in SUFFIXES]
    skipped = Counter(p.suffix.lower() or "no suffix" for p in files if p.suffix.lower() not in SUFFIXES)
    skipped.pop(".json", None)  # headers of JSON Lines files
    for suffix, count in sorted(skipped.items()):
        log.warning("%s: %d files of kind '%s' skipped; read are %s", folder, count, suffix, ", ".join(SUFFIXES))
    if not readable:
        raise UserError(f"the folder {folder} holds no {', '.join(SUFFIXES)} file, so there is nothing to index")
    for path in readable:
        yield from _read_one(path, path.relative_to(folder).as_posix())
