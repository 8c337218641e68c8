"""What every benchmark is made of: its description, its pinned files, and what its reader returns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from rac.benchmarks.column_settings import ColumnMap
from rac.benchmarks.splits import carve, take_part
from rac.errors import DataError, UserError, did_you_mean
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

    ``splits`` are those whose files are pinned. ``by_hand`` maps further splits, which the publisher holds back or
    serves elsewhere, to where a user puts the file under the benchmark directory. ``carved`` gives the shares of the
    splits that are made here, by the hash of ``group``, from a benchmark with one file only.

    ``passages`` says where D comes from, and ``own_passages`` whether the benchmark brings it; ``missing`` says what
    is not in it, ``splitting`` what makes the splits and what they keep together.
    """

    name: str
    title: str
    url: str
    licence: str
    citation: str
    splits: tuple[str, ...]
    passages: str
    own_passages: bool
    missing: str
    splitting: str
    files: tuple[RemoteFile, ...] = ()
    by_hand: tuple[tuple[str, str], ...] = ()
    carved: tuple[tuple[str, float], ...] = ()

    def files_of(self, split: str = "all") -> tuple[RemoteFile, ...]:
        """Return the pinned files that a split needs (``all``: every file).

        A split brought by hand needs those that every split does, unless the benchmark is one pinned file.
        """
        base = split.partition(":")[0]
        if base in dict(self.by_hand) and self.carved:
            return ()
        return tuple(f for f in self.files if base == "all" or f.split in ("", base))

    def check_split(self, split: str) -> str:
        """Return the split without its part (``dev:fold 1/5`` is ``dev``).

        Raises:
            UserError: if there is no such split.
        """
        base = split.partition(":")[0]
        known = (*self.splits, *dict(self.by_hand), "all")
        if base not in known:
            raise UserError(f"benchmark '{self.name}' has no split '{base}' here; {did_you_mean(base, known)}")
        return base


@dataclass(frozen=True)
class BenchmarkData:
    """What a reader returns.

    ``corpus`` holds every passage that can be retrieved (empty where the user brings the corpus); ``counts`` says what
    was read, kept, repaired and left out, and why, in the order in which it was noticed.
    """

    examples: list[ClarificationExample]
    corpus: list[Passage] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)


Reader = Callable[..., tuple[list[ClarificationExample], list[Passage]]]
"""``reader(directory, split, counts)`` returns examples and corpus and fills the counter; ``split`` may be ``all``
where files are pinned. One that takes a column map gets it as a fourth argument."""


@dataclass(frozen=True)
class Benchmark:
    """A benchmark: its description and its reader."""

    info: BenchmarkInfo
    reader: Reader
    takes_columns: bool = False

    def read(self, directory: Path | str, split: str = "all", *, columns: ColumnMap | None = None) -> BenchmarkData:
        """Read one split, a part of one, or all pinned splits.

        Args:
            directory: Holds the files as ``OWNER/REPO/PATH`` (what ``rac fetch`` makes, and the layout of a mirror).
            split: One of ``info.splits`` or ``info.by_hand``, or ``all``; with ``:fold I/K`` only fold I of K (from
                1), with ``:but I/K`` all folds except that one. Folds keep ``group`` together.
            columns: Which column holds what, for a benchmark whose columns are not documented (PaQa).

        Raises:
            UserError: if there is no such split, or the benchmark takes no column map.
            DataError: if a file is missing or its content is not what the format says.
        """
        base = self.info.check_split(split)
        part = split.partition(":")[2]
        counts: Counter[str] = Counter()
        reader = self.reader
        if self.takes_columns:
            reader = partial(reader, columns=columns)
        elif columns is not None:
            raise UserError(
                f"a column map was given, but the format of {self.info.name} is known; leave the map away, or import a "
                "table of your own with rac import"
            )
        examples, corpus = self._read_base(reader, Path(directory), base, counts)
        if part:
            examples = take_part(examples, part)
        counts["examples"] = len(examples)
        counts["corpus passages"] = len(corpus)
        return BenchmarkData(
            examples, corpus, {name: count for name, count in counts.items() if count or name in _KEEP}
        )

    def _read_base(
        self, reader: Reader, directory: Path, base: str, counts: Counter[str]
    ) -> tuple[list[ClarificationExample], list[Passage]]:
        by_hand = dict(self.info.by_hand)
        if base in by_hand and not (directory / by_hand[base]).is_file():
            raise DataError(
                directory / by_hand[base],
                f"no such file; the split '{base}' of {self.info.name} is not fetched: get it from {self.info.url} "
                "and put it there",
            )
        if base == "all" and not self.info.splits:
            present = [name for name, path in self.info.by_hand if (directory / path).is_file()]
            if not present:
                raise DataError(
                    directory,
                    f"holds no file of {self.info.name}, which is not fetched: get it from {self.info.url} and put it "
                    f"there as {' or '.join(path for _, path in self.info.by_hand)}",
                )
            parts = [(name, *reader(directory, name, counts)) for name in present]
            every = [example for _, some, _ in parts for example in some]
            # Carried passages come first, so that an error names examples where it can.
            owned = [*carried(every), *((f"split '{name}'", p) for name, _, passages in parts for p in passages)]
            return every, distinct_passages(owned, self.info.name)
        carved = self.info.carved
        examples, corpus_list = reader(directory, "all" if base in dict(carved) else base, counts)
        if carved and base not in by_hand:
            examples = carve(examples, carved)
            if base != "all":
                counts["examples of the other splits (not asked for)"] = sum(e.split != base for e in examples)
                examples = [e for e in examples if e.split == base]
        return examples, corpus_list


def carried(examples: Iterable[ClarificationExample]) -> Iterator[tuple[str, Passage]]:
    """Yield every passage that examples carry, with the words that name its example."""
    for example in examples:
        owner = f"example '{example.id}'" + (f" of split '{example.split}'" if example.split else "")
        for passage in example.passages:
            yield owner, passage


def content_of(passage: Passage) -> tuple[str, str]:
    """Return what two passages of one id must share to be one passage."""
    return passage.title, passage.text


def distinct_passages(owned: Iterable[tuple[str, Passage]], source: Path | str) -> list[Passage]:
    """Return passages as a corpus: each id once, in the order of their first appearance.

    Args:
        owned: Passages with what they are of, see ``carried``.
        source: What they were read from, for the error.

    Raises:
        UserError: if an id has two titles or texts: one passage would take the other's place in silence.
    """
    first: dict[str, tuple[str, Passage]] = {}
    for owner, passage in owned:
        before, known = first.setdefault(passage.id, (owner, passage))
        if content_of(known) != content_of(passage):
            raise UserError(
                f"{source}: {before} and {owner} have different passages with the id '{passage.id}', so a corpus could "
                "hold only one of them; give every passage an id of its own, such as the example's id before it"
            )
    return [passage for _, passage in first.values()]


_KEEP = frozenset({"examples", "corpus passages"})
