"""What a run directory says: which stages are done, how long they took, whether one is at work."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path

from rac.config import Recipe, find_recipe, load_recipe
from rac.doctor.check import Check
from rac.errors import UserError
from rac.files import read_json
from rac.progress import format_seconds


def find_target(target: str | None) -> tuple[Recipe | None, Path | None]:
    """Return the recipe and, if the target is one, the run directory.

    Raises:
        UserError: if the target is neither.
    """
    if target is None:
        return None, None
    path = Path(target)
    if path.is_dir():
        if not (path / "run.json").exists():
            raise UserError(f"{path} is a folder without run.json, so it is no run; give a recipe or a run directory")
        from rac.pipeline.run_directory import RunDirectory

        return RunDirectory(path).recipe, path
    return load_recipe(find_recipe(target)), None


def checks(run: Path, recipe: Recipe) -> Iterator[Check]:
    """Yield what is known of a run."""
    if is_at_work(run):
        yield Check("run", "note", f"a process is working on {run}", "wait for it, or stop it; it resumes by itself")
    seconds: dict[str, float] = {}
    damaged = []
    for file in sorted((run / "stages").glob("*.json")):
        try:
            record = read_json(file)
            seconds[file.stem] = float(record["seconds"])
            lost = [path for path in record["outputs"] if not (run / path).exists()]
            damaged += [f"{file.stem} ({path} is gone)" for path in lost]
        except (UserError, KeyError, TypeError, ValueError):
            damaged.append(f"{file.stem} (its record is damaged)")
    done = ", ".join(f"{name} {format_seconds(value)}" for name, value in seconds.items())
    if damaged:
        yield Check("stages", "warning", "; ".join(damaged), "run rac train again: such stages are made anew", seconds)
    yield Check("stages", "ok", f"done: {done or 'none yet'}", figures=seconds)


def is_at_work(run: Path) -> bool:
    """Whether a process holds the lock of a run."""
    try:
        with (run / ".lock").open("r") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
