"""Settings of an OpenAI-compatible server as a generation back end."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from rac.errors import UserError


def check_address(url: str) -> None:
    """Check that requests can be sent to an address.

    Raises:
        ValueError: for another scheme than http or https, no host, white space, or a port that is none.
    """
    example = "give one such as http://127.0.0.1:8000/v1"
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"'{url}' is no http or https address; {example}")
    try:
        parts = urlsplit(url)
        problem = "" if parts.hostname else "it names no host"
        # Reading the port is what checks it.
        if parts.port == 0:
            problem = "no server has port 0"
    except ValueError as error:
        problem = str(error)
    # urlsplit leaves line breaks out and HTTP clients refuse them.
    if any(character.isspace() or not character.isprintable() for character in url):
        problem = "it has white space or control characters"
    if problem:
        raise ValueError(f"{url!r} is no address of a server ({problem}); {example}")


def read_api_key(variable: str) -> str:
    """Return the API key that an environment variable holds, "" if it is not set.

    Raises:
        UserError: for a key that no request can carry; it names the variable and the place, never the key.
    """
    key = os.environ.get(variable, "")
    for place, character in enumerate(key, start=1):
        if not "!" <= character <= "~":
            kind = "white space" if character.isspace() else "a character outside of ASCII"
            raise UserError(
                f"the API key in the environment variable {variable} has {kind} at place {place} of {len(key)}, which "
                "no request can carry; set it to the key alone, as the server's operator gave it"
            )
    return key


class OpenAIServer(BaseModel):
    """An OpenAI-compatible server (vLLM, llama.cpp, Ollama, a hosted one) that is asked for questions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field("http://127.0.0.1:8000/v1", description="Base address; requests go to URL/chat/completions.")
    model: str = Field(min_length=1, description="The model's name on that server.")
    api_key_variable: str = Field(
        "OPENAI_API_KEY", description="Environment variable that holds the API key; the key itself is stored nowhere."
    )
    concurrency: int = Field(8, ge=1, le=256, description="Requests that are under way at the same time.")
    timeout: float = Field(60.0, gt=0, description="Seconds without an answer after which a request is tried again.")
    retries: int = Field(5, ge=0, le=20, description="Times that a request is tried again after a passing failure.")
    backoff: float = Field(0.5, gt=0, description="Seconds before the first new try; they double with each, up to 60.")
    budget_tokens: int | None = Field(
        None,
        ge=1,
        description="Most tokens (prompts and answers) in one run; no request is sent that, by a careful guess of its "
        "prompt and with the longest answer, could pass it.",
    )
    budget_cost: float | None = Field(
        None, gt=0, description="Most money in one run, in the currency of the prices; as budget_tokens."
    )
    input_price: float = Field(0.0, ge=0, description="Price of a million prompt tokens.")
    output_price: float = Field(0.0, ge=0, description="Price of a million answer tokens.")

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        check_address(url)
        return url.rstrip("/")

    @model_validator(mode="after")
    def _prices_for_cost(self) -> OpenAIServer:
        if self.budget_cost is not None and not (self.input_price or self.output_price):
            raise ValueError("budget_cost needs input_price or output_price; without prices use budget_tokens")
        return self
