"""Asking a language model for verdicts: JSON by a schema, checked strictly, corrected, cached on disk, within a budget.

Requests go through ``OpenAIGenerator``, so any OpenAI-compatible server will do, with its retries and its budget. A
reply counts only if the caller's check accepts it; a refused one is asked for again with the reason, and what stays
unusable is returned without a value, with its reason and the raw text.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from rac.errors import UserError
from rac.files import sha256_json
from rac.generation.openai import OpenAIGenerator
from rac.generation.openai_budget import BackendError, BudgetError
from rac.generation.openai_settings import OpenAIServer

log = logging.getLogger(__name__)
T = TypeVar("T")

OUTPUT_FORMS = ("schema", "json", "none")
LONGEST_REPLY = 512
"""Tokens of a verdict at most."""


class InvalidReply(Exception):
    """Raised by a check: the reply cannot be used, and why (shown to the model when it is asked again)."""


@dataclass(frozen=True)
class VerdictRequest:
    """Chat messages and the JSON schema of the reply."""

    messages: tuple[dict[str, str], ...]
    schema: dict[str, Any]


@dataclass(frozen=True)
class Verdict(Generic[T]):
    """What came back: ``value`` is what the check made of ``text``, None with a ``reason`` if nothing usable came."""

    value: T | None
    text: str = ""
    reason: str = ""
    cached: bool = False


class VerdictAsker:
    """Asks one server for verdicts.

    Args:
        server: Where and how; prices and budget included.
        cache: SQLite file of usable replies, keyed by address, model, settings and messages; None for no cache.
        structured: ``schema`` (the server enforces the schema), ``json`` (any JSON object) or ``none``.
        corrections: How often a reply that the check refused is asked for again.
        generator: Sends the requests; made from ``server`` if None.

    Attributes:
        cached: Verdicts from the cache, since this was made.
        refused: Replies that a check refused. What was sent and spent is in ``spending``.
    """

    def __init__(
        self, server: OpenAIServer, *, cache: Path | str | None = None, structured: str = "schema",
        corrections: int = 1, generator: OpenAIGenerator | None = None,
    ) -> None:  # fmt: skip
        if structured not in OUTPUT_FORMS:
            raise UserError(f"structured='{structured}' is not known; use schema, json or none")
        if corrections < 0:
            raise UserError(f"corrections is {corrections}, but a reply is asked for again 0 times or more")
        self.server, self.structured, self._corrections = server, structured, corrections
        self._generator = generator or OpenAIGenerator(server, max_new_tokens=LONGEST_REPLY)
        self._cache = _ReplyCache(cache) if cache is not None else None
        self.cached = self.refused = 0
        self.spending = self._generator.spending

    def close(self) -> None:
        """Close the connections and the cache."""
        self._generator.close()
        if self._cache is not None:
            self._cache.close()

    def __enter__(self) -> VerdictAsker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(
        self, requests: Sequence[VerdictRequest], check: Callable[[str], T], *, label: str = "judging"
    ) -> list[Verdict[T]]:
        """Return the verdict for each request, in order; equal requests are sent once.

        Args:
            requests: What to ask.
            check: Turns the text of a reply into a value, or raises ``InvalidReply``.
            label: Shown with the progress.

        Raises:
            UserError: as soon as the server refuses the key, its rights, the address or the model (``AccessError``); at
                the end if it refused every request, or never answered.
        """
        keys = [self._key(request) for request in requests]
        chats = {key: list(request.messages) for key, request in zip(keys, requests, strict=True)}
        schemas = {key: request.schema for key, request in zip(keys, requests, strict=True)}
        verdicts: dict[str, Verdict[T]] = {}
        for key in chats:
            if (known := self._known(key, check)) is not None:
                verdicts[key] = known
                self.cached += 1
        open_keys = [key for key in chats if key not in verdicts]
        for _ in range(1 + self._corrections):
            if not open_keys:
                break
            open_keys = self._round(open_keys, chats, schemas, check, verdicts, label)
        return [verdicts[key] for key in keys]

    def _round(
        self, keys: Sequence[str], chats: dict[str, list[dict[str, str]]], schemas: dict[str, dict[str, Any]],
        check: Callable[[str], T], verdicts: dict[str, Verdict[T]], label: str,
    ) -> list[str]:  # fmt: skip
        """Ask for each key once, note the verdicts, and return the keys whose reply was refused."""
        refused: list[str] = []
        failures: list[BackendError] = []
        # One call per schema: the form of the reply is a field of the request.
        for schema in {json.dumps(schemas[key], sort_keys=True): schemas[key] for key in keys}.values():
            own = [key for key in keys if schemas[key] == schema]
            options = {"temperature": 0.0, **self._form(schema)}
            for index, result in self._generator.ask([chats[key] for key in own], 1, label=label, **options):
                key = own[index]
                if isinstance(result, BackendError):
                    failures.append(result)
                    reason = "budget" if isinstance(result, BudgetError) else f"no-reply: {result}"
                    verdicts[key] = Verdict(None, verdicts[key].text if key in verdicts else "", reason)
                    continue
                text = result[0].text
                try:
                    verdicts[key] = Verdict(check(text), text)
                except InvalidReply as problem:
                    self.refused += 1
                    refused.append(key)
                    verdicts[key] = Verdict(None, text, f"invalid-verdict: {problem}")
                    correction = f"Your reply could not be used: {problem}. Reply again with the JSON object only."
                    chats[key] += [
                        {"role": "assistant", "content": text[:2000]},
                        {"role": "user", "content": correction},
                    ]
                    continue
                if self._cache is not None:
                    self._cache.put(key, text)
        self._stop_if_hopeless(failures)
        return refused

    def _stop_if_hopeless(self, failures: Sequence[BackendError]) -> None:
        """Raise the first failure if the server never answered, or refused whatever it was asked."""
        if self.spending.requests:
            return
        for failure in failures:
            # Replies in the cache show that the form of requests is right, so what is refused is these items alone.
            if not isinstance(failure, BudgetError) and (failure.retry or not self.cached):
                raise failure

    def _known(self, key: str, check: Callable[[str], T]) -> Verdict[T] | None:
        text = self._cache.get(key) if self._cache is not None else None
        if text is None:
            return None
        try:
            return Verdict(check(text), text, cached=True)
        except InvalidReply:
            log.debug("a cached reply does not pass the check and is asked for again")
            return None

    def _key(self, request: VerdictRequest) -> str:
        made = [
            self.server.url,
            self.server.model,
            self.structured,
            LONGEST_REPLY,
            list(request.messages),
            request.schema,
        ]
        return sha256_json(made)

    def _form(self, schema: dict[str, Any]) -> dict[str, Any]:
        if self.structured == "schema":
            described = {"name": "verdict", "strict": True, "schema": schema}
            return {"response_format": {"type": "json_schema", "json_schema": described}}
        return {"response_format": {"type": "json_object"}} if self.structured == "json" else {}


class _ReplyCache:
    """Usable replies on disk."""

    def __init__(self, path: Path | str) -> None:
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=30.0)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, text TEXT NOT NULL) WITHOUT ROWID"
            )
            self._db.commit()
        except (sqlite3.Error, OSError) as error:
            raise UserError(
                f"the cache of replies {path} cannot be used ({error}); give another place for it"
            ) from error

    def get(self, key: str) -> str | None:
        row = self._db.execute("SELECT text FROM replies WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def put(self, key: str, text: str) -> None:
        with self._db:
            self._db.execute("INSERT OR REPLACE INTO replies VALUES (?, ?)", (key, text))

    def close(self) -> None:
        self._db.close()
