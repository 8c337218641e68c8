"""From what a user names (a benchmark, an examples file, a table with a column map) to examples and a corpus."""

from __future__ import annotations

import logging
from pathlib import Path

from rac.benchmarks import READERS, load
from rac.benchmarks.base import BenchmarkData, BenchmarkInfo, carried, content_of, distinct_passages
from rac.benchmarks.column_settings import ColumnMap
from rac.benchmarks.columns import read_mapped
from rac.benchmarks.fetch import default_directory, is_present, mirror_directory
from rac.errors import UserError, did_you_mean
from rac.files import read_records
from rac.records import ClarificationExample

log = logging.getLogger(__name__)
TABLES = (".csv", ".tsv")


def is_file_source(source: str) -> bool:
    """Say whether a source is a path and not the name of a benchmark."""
    return source.lower() not in READERS and (Path(source).exists() or Path(source).suffix in (".jsonl", *TABLES))


def read_source(
    source: str,
    split: str = "all",
    *,
    directory: Path | str | None = None,
    mirror: Path | str | None = None,
    columns: ColumnMap | None = None,
    distinct: bool = True,
) -> tuple[BenchmarkData, BenchmarkInfo | None]:
    """Read a benchmark, or a file of examples.

    Args:
        source: A benchmark's name; a ``.jsonl`` file in rac's format; or any ``.csv``, ``.tsv`` or ``.jsonl`` file
            together with a column map. A file's corpus is the passages that its examples carry.
        split: A split's name or ``all``; folds as in ``Benchmark.read`` are for benchmarks only.
        directory: Where benchmarks lie.
        mirror: See ``fetch_files``.
        columns: What the columns of a table (or of PaQa) hold.
        distinct: Whether a file whose examples give one passage id to different passages is refused. If not, the
            corpus has the last of them, which is no corpus to search.

    Returns:
        The data, and the benchmark's description (None for a file).

    Raises:
        UserError: for a source that is neither, a table without a map, an unknown split, or examples that give one
            passage id to different passages.
        DataError: for broken files.
    """
    name = source.lower()
    if name in READERS:
        data = load(name, split, directory=directory, mirror=mirror, columns=columns)
        return data, READERS[name].info
    path = Path(source)
    if not is_file_source(source):
        raise UserError(
            f"'{source}' is neither a file nor a benchmark; give a path, or a benchmark: {did_you_mean(name, READERS)}"
        )
    counts: dict[str, int]
    if columns is not None:
        examples, counts = read_mapped(path, columns)
    elif path.suffix in TABLES:
        raise UserError(
            f"{path} is a table, and nothing says which column holds what; give a column map "
            "(--columns MAP.yaml, or data.columns in a recipe) that names at least the column of the query"
        )
    else:
        examples = read_records(path, ClarificationExample)
        counts = {"examples": len(examples)}
    if split != "all":
        known = sorted({e.split for e in examples})
        if split not in known:
            named = [name for name in known if name]
            advice = did_you_mean(split, named) if named else "its examples name none, so leave --split away"
            raise UserError(f"{path} has no split '{split}'; {advice}")
        examples = [e for e in examples if e.split == split]
        counts["examples of this split"] = len(examples)
    if distinct:
        corpus = distinct_passages(carried(examples), path)
    else:
        texts: dict[str, set[tuple[str, str]]] = {}
        for _, passage in carried(examples):
            texts.setdefault(passage.id, set()).add(content_of(passage))
        corpus = list({passage.id: passage for _, passage in carried(examples)}.values())
        if shared := sum(len(own) > 1 for own in texts.values()):
            counts["passage ids with several texts (no corpus to search)"] = shared
    return BenchmarkData(examples, corpus, counts), None


def read_present(
    *, without: str = "", directory: Path | str | None = None, mirror: Path | str | None = None
) -> tuple[dict[str, list[ClarificationExample]], list[str]]:
    """Read every benchmark whose files lie in the directory or in the mirror; nothing is downloaded.

    Returns:
        Examples by benchmark, and the names of benchmarks that are not here.
    """
    target = Path(directory) if directory is not None else default_directory()
    source = mirror_directory(mirror)
    found: dict[str, list[ClarificationExample]] = {}
    absent: list[str] = []
    for name, benchmark in READERS.items():
        if name == without:
            continue
        where = next((d for d in (target, source) if d is not None and is_present(benchmark.info, d)), None)
        if where is None and not any((target / path).is_file() for _, path in benchmark.info.by_hand):
            absent.append(name)
            continue
        if benchmark.takes_columns:
            absent.append(name)  # nobody gave its column map
            continue
        try:
            found[name] = benchmark.read(where or target).examples
        except UserError as error:
            log.warning("%s is left out of the comparison: %s", name, error)
            absent.append(name)
    return found, absent
