from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rac.retrieval import arrays


def test_headers_are_parsed_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Two at once make CPython 3.11 fail now and then ("AST constructor recursion depth mismatch").
    path = tmp_path / "a.npy"
    np.save(path, np.arange(5))
    load = np.load
    inside: list[int] = []
    most: list[int] = []

    def slow(*arguments: Any, **options: Any) -> Any:
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.01)
        found = load(*arguments, **options)
        inside.pop()
        return found

    monkeypatch.setattr(arrays.np, "load", slow)
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(int(arrays.map_array(path)[4]))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [4] * 4
    assert max(most) == 1
