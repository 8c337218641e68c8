"""``rac doctor``: checks an installation, a recipe or a run, and says what to do about each problem."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from rac.cli import app

_SIGNS = {"ok": "ok     ", "note": "note   ", "warning": "warning", "problem": "PROBLEM"}


@app.command(epilog="Example: rac doctor claqua")
def doctor(
    target: Annotated[
        str | None, typer.Argument(metavar="[RECIPE|RUN]", help="A recipe, its shipped name, or a run directory.")
    ] = None,
    server: Annotated[str, typer.Option(help="OpenAI-compatible server to try, http://HOST/v1.")] = "",
    key_variable: Annotated[
        str, typer.Option(help="Environment variable that holds the key of --server, if it wants one.")
    ] = "OPENAI_API_KEY",
    probe: Annotated[bool, typer.Option(help="Measure this machine for some seconds to estimate times.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the checks as JSON.")] = False,
) -> None:
    """Check versions, devices, models, disk and memory, and estimate how long a recipe takes here.

    Ends with status 1 if there is a problem; warnings and notes do not count.

    Example: rac doctor claqua
    """
    from rac.doctor import Check, examine

    found: list[Check] = []
    for check in examine(target, server=server, key_variable=key_variable, probe=probe):
        found.append(check)
        if not as_json:
            typer.echo(f"{_SIGNS[check.status]} {check.name}: {check.found}")
            if check.advice:
                typer.echo(f"        → {check.advice}")
    problems = sum(check.status == "problem" for check in found)
    warnings = sum(check.status == "warning" for check in found)
    if as_json:
        report = {"problems": problems, "warnings": warnings, "checks": [check.to_dict() for check in found]}
        typer.echo(json.dumps(report, ensure_ascii=False))
    else:
        typer.echo(f"\n{problems} problems, {warnings} warnings")
    if problems:
        raise typer.Exit(1)
