"""What ``/metrics`` tells Prometheus."""

from __future__ import annotations

import os
from typing import Any

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0)
_SHARES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99, 1.0)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """The service's counters and histograms; with several workers they are summed over all of them."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self._several = bool(os.environ.get("PROMETHEUS_MULTIPROC_DIR"))
        self._registry = registry = CollectorRegistry()
        one: dict[str, Any] = {"registry": registry}
        self.requests = Histogram(
            "rac_request_seconds", "Time from request to answer.", ["endpoint", "status"], buckets=_SECONDS, **one
        )
        self.stages = Histogram("rac_stage_seconds", "Time of a stage.", ["stage"], buckets=_SECONDS, **one)
        self.batches = Histogram("rac_batch_rows", "Questions that grew in one batch.", buckets=_ROWS, **one)
        self.faithfulness = Histogram(
            "rac_faithfulness", "Mean support of the options, by the scorer named and what came of the question.",
            ["scorer", "outcome"], buckets=_SHARES, **one,
        )  # fmt: skip
        self.answers = Counter("rac_answers", "Queries by outcome.", ["outcome"], **one)
        self.refused = Counter("rac_refused_requests", "Requests that were turned away, by reason.", ["code"], **one)
        self.feedback = Counter("rac_feedback", "Feedback by what became of it.", ["outcome"], **one)
        self.cancelled = Counter("rac_cancelled", "Queries whose generation was stopped, by reason.", ["reason"], **one)
        self.queue = Gauge(
            "rac_queue_length", "Queries waiting or under way.", multiprocess_mode="livesum", **one
        )  # fmt: skip
        self.ready = Gauge(
            "rac_ready_workers", "Workers that can answer.", multiprocess_mode="livesum", **one
        )  # fmt: skip

    def page(self) -> tuple[bytes, str]:
        """Return the page and its content type."""
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        registry = self._registry
        if self._several:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry), CONTENT_TYPE_LATEST
