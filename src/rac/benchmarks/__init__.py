"""Benchmarks of clarification in one common form, one module per benchmark.

``READERS[NAME]`` has the description (``info``) and ``read(directory, split)``; ``load`` fetches what is missing first.
"""

from __future__ import annotations

from pathlib import Path

from rac.benchmarks import claqua
from rac.benchmarks.base import Benchmark, BenchmarkData, BenchmarkInfo, RemoteFile
from rac.benchmarks.fetch import default_directory, fetch
from rac.errors import UserError, did_you_mean

READERS: dict[str, Benchmark] = {module.BENCHMARK.info.name: module.BENCHMARK for module in (claqua,)}


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
    name: str, split: str = "all", *, directory: Path | str | None = None, mirror: Path | str | None = None
) -> BenchmarkData:
    """Read a benchmark, after fetching and verifying the files that are not there yet.

    Args:
        name: A key of ``READERS``.
        split: One of its splits, or ``all``.
        directory: Where its files lie or shall lie; ``default_directory()`` if None.
        mirror: See ``fetch``.

    Raises:
        UserError: for an unknown name or split, or files that can neither be found nor fetched.
        DataError: for files whose content is wrong.
    """
    benchmark = get_benchmark(name)
    directory = Path(directory) if directory is not None else default_directory()
    fetch(benchmark.info, split=split, directory=directory, mirror=mirror)
    return benchmark.read(directory, split)


__all__ = [
    "READERS",
    "Benchmark",
    "BenchmarkData",
    "BenchmarkInfo",
    "RemoteFile",
    "default_directory",
    "fetch",
    "get_benchmark",
    "load",
]
