"""Settings of the service: one YAML file, ``--set`` and flags, checked like a recipe."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from rac.asking import DEFAULT_ENGINE, Engine
from rac.generation.openai_settings import OpenAIServer
from rac.models import default_model


class Section(BaseModel):
    """Base of the sections: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Batching(Section):
    """How concurrent queries are put into one generation batch."""

    max_rows: int = Field(16, ge=1, le=512, description="Questions that grow at the same time.")
    max_tokens: int = Field(16_384, ge=256, description="Prompt tokens in one batch at most.")
    wait_ms: float = Field(
        10.0, ge=0, le=1000, description="Milliseconds that a query waits for others before a batch starts."
    )


class Limits(Section):
    """What one request and one client may ask for."""

    queue: int = Field(64, ge=1, description="Queries waiting or under way per worker; more are refused with 429.")
    request_seconds: float = Field(30.0, gt=0, description="Longest time for one request; then generation stops (504).")
    body_bytes: int = Field(1_048_576, ge=1024, description="Largest request body.")
    body_seconds: float = Field(
        10.0, gt=0, description="Longest time for a client to send its body (for its header: 10 s)."
    )
    send_seconds: float = Field(
        20.0, gt=0, description="Longest time for a client to take a piece of the answer; then it is dropped."
    )
    connections: int = Field(512, ge=1, description="Open connections and tasks per worker; more get 503.")
    requests_per_minute: int = Field(
        600, ge=0, description="Requests per API key (without keys: per address) and minute, all workers; 0: no limit."
    )
    burst: int = Field(100, ge=1, description="Requests that a client may send at once before that rate counts.")
    queries: int = Field(16, ge=1, le=1000, description="Queries in one call.")
    query_characters: int = Field(2000, ge=1, description="Length of a query, question or answer.")
    query_tokens: int = Field(256, ge=8, description="Tokens of a query.")
    history: int = Field(20, ge=0, description="Turns of a history.")
    passages: int = Field(50, ge=1, description="Passages that a request may bring.")
    passage_characters: int = Field(20_000, ge=1, description="Length of a passage.")
    top_k: int = Field(50, ge=1, le=1000, description="Passages that a request may retrieve.")
    candidates: int = Field(16, ge=1, le=64, description="Candidates (`n`) that a request may ask for.")


class Security(Section):
    """Who may ask."""

    api_keys: dict[str, str] = Field(
        default_factory=dict,
        description="Name -> hash of a key, as `rac serve --new-key NAME` prints it; empty: no key is needed.",
    )
    open_metrics: bool = Field(False, description="Serve /metrics without a key where keys are needed.")
    cors_origins: tuple[str, ...] = Field(
        (), description="Web pages of these origins may call the service, such as https://example.com; empty: none."
    )
    allowed_hosts: tuple[str, ...] = Field(
        (),
        description="Host names that requests may be addressed to; empty: localhost names where `host` is a loopback "
        "address (against DNS rebinding), else any.",
    )
    trusted_proxies: tuple[str, ...] = Field(
        (), description="Addresses of proxies whose X-Forwarded-For is believed; empty: none."
    )

    @field_validator("api_keys")
    @classmethod
    def _are_hashes(cls, keys: dict[str, str]) -> dict[str, str]:
        for name, value in keys.items():
            if not re.fullmatch(r"sha256:[0-9a-f]{64}", value):
                # The value may be a key in clear: it is not repeated here.
                raise ValueError(
                    f"the key '{name}' is not stored as a hash; make one with `rac serve --new-key {name}` and put the "
                    "printed sha256:... here"
                )
        return keys

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not re.fullmatch(r"https?://[^/*\s]+", origin):
                raise ValueError(f"'{origin}' is no origin; give scheme and host, such as https://example.com")
        return origins


class Logs(Section):
    """What is written about requests (to standard error, one JSON object a line)."""

    format: Literal["json", "text"] = Field("json", description="JSON lines, or text for a terminal.")
    probes: bool = Field(False, description="Write answered requests for /healthz, /readyz and /metrics, too.")
    queries: bool = Field(False, description="Write query and question texts into the log.")
    addresses: bool = Field(False, description="Write client addresses into the log.")


class ServerSettings(Section):
    """The whole service."""

    model: str = Field(
        default_factory=default_model,
        description="A run directory, or a model: `embedded`, a folder, a hub id; if left out, the embedded one, tuned "
        "to ask where such an adapter is installed.",
    )
    system: str | None = Field(None, description="Model of the run: rac, grounded or ungrounded; empty: the best.")
    engine: Engine = Field(
        DEFAULT_ENGINE, description="What computes the model: torch; llama.cpp (CPU, 16-bit weights, an extra); auto: "
        "llama.cpp where it is installed and knows the model.",
    )  # fmt: skip
    index: str | None = Field(None, description="Folder of an index to retrieve from, instead of the run's.")
    openai: OpenAIServer | None = Field(
        None, description="An OpenAI-compatible server that generates instead of `model`; `model` then lends its "
        "tokenizer and, if it is a run, prompt and index.",
    )  # fmt: skip
    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 listens on all of the machine's.")
    port: int = Field(8000, ge=0, le=65535, description="Port; 0 takes a free one.")
    workers: int = Field(1, ge=1, le=256, description="Processes; each loads the model, all share the mapped index.")
    threads: int | None = Field(
        None, ge=1, description="Threads that each worker computes with; empty: cores / workers."
    )
    shutdown_seconds: int = Field(30, ge=0, description="Time that requests under way have to end on shutdown.")
    top_k: int | None = Field(None, ge=1, le=100, description="Passages where a request says none; empty: the model's.")
    max_new_tokens: int | None = Field(
        None, ge=4, le=1024, description="Longest question, in tokens; empty: the run's, or 48."
    )
    n: int = Field(4, ge=1, le=64, description="Candidates where a request says none.")
    min_faithfulness: float = Field(
        1.0, ge=0, le=1, description="Least mean support of the options where a request says none."
    )
    entailment: str = Field(
        "none", description="Model of /v1/score: `none` (words), `embedded`, or an NLI model by folder or hub id."
    )
    feedback: str | None = Field(
        None,
        description="SQLite file or SQLAlchemy URL for feedback; empty: RUN/feedback.sqlite, or ./feedback.sqlite for "
        "a model; `off`: no feedback.",
    )
    batching: Batching = Field(default_factory=Batching)
    limits: Limits = Field(default_factory=Limits)
    security: Security = Field(default_factory=Security)
    logs: Logs = Field(default_factory=Logs)

    @model_validator(mode="after")
    def _fits_together(self) -> ServerSettings:
        if self.n > self.limits.candidates:
            raise ValueError(f"n: {self.n} is more than limits.candidates, which is {self.limits.candidates}")
        if self.top_k is not None and self.top_k > self.limits.top_k:
            raise ValueError(f"top_k: {self.top_k} is more than limits.top_k, which is {self.limits.top_k}")
        if self.port == 0 and self.workers > 1:
            raise ValueError("port: 0 takes a free port, which several workers cannot share; give a port")
        return self

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")
