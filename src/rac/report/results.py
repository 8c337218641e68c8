"""The results page as Markdown: which bars are met, how runs were made, tables, and questions side by side.

Runs are read from their directories or from their compact form (``rac.report.stored``); the page is the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rac.benchmarks import stand_in_note
from rac.generation.systems import SYSTEMS
from rac.metrics.catalog import REFERENCE
from rac.metrics.significance import PairedTest, paired_test
from rac.progress import format_seconds
from rac.report.bars import MAIN, bars_of, first_source, gain_of, in_words, over_all, rivals_of
from rac.report.data import MetricInfo, ReportData, Table, format_value, order_statement, shown_metrics
from rac.report.markdown import differences_table, escape, metrics_table, seed_means
from rac.report.seeds import SeedTable, groups_of_seeds, known_mean, over_seeds
from rac.report.stored import FOUND_DONE, StoredRun, load

_TRAINING_FIGURES = (
    "steps", "prompts", "questions", "tokens", "target_tokens", "tokens_per_second", "first_loss", "last_loss",
    "selected_step", "extra",
)  # fmt: skip
_ORDER = ("index", "data", "retrieve", "ungrounded", "grounded", "pairs", "rac")
_MAIN = (
    "headline", "faith", "info", "good", "hallucinated", "unsupported", "same_option", "options", "parent_q", "rouge_l",
    "delta_ndcg", "length",
)  # fmt: skip
"""Columns of a table; all others are folded away under it."""
_AGAINST = ("headline", "good", "hallucinated", "same_option", "info", "rouge_l", "delta_ndcg")
"""Metrics on which ``rac`` is set against every other system."""
_AT_A_GLANCE = ("headline", "hallucinated", "info", "rouge_l")
"""Metrics of the overview over all runs."""


def render_results(runs: Sequence[Path], *, examples: int = 5) -> str:
    """Return a page with one section for each run, or for the runs of one recipe with several seeds.

    Args:
        runs: Run directories with ``metrics.json``, or runs in compact form.
        examples: Queries shown with every system's question.
    """
    # Runs before transfers, whose models they have.
    studies = [_Study.of(group) for group in groups_of_seeds([load(run) for run in runs])]
    studies.sort(key=lambda study: bool(study.first.trained))
    lines = ["# Results", "", *_short(studies), *_preface(), "", *_overview(studies)]
    asked = {
        system
        for study in studies
        for run in study.runs
        for table in run.metrics["tables"]
        for system in table["systems"]
    }
    lines += ["## Systems", "", "| system | what it is |", "| --- | --- |"]
    lines += [f"| {name} | {escape(system.about)} |" for name, system in SYSTEMS.items() if name in asked]
    lines += ["", *_bars(studies)]
    for study in studies:
        lines += _section(study, examples)
    return "\n".join(lines).rstrip() + "\n"


@dataclass(frozen=True)
class _Study:
    """A run, or the runs of one recipe with several seeds.

    Attributes:
        runs: At least one; what is of a single run is of the first.
        over_seeds: D -> the table of the averaged scores; empty for a single run.
    """

    runs: Sequence[StoredRun]
    over_seeds: Mapping[str, SeedTable]

    @classmethod
    def of(cls, runs: Sequence[StoredRun]) -> _Study:
        """Average the scores of several seeds."""
        common = [source for source in runs[0].asked if all(source in run.asked for run in runs)]
        return cls(runs, {source: over_seeds(runs, source) for source in common} if len(runs) > 1 else {})

    @property
    def first(self) -> StoredRun:
        """The run of the first seed."""
        return self.runs[0]

    @property
    def sources(self) -> str:
        """The benchmark that is asked, and what else its models were trained on."""
        return "+".join((self.first.recipe.data.source, *self.first.recipe.data.also))

    @property
    def name(self) -> str:
        """How it is called in sentences."""
        name = self.first.name if self.first.name == self.sources else f"{self.first.name} ({self.sources})"
        return f"{name}, mean of {len(self.runs)} seeds" if self.over_seeds else name

    @property
    def metrics(self) -> Mapping[str, Any]:
        """The tables, over all seeds."""
        if not self.over_seeds:
            return self.first.metrics
        return {"tables": [found.table for found in self.over_seeds.values()]}

    @property
    def stands_in(self) -> bool:
        """Whether D is of a corpus that is not the benchmark's, so that only reference metrics say anything."""
        return any(stand_in_note(source, "") for source in self.first.recipe.data.source.split("+"))

    @property
    def has_bars(self) -> bool:
        """Whether bars are set: its own models, both stages among them, were asked about passages."""
        both = {"rac", "grounded"} <= set(self.first.metrics["tables"][0]["systems"])
        return both and not self.first.trained and not self.stands_in


def _short(studies: Sequence[_Study]) -> list[str]:
    """Return what to read first, bars met and missed: a paragraph on the main benchmark, a list of the others."""
    compared = sorted((s for s in studies if s.has_bars), key=lambda study: study.sources != MAIN)
    if not compared:
        return []
    first, *others = (escape(in_words(s.name, bars_of(s.metrics, s.sources))) for s in compared)
    return [first, "", *(f"- {line}" for line in others), *([""] if others else [])]


def _preface() -> list[str]:
    return [
        "Written by `rac report` from run directories; no number here was typed. Intervals are 95 % (cluster",
        "bootstrap), tests are approximate randomisation over clusters with Holm's correction. **Bold** is the best",
        "system of a column and ≈ marks those whose distance to it is not significant. Every system of a table, gold",
        "included, is scored against the same D.",
    ]


def _overview(studies: Sequence[_Study]) -> list[str]:
    """Return a table with one line for each run: what stage 2 changes there."""
    rows = []
    shown: list[MetricInfo] = []
    for study in sorted(studies, key=lambda study: (bool(study.first.trained), study.sources != MAIN)):
        entry = study.metrics["tables"][0]
        table = Table(entry["name"], entry["systems"], entry["comparisons"])
        if not {"rac", "grounded"} <= set(table.systems):
            continue
        both = [row for row in table.comparisons if {row["a"], row["b"]} == {"rac", "grounded"}]
        infos = {info["name"]: MetricInfo(**info) for info in study.first.metrics["metrics"]}
        shown = [infos[name] for name in _AT_A_GLANCE]
        cells = []
        for metric in shown:
            before, after = (table.systems[system].get(metric.name) for system in ("grounded", "rac"))
            if before is None or after is None or (study.stands_in and metric.group != REFERENCE):
                cells.append("–")
            else:
                means = f"{format_value(before['mean'], metric)} → {format_value(after['mean'], metric)}"
                sure = any(row["metric"] == metric.name and row["significant"] for row in both)
                cells.append(f"**{means}**" if sure else means)
        source, asked = next(iter(study.first.asked.items()))
        rows.append(f"| {escape(study.name)} | {source} | {len(asked)} | {' | '.join(cells)} |")
    if not rows:
        return []
    return [
        "## What stage 2 changes",
        "",
        "`grounded` → `rac`, in bold where they differ significantly after correction over all pairs of the run's",
        "table, which has the differences with their intervals and p:",
        "",
        "| run | D | queries | " + " | ".join(escape(m.heading) for m in shown) + " |",
        "| --- | --- | ---: |" + " ---: |" * len(shown),
        *rows,
        "",
    ]


def _bars(studies: Sequence[_Study]) -> list[str]:
    found = []
    for study in studies:
        if not study.has_bars:
            continue
        found += [(study.name, bar) for bar in bars_of(study.metrics, study.sources)]
        if study.over_seeds:
            for run in study.runs:
                bars = bars_of(run.metrics, study.sources)
                found += [(f"{run.name}, seed {run.recipe.seed}", bar) for bar in bars]
    others = [s for s in studies if s.first.recipe.data.source != MAIN and not s.first.trained and not s.stands_in]
    # A pooled run stands for its parts.
    pooled = {
        part for s in others for part in s.first.recipe.data.source.split("+") if part != s.first.recipe.data.source
    }
    counted = [s for s in others if s.first.recipe.data.source not in pooled and gain_of(s.metrics) is not None]
    found += [("all but the main one", bar) for bar in over_all({s.name: s.metrics for s in counted}, _pooled(counted))]
    if not found:
        return []
    rows = []
    for name, bar in found:
        verdict = {True: "met", False: "**missed**", None: "not measured"}[bar.met]
        rows.append("| " + " | ".join([*map(escape, (name, bar.name, bar.wanted, bar.found)), verdict]) + " |")
    head = [
        "## Bars",
        "",
        "p-values of the order of systems on the main benchmark, and those of the bar on at least one of the others,",
        "are corrected (Holm) over the comparisons of that bar; every other p is of a single comparison, that of the",
        "pooled queries included.",
        "",
    ]
    return [*head, "| run | bar | wanted | found | |", "| --- | --- | --- | --- | --- |", *rows, ""]


def _pooled(studies: Sequence[_Study]) -> PairedTest | None:
    """Test ``rac`` against ``grounded`` on the headline over the queries of several studies.

    Each query counts once: with its mean over seeds where a study has several. None for fewer than two studies, and
    where two of them ask the same source.
    """
    if len(studies) < 2 or len({study.sources for study in studies}) < len(studies):
        return None
    scores: dict[str, list[float | None]] = {"rac": [], "grounded": []}
    clusters: list[str] = []
    for study in studies:
        source = first_source(study.metrics)
        clusters += [f"{study.name}: {one.cluster}" for one in study.first.asked[source]]
        for system, values in scores.items():
            columns = [run.scores[source][system]["headline"] for run in study.runs]
            values += [known_mean(column) for column in zip(*columns, strict=True)]
    return paired_test(scores["rac"], scores["grounded"], clusters, studies[0].first.recipe.seed)


def _section(study: _Study, examples: int) -> list[str]:
    run = study.first
    infos = [MetricInfo(**info) for info in run.metrics["metrics"]]
    if study.stands_in:
        infos = [info for info in infos if info.group == REFERENCE]
    lines = [f"## {escape(run.name)}", "", *_seeds(study, infos), *_made(run), ""]
    if run.trained:
        lines += [f"The models are those of {escape(run.trained)}; nothing was trained on these queries.", ""]
    lines += [f"> **Note:** {escape(note)}" for note in run.metrics["notes"]]
    lines += ["", f"Signature: `{run.metrics['signature']}`", ""]
    lines += [] if study.stands_in else _rivals(run)
    for entry in run.metrics["tables"]:
        lines += _table(entry, infos)
    lines += _questions(run, examples)
    return lines


def _rivals(run: StoredRun) -> list[str]:
    seconds = {
        name.removeprefix("predict-"): _seconds_a_question(stage)
        for name, stage in run.stages.items()
        # Times of two machines say nothing of two systems.
        if name.startswith("predict-") and stage.get("machine") == run.stages.get("predict-rac", {}).get("machine")
    }
    found = rivals_of(run.metrics, seconds)
    return ["; ".join(rival.in_words() for rival in found) + ".", ""] if found else []


def _seconds_a_question(stage: Mapping[str, Any]) -> float:
    """Return the time of a stage that asks by question; 0 where it is not known, since all answers were found done."""
    counts = stage["counts"]
    asked = sum(value for name, value in counts.items() if name.endswith(": asked")) - counts.get(FOUND_DONE, 0)
    each = stage["seconds"] / asked if asked > 0 else 0.0
    # No model answers faster: the answers were found done by a version that did not count them.
    return each if each > 0.01 else 0.0


def _seeds(study: _Study, infos: Sequence[MetricInfo]) -> list[str]:
    """Return the tables over several seeds; what follows them is of the first seed."""
    if not study.over_seeds:
        return []
    lines = []
    for found in study.over_seeds.values():
        table = Table(found.table["name"], found.table["systems"], found.table["comparisons"], found.table["note"])
        printed = shown_metrics(ReportData("", list(infos), [table]), table)
        main = [m for m in printed if m.name in _MAIN]
        seeds = ", ".join(map(str, found.seeds))
        lines += [
            f"### {escape(table.name)} (seeds {seeds})",
            "",
            escape(table.note),
            "",
            metrics_table(table, main),
            "",
        ]
        lines += differences_table(table, main_metrics(printed))
        lines += seed_means(found.by_seed, main)
    return [*lines, f"What follows is of seed {study.first.recipe.seed}.", ""]


def main_metrics(shown: Sequence[MetricInfo]) -> list[MetricInfo]:
    """Return the metrics on which systems are set against ``rac``."""
    return [m for m in shown if m.name in _AGAINST]


def _table(entry: dict[str, Any], infos: list[MetricInfo]) -> list[str]:
    table = Table(entry["name"], entry["systems"], entry["comparisons"], entry.get("note", ""))
    shown = shown_metrics(ReportData("", infos, [table]), table)
    main = [m for m in shown if m.name in _MAIN]
    lines = [f"### {escape(table.name)}", "", escape(table.note), "", metrics_table(table, main), ""]
    if "rac" in table.systems:
        lines += differences_table(table, main_metrics(shown))
    else:
        unsure = [(m, order_statement(table, m)) for m in main if m.better]
        lines += [f"- {escape(m.title)}: {escape(text)}" for m, text in unsure if "NOT significant" in text]
    rest = [m for m in shown if m.name not in _MAIN]
    return [
        *lines,
        "",
        "<details><summary>all other metrics</summary>",
        "",
        metrics_table(table, rest),
        "",
        "</details>",
        "",
    ]


def _made(run: StoredRun) -> list[str]:
    """Return what the run was made of: stages, counts, time, memory, versions."""
    lines = [
        "| stage | time | peak memory | figures |",
        "| --- | ---: | ---: | --- |",
    ]
    total = 0.0
    peak = 0
    later = sorted((record["finished"], name) for name, record in run.stages.items() if name not in _ORDER)
    for name in [*(n for n in _ORDER if n in run.stages), *(name for _, name in later)]:
        record = run.stages[name]
        total += record["seconds"]
        peak = max(peak, record["peak_memory_mb"])
        figures = escape(flat(record["counts"]))
        lines.append(
            f"| {name} | {format_seconds(record['seconds'])} | {record['peak_memory_mb']} MB | {figures} |"
        )  # fmt: skip
    versions = ", ".join(f"{k} {v}" for k, v in run.stages["data"]["versions"].items())
    lines.append(f"| all | {format_seconds(total)} | {peak} MB | seed {run.stages['data']['seed']}; {versions} |")
    places: dict[str, list[str]] = {}
    for name, record in run.stages.items():
        places.setdefault(record.get("machine", "a machine that is not recorded"), []).append(name)
    if len(places) > 1:
        # The machine of most stages needs no list of them.
        most, *others = sorted(places, key=lambda place: -len(places[place]))
        elsewhere = "; ".join(f"{place}: {', '.join(sorted(places[place]))}" for place in others)
        lines += ["", escape(f"Times are of {most}, but for these. {elsewhere}.")]
    elif run.stages["data"].get("machine"):
        lines += ["", escape(f"Times are of {next(iter(places))}.")]
    kept = "A stage that was interrupted, or found its samples or answers done, counts from its last start."
    return [*lines, "", kept, *_validations(run)]


def _validations(run: StoredRun) -> list[str]:
    """Return a table of how each training that was watched asked validation queries, at its start and as it is kept."""
    watched: list[tuple[str, dict[str, Any], dict[str, float], dict[str, float]]] = []
    for _, name in sorted((record["finished"], name) for name, record in run.stages.items()):
        training = run.stages[name]["counts"].get("training", {})
        history = training.get("validation", {})
        start, kept = history.get("0"), history.get(str(training.get("selected_step")))
        if start and kept:
            watched.append((name, training, start, kept))
    names = sorted({n for _, _, start, _ in watched for n in start})
    rows = []
    for name, training, start, kept in watched:
        figures = (f"{start[n]:.3f} → {kept[n]:.3f}" if n in start and n in kept else "–" for n in names)
        rows.append(f"| {name} | {training['selected_step']} of {training['steps']} | {' | '.join(figures)} |")
    if not rows:
        return []
    return [
        "",
        "Questions to validation queries of the training side by the selection scorer, before each training → with the",
        "weights that are kept:",
        "",
        f"| training | step kept | {' | '.join(n.replace('_', ' ') for n in names)} |",
        f"| --- | ---: | {' | '.join('---:' for _ in names)} |",
        *rows,
    ]


def flat(counts: dict[str, Any], prefix: str = "") -> str:
    """Return the counts of a stage as one sentence; of a training, the figures that readers compare."""
    parts = []
    for key, value in counts.items():
        if isinstance(value, dict):
            if key == "training":
                value = {k: value[k] for k in _TRAINING_FIGURES if k in value}
            parts.append(flat(value, f"{prefix}{key} "))
        elif isinstance(value, float):
            parts.append(f"{prefix}{key} {value:.3g}")
        elif isinstance(value, int | str):
            parts.append(f"{prefix}{key} {value}")
    return ", ".join(p for p in parts if p)


def _questions(run: StoredRun, count: int) -> list[str]:
    """Return every system's question for evenly spaced queries of the first table: not chosen by how good they are."""
    source = next(iter(run.asked))
    known = run.asked[source]
    picked = [known[i * len(known) // count] for i in range(min(count, len(known)))]
    if not picked:
        return []
    lines = [f"### Questions to {len(picked)} evenly spaced queries ({source} passages)", ""]
    for one in picked:
        lines += [f"**{escape(one.query)}**", ""]
        for system, question in one.questions.items():
            flags = f" ({', '.join(one.flags[system])})" if one.flags.get(system) else ""
            lines.append(f"- {system}: {escape(question) or '(nothing)'}{flags}")
        lines.append("")
    return lines
