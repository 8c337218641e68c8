"""The identity of a training, so that only the same one is resumed or taken as finished."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from rac import __version__
from rac.files import read_json, sha256_json
from rac.training.packing import Tree
from rac.training.record import TrainingRecord
from rac.training.selection import Rule
from rac.training.settings import ROUNDS, Optimisation

RECORD = "training.json"
"""Name of the record in the output folder; it is written last, so a folder with it holds finished weights."""


def data_hash(trees: Sequence[Tree]) -> str:
    """Return a hash of everything in the trees."""
    digest = hashlib.sha256()
    for tree in trees:
        digest.update(json.dumps([tree.id, tree.prompt_ids, tree.branches, tree.branch_weights]).encode())
    return digest.hexdigest()


_NO_PART = {"checkpoint_seconds", "log_every", "report_to", "keep_memory", *ROUNDS}
"""Settings that cannot change what one training results in."""


def weights_hash(model: Any) -> str:
    """Return a hash of all weights' names, shapes and bytes."""
    digest = hashlib.sha256()
    for name, parameter in sorted(model.named_parameters()):
        digest.update(f"{name} {tuple(parameter.shape)} {parameter.dtype}".encode())
        digest.update(memoryview(parameter.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy()))
    return digest.hexdigest()


def fingerprint(
    model: Any, trees: Sequence[Tree], settings: Optimisation, seed: int, rule: Rule | None, validated_by: str = ""
) -> str:
    """Return the identity of a training: what it starts from, what it sees and how, and what the kept weights hang on.

    ``validated_by`` names what its validation asks and how that is judged; "" where nothing is asked. Settings that
    cannot change the result (how often to save and to log, where to report) are left out.
    """
    chosen = settings.model_dump(mode="json", exclude=_NO_PART)
    return sha256_json(
        {"stage": type(settings).__name__, "settings": chosen, "seed": seed, "data": data_hash(trees),
         "weights": weights_hash(model), "rule": repr(rule), "validated by": validated_by, "rac": __version__}
    )  # fmt: skip


def finished(output_dir: Path, identity: str) -> TrainingRecord | None:
    """Return the record of an output folder if exactly this training was finished there."""
    path = output_dir / RECORD
    if not path.is_file():
        return None
    record = TrainingRecord.from_dict(read_json(path))
    return record if record.fingerprint == identity else None
