"""Keep freed memory during training instead of handing it back to the system after every tensor.

The C library gives every large block back as soon as it is freed, and the system hands out zeroed pages again for the
next tensor of the same size. A training step of the embedded model touches about a million pages that way, a fifth of
its time. Inside ``kept_memory`` freed blocks stay with the process and are used again.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Parameters of mallopt(3), glibc.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4
# glibc's own number of mapped blocks, and where its own thresholds end up once large blocks have been freed.
_USUAL_MMAPS, _USUAL_MMAP, _USUAL_TRIM = 65536, 32 * 1024 * 1024, 64 * 1024 * 1024
_NEVER = 2**31 - 1


@contextmanager
def kept_memory(keep: bool = True) -> Iterator[None]:
    """Keep freed memory inside the block, and give it back at its end. Elsewhere than on Linux with glibc: nothing."""
    if not keep:
        yield
        return
    keep_freed_memory(True)
    try:
        yield
    finally:
        keep_freed_memory(False)
        give_back_memory()


def keep_freed_memory(keep: bool) -> None:
    """Switch the keeping of freed memory on or off for this process."""
    library = _glibc()
    if library is not None:
        library.mallopt(_MMAP_MAX, 0 if keep else _USUAL_MMAPS)
        library.mallopt(_TRIM_THRESHOLD, _NEVER if keep else _USUAL_TRIM)
        # Setting either switches off glibc's own adjusting, so the threshold has to be set where that would end up.
        library.mallopt(_MMAP_THRESHOLD, _USUAL_MMAP)


def give_back_memory() -> None:
    """Hand all freed memory back to the system."""
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if not sys.platform.startswith("linux"):
        return None
    library = ctypes.CDLL(None)
    # Other C libraries (musl) have neither.
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
