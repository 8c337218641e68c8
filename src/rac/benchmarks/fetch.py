"""Download of pinned benchmark files: verified, resumable, atomic, or copied from a mirror directory.

A file is written to ``FINAL.part`` and renamed only after its size and SHA-256 were found right, so a final name never
holds half a file. An interrupted download goes on where it stopped. A lock on the part file keeps two processes from
writing it at once.
"""

from __future__ import annotations

import http.client
import logging
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from rac.benchmarks.base import BenchmarkInfo, RemoteFile
from rac.errors import UserError
from rac.files import sha256_file
from rac.progress import Progress

log = logging.getLogger(__name__)

BASE_URL = "https://raw.githubusercontent.com"
"""Where ``OWNER/REPO/COMMIT/PATH`` is served."""

MIRROR_VARIABLE = "RAC_MIRROR"
_BLOCK = 1 << 16
_ATTEMPTS = 5
_TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Fetched:
    """What became of one file: ``status`` is ``present``, ``downloaded`` or ``copied``."""

    file: RemoteFile
    path: Path
    status: str


def default_directory() -> Path:
    """Return where benchmarks lie if the user names no directory: the user's data folder, ``rac/benchmarks``."""
    from platformdirs import user_data_path

    return Path(user_data_path("rac", appauthor=False)) / "benchmarks"


def mirror_directory(mirror: Path | str | None = None) -> Path | None:
    """Return the mirror: the argument, else the environment variable ``RAC_MIRROR``, else None.

    Raises:
        UserError: if it is not a directory.
    """
    given = mirror if mirror is not None else os.environ.get(MIRROR_VARIABLE) or None
    if given is None:
        return None
    if not Path(given).is_dir():
        raise UserError(
            f"the mirror {given} is not a directory; give --mirror or {MIRROR_VARIABLE} a directory that holds "
            "OWNER/REPO/PATH, or leave both away to use the network"
        )
    return Path(given)


def is_present(info: BenchmarkInfo, directory: Path | str, split: str = "all") -> bool:
    """Say whether all files of a split lie in the directory with the right size (their content is not read)."""
    paths = [(Path(directory) / f.local, f.size) for f in info.files_of(split)]
    return bool(paths) and all(path.is_file() and path.stat().st_size == size for path, size in paths)


def fetch_files(
    info: BenchmarkInfo,
    *,
    split: str = "all",
    directory: Path | str | None = None,
    mirror: Path | str | None = None,
    base_url: str = BASE_URL,
    attempts: int = _ATTEMPTS,
    wait: float = 0.5,
) -> list[Fetched]:
    """Bring the files of a benchmark into a directory, as ``OWNER/REPO/PATH``, and verify them.

    Files that are there and right are left alone, so a second call does nothing.

    Args:
        info: The benchmark.
        split: One of its splits, or ``all``.
        directory: Target; ``default_directory()`` if None.
        mirror: Directory that is read instead of the network; the environment's ``RAC_MIRROR`` if None.
        base_url: Serves ``OWNER/REPO/COMMIT/PATH``.
        attempts: How often a file's download is tried without getting any further before giving up.
        wait: Seconds before the second attempt; doubled for each further one.

    Raises:
        UserError: for an unknown split, a file that cannot be had, or one whose size or checksum differs (both values
            are named).
    """
    info.check_split(split)
    target = Path(directory) if directory is not None else default_directory()
    if not info.files_of(split):
        return []  # brought by hand: the reader says what is missing and where it belongs
    source = mirror_directory(mirror)
    result = []
    for file in info.files_of(split):
        path = target / file.local
        if path.exists():
            check_file(path, file, "delete it and fetch again")
            result.append(Fetched(file, path, "present"))
        elif source is not None:
            result.append(Fetched(file, path, _copy(source / file.local, path, file)))
        else:
            url = f"{base_url}/{file.repo}/{file.commit}/{quote(file.path)}"
            result.append(Fetched(file, path, _download(url, path, file, attempts=attempts, wait=wait)))
    return result


def check_file(path: Path, file: RemoteFile, advice: str) -> None:
    """Refuse a file whose size or SHA-256 is not the pinned one.

    Raises:
        UserError: naming both values.
    """
    size = path.stat().st_size
    if size != file.size:
        raise UserError(f"{path} has {size} bytes where {file.size} are expected for {file.name}; {advice}")
    found = sha256_file(path)
    if found != file.sha256:
        raise UserError(f"{path} has SHA-256 {found} where {file.sha256} is expected for {file.name}; {advice}")


def _copy(source: Path, path: Path, file: RemoteFile) -> str:
    if not source.is_file():
        raise UserError(
            f"the mirror has no {source}; copy {file.name} at revision {file.commit[:12]} there, or fetch from the "
            f"network without --mirror and {MIRROR_VARIABLE}"
        )
    check_file(source, file, f"put the file of revision {file.commit[:12]} into the mirror")
    with _locked_part(path) as part:
        if part is None:
            check_file(path, file, "delete it and fetch again")
            return "present"
        part.truncate(0)
        with source.open("rb") as handle:
            shutil.copyfileobj(handle, part, _BLOCK)
        _finish(part, path, file, f"{source} changed while it was copied; run the same command again")
    return "copied"


@contextmanager
def _locked_part(path: Path) -> Iterator[BinaryIO | None]:
    """Yield the part file opened for appending and locked; None if another process finished the file meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part_path = path.with_name(path.name + ".part")
    while True:
        with part_path.open("ab") as part:
            _lock(part)
            if not path.exists() and not _is_at(part, part_path):
                continue  # whoever held the lock before took the file away: lock the one that is there now
            try:
                yield None if path.exists() else part
            finally:
                if _is_at(part, part_path) and part_path.stat().st_size == 0:
                    part_path.unlink()  # nothing arrived, so there is nothing to go on from
            return


def _lock(part: BinaryIO) -> None:
    try:
        import fcntl
    except ImportError:  # Windows has no flock: two fetches at once are then the user's to avoid
        log.debug("no file locks on this platform")
    else:
        fcntl.flock(part, fcntl.LOCK_EX)


def _is_at(handle: BinaryIO, path: Path) -> bool:
    return path.exists() and os.path.samestat(os.fstat(handle.fileno()), path.stat())


def _finish(part: BinaryIO, path: Path, file: RemoteFile, advice: str) -> None:
    part.flush()
    os.fsync(part.fileno())
    part_path = path.with_name(path.name + ".part")
    try:
        check_file(part_path, file, advice)
    except UserError:
        part_path.unlink()
        raise
    part_path.replace(path)


def _download(url: str, path: Path, file: RemoteFile, *, attempts: int, wait: float) -> str:
    with _locked_part(path) as part:
        if part is None:
            check_file(path, file, "delete it and fetch again")
            return "present"
        begun = part.tell()
        if begun > file.size:
            part.truncate(0)
            begun = 0
        _receive_all(url, part, file, attempts, wait)
        if begun and sha256_file(part.name) != file.sha256:
            # What an earlier attempt left was not the beginning of this file: once more from the start.
            log.warning("%s: the part left by an earlier attempt does not fit; starting over", file.name)
            part.truncate(0)
            _receive_all(url, part, file, attempts, wait)
        advice = f"the server {url} does not give the pinned file; nothing was kept"
        _finish(part, path, file, advice)
    return "downloaded"


def _receive_all(url: str, part: BinaryIO, file: RemoteFile, attempts: int, wait: float) -> None:
    failures = 0
    with Progress(file.name, file.size, unit="bytes", done=part.tell()) as progress:
        while (have := part.seek(0, os.SEEK_END)) < file.size:
            try:
                _receive(url, part, file, progress)
                if part.seek(0, os.SEEK_END) <= have:
                    raise http.client.IncompleteRead(b"", file.size - have)
            except urllib.error.HTTPError as error:
                if error.code not in _TRY_AGAIN:
                    raise UserError(
                        f"{url} cannot be fetched (HTTP status {error.code} {error.reason}); check the network or a "
                        f"proxy in between, or use --mirror with a directory that holds {file.name}"
                    ) from error
                problem: Exception = error
            except (OSError, http.client.HTTPException) as error:
                problem = error
            else:
                continue
            failures = 1 if part.seek(0, os.SEEK_END) > have else failures + 1
            if failures >= attempts:
                raise UserError(
                    f"{url} cannot be fetched ({_reason(problem)}, {failures} attempts); what arrived is kept, so the "
                    f"same command goes on from there; without a network use --mirror with a directory that holds "
                    f"{file.name}"
                ) from problem
            pause = wait * 2 ** (failures - 1)
            log.info("%s: %s; trying again in %.1f s", file.name, _reason(problem), pause)
            time.sleep(pause)


def _reason(problem: Exception) -> str:
    if isinstance(problem, http.client.IncompleteRead):
        return "the connection ended too early"
    reason = getattr(problem, "reason", None) or problem
    return str(reason) or type(problem).__name__


def _receive(url: str, part: BinaryIO, file: RemoteFile, progress: Progress) -> None:
    have = part.seek(0, os.SEEK_END)
    request = urllib.request.Request(url, headers={"User-Agent": "rac", "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    with urllib.request.urlopen(request, timeout=30) as response:
        if have and response.status != 206:
            part.truncate(0)  # the server does not resume: it sends the whole file
            progress.done, have = 0, 0
        while block := response.read(_BLOCK):
            part.write(block)
            have += len(block)
            progress.advance(len(block))
            if have > file.size:
                break  # too long: _finish refuses it
        part.flush()
