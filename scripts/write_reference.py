"""Write docs/commands.md and docs/recipe-reference.md from the code: ``python scripts/write_reference.py``."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[1] / "docs"
NOTICE = "Written by `python scripts/write_reference.py`; do not edit by hand."
COLUMNS = 110


def commands(command: Any, path: tuple[str, ...] = ("rac",)) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command below a group with the words that call it, in alphabetical order."""
    below = getattr(command, "commands", None)
    if below is None:
        if not command.hidden:
            yield path, command
        return
    for name in sorted(below):
        yield from commands(below[name], (*path, name))


def command_section(path: tuple[str, ...], command: Any) -> str:
    """Return one command as Markdown: what it does, how it is called, each argument and option."""
    context = command.context_class(command, info_name=" ".join(path), terminal_width=COLUMNS)
    usage = " ".join(command.get_usage(context).removeprefix("Usage:").split())
    about = inspect.cleandoc(command.help or "").replace("\f", "").strip()
    before, found, after = about.partition("Example:")
    example, _, rest = after.strip().partition("\n\n")
    parts = [f"## `{' '.join(path)}`", before.strip(), f"```text\n{usage}\n```"]
    if found:
        parts.append("Example: `" + " ".join(example.split()) + "`")
    if rest:
        parts.append(rest.strip())
    rows = [record for p in command.params if not p.hidden and (record := p.get_help_record(context))]
    rows = [(name, text) for name, text in rows if not name.startswith(("-h,", "--help"))]
    if rows:
        table = ["| argument or option | meaning |", "|---|---|"]
        table += [f"| `{_line(name)}` | {_cell(text)} |" for name, text in rows]
        parts.append("\n".join(table))
    return "\n\n".join(part for part in parts if part)


def _line(text: str) -> str:
    """Return text that may stand in backticks in a table."""
    return " ".join(text.split()).replace("|", "\\|")


def _cell(text: str) -> str:
    return _line(text).replace("<", "&lt;").replace("*", "\\*")


def commands_page() -> str:
    """Return docs/commands.md."""
    import typer

    import rac.cli

    rac.cli.register_commands()
    sections = [command_section(*found) for found in commands(typer.main.get_command(rac.cli.app))]
    intro = (
        "Every command also takes `--help` and `--debug` (a traceback instead of one sentence). Bad input ends with "
        "one sentence and status 2. `rac --install-completion` sets up completion for your shell."
    )
    return "\n\n".join(["# Commands", NOTICE, intro, *sections]) + "\n"


def recipe_page() -> str:
    """Return docs/recipe-reference.md."""
    from rac.config import explain_recipe, find_recipe, shipped_recipes

    shipped = ["| name | what it runs |", "|---|---|"]
    for name in shipped_recipes():
        first = Path(find_recipe(name)).read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
        shipped.append(f"| `{name}` | {_cell(first)} |")
    intro = (
        "A run is described by one YAML file; `rac train FILE` runs it. A recipe names only what differs from the "
        "defaults below; `--set SECTION.KEY=VALUE` overrides a key; an unknown one is refused with the nearest known. "
        "`rac recipe NAME` prints a recipe with every key resolved."
    )
    parts = ["# Recipes", NOTICE, intro, "## Shipped recipes", "\n".join(shipped), "## Every key"]
    return "\n\n".join([*parts, f"```yaml\n{explain_recipe().rstrip()}\n```"]) + "\n"


PAGES = {"commands.md": commands_page, "recipe-reference.md": recipe_page}


def main() -> None:
    """Write both pages."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    os.environ["COLUMNS"] = str(COLUMNS)
    main()
