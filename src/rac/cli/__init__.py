"""The ``rac`` command: parses, calls a library function, shows the result.

One module per command. Modules of this folder import nothing heavy at the top, so that ``rac --help`` is instant.
"""

from __future__ import annotations

import importlib
import logging
import os
import pkgutil
import sys
from collections.abc import Mapping
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

        if debug or not is_disk_full(error):
            raise
        sys.stderr.write("rac: no space left on the device; free some space and run the same command again\n")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.stderr.write("rac: stopped; the same command goes on from here\n")
        sys.exit(130)
