"""Entailment: P_ent(window, claim) for many pairs, each computed once.

Pairs are flattened, made unique, looked up in a disk cache, put into rows, sorted by length and run in batches of about
equal token count. The embedded model reads a premise once for all claims about it (``entailment_packing``). The models
are in ``entailment_models``, the premises in ``entailment_windows``; how to choose a model is in docs/entailment.md.

Example:
    >>> scorer = load_entailment()
    >>> scorer.entail_probs([("Luna (moon): Luna is grey.", "Luna is a moon.")])  # doctest: +SKIP
    array([0.97])
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from rac.errors import UserError
from rac.metrics.entailment_cache import EntailmentCache, cache_key
from rac.metrics.entailment_models import EMBEDDED_NAME, Floats, OnnxModel, PairModel, TorchModel
from rac.metrics.entailment_windows import split_sentences, windows
from rac.progress import Progress

__all__ = [
    "EntailmentScorer",
    "PairRecorder",
    "chosen_entailment",
    "load_entailment",
    "default_cache_path",
    "windows",
    "split_sentences",
]

log = logging.getLogger(__name__)

EMBEDDED_NOTE = (
    f"entailment by the small embedded model only ({EMBEDDED_NAME}); a larger NLI model (--nli MODEL) judges better"
)
"""What every output says where only the shipped model was used."""
MEMORY_PAIRS = 200_000
PREFETCH_PAIRS = 50_000
"""Pairs computed together: what was computed is in the cache on disk when the process is killed."""


def default_cache_path() -> Path:
    """Return where the disk cache lies unless told otherwise: the user's cache directory."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("rac")) / "entailment.sqlite"


def load_entailment(
    model: str = "embedded", *, labels: Sequence[str] | None = None, cache: Path | str | None = None,
    batch_tokens: int = 1024, threads: int = 0,
) -> EntailmentScorer:  # fmt: skip
    """Load an entailment scorer.

    Args:
        model: ``embedded`` (the shipped small model), or any NLI or factual-consistency cross-encoder by hub id or
            folder. Its label order is read from its config and verified with probe pairs.
        labels: Names of the model's outputs in order, where its config does not name them.
        cache: SQLite file of known probabilities (see ``default_cache_path``); None for no cache.
        batch_tokens: Tokens per batch, padding included.
        threads: Batches that the embedded model runs at the same time; 0 takes the processor's cores.

    Raises:
        UserError: if the model cannot be loaded, fails the probe pairs, or the cache cannot be used.
    """
    pair_model: PairModel = OnnxModel(threads=threads) if model == "embedded" else TorchModel(model, labels=labels)
    return EntailmentScorer(
        pair_model, cache=EntailmentCache(cache) if cache is not None else None, batch_tokens=batch_tokens
    )


def chosen_entailment(
    nli: str = "auto", *, cache: Path | str | None = None, threads: int = 0
) -> EntailmentScorer | None:
    """Return the entailment model that an option names, or None for words alone.

    Args:
        nli: ``auto`` (the embedded model; words alone, with a warning, where it cannot run), ``none``, ``embedded``, or
            a hub id or folder.
        cache: As for ``load_entailment``.
        threads: As for ``load_entailment``.

    Raises:
        UserError: as ``load_entailment``, unless ``nli`` is ``auto``.
    """
    if nli == "none":
        return None
    if nli != "auto":
        return load_entailment(nli, cache=cache, threads=threads)
    try:
        return load_entailment("embedded", cache=cache, threads=threads)
    except UserError as error:
        log.warning("support by words alone stands in: %s", error)
        return None


class PairRecorder:
    """Stands in for a scorer to learn which pairs it would be asked for; every probability is 0.

    Args:
        scorer: What it stands in for.
    """

    def __init__(self, scorer: EntailmentScorer) -> None:
        self.embedded = scorer.embedded
        self.pairs: list[tuple[str, str]] = []

    def entail_probs(self, pairs: Sequence[tuple[str, str]]) -> Floats:
        """Note the pairs."""
        self.pairs += pairs
        return np.zeros(len(pairs))

    addressed_probs = entail_probs


class EntailmentScorer:
    """Scores (premise, hypothesis) pairs in bulk.

    Args:
        model: Makes rows of pairs and runs batches of rows (``entailment_models``).
        cache: Known probabilities on disk, or None.
        batch_tokens: Tokens per batch, padding included.

    Attributes:
        name: The model's name, for signatures.
        revision: The model's revision: hub commit, or the first 12 hex digits of its weights' SHA-256.
        truncated: Texts that were longer than the model allows and lost their end, since this scorer was made.
        computed: Pairs that the model ran on; the rest of ``requested`` were duplicates, in memory or in the cache.
        requested: Pairs asked for.
    """

    def __init__(self, model: PairModel, *, cache: EntailmentCache | None = None, batch_tokens: int = 1024) -> None:
        if batch_tokens < 1:
            raise UserError(f"batch_tokens is {batch_tokens}, but a batch needs at least one token; give 256 or more")
        self._model, self._cache, self._batch_tokens = model, cache, batch_tokens
        self.name, self.revision = model.name, model.revision
        self.truncated = self.computed = self.requested = 0
        self._memory: dict[tuple[str, str], tuple[float, float]] = {}
        self._changing = threading.Lock()
        """Held while the memory and the counters change, never while the model runs."""

    @property
    def signature(self) -> str:
        """The part of a score's signature that names this model: ``nli:NAME@REVISION``."""
        return f"nli:{self.name}@{self.revision}"

    @property
    def embedded(self) -> bool:
        """Whether this is the small model that rac ships."""
        return self.name == EMBEDDED_NAME

    @property
    def note(self) -> str:
        """A sentence for outputs where only the embedded model was used, else empty."""
        return EMBEDDED_NOTE if self.embedded else ""

    @property
    def has_contradiction(self) -> bool:
        """Whether the model tells contradicted from unrelated pairs."""
        return self._model.has_contradiction

    def entail_probs(self, pairs: Sequence[tuple[str, str]]) -> Floats:
        """Return P_ent of each (premise, hypothesis) pair: shape (n,), 0..1, in the order given."""
        return self._probs(pairs)[:, 0]

    def addressed_probs(self, pairs: Sequence[tuple[str, str]]) -> Floats:
        """Return how far each premise speaks of its hypothesis, in either polarity: max(P_ent, P_contra), shape (n,).

        For models without a contradiction class this is P_ent.
        """
        return np.fmax.reduce(self._probs(pairs), axis=1)

    def prefetch(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Compute pairs that later calls will ask for.

        One call for all claims of all systems is cheaper than one call each: a model that reads a premise once for all
        claims about it can do so only for claims that it is given together. What is computed is kept in memory, the
        latest ``MEMORY_PAIRS`` pairs at least.
        """
        wanted = dict.fromkeys(pair for pair in pairs if pair not in self._memory)
        for start in range(0, len(wanted), PREFETCH_PAIRS):
            part = list(itertools.islice(wanted, start, start + PREFETCH_PAIRS))
            self._remember(part, self._known_or_computed(part))

    def _probs(self, pairs: Sequence[tuple[str, str]]) -> Floats:
        """Return (n, 2) of P_ent and P_contra: unique pairs, memory, cache, model, scatter."""
        with self._changing:
            self.requested += len(pairs)
        position: dict[tuple[str, str], int] = {}
        where = np.array([position.setdefault(pair, len(position)) for pair in pairs], dtype=np.intp)
        if not len(pairs):
            return np.empty((0, 2))
        unique = list(position)
        # One look decides for each pair: another thread may store it, or forget it, at any time.
        known = [self._memory.get(pair) for pair in unique]
        values = np.array([found or (np.nan, np.nan) for found in known])
        missing = [i for i, found in enumerate(known) if found is None]
        if missing:
            fresh = [unique[i] for i in missing]
            values[missing] = self._known_or_computed(fresh)
            self._remember(fresh, values[missing])
        return values[where]

    def _remember(self, pairs: list[tuple[str, str]], values: Floats) -> None:
        with self._changing:
            if len(self._memory) + len(pairs) > 2 * MEMORY_PAIRS:
                forgotten = max(0, len(self._memory) - MEMORY_PAIRS)
                self._memory = dict(itertools.islice(self._memory.items(), forgotten, None))
            self._memory.update(zip(pairs, map(tuple, values.tolist()), strict=True))

    def _known_or_computed(self, unique: list[tuple[str, str]]) -> Floats:
        """Return (n, 2) of different pairs: what the cache knows, and the rest in batches of like length."""
        values = np.full((len(unique), 2), np.nan)
        missing = list(range(len(unique)))
        keys: list[bytes] = []
        if self._cache is not None:
            keys = [cache_key(self.name, self.revision, *pair) for pair in unique]
            known = self._cache.get(keys)
            for i in missing:
                if keys[i] in known:
                    entail, contradict = known[keys[i]]
                    values[i] = entail, np.nan if contradict is None else contradict
            missing = [i for i in missing if keys[i] not in known]
        if missing:
            values[missing] = self._compute([unique[i] for i in missing])
            if self._cache is not None:
                self._cache.put(
                    (keys[i], float(values[i, 0]), None if np.isnan(values[i, 1]) else float(values[i, 1]))
                    for i in missing
                )
        return values

    def _compute(self, pairs: list[tuple[str, str]]) -> Floats:
        rows, cut = self._model.rows(pairs)
        if cut:
            with self._changing:
                self.truncated += cut
            log.warning("%d texts were longer than the entailment model allows and were cut", cut)
        values = np.empty((len(pairs), 2))
        with Progress("entailment", len(pairs), unit="pairs") as progress:
            batches = [
                [rows[r] for r in batch] for batch in token_batches([r.tokens for r in rows], self._batch_tokens)
            ]
            with ThreadPoolExecutor(max(1, self._model.parallel)) as pool:
                for batch, found in zip(batches, pool.map(self._model.run, batches), strict=True):
                    members = [i for row in batch for i in row.members]
                    values[members] = found
                    progress.advance(len(members))
        with self._changing:
            self.computed += len(pairs)
        return values


def token_batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Group items of like length so that rows x longest row stays within ``budget`` tokens (one row at least).

    Longest first: a batch that does not fit into memory then fails at once and not after an hour.
    """
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    batches: list[list[int]] = []
    for i in order:
        if batches and lengths[batches[-1][0]] * (len(batches[-1]) + 1) <= budget:
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches
