"""Tell whether a corpus has changed without reading it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rac.corpus.walk import safe_name


def corpus_fingerprint(source: str | Path) -> Any:
    """Return what changes when the files of a corpus change: paths, sizes and modification times, as JSON values.

    A source that is no path (``wikipedia``, the name of a benchmark) is its own fingerprint. So is the version of the
    readers, since another one may cut the same files into other passages.
    """
    from rac.corpus.files import READER_VERSION

    path = Path(source)
    if not path.exists():
        return str(source)
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file() and not p.is_symlink())
    described = [(safe_name(str(p)), p.stat().st_size, p.stat().st_mtime_ns) for p in files]
    return [str(path.resolve()), f"reader {READER_VERSION}", described]
