"""How long 10,000 examples from the embedded corpus take, with the check and one known fault each, and how much memory.

    python bench/bootstrap.py                          10,000 examples, under a minute
    python bench/bootstrap.py --examples 500 --json FILE

Reading and indexing the corpus is counted. The status is 1 if fewer examples were made than wanted, or if it took
longer than ``--limit`` seconds (300).
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rac.corpus import read_corpus
from rac.corpus.bootstrap import Bootstrap, bootstrap
from rac.metrics.selection import SelectionScorer
from rac.retrieval import IndexSettings, build_index


def measure(examples: int, seed: int) -> dict[str, Any]:
    """Make the examples once; return counts, wall and CPU seconds, and the peak of memory in MB."""
    wall, cpu = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        index = build_index(read_corpus("wikipedia"), IndexSettings(), Path(folder) / "index")
        settings = Bootstrap(examples=examples, faults_per_example=1)
        result = bootstrap(
            read_corpus("wikipedia"), index, settings, seed, check=SelectionScorer(min_options=2).problem
        )
    return {
        "examples": len(result.examples),
        "questions": result.counts["gold questions"],
        "pairs": len(result.pairs),
        "wall seconds": round(time.perf_counter() - wall, 1),
        "cpu seconds": round(time.process_time() - cpu, 1),
        "peak MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "leakage": {name: round(share, 3) for name, share in result.leakage.items()},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--examples", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--limit", type=float, default=300.0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    figures = measure(arguments.examples, arguments.seed)
    for name, value in figures.items():
        print(f"{name:>14}  {value}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    return int(figures["examples"] < arguments.examples or figures["wall seconds"] > arguments.limit)


if __name__ == "__main__":
    sys.exit(main())
