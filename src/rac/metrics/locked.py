"""Labelled data that was locked by its checksum before anything was tuned."""

from __future__ import annotations

from pathlib import Path

from rac.errors import DataError
from rac.files import sha256_file


def check_locked(path: Path, checksum: str) -> None:
    """Check that a file is what it was when it was locked.

    Args:
        path: The file.
        checksum: Its SHA-256 in hex.

    Raises:
        DataError: if it is not.
    """
    found = sha256_file(path)
    if found != checksum:
        raise DataError(path, f"was changed after it had been locked (SHA-256 {found}); restore the file")
