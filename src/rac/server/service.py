"""What the service does, without HTTP: clarify, search, score, refine, keep feedback; with limits of room and time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from rac.asking import Answer, Asker, Wanted
from rac.errors import UserError
from rac.generation.candidates import GenerationCancelled
from rac.records import Passage
from rac.server.admission import Admission
from rac.server.backends import LocalBackend
from rac.server.batching import Backend, Batcher
from rac.server.caches import TextCaches
from rac.server.errors import ServiceError, invalid, unavailable
from rac.server.feedback import Feedback, FeedbackStore, StorageError
from rac.server.inputs import outcome_of
from rac.server.metrics import Metrics
from rac.server.refining import Refined, rank_given, refine_query
from rac.server.settings import ServerSettings

if TYPE_CHECKING:
    from rac.retrieval import Hit

log = logging.getLogger(__name__)
T = TypeVar("T")

ScoredQuestions = tuple[list[dict[str, Any]], str]
"""Rows of the report scorer (``rac.metrics.evaluate``), and their signature."""


class QuestionScorer(Protocol):
    """The report scorer; passed in, since what selects questions must not share anything with what reports on them."""

    def __call__(self, items: Sequence[tuple[str, str, Sequence[Passage]]], /) -> ScoredQuestions:
        """Score (query, question, D) triples."""
        ...


class ClarifyService:
    """One worker's model, index and queue.

    Args:
        open_asker: Loads model and index; called in a thread by ``start``.
        settings: Limits, batching, defaults.
        scorer: The report scorer behind ``score``.
        feedback: Where feedback goes; None takes none.
        make_backend: Makes what generates from the loaded asker.
        metrics: Counters; new ones if None.
    """

    def __init__(
        self,
        open_asker: Callable[[], Asker],
        settings: ServerSettings,
        *,
        scorer: QuestionScorer | None = None,
        feedback: FeedbackStore | None = None,
        make_backend: Callable[[Asker], Backend] = lambda asker: LocalBackend(asker.generator),
        metrics: Metrics | None = None,
    ) -> None:
        self.settings, self.feedback = settings, feedback
        self.metrics = metrics or Metrics()
        self._open, self._make_backend, self._scorer = open_asker, make_backend, scorer
        self._asker: Asker | None = None
        self._batcher: Batcher | None = None
        self._failure = ""
        self._closing = False
        self.admission = Admission(settings.limits, self.metrics)
        self._caches = TextCaches()
        self._loading: asyncio.Task[None] | None = None
        self._retrieval = ThreadPoolExecutor(4, thread_name_prefix="rac-retrieve")
        self._checking = ThreadPoolExecutor(2, thread_name_prefix="rac-check")
        # Scoring takes as long as its model does and cannot be stopped: no question waits for it.
        self._scoring = ThreadPoolExecutor(1, thread_name_prefix="rac-score")
        self._storage = ThreadPoolExecutor(1, thread_name_prefix="rac-feedback")

    # Life

    def start(self) -> None:
        """Begin to load; until that is done requests are refused with 503."""
        self._loading = asyncio.get_running_loop().create_task(self._load())

    async def _load(self) -> None:
        started = time.monotonic()
        try:
            asker = await asyncio.get_running_loop().run_in_executor(None, self._open)
            self._batcher = Batcher(
                self._make_backend(asker), self.settings.batching, on_batch=self.metrics.batches.observe
            )
            self._asker = asker
            self.metrics.ready.set(1)
            log.info("ready after %.1f s with %s", time.monotonic() - started, asker.name)
        except UserError as error:
            self._failure = str(error)
            log.error("cannot start: %s", error)
        except Exception:
            self._failure = "the model could not be loaded; the log says why"
            log.exception("cannot start")

    async def loaded(self) -> None:
        """Wait until loading has ended, well or not."""
        if self._loading is not None:
            await self._loading

    async def close(self) -> None:
        """Refuse what is new, stop what generates."""
        self._closing = True
        self.metrics.ready.set(0)
        await self.loaded()
        if self._batcher is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._batcher.close)
        for pool in (self._retrieval, self._checking, self._scoring, self._storage):
            pool.shutdown(wait=pool is self._storage, cancel_futures=pool is not self._storage)
        if self.feedback is not None:
            self.feedback.close()

    def readiness(self) -> tuple[bool, str]:
        """Return whether queries can be answered, and why not."""
        if self._failure:
            return False, self._failure
        if self._closing:
            return False, "shutting down"
        if self._asker is None or self._batcher is None:
            return False, "loading the model"
        if not self._batcher.alive:
            return False, "the generating thread has ended; restart the service"
        return True, ""

    @property
    def asker(self) -> Asker:
        """The loaded model and index.

        Raises:
            ServiceError: while there is none.
        """
        ready, why = self.readiness()
        if not ready or self._asker is None:
            raise unavailable("not_ready", f"the service cannot answer yet: {why}")
        return self._asker

    # Queries

    def check_room(self, queries: int) -> None:
        """Refuse queries that have no place in the queue, or while there is no model; see ``Admission``."""
        self.asker  # noqa: B018
        self.admission.check_room(queries)

    def admitted(self, queries: int = 1) -> AbstractAsyncContextManager[None]:
        """Hold a place in the queue; see ``Admission``."""
        self.asker  # noqa: B018
        return self.admission.admitted(queries)

    async def clarify(
        self,
        query: str,
        *,
        passages: Sequence[Passage] | None = None,
        top_k: int | None = None,
        n: int | None = None,
        min_faithfulness: float | None = None,
        seed: int = 0,
        on_piece: Callable[[str], None] | None = None,
        on_retract: Callable[[str], None] | None = None,
    ) -> Answer:
        """Ask about one query; see ``Asker.ask``. Call it inside ``admitted``.

        Args:
            query: U_q.
            passages: D; retrieved if None.
            top_k: Passages to retrieve.
            n: Candidates at most.
            min_faithfulness: Least mean support of the options.
            seed: Of the samples.
            on_piece: Takes the first question piece by piece, in another thread.
            on_retract: Told if the first question has failed its check and samples are drawn instead.
        """
        asker, started = self.asker, time.monotonic()
        self._check_tokens(asker, query)
        timings = {"queue": 0.0, "retrieve": 0.0, "generate": 0.0, "check": 0.0}
        found = list(passages) if passages is not None else (await self.retrieve([query], top_k))[0]
        timings["retrieve"] = time.monotonic() - started
        self._caches.saw(found)
        if passages is None and not found:
            answer = asker.nothing_found(query)
        else:
            floor = self.settings.min_faithfulness if min_faithfulness is None else min_faithfulness
            steps = asker.steps(query, passages=found, n=n or self.settings.n, seed=seed, min_faithfulness=floor)
            answer = await self._answer(steps, timings, on_piece, on_retract)
        timings["total"] = time.monotonic() - started
        self._count(answer, timings)
        return Answer(**{**vars(answer), "timings": timings})

    async def _answer(
        self,
        steps: Generator[Wanted, list[str], Answer],
        timings: dict[str, float],
        on_piece: Callable[[str], None] | None,
        on_retract: Callable[[str], None] | None,
    ) -> Answer:
        """Drive ``Asker.steps``: generating in the batcher, all else in a thread."""
        arrived = time.monotonic()
        sent: list[str] | None = None
        while True:
            before = time.monotonic()
            wanted, answer = await self._in(self._checking, partial(_advance, steps, sent))
            timings["check"] += time.monotonic() - before
            if answer is not None:
                return answer
            assert wanted is not None
            assert self._batcher is not None
            if wanted.samples and on_retract is not None:
                on_retract("the first question failed its check; others are tried")
            before = time.monotonic()
            try:
                sent, queued = await self._batcher.generate(
                    wanted, arrived=arrived, on_piece=None if wanted.samples else on_piece
                )
            except GenerationCancelled:
                raise unavailable("shutting_down", "the service is shutting down: ask again") from None
            except UserError as error:
                raise _backend_problem(error) from error
            timings["queue"] += queued
            timings["generate"] += time.monotonic() - before - queued

    def _check_tokens(self, asker: Asker, query: str) -> None:
        most = self.settings.limits.query_tokens
        # A token has at least one byte, so short queries need no tokenizer.
        if len(query.encode()) > most:
            count = len(asker.tokenizer(query, add_special_tokens=False).input_ids)
            if count > most:
                raise invalid(f"the query has {count} tokens and {most} are allowed: shorten it", "query")

    def _count(self, answer: Answer, timings: dict[str, float]) -> None:
        outcome = outcome_of(answer)
        self.metrics.answers.labels(outcome).inc()
        if answer.faithfulness is not None:
            self.metrics.faithfulness.labels("selection", outcome).observe(answer.faithfulness)
        for stage in ("queue", "retrieve", "generate", "check"):
            self.metrics.stages.labels(stage).observe(timings[stage])

    async def retrieve(self, queries: Sequence[str], top_k: int | None) -> list[list[Passage]]:
        """Return D of each query from the index."""
        return [[hit.passage for hit in hits] for hits in await self.search(queries, top_k)]

    async def search(
        self, queries: Sequence[str], top_k: int | None, *, explain: bool = False
    ) -> list[list[Hit]]:  # fmt: skip
        """Return the hits of each query.

        Raises:
            ServiceError: if there is no index, or it does not answer.
        """
        asker = self.asker
        if asker.index is None:
            raise ServiceError(
                409, "no_index", "this service has no index: send `passages`, or start it with a run or with --index"
            )
        depth = top_k or self.settings.top_k or asker.settings.top_k
        try:
            return await self._in(
                self._retrieval, partial(asker.index.search_batch, list(queries), depth, explain=explain)
            )
        except Exception as error:
            # Clients of index servers raise their own errors, whatever the index makes of the usual ones.
            log.warning("the index does not answer: %s", error, exc_info=not isinstance(error, UserError))
            # The message may name hosts and files of this machine; it stays in the log.
            raise unavailable("index_unavailable", "the index does not answer: try again in some seconds") from error

    async def score(self, items: Sequence[tuple[str, str, Sequence[Passage]]]) -> ScoredQuestions:
        """Score (query, question, D) triples with the report scorer, one call at a time. Call it inside ``admitted``.

        Raises:
            ServiceError: 409 if there is no scorer.
        """
        if self._scorer is None:
            raise ServiceError(409, "no_scorer", "this service was started without a report scorer")
        for _, _, passages in items:
            self._caches.saw(passages)
        rows, signature = await self.admission.outlasting(self._scoring.submit(self._scorer, items))
        for row in rows:
            if row.get("faith") is not None:
                self.metrics.faithfulness.labels("report", "scored").observe(row["faith"])
        return rows, signature

    async def refine(
        self, query: str, question: str, answer: str, *, passages: Sequence[Passage] | None, top_k: int | None
    ) -> tuple[Refined, list[Hit]]:
        """Return the query after its clarification, and what it finds (among ``passages`` if they are given)."""
        refined = await self._in(self._checking, partial(refine_query, query, question, answer))
        if passages is None:
            return refined, (await self.search([refined.query], top_k, explain=True))[0]
        self._caches.saw(passages)
        return refined, await self._in(
            self._checking, partial(rank_given, refined.query, passages, top_k or self.settings.limits.top_k)
        )

    async def add_feedback(self, feedback: Feedback) -> bool:
        """Store feedback; when this returns it is on disk. False if its id was stored before.

        Raises:
            ServiceError: 507 if it could not be stored.
        """
        if self.feedback is None:
            raise ServiceError(409, "no_feedback", "this service takes no feedback: start it with --feedback FILE")
        try:
            new = await asyncio.shield(self._in(self._storage, partial(self.feedback.add, feedback)))
        except StorageError as error:
            self.metrics.feedback.labels("failed").inc()
            log.error("feedback could not be stored: %s", error)
            raise ServiceError(
                507, "not_stored", "the feedback could not be stored, so nothing of it is kept: send it again later",
                retry_after=30,
            ) from error  # fmt: skip
        self.metrics.feedback.labels("stored" if new else "repeated").inc()
        return new

    @staticmethod
    async def _in(pool: ThreadPoolExecutor, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, function)


def _advance(
    steps: Generator[Wanted, list[str], Answer], sent: list[str] | None
) -> tuple[Wanted | None, Answer | None]:  # fmt: skip
    """Take one step; StopIteration cannot leave a thread, so the two outcomes are told apart here."""
    try:
        return (next(steps) if sent is None else steps.send(sent)), None
    except StopIteration as end:
        return None, end.value
    except UserError as error:
        raise invalid(str(error)) from error


def _backend_problem(error: UserError) -> ServiceError:
    """Return what clients are told of a failure of what generates; addresses and models stay in the log."""
    from rac.generation.openai_budget import BackendError, BudgetError

    if isinstance(error, BudgetError):
        log.error("%s", error)
        return unavailable("budget_used_up", "the budget for generation is used up: ask the operator", 60)
    if isinstance(error, BackendError):
        log.error("the generation server failed: %s", error)
        return unavailable("backend_unavailable", "what generates does not answer: try again in some seconds", 10)
    return invalid(str(error))
