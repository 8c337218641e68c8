from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from rac.errors import UserError
from rac.training import checkpoints
from rac.training.checkpoints import check_room, full_disk_explained, keep_last, last_whole, mark_whole, remove_unusable


def checkpoint(folder: Path, step: int, fingerprint: str | None = "mine") -> Path:
    path = folder / f"checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "weights").write_bytes(b"0")
    if fingerprint is not None:
        mark_whole(path, {"fingerprint": fingerprint, "step": step})
    return path


def test_the_newest_whole_checkpoint_of_this_run_counts(tmp_path: Path) -> None:
    assert last_whole(tmp_path, "mine") is None
    checkpoint(tmp_path, 2)
    newest = checkpoint(tmp_path, 10)  # (as text, 10 sorts before 2)
    checkpoint(tmp_path, 11, "another")
    checkpoint(tmp_path, 12, None)
    found = last_whole(tmp_path, "mine")
    assert found == (newest, {"fingerprint": "mine", "step": 10})


def test_what_cannot_be_continued_from_is_removed(tmp_path: Path) -> None:
    kept = checkpoint(tmp_path, 2)
    checkpoint(tmp_path, 3, "another")
    checkpoint(tmp_path, 4, None)
    (tmp_path / "checkpoint-notes").mkdir()
    remove_unusable(tmp_path, "mine")
    assert sorted(p.name for p in tmp_path.iterdir()) == [kept.name, "checkpoint-notes"]


def test_only_the_last_is_kept(tmp_path: Path) -> None:
    checkpoint(tmp_path, 1)
    last = checkpoint(tmp_path, 2)
    keep_last(tmp_path, last)
    assert list(tmp_path.iterdir()) == [last]


def test_too_little_room_is_said_before_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_room(tmp_path, 1)
    monkeypatch.setattr(checkpoints.shutil, "disk_usage", lambda path: SimpleNamespace(free=10**9))
    with pytest.raises(UserError, match=r"1\.00 GB free, but a checkpoint takes up to 2\.00 GB"):
        check_room(tmp_path, 2 * 10**9)


class Full:
    """A file on a full device."""

    def write(self, data: Any) -> int:
        raise OSError(28, os.strerror(28))

    def flush(self) -> None:
        pass


def test_a_full_disk_is_recognised_whichever_library_reports_it(tmp_path: Path) -> None:
    def write_text() -> None:
        Full().write(b"x")

    def save() -> None:
        torch.save({"a": torch.zeros(1000)}, Full())

    def torch_short_write() -> None:
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 576 vs 534")

    def torch_last_block() -> None:
        # What torch 2.13 says on a full file system when only the buffered rest of a file no longer fits.
        raise RuntimeError("basic_ios::clear: iostream error")

    def safetensors() -> None:
        raise Exception("Error while serializing: I/O error: No space left on device (os error 28)")

    for write in (write_text, save, torch_short_write, torch_last_block, safetensors):
        with pytest.raises(UserError, match="no space left on the device while saving"), full_disk_explained(tmp_path):
            write()
    with pytest.raises(RuntimeError, match="something else"), full_disk_explained(tmp_path):
        raise RuntimeError("something else")
