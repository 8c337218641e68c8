"""Which files an index was made of, so that it can be made again from what has changed only."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rac.corpus.files import READER_VERSION, FileCorpus
from rac.corpus.walk import SourceFile
from rac.errors import DataError
from rac.files import read_json, sha256_file, write_json
from rac.records import Passage

FORMAT = 2
"""2: ``duplicate_of`` names owners of ids as well; with older manifests records would be lost, so all is read again."""
FILE = "sources.json"
_SAME_MOMENT = 2_000_000_000
"""A file that changed within two seconds before it was read may change again with the same time; its bytes decide."""


@dataclass
class Entry:
    """One file of the corpus, as it was when its passages were indexed.

    Attributes:
        name: As in ``SourceFile``.
        size: Bytes.
        mtime_ns: Time of its last change.
        sha256: Of its bytes.
        read_ns: When it was read.
        passages: How many passages of it are in the index; they are neighbours there, in the order of the entries.
        duplicate_of: Names of files whose passages it nearly repeats, or whose ids its records have.
        problem: Why it was not read to its end, "" if it was.
    """

    name: str
    size: int
    mtime_ns: int
    sha256: str
    read_ns: int
    passages: int = 0
    duplicate_of: list[str] = field(default_factory=list)
    problem: str = ""


@dataclass
class Manifest:
    """All files of an index, in the order of their passages; ``key`` is what else the passages depend on."""

    key: dict[str, Any]
    entries: list[Entry] = field(default_factory=list)

    def write(self, folder: Path) -> None:
        """Write the manifest into the directory of an index."""
        write_json(
            folder / FILE,
            {"format": FORMAT, "reader": READER_VERSION, "key": self.key, "files": [asdict(e) for e in self.entries]},
        )

    @classmethod
    def read(cls, folder: Path) -> Manifest | None:
        """Return the manifest of an index, None if it has none or one of another version: then all is read again.

        Raises:
            DataError: if it is damaged.
        """
        if not (folder / FILE).exists():
            return None
        raw = read_json(folder / FILE)
        try:
            if raw["format"] != FORMAT or raw["reader"] != READER_VERSION:
                return None
            return cls(raw["key"], [Entry(**entry) for entry in raw["files"]])
        except (TypeError, KeyError) as error:
            raise DataError(folder / FILE, "is damaged; build the index again into an empty directory") from error


@dataclass(frozen=True)
class Changes:
    """What became of the files of a manifest: what to keep, to read again or anew, and what is gone."""

    kept: list[Entry]
    read: list[SourceFile]
    changed: int
    new: int
    gone: int

    def __bool__(self) -> bool:
        return bool(self.read or self.gone)


def compare(old: Manifest, files: list[SourceFile]) -> Changes:
    """Find what has changed since a manifest was written. Size and time tell; if they differ, the bytes do.

    Files that nearly repeat a changed or removed one, or have ids that it held, are read again as well, since their
    passages may have been left out.
    """
    here = {file.name: file for file in files}
    same = {entry.name for entry in old.entries if entry.name in here and _is_same(entry, here[entry.name])}
    other = {entry.name for entry in old.entries} - same
    same -= {entry.name for entry in old.entries if other.intersection(entry.duplicate_of)}
    known = {entry.name for entry in old.entries}
    return Changes(
        kept=[entry for entry in old.entries if entry.name in same],
        read=[file for file in files if file.name not in same],
        changed=sum(name in here for name in known - same),
        new=sum(file.name not in known for file in files),
        gone=sum(name not in here for name in known),
    )


def _is_same(entry: Entry, file: SourceFile) -> bool:
    if entry.size != file.size:
        return False
    if entry.mtime_ns == file.mtime_ns and file.mtime_ns < entry.read_ns - _SAME_MOMENT:
        return True
    try:
        return sha256_file(file.path) == entry.sha256
    except OSError:
        return False


def read_files(corpus: FileCorpus, files: list[SourceFile], manifest: Manifest) -> Iterator[Passage]:
    """Yield the passages of files and add an entry to the manifest for each of them when it ends."""
    for file in files:
        number = len(manifest.entries)
        problems = len(corpus.report.problems)
        read_ns = time.time_ns()
        try:
            digest = sha256_file(file.path)
        except OSError:
            digest = ""  # reading will say why
        entry = Entry(file.name, file.size, file.mtime_ns, digest, read_ns)
        originals: set[int] = set()
        for passage in corpus.read(file, number, originals.add):
            entry.passages += 1
            yield passage
        entry.duplicate_of = sorted({manifest.entries[n].name for n in originals if n != number})
        if len(corpus.report.problems) > problems:
            entry.problem = corpus.report.problems[-1].reason
            if "pip install" in entry.problem:
                entry.sha256, entry.mtime_ns = "", 0  # to be read again when the package is there
        manifest.entries.append(entry)
