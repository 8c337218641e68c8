"""``rac doctor``: is this installation sound, can this machine run that recipe, and how long will it take?

One file per question: ``machine`` (versions, devices, disk), ``models`` (can the models and data be reached),
``estimate`` (memory and time of a recipe), ``runs`` (a run directory).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rac.doctor.check import Check


def examine(
    target: str | None = None, *, server: str = "", key_variable: str = "OPENAI_API_KEY", probe: bool = True
) -> Iterator[Check]:
    """Yield one check after the other, the quick ones first.

    Args:
        target: A recipe (file or shipped name) or a run directory; None checks the installation alone.
        server: An OpenAI-compatible server to try, ``http://HOST/v1``.
        key_variable: The environment variable that holds that server's key; a recipe names its own.
        probe: Measure this machine for some seconds; without it no time can be estimated.

    Raises:
        UserError: if the target is neither a recipe nor a run directory.
    """
    from rac.doctor import estimate, machine, models, runs

    recipe, run = runs.find_target(target)
    yield from machine.checks(run.parent if run is not None else Path("runs"))
    if server:
        yield models.server_check(server, key_variable)
    if recipe is None:
        yield models.model_check("embedded")
        return
    if run is not None:
        yield from runs.checks(run, recipe)
    if problem := machine.torch_problem():
        yield Check("training", "problem", f"torch cannot be used ({problem})", "install torch: pip install torch")
        return
    yield from models.checks(recipe)
    yield from estimate.checks(recipe, run if run is not None else Path("runs") / recipe.name, probe=probe)


__all__ = ["Check", "examine"]
