"""Predicting on Ray Data with two local workers, one of them killed: every item exactly once, as on one machine."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from rac.files import read_records, write_records
from rac.predicting import Outcome, Source, predict_file
from rac.records import ClarificationExample, Passage, Prediction

pytestmark = pytest.mark.extra
ray = pytest.importorskip("ray", reason="the extra ray is not installed")

import psutil  # noqa: E402

from rac.integrations.ray import ask_on_ray  # noqa: E402

COUNT = 120


@pytest.fixture
def cluster() -> Iterator[None]:
    # Ray's own default priority of workers lets them starve on a busy machine.
    os.environ.update({"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"})
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100_000_000)
    yield
    ray.shutdown()


def workers() -> list[int]:
    """Processes of the actors that ask."""
    own = psutil.Process()
    return [
        child.pid for child in own.children(recursive=True)
        if child.status() != psutil.STATUS_ZOMBIE and "MapWorker" in " ".join(child.cmdline() or [child.name()])
    ]  # fmt: skip


def test_two_workers_one_killed_every_item_once(cluster: None, tiny_model_dir: Path, tmp_path: Path) -> None:
    examples = tmp_path / "e.jsonl"
    passages = (Passage(id="p", title="Dune", text="A novel."), Passage(id="r", title="Dune", text="A film."))
    write_records(examples, [
        ClarificationExample(id=f"q{i}", query=f"dune {i}", passages=passages) for i in range(COUNT)
    ])  # fmt: skip
    source = Source(str(tiny_model_dir))
    on_ray = ask_on_ray(source, workers=2, batch=4)
    seen: list[str] = []
    killed: list[int] = []

    def asking(some: list[ClarificationExample]) -> Iterator[Outcome]:
        for outcome in on_ray(some):
            seen.append(outcome.prediction.id)
            if not killed:
                alive = workers()
                assert alive, "no worker was found to kill"
                os.kill(alive[0], signal.SIGKILL)
                killed.append(alive[0])
                assert len(seen) < COUNT
            yield outcome

    asker = source.open()
    done = predict_file(asker, examples, tmp_path / "ray.jsonl", asking=asking)
    assert done.written == COUNT and done.again == 0
    assert killed and sorted(seen) == sorted(f"q{i}" for i in range(COUNT)), "every item exactly once"
    predict_file(asker, examples, tmp_path / "local.jsonl")
    assert read_records(tmp_path / "ray.jsonl", Prediction) == read_records(tmp_path / "local.jsonl", Prediction)
