"""The bars that results are held against, computed from a run's numbers: what was wanted, what was found, met or not.

P-values of the order of systems, and those of the bar on at least one of the other benchmarks, are corrected with
Holm's method over the comparisons that the bar plans, not over every pair of a table: these few were fixed before
anything was measured. The others are of one comparison each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rac.metrics.significance import ALPHA, PairedTest, holm
from rac.report.data import format_p

MAIN = "claqua"
"""The benchmark whose run is held against all bars; other runs only against ``grounded``."""

RUNGS = (("rac", "grounded"), ("grounded", "ungrounded"), ("rac", "base"), ("rac", "rac-paper"))
"""What the headline must put in this order."""


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes:
        name: What it is about.
        wanted: What was to be reached.
        found: What was.
        met: Whether it was; None if the run does not measure it.
    """

    name: str
    wanted: str
    found: str
    met: bool | None


class _Tables:
    """Finds numbers in ``metrics.json``."""

    def __init__(self, metrics: Mapping[str, Any]) -> None:
        self._tables = {(t.get("passages", ""), t.get("subset", "all")): t for t in metrics["tables"]}

    def mean(self, metric: str, system: str, source: str = "retrieved", subset: str = "all") -> float | None:
        table = self._tables.get((source, subset))
        value = table["systems"].get(system, {}).get(metric, {}).get("mean") if table else None
        return None if value is None else float(value)

    def difference(self, metric: str, a: str, b: str, source: str = "retrieved") -> tuple[float, float | None] | None:
        """Return a - b and its uncorrected p-value."""
        table = self._tables.get((source, "all"))
        for row in table["comparisons"] if table else ():
            if row["metric"] == metric and {row["a"], row["b"]} == {a, b} and row["difference"] is not None:
                return (row["difference"] if row["a"] == a else -row["difference"]), row["p"]
        return None


def bars_of(metrics: Mapping[str, Any], source: str) -> list[Bar]:
    """Return the bars of a run.

    Args:
        metrics: The content of its ``metrics.json``.
        source: The benchmark or other source of its queries.
    """
    tables = _Tables(metrics)
    if source == MAIN:
        return [*_order(tables), *_shares(tables), *_overlap(tables), _options(tables), *_template(tables)]
    return _other(tables, first_source(metrics))


def first_source(metrics: Mapping[str, Any]) -> str:
    """Return the D of a run's first table: the one that counts where a run has no retrieved passages."""
    return str(metrics["tables"][0].get("passages", "retrieved"))


def gain_of(metrics: Mapping[str, Any]) -> tuple[float, float | None] | None:
    """Return how far ``rac`` is above ``grounded`` on the headline, and the uncorrected p; None if not measured."""
    return _Tables(metrics).difference("headline", "rac", "grounded", first_source(metrics))


def _order(tables: _Tables) -> list[Bar]:
    found = [tables.difference("headline", a, b) for a, b in RUNGS]
    corrected = holm([None if f is None else f[1] for f in found])
    return [
        _better(f"headline: {a} above {b}", one, p) for (a, b), one, p in zip(RUNGS, found, corrected, strict=True)
    ]  # fmt: skip


def _better(name: str, found: tuple[float, float | None] | None, p: float | None) -> Bar:
    wanted = f"higher, p < {ALPHA:g}"
    if found is None:
        return Bar(name, wanted, "not measured", None)
    met = found[0] > 0 and p is not None and p < ALPHA
    return Bar(name, wanted, f"{found[0]:+.3f} ({_p(p)})", met)


def _p(p: float | None) -> str:
    return f"p = {format_p(p)}".replace("= <", "<")


def _shares(tables: _Tables) -> list[Bar]:
    bars = [
        _limit(f"good questions, {source} passages", tables.mean("good", "rac", source), at_least=least)
        for source, least in (("gold", 0.90), ("retrieved", 0.85))
    ]
    own, other = tables.mean("hallucinated", "rac"), tables.mean("hallucinated", "grounded")
    if own is None or other is None:
        bars.append(Bar("hallucinated", "at most half of grounded's, or under 5 %", "not measured", None))
    else:
        bars.append(
            Bar(
                "hallucinated",
                "at most half of grounded's, or under 5 %",
                f"{100 * own:.1f} % against {100 * other:.1f} %",
                own <= other / 2 or own < 0.05,
            )
        )
    bars.append(_limit("same option twice", tables.mean("same_option", "rac"), under=0.03))
    return bars


def _limit(name: str, value: float | None, *, at_least: float | None = None, under: float | None = None) -> Bar:
    wanted = f"at least {100 * at_least:.0f} %" if at_least is not None else f"under {100 * (under or 0):.0f} %"
    if value is None:
        return Bar(name, wanted, "not measured", None)
    met = value >= at_least if at_least is not None else value < (under or 0)
    return Bar(name, wanted, f"{100 * value:.1f} %", met)


def _overlap(tables: _Tables) -> list[Bar]:
    bars = []
    for subset, called in (("all", "all queries"), ("natural", "natural queries")):
        own, other = (tables.mean("rouge_l", system, subset=subset) for system in ("rac", "grounded"))
        name, wanted = f"ROUGE-L, {called}", "at most 1 point below grounded"
        if own is None or other is None:
            bars.append(Bar(name, wanted, "not measured", None))
        else:
            met, points = own >= other - 0.01, 100 * (own - other)
            # What is missed by a hair must not be shown as what was wanted.
            digits = 1 if met == (round(points, 1) >= -1) else 3
            bars.append(Bar(name, wanted, f"{points:+.{digits}f} points", met))
    return bars


def _options(tables: _Tables) -> Bar:
    own, gold = tables.mean("options", "rac"), tables.mean("options", "gold")
    if own is None or not gold:
        return Bar("options offered", "within 10 % of gold's number", "not measured", None)
    met = abs(own - gold) <= 0.1 * gold
    return Bar("options offered", "within 10 % of gold's number", f"{own:.2f} against {gold:.2f}", met)


def _template(tables: _Tables) -> list[Bar]:
    names = [n for n in ("template", "template-titles") if tables.mean("headline", n) is not None]
    own = tables.mean("headline", "rac")
    if not names or own is None:
        return [Bar("headline against the better template", "at most 0.03 below", "not measured", None)]
    best = max(names, key=lambda n: tables.mean("headline", n) or 0.0)
    other = tables.mean("headline", best) or 0.0
    found = tables.difference("delta_ndcg", "rac", best)
    return [
        Bar(f"headline against {best}", "at most 0.03 below", f"{own - other:+.3f}", own >= other - 0.03),
        _better(f"retrieval gain (ΔnDCG@10) above {best}", found, found[1] if found else None),
    ]


def _other(tables: _Tables, source: str) -> list[Bar]:
    bars = []
    found = tables.difference("headline", "rac", "grounded", source)
    name, wanted = "headline: rac against grounded", "not lower"
    if found is None:
        bars.append(Bar(name, wanted, "not measured", None))
    else:
        sure = ", significant" if found[0] > 0 and found[1] is not None and found[1] < ALPHA else ""
        bars.append(Bar(name, wanted, f"{found[0]:+.3f} ({_p(found[1])}{sure})", found[0] >= 0))
    for metric, called in (("rouge_l", "ROUGE-L"), ("info", "informativeness")):
        found = tables.difference(metric, "rac", "grounded", source)
        name, wanted = f"{called}: rac against grounded", "no significant loss"
        if found is None:
            bars.append(Bar(name, wanted, "not measured", None))
        else:
            lost = found[0] < 0 and found[1] is not None and found[1] < ALPHA
            bars.append(Bar(name, wanted, f"{found[0]:+.3f} ({_p(found[1])})", not lost))
    return bars


def over_all(found: Mapping[str, Mapping[str, Any]], pooled: PairedTest | None = None) -> list[Bar]:
    """Return the bars on all benchmarks but the main one together; none for fewer than two.

    Args:
        found: Name of a run -> the content of its ``metrics.json``; no query in two of them.
        pooled: ``rac`` against ``grounded`` on the headline over the queries of all of them.
    """
    differences = {name: gain_of(metrics) for name, metrics in found.items()}
    measured = {name: one for name, one in differences.items() if one is not None}
    if len(measured) < 2:
        return []
    corrected = holm([p for _, p in measured.values()])
    sure = [
        name
        for (name, (gain, _)), p in zip(measured.items(), corrected, strict=True)
        if gain > 0 and p is not None and p < ALPHA
    ]
    told = f"on {', '.join(sure)}" if sure else "on none"
    name = "headline: rac above grounded"
    bars = [Bar(name, f"p < {ALPHA:g} on at least one", f"{told} of {len(measured)}", bool(sure))]
    if pooled is not None and pooled.difference is not None:
        asked = f"{pooled.n + pooled.unscored} queries pooled" + f", {pooled.unscored} unscored" * bool(pooled.unscored)
        bars.append(_better(f"{name}, {asked}", (pooled.difference, pooled.p), pooled.p))
    return bars


@dataclass(frozen=True)
class Rival:
    """A system that needs no stage 2, set against ``rac``.

    Attributes:
        system: Its name.
        difference: Its headline minus that of ``rac``.
        p: Uncorrected.
        cost: Its time to ask, as a multiple of that of ``rac``; None where it is not known.
    """

    system: str
    difference: float
    p: float | None
    cost: float | None

    def in_words(self) -> str:
        """Return what it reaches and what it costs in a sentence."""
        if self.p is not None and self.p < ALPHA:
            verdict = "is above" if self.difference > 0 else "stays below"
        else:
            verdict = "is not told apart from"
        cost = "" if self.cost is None else f", and takes {self.cost:.1f} times as long to ask"
        return f"`{self.system}` {verdict} `rac` on the headline ({self.difference:+.3f}, {_p(self.p)}){cost}"


RIVALS = ("grounded-best-of-n", "context-aware", "grounded-continued", "rac-best-of-n")
"""What reaches, or might reach, as much as ``rac`` in another way."""


def rivals_of(metrics: Mapping[str, Any], seconds: Mapping[str, float]) -> list[Rival]:
    """Set ``rac`` against what reaches as much without stage 2, or with more work for each question.

    Args:
        metrics: The content of a run's ``metrics.json``; its first D counts.
        seconds: System -> time to ask a question; 0 or none where it is not known.
    """
    tables = _Tables(metrics)
    source = first_source(metrics)
    found = []
    for system in RIVALS:
        one = tables.difference("headline", system, "rac", source)
        if one is not None:
            known = seconds.get(system, 0.0) > 0 and seconds.get("rac", 0.0) > 0
            found.append(Rival(system, *one, seconds[system] / seconds["rac"] if known else None))
    return found


def in_words(name: str, bars: Sequence[Bar]) -> str:
    """Return one paragraph that says how many bars a run meets, and which it misses by how much."""
    met = [b for b in bars if b.met]
    missed = [b for b in bars if b.met is False]
    unknown = [b for b in bars if b.met is None]
    measured = len(met) + len(missed)
    parts = [f"On {name}, {len(met)} of {measured} bars are met."]
    if missed:
        parts.append("Missed: " + "; ".join(f"{b.name}: {b.found}, wanted {b.wanted}" for b in missed) + ".")
    if unknown:
        parts.append(f"Not measured: {'; '.join(b.name for b in unknown)}.")
    return " ".join(parts)
