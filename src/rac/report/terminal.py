"""What the commands print: tables of a run, example questions, one answer with its evidence.

Matched words are coloured on a terminal and set in «guillemets» elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from rac.files import read_json
from rac.records import Passage
from rac.report.data import (
    MetricInfo,
    Summary,
    Table,
    format_p,
    format_value,
    is_tested,
    is_unsure,
    order_statement,
    plain,
    shown_metrics,
)

if TYPE_CHECKING:
    from rac.asking import Answer

_COMPARED = ("ungrounded", "grounded", "rac")
"""Systems whose order is stated on the terminal; a page states all."""

Spans = Iterable[tuple[str, int, int]]


def console() -> Console:
    """Return where results go: standard output, as wide as it is (120 columns where it has no width)."""
    plain = Console()
    return plain if plain.is_terminal else Console(width=120, soft_wrap=False)


def marked(text: str, spans: Sequence[tuple[int, int]], *, colour: bool) -> Text:
    """Return a text with the given character spans marked."""
    out = Text()
    at = 0
    for start, end in sorted(set(spans)):
        if start < at:
            continue
        out.append(plain(text[at:start]))
        out.append(plain(text[start:end]) if colour else f"«{plain(text[start:end])}»", style="bold yellow")
        at = end
    out.append(plain(text[at:]))
    return out


def passage_text(passage: Passage, spans: Spans, *, colour: bool) -> Text:
    """Return a passage as title, types or description, and text, with matched words marked."""
    by_field: dict[str, list[tuple[int, int]]] = {}
    for name, start, end in spans:
        by_field.setdefault(name, []).append((start, end))

    def part(name: str, value: str) -> Text:
        return marked(value, by_field.get(name, []), colour=colour)

    out = Text()
    if passage.title:
        out.append_text(part("title", passage.title))
        label = "types" if passage.types else "description"
        value = ", ".join(passage.types) if passage.types else passage.description
        if value:
            out.append(" (").append_text(part(label, value)).append(")")
        out.append(": ")
    return out.append_text(part("text", passage.text))


def show_answer(answer: Answer) -> None:
    """Print one question, its options, and under it the passages that support them."""
    screen = console()
    if answer.question is None:
        screen.print(Text("No question is asked: ", style="bold").append(plain(answer.reason) + "."))
    else:
        screen.print(Text(plain(answer.question), style="bold"))
        if answer.reason:
            screen.print(Text(f"({plain(answer.reason)})", style="dim"))
    for option in answer.options:
        sign = "✓" if option.supported else "✗"
        style = "green" if option.supported else "red"
        line = Text(f"  {sign} ", style=style).append(plain(option.text), style="default")
        sources = dict.fromkeys(e.passage_id for e in option.evidence)
        numbers = [str(i) for i, p in enumerate(answer.passages, start=1) if p.id in sources]
        line.append(f"  [{', '.join(numbers)}]" if option.supported and numbers else "  not supported", style="dim")
        screen.print(line)
    spans: dict[str, list[tuple[str, int, int]]] = {}
    for option in answer.options:
        if option.supported:
            for found in option.evidence:
                spans.setdefault(found.passage_id, []).append((found.field, found.start, found.end))
    shown = [(n, p) for n, p in enumerate(answer.passages, start=1) if p.id in spans or answer.question is None]
    for number, passage in shown:
        body = Text(f"[{number}] ", style="dim").append_text(
            passage_text(passage, spans.get(passage.id, []), colour=screen.is_terminal)
        )
        screen.print(Padding(body, (0, 0, 0, 2)))
    faith = "" if answer.faithfulness is None else f", faithfulness {answer.faithfulness:.2f} (selection scorer)"
    screen.print(Text(f"  model: {plain(answer.model)}{faith}", style="dim"))


def show_tables(run: Path) -> None:
    """Print the tables of a run's ``metrics.json``, and which orders of its models are not significant."""
    _show_all(console(), read_json(run / "metrics.json"), compared=_COMPARED)


def show_evaluation(metrics: dict[str, Any]) -> None:
    """Print the tables of an evaluation (the content of ``metrics.json``), counts, notes and the signature."""
    _show_all(console(), metrics)


def _show_all(screen: Console, metrics: dict[str, Any], *, compared: Sequence[str] | None = None) -> None:
    infos = [MetricInfo(**info) for info in metrics["metrics"]]
    for entry in metrics["tables"]:
        table = Table(entry["name"], entry["systems"], entry["comparisons"], entry.get("note", ""))
        shown = [m for m in shown_metrics_of(infos, table) if m.name in metrics["printed"]]
        show_table(screen, table, shown, compared=compared)
    for system, counts in metrics.get("counts", {}).items():
        told = ", ".join(f"{name} {count}" for name, count in counts.items())
        screen.print(Text(plain(f"{system}: {told}"), style="dim"))
    for note in metrics["notes"]:
        screen.print(Text(plain(f"Note: {note}."), style="yellow"))
    explained = "Under each mean its 95 % interval; n where not all could be scored. All tests: see the report. "
    screen.print(Text(explained + plain(metrics["signature"]), style="dim"))


def show_table(
    screen: Console, table: Table, shown: Sequence[MetricInfo], *, compared: Sequence[str] | None = None
) -> None:
    """Print one table, and below it the orders of two systems that are not significant.

    Args:
        screen: Where to print.
        table: The table.
        shown: Its columns.
        compared: The systems whose orders are stated; all if None.
    """
    screen.print()
    screen.print(Text(plain(table.name), style="bold"))
    if table.note:
        screen.print(Text(plain(table.note), style="dim"))
    grid = Grid(show_edge=False, pad_edge=False)
    grid.add_column("system", no_wrap=True)
    for info in shown:
        # One word a line: eight columns have to fit.
        arrow = {"higher": "↑", "lower": "↓"}.get(info.better, "")
        grid.add_column("\n".join([*info.title.split(), arrow]), justify="right", no_wrap=True)
    for system, summaries in table.systems.items():
        grid.add_row(Text(plain(system)), *(_cell(summaries.get(info.name), info) for info in shown))
    screen.print(grid)
    rows = [r for r in table.comparisons if compared is None or {r["a"], r["b"]} <= set(compared)]
    among = "" if compared is None else f" ({', '.join(compared)})"
    for info in shown:
        statement = order_statement(Table(table.name, table.systems, rows), info)
        if "NOT significant" in statement:
            screen.print(Text(plain(f"{info.title}{among}: {statement}"), style="dim"))


def show_tests(screen: Console, table: Table, shown: Sequence[MetricInfo]) -> None:
    """Print every tested pair of a table: difference with interval, effect size, corrected p, verdict."""
    infos = {info.name: info for info in shown}
    grid = Grid(show_edge=False, pad_edge=False)
    for name in ("metric", "a", "b"):
        grid.add_column(name)
    for name in ("a - b", "95 % interval", "effect d", "p (Holm)", ""):
        grid.add_column(name, justify="right")
    for row in table.comparisons:
        info = infos.get(row["metric"])
        if info is None:
            continue
        low, high, effect = row["low"], row["high"], row.get("effect")
        interval = "–" if low is None or high is None else f"{format_value(low, info)} to {format_value(high, info)}"
        verdict = "not tested" if not is_tested(row) else "significant" if row["significant"] else "NOT significant"
        grid.add_row(
            info.title, Text(plain(row["a"])), Text(plain(row["b"])), format_value(row["difference"], info), interval,
            "–" if effect is None else f"{effect:+.2f}", format_p(row["p_holm"]), verdict,
        )  # fmt: skip
    screen.print()
    screen.print(grid)


def shown_metrics_of(infos: list[MetricInfo], table: Table) -> list[MetricInfo]:
    """Return the metrics that the table has values for."""
    from rac.report.data import ReportData

    return shown_metrics(ReportData("", infos, [table]), table)


def _cell(summary: Summary | None, info: MetricInfo) -> str:
    if summary is None or summary["mean"] is None:
        return "–"
    value = format_value(summary["mean"], info)
    if summary["low"] is None or summary["high"] is None:
        return value
    scale = 100 if info.percent else 1
    digits = 0 if info.percent else 1 if summary["high"] >= 10 else 2
    if summary["unscored"]:
        value = f"{value} n={summary['n']}"
    return f"{value}\n{scale * summary['low']:.{digits}f}–{scale * summary['high']:.{digits}f}"


def show_examples(run: Path, count: int = 3) -> None:
    """Print example questions of the tuned model with their supporting passages, beside what ``ungrounded`` asks."""
    from rac.asking import Answer, link_evidence
    from rac.files import read_records
    from rac.metrics.selection import SelectionScorer
    from rac.records import ClarificationExample, Prediction

    screen = console()
    examples = {e.id: e for e in read_records(run / "examples/evaluation.jsonl", ClarificationExample)}
    folder = run / "predictions/retrieved"
    predictions = read_records(folder / "rac.jsonl", Prediction)
    other = {p.id: p.question for p in _optional(folder / "ungrounded.jsonl")}
    scorer = SelectionScorer(min_options=2)
    shown = 0
    for prediction in predictions:
        example = examples[prediction.id]
        passages = prediction.passages or ()
        score = scorer.score(prediction.question, example.query, passages)
        if not score.good:
            continue
        screen.print(Text(f"\nquery: {plain(example.query)}", style="bold cyan"))
        if prediction.id in other:
            screen.print(Text(f"  ungrounded asks: {plain(other[prediction.id])}", style="dim"))
        options = link_evidence(score, passages)
        show_answer(
            Answer(
                example.query,
                prediction.question,
                "",
                options,
                score.faithfulness,
                tuple(passages),
                (),
                f"rac of {run}",
            )
        )
        shown += 1
        if shown == count:
            break
    if shown < count:
        screen.print(Text(f"(only {shown} of {len(predictions)} questions of rac have two supported options)"))


def _optional(path: Path) -> list[Any]:
    from rac.files import read_records
    from rac.records import Prediction

    return read_records(path, Prediction) if path.exists() else []


def show_comparison(result: dict[str, Any], *, every_metric: bool = False) -> None:
    """Print a comparison of systems (``SystemComparison.to_dict``): table, statements, and all tests of few systems."""
    from rac.report.build import PRINTED

    screen = console()
    made = result["table"]
    infos = [MetricInfo(**info) for info in result["metrics"]]
    table = Table(made["name"], made["systems"], made["comparisons"], made["note"])
    shown = [m for m in shown_metrics_of(infos, table) if every_metric or m.name in PRINTED]
    show_table(screen, table, shown)
    if len(table.systems) <= 3:
        show_tests(screen, table, shown)
    for note in result["notes"]:
        screen.print(Text(f"note: {plain(note)}", style="yellow"))
    corrected = "the pairs of each metric" if made["family"] == "metric" else "the whole table"
    screen.print(
        Text(
            "95 % intervals over resampled clusters, each for itself; "
            f"significant: p <= {made['alpha']:g} after Holm's correction over "
            f"{corrected}. {plain(result['signature'])}",
            style="dim",
        )
    )


def show_annotations(result: dict[str, Any]) -> None:
    """Print what filled sheets say (``AnnotationResult``): agreement, mean grades, correlation with metrics."""
    screen = console()
    screen.print(Text("Agreement of annotators (Krippendorff's alpha, ordinal)", style="bold"))
    grid = Grid("", "alpha", "95 % interval", "items graded twice", "once", show_edge=False, pad_edge=False)
    for criterion, row in result["agreement"].items():
        grid.add_row(
            criterion, _number(row["alpha"]), _range(row["low"], row["high"]), str(row["units"]), str(row["single"])
        )
    screen.print(grid)
    screen.print(Text("\nMean grades (1 to 5)", style="bold"))
    grid = Grid("system", *result["agreement"], show_edge=False, pad_edge=False)
    for system, row in result["systems"].items():
        cells = [f"{_number(v['mean'])} {_range(v['low'], v['high'])}, n = {v['n']}" for v in row.values()]
        grid.add_row(Text(plain(system)), *cells)
    screen.print(grid)
    if result["correlations"]:
        screen.print(Text("\nRank correlation of metrics with the grades (Spearman)", style="bold"))
        grid = Grid("metric", *result["correlations"], show_edge=False, pad_edge=False)
        for metric in next(iter(result["correlations"].values())):
            cells = []
            for row in result["correlations"].values():
                value = row[metric]
                cells.append(f"{_number(value['spearman'])} {_range(value['low'], value['high'])}, n = {value['n']}")
            grid.add_row(metric, *cells)
        screen.print(grid)
    screen.print(Text(", ".join(f"{name}: {n}" for name, n in result["counts"].items()), style="dim"))


def show_judgement(result: dict[str, Any]) -> None:
    """Print what a judging model says (``JudgedSystems`` without its rows)."""
    screen = console()
    if result["systems"]:
        grid = Grid("system", *next(iter(result["systems"].values())), show_edge=False, pad_edge=False)
        for system, row in result["systems"].items():
            cells = [f"{_number(v['mean'])} {_range(v['low'], v['high'])}, n = {v['n']}" for v in row.values()]
            grid.add_row(Text(plain(system)), *cells)
        screen.print(grid)
        for row in result["comparisons"]:
            if is_unsure(row):
                names = f"{plain(row['a'])} – {plain(row['b'])}"
                told = f"{row['metric']}: the order is NOT significant for {names} (p = {format_p(row['p_holm'])})"
                screen.print(Text(told, style="dim"))
    if result["pairs"]:
        columns = ("verdict", "preference for the first", "p", "same in both orders", "n")
        grid = Grid(*columns, show_edge=False, pad_edge=False)
        for verdict, row in result["pairs"].items():
            mean = f"{_number(row['mean'])} {_range(row['low'], row['high'])}"
            grid.add_row(verdict, mean, format_p(row["p"]), _number(row["consistent"]), str(row["n"]))
        screen.print(grid)
    for title, counts in (("not judged", result["reasons"]), ("spent", result["spent"])):
        if counts:
            screen.print(Text(f"{title}: " + ", ".join(f"{name} {n}" for name, n in counts.items()), style="dim"))
    screen.print(Text(plain(result["signature"]), style="dim"))


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _range(low: float | None, high: float | None) -> str:
    return "–" if low is None or high is None else f"[{low:.2f}, {high:.2f}]"
