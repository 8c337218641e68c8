from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from rac.errors import DataError
from rac.metrics.locked import check_locked


def test_a_locked_file_that_was_changed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_bytes(b"[1]")
    checksum = hashlib.sha256(b"[1]").hexdigest()
    check_locked(path, checksum)
    path.write_bytes(b"[2]")
    with pytest.raises(DataError, match="changed after it had been locked"):
        check_locked(path, checksum)
