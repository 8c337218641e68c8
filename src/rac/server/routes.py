"""The endpoints under ``/v1``: check the request against the limits, call the service, shape the answer."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, StreamingResponse

from rac.asking import Answer
from rac.records import Passage
from rac.server import inputs
from rac.server.errors import invalid
from rac.server.feedback import Feedback
from rac.server.schemas import (
    ClaimOut,
    ClarifyAnswer,
    ClarifyAnswers,
    ClarifyRequest,
    ErrorAnswer,
    EvidenceOut,
    FeedbackAnswer,
    FeedbackRequest,
    QueryIn,
    RefineAnswer,
    RefineRequest,
    ScoreAnswer,
    ScoreOut,
    ScoreRequest,
    SearchAnswer,
    SearchRequest,
    SearchResult,
)
from rac.server.service import ClarifyService
from rac.server.waiting import events, unless_client_leaves

_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": description}
    for status, description in {
        400: "The body is not JSON that can be read.",
        401: "No valid API key.",
        408: "The body arrived too slowly.",
        413: "The body is too large.",
        421: "Not addressed to one of this service's host names.",
        422: "The request cannot work; `details` says where.",
        429: "Too many requests, or the queue is full; see Retry-After.",
        500: "Something went wrong here; the log has it under the request_id.",
        503: "Not ready, or a part cannot be reached; see Retry-After.",
        504: "Time is up; generation was stopped.",
    }.items()
}
_NO_PART: dict[int | str, dict[str, Any]] = {
    409: {"model": ErrorAnswer, "description": "The service was started without what this needs."}
}

_EVENT = {
    "description": "One event; `data` is JSON: {text} of a token, {reason} of retract, the whole answer of result, or "
    "the error's {code, message, request_id}.",
    "type": "object",
    "properties": {
        "event": {"enum": ["token", "retract", "result", "error"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "required": ["event", "data"],
}


def make_router(service: ClarifyService) -> APIRouter:
    """Return the endpoints of a service."""
    router = APIRouter(prefix="/v1", responses=_RESPONSES)
    limits = service.settings.limits

    def query_of(item: QueryIn) -> tuple[str, str, list[Passage] | None]:
        """Return the query, what is asked about, and D if the client brought it."""
        query = inputs.checked_text(item.query, "query", limits)
        passages = None if item.passages is None else inputs.make_passages(item.passages, limits)
        return query, inputs.asked_about(item, limits, query), passages

    async def one(
        item: tuple[str, str, list[Passage] | None], body: ClarifyRequest, request: Request,
        report: Callable[[str, Any], None] | None = None,
    ) -> ClarifyAnswer:  # fmt: skip
        query, about, passages = item
        answer = await service.clarify(
            about, passages=passages, top_k=body.top_k, n=body.n, min_faithfulness=body.min_faithfulness,
            seed=body.seed,
            on_piece=None if report is None else lambda piece: report("token", {"text": piece}),
            on_retract=None if report is None else lambda reason: report("retract", {"reason": reason}),
        )  # fmt: skip
        return _clarify_answer(query, about, answer, request.state.request_id)

    @router.post(
        "/clarify",
        response_model=ClarifyAnswer | ClarifyAnswers,
        responses=_NO_PART | {200: {"content": {"text/event-stream": {"schema": _EVENT}}}},
        summary="Ask one clarifying question",
    )
    async def clarify(request: Request, body: ClarifyRequest) -> Any:
        """Ask one clarifying question about a query, every option supported by a passage.

        With fewer than two supported options `question` is null and `reason` says why. Whether the query needs
        clarifying at all is not predicted: call this for queries that you want to clarify.
        """
        inputs.checked_count(len(body.items()), min(limits.queries, limits.queue), "queries")
        inputs.checked_count(body.top_k or 1, limits.top_k, "top_k")
        inputs.checked_count(body.n or 1, limits.candidates, "n")
        items = [query_of(item) for item in body.items()]
        _note(service, request, queries=len(items), texts=[query for query, _, _ in items])
        if body.stream:
            return await stream(request, body, items[0])

        async def work() -> list[ClarifyAnswer]:
            async with service.admitted(len(items)), asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(item, body, request)) for item in items]
            return [task.result() for task in tasks]

        answers = await unless_client_leaves(request, _unwrapped(work))
        _note_answers(service, request, answers)
        if body.queries is None:
            return answers[0]
        return ClarifyAnswers(results=answers, request_id=request.state.request_id)

    async def stream(
        request: Request, body: ClarifyRequest, item: tuple[str, str, list[Passage] | None]
    ) -> StreamingResponse:  # fmt: skip
        # What refuses at once does so with its status; later failures are events.
        service.check_room(1)

        async def work(report: Callable[[str, Any], None]) -> Any:
            async with service.admitted():
                answer = await one(item, body, request, report)
            _note_answers(service, request, [answer])
            return answer.model_dump(mode="json")

        return StreamingResponse(
            events(work, request.state.request_id), media_type="text/event-stream",
            headers={"x-accel-buffering": "no"},
        )  # fmt: skip

    @router.post("/search", responses=_NO_PART, summary="Find passages")
    async def search(request: Request, body: SearchRequest) -> SearchAnswer:
        """Find the passages of each query, as the question would be asked from them."""
        started = time.monotonic()
        queries = [inputs.checked_text(query, "query", limits) for query in body.items()]
        inputs.checked_count(len(queries), limits.queries, "queries")
        inputs.checked_count(body.top_k or 1, limits.top_k, "top_k")
        _note(service, request, queries=len(queries), texts=queries)

        async def work() -> list[list[Any]]:
            async with service.admitted():
                return await service.search(queries, body.top_k, explain=True)

        found = await unless_client_leaves(request, work())
        return SearchAnswer(
            results=[
                SearchResult(query=query, hits=[inputs.hit_out(hit) for hit in hits])
                for query, hits in zip(queries, found, strict=True)
            ],
            timings={"total": time.monotonic() - started},
            request_id=request.state.request_id,
        )

    @router.post("/score", responses=_NO_PART, summary="Score questions against passages")
    async def score(request: Request, body: ScoreRequest) -> ScoreAnswer:
        """Score questions of any system against passages, for monitoring.

        The scorer is the one that reports (`rac evaluate`), never the one that selects questions here.
        """
        started = time.monotonic()
        inputs.checked_count(len(body.items), limits.queries, "items")
        items = [
            (
                inputs.checked_text(item.query, "query", limits),
                _short(item.question, limits.query_characters),
                inputs.make_passages(item.passages, limits),
            )
            for item in body.items
        ]
        _note(service, request, queries=len(items), texts=[query for query, _, _ in items])

        async def work() -> tuple[list[dict[str, Any]], str]:
            async with service.admitted():
                return await service.score(items)

        rows, signature = await unless_client_leaves(request, work())
        return ScoreAnswer(
            results=[_score_out(row, passages) for row, (_, _, passages) in zip(rows, items, strict=True)],
            signature=signature,
            timings={"total": time.monotonic() - started},
            request_id=request.state.request_id,
        )

    @router.post("/refine", responses=_NO_PART, summary="Use the answer to a question")
    async def refine(request: Request, body: RefineRequest) -> RefineAnswer:
        """Rewrite the query with the user's answer and find its passages."""
        started = time.monotonic()
        query = inputs.checked_text(body.query, "query", limits)
        question = inputs.checked_text(body.question, "question", limits)
        answer = inputs.checked_text(body.answer, "answer", limits)
        inputs.checked_count(body.top_k or 1, limits.top_k, "top_k")
        passages = None if body.passages is None else inputs.make_passages(body.passages, limits)
        _note(service, request, queries=1, texts=[query])

        async def work() -> tuple[Any, list[Any]]:
            async with service.admitted():
                return await service.refine(query, question, answer, passages=passages, top_k=body.top_k)

        refined, hits = await unless_client_leaves(request, work())
        return RefineAnswer(
            query=query,
            rewritten_query=refined.query,
            option=refined.option,
            note=refined.note,
            hits=[inputs.hit_out(hit) for hit in hits],
            timings={"total": time.monotonic() - started},
            request_id=request.state.request_id,
        )

    @router.post(
        "/feedback",
        responses=_NO_PART
        | {
            200: {"model": FeedbackAnswer, "description": "Stored before, under the same feedback_id."},
            507: {"model": ErrorAnswer, "description": "Not stored: send it again."},
        },
        status_code=201,
        response_model=FeedbackAnswer,
        summary="Say what came of a question",
    )
    async def feedback(request: Request, body: FeedbackRequest) -> Any:
        """Store what the user chose or thought of a question. The answer comes when it is on disk."""
        entry = Feedback(
            query=inputs.checked_text(body.query, "query", limits),
            question=inputs.checked_text(body.question, "question", limits),
            request_id=body.request_id, option=body.option, helpful=body.helpful,
            answer=_short(body.answer, limits.query_characters), comment=_short(body.comment, limits.query_characters),
            passages=tuple(inputs.make_passages(body.passages, limits)),
            candidates=tuple(_short(c, limits.query_characters) for c in body.candidates), model=body.model,
            client=getattr(request.state, "client", ""), id=body.feedback_id or secrets.token_hex(16),
        )  # fmt: skip
        new = await service.add_feedback(entry)
        answer = FeedbackAnswer(feedback_id=entry.id, stored=new, request_id=request.state.request_id)
        return JSONResponse(answer.model_dump(mode="json"), status_code=201 if new else 200)

    return router


async def _unwrapped(work: Callable[[], Any]) -> Any:
    """Run work whose tasks fail as a group; raise the first failure alone."""
    try:
        return await work()
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None


def _short(text: str, most: int) -> str:
    if len(text) > most:
        raise invalid(f"a text has {len(text)} characters and {most} are allowed: shorten it")
    return text


def _note(service: ClarifyService, request: Request, *, queries: int, texts: Sequence[str]) -> None:
    """Add to the log line what was asked for; texts only where that is switched on."""
    request.state.log["queries"] = queries
    if service.settings.logs.queries:
        request.state.log["texts"] = list(texts)


def _note_answers(service: ClarifyService, request: Request, answers: Sequence[ClarifyAnswer]) -> None:
    log = request.state.log
    log["asked"] = sum(answer.question is not None for answer in answers)
    for stage in ("queue", "retrieve", "generate", "check"):
        log[f"{stage}_seconds"] = round(max(answer.timings.get(stage, 0.0) for answer in answers), 4)
    if service.settings.logs.queries:
        log["questions"] = [answer.question for answer in answers]


def _clarify_answer(query: str, about: str, answer: Answer, request_id: str) -> ClarifyAnswer:
    return ClarifyAnswer(
        query=query, asked_about=about, question=answer.question, reason=answer.reason,
        options=[inputs.option_out(option) for option in answer.options], faithfulness=answer.faithfulness,
        passages=[inputs.passage_out(passage) for passage in answer.passages], candidates=list(answer.candidates),
        timings=answer.timings, model=answer.model, request_id=request_id,
    )  # fmt: skip


def _score_out(row: dict[str, Any], passages: Sequence[Passage]) -> ScoreOut:
    by_id = {passage.id: passage for passage in passages}
    claims = []
    for claim in row["claims"]:
        evidence = []
        for found in claim.get("evidence", []):
            passage = by_id[found["passage"]]
            name = found["field"]
            value = ", ".join(passage.types) if name == "types" else str(getattr(passage, name))
            evidence.append(
                EvidenceOut(
                    passage_id=passage.id,
                    title=passage.title,
                    field=name,
                    start=found["start"],
                    end=found["end"],
                    text=value[found["start"] : found["end"]],
                )
            )
        claims.append(
            ClaimOut(
                text=claim["text"],
                kind=claim["kind"],
                start=claim["start"],
                end=claim["end"],
                support=claim.get("support"),
                supported=claim.get("supported"),
                evidence=evidence,
            )
        )
    flag = row.get("hallucinated")
    return ScoreOut(
        headline=row.get("headline"), faithfulness=row.get("faith"), informativeness=row.get("info"),
        hallucinated=None if flag is None else bool(flag), claims=claims, reason=row["reason"],
    )  # fmt: skip
