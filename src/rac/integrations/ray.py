"""Predicting on Ray Data: the same code on several workers of one machine or of a cluster.

Every worker opens the same run once (it must be reachable under the same path there) and asks about batches. What a
worker that died had under way is given to another one; the driver writes each item down once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from rac.errors import UserError
from rac.predicting import BATCH, Asking, Outcome, Source, ask_in_batches
from rac.records import ClarificationExample, Prediction


class Worker:
    """One actor: opens the asker when it starts, turns a batch of examples into outcomes (rows of JSON texts)."""

    def __init__(self, source: Source, top_k: int | None) -> None:
        self.asker, self.top_k = source.open(), top_k

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Ask about one batch."""
        examples = [ClarificationExample.model_validate_json(str(text)) for text in batch["example"]]
        outcomes = list(ask_in_batches(self.asker, examples, self.top_k))
        return {
            "prediction": [o.prediction.model_dump_json() for o in outcomes],
            "again": [o.again for o in outcomes],
        }


def ask_on_ray(source: Source, *, workers: int, top_k: int | None = None, batch: int = BATCH) -> Asking:
    """Return what asks on Ray, for ``predict_file``.

    Args:
        source: What every worker opens.
        workers: How many at the same time; each takes one CPU.
        top_k: Passages to retrieve.
        batch: Examples per call of a worker, which is what is asked again if one dies.

    Raises:
        UserError: if Ray is not installed.
    """
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise UserError("working on Ray needs ray, which is not installed: pip install 'rac-clarify[ray]'") from error

    def asking(examples: Sequence[ClarificationExample]) -> Iterator[Outcome]:
        if not examples:
            return
        if not ray.is_initialized():
            # Nothing is reported to anyone; a cluster is used where its address is given.
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            local = {} if os.environ.get("RAY_ADDRESS") else {"num_cpus": max(workers, os.cpu_count() or 1)}
            ray.init(include_dashboard=False, log_to_driver=False, logging_level="WARNING", **local)
        ray.data.DataContext.get_current().enable_progress_bars = False
        rows = ray.data.from_items([{"example": e.model_dump_json()} for e in examples], override_num_blocks=max(
            1, -(-len(examples) // batch)
        ))  # fmt: skip
        outcomes = rows.map_batches(
            Worker, fn_constructor_args=(source, top_k), batch_size=batch, num_cpus=1,
            compute=ray.data.ActorPoolStrategy(size=workers),
        )  # fmt: skip
        for row in outcomes.iter_rows():
            yield Outcome(Prediction.model_validate_json(str(row["prediction"])), bool(row["again"]))

    return asking
