"""Where passages come from: ``read_corpus`` turns a corpus name, file or folder into a stream of passages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rac.corpus.documents import NearDuplicates, ReadOptions
from rac.corpus.report import ReadReport
from rac.records import Passage


def read_corpus(
    source: str | Path, options: ReadOptions | None = None, report: ReadReport | None = None
) -> Iterator[Passage]:
    """Stream the passages of a corpus, in its own order.

    Documents (text, Markdown, HTML, PDF, DOCX) are cut into passages below their headings; records (JSON Lines, CSV,
    Parquet, collections) are passages already and stay whole unless ``options.passage_tokens`` is given.

    Args:
        source: ``wikipedia`` for the embedded English summaries; a file, or a folder of files, read in the order of
            their relative paths; ``trec:PATH``, a collection in TREC format; ``ir_datasets:NAME``; or
            ``datasets:NAME``, a Hugging Face data set by name or folder; or the directory of an index, for the
            passages in it.
        options: How documents are cut, what happens to near duplicates.
        report: Is filled with what was read, skipped and refused; it is also logged when a folder ends.

    Raises:
        DataError: for a missing file or a bad record, naming file, line and field; in a folder for the whole of it.
        UserError: for a source that is no corpus, or whose package is not installed.
    """
    from rac.corpus.files import FileCorpus

    options, report = options or ReadOptions(), report or ReadReport()
    named = named_corpus(str(source))
    if named is None:
        return iter(FileCorpus(Path(source), options, report))
    if options.passage_tokens is not None:
        from rac.corpus.splitting import split_corpus

        named = split_corpus(named, options.passage_tokens, options.overlap)
    return _without_near_duplicates(named, options, report)


def named_corpus(source: str) -> Iterator[Passage] | None:
    """Stream a corpus that is given by name, or the passages of an index; None if the source is another path."""
    from rac.benchmarks.user_collections import is_collection, read_user_collection
    from rac.corpus import tables, wikipedia

    if is_collection(source):
        return read_user_collection(source)
    if source.startswith(tables.DATASETS):
        return tables.read_datasets(source)
    if source == wikipedia.NAME:
        return wikipedia.read_wikipedia()
    if is_index(source):
        from rac.corpus.jsonl import read_jsonl
        from rac.retrieval.generations import current_generation
        from rac.retrieval.store import PASSAGES

        return read_jsonl(current_generation(Path(source)) / PASSAGES)
    return None


def is_index(source: str) -> bool:
    """Whether a source is the directory of an index of this machine, whose passages are a corpus as well."""
    current = Path(source) / "current"
    try:
        return current.is_file() and current.read_text(encoding="utf-8").startswith("generation-")
    except (OSError, ValueError):
        return False


def _without_near_duplicates(
    passages: Iterator[Passage], options: ReadOptions, report: ReadReport
) -> Iterator[Passage]:
    from rac.corpus.duplicates import DuplicateFinder

    found = DuplicateFinder() if options.near_duplicates != "ignore" else None
    drop = options.near_duplicates == "drop"
    for number, passage in enumerate(passages):
        if found is not None and found.add(f"{passage.title} {passage.text}", number, keep=not drop) is not None:
            report.near_duplicates += 1
            if drop:
                report.dropped += 1
                continue
        report.passages += 1
        yield passage
    report.log()


__all__ = ["NearDuplicates", "ReadOptions", "ReadReport", "is_index", "named_corpus", "read_corpus"]
