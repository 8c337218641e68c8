"""The bounded queue: how many queries may wait or be under way, and for how long."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from rac.server.errors import ServiceError, timed_out
from rac.server.metrics import Metrics
from rac.server.settings import Limits

T = TypeVar("T")


class Admission:
    """Counts the queries under way, refuses more than fit, and stops those whose time is up.

    Args:
        limits: Length of the queue, time of a request.
        metrics: Told of the queue's length, refusals and stops.
    """

    def __init__(self, limits: Limits, metrics: Metrics) -> None:
        self.limits, self.metrics = limits, metrics
        self.under_way = 0
        self._seconds_each = 1.0
        """Seconds by which the queue gets shorter, smoothed: what a refused client is told to wait for."""

    def check_room(self, queries: int) -> None:
        """Refuse queries that have no place in the queue.

        Raises:
            ServiceError: 429 if the queue is full.
        """
        most = self.limits.queue
        if self.under_way + queries > most:
            self.metrics.refused.labels("queue_full").inc()
            wait = math.ceil(self.under_way * self._seconds_each)
            raise ServiceError(
                429, "queue_full", f"{self.under_way} queries are under way and {most} are allowed: try again after "
                "the seconds that Retry-After says", retry_after=max(1, min(60, wait)),
            )  # fmt: skip

    @asynccontextmanager
    async def admitted(self, queries: int = 1) -> AsyncIterator[None]:
        """Hold a place in the queue, and stop everything inside when the request's time is up.

        Raises:
            ServiceError: 429 if the queue is full, 504 if the time is up.
        """
        self.check_room(queries)
        self._change(queries)
        started = time.monotonic()
        try:
            async with asyncio.timeout(self.limits.request_seconds):
                yield
        except TimeoutError:
            self.metrics.cancelled.labels("timeout").inc()
            raise timed_out(self.limits.request_seconds) from None
        except asyncio.CancelledError:
            self.metrics.cancelled.labels("client-left").inc()
            raise
        else:
            each = (time.monotonic() - started) / max(self.under_way, 1)
            self._seconds_each += 0.1 * (each - self._seconds_each)
        finally:
            self._change(-queries)

    async def outlasting(self, work: Future[T]) -> T:
        """Return the result of a thread, whose place stays taken until it has ended. Call it inside ``admitted``.

        When the request ends first (its time is up, its client left), work that waits for a thread is dropped. Work
        that has begun cannot be stopped: it goes on being counted, as one query.

        Args:
            work: What a pool of threads was given.
        """
        try:
            return await asyncio.wrap_future(work)
        except asyncio.CancelledError:
            if not work.cancel():
                self._change(1)
                loop = asyncio.get_running_loop()

                def ended(_: Future[T]) -> None:
                    with suppress(RuntimeError):  # the loop has ended
                        loop.call_soon_threadsafe(self._change, -1)

                work.add_done_callback(ended)
            raise

    def _change(self, by: int) -> None:
        self.under_way += by
        self.metrics.queue.set(self.under_way)
