"""Work that ends when its client leaves: for plain answers and for server-sent events."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from rac.server.errors import ServiceError

if TYPE_CHECKING:
    from fastapi import Request

T = TypeVar("T")


async def unless_client_leaves(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Return the result of ``work``; cancel it (and the generation inside) when the client closes the connection."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            request.scope["state"]["client_left"] = True
            raise asyncio.CancelledError("the client left")
        return task.result()
    finally:
        for pending in (task, gone):
            pending.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def event(name: str, data: Any) -> bytes:
    """Return one server-sent event; the data is one line of JSON, so no text can end it early."""
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


async def events(
    work: Callable[[Callable[[str, Any], None]], Awaitable[Any]], request_id: str, *, heartbeat: float = 10.0
) -> AsyncIterator[bytes]:
    """Yield what ``work`` reports through its argument, from any thread, then its result.

    Args:
        work: Takes ``report(name, data)`` and returns the data of the last event, ``result``.
        request_id: Named in an ``error`` event.
        heartbeat: Seconds of silence after which a comment is sent, so that proxies keep the connection.
    """
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[tuple[str, Any] | None] = asyncio.Queue()

    def report(name: str, data: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(queue.put_nowait, (name, data))

    async def run() -> None:
        try:
            result = await work(report)
            # Behind what other threads have reported before.
            report("result", result)
        except ServiceError as error:
            report("error", error.body(request_id)["error"])
        finally:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(queue.put_nowait, None)

    task = asyncio.ensure_future(run())
    try:
        while True:
            try:
                item = await asyncio.wait_for(queue.get(), heartbeat)
            except TimeoutError:
                yield b": waiting\n\n"
                continue
            if item is None:
                break
            yield event(*item)
        await task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
