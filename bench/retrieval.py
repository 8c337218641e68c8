"""How fast retrieval is, as ratios within one run, and what it costs at size.

    python bench/retrieval.py bm25                     build and search against bm25s, embedded Wikipedia and synthetic
    python bench/retrieval.py dense                    exact search against a matrix product and a partial sort
    python bench/retrieval.py approximate              HNSW: recall, speed and build time against exact search
    python bench/retrieval.py scale                    build, memory, disk, opening at 10 k, 100 k and 1 M passages
    python bench/retrieval.py milvus                   milvus-lite: load and search against the local index

Variants alternate in one process and medians of the ratios are printed; results are compared first, and if they
differ the status is 1. ``scale`` runs every step in a process of its own and reports its peak memory. ``--json FILE``
keeps the figures, ``--plot FILE`` draws cost against size as an SVG image.

Synthetic passages have 60 words drawn by Zipf's law from a vocabulary that grows with the corpus, so that its size is
realistic; their vectors are random unit vectors, since only storing and searching them is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from rac.arithmetic import usable_cores
from rac.records import Passage
from rac.retrieval import IndexSettings, build_index, open_index

WORDS = 60
QUERY_WORDS = 5
DIMENSIONS = 384


def synthetic(count: int, seed: int = 0) -> Iterator[Passage]:
    """Yield passages of 60 words by Zipf's law; every 20th word is drawn from a large tail."""
    rng = np.random.default_rng(seed)
    names = np.array([f"w{number}" for number in range(30_000)])
    weights = 1 / np.arange(10, 30_010) ** 1.05
    cumulative = np.cumsum(weights / weights.sum())
    for start in range(0, count, 1000):
        size = min(1000, count - start)
        drawn = names[np.minimum(np.searchsorted(cumulative, rng.random((size, WORDS - 3))), 29_999)]
        tail = rng.integers(0, 30_000 + 3 * count, (size, 3))
        for row in range(size):
            words = " ".join(drawn[row]) + " " + " ".join(f"t{number}" for number in tail[row].tolist())
            yield Passage(id=f"p{start + row}", title=" ".join(drawn[row, :3]), text=words)


def queries(count: int, seed: int = 1) -> list[str]:
    """Return queries of 5 words, neither the most frequent nor the rarest ones."""
    rng = np.random.default_rng(seed)
    return [" ".join(f"w{number}" for number in rng.integers(20, 3000, QUERY_WORDS)) for _ in range(count)]


def ratios(ours: Callable[[], Any], theirs: Callable[[], Any], repeats: int) -> dict[str, float]:
    """Alternate two functions; return medians of their seconds and of theirs / ours (above 1: ours is faster)."""
    own, other = [], []
    for _ in range(repeats):
        start = time.perf_counter()
        ours()
        middle = time.perf_counter()
        theirs()
        own.append(middle - start)
        other.append(time.perf_counter() - middle)
    speedups = [b / a for a, b in zip(own, other, strict=True)]
    return {
        "ours_s": statistics.median(own), "theirs_s": statistics.median(other), "speedup": statistics.median(speedups)
    }  # fmt: skip


def bench_bm25(arguments: argparse.Namespace) -> dict[str, Any]:
    """Compare build and search with bm25s, called as its README says."""
    from rac.corpus import read_corpus
    from rac.retrieval.entries import full_text

    wikipedia = list(read_corpus("wikipedia"))
    titles = [passage.title for passage in wikipedia[::20]]
    made = [full_text(passage) for passage in synthetic(arguments.passages)]
    return {
        "wikipedia": compare_bm25([full_text(p) for p in wikipedia], titles, arguments.repeats, arguments.threads),
        "synthetic": compare_bm25(made, queries(1000), arguments.repeats, arguments.threads),
    }


def compare_bm25(texts: list[str], asked: list[str], repeats: int, cores: int) -> dict[str, Any]:
    """Build twice and search twice; the searches get the same terms, so that their scores can be compared."""
    import bm25s
    import Stemmer

    from rac.retrieval.analyzer import Analyzer
    from rac.retrieval.bm25 import BM25Retriever, BM25Writer

    settings = IndexSettings()
    with tempfile.TemporaryDirectory() as folder:
        turn = iter(range(1000))

        def build() -> tuple[Path, dict[str, Any]]:
            path = Path(folder) / str(next(turn))
            writer = BM25Writer(path, settings)
            for start in range(0, len(texts), 2048):
                writer.add(texts[start : start + 2048])
            return path, writer.finish()

        def build_theirs() -> None:
            stemmer = Stemmer.Stemmer("english")
            tokens = bm25s.tokenize(texts, stopwords="en", stemmer=stemmer, show_progress=False)
            index = bm25s.BM25(method="lucene")
            index.index(tokens, show_progress=False)
            index.save(str(Path(folder) / f"b{next(turn)}"), show_progress=False)

        built = ratios(build, build_theirs, repeats)
        path, header = build()
        ours = BM25Retriever(path, settings, header, len(texts))
        analyzer = Analyzer(settings)
        theirs = bm25s.BM25(method="lucene")
        theirs.index([analyzer.terms(text) for text in texts], show_progress=False)
        pairs = [(query, [t for t in analyzer.terms(query) if t in theirs.vocab_dict]) for query in asked]
        asked = [query for query, terms in pairs if terms]
        terms = [terms for _, terms in pairs if terms]
        expected = theirs.retrieve(terms, k=10, show_progress=False).scores
        for (rows, scores), best in zip(ours.search(asked, 10), expected, strict=True):
            if not np.allclose(scores, best[: len(rows)], rtol=1e-4):
                sys.exit("FAILED: scores differ from bm25s")

        def search(threads: int) -> Callable[[], Any]:
            return lambda: ours.search(asked, 10, threads=threads)

        def search_theirs(threads: int) -> Callable[[], Any]:
            return lambda: theirs.retrieve(terms, k=10, show_progress=False, n_threads=threads)

        alone = ratios(search(1), search_theirs(0), repeats * 3)
        figures: dict[str, Any] = {
            "passages": len(texts), "queries": len(asked), "build": built, "search_1_thread": alone,
            "queries_per_second_1_thread": len(asked) / alone["ours_s"],
        }  # fmt: skip
        if cores > 1:
            figures[f"search_{cores}_threads"] = ratios(search(cores), search_theirs(cores), repeats * 3)
            figures[f"speedup_by_{cores}_threads"] = ratios(search(cores), search(1), repeats * 3)["speedup"]
        return figures


def unit_vectors(count: int, seed: int, path: Path | None = None) -> np.ndarray:
    """Return random unit vectors, in a file if a path is given."""
    from rac.retrieval.arrays import NpyWriter, open_array

    rng = np.random.default_rng(seed)
    if path is None:
        vectors = rng.standard_normal((count, DIMENSIONS), dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    with NpyWriter(path, "float32", DIMENSIONS) as writer:
        for start in range(0, count, 10_000):
            writer.append(unit_vectors(min(10_000, count - start), seed + start + 1))
    return open_array(path, "float32", 2)


def plain_search(matrix: np.ndarray, asked: np.ndarray, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """The yardstick: one matrix product, one partial sort per query, one sort of the best."""
    scores = asked @ matrix.T
    best = np.argpartition(-scores, depth, axis=1)[:, :depth]
    order = np.argsort(-np.take_along_axis(scores, best, 1), axis=1, kind="stable")
    best = np.take_along_axis(best, order, 1)
    return best, np.take_along_axis(scores, best, 1)


def bench_dense(arguments: argparse.Namespace) -> dict[str, Any]:
    """Compare exact search on a memory-mapped matrix with the yardstick on one in memory."""
    from rac.retrieval.dense import exact_search

    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for count in (10_000, arguments.passages):
            mapped = unit_vectors(count, 0, Path(folder) / f"{count}.npy")
            held = np.array(mapped)
            for batch in (1, 64):
                asked = unit_vectors(batch, 7)
                rows, scores = plain_search(held, asked, 10)
                for number, (found, own) in enumerate(exact_search(mapped, asked, 10)):
                    if not np.allclose(own, scores[number], atol=1e-5) or len(set(found) ^ set(rows[number])) > 2:
                        sys.exit("FAILED: exact search differs from the plain product")
                figures = ratios(
                    lambda mapped=mapped, asked=asked: exact_search(mapped, asked, 10),
                    lambda held=held, asked=asked: plain_search(held, asked, 10), arguments.repeats * 3,
                )  # fmt: skip
                start, cpu = time.perf_counter(), time.process_time()
                for _ in range(5):
                    exact_search(mapped, asked, 10)
                used = (time.process_time() - cpu) / (time.perf_counter() - start)
                results[f"{count} vectors, {batch} queries"] = {
                    **figures, "time_over_plain": 1 / figures["speedup"], "cores_used": used,
                    "queries_per_second": batch / figures["ours_s"],
                }  # fmt: skip
    return results


def bench_approximate(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure recall and speed against exact search, on clustered vectors (random ones have no neighbours)."""
    from rac.retrieval.approximate import Graph, build_graph
    from rac.retrieval.dense import exact_search

    rng = np.random.default_rng(0)
    centres = unit_vectors(max(10, arguments.passages // 50), 1)
    matrix = centres[rng.integers(0, len(centres), arguments.passages)] + 0.7 * unit_vectors(arguments.passages, 2)
    matrix = (matrix / np.linalg.norm(matrix, axis=1, keepdims=True)).astype(np.float32)
    asked = centres[rng.integers(0, len(centres), 200)] + 0.7 * unit_vectors(200, 3)
    asked = (asked / np.linalg.norm(asked, axis=1, keepdims=True)).astype(np.float32)
    results: dict[str, Any] = {"passages": arguments.passages}
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        settings = IndexSettings(strategy="dense", approximate=True)
        build_graph(Path(folder), matrix, settings)
        results["build_s"] = time.perf_counter() - start
        results["graph_bytes_per_vector"] = (Path(folder) / "graph.usearch").stat().st_size / len(matrix)
        exact = exact_search(matrix, asked, 10)
        for breadth in (32, 64, 128, 256):
            graph = Graph(Path(folder), settings.model_copy(update={"ef_search": breadth}))
            found = graph.search(asked, 10, matrix, 1)
            hits = sum(len(set(a[0]) & set(b[0])) for a, b in zip(exact, found, strict=True))
            speed = ratios(
                lambda graph=graph: graph.search(asked, 10, matrix, 1), lambda: exact_search(matrix, asked, 10), 3
            )
            alone = ratios(
                lambda graph=graph: [graph.search(asked[n : n + 1], 10, matrix, 1) for n in range(20)],
                lambda: [exact_search(matrix, asked[n : n + 1], 10) for n in range(20)], 3,
            )  # fmt: skip
            results[f"ef_search {breadth}"] = {
                "recall_at_10": hits / (10 * len(asked)), "speedup_batch": speed["speedup"],
                "speedup_one_query": alone["speedup"], "queries_per_second": len(asked) / speed["ours_s"],
            }  # fmt: skip
    return results


class RandomEncoder:
    """Random unit vectors in place of a model."""

    max_seq_length = 256

    def encode_document(self, texts: list[str], **_: Any) -> np.ndarray:
        return unit_vectors(len(texts), len(texts))

    encode_query = encode_document


def child(step: str, strategy: str, count: int, path: Path) -> dict[str, Any]:
    """Do one step and return its seconds and the peak memory of this process above that at its start."""
    import rac.retrieval.dense

    rac.retrieval.dense.bi_encoder = lambda *_: RandomEncoder()  # type: ignore[assignment]
    import scipy.sparse  # noqa: F401  (loaded before measuring)

    import rac.retrieval.build

    base, private_base, cpu = resident(), private(), time.process_time()
    start = time.perf_counter()
    figures: dict[str, Any] = {}
    if step == "generate":
        for _ in synthetic(count):
            pass
    elif step == "build":
        # One entry a passage, so that the figures are those of a passage.
        settings = IndexSettings.model_validate({"strategy": strategy, "fields": "title+text"})
        build_index(synthetic(count), settings, path)
    else:
        index = open_index(path)
        opened = {"open_s": time.perf_counter() - start, "open_cpu_s": time.process_time() - cpu}
        figures = {**opened, "open_mb": resident() - base}
        asked = queries(100)
        index.search_batch(asked[:1], 10)
        start = time.perf_counter()
        index.search_batch(asked, 10)
        figures["queries_per_second"] = len(asked) / (time.perf_counter() - start)
        start, alone = time.perf_counter(), time.process_time()
        for query in asked[:20]:
            index.search_batch([query], 10)
        figures["one_query_ms"] = (time.perf_counter() - start) / 20 * 1000
        figures["one_query_cpu_ms"] = (time.process_time() - alone) / 20 * 1000
        info = index.info()
        figures["bytes_per_passage"] = {part: size / count for part, size in info["bytes_by_part"].items()}
    elapsed = time.perf_counter() - start
    from rac.retrieval.comparison_step import peak_mb

    peak = peak_mb()
    return {
        "seconds": elapsed,
        "cpu_s": time.process_time() - cpu,
        "peak_mb_above_start": peak - base,
        "private_mb": private() - private_base,
        **figures,
    }


def resident() -> float:
    """Return the resident memory of this process in MB, mapped files included."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def private() -> float:
    """Return the resident memory without mapped files, in MB."""
    fields = Path("/proc/self/statm").read_text().split()
    return (int(fields[1]) - int(fields[2])) * os.sysconf("SC_PAGE_SIZE") / 2**20


def bench_scale(arguments: argparse.Namespace) -> dict[str, Any]:
    """Build, open and search indexes of growing size, every step in a process of its own."""
    results: dict[str, Any] = {}
    if arguments.folder:
        arguments.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for strategy in arguments.strategies.split(","):
            for count in map(int, arguments.sizes.split(",")):
                path = Path(folder) / f"{strategy}-{count}"
                figures = {}
                for step in ("generate", "build", "search"):
                    command = [sys.executable, __file__, "child", step, strategy, str(count), str(path)]
                    done = subprocess.run(command, capture_output=True, text=True, check=True)
                    figures[step] = json.loads(done.stdout.splitlines()[-1])
                results[f"{strategy} {count}"] = {
                    "strategy": strategy, "passages": count,
                    "build_s": figures["build"]["seconds"] - figures["generate"]["seconds"],
                    "build_cpu_s": figures["build"]["cpu_s"] - figures["generate"]["cpu_s"],
                    "build_peak_mb": figures["build"]["peak_mb_above_start"],
                    "generate_peak_mb": figures["generate"]["peak_mb_above_start"],
                    **{k: v for k, v in figures["search"].items() if k != "seconds"},
                }  # fmt: skip
                print(json.dumps(results[f"{strategy} {count}"]), file=sys.stderr, flush=True)
                subprocess.run(["rm", "-rf", str(path)], check=True)
    return results


def bench_milvus(arguments: argparse.Namespace) -> dict[str, Any]:
    """Load the embedded Wikipedia into milvus-lite, add, search and delete, beside the local index; random vectors."""
    import rac.retrieval.dense
    import rac.retrieval.encoders
    from rac.corpus import read_corpus

    rac.retrieval.encoders.bi_encoder = rac.retrieval.dense.bi_encoder = lambda *_: RandomEncoder()  # type: ignore[assignment]
    passages = list(read_corpus("wikipedia"))[: arguments.passages]
    kept, new = passages[:-50], passages[-50:]
    asked = [p.title for p in passages[:: max(1, len(passages) // 100)]]
    results: dict[str, Any] = {"passages": len(passages)}
    rankings: dict[str, list[set[str]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, settings in (
            ("local bm25", IndexSettings()),
            ("local hybrid", IndexSettings(strategy="hybrid")),
            ("milvus-lite bm25", IndexSettings(strategy="milvus", parts=("bm25",))),
            ("milvus-lite hybrid", IndexSettings(strategy="milvus")),
        ):
            start = time.perf_counter()
            index = build_index(kept, settings, Path(folder) / name)
            built = time.perf_counter()
            index.add(new)
            added = time.perf_counter()
            index.search_batch(asked[:1], 10)
            searching = time.perf_counter()
            found = index.search_batch(asked, 10)
            searched = time.perf_counter()
            rankings[name] = [{hit.passage.id for hit in hits} for hits in found]
            results[name] = {
                "build_s": built - start, "add_50_s": added - built,
                "queries_per_second": len(asked) / (searched - searching),
                "bytes_per_passage": (index.info()["bytes"] or 0) / len(passages),
            }  # fmt: skip
            deleting = time.perf_counter()
            index.delete([passage.id for passage in new])
            results[name]["delete_50_s"] = time.perf_counter() - deleting
    pairs = list(zip(rankings["local bm25"], rankings["milvus-lite bm25"], strict=True))
    results["bm25: share of the top 10 that both find"] = sum(len(a & b) for a, b in pairs) / sum(
        len(a) for a, _ in pairs
    )
    return results


def draw(results: dict[str, Any], path: Path) -> None:
    """Draw time, memory and disk against the number of passages, on logarithmic axes."""
    from rac.report.curves import chart, panels

    series: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for row in results.values():
        points = {
            "CPU time of building, s": row["build_cpu_s"], "peak memory of building, MB": row["build_peak_mb"],
            "size on disk, MB": sum(row["bytes_per_passage"].values()) * row["passages"] / 1e6,
            "CPU time of one query, ms": row["one_query_cpu_ms"],
        }  # fmt: skip
        for title, value in points.items():
            series.setdefault(title, {}).setdefault(row["strategy"], []).append((row["passages"], max(value, 1e-3)))
    charts = [chart(title, rows, "passages") for title, rows in series.items()]
    path.write_text(panels(charts), encoding="utf-8")


BENCHES: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "bm25": bench_bm25, "dense": bench_dense, "approximate": bench_approximate, "scale": bench_scale,
    "milvus": bench_milvus,
}  # fmt: skip


def main() -> None:
    """Run one part and print its figures."""
    if sys.argv[1:2] == ["child"]:
        step, strategy, count, path = sys.argv[2:]
        print(json.dumps(child(step, strategy, int(count), Path(path))))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=BENCHES)
    parser.add_argument("--passages", type=int, default=50_000, help="synthetic passages or vectors")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=usable_cores(), help="threads of batched searches")
    parser.add_argument("--sizes", default="10000,100000,1000000", help="scale: numbers of passages")
    parser.add_argument("--strategies", default="bm25,dense", help="scale: strategies")
    parser.add_argument("--folder", type=Path, default=None, help="scale: where the indexes go (4 GB for a million)")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    results = {
        "part": arguments.part, "cores": usable_cores(), "threads": arguments.threads, "machine": platform.machine(),
        "python": platform.python_version(), "numpy": np.__version__, "figures": BENCHES[arguments.part](arguments),
    }  # fmt: skip
    print(json.dumps(results, indent=2))
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    if arguments.plot:
        draw(results["figures"], arguments.plot)


if __name__ == "__main__":
    main()
