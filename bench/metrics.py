"""How fast the metrics are, on the same inputs as plain implementations, with equal results.

    python bench/metrics.py parent                      10,000 items of 40 facts, one core
    python bench/metrics.py entailment                  claims of six systems, Wikipedia passages, the embedded model
    python bench/metrics.py suite --threads 2           questions per second of the whole suite without an LLM
    python bench/metrics.py profile                     where the suite's time goes

Each part prints its settings, the time of every variant (medians over ``--rounds``; variants take turns, ratios are
medians of the rounds' ratios) and the largest difference of the results, and ends with status 1 if the results differ.
``--json FILE`` keeps the figures.

``parent`` compares with two plain twins: ``published`` computes one item after the other as the authors' script does
(the table's tokens are looked up anew for each n-gram, the LCS fills a full table for each entry and each reference);
``hoisted`` is the same with the table's tokens and the table's recall computed once per item.

``entailment`` scores the same pairs with the same model one at a time, in batches of 20 within one question after the
other (what SummaC does), and through the scorer (equal pairs once, a premise read once, batches of like length; no
cache on disk). A claim's score does not depend on its neighbours, so that results are equal up to rounding.

``suite`` scores one system, references included, on five passages a question: embedded Wikipedia summaries of at most
``--words`` words, cut nowhere.

Times are processor time of one core; with more than one of ``--threads``, and for ``suite``, time on the clock. On a
machine that does other work as well, ``questions_per_processor_second`` times the number of cores says what it would do
alone, since batches run side by side.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rac.metrics.claims import claims
from rac.metrics.entailment import EntailmentScorer
from rac.metrics.entailment_models import OnnxModel, PairModel, TorchModel
from rac.metrics.entailment_windows import windows
from rac.metrics.parent import parent
from rac.records import ClarificationExample, Passage, Prediction

Item = tuple[list[str], list[list[str]], list[tuple[list[str], list[str]]]]


def make_tables(items: int, facts: int, value_tokens: int, references: int, seed: int) -> list[Item]:
    """Make predictions, references and tables: text of 25 to 35 words, half of them from the table's values."""
    rng = random.Random(seed)
    vocabulary = [f"w{i}" for i in range(5000)]
    made: list[Item] = []
    for _ in range(items):
        table = [([f"key{j}"], rng.choices(vocabulary, k=value_tokens)) for j in range(facts)]
        facts_words = [token for _, value in table for token in value]

        def text(words: Sequence[str] = facts_words) -> list[str]:
            made: list[str] = []
            while len(made) < 25:
                if rng.random() < 0.5:
                    start = rng.randrange(len(words))
                    made += words[start : start + rng.randint(1, 4)]
                else:
                    made += rng.choices(vocabulary[:200], k=rng.randint(1, 3))
            return made[:35]

        made.append((text(), [text() for _ in range(references)], table))
    return made


def counts(tokens: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


def plain_lcs(x: Sequence[str], y: Sequence[str]) -> int:
    cells = [[0] * (len(y) + 1) for _ in range(len(x) + 1)]
    for i in range(1, len(x) + 1):
        for j in range(1, len(y) + 1):
            if x[i - 1] == y[j - 1]:
                cells[i][j] = cells[i - 1][j - 1] + 1
            else:
                cells[i][j] = max(cells[i - 1][j], cells[i][j - 1])
    return cells[len(x)][len(y)]


def plain_parent(item: Item, hoisted: bool) -> tuple[float, float, float]:
    """PARENT of one item, straight from the formulas (lambda 0.5, smoothing 1e-5, orders 1 to 4)."""
    prediction, references, table = item
    once = {token for _, value in table for token in value}

    def entailed(ngram: tuple[str, ...]) -> float:
        tokens = once if hoisted else {token for _, value in table for token in value}
        return sum(token in tokens for token in ngram) / len(ngram)

    def mentioned() -> float:
        return sum(plain_lcs(value, prediction) / len(value) for _, value in table) / len(table) or 1e-5

    recall_once = mentioned() if hoisted else 0.0
    scores = []
    for reference in references:
        precisions, recalls = [], []
        for n in range(1, 5):
            g, r = counts(prediction, n), counts(reference, n)
            weights_g = {x: entailed(x) for x in g}
            weights_r = {x: entailed(x) for x in r}
            above = below = 0.0
            for x, c in g.items():
                p = min(1.0, r.get(x, 0) / c)
                above += c * (p + (1.0 - p) * weights_g[x])
                below += c
            precisions.append(above / below if below else 0.0)
            above = below = 0.0
            for x, c in r.items():
                above += c * weights_r[x] * min(1.0, g.get(x, 0) / c)
                below += c * weights_r[x]
            recalls.append(above / below if below else 1.0)
        table_recall = recall_once if hoisted else mentioned()
        precisions[1:] = [p or 1e-5 for p in precisions[1:]]
        recalls[1:] = [p or 1e-5 for p in recalls[1:]]
        precision = math.exp(sum(math.log(p) / 4 for p in precisions)) if all(precisions) else 0.0
        of_reference = math.exp(sum(math.log(p) / 4 for p in recalls)) if all(recalls) else 1e-5
        recall = math.exp(0.5 * math.log(of_reference) + 0.5 * math.log(table_recall))
        scores.append((precision, recall, 2 * precision * recall / (precision + recall + 1e-8)))
    return max(scores, key=lambda score: score[2])


def timed(call: Callable[[], Any], clock: Callable[[], float] = time.process_time) -> tuple[float, Any]:
    """Return the seconds that a call took and its result; processor time by default, which other work leaves alone."""
    start = clock()
    result = call()
    return clock() - start, result


def alternate(
    variants: dict[str, Callable[[], Any]], rounds: int, clock: Callable[[], float] = time.process_time
) -> tuple[dict[str, list[float]], dict[str, Any]]:
    """Return the times and the last result of each variant; they take turns, so that drift hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in variants}
    results = {}
    for _ in range(rounds):
        for name, call in variants.items():
            seconds, results[name] = timed(call, clock)
            times[name].append(seconds)
    return times, results


def medians(times: dict[str, list[float]]) -> dict[str, float]:
    return {name: statistics.median(values) for name, values in times.items()}


def ratio(times: dict[str, list[float]], name: str) -> float:
    """Return the median over rounds of how much longer ``name`` took than ``rac``."""
    return statistics.median(other / ours for other, ours in zip(times[name], times["rac"], strict=True))


def bench_parent(
    items: int, facts: int, value_tokens: int, references: int, seed: int, rounds: int = 1
) -> dict[str, Any]:
    data = make_tables(items, facts, value_tokens, references, seed)
    columns = [list(column) for column in zip(*data, strict=True)]
    times, results = alternate(
        {
            "rac": lambda: parent(*columns),
            "hoisted": lambda: [plain_parent(item, True) for item in data],
            "published": lambda: [plain_parent(item, False) for item in data],
        },
        rounds,
    )
    ours, hoisted, published = results["rac"], results["hoisted"], results["published"]
    difference = max(
        abs(a - b)
        for one, two, three in zip(ours, hoisted, published, strict=True)
        for a, *others in zip(one, two, three, strict=True)
        for b in others
    )
    return {
        "part": "parent", "items": items, "facts": facts, "value_tokens": value_tokens, "references": references,
        "rounds": rounds, "seconds": medians(times),
        "ms_per_item": {name: 1e3 * value / items for name, value in medians(times).items()},
        "speedup": {name: ratio(times, name) for name in ("hoisted", "published")},
        "largest_difference": difference, "equal": difference <= 1e-9,
    }  # fmt: skip


def make_questions(queries: int, seed: int, words: int = 1000) -> list[tuple[str, str, list[Passage]]]:
    """Return (question, query, D) of six systems on the same queries, five embedded Wikipedia passages each.

    Some systems offer the same options, some the same in other words, two a foreign one; 12 claims a query, 9 of them
    different. In the CLAQUA run of the docs six systems make 1.3 times as many pairs as are different.
    """
    from rac.corpus import read_corpus

    entries = [p for p in read_corpus("wikipedia") if p.description and p.text and len(p.text.split()) <= words]
    rng = random.Random(seed)
    made = []
    for _ in range(queries):
        *d, foreign, other = rng.sample(entries, 7)
        first = [f"{p.title}, the {p.description}," for p in d]
        second = {p.id: f"the {p.description} called {p.title}" for p in (*d, foreign, other)}
        offers = [
            (first[0], first[1]), (first[0], first[2]), (second[d[1].id], second[foreign.id]),
            (first[3], first[4]), (first[1], first[0]), (second[d[2].id], second[other.id]),
        ]  # fmt: skip
        made += [(f"Do you mean {a} or {b.rstrip(',')}?", "tell me more", d) for a, b in offers]
    return made


def bench_entailment(
    queries: int, seed: int, model: PairModel, tolerance: float, *, threads: int = 1, batch_tokens: int = 1024,
    rounds: int = 1,
) -> dict[str, Any]:  # fmt: skip
    """Time the same pairs one at a time, per question in batches of 20, and through the scorer.

    On one thread processor time is measured, on several the time on the clock.
    """
    clock = time.process_time if threads == 1 else time.perf_counter
    items = []
    for question, query, d in make_questions(queries, seed):
        hypotheses = [c.hypothesis for c in claims(question, query, [p.title for p in d])]
        items.append([(window, h) for h in hypotheses for p in d for window in windows(p)])
    pairs = [pair for item in items for pair in item]

    def rows_of(some: Sequence[tuple[str, str]]) -> list[Any]:
        # One row per pair, as every other implementation has it.
        return [row for pair in some for row in model.rows([pair])[0]]

    def one_by_one() -> np.ndarray:
        return np.array([model.run(rows_of([pair]))[0, 0] for pair in pairs])

    def per_question() -> np.ndarray:
        batches = [item[i : i + 20] for item in items for i in range(0, len(item), 20)]
        return np.concatenate([model.run(rows_of(batch))[:, 0] for batch in batches])

    def ours() -> np.ndarray:
        # A new scorer each time: what one has computed it remembers.
        return EntailmentScorer(model, batch_tokens=batch_tokens).entail_probs(pairs)

    model.run(rows_of(pairs[:20]))
    times, results = alternate(
        {"rac": ours, "per_question_batches": per_question, "one_by_one": one_by_one}, rounds, clock
    )
    difference = max(float(np.abs(results["rac"] - results[n]).max()) for n in ("per_question_batches", "one_by_one"))
    seconds = medians(times)
    return {
        "part": "entailment", "model": f"{model.name}@{model.revision}", "threads": threads, "questions": len(items),
        "pairs": len(pairs), "different_pairs": len(set(pairs)), "rounds": rounds, "seconds": seconds,
        "pairs_per_second": {name: len(pairs) / seconds[name] for name in ("rac", "one_by_one")},
        "speedup": {name: ratio(times, name) for name in ("per_question_batches", "one_by_one")},
        "largest_difference": difference, "equal": difference <= tolerance,
    }  # fmt: skip


def suite_inputs(queries: int, seed: int, words: int) -> tuple[list[Prediction], list[ClarificationExample]]:
    """Return one system's questions, so that nothing is shared between systems, and their examples with passages."""
    questions = make_questions(queries, seed, words)[::6]
    examples = [
        ClarificationExample(
            id=f"q{i}", query=query, questions=(f"Is it {d[0].title} or {d[3].title}?",), passages=tuple(d)
        )
        for i, (_, query, d) in enumerate(questions)
    ]
    return [Prediction(id=f"q{i}", question=question) for i, (question, _, _) in enumerate(questions)], examples


def bench_suite(
    queries: int, seed: int, model: PairModel | None, *, words: int = 60, rounds: int = 1
) -> dict[str, Any]:
    """Time the whole suite, without an LLM and without a cache, on five short passages a question."""
    from rac.metrics.suite import MetricSettings, evaluate

    predictions, examples = suite_inputs(queries, seed, words)

    def run(count: int) -> Any:
        scorer = None if model is None else EntailmentScorer(model)
        return evaluate(predictions[:count], examples[:count], settings=MetricSettings("gold"), entailment=scorer)

    run(5)
    started = time.process_time()
    measured = [timed(lambda: run(len(predictions)), time.perf_counter) for _ in range(rounds)]
    processor = (time.process_time() - started) / rounds
    seconds, evaluation = statistics.median(s for s, _ in measured), measured[0][1]
    lengths = [len(p.text.split()) for e in examples for p in e.passages]
    same = all(e.per_item == evaluation.per_item for _, e in measured)
    return {
        "part": "suite", "signature": evaluation.signature, "questions": len(predictions), "passages": 5,
        "mean_words_per_passage": statistics.mean(lengths), "longest": max(lengths),
        "metrics": len(evaluation.summary), "rounds": rounds, "seconds": seconds,
        "questions_per_second": len(predictions) / seconds, "processor_seconds": processor,
        "questions_per_processor_second": len(predictions) / processor, "equal": same,
    }  # fmt: skip


def bench_profile(queries: int, seed: int, model: PairModel | None, *, words: int = 60) -> dict[str, Any]:
    """Return the share of the suite's time by part: the model, its tokenizer and packing, and the rest by function."""
    import cProfile
    import pstats

    from rac.metrics.suite import MetricSettings, evaluate

    predictions, examples = suite_inputs(queries, seed, words)
    scorer = None if model is None else EntailmentScorer(model)
    profile = cProfile.Profile()
    profile.enable()
    evaluate(predictions, examples, settings=MetricSettings("gold"), entailment=scorer)
    profile.disable()
    table = pstats.Stats(profile)
    total = table.total_tt  # type: ignore[attr-defined]
    shares = {
        f"{Path(file).name}:{name}": cumulative / total
        for (file, _, name), (_, _, _, cumulative, _) in table.stats.items()  # type: ignore[attr-defined]
        if "rac/metrics" in file
    }
    top = sorted(shares.items(), key=lambda pair: -pair[1])[:25]
    return {"part": "profile", "questions": len(predictions), "seconds": total, "shares": dict(top), "equal": True}


def load_model(name: str, threads: int) -> PairModel | None:
    """Return the entailment model by name, None for ``none``."""
    if name == "none":
        return None
    if name == "embedded":
        return OnnxModel(threads=threads)
    if (Path(name) / "model.onnx").is_file():
        return OnnxModel(Path(name), threads=threads)
    import torch

    torch.set_num_threads(threads)
    return TorchModel(name)


def show(result: dict[str, Any]) -> None:
    print(f"# {result['part']}: Python {platform.python_version()}, {platform.machine()}, one process")
    print(json.dumps({k: v for k, v in result.items() if k != "part"}, indent=2))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    tables = parts.add_parser("parent")
    tables.add_argument("--items", type=int, default=10_000)
    tables.add_argument("--facts", type=int, default=40)
    tables.add_argument("--value-tokens", type=int, default=6)
    tables.add_argument("--references", type=int, default=1)
    tables.add_argument("--threads", type=int, default=1, choices=[1], help="PARENT runs on one")
    entailment = parts.add_parser("entailment")
    entailment.add_argument("--tolerance", type=float, default=5e-4, help="largest difference that counts as equal")
    entailment.add_argument("--batch-tokens", type=int, default=1024, help="tokens per batch of the scorer")
    suite, profile = parts.add_parser("suite"), parts.add_parser("profile")
    for part in (suite, profile):
        part.add_argument("--words", type=int, default=60, help="longest passage")
    for part in (entailment, suite, profile):
        part.add_argument("--queries", type=int, default=40)
        part.add_argument("--nli", default="embedded", help="entailment model; for the suite also: none")
        part.add_argument("--threads", type=int, default=1)
    for part in (tables, entailment, suite, profile):
        part.add_argument("--rounds", type=int, default=3, help="times that every variant runs")
        part.add_argument("--seed", type=int, default=0)
        part.add_argument("--json", type=Path, help="write the figures to this file")
    given = parser.parse_args(arguments)
    if given.part == "parent":
        result = bench_parent(given.items, given.facts, given.value_tokens, given.references, given.seed, given.rounds)
    else:
        model = load_model(given.nli, given.threads)
        if given.part == "suite":
            result = bench_suite(given.queries, given.seed, model, words=given.words, rounds=given.rounds)
        elif given.part == "profile":
            result = bench_profile(given.queries, given.seed, model, words=given.words)
        elif model is None:
            parser.error("the entailment part needs a model")
        else:
            result = bench_entailment(
                given.queries, given.seed, model, given.tolerance, threads=given.threads,
                batch_tokens=given.batch_tokens, rounds=given.rounds,
            )  # fmt: skip
    show(result)
    if given.json:
        given.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0 if result["equal"] else 1


if __name__ == "__main__":
    sys.exit(main())
