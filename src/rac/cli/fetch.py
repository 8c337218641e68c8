"""``rac fetch``: download and verify a public benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rac.cli import app


@app.command(
    epilog="Example: rac fetch claqua        Example without network: rac fetch claqua --mirror /data/mirror",
)
def fetch(
    name: Annotated[str | None, typer.Argument(help="Name of a benchmark, see --list.")] = None,
    split: Annotated[str, typer.Option(help="Fetch only what this split needs.")] = "all",
    directory: Annotated[
        Path | None, typer.Option("--dir", help="Where the files shall lie; the user's data folder by default.")
    ] = None,
    mirror: Annotated[
        Path | None,
        typer.Option(help="Directory with OWNER/REPO/PATH, read instead of the network (also RAC_MIRROR)."),
    ] = None,
    show_list: Annotated[bool, typer.Option("--list", help="List the benchmarks and end.")] = False,
) -> None:
    """Download a benchmark at a pinned revision and verify it.

    Example: rac fetch claqua
    """
    from rac import benchmarks
    from rac.errors import UserError

    where = directory if directory is not None else benchmarks.default_directory()
    if show_list:
        _show_list(where)
        return
    if name is None:
        raise UserError("no benchmark was named; give a name, or see them all with 'rac fetch --list'")
    info = benchmarks.get_benchmark(name).info
    if not info.files:
        raise UserError(
            f"'{info.name}' has no pinned files here, so it cannot be fetched; get it by hand from {info.url} and see "
            "docs/benchmarks.md for where its files belong"
        )
    fetched = benchmarks.fetch_files(info, split=split, directory=where, mirror=mirror)
    for item in fetched:
        typer.echo(f"{item.status:<10}  {item.file.size:>9,} bytes  SHA-256 verified  {item.path}")
    typer.echo(f"{info.title}\n  licence:  {info.licence}\n  cite:     {info.citation}\n  passages: {info.passages}")
    typer.echo(f"Next: rac describe {info.name}" + (f" --dir {directory}" if directory else ""))


def _show_list(directory: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    from rac.benchmarks import READERS
    from rac.benchmarks.fetch import is_present

    table = Table(title=f"Benchmarks (in {directory})")
    for column in ("name", "splits", "size", "licence", "passages", "here"):
        table.add_column(column, overflow="fold")
    for benchmark in READERS.values():
        info = benchmark.info
        size = sum(f.size for f in info.files)
        splits = ", ".join(info.splits)
        if info.by_hand:
            splits += f"{' + ' if splits else ''}({len(info.by_hand)})"
        if info.files:
            here = "yes" if is_present(info, directory) else "no"
        else:
            found = [name for name, path in info.by_hand if (directory / path).is_file()]
            here = ", ".join(found) or "no"
        table.add_row(
            info.name,
            splits,
            f"{size / 1e6:.1f} MB" if size else "?",
            info.licence,
            "its own" if info.own_passages else "yours to bring",
            here,
        )
    Console().print(table)
    typer.echo("(n): so many further splits are not fetched but brought by hand, see docs/benchmarks.md.")
