"""What every benchmark is made of: its description, its pinned files, and what its reader returns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rac.errors import UserError, did_you_mean
from rac.records import ClarificationExample, Passage


@dataclass(frozen=True)
class RemoteFile:
    """One file of a benchmark, pinned to a revision of the publisher's repository.

    ``repo`` is ``OWNER/REPO`` on GitHub, ``commit`` its revision, ``path`` the file's path in it; ``sha256`` and
    ``size`` (bytes) are those of the file at that revision. ``split`` names the split that needs the file; an empty
    one means that every split does.
    """

    repo: str
    commit: str
    path: str
    sha256: str
    size: int
    split: str = ""

    @property
    def local(self) -> Path:
        """Where the file lies under a benchmark directory or a mirror: ``OWNER/REPO/PATH``."""
        return Path(self.repo) / self.path

    @property
    def name(self) -> str:
        """``OWNER/REPO/PATH`` for messages."""
        return f"{self.repo}/{self.path}"


@dataclass(frozen=True)
class BenchmarkInfo:
    """What a user wants to know before using a benchmark.

    ``passages`` says where D comes from; ``missing`` what is not in it; ``splitting`` how its splits are made or what
    splits and folds must keep together. ``files`` is empty where the publisher's files have to be fetched by hand:
    ``url`` then says where from.
    """

    name: str
    title: str
    url: str
    licence: str
    citation: str
    splits: tuple[str, ...]
    passages: str
    missing: str
    splitting: str
    files: tuple[RemoteFile, ...] = ()

    def files_of(self, split: str = "all") -> tuple[RemoteFile, ...]:
        """Return the files that a split (or ``all``) needs."""
        return tuple(f for f in self.files if split == "all" or f.split in ("", split))


@dataclass(frozen=True)
class BenchmarkData:
    """What a reader returns.

    ``corpus`` holds every passage that can be retrieved (empty where the user brings the corpus); ``counts`` says what
    was read, kept, repaired and left out, and why, in the order in which it was noticed.
    """

    examples: list[ClarificationExample]
    corpus: list[Passage] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)


Reader = Callable[[Path, str, "Counter[str]"], tuple[list[ClarificationExample], list[Passage]]]
"""A reader gets the directory, the split or ``all``, and a counter to fill; it returns examples and corpus."""


@dataclass(frozen=True)
class Benchmark:
    """A benchmark: its description and its reader."""

    info: BenchmarkInfo
    reader: Reader

    def read(self, directory: Path | str, split: str = "all") -> BenchmarkData:
        """Read one split, or all of them.

        Args:
            directory: Holds the files as ``OWNER/REPO/PATH`` (what ``rac fetch`` makes, and the layout of a mirror).
            split: One of ``info.splits``, or ``all``.

        Raises:
            UserError: if there is no such split.
            DataError: if a file is missing or its content is not what the format says.
        """
        known = (*self.info.splits, "all")
        if split not in known:
            raise UserError(f"benchmark '{self.info.name}' has no split '{split}' here; {did_you_mean(split, known)}")
        counts: Counter[str] = Counter()
        examples, corpus = self.reader(Path(directory), split, counts)
        counts["examples"] = len(examples)
        counts["corpus passages"] = len(corpus)
        return BenchmarkData(examples, corpus, dict(counts))
