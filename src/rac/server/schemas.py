"""What requests and answers look like; the OpenAPI page is made from this."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Text = Annotated[str, StringConstraints(min_length=1)]

_PASSAGES: list[Any] = [
    {"id": "1", "title": "Mercury (planet)", "text": "Mercury is the first planet from the Sun."},
    {"id": "2", "title": "Mercury (element)", "text": "Mercury is a chemical element, a metal that is liquid."},
]
_QUESTION = "Do you mean the planet Mercury or the chemical element Mercury?"


class Request(BaseModel):
    """Base of requests: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")


class PassageIn(BaseModel):
    """A passage that the client brings. Keys of passages that the service gave are accepted and not needed."""

    model_config = ConfigDict(extra="ignore")

    id: str | None = Field(
        None, min_length=1, max_length=500, description="Named in evidence; p1, p2, ... if left out."
    )
    title: str = ""
    text: str = ""
    types: list[str] = Field(default_factory=list, max_length=50, description='Such as "music artist".')
    description: str = Field("", max_length=1000, description='Such as "1968 film".')

    @model_validator(mode="after")
    def _says_something(self) -> PassageIn:
        if not (self.title.strip() or self.text.strip()):
            raise ValueError("a passage needs text or a title")
        return self


class Turn(Request):
    """One earlier turn of the conversation."""

    role: Literal["user", "system"]
    text: Text


class QueryIn(Request):
    """One query with what belongs to it."""

    query: Text = Field(description="U_q, the user's query.")
    history: list[Turn] = Field(
        default_factory=list,
        description="Earlier turns, oldest first. The model knows single queries only: what the user said earlier is "
        "put before the query (see `asked_about` of the answer), what the system said is not used.",
    )
    passages: list[PassageIn | str] | None = Field(
        None, description="D. Left out: the service retrieves from its index."
    )


class AskSettings(Request):
    """How to ask."""

    top_k: int | None = Field(None, ge=1, description="Passages to retrieve.")
    n: int | None = Field(None, ge=1, description="Candidates at most; samples are drawn if the first one fails.")
    min_faithfulness: float | None = Field(
        None, ge=0, le=1, description="Least mean support of the options; at 1 every option is supported."
    )
    seed: int = Field(0, ge=0, lt=2**31, description="Of the samples.")


class ClarifyRequest(AskSettings):
    """``query``, or several ``queries`` in one call."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"query": "mercury", "passages": _PASSAGES},
                {"query": "mercury", "top_k": 5, "n": 4, "min_faithfulness": 1.0},
                {"queries": [{"query": "mercury"}, {"query": "jaguar"}]},
                {"query": "mercury", "stream": True},
            ]
        },
    )

    query: Text | None = Field(None, description="U_q, the user's query.")
    history: list[Turn] = Field(default_factory=list, description=QueryIn.model_fields["history"].description)
    passages: list[PassageIn | str] | None = Field(None, description=QueryIn.model_fields["passages"].description)
    queries: list[QueryIn] | None = Field(None, min_length=1, description="Several queries instead of one.")
    stream: bool = Field(
        False,
        description="Send server-sent events: `token` as the first question grows, `retract` if it fails its check, "
        "`result` with the whole answer, `error`. For one query.",
    )

    @model_validator(mode="after")
    def _one_or_several(self) -> ClarifyRequest:
        if (self.query is None) == (self.queries is None):
            raise ValueError("give either `query` or `queries`")
        if self.queries is not None and (self.history or self.passages is not None):
            raise ValueError("with `queries`, history and passages belong into each of them")
        if self.queries is not None and self.stream:
            raise ValueError("`stream` is for one query; leave out `queries`")
        return self

    def items(self) -> list[QueryIn]:
        """Return the queries."""
        if self.queries is not None:
            return self.queries
        return [QueryIn(query=self.query or "", history=self.history, passages=self.passages)]


class PassageOut(BaseModel):
    """A passage of D."""

    id: str
    title: str = ""
    text: str = ""
    types: list[str] = Field(default_factory=list)
    description: str = ""
    source: str = Field("", description="The document that it is from.")


class EvidenceOut(BaseModel):
    """Where a passage supports an option: character offsets (end exclusive) into one field of the passage.

    With ``field`` = ``types`` they count in the types joined with ", ".
    """

    passage_id: str
    title: str
    field: Literal["title", "text", "types", "description"]
    start: int
    end: int
    text: str


class OptionOut(BaseModel):
    """An option that the question offers; ``start`` and ``end`` are its place in the question."""

    text: str
    start: int
    end: int
    supported: bool
    score: float = Field(description="Share of the option's words that its best passage has, 0..1.")
    evidence: list[EvidenceOut]


class ClarifyAnswer(BaseModel):
    """What came of one query."""

    query: str
    asked_about: str = Field(description="The query with what the user said earlier, as retrieval and model saw it.")
    question: str | None = Field(description="null if fewer than two options are supported; `reason` says why.")
    reason: str = Field(description="Why there is no question, or how it came about if it is not the first choice.")
    options: list[OptionOut] = Field(
        description="The question's options; without a question those of the best rejected candidate. Offer those "
        "that are `supported`."
    )
    faithfulness: float | None = Field(description="Mean score of the options, 0..1; null without options.")
    passages: list[PassageOut]
    candidates: list[str] = Field(description="All generated questions, the chosen one included.")
    timings: dict[str, float] = Field(description="Seconds by stage: queue, retrieve, generate, check, total.")
    model: str
    request_id: str


class ClarifyAnswers(BaseModel):
    """Answers to ``queries``, in their order."""

    results: list[ClarifyAnswer]
    request_id: str


class SearchRequest(Request):
    """Passages for one or several queries."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"query": "mercury", "top_k": 3}, {"queries": ["a", "b"]}]}
    )

    query: Text | None = None
    queries: list[Text] | None = Field(None, min_length=1)
    top_k: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _one_or_several(self) -> SearchRequest:
        if (self.query is None) == (self.queries is None):
            raise ValueError("give either `query` or `queries`")
        return self

    def items(self) -> list[str]:
        """Return the queries."""
        return self.queries if self.queries is not None else [self.query or ""]


class HitOut(BaseModel):
    """A passage found; scores compare within one query only."""

    rank: int
    score: float
    passage: PassageOut
    terms: list[str] = Field(description="Words of the query that the passage has.")


class SearchResult(BaseModel):
    """Passages of one query, best first."""

    query: str
    hits: list[HitOut]


class SearchAnswer(BaseModel):
    """One result per query, in their order."""

    results: list[SearchResult]
    timings: dict[str, float]
    request_id: str


class ScoreItem(Request):
    """A question to score: its query and the passages that it was asked from."""

    query: Text
    question: str
    passages: list[PassageIn | str] = Field(description="D.")


class ScoreRequest(Request):
    """Questions of any system, to be scored against passages."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"items": [{"query": "mercury", "question": _QUESTION, "passages": _PASSAGES}]}]
        },
    )

    items: list[ScoreItem] = Field(min_length=1)


class ClaimOut(BaseModel):
    """One claim that a question makes, and how far one passage carries it."""

    text: str
    kind: str
    start: int
    end: int
    support: float | None
    supported: bool | None
    evidence: list[EvidenceOut]


class ScoreOut(BaseModel):
    """Scores of one question by the report scorer; null is unscored, and ``reason`` says why."""

    headline: float | None = Field(description="Harmonic mean of faithfulness and informativeness, 0..1.")
    faithfulness: float | None = Field(description="Mean support of the claims, 0..1.")
    informativeness: float | None
    hallucinated: bool | None = Field(description="Whether a claim's support is under the threshold.")
    claims: list[ClaimOut]
    reason: str


class ScoreAnswer(BaseModel):
    """One score per item, in their order."""

    results: list[ScoreOut]
    signature: str = Field(description="What made the scores; only scores of one signature compare.")
    timings: dict[str, float]
    request_id: str


class RefineRequest(Request):
    """The user's answer to a question."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"query": "mercury", "question": _QUESTION, "answer": "the planet", "top_k": 3},
                {"query": "mercury", "question": _QUESTION, "answer": "the second one", "passages": _PASSAGES},
            ]
        },
    )

    query: Text
    question: Text
    answer: Text = Field(description="An option, `the first one`, or free text.")
    passages: list[PassageIn | str] | None = Field(
        None, description="Rank these instead of searching the index, as far as they match."
    )
    top_k: int | None = Field(None, ge=1)


class RefineAnswer(BaseModel):
    """The query as it reads after the clarification, and its passages."""

    query: str
    rewritten_query: str
    option: str | None = Field(description="The option that the answer picked; null if it picked none.")
    note: str = Field(description="What was made of the answer, where that is not plain.")
    hits: list[HitOut]
    timings: dict[str, float]
    request_id: str


class FeedbackRequest(Request):
    """What came of a question. Send what you show: the service keeps no answers, only what is reported here."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "request_id": "0123456789abcdef", "query": "mercury", "question": _QUESTION,
                    "option": "the planet Mercury", "helpful": True, "passages": _PASSAGES,
                }
            ]
        },
    )  # fmt: skip

    feedback_id: str | None = Field(
        None, pattern=r"^[A-Za-z0-9._-]{8,64}$", description="Your own id: sent twice, it is stored once."
    )
    request_id: str = Field("", max_length=64, description="That of the answer.")
    query: Text
    question: Text
    option: str | None = Field(None, min_length=1, description="The option that was chosen.")
    helpful: bool | None = Field(None, description="Whether the user found the question helpful.")
    answer: str = Field("", description="What the user said in other words.")
    comment: str = ""
    passages: list[PassageIn | str] = Field(default_factory=list, description="D; needed for preference pairs.")
    candidates: list[str] = Field(default_factory=list, max_length=64, description="As in the answer.")
    model: str = Field("", max_length=500)

    @model_validator(mode="after")
    def _says_something(self) -> FeedbackRequest:
        if self.option is None and self.helpful is None and not self.answer.strip():
            raise ValueError("say at least one of `option`, `helpful` and `answer`")
        if self.option is not None and self.option not in self.question:
            raise ValueError("`option` must be part of `question`, spelled as there")
        return self


class FeedbackAnswer(BaseModel):
    """The feedback is on disk."""

    feedback_id: str
    stored: bool = Field(description="false if the same feedback_id was stored before.")
    request_id: str


class Problem(BaseModel):
    """What is wrong, for programs (``code``) and people (``message``)."""

    code: str
    message: str
    request_id: str
    details: list[dict[str, Any]] = Field(default_factory=list)


class ErrorAnswer(BaseModel):
    """The body of every answer that is not 2xx."""

    error: Problem
