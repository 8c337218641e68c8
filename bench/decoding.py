"""How fast engines decode one clarifying question on the CPU, and whether they ask what float32 asks.

    python bench/decoding.py --run runs/claqua --work decoding            200 validation queries, every engine
    python bench/decoding.py --run runs/claqua --work decoding --engines generate,rac,ctranslate2 --queries 40
    python bench/decoding.py --run runs/claqua --work decoding --engines "" only the table of what is there
    python bench/decoding.py --run runs/claqua --work saved --saved     texts against the run's own predictions

One question at a time, greedy, same prompt tokens for all, each engine in a process of its own. Engines take turns on
blocks of queries, so that a busy moment of the machine hits all; ratios are medians over blocks. An engine whose text
differs so often that it cannot reach 95 % any more is stopped early, and the table says after how many. An interrupted
run goes on where it was. ``--saved`` takes queries, D and the float32 texts from what the run's model asked held-out
queries, so that no engine has to compute the reference again. The headline is that of ``rac evaluate`` (words alone, no
entailment model), its difference to the reference paired by query with a 95 % bootstrap interval.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from decoding_engines import ENGINES, Setup
from rac.files import read_json, read_records, write_json
from rac.records import ClarificationExample, Passage, Prediction

EQUAL_ENOUGH = 0.95
SAVED = "predictions/retrieved/rac.jsonl"
"""What the model ``rac`` of a run asked, in float32."""
Query = dict[str, Any]


def make_queries(run: Path, model: Path, count: int, work: Path, *, saved: bool = False) -> list[Query]:
    """Write down the queries with their D and prompt tokens, once, so that every engine gets the same."""
    path = work / f"queries-{count}.json"
    if not path.exists():
        from rac.models import load_tokenizer
        from rac.pipeline.run_directory import RunDirectory
        from rac.prompting import build_prompt
        from rac.retrieval import open_index

        recipe = RunDirectory(run).recipe
        tokenizer = load_tokenizer(model)
        part = "evaluation" if saved else "validation"
        examples = read_records(run / "examples" / f"{part}.jsonl", ClarificationExample)
        if saved:
            asked = {p.id: p for p in read_records(run / SAVED, Prediction)}
            examples = [e for e in examples if e.id in asked][:count]
            passages_of = [list(asked[e.id].passages or ()) for e in examples]
            texts = [{"id": e.id, "text": asked[e.id].question} for e in examples]
            write_json(work / f"saved-{count}.json", texts)
        else:
            examples = examples[:count]
            hits = open_index(run / "index").search_batch([e.query for e in examples], recipe.prompt.top_k)
            passages_of = [[hit.passage for hit in found] for found in hits]
        rows = []
        for example, passages in zip(examples, passages_of, strict=True):
            ids = list(build_prompt(tokenizer, example.query, passages, recipe.prompt).ids)
            rows.append({"id": example.id, "query": example.query, "ids": ids,
                         "passages": [p.to_dict() for p in passages]})  # fmt: skip
        write_json(path, rows)
    return list(read_json(path))


def run_block(engine: str, queries: Sequence[Query], setup: Setup) -> list[dict[str, Any]]:
    """Load an engine and answer; the first query is answered once more before the clock runs."""
    answer = ENGINES[engine](setup)
    answer(queries[0]["ids"])
    rows = []
    for query in queries:
        started, used = time.perf_counter(), time.process_time()
        tokens = answer(query["ids"])
        seconds, cpu = time.perf_counter() - started, time.process_time() - used
        text = setup.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False).strip()
        rows.append({"id": query["id"], "seconds": seconds, "cpu": cpu, "tokens": len(tokens), "text": text})
    return rows


def results_of(work: Path, engine: str, threads: int) -> list[dict[str, Any]]:
    path = work / f"{engine}-{threads}.json"
    return list(read_json(path)) if path.exists() else []


def reference_of(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return what float32 asks: the run's own predictions if they are there, else what the first engine asked."""
    path = options.work / f"saved-{options.queries}.json"
    return list(read_json(path)) if path.exists() else results_of(options.work, next(iter(ENGINES)), options.threads)


def hopeless(rows: Sequence[dict[str, Any]], reference: Sequence[dict[str, Any]], total: int) -> bool:
    """Whether so many texts differ that 95 % of ``total`` cannot be equal any more."""
    texts = {r["id"]: r["text"] for r in reference}
    different = sum(r["text"] != texts[r["id"]] for r in rows if r["id"] in texts)
    return different > (1 - EQUAL_ENOUGH) * total


def measure(options: argparse.Namespace, engines: Sequence[str], queries: list[Query]) -> None:
    """Let the engines take turns on blocks of queries."""
    reference = next(iter(ENGINES))
    deadline = time.monotonic() + 60 * options.minutes
    for first in range(0, len(queries), options.block):
        for engine in engines:
            done = results_of(options.work, engine, options.threads)
            asked = reference_of(options)
            if len(done) > first or (engine != reference and hopeless(done, asked, len(queries))):
                continue
            if time.monotonic() > deadline:
                print("  the time is up; the same command goes on from here", flush=True)
                return
            command = [sys.executable, __file__, "--worker", engine, "--first", str(first), "--model",
                       str(options.model), "--work", str(options.work), "--queries", str(options.queries), "--block",
                       str(options.block), "--threads", str(options.threads), "--max-new-tokens",
                       str(options.max_new_tokens)]  # fmt: skip
            if options.run:
                command += ["--run", str(options.run)]
            if options.saved:
                command.append("--saved")
            process = subprocess.run(command, capture_output=True, text=True)
            if process.returncode:
                print(f"  {engine:18} failed: {process.stderr.strip().splitlines()[-1][:200]}", flush=True)
                continue
            rows = results_of(options.work, engine, options.threads)[first:]
            middle = statistics.median(r["seconds"] for r in rows)
            print(f"  {engine:18} queries {first} to {first + len(rows)}: {middle:.2f} s each", flush=True)


def headlines(rows: Sequence[dict[str, Any]], queries: Sequence[Query]) -> dict[str, float]:
    """Return the headline of each question by query id."""
    from rac.metrics.suite import MetricSettings, evaluate

    by_id = {q["id"]: q for q in queries}
    examples = [ClarificationExample(id=r["id"], query=by_id[r["id"]]["query"]) for r in rows]
    passages = {r["id"]: [Passage(**p) for p in by_id[r["id"]]["passages"]] for r in rows}
    settings = MetricSettings(references=(), parent=False)
    result = evaluate([Prediction(id=r["id"], question=r["text"]) for r in rows], examples, passages, settings)
    return {item["id"]: float(item["headline"] or 0.0) for item in result.per_item}


def compare(options: argparse.Namespace, queries: list[Query]) -> list[dict[str, Any]]:
    """Return one row of the table for each engine that has results."""
    from scipy.stats import binomtest

    from rac.metrics.significance import bootstrap_ci

    reference = reference_of(options)
    if not reference:
        return []
    base = results_of(options.work, "rac", options.threads)
    texts, expected = {r["id"]: r["text"] for r in reference}, headlines(reference, queries)
    table = []
    for engine in ENGINES:
        rows = results_of(options.work, engine, options.threads)
        if not rows or len(rows) > len(reference):
            continue
        equal = sum(r["text"] == texts[r["id"]] for r in rows)
        values = headlines(rows, queries)
        differences = [values[r["id"]] - expected[r["id"]] for r in rows]
        interval = bootstrap_ci(differences, None, seed=0)
        bounds = [interval.low, interval.high] if any(differences) else [0.0, 0.0]
        ratios = _ratios(base, rows, "seconds", options.block)
        exact = binomtest(equal, len(rows)).proportion_ci()
        table.append({
            "engine": engine, "n": len(rows), "median_seconds": statistics.median(r["seconds"] for r in rows),
            "tokens": statistics.mean(r["tokens"] for r in rows),
            "speed_against_rac": statistics.median(ratios) if ratios else None, "blocks": [round(r, 2) for r in ratios],
            "cpu_against_rac": statistics.median(_ratios(base, rows, "cpu", options.block) or [0.0]),
            "equal": equal / len(rows), "equal_interval": [float(exact.low), float(exact.high)],
            "headline": statistics.mean(values.values()), "difference": interval.mean,
            "difference_interval": bounds,
        })  # fmt: skip
    return table


def _ratios(base: Sequence[dict[str, Any]], rows: Sequence[dict[str, Any]], what: str, block: int) -> list[float]:
    """Return for each block that both have how many times the time of ``rows`` that of ``base`` is."""
    parts = [slice(first, first + block) for first in range(0, min(len(rows), len(base)), block)]
    return [sum(r[what] for r in base[p]) / sum(r[what] for r in rows[p]) for p in parts]


def show(table: Sequence[dict[str, Any]]) -> None:
    print("| engine | n | median s | speed against `rac` (CPU time) | text equal | headline | difference |")
    print("|---|---|---|---|---|---|---|")
    for r in table:
        ratio = "–" if r["speed_against_rac"] is None else f"{r['speed_against_rac']:.2f} ({r['cpu_against_rac']:.2f})"
        low, high = r["equal_interval"]
        below, above = r["difference_interval"]
        print(
            f"| `{r['engine']}` | {r['n']} | {r['median_seconds']:.2f} | {ratio} | {r['equal']:.1%} ({low:.1%} to "
            f"{high:.1%}) | {r['headline']:.3f} | {r['difference']:+.4f} ({below:+.4f} to {above:+.4f}) |"
        )
    good = [
        r
        for r in table
        if r["equal"] >= EQUAL_ENOUGH and abs(r["difference"]) <= 0.01 and r["speed_against_rac"] is not None
    ]
    if good:
        best = max(good, key=lambda r: r["speed_against_rac"])
        print(f"fastest with {EQUAL_ENOUGH:.0%} equal text and the headline within 0.01: {best['engine']}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="a run directory with an index, validation examples and models")
    parser.add_argument("--model", type=Path, help="a model folder; the run's models/rac if left out")
    parser.add_argument("--work", type=Path, required=True, help="folder for converted models and results")
    parser.add_argument("--saved", action="store_true", help=f"take D and float32 texts from the run's {SAVED}")
    parser.add_argument("--engines", default=",".join(ENGINES), help="comma-separated; all by default")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--block", type=int, default=25, help="queries that an engine answers before the next one")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--max-new-tokens", type=int, default=48)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start no further block after this time")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.model is None:
        if options.run is None:
            parser.error("give --run or --model")
        options.model = options.run / "models" / "rac"
    options.work.mkdir(parents=True, exist_ok=True)
    queries = make_queries(options.run, options.model, options.queries, options.work, saved=options.saved)
    if options.worker:
        setup = Setup(options.model, options.work, options.threads, options.max_new_tokens)
        done = results_of(options.work, options.worker, options.threads)[: options.first]
        rows = run_block(options.worker, queries[options.first : options.first + options.block], setup)
        write_json(options.work / f"{options.worker}-{options.threads}.json", done + rows)
        return 0
    engines = [e for e in options.engines.split(",") if e]
    unknown = [e for e in engines if e not in ENGINES]
    if unknown:
        parser.error(f"unknown engine {', '.join(unknown)}: known are {', '.join(ENGINES)}")
    lengths = sorted(len(q["ids"]) for q in queries)
    print(
        f"{options.model.name}, {options.threads} threads, {platform.processor() or platform.machine()}; "
        f"{len(queries)} prompts of {lengths[0]} to {lengths[-1]} tokens (median {lengths[len(lengths) // 2]})"
    )
    measure(options, engines, queries)
    table = compare(options, queries)
    show(table)
    if options.json:
        write_json(options.json, table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
