"""How an index lies on disk, so that it can be replaced while others read it.

An index directory holds a file ``current`` with the name of one ``generation-N`` directory. A build writes a new
generation and then replaces ``current`` by one rename: whatever happens before leaves the old index as it was, and
readers that have the old generation open keep their memory maps after its files are removed.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rac.errors import DataError, UserError
from rac.files import is_disk_full, read_json, sha256_file, write_json, write_text

FORMAT_VERSION = 1
HEADER = "header.json"
CURRENT = "current"
LOCK = ".lock"
_SAMPLE = 1 << 16
_SAMPLES = 8


@contextmanager
def new_generation(path: Path) -> Iterator[Path]:
    """Yield an empty directory for a new generation; when the block ends well it becomes the current one.

    Raises:
        UserError: if ``path`` holds something else, another process is building there, or the device is full.
    """
    existed = path.exists()
    if existed and (not path.is_dir() or (any(path.iterdir()) and not _is_index(path))):
        raise UserError(f"{path} exists and is not an index, so it will not be overwritten; choose another path")
    path.mkdir(parents=True, exist_ok=True)
    with _locked(path):
        folder = path / f"generation-{_last_number(path) + 1:06d}"
        shutil.rmtree(folder, ignore_errors=True)
        try:
            folder.mkdir()
            yield folder
            _to_device(folder)
            write_text(path / CURRENT, folder.name + "\n")
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if not existed:
                shutil.rmtree(path, ignore_errors=True)
            if is_disk_full(error):
                raise UserError(
                    f"no space left on the device while building {path}; an index that was there is unchanged: free "
                    "some space and run the same command again"
                ) from error
            raise
        for other in path.glob("generation-*"):
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
        for other in path.glob(".update-*"):
            if not _alive(int(other.name.split("-")[1])):
                shutil.rmtree(other, ignore_errors=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other processes from publishing at ``path``; ``UserError`` if one is about to."""
    with (path / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UserError(
                f"another process is building the index {path}; wait for it, or choose another path"
            ) from error
        yield


def publish_settings(path: Path, folder: Path, settings: dict[str, Any]) -> None:
    """Store other settings of searching in the header of the current generation, whose files stay as they are.

    The header is replaced by one rename, so readers see the old settings or the new ones.

    Args:
        path: The index.
        folder: The generation that the settings are meant for.
        settings: All settings, those of building unchanged.

    Raises:
        UserError: if another process is building there, or has published another generation since.
    """
    with _locked(path):
        if current_generation(path) != folder:
            raise UserError(f"the index {path} was built anew by another process meanwhile; run the same command again")
        write_json(folder / HEADER, {**read_header(folder), "settings": settings})


def work_folder(path: Path) -> Path:
    """Make a directory in an index for files of this process that are not published; builds leave it alone."""
    number = 0
    while True:
        folder = path / f".update-{os.getpid()}-{number}"
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
        else:
            return folder


def _alive(process: int) -> bool:
    """Whether a process of this machine is running."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _to_device(folder: Path) -> None:
    """Wait until every file is on the device: only then may the index be called done."""
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb") as handle:
                os.fsync(handle.fileno())


def _is_index(path: Path) -> bool:
    return (path / CURRENT).exists() or (path / LOCK).exists()


def _last_number(path: Path) -> int:
    """Number of the current generation; leftovers of interrupted builds are overwritten or removed."""
    try:
        return int((path / CURRENT).read_text().strip().rpartition("-")[2])
    except (FileNotFoundError, ValueError):
        return 0


def current_generation(path: Path) -> Path:
    """Return the directory of the current generation.

    Raises:
        UserError: if there is no finished index at ``path``.
    """
    if not path.exists():
        raise UserError(f"there is no index at {path}; build one with `rac index CORPUS -o {path}`")
    if not path.is_dir():
        raise UserError(f"{path} is a file, not an index; build one with `rac index {path} -o INDEX`")
    try:
        name = (path / CURRENT).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise UserError(
            f"{path} holds no finished index (its build was interrupted, or it is something else); build it again with "
            f"`rac index CORPUS -o {path}`"
        ) from error
    if not name.startswith("generation-") or "/" in name:
        raise DataError(path / CURRENT, "does not name a generation; build the index again")
    return path / name


def write_header(folder: Path, header: dict[str, Any]) -> None:
    """Write the header of a finished generation: what it is, and size and checksums of each of its files."""
    files = {}
    for file in sorted(p for p in folder.rglob("*") if p.is_file()):
        files[file.relative_to(folder).as_posix()] = {
            "bytes": file.stat().st_size, "sha256": sha256_file(file), "sample": sample_checksum(file),
        }  # fmt: skip
    write_json(folder / HEADER, {"format": FORMAT_VERSION, "kind": "rac-index", **header, "files": files})


def read_header(folder: Path, *, verify: bool = False) -> dict[str, Any]:
    """Read and check the header of a generation.

    Args:
        folder: The generation.
        verify: Check every byte of every file; otherwise sizes and a sample of each file (half a megabyte at most).

    Raises:
        DataError: if a file is missing or damaged, or the format version is another one.
    """
    header = read_json(folder / HEADER)
    if not isinstance(header, dict) or header.get("kind") != "rac-index":
        raise DataError(folder / HEADER, "is not the header of an index; build the index again")
    if header.get("format") != FORMAT_VERSION:
        raise DataError(
            folder / HEADER, f"format version {header.get('format')!r} cannot be read by this rac, which knows version "
            f"{FORMAT_VERSION}; build the index again with this version", field="format",
        )  # fmt: skip
    for name, known in header.get("files", {}).items():
        file = folder / name
        if not file.is_file():
            raise DataError(file, "is missing from the index; build the index again")
        if file.stat().st_size != known["bytes"]:
            raise DataError(
                file, f"is damaged: {file.stat().st_size} bytes, not {known['bytes']}; build the index again"
            )
        if sample_checksum(file) != known["sample"] or (verify and sha256_file(file) != known["sha256"]):
            raise DataError(file, "is damaged: its checksum differs; build the index again")
    return header


def sample_checksum(path: Path) -> str:
    """Return a checksum over evenly spaced blocks of a file, the first and the last among them."""
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as handle:
        if size <= _SAMPLE * _SAMPLES:
            digest.update(handle.read())
        else:
            for number in range(_SAMPLES):
                handle.seek((size - _SAMPLE) * number // (_SAMPLES - 1))
                digest.update(handle.read(_SAMPLE))
    return digest.hexdigest()
