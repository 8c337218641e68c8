"""Benchmarks of clarification in one common form, one module per benchmark.

``READERS[NAME]`` has the description (``info``) and ``read(directory, split)``; ``load`` fetches what is missing first.
"""

from __future__ import annotations

from pathlib import Path

from rac.benchmarks import (
    abg_coqa,
    ambignq,
    cambignq,
    claqua,
    clariq,
    inscit,
    mimics,
    mimics_duo,
    pacific,
    paqa,
    qulac,
    white_sharc,
)
from rac.benchmarks.base import Benchmark, BenchmarkData, BenchmarkInfo, RemoteFile
from rac.benchmarks.column_settings import ColumnMap, make_column_map
from rac.benchmarks.fetch import default_directory, fetch_files
from rac.errors import UserError, did_you_mean

_MODULES = (
    clariq, qulac, cambignq, paqa, claqua, inscit, abg_coqa, pacific, white_sharc, mimics, mimics_duo, ambignq,
)  # fmt: skip

READERS: dict[str, Benchmark] = {module.BENCHMARK.info.name: module.BENCHMARK for module in _MODULES}
"""Every benchmark by name: the four of the RAC paper first."""


def get_benchmark(name: str) -> Benchmark:
    """Return a benchmark by its name.

    Raises:
        UserError: if there is none of that name.
    """
    try:
        return READERS[name.lower()]
    except KeyError as error:
        raise UserError(f"there is no benchmark '{name}'; {did_you_mean(name.lower(), READERS)}") from error


def load(
    name: str,
    split: str = "all",
    *,
    directory: Path | str | None = None,
    mirror: Path | str | None = None,
    columns: ColumnMap | None = None,
) -> BenchmarkData:
    """Read a benchmark, after fetching and verifying the files that are not there yet.

    Args:
        name: A key of ``READERS``.
        split: One of its splits, or ``all``; see ``Benchmark.read`` for folds.
        directory: Where its files lie or shall lie; ``default_directory()`` if None.
        mirror: See ``fetch_files``.
        columns: See ``Benchmark.read``.

    Raises:
        UserError: for an unknown name or split, or files that can neither be found nor fetched.
        DataError: for files whose content is wrong.
    """
    benchmark = get_benchmark(name)
    directory = Path(directory) if directory is not None else default_directory()
    fetch_files(benchmark.info, split=split, directory=directory, mirror=mirror)
    return benchmark.read(directory, split, columns=columns)


def stand_in_note(name: str, corpus: str) -> str:
    """Return what every table must say that was made on a benchmark without passages; empty for one that has them.

    Args:
        name: The benchmark, or any other source of examples.
        corpus: The corpus that was retrieved from, as the user named it.
    """
    benchmark = READERS.get(name.lower())
    if benchmark is None or benchmark.info.own_passages:
        return ""
    return (
        f"{benchmark.info.name} comes without passages; D is retrieved from '{corpus}'. Unless that is the collection "
        "the benchmark was made for, it is a stand-in: this table carries no claim about faithfulness"
    )


__all__ = [
    "READERS",
    "Benchmark",
    "BenchmarkData",
    "BenchmarkInfo",
    "ColumnMap",
    "RemoteFile",
    "default_directory",
    "fetch_files",
    "get_benchmark",
    "load",
    "make_column_map",
    "stand_in_note",
]
