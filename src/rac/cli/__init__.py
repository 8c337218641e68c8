"""The ``rac`` command: parses, calls a library function, shows the result.

One module per command. Modules of this folder import nothing heavy at the top, so that ``rac --help`` is instant.
"""

from __future__ import annotations

import errno
import importlib
import logging
import os
import pkgutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from rac.errors import UserError

app = typer.Typer(
    name="rac",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


EngineOption = Annotated[
    str | None,
    typer.Option(
        "--engine",
        help="What computes the model: torch, llama.cpp, or auto (the default): llama.cpp where it is installed.",
    ),
]
"""The option of every command that asks a model."""


def list_shipped(files: Mapping[str, Path]) -> None:
    """Print the files that are installed with rac, by name, each with its first line, which says what it is."""
    for name, path in files.items():
        typer.echo(f"{name:<16} {path.read_text(encoding='utf-8').splitlines()[0].lstrip('# ')}")


_PATHS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG)
"""What a system says where a path that was given cannot be read or written; other errors are faults of rac."""


def check_query(query: str) -> None:
    """Refuse a query without words, or with bytes that are no text and could be written nowhere."""
    if not query.strip():
        raise UserError("the query is empty: give some words to look for")
    try:
        query.encode()
    except UnicodeEncodeError as error:
        raise UserError(f"the query is not valid UTF-8 at character {error.start + 1}: give it in UTF-8") from error


def queries_of_stdin() -> Iterator[str]:
    """Yield the lines of standard input that have words, whatever encoding the terminal names: queries are UTF-8.

    Raises:
        UserError: for a line that is not; it names the line.
    """
    for number, line in enumerate(sys.stdin.buffer, 1):
        try:
            # A file of some editors begins with a byte order mark.
            query = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError as error:
            raise UserError(
                f"standard input, line {number}: byte {error.start + 1} is not valid UTF-8; give queries in UTF-8"
            ) from error
        if query:
            yield query


def _show_version(wanted: bool) -> None:
    if wanted:
        import rac

        typer.echo(f"rac {rac.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """Faithful clarifying questions for search: every option is supported by passages of your own corpus."""


def register_commands() -> None:
    """Import every module of this folder; each one registers its command on ``app``."""
    for module in sorted(m.name for m in pkgutil.iter_modules(__path__)):
        importlib.import_module(f"{__name__}.{module}")


def main() -> None:
    """Run the command line; user errors end with one sentence and status 2, a traceback only with ``--debug``."""
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    arguments = [a for a in arguments if a != "--debug"]
    logging.basicConfig(level=logging.DEBUG if debug else logging.INFO, format="%(message)s", stream=sys.stderr)
    for noisy in ("bm25s", "transformers", "httpx", "urllib3", "absl", "filelock", "asyncio", "matplotlib"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    register_commands()
    try:
        app(arguments)
    except UserError as error:
        if debug:
            raise
        sys.stderr.write(f"rac: {error}\n")
        sys.exit(2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except Exception as error:
        from rac.files import is_disk_full

        if debug:
            raise
        if is_disk_full(error):
            sys.stderr.write("rac: no space left on the device; free some space and run the same command again\n")
        elif isinstance(error, OSError) and error.errno in _PATHS and error.filename is not None:
            reason = (error.strerror or "").lower()
            sys.stderr.write(f"rac: {error.filename} cannot be read or written ({reason}); give another path\n")
        else:
            raise
        sys.exit(2)
    except KeyboardInterrupt:
        sys.stderr.write("rac: stopped; the same command goes on from here\n")
        sys.exit(130)
