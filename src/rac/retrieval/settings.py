"""The recipe section that describes an index: what is indexed, how, and how hits are combined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from rac.errors import UserError, did_you_mean

Language = Literal[
    "danish", "dutch", "english", "french", "german", "italian", "norwegian", "portuguese", "russian", "spanish",
    "swedish", "turkish", "none",
]  # fmt: skip
Part = Literal["bm25", "dense", "sparse"]

SEARCH_TIME = frozenset(
    {
        "fusion", "weights", "rrf_k", "fusion_depth", "reranker", "reranker_revision", "rerank_depth",
        "diversify", "diversify_depth", "mmr_lambda", "facet_similarity", "ef_search", "threads", "uri",
    }
)  # fmt: skip
"""Keys that may differ between building an index and searching it; all others are baked into its files."""


class IndexSettings(BaseModel):
    """How a corpus is indexed and searched."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    strategy: Literal["bm25", "dense", "sparse", "hybrid", "milvus"] = Field(
        "bm25",
        description="how passages are found: by words, by embeddings, by learned word weights, by several at once",
    )
    fields: Literal["text", "title+text", "facets", "facets+text", "queries", "queries+text"] = Field(
        "facets+text",
        description="what is indexed of a passage: its text; title, types, description and text; one entry per facet "
        "(name with short description or type), alone or beside the text; or one entry per query that the passage "
        "answers (meta key 'queries'), alone or beside the text",
    )
    language: Language = Field("english", description="language of stemmer and stop words; 'none' uses neither")
    stemming: bool = Field(True, description="reduce words to their stems ('paintings' finds 'painting')")
    stop_words: bool = Field(True, description="leave out the language's most frequent function words")
    fold_accents: bool = Field(True, description="treat letters with and without accents as equal")
    k1: float = Field(1.5, gt=0, description="BM25: how fast repeated terms stop counting")
    b: float = Field(0.75, ge=0, le=1, description="BM25: how much long passages are discounted")
    model: str = Field("embedded", min_length=1, description="dense: sentence-transformers model, path, or 'embedded'")
    sparse_model: str = Field(
        "naver/splade-v3", min_length=1, description="sparse: a sentence-transformers sparse encoder, id or path"
    )
    encode_batch: int = Field(64, ge=1, description="texts encoded at once by a dense or sparse model")
    max_tokens: int | None = Field(
        None, ge=8, description="tokens of an entry that a model sees; the model's own limit by default"
    )
    approximate: bool = Field(False, description="dense: search a proximity graph (HNSW) instead of every vector")
    hnsw_links: int = Field(16, ge=2, le=128, description="approximate: links per vector")
    ef_build: int = Field(128, ge=8, description="approximate: breadth of the search while building")
    build_threads: int = Field(
        1,
        ge=0,
        description="approximate: threads that build the graph; only 1 gives the same graph every time, 0 is all",
    )
    ef_search: int = Field(64, ge=1, description="approximate: breadth of the search; more is slower and finds more")
    parts: tuple[Part, ...] = Field(("bm25", "dense"), description="hybrid: the strategies that are combined")
    fusion: Literal["rrf", "weighted"] = Field(
        "rrf", description="hybrid: by reciprocal ranks, or by weighted scores (each scaled to 0..1 per query)"
    )
    weights: dict[Part, float] = Field(
        default_factory=dict, description="hybrid: weight of each part, for both fusions; 1 where none is given"
    )
    rrf_k: int = Field(
        60, ge=0, description="hybrid: constant of reciprocal-rank fusion, sum of weight / (rrf_k + rank)"
    )
    fusion_depth: int = Field(100, ge=1, description="hybrid: how many passages of each part are combined")
    reranker: str = Field("", description="cross-encoder that reorders the best passages, id or path; none by default")
    reranker_revision: str = Field("", description="revision of the cross-encoder on its hub")
    rerank_depth: int = Field(50, ge=1, description="how many passages the cross-encoder reads per query")
    diversify: Literal["none", "mmr", "facets"] = Field(
        "none", description="let passages differ: maximal marginal relevance, or one pick per cluster of like passages"
    )
    diversify_depth: int = Field(30, ge=1, description="how many of the best passages diversification chooses from")
    mmr_lambda: float = Field(0.7, ge=0, le=1, description="mmr: 1 looks at relevance only, 0 at difference only")
    facet_similarity: float = Field(
        0.5, ge=0, le=1, description="facets: passages at least this similar form one cluster"
    )
    threads: int = Field(0, ge=0, description="threads of a batched search; 0 uses every core")
    uri: str = Field("", description="milvus: a file ending in .db (milvus-lite), or http(s)://host:port of a server")
    collection: str = Field(
        "passages", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="milvus: name of the collection"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.parts or len(set(self.parts)) != len(self.parts):
            raise ValueError("parts must name each of bm25, dense, sparse at most once, and at least one")
        if any(weight < 0 for weight in self.weights.values()):
            raise ValueError("weights must not be negative")
        if self.strategy == "hybrid" and not any(self.weights.get(part, 1.0) > 0 for part in self.parts):
            raise ValueError("at least one part needs a weight above 0")
        return self

    @property
    def retrievers(self) -> tuple[Part, ...]:
        """The strategies that search: the parts of a hybrid index, else the strategy itself."""
        if self.strategy in ("hybrid", "milvus"):
            return self.parts
        return (self.strategy,)  # type: ignore[return-value]


def parse_settings(assignments: Sequence[str], base: IndexSettings | None = None) -> IndexSettings:
    """Return settings with ``key=value`` strings applied; values are read as YAML.

    Args:
        assignments: ``key=value``, also ``index.key=value`` as in a recipe.
        base: Settings to start from; the defaults if None.

    Raises:
        UserError: for an unknown key (with the nearest one), a value of the wrong type, or values that do not fit.
    """
    import yaml

    from rac.settings import parse_yaml

    values = base.model_dump() if base is not None else {}
    for assignment in assignments:
        key, equals, raw = assignment.partition("=")
        key = key.strip().removeprefix("index.")
        if not equals:
            raise UserError(f"--set {assignment} has no value; give KEY=VALUE, such as --set strategy=hybrid")
        if key not in IndexSettings.model_fields:
            raise UserError(f"--set {assignment}: '{key}' is no setting of an index; {_nearest(key)}")
        try:
            values[key] = parse_yaml(raw)
        except yaml.YAMLError as error:
            raise UserError(f"--set {assignment}: the value is not valid YAML; put it in quotes") from error
    return validate_settings(values, "the settings of the index")


def validate_settings(values: Mapping[str, Any], where: str) -> IndexSettings:
    """Return settings from plain values.

    Args:
        values: Key to value.
        where: What the values come from, for the message.

    Raises:
        UserError: as ``parse_settings``.
    """
    try:
        return IndexSettings.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        problem = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            raise UserError(f"{where}: '{key}' is no setting of an index; {_nearest(key)}") from error
        given = f" = {first['input']!r:.60}" if key else ""
        raise UserError(f"{where}: {key or 'the settings'}{given} cannot be used: {problem}") from error


def _nearest(key: str) -> str:
    return did_you_mean(key, IndexSettings.model_fields)
