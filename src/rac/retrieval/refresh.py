"""``index_corpus``: build an index of a corpus, or bring one up to date by reading only the files that changed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rac.corpus import ReadOptions, ReadReport, is_index, named_corpus, read_corpus
from rac.corpus.files import FileCorpus
from rac.corpus.manifest import Manifest, compare, read_files
from rac.corpus.report import Problem
from rac.errors import UserError
from rac.records import Passage
from rac.retrieval import build_index, generations, open_index
from rac.retrieval.base import Index
from rac.retrieval.build import resolve, write_generation
from rac.retrieval.encoders import OtherModelError
from rac.retrieval.settings import SEARCH_TIME, IndexSettings

if TYPE_CHECKING:
    from rac.retrieval.local import LocalIndex

log = logging.getLogger(__name__)

Change = Callable[[Iterable[Passage]], Iterable[Passage]]
"""Done to every passage before it is indexed."""


@dataclass(frozen=True)
class Refreshed:
    """An index that is up to date, what was read for it, and a sentence on what was done ("" for a new index)."""

    index: Index
    report: ReadReport
    note: str = ""


def index_corpus(
    source: str, settings: IndexSettings, path: Path, options: ReadOptions | None = None, *,
    change: Change | None = None, change_key: str = "",
) -> Refreshed:  # fmt: skip
    """Make the index at ``path`` one of the corpus as it is now.

    If it was built from the same files with the same models, settings and options, only files that were added or
    changed since are read, and passages of removed ones are taken out; otherwise it is built whole. Settings of
    searching may differ; the new ones are stored. Either way it is published by one rename at the end: a run that is
    killed leaves the index as it was. The passages of an index that was brought up to date are the same as those of a
    new one; those of changed files come last.

    Args:
        source: As in ``read_corpus``.
        settings: Strategy, fields, analyzer.
        path: The directory of the index.
        options: How documents are read.
        change: Is done to passages before they are indexed; ``change_key`` names it, to notice that it is another one.
        change_key: See ``change``.

    Raises:
        UserError: for a corpus without text; see also ``read_corpus`` and ``build_index``.
    """
    options, report = options or ReadOptions(), ReadReport()
    if is_index(source) and Path(source).resolve() == Path(path).resolve():
        raise UserError(f"{source} is the index itself; give the corpus that it was made of")
    if settings.strategy == "milvus" or named_corpus(source) is not None:
        passages = read_corpus(source, options, report)
        return Refreshed(build_index(change(passages) if change else passages, settings, path), report)
    corpus = FileCorpus(Path(source), options, report)
    key = {"source": str(Path(source).resolve()), "options": asdict(options), "change": change_key}
    old, why = _known(path, settings, key)
    files = corpus.files()
    if old is None:
        manifest = Manifest(key)
        return Refreshed(
            _write(path, settings, corpus, manifest, read_files(corpus, files, manifest), change), report, why
        )
    index, before = old
    changes = compare(before, files)
    report.unchanged = len(changes.kept)
    for entry in changes.kept:
        if entry.problem:
            report.problems.append(Problem(entry.name, entry.problem, entry.passages))
    if not changes:
        corpus.finish()
        note = f"unchanged: {len(changes.kept)} files, nothing was read again"
        if stored := _store_search_settings(index):
            note += f"; new settings of searching are stored: {', '.join(stored)}"
        return Refreshed(open_index(path, settings) if stored else index, report, note)
    manifest = Manifest(key, list(changes.kept))
    names = {entry.name for entry in changes.kept}
    rows, start = [np.empty(0, np.int64)], 0
    for entry in before.entries:
        if entry.name in names:
            rows.append(np.arange(start, start + entry.passages, dtype=np.int64))
        start += entry.passages
    kept = np.concatenate(rows)
    owners = np.repeat(np.arange(len(changes.kept)), [entry.passages for entry in changes.kept])
    for row, owner in zip(kept.tolist(), owners.tolist(), strict=True):
        corpus.remember(index.opened.store[row], owner)
    found = read_files(corpus, changes.read, manifest)
    updated = _write(path, settings, corpus, manifest, found, change, base=index, kept=kept if len(kept) else None)
    new = f"{changes.new} new, {changes.changed} changed, {changes.gone} removed"
    return Refreshed(updated, report, f"files: {new}, {len(changes.kept)} unchanged and not read again")


def open_passages(index: Index) -> Iterator[Passage]:
    """Stream the passages of an index that was just built, instead of reading the corpus again.

    Raises:
        UserError: for an engine that does not give its passages back in order.
    """
    from rac.retrieval.local import LocalIndex

    if not isinstance(index, LocalIndex):
        raise UserError("this engine does not give its passages back; name the corpus")
    return index.passages()


def _known(path: Path, settings: IndexSettings, key: dict) -> tuple[tuple[LocalIndex, Manifest] | None, str]:
    """Return the index that can be brought up to date and its manifest, or None and why all has to be read."""
    from rac.retrieval.local import LocalIndex

    if not (path / generations.CURRENT).exists():
        return None, ""
    try:
        index = open_index(path, settings)
        manifest = Manifest.read(index.opened.folder) if isinstance(index, LocalIndex) else None
    except UserError as error:
        return None, f"the index is built anew, since the one that was there does not fit: {error}"
    if manifest is None or not isinstance(index, LocalIndex):
        return None, "the index is built anew, since the one that was there does not say which files it was made of"
    if manifest.key != key:
        return None, "the index is built anew, since it was made of another corpus or read with other options"
    if sum(entry.passages for entry in manifest.entries) != len(index):
        return None, "the index is built anew, since passages were added or deleted by hand"
    try:
        # Even if no file changed: a search would refuse the model, and say to build the index again.
        index.check_models()
    except OtherModelError:
        return None, "the index is built anew, since its model gives other vectors than when it was built"
    except UserError:
        pass  # A model that is not here now: if nothing changed none is needed, else the build says so.
    return (index, manifest), ""


def _store_search_settings(index: LocalIndex) -> list[str]:
    """Make the settings that an index was opened with those that it stores; return the names of those that changed."""
    before = resolve(index.path, index.opened.header, None, {})
    changed = sorted(key for key in SEARCH_TIME if getattr(before, key) != getattr(index.settings, key))
    if changed:
        generations.publish_settings(index.path, index.opened.folder, index.settings.model_dump(mode="json"))
    return changed


def _write(
    path: Path, settings: IndexSettings, corpus: FileCorpus, manifest: Manifest, passages: Iterator[Passage],
    change: Change | None, *, base: LocalIndex | None = None, kept: np.ndarray | None = None,
) -> Index:  # fmt: skip
    """Publish a generation of kept and new passages with its manifest."""

    def finish(folder: Path) -> None:
        corpus.finish()
        manifest.write(folder)

    def all_passages() -> Iterator[Passage]:
        yield from change(passages) if change else passages
        if not corpus.report.passages and not corpus.report.unchanged:
            corpus.finish()  # says why there is nothing, better than an index without passages would

    with generations.new_generation(path) as folder:
        write_generation(
            folder, all_passages(), settings, base=base.opened if base is not None and kept is not None else None,
            kept=kept, finish=finish,
        )  # fmt: skip
    return open_index(path, settings)
