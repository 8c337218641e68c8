"""A corpus on disk: one file, or a folder of files of any known format.

In a folder a file that cannot be read does not stop the others: the report lists it. A single file that cannot be
read is an error, since nothing would be left.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

from rac.corpus import docx, html, markdown, pdf, plaintext, tables
from rac.corpus.documents import ReadOptions, Section, passages_of
from rac.corpus.duplicates import DuplicateFinder
from rac.corpus.jsonl import id_hash, read_jsonl
from rac.corpus.report import Problem, ReadReport
from rac.corpus.splitting import split_document
from rac.corpus.walk import SourceFile, source_file, walk
from rac.errors import DataError, UserError
from rac.records import Passage

log = logging.getLogger(__name__)

READER_VERSION = 3
"""Changes when the same file gives other passages than before; indexes built with another version are built anew."""

RECORD_SUFFIXES = (".jsonl", *tables.CSV_SUFFIXES, *tables.PARQUET_SUFFIXES)
"""Formats whose rows are passages already, with ids of their own."""
DOCUMENT_SUFFIXES = (*plaintext.SUFFIXES, *markdown.SUFFIXES, *html.SUFFIXES, *pdf.SUFFIXES, *docx.SUFFIXES)
SUFFIXES = (*RECORD_SUFFIXES, *DOCUMENT_SUFFIXES)


class FileCorpus:
    """Reads the files of a corpus, in the order of their names, one passage at a time.

    Args:
        path: A file or a folder.
        options: Budgets, near duplicates.
        report: Is filled while reading.

    Raises:
        UserError: if the path does not exist, is of another kind, or is a folder without readable files.
    """

    def __init__(self, path: Path, options: ReadOptions, report: ReadReport) -> None:
        self.path, self.options, self.report = path, options, report
        self.is_folder = path.is_dir()
        self.duplicates = DuplicateFinder() if options.near_duplicates != "ignore" else None
        self._ids: dict[int, int] = {}  # hash of an id to the file that holds it
        if not self.is_folder:
            _check_file(path)

    def files(self) -> list[SourceFile]:
        """Return the files that can be read, sorted by name; others are counted in the report."""
        if not self.is_folder:
            return [source_file(self.path)]
        found = walk(self.path, self.report)
        readable = [file for file in found if file.path.suffix.lower() in SUFFIXES]
        for file in found:
            suffix = file.path.suffix.lower()
            if suffix not in SUFFIXES and not file.name.endswith(".jsonl.header.json"):
                self.report.skipped[f"of kind '{suffix}'" if suffix else "without a suffix"] += 1
        if not readable:
            raise UserError(f"the folder {self.path} holds no {', '.join(SUFFIXES)} file, so there is nothing to index")
        return readable

    def __iter__(self) -> Iterator[Passage]:
        files = self.files()
        for number, file in enumerate(files):
            yield from self.read(file, number, lambda _: None)
        self.finish()

    def finish(self) -> None:
        """Log the report; call it when everything was read.

        Raises:
            UserError: if no file gave any passage.
        """
        self.report.log()
        if not self.report.passages and not self.report.unchanged:
            raise UserError(
                f"none of the {sum(self.report.files.values()) + len(self.report.problems)} files of {self.path} gave "
                "any text, so there is nothing to index; see the list above"
            )

    def remember(self, passage: Passage, owner: int) -> None:
        """Take a passage that is kept from before into account: for ids that occur twice and near duplicates."""
        self._ids.setdefault(id_hash(passage.id), owner)
        if self.duplicates is not None:
            self.duplicates.add(f"{passage.title} {passage.text}", owner, keep=False)

    def read(self, file: SourceFile, owner: int, duplicate_of: Callable[[int], None]) -> Iterator[Passage]:
        """Yield the passages of one file; what is wrong goes into the report, if this is a folder.

        Args:
            file: The file.
            owner: Its number, for ids that occur twice and near duplicates.
            duplicate_of: Is told the owner of each passage whose id one of this file has, or which one nearly repeats.
        """
        suffix = file.path.suffix.lower()
        count = repeated = 0
        records = suffix in RECORD_SUFFIXES
        try:
            for passage in self._passages(file, suffix):
                if self.is_folder and records:
                    identity = id_hash(passage.id)
                    if identity in self._ids:
                        repeated += 1
                        duplicate_of(self._ids[identity])
                        continue
                    self._ids[identity] = owner
                if self.duplicates is not None:
                    drop = self.options.near_duplicates == "drop"
                    earlier = self.duplicates.add(f"{passage.title} {passage.text}", owner, keep=not drop)
                    if earlier is not None:
                        self.report.near_duplicates += 1
                        duplicate_of(earlier)
                        if drop:
                            self.report.dropped += 1
                            continue
                count += 1
                self.report.passages += 1
                yield passage
        except UserError as error:
            if not self.is_folder:
                raise
            reason = str(error).removeprefix(f"{file.path}: ").removeprefix(f"{file.path}, ")
            self.report.problems.append(Problem(file.name, reason, count))
            if not isinstance(error, DataError):
                self.report.notes["not read for want of a package"] += 1
        else:
            self.report.files[suffix] += 1
        if repeated:
            self.report.problems.append(
                Problem(
                    file.name, f"{repeated} passages have ids that the corpus has already, and were left out", count
                )
            )

    def _passages(self, file: SourceFile, suffix: str) -> Iterator[Passage]:
        if file.size == 0:
            raise DataError(file.path, "is empty (0 bytes); remove it, or fill it")
        try:
            if suffix in RECORD_SUFFIXES:
                yield from self._records(file, suffix)
            else:
                yield from passages_of(file.name, self._sections(file, suffix), self.options)
        except OSError as error:
            raise DataError(file.path, f"cannot be read ({error.strerror or error})") from error
        except (RecursionError, MemoryError) as error:
            raise DataError(
                file.path, f"is nested too deeply or too large to be read ({type(error).__name__})"
            ) from error

    def _records(self, file: SourceFile, suffix: str) -> Iterator[Passage]:
        if suffix == ".jsonl":
            found = read_jsonl(file.path)
        elif suffix in tables.CSV_SUFFIXES:
            found = tables.read_csv(file.path, file.name, self.report)
        else:
            found = tables.read_parquet(file.path, file.name)
        if self.options.passage_tokens is None:
            yield from found
            return
        for passage in found:
            yield from split_document(passage, self.options.passage_tokens, self.options.overlap)

    def _sections(self, file: SourceFile, suffix: str) -> Iterator[Section]:
        limit = self.options.whole_file_bytes
        if suffix in markdown.SUFFIXES:
            return markdown.read_markdown(file.path, file.name, self.report, limit)
        if suffix in html.SUFFIXES:
            return html.read_html(file.path, file.name, self.report, limit)
        if suffix in pdf.SUFFIXES:
            return pdf.read_pdf(file.path, file.name)
        if suffix in docx.SUFFIXES:
            return docx.read_docx(file.path, file.name, limit)
        return plaintext.read_plain(file.path, file.name, self.report)


def _check_file(path: Path) -> None:
    if not path.exists():
        raise DataError(
            path, "no such corpus; give a file, a folder, 'wikipedia', trec:PATH, ir_datasets:NAME or datasets:NAME"
        )
    if not path.is_file():
        raise UserError(f"{path} is neither a file nor a folder, so it cannot be read; give one of these")
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(
            f"{path} is a '{path.suffix}' file, which is no corpus format here (these are: {', '.join(SUFFIXES)}); "
            'convert it, for example to JSON Lines with {"id": ..., "title": ..., "text": ...} on each line'
        )
