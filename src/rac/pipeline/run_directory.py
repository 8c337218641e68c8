"""One run = one directory: the recipe, stage records, models, pairs, predictions, metrics and the report.

A stage writes its outputs, then ``stages/NAME.json`` last. A stage whose inputs have the same hash as in its record,
and whose outputs are still there, is not run again; so the same command after a ``kill -9`` goes on where it was.
"""

from __future__ import annotations

import fcntl
import gc
import logging
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import IO, Any

import rac
from rac.arithmetic import usable_cores
from rac.config import Recipe
from rac.errors import DataError, UserError
from rac.files import read_json, sha256_file, sha256_json, write_json, write_text
from rac.progress import format_seconds
from rac.training.memory import give_back_memory

log = logging.getLogger(__name__)

RUN_SCHEMA = 1
"""Version of the run directory's layout."""

_ASKING = ("index", "data", "retrieve", "predict", "metrics", "report")
"""Stages that every run has of its own (``predict-SYSTEM`` and ``index-also-N`` among them); the others train."""

_VECTOR_UNITS = {"amx_tile": "AMX", "avx512f": "AVX-512", "avx2": "AVX2", "sve": "SVE", "asimd": "NEON"}
"""Flag of a processor -> what it is called, the widest first."""
_VERSIONS = ("torch", "transformers", "peft", "bm25s", "numpy")


@dataclass
class Stage:
    """What a stage function says of its work.

    Attributes:
        outputs: Files and folders that the stage wrote, relative to the run directory.
        counts: Read / kept / dropped-by-reason and other figures, shown in reports.
    """

    outputs: list[str] = field(default_factory=list)
    counts: dict[str, Any] = field(default_factory=dict)


class RunDirectory:
    """A run on disk.

    Args:
        path: The directory; made if it does not exist.
        recipe: The resolved recipe; saved as ``recipe.yaml``. None opens a finished run.
        trained: The run whose models this one asks instead of training its own (``rac transfer``); remembered in
            ``run.json`` relative to the directory.

    Attributes:
        trained: The run that the models are of: itself, but for a transfer.

    Raises:
        UserError: if the directory is something else or of another schema version, or if a recipe is given while
            another process works there.
    """

    def __init__(self, path: Path | str, recipe: Recipe | None = None, *, trained: RunDirectory | None = None) -> None:
        self.path = Path(path)
        marker = self.path / "run.json"
        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"{self.path} is a file where a run directory is expected; give another path with -o")
        if marker.exists():
            schema = read_json(marker).get("schema")
            if schema != RUN_SCHEMA:
                raise DataError(
                    marker,
                    f"the run directory has schema version {schema!r} and this rac knows {RUN_SCHEMA}; use the rac "
                    "version that wrote it, or another directory with -o",
                    field="schema",
                )
        elif recipe is None:
            raise UserError(
                f"{self.path} is no run directory (it has no run.json): make one with rac train RECIPE -o RUN"
            )
        elif self.path.is_dir() and any(self.path.iterdir()):
            raise UserError(
                f"{self.path} is not empty and not a run directory; give an empty or new directory with -o, so that "
                "nothing is overwritten"
            )
        else:
            contents = {"schema": RUN_SCHEMA, "created": _now(), "rac": rac.__version__}
            if trained is not None:
                contents["models_of"] = os.path.relpath(trained.path.resolve(), self.path.resolve())
            write_json(marker, contents)
        elsewhere = read_json(marker).get("models_of")
        self.trained: RunDirectory = self if elsewhere is None else RunDirectory((self.path / elsewhere).resolve())
        if trained is not None and self.trained.path.resolve() != trained.path.resolve():
            holds = "a run with models of its own" if elsewhere is None else f"a transfer of {self.trained.path}"
            raise UserError(f"{self.path} is {holds}, not a transfer of {trained.path}; give another directory with -o")
        if recipe is not None:
            # A command that will be refused must leave the recipe of the one that is at work as it is.
            with self.lock():
                write_text(self.path / "recipe.yaml", recipe.to_yaml())
            self.recipe = recipe
        else:
            from rac.config import load_recipe

            self.recipe = load_recipe(self.path / "recipe.yaml")

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other processes from working on the same run.

        Raises:
            UserError: if one already is. The lock dies with its process, so a killed run leaves none.
        """
        handle: IO[str]
        with (self.path / ".lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UserError(
                    f"another process is working on {self.path}: wait for it, or give another directory with -o"
                ) from error
            yield

    def record(self, name: str) -> dict[str, Any] | None:
        """Return the record of a finished stage, or None; of a stage that trains, the trained run's."""
        path = self.path / "stages" / f"{name}.json"
        if path.exists():
            return dict(read_json(path))
        if self.trained is self or name.partition("-")[0] in _ASKING:
            return None
        return self.trained.record(name)

    def output_hash(self, *names: str) -> str:
        """Return a hash of the outputs of finished stages, for the inputs of the next one."""
        outputs = []
        for name in names:
            record = self.record(name)
            if record is None:
                raise AssertionError(f"stage {name} has not run")
            outputs.append({path: entry["sha256"] for path, entry in record["outputs"].items()})
        return sha256_json(outputs)

    def run(
        self, name: str, inputs: dict[str, Any], function: Callable[[], Stage], *, label: str = ""
    ) -> dict[str, Any]:
        """Run a stage unless its record says that the same inputs were worked on already.

        Args:
            name: The stage; its record is ``stages/NAME.json``.
            inputs: Everything that its outputs depend on, as plain JSON values.
            function: Does the work and says what it wrote.
            label: What is shown while it runs.

        Returns:
            The stage's record.
        """
        digest = sha256_json({"inputs": inputs, "format": RUN_SCHEMA})
        path = self.path / "stages" / f"{name}.json"
        old = read_json(path) if path.exists() else None
        if old is not None and old["input_hash"] == digest and self._outputs_are_there(old):
            log.info("%-12s unchanged, kept", name)
            return old
        path.unlink(missing_ok=True)
        log.info("%-12s %s", name, label)
        started = time.monotonic()
        stage = function()
        seconds = time.monotonic() - started
        # A trainer and its model refer to each other, so they would lie beside the next stage's model for a while.
        gc.collect()
        give_back_memory()
        record = {
            "stage": name,
            "input_hash": digest,
            "inputs": inputs,
            "seed": self.recipe.seed,
            "finished": _now(),
            "seconds": round(seconds, 2),
            "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            "versions": versions(),
            "machine": machine(),
            "counts": stage.counts,
            "outputs": {path: self._describe(self.path / path) for path in stage.outputs},
        }
        write_json(path, record)
        log.info("%-12s done in %s%s", name, format_seconds(seconds), _short(stage.counts))
        return record

    def _outputs_are_there(self, record: dict[str, Any]) -> bool:
        return all(_size(self.path / path) == entry["bytes"] for path, entry in record["outputs"].items())

    @staticmethod
    def _describe(path: Path) -> dict[str, Any]:
        if path.is_dir():
            files = sorted(p for p in path.rglob("*") if p.is_file())
            return {"bytes": _size(path), "sha256": sha256_json([(p.name, sha256_file(p)) for p in files])}
        return {"bytes": _size(path), "sha256": sha256_file(path)}


def versions() -> dict[str, str]:
    """Return the versions that results depend on."""
    found = {"rac": rac.__version__, "python": platform.python_version()}
    for name in _VERSIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> str:
    """Return what computes here, so that times are compared with their like: processor, widest vector unit, cores."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return str(torch.cuda.get_device_name())
    facts: dict[str, str] = {}
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            facts.setdefault(name.strip(), value.strip())
    units = facts.get("flags", facts.get("Features", "")).split()
    unit = next((title for flag, title in _VECTOR_UNITS.items() if flag in units), "")
    processor = facts.get("model name") or platform.processor() or platform.machine()
    cores = usable_cores()
    return ", ".join(part for part in (processor, unit, f"{cores} core{'s' * (cores != 1)}") if part)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _size(path: Path) -> int:
    if path.is_dir():
        return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    return path.stat().st_size if path.exists() else -1


def _short(counts: dict[str, Any]) -> str:
    plain = [
        f"{k} {v:,}" if isinstance(v, int) else f"{k} {v:.3g}" for k, v in counts.items() if isinstance(v, int | float)
    ]
    return ": " + ", ".join(plain[:8]) if plain else ""
