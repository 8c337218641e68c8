"""The models behind the entailment scorer: the shipped ONNX one and any cross-encoder of the Hugging Face kind.

A model turns (premise, hypothesis) pairs into token ids and a batch of token ids into P_ent and P_contra. Which output
is which is read from the model's own label names and then verified with probe pairs: a wrong label order would turn
every score of a table upside down without any other sign.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rac.arithmetic import usable_cores
from rac.errors import UserError
from rac.files import read_json, sha256_file, sha256_json
from rac.metrics.entailment_packing import Row, pair_rows, row_arrays

log = logging.getLogger(__name__)
Floats = npt.NDArray[np.float64]

EMBEDDED_DIR = Path(__file__).parent / "entailment_data"
EMBEDDED_NAME = "rac-entailment-small"

PROBES: tuple[tuple[str, str, str], ...] = (
    ("entail", "A man is playing a guitar on the stage.", "A man is playing an instrument."),
    ("entail", "Anna Berg (author): Anna Berg was born in Oslo in 1950.", "Anna Berg was born in Oslo."),
    ("entail", "The bridge (bridge): The bridge was opened in 1932 in Sydney.", "The bridge is in Sydney."),
    ("entail", "Two dogs are running through a field.", "Two dogs are running."),
    ("contradict", "Anna Berg (author): Anna Berg was born in Oslo in 1950.", "Anna Berg was born in Madrid."),
    ("contradict", "The bridge (bridge): The bridge was opened in 1932 in Sydney.", "The bridge was opened in 1871."),
    ("neutral", "Two dogs are running through a field.", "A woman is cooking soup in a kitchen."),
    ("neutral", "A man is playing a guitar on the stage.", "The president signed the new trade law."),
)
"""Pairs that any NLI or factual-consistency model must get in the right order: (relation, premise, hypothesis)."""


class ModelRow(Protocol):
    """One row of a batch: its length and which pairs it answers."""

    members: list[int]

    @property
    def tokens(self) -> int:
        """Length of the row in tokens."""
        ...


class PairModel(Protocol):
    """What the scorer needs of a model."""

    name: str
    revision: str
    has_contradiction: bool
    parallel: int
    """How many batches may run at the same time, in threads."""

    def rows(self, pairs: Sequence[tuple[str, str]]) -> tuple[list[Any], int]:
        """Return rows (``ModelRow``) that hold each pair exactly once, and how many texts had to be cut."""
        ...

    def run(self, rows: Sequence[Any]) -> Floats:
        """Return (n, 2): P_ent and P_contra (NaN where there is no such class) of the rows' members, in order."""
        ...


class OnnxModel:
    """The small two-class cross-encoder that rac trains (``entailment_training``), run by onnxruntime.

    It reads a premise once for all claims about it; a claim's score does not depend on its neighbours.

    Args:
        folder: Holds ``model.onnx``, ``tokenizer.json`` and ``config.json``.
        threads: Batches that run at the same time, each on one thread; 0 takes the processor's cores.

    Raises:
        UserError: if onnxruntime is not installed or a file is missing.
    """

    has_contradiction = False

    def __init__(self, folder: Path = EMBEDDED_DIR, *, threads: int = 0) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise UserError(
                "the embedded entailment model needs onnxruntime, which is not installed; run: pip install onnxruntime"
            ) from error
        from tokenizers import Tokenizer

        for needed in ("model.onnx", "tokenizer.json", "config.json"):
            if not (folder / needed).is_file():
                raise UserError(
                    f"{folder} has no {needed}, so it is no entailment model of rac; reinstall rac, or make the model "
                    "again with: rac train-entailment"
                )
        config = read_json(folder / "config.json")
        self.name = str(config["name"])
        # The calibration changes scores as the weights do, so it belongs to the revision.
        identity = [sha256_file(folder / "model.onnx"), config["scale"], config["offset"], config["premise_tokens"]]
        self.revision = sha256_json(identity)[:12]
        self._scale, self._offset = float(config["scale"]), float(config["offset"])
        self._premise_tokens, self._claim_tokens = int(config["premise_tokens"]), int(config["claim_tokens"])
        self._row_tokens = int(config["row_tokens"])
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        options = onnxruntime.SessionOptions()
        # Matrices are small: whole batches side by side keep cores busier than threads inside one.
        options.intra_op_num_threads = 1
        self.parallel = threads or usable_cores()
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def rows(self, pairs: Sequence[tuple[str, str]]) -> tuple[list[Row], int]:
        """See ``PairModel``: one row per premise with all claims about it."""
        return pair_rows(self._tokenizer, pairs, self._premise_tokens, self._claim_tokens, self._row_tokens)

    def run(self, rows: Sequence[Row]) -> Floats:
        """See ``PairModel``."""
        (logits,) = self._session.run(None, row_arrays(rows))
        margin = logits[:, 1].astype(np.float64) - logits[:, 0]
        entail = 1.0 / (1.0 + np.exp(-(self._scale * margin + self._offset)))
        return np.stack([entail, np.full_like(entail, np.nan)], axis=1)


@dataclass
class _PairRow:
    encoding: dict[str, list[int]]
    members: list[int]

    @property
    def tokens(self) -> int:
        return len(self.encoding["input_ids"])


class TorchModel:
    """Any sequence-pair classifier that ``transformers`` loads, by hub id or folder.

    Args:
        source: Hub id ("cross-encoder/nli-deberta-v3-small") or local folder with safetensors weights.
        labels: Names of the outputs in order, where the model's config does not name them.
        max_tokens: Longest input; the model's own limit if smaller. The longer part, mostly the premise, is cut.

    Raises:
        UserError: if it cannot be loaded, has no class that reads as entailment, or fails the probe pairs.
    """

    def __init__(self, source: str, *, labels: Sequence[str] | None = None, max_tokens: int = 512) -> None:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        try:
            self._tokenizer = AutoTokenizer.from_pretrained(source)
            self._model = AutoModelForSequenceClassification.from_pretrained(
                source, dtype=torch.float32, use_safetensors=True
            )
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise UserError(
                f"the entailment model '{source}' cannot be loaded ({str(error).splitlines()[0]}); give the hub id or "
                "the folder of a sequence-pair classifier with safetensors weights, or 'embedded'"
            ) from error
        self._model.eval()
        config = self._model.config
        self.name = source if not Path(source).is_dir() else Path(source).resolve().name
        self.revision = _torch_revision(source, config)
        limits = [max_tokens, getattr(self._tokenizer, "model_max_length", max_tokens)]
        position_limit = getattr(config, "max_position_embeddings", None)
        if position_limit:
            # RoBERTa counts positions from pad_token_id + 1, so two of them are not for tokens.
            limits.append(position_limit - 2 if "roberta" in str(config.model_type) else position_limit)
        self._max_tokens = int(min(limits))
        count = int(config.num_labels)
        names = list(labels) if labels else [str(config.id2label.get(i, f"LABEL_{i}")) for i in range(count)]
        if len(names) != count:
            raise UserError(
                f"{len(names)} label names were given for '{source}', which has {count} outputs; give one name each"
            )
        self._entail, self._contradict = _label_order(names)
        self._single = count == 1
        if self._entail is None:
            self._entail, self._contradict = self._order_from_probes(source, names)
        self.has_contradiction = self._contradict is not None
        self.parallel = 1
        self._verify(source, names)

    def rows(self, pairs: Sequence[tuple[str, str]]) -> tuple[list[_PairRow], int]:
        """See ``PairModel``: one row per pair."""
        firsts, seconds = [p for p, _ in pairs], [h for _, h in pairs]
        full = self._tokenizer(firsts, seconds, truncation=False, verbose=False)["input_ids"]
        # "longest_first" takes from the premise while it is the longer part, and copes with an endless claim.
        kept = self._tokenizer(firsts, seconds, truncation="longest_first", max_length=self._max_tokens)
        keys = [k for k in ("input_ids", "token_type_ids", "attention_mask") if k in kept]
        rows = [_PairRow({k: kept[k][i] for k in keys}, [i]) for i in range(len(pairs))]
        return rows, sum(len(ids) > self._max_tokens for ids in full)

    def run(self, rows: Sequence[_PairRow]) -> Floats:
        """See ``PairModel``."""
        probs = self._outputs(rows)
        entail = probs[:, self._entail]
        if self._contradict is None:
            return np.stack([entail, np.full_like(entail, np.nan)], axis=1)
        return np.stack([entail, probs[:, self._contradict]], axis=1)

    def _outputs(self, rows: Sequence[_PairRow]) -> Floats:
        import torch

        batch = self._tokenizer.pad([row.encoding for row in rows], return_tensors="pt")
        with torch.inference_mode():
            logits = self._model(**batch).logits.double()
            probs = torch.sigmoid(logits) if self._single else torch.softmax(logits, dim=-1)
        array: Floats = probs.numpy()
        return array

    def _probe_outputs(self) -> Floats:
        rows, _ = self.rows([(premise, hypothesis) for _, premise, hypothesis in PROBES])
        return self._outputs(rows)

    def _order_from_probes(self, source: str, names: list[str]) -> tuple[int, int | None]:
        """Find the entailment output of a model whose labels have no names: the one that all probes point to."""
        outputs = self._probe_outputs()
        entailed = np.array([relation == "entail" for relation, _, _ in PROBES])
        gaps = outputs[entailed].mean(axis=0) - outputs[~entailed].mean(axis=0)
        best = int(np.argmax(gaps))
        log.info("%s does not name its outputs (%s); by the probe pairs, output %d is entailment", source, names, best)
        contradict = None
        if outputs.shape[1] == 3:
            relation = np.array([r for r, _, _ in PROBES])
            gap = outputs[relation == "contradict"].mean(axis=0) - outputs[relation != "contradict"].mean(axis=0)
            gap[best] = -np.inf
            contradict = int(np.argmax(gap))
        return best, contradict

    def _verify(self, source: str, names: list[str]) -> None:
        outputs = self._probe_outputs()
        relation = np.array([r for r, _, _ in PROBES])
        entail = outputs[:, self._entail]
        problem = probe_problem(entail, relation)
        if problem is None and self._contradict is not None:
            against = outputs[:, self._contradict]
            if against[relation == "contradict"].mean() <= against[relation == "entail"].mean():
                problem = "its contradiction output is higher for entailed pairs than for contradicted ones"
        if problem:
            raise UserError(
                f"'{source}' (outputs: {', '.join(names)}) fails the probe pairs: {problem}; it is no entailment model "
                "or its labels are in another order: name them in order with the labels option, or use another model"
            )


def probe_problem(entail: Floats, relation: npt.NDArray[np.str_]) -> str | None:
    """Say what is wrong with P_ent of the probe pairs, or None: entailed ones must clearly lie above the others."""
    positive, negative = entail[relation == "entail"], entail[relation != "entail"]
    ordered = float((positive[:, None] > negative[None, :]).mean())
    if ordered < 0.8:
        return f"only {ordered:.0%} of entailed pairs score above pairs that are not entailed"
    if positive.mean() - negative.mean() < 0.2:
        return f"entailed pairs score {positive.mean():.2f} on average, others {negative.mean():.2f}"
    return None


def _label_order(names: Sequence[str]) -> tuple[int | None, int | None]:
    """Return (index of entailment, index of contradiction or None); (None, None) where no name says it."""
    if len(names) == 1:
        return 0, None
    entail = contradict = None
    for i, raw in enumerate(names):
        name = raw.lower().replace("-", "_").replace(" ", "_")
        negated = name.startswith(("not", "non", "un", "in", "hallucin"))
        if not negated and any(part in name for part in ("entail", "support", "consistent", "factual", "aligned")):
            entail = i
        elif any(part in name for part in ("contradict", "refute")):
            contradict = i
    return entail, contradict


def _torch_revision(source: str, config: Any) -> str:
    commit = getattr(config, "_commit_hash", None)
    if commit:
        return str(commit)[:12]
    folder = Path(source)
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise UserError(f"{source} has no safetensors weights, so the model has no revision; convert its weights")
    return sha256_file(weights[0])[:12]


def embedded_card() -> dict[str, Any]:
    """Return ``config.json`` of the shipped model: name, calibration, and the figures measured when it was made."""
    card: dict[str, Any] = json.loads((EMBEDDED_DIR / "config.json").read_text(encoding="utf-8"))
    return card
