"""One measured step of a comparison, in a process of its own, so that its memory can be told: build, or search.

Called as ``python -m rac.retrieval.comparison_step SPEC RESULT`` with a JSON file that holds ``step``, ``settings``,
``index`` and ``corpus`` (build), or ``queries`` and ``depth`` (search).
"""

from __future__ import annotations

import logging
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from rac.errors import UserError
from rac.files import read_json, write_json
from rac.retrieval.settings import IndexSettings

_ALONE = 20


def peak_mb() -> float:
    """Return the largest resident memory of this process so far, in MB."""
    status = Path("/proc/self/status")
    if status.exists():
        # The resource counter would keep the peak of the process that started this one.
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1024


def build(spec: dict[str, Any]) -> dict[str, Any]:
    """Build an index; models are loaded before the clock starts."""
    from rac.corpus.jsonl import read_jsonl
    from rac.retrieval import build_index

    settings = IndexSettings.model_validate(spec["settings"])
    _load_models(settings)
    start, cpu = time.perf_counter(), time.process_time()
    index = build_index(read_jsonl(Path(spec["corpus"])), settings, spec["index"])
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    info = index.info()
    return {
        "build_s": seconds, "build_cpu_s": cpu, "build_peak_mb": peak_mb(), "bytes": info["bytes"],
        "entries": info["entries"], "passages": info["passages"],
    }  # fmt: skip


def search(spec: dict[str, Any]) -> dict[str, Any]:
    """Open an index and search for all queries; the first search, which loads models, is outside the clock."""
    from rac.retrieval import open_index

    settings = IndexSettings.model_validate(spec["settings"])
    queries, depth = spec["queries"], spec["depth"]
    start = time.perf_counter()
    index = open_index(spec["index"], settings)
    opened = time.perf_counter() - start
    index.search_batch(queries[:1], depth)
    start, cpu = time.perf_counter(), time.process_time()
    found = index.search_batch(queries, depth)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    alone = []
    for query in queries[:_ALONE]:
        start = time.perf_counter()
        index.search_batch([query], depth)
        alone.append(time.perf_counter() - start)
    return {
        "open_s": opened, "search_s": seconds, "queries_per_second": len(queries) / seconds,
        "cpu_ms_per_query": 1000 * cpu / len(queries), "one_query_ms": 1000 * statistics.median(alone),
        "search_peak_mb": peak_mb(),
        "rankings": [[hit.passage.id for hit in hits] for hits in found],
    }  # fmt: skip


def _load_models(settings: IndexSettings) -> None:
    from rac.retrieval import encoders

    if "dense" in settings.retrievers:
        encoders.bi_encoder(settings.model, settings.max_tokens)
    if "sparse" in settings.retrievers:
        encoders.sparse_encoder(settings.sparse_model, settings.max_tokens)


def main() -> None:
    """Run the step that the first argument describes and write its figures to the second."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    spec = read_json(sys.argv[1])
    try:
        write_json(sys.argv[2], {"build": build, "search": search}[spec["step"]](spec))
    except UserError as error:
        write_json(sys.argv[2], {"error": str(error)})


if __name__ == "__main__":
    main()
