"""Checkpoints that a kill at any moment cannot spoil.

A checkpoint counts only if its marker is there, and the marker is written last, after everything before it has
reached the disk. Older checkpoints are removed after that. So there is always a whole one, or none yet.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rac.errors import UserError
from rac.files import is_disk_full, read_json, write_json

log = logging.getLogger(__name__)

_TORCH_SHORT_WRITE = re.compile(r"PytorchStreamWriter|inline_container|unexpected pos|iostream error")

MARKER = "whole.json"
"""Name of the file that makes a folder a checkpoint."""


def step_of(folder: Path) -> int:
    """Return the optimiser step after which a checkpoint was written."""
    found = re.fullmatch(r"checkpoint-(\d+)", folder.name)
    if not found:
        raise ValueError(f"{folder} is not named like a checkpoint")
    return int(found.group(1))


def _all(folder: Path) -> list[Path]:
    return sorted((p for p in folder.glob("checkpoint-*") if re.fullmatch(r"checkpoint-\d+", p.name)), key=step_of)


def mark_whole(checkpoint: Path, contents: dict[str, Any]) -> None:
    """Write the marker of a checkpoint, after forcing its files to the disk.

    Args:
        checkpoint: The folder, completely written.
        contents: What the marker says; ``fingerprint`` among it.
    """
    for path in sorted(checkpoint.rglob("*")):
        if path.is_file():
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
    write_json(checkpoint / MARKER, contents)


def last_whole(folder: Path, fingerprint: str) -> tuple[Path, dict[str, Any]] | None:
    """Return the newest whole checkpoint of a run and its marker's contents.

    Args:
        folder: Where the checkpoints lie.
        fingerprint: Identity of the run, see ``rac.training.identity``.
    """
    for checkpoint in reversed(_all(folder)):
        contents = _marker(checkpoint)
        if contents is not None and contents.get("fingerprint") == fingerprint:
            return checkpoint, contents
    return None


def remove_unusable(folder: Path, fingerprint: str) -> None:
    """Remove what cannot be continued from: incomplete checkpoints, and those of a run with other data or settings."""
    for checkpoint in _all(folder):
        contents = _marker(checkpoint)
        if contents is None or contents.get("fingerprint") != fingerprint:
            log.info("%s is %s and is removed", checkpoint, "of another run" if contents else "incomplete")
            shutil.rmtree(checkpoint)


def _marker(checkpoint: Path) -> dict[str, Any] | None:
    path = checkpoint / MARKER
    return dict(read_json(path)) if path.is_file() else None


def keep_last(folder: Path, checkpoint: Path) -> None:
    """Remove all checkpoints but one."""
    for other in _all(folder):
        if other != checkpoint:
            # Without its marker, a folder that is removed only half is no checkpoint.
            (other / MARKER).unlink(missing_ok=True)
            shutil.rmtree(other)


@contextmanager
def full_disk_explained(folder: Path) -> Iterator[None]:
    """Turn a full disk, however a library reports it, into a ``UserError``; what was whole before stays whole."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if not _means_full(error):
            raise
        raise UserError(
            f"no space left on the device while saving under {folder}, so the training stopped there; everything up to "
            "the last whole checkpoint is kept: free some space and run the same command again"
        ) from error


def _means_full(error: BaseException) -> bool:
    seen: BaseException | None = error
    while seen is not None:
        # torch.save reports a short write by the name of its writer, without the system's words.
        if is_disk_full(seen) or (isinstance(seen, RuntimeError) and _TORCH_SHORT_WRITE.search(str(seen))):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def check_room(folder: Path, needed: int) -> None:
    """Refuse to start what certainly will not fit.

    Args:
        folder: Where the files go.
        needed: Bytes that must be free.

    Raises:
        UserError: if less is free.
    """
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"{folder} has {free / 1e9:.2f} GB free, but a checkpoint takes up to {needed / 1e9:.2f} GB and could "
            "not be saved; free some space, choose another output folder, or train with `adapter: lora`"
        )
