"""The budget of a server back end: what was spent, what is set aside, and when nothing more may be sent."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from rac.errors import UserError
from rac.generation.openai_settings import OpenAIServer


class BackendError(UserError):
    """The server cannot be used, or a request failed for good.

    Attributes:
        retry: Whether trying again later may help.
    """

    def __init__(self, message: str, *, retry: bool = False, wait: float | None = None) -> None:
        super().__init__(message)
        self.retry = retry
        self.wait = wait


class BudgetError(BackendError):
    """The budget does not allow another request."""


@dataclass
class Spending:
    """What was spent so far; safe to use from several threads.

    Attributes:
        settings: Holds the caps and prices.
        requests: Requests that were answered.
        input_tokens: Prompt tokens, as counted by the server (estimated if it does not say).
        output_tokens: Answer tokens, likewise.
        retries: Tries beyond the first.
    """

    settings: OpenAIServer
    requests: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    retries: int = 0
    _reserved: list[tuple[int, int]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def cost(self) -> float:
        """Money spent, in the currency of the prices."""
        return self._price(self.input_tokens, self.output_tokens)

    def _price(self, inputs: int, outputs: int) -> float:
        return (inputs * self.settings.input_price + outputs * self.settings.output_price) / 1e6

    def reserve(self, inputs: int, outputs: int) -> tuple[int, int]:
        """Set aside what a request may need at most.

        Raises:
            BudgetError: if that could pass a cap, together with everything that is under way.
        """
        with self._lock:
            held = [*self._reserved, (inputs, outputs)]
            tokens_in = self.input_tokens + sum(i for i, _ in held)
            tokens_out = self.output_tokens + sum(o for _, o in held)
            caps = self.settings
            if caps.budget_tokens is not None and tokens_in + tokens_out > caps.budget_tokens:
                raise BudgetError(
                    f"the budget of {caps.budget_tokens} tokens allows no further request ({self.input_tokens} prompt "
                    f"and {self.output_tokens} answer tokens were used): raise budget_tokens, or ask fewer queries"
                )
            if caps.budget_cost is not None and self._price(tokens_in, tokens_out) > caps.budget_cost:
                raise BudgetError(
                    f"the budget of {caps.budget_cost:g} allows no further request ({self.cost:.4g} was spent): raise "
                    "budget_cost, or ask fewer queries"
                )
            self._reserved.append((inputs, outputs))
        return inputs, outputs

    def settle(self, reserved: tuple[int, int], used: tuple[int, int] | None) -> None:
        """Replace what was set aside by what was used; None if the request failed and cost nothing."""
        with self._lock:
            self._reserved.remove(reserved)
            if used is not None:
                self.requests += 1
                self.input_tokens += used[0]
                self.output_tokens += used[1]
