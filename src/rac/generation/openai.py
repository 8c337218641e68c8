"""Generation on an OpenAI-compatible server: many requests at once, retries with back-off, a budget that is kept.

The server gets the same chat messages that the prompt for a local model is rendered from (``Prompt.messages``), and
renders them with its own template. Nothing of a request or of the key is logged.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from rac.errors import UserError
from rac.generation.candidates import Candidate, GenerationCancelled
from rac.generation.openai_budget import BackendError, Spending
from rac.generation.openai_settings import OpenAIServer, read_api_key
from rac.progress import Progress

if TYPE_CHECKING:
    import httpx2

log = logging.getLogger(__name__)

Messages = Sequence[dict[str, str]]

_PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
"""Status codes after which the same request may succeed."""

_NO_ACCESS = frozenset({401, 403, 404})
"""Status codes after which no request to this address with this key and model can succeed."""

_LONGEST_WAIT = 60.0
_CHARACTERS_PER_TOKEN = 3
"""A careful guess for what a request will cost, replaced by the server's count once it has answered."""


class AccessError(BackendError):
    """The server refuses the key, its rights, the address or the model (401, 403, 404): no request can succeed."""


class OpenAIGenerator:
    """Asks an OpenAI-compatible server for questions.

    Args:
        settings: Where and how.
        max_new_tokens: Longest question, in tokens.
        sleep: Waits between tries; a test may pass its own.

    Raises:
        UserError: without the package httpx2, for an address that it cannot read, or a key that no request can carry.
    """

    def __init__(
        self, settings: OpenAIServer, *, max_new_tokens: int = 48, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        try:
            import httpx2
        except ImportError as error:
            raise UserError(
                "generation on a server needs the package httpx2, which is not installed: "
                "pip install 'rac-clarify[openai]'"
            ) from error
        self.settings = settings
        self.max_new_tokens = max_new_tokens
        self.spending = Spending(settings)
        self._sleep = sleep
        self._random = random.Random(0)
        self._not_before = 0.0
        key = read_api_key(settings.api_key_variable)
        try:
            # What the settings cannot see without the client, such as a host name that IDNA does not allow.
            httpx2.URL(settings.url)
        except httpx2.InvalidURL as error:
            raise UserError(
                f"'{settings.url}' is no address of a server ({error}); give one such as http://127.0.0.1:8000/v1"
            ) from error
        self._client = httpx2.Client(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=settings.timeout,
            limits=httpx2.Limits(max_connections=settings.concurrency),
            follow_redirects=False,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> OpenAIGenerator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def greedy(
        self, prompts: Sequence[Messages], *, cancel: Callable[[], bool] | None = None, label: str = "asking"
    ) -> list[Candidate]:
        """Return the most probable question for each chat (temperature 0).

        Raises:
            BackendError: if a request failed for good; the message says how many did and why the first one.
            AccessError: see ``ask``.
        """
        found = self._all(prompts, 1, {"temperature": 0.0}, None, cancel, label)
        return [candidates[0] for candidates in found]

    def sample(
        self,
        prompts: Sequence[Messages],
        n: int,
        *,
        temperature: float = 1.0,
        top_p: float = 0.95,
        seed: int,
        cancel: Callable[[], bool] | None = None,
        label: str = "sampling",
    ) -> list[list[Candidate]]:
        """Return ``n`` sampled questions for each chat. The seed is passed on; not every server heeds it.

        Raises:
            BackendError: see ``greedy``.
            AccessError: see ``ask``.
        """
        return self._all(prompts, n, {"temperature": temperature, "top_p": top_p}, seed, cancel, label)

    def _all(
        self,
        prompts: Sequence[Messages],
        n: int,
        options: dict[str, Any],
        seed: int | None,
        cancel: Callable[[], bool] | None,
        label: str,
    ) -> list[list[Candidate]]:
        found: list[list[Candidate]] = [[] for _ in prompts]
        failures: list[BackendError] = []
        for index, result in self.ask(prompts, n, seed=seed, cancel=cancel, label=label, **options):
            if isinstance(result, BackendError):
                failures.append(result)
            else:
                found[index] = result
        if failures:
            raise BackendError(f"{len(failures)} of {len(prompts)} requests failed; the first one: {failures[0]}")
        return found

    def ask(
        self,
        prompts: Sequence[Messages],
        n: int = 1,
        *,
        seed: int | None = None,
        cancel: Callable[[], bool] | None = None,
        label: str = "asking",
        **options: Any,
    ) -> Iterator[tuple[int, list[Candidate] | BackendError]]:
        """Yield (index of the prompt, its candidates or why there are none) as answers come in.

        One failed item does not stop the others. Once the budget is used up, the items left fail with ``BudgetError``
        without being sent.

        Args:
            prompts: Chats as role/content messages.
            n: Candidates for each.
            seed: Passed on to the server, made different for every prompt.
            cancel: Asked between answers; True raises ``GenerationCancelled``.
            label: Shown with the progress; "" shows none.
            **options: Further fields of the request, such as ``temperature``.

        Raises:
            AccessError: as soon as the server refuses the key, its rights, the address or the model; what is not under
                way is not sent any more.
        """
        pending: dict[Future[list[Candidate]], int] = {}
        items: Iterator[tuple[int, Messages]] = iter(enumerate(prompts))
        refused: AccessError | None = None
        quiet = 1.5 if label else math.inf
        with (
            ThreadPoolExecutor(self.settings.concurrency, thread_name_prefix="rac-openai") as pool,
            Progress(label, len(prompts), unit="requests", quiet=quiet) as progress,
        ):
            try:
                while True:
                    # No more than can be under way are handed over, so that a stop leaves little behind.
                    while len(pending) < self.settings.concurrency and (item := next(items, None)) is not None:
                        index, messages = item
                        pending[pool.submit(self._candidates, messages, n, seed, options)] = index
                    if not pending:
                        if refused is not None:
                            raise refused
                        return
                    done, _ = wait(pending, timeout=0.2, return_when=FIRST_COMPLETED)
                    if cancel is not None and cancel():
                        raise GenerationCancelled
                    for future in sorted(done, key=lambda f: pending[f]):
                        index = pending.pop(future)
                        try:
                            yield index, future.result()
                        except AccessError as error:
                            # What else is under way may be answered, and is paid for; nothing new is asked.
                            refused, items = refused or error, iter(())
                        except BackendError as error:
                            yield index, error
                        progress.advance()
            finally:
                for future in pending:
                    future.cancel()

    def stream(self, messages: Messages, *, temperature: float = 0.0, top_p: float = 1.0) -> Iterator[str]:
        """Yield one question piece by piece; closing the iterator ends the request.

        Raises:
            BackendError: if the server refuses the request or breaks off.
        """
        import httpx2

        body = self._body(messages, 1, None, {"temperature": temperature, "top_p": top_p}) | {"stream": True}
        reserved = self._reserve(messages, 1)
        used: tuple[int, int] | None = None
        try:
            with self._client.stream("POST", f"{self.settings.url}/chat/completions", json=body) as response:
                if response.status_code != 200:
                    response.read()
                    raise self._refusal(response)
                pieces = 0
                used = (reserved[0], 0)
                for line in response.iter_lines():
                    if not line.startswith("data:"):
                        continue
                    data = line[5:].strip()
                    if data == "[DONE]":
                        return
                    # Some servers send what they think of the prompt, or the usage, in a chunk without a choice.
                    choices = self._parse(data, "choices", least=0)
                    piece = (choices[0].get("delta") or {}).get("content") if choices else None
                    if piece:
                        pieces += 1
                        used = (reserved[0], pieces)
                        yield str(piece)
        except httpx2.HTTPError as error:
            raise BackendError(
                f"{self.settings.url} broke off ({type(error).__name__}): try again", retry=True
            ) from error
        finally:
            self.spending.settle(reserved, used)

    def _candidates(
        self, messages: Messages, n: int, seed: int | None, options: dict[str, Any]
    ) -> list[Candidate]:  # fmt: skip
        """Return ``n`` candidates; a server that gives fewer at once is asked again for the rest."""
        found: list[Candidate] = []
        while len(found) < n:
            own_seed = None
            if seed is not None:
                text = f"{seed}|{len(found)}|{json.dumps(list(messages), sort_keys=True)}"
                own_seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") >> 1
            found += self._request(messages, n - len(found), self._body(messages, n - len(found), own_seed, options))
        return found[:n]

    def _body(self, messages: Messages, n: int, seed: int | None, options: dict[str, Any]) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.settings.model, "messages": [dict(m) for m in messages],
            "max_tokens": self.max_new_tokens, **options,
        }  # fmt: skip
        if n > 1:
            body["n"] = n
        if seed is not None:
            body["seed"] = seed
        return body

    def _reserve(self, messages: Messages, n: int) -> tuple[int, int]:
        characters = sum(len(m["content"]) for m in messages)
        return self.spending.reserve(characters // _CHARACTERS_PER_TOKEN + 16, n * self.max_new_tokens)

    def _request(self, messages: Messages, n: int, body: dict[str, Any]) -> list[Candidate]:
        """Send one request until it succeeds, fails for good, or the tries are used up."""
        for attempt in range(self.settings.retries + 1):
            reserved = self._reserve(messages, n)
            used: tuple[int, int] | None = None
            try:
                self._wait_for_turn()
                answer = self._send(body)
                choices = answer["choices"][:n]
                usage = answer.get("usage") or {}
                used = (
                    _count(usage.get("prompt_tokens"), reserved[0]), _count(usage.get("completion_tokens"), reserved[1])
                )  # fmt: skip
                return [_candidate(choice) for choice in choices]
            except BackendError as error:
                if not error.retry or attempt == self.settings.retries:
                    raise
                self._back_off(attempt, error)
            finally:
                self.spending.settle(reserved, used)
        raise AssertionError("the last try returns or raises")

    def _wait_for_turn(self) -> None:
        delay = self._not_before - time.monotonic()
        if delay > 0:
            self._sleep(delay)

    def _back_off(self, attempt: int, error: BackendError) -> None:
        """Wait before the next try; after "too many requests" all requests wait."""
        delay = min(_LONGEST_WAIT, self.settings.backoff * 2**attempt) * (0.5 + self._random.random() / 2)
        if error.wait is not None:
            delay = min(_LONGEST_WAIT, max(delay, error.wait))
            self._not_before = max(self._not_before, time.monotonic() + delay)
        self.spending.retries += 1
        log.info("try %d failed, next one in %.1f s: %s", attempt + 1, delay, error)
        self._sleep(delay)

    def _send(self, body: dict[str, Any]) -> dict[str, Any]:
        import httpx2

        try:
            response = self._client.post(f"{self.settings.url}/chat/completions", json=body)
        except httpx2.HTTPError as error:
            raise BackendError(
                f"{self.settings.url} gave no answer ({type(error).__name__}) within {self.settings.timeout:g} s: "
                "check that the server runs there",
                retry=True,
            ) from error
        if response.status_code != 200:
            raise self._refusal(response)
        self._parse(response.text, "choices")
        return dict(response.json())

    def _parse(self, text: str, key: str, *, least: int = 1) -> list[dict[str, Any]]:
        """Return a list of at least ``least`` objects under ``key`` of a JSON text."""
        try:
            value = json.loads(text)[key]
        except (ValueError, KeyError, TypeError, RecursionError):
            value = None
        if not isinstance(value, list) or len(value) < least or not all(isinstance(v, dict) for v in value):
            raise BackendError(
                f"{self.settings.url} answered with something else than a chat completion: it must be an "
                "OpenAI-compatible server, and the address usually ends in /v1",
                retry=True,
            )
        return value

    def _refusal(self, response: httpx2.Response) -> BackendError:
        status = response.status_code
        try:
            content = response.json()
            detail = content.get("error", content.get("message", content.get("detail", "")))
            message = str(detail.get("message", "") if isinstance(detail, dict) else detail)[:300]
        except (ValueError, AttributeError):
            message = response.text[:300]
        hint = {
            401: f"put the API key into the environment variable {self.settings.api_key_variable}",
            403: f"the key in {self.settings.api_key_variable} may not use this model",
            404: "check the address (it usually ends in /v1) and the model's name",
            429: "lower concurrency, or raise the limit on the server's side",
        }.get(status, "see the server's message")
        kind = AccessError if status in _NO_ACCESS else BackendError
        return kind(
            f"{self.settings.url} refused a request for model '{self.settings.model}' with status {status}"
            f"{f' ({message})' if message else ''}: {hint}",
            retry=status in _PASSING,
            wait=_retry_after(response.headers.get("retry-after")) if status in (429, 503) else None,
        )


def _candidate(choice: dict[str, Any]) -> Candidate:
    message = choice.get("message")
    text = message.get("content") if isinstance(message, dict) else None
    return Candidate(str(text or "").strip(), [], math.nan, choice.get("finish_reason") == "stop")


def _count(value: Any, otherwise: int) -> int:
    """Return a number of tokens as a server gives it, ``otherwise`` where it gives none."""
    return value if isinstance(value, int) else otherwise


def _retry_after(value: str | None) -> float:
    """Return the seconds that a Retry-After header asks for (a number or an HTTP date), 0 if it says nothing usable."""
    if not value:
        return 0.0
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return 0.0
