"""Rate limits: a token bucket per client, in a small mapped file that all workers share."""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

_SLOT = struct.Struct("=Qdd")
"""Client, tokens left, time of that count."""
_SLOTS = 8192
_PROBES = 8


class RateLimiter:
    """Lets each client make ``per_minute`` requests, and ``burst`` of them at once.

    The buckets lie in a file of 192 KB. A client whose places are all taken by others takes the one used longest ago,
    whose bucket is then forgotten: with thousands of clients at once limits become generous, never stricter.

    Args:
        per_minute: Requests that a client may make in a minute; 0 is no limit.
        burst: Size of the bucket.
        path: A file that the workers share; a private one if None.
        clock: Seconds, the same in all processes of the machine.
    """

    def __init__(
        self, per_minute: int, burst: int, path: Path | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.rate, self.burst, self._clock = per_minute / 60.0, float(burst), clock
        if path is None:
            self._file = tempfile.TemporaryFile()  # noqa: SIM115 (held as long as the limiter lives)
        else:
            self._file = path.open("r+b")
        if os.fstat(self._file.fileno()).st_size < _SLOT.size * _SLOTS:
            self._file.truncate(_SLOT.size * _SLOTS)
        self._map = mmap.mmap(self._file.fileno(), _SLOT.size * _SLOTS)

    def wait_for(self, client: str) -> float:
        """Take one request out of the client's bucket; return 0, or the seconds after which there is one."""
        if self.rate == 0:
            return 0.0
        # 0 marks an empty place.
        number = int.from_bytes(hashlib.sha256(client.encode("utf-8", "surrogateescape")).digest()[:8], "big") or 1
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            now = self._clock()
            offset, tokens = self._place(number, now)
            allowed = tokens >= 1.0
            _SLOT.pack_into(self._map, offset, number, tokens - 1.0 if allowed else tokens, now)
            return 0.0 if allowed else (1.0 - tokens) / self.rate
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)

    def _place(self, number: int, now: float) -> tuple[int, float]:
        """Return where the client's bucket lies, and its tokens by now."""
        oldest, oldest_time = 0, float("inf")
        for probe in range(_PROBES):
            offset = (number + probe) % _SLOTS * _SLOT.size
            owner, tokens, then = _SLOT.unpack_from(self._map, offset)
            if owner == number:
                return offset, min(self.burst, tokens + (now - then) * self.rate)
            if owner == 0:
                return offset, self.burst
            if then < oldest_time:
                oldest, oldest_time = offset, then
        return oldest, self.burst
