"""Put measured figures into docs/indexes.md, between its markers; whatever is not given stays as it is.

    rac compare-indexes bench/indexes.yaml -o indexes/benchmarks
    python bench/retrieval.py bm25 --json indexes/bm25.json          (dense, approximate, scale and milvus alike)
    python bench/indexes_page.py indexes/benchmarks/indexes.json indexes/*.json --full docs/indexes-results.md

``--plot docs/indexes-scale.svg`` draws cost against size as well.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

MEASURES = ("nDCG@10", "MRR@10", "Recall@5", "all relevant@2", "all relevant@5", "facet recall@5", "α-nDCG@5")
COSTS = ("build CPU time, s", "disk, MB", "CPU per query, ms", "search memory, MB")
SIZES = (1, 10, 100)
Figures = Mapping[str, Any]


def rows_of(lines: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; the first line is its head, the first column its names."""
    head, *rest = lines
    rule = ["---", *("---:" for _ in head[1:])]
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, rule, *rest))


def number(value: float) -> str:
    """Return a number with three digits that matter, whole from 100 on."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def comparison(found: Figures) -> str:
    """Return a table per dataset: measures with marks of significance, and costs."""
    parts = []
    for name, table in found["tables"].items():
        systems, counts = table["systems"], found["datasets"][name]
        first = next(iter(systems.values()))
        measures = [m for m in MEASURES if m in first]
        marks = {
            (t["metric"], t["a"]): ("▲" if t["difference"] > 0 else "▼") for t in table["tests"] if t["significant"]
        }
        lines = [["strategy", *measures, *COSTS]]
        for strategy, values in systems.items():
            line = [strategy]
            for measure in measures:
                mean = values[measure]["mean"]
                shown = f"{mean:.3f}" if "DCG" in measure or "MRR" in measure else f"{100 * mean:.1f} %"
                line.append(f"{shown} {marks.get((measure, strategy), '')}".strip())
            line += [number(values[cost]["mean"]) if cost in values else "–" for cost in COSTS]
            lines.append(line)
        counted = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
        parts.append(f"**{name}** ({counted})\n\n{rows_of(lines)}")
    return "\n\n".join(parts)


def bm25(found: Figures) -> str:
    """Return speed against bm25s."""
    lines = [
        ["corpus", "passages", "build", "search, 1 thread", "queries/s, 1 thread", "all cores", "all cores over 1"]
    ]
    for name, row in found["figures"].items():
        many = next((row[key] for key in row if key.startswith("search_") and key != "search_1_thread"), None)
        gain = next((row[key] for key in row if key.startswith("speedup_by_")), None)
        lines.append(
            [
                name, f"{row['passages']:,}", f"{row['build']['speedup']:.2f}x",
                f"{row['search_1_thread']['speedup']:.1f}x", number(row["queries_per_second_1_thread"]),
                f"{many['speedup']:.1f}x" if many else "–", f"{gain:.2f}x" if gain else "–",
            ]
        )  # fmt: skip
    return rows_of(lines)


def dense(found: Figures) -> str:
    """Return exact search against a plain product and partial sort."""
    lines = [["case", "time over plain", "queries/s", "cores used"]]
    for name, row in found["figures"].items():
        lines.append(
            [name, f"{row['time_over_plain']:.2f}x", number(row["queries_per_second"]), f"{row['cores_used']:.1f}"]
        )
    return rows_of(lines)


def approximate(found: Figures) -> str:
    """Return recall and speed of the graph."""
    figures = found["figures"]
    lines = [["breadth", "recall@10", "over exact, batch", "over exact, one query", "queries/s"]]
    for name, row in figures.items():
        if isinstance(row, dict):
            lines.append(
                [
                    f"`{name.replace(' ', ': ')}`", f"{row['recall_at_10']:.3f}", f"{row['speedup_batch']:.1f}x",
                    f"{row['speedup_one_query']:.1f}x", number(row["queries_per_second"]),
                ]
            )  # fmt: skip
    said = (
        f"{figures['passages']:,} vectors; built in {number(figures['build_s'])} s on one thread, "
        f"{figures['graph_bytes_per_vector']:,.0f} bytes per vector beside the {384 * 4:,} of the vector itself."
    )
    return f"{said}\n\n{rows_of(lines)}"


def scale(found: Figures) -> str:
    """Return cost at size."""
    lines = [
        [
            "strategy, passages", "building, CPU s", "peak memory of building, MB", "disk, bytes per passage",
            "opening, CPU ms", "memory of opening, MB", "one query, CPU ms", "private memory after 120 queries, MB",
        ]
    ]  # fmt: skip
    for row in found["figures"].values():
        disk = sum(row["bytes_per_passage"].values())
        lines.append(
            [
                f"{row['strategy']}, {row['passages']:,}", number(row["build_cpu_s"]), number(row["build_peak_mb"]),
                f"{disk:,.0f}", number(1000 * row["open_cpu_s"]), number(row["open_mb"]),
                number(row["one_query_cpu_ms"]), number(row["private_mb"]),
            ]
        )  # fmt: skip
    return rows_of(lines)


def milvus(found: Figures) -> str:
    """Return milvus-lite beside the local index."""
    figures = found["figures"]
    lines = [["engine", "build, s", "add 50, s", "delete 50, s", "queries/s", "bytes per passage"]]
    for name, row in figures.items():
        if isinstance(row, dict):
            keys = ("build_s", "add_50_s", "delete_50_s", "queries_per_second", "bytes_per_passage")
            lines.append([name, *(number(row[key]) for key in keys)])
    shared = next(value for key, value in figures.items() if key.startswith("bm25: share"))
    said = f"{figures['passages']:,} passages of the embedded Wikipedia; both find {100 * shared:.1f} % of a top 10."
    return f"{said}\n\n{rows_of(lines)}"


def sizes(per_passage: Mapping[str, tuple[float, float]]) -> str:
    """Return gigabytes of disk and of memory for 1, 10 and 100 million passages, from bytes per passage."""
    head = ["index", "disk, bytes per passage", *(f"{size} M: disk / memory, GB" for size in SIZES)]
    lines = [head]
    for name, (disk, memory) in per_passage.items():
        cells = [f"{disk * size / 1000:,.1f} / {memory * size / 1000:,.1f}" for size in SIZES]
        lines.append([name, f"{disk:,.0f}", *cells])
    return rows_of(lines)


def bytes_per_passage(scales: Sequence[Figures], graph: Figures | None, engine: Figures | None) -> dict[str, Any]:
    """Return index -> bytes per passage on disk, and of what searching touches: everything but the texts."""
    largest: dict[str, Figures] = {}
    for found in scales:
        for row in found["figures"].values():
            if row["passages"] >= largest.get(row["strategy"], {"passages": 0})["passages"]:
                largest[row["strategy"]] = row
    made: dict[str, tuple[float, float]] = {}
    parts = {name: row["bytes_per_passage"] for name, row in largest.items()}
    for name, sizes_of in parts.items():
        made[name] = (sum(sizes_of.values()), sizes_of[name])
    if "bm25" in parts and "dense" in parts:
        made["hybrid"] = (
            sum(parts["dense"].values()) + parts["bm25"]["bm25"],
            parts["bm25"]["bm25"] + parts["dense"]["dense"],
        )
        if graph is not None:
            links = graph["figures"]["graph_bytes_per_vector"]
            made["dense, approximate"] = (sum(parts["dense"].values()) + links, links)
    if engine is not None:
        for name in ("milvus-lite bm25", "milvus-lite hybrid"):
            size = engine["figures"][name]["bytes_per_passage"]
            made[name] = (size, size)
    return made


def put(page: str, name: str, text: str) -> str:
    """Return a page with the text between ``<!-- NAME -->`` and ``<!-- /NAME -->`` replaced."""
    before, start, rest = page.partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition(f"<!-- /{name} -->")
    if not start or not end:
        raise SystemExit(f"the page has no markers <!-- {name} --> and <!-- /{name} -->")
    return f"{before}{start}{text}\n{end}{after}"


PARTS: dict[str, Callable[[Figures], str]] = {
    "bm25": bm25, "dense": dense, "approximate": approximate, "milvus": milvus,
}  # fmt: skip


def main() -> None:
    """Read the figures and rewrite the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", nargs="+", type=Path, help="indexes.json, and what bench/retrieval.py --json wrote")
    parser.add_argument("--page", type=Path, default=Path("docs/indexes.md"))
    parser.add_argument("--full", type=Path, help="where all tables of the comparison go (indexes.md beside its JSON)")
    parser.add_argument("--plot", type=Path, help="draw cost against size there")
    options = parser.parse_args()
    page = options.page.read_text(encoding="utf-8")
    given: dict[str, list[Figures]] = {}
    for path in options.figures:
        found = json.loads(path.read_text(encoding="utf-8"))
        given.setdefault(found.get("part", "comparison"), []).append(found)
        if "part" not in found and options.full:
            options.full.write_text(path.with_suffix(".md").read_text(encoding="utf-8"), encoding="utf-8")
    if "comparison" in given:
        page = put(page, "comparison", comparison(given["comparison"][0]))
    for name, make in PARTS.items():
        if name in given:
            page = put(page, name, make(given[name][0]))
    if "scale" in given:
        merged = {"figures": {key: row for found in given["scale"] for key, row in found["figures"].items()}}
        page = put(page, "scale", scale(merged))
        if options.plot:
            from retrieval import draw

            draw(merged["figures"], options.plot)
        graph, engine = (given.get(name, [None])[0] for name in ("approximate", "milvus"))
        page = put(page, "sizes", sizes(bytes_per_passage(given["scale"], graph, engine)))
    options.page.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
