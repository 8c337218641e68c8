"""Dynamic batching: queries that wait at the same time are generated in one batch.

A batch starts as soon as the generator is free and the oldest waiting query has waited ``wait_ms`` for company (or the
batch is full). A question is delivered when it ends, not when its batch does; a query whose client left or whose time
is up leaves the running batch.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

from rac.asking import Wanted
from rac.generation.candidates import GenerationCancelled
from rac.server.settings import Batching

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Job:
    """Questions of one prompt that somebody waits for."""

    wanted: Wanted
    arrived: float
    """When its request arrived: older requests go first."""
    on_piece: Callable[[str], None] | None = None
    """Takes the greedy question piece by piece, in the generating thread."""
    submitted: float = field(default_factory=time.monotonic)
    started: float | None = None
    cancelled: bool = False
    """Set by whoever waits no longer."""
    future: Future[list[str]] = field(default_factory=Future)

    @property
    def rows(self) -> int:
        """How many questions grow for it."""
        return max(1, self.wanted.samples)

    def deliver(self, texts: list[str]) -> None:
        """Hand over the questions; only the first delivery counts."""
        with contextlib.suppress(Exception):
            if not self.future.done():
                self.future.set_result(texts)

    def fail(self, error: BaseException) -> None:
        """Say that there will be no questions, unless they were delivered."""
        with contextlib.suppress(Exception):
            if not self.future.done():
                self.future.set_exception(error)


class Backend(Protocol):
    """What generates."""

    parallel: int
    """How many groups it takes at the same time."""
    batches: bool
    """Whether it wants several jobs at once."""

    def generate(self, jobs: list[Job]) -> None:
        """Deliver every job's questions; all jobs want equally many samples. Heeds ``Job.cancelled``."""

    def check(self, wanted: Wanted) -> None:
        """Raise ``UserError`` for what it cannot generate, before that spoils a batch."""

    def close(self) -> None:
        """Release what it holds."""


class Batcher:
    """Takes jobs from any thread and runs them in batches.

    Args:
        backend: What generates.
        settings: Sizes and waiting time.
        on_batch: Told how many rows each batch has.
    """

    def __init__(self, backend: Backend, settings: Batching, *, on_batch: Callable[[int], None] | None = None) -> None:
        self.backend, self.settings = backend, settings
        self._on_batch = on_batch or (lambda rows: None)
        self._waiting: list[Job] = []
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._run, name=f"rac-generate-{i}", daemon=True) for i in range(backend.parallel)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def alive(self) -> bool:
        """Whether the generating threads run."""
        return not self._closed and all(thread.is_alive() for thread in self._threads)

    @property
    def waiting(self) -> int:
        """Jobs that no batch has taken yet."""
        return len(self._waiting)

    async def generate(
        self, wanted: Wanted, *, arrived: float, on_piece: Callable[[str], None] | None = None
    ) -> tuple[list[str], float]:
        """Return the questions, and the seconds that they waited for a batch. Cancelling the call stops them."""
        self.backend.check(wanted)
        job = Job(wanted, arrived, on_piece)
        with self._changed:
            if self._closed:
                raise GenerationCancelled
            self._waiting.append(job)
            self._changed.notify_all()
        try:
            texts = await asyncio.wrap_future(job.future)
        finally:
            job.cancelled = True
        return texts, (job.started or job.submitted) - job.submitted

    def close(self, timeout: float = 10.0) -> None:
        """Stop: what waits is refused, what runs is cancelled."""
        with self._changed:
            self._closed = True
            waiting, self._waiting = self._waiting, []
            self._changed.notify_all()
        for job in waiting:
            job.fail(GenerationCancelled())
        for thread in self._threads:
            thread.join(timeout)
        self.backend.close()

    def _run(self) -> None:
        while (group := self._next()) is not None:
            self._on_batch(sum(job.rows for job in group))
            try:
                self.backend.generate(group)
                missing: BaseException = GenerationCancelled()
            except GenerationCancelled as error:
                missing = error
            except Exception as error:
                log.exception("a batch of %d failed", len(group))
                missing = error
            for job in group:
                job.fail(missing)

    def _next(self) -> list[Job] | None:
        """Wait for jobs; return those of the next batch, None when closed."""
        with self._changed:
            while True:
                if self._closed:
                    return None
                self._forget_cancelled()
                if not self._waiting:
                    self._changed.wait()
                    continue
                group = self._group()
                left = min(job.submitted for job in group) + self.settings.wait_ms / 1000 - time.monotonic()
                full = sum(job.rows for job in group) >= self.settings.max_rows
                if self.backend.batches and left > 0 and not full:
                    self._changed.wait(left)
                    continue
                self._waiting = [job for job in self._waiting if job not in group]
                break
        for job in group:
            job.started = time.monotonic()
        return [job for job in group if job.future.set_running_or_notify_cancel()]

    def _forget_cancelled(self) -> None:
        for job in self._waiting:
            if job.cancelled:
                job.fail(GenerationCancelled())
        self._waiting = [job for job in self._waiting if not job.cancelled]

    def _group(self) -> list[Job]:
        """Return the oldest request's job and those that fit beside it."""
        jobs = sorted(self._waiting, key=lambda job: job.arrived)
        group, rows, tokens = [jobs[0]], jobs[0].rows, len(jobs[0].wanted.prompt.ids)
        if not self.backend.batches:
            return group
        for job in jobs[1:]:
            if job.wanted.samples != jobs[0].wanted.samples:
                continue
            rows, tokens = rows + job.rows, tokens + len(job.wanted.prompt.ids)
            if rows > self.settings.max_rows or tokens > self.settings.max_tokens:
                break
            group.append(job)
        return group
