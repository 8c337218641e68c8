"""What clients are told when something cannot be done: a status, a short code and one sentence."""

from __future__ import annotations

from typing import Any


class ServiceError(Exception):
    """A request cannot be answered.

    Args:
        status: HTTP status.
        code: Stable word for programs.
        message: One sentence for people: what was given, why it cannot work, what to do.
        retry_after: Seconds after which trying again makes sense.
        details: Where in the request the problem lies.
    """

    def __init__(
        self, status: int, code: str, message: str, *, retry_after: int | None = None,
        details: list[dict[str, Any]] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.retry_after, self.details = retry_after, details or []

    def body(self, request_id: str) -> dict[str, Any]:
        """Return the JSON body."""
        error: dict[str, Any] = {"code": self.code, "message": self.message, "request_id": request_id}
        if self.details:
            error["details"] = self.details
        return {"error": error}


def invalid(message: str, field: str | None = None) -> ServiceError:
    """Return the error for a request that breaks a rule which the schema cannot say."""
    details = [{"field": field, "problem": message}] if field else []
    return ServiceError(422, "invalid_request", message, details=details)


def timed_out(seconds: float) -> ServiceError:
    """Return the error for a request that took too long; its generation has been stopped."""
    return ServiceError(
        504, "timeout", f"no answer within {seconds:g} s, so generation was stopped: ask for less at once, or try "
        "again when there is less load", retry_after=5,
    )  # fmt: skip


def unavailable(code: str, message: str, retry_after: int = 5) -> ServiceError:
    """Return the error for a part (model, index, back end) that cannot be used right now."""
    return ServiceError(503, code, message, retry_after=retry_after)
