"""What a report shows, as plain values: the pipeline fills it, HTML and Markdown are written from the same numbers.

A ``ReportData`` holds tables (one per subset of the queries: all, natural, ...), the queries with their passages, and
one item per system and query. Nothing here computes a metric.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NotRequired, TypedDict

from rac.errors import UserError
from rac.metrics.significance import ALPHA

_INVISIBLE = " \u00a0\u202f\u00ad\u200c\u200d"
"""What Python calls not printable and words are made of: blanks that do not break, soft hyphens, joiners."""


class Summary(TypedDict):
    """Mean of a metric with its interval; None where nothing was scored or no interval can be had."""

    mean: float | None
    low: float | None
    high: float | None
    n: int
    unscored: int


class Evidence(TypedDict):
    """Words of a passage that carry a claim: character offsets (end exclusive) into a field of the passage."""

    passage: str
    """Id of the passage."""
    start: int
    end: int
    field: NotRequired[str]
    """``text`` (the default), ``title``, ``description``, or ``types`` (offsets into the types joined by ", ")."""


class ClaimRow(TypedDict):
    """A claim of a question: its span in the question, its support and where that support lies."""

    text: str
    kind: str
    """OPTION, ATTRIBUTE, TOPIC or NOT-TYPE."""
    start: int
    end: int
    support: float | None
    """s_j in 0..1, None if it could not be scored."""
    supported: bool | None
    evidence: NotRequired[list[Evidence]]
    distinguishing: NotRequired[bool]


class PassageRow(TypedDict):
    """A passage as shown; ``gold`` marks one that belongs to the query by the source's own word."""

    id: str
    title: NotRequired[str]
    types: NotRequired[list[str]]
    description: NotRequired[str]
    text: NotRequired[str]
    gold: NotRequired[bool]


class QueryRow(TypedDict):
    """A query with its D; ``golds`` are reference questions."""

    id: str
    query: str
    passages: list[PassageRow]
    golds: NotRequired[list[str]]
    cluster: NotRequired[str]


class ItemRow(TypedDict):
    """One system's question for one query, with its scores and claims."""

    id: str
    """Id of the query."""
    system: str
    question: str
    scores: dict[str, float | None]
    claims: NotRequired[list[ClaimRow]]
    flags: NotRequired[list[str]]
    """Short names of what is notable: ``unsupported option``, ``same option twice``, ``empty``, ..."""
    reason: NotRequired[str]
    """Why nothing was asked, or why a score is missing."""


class ComparisonRow(TypedDict):
    """A tested pair of systems: ``rac.metrics.significance.Comparison.to_dict()`` has these keys and more."""

    metric: str
    a: str
    b: str
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    significant: bool
    effect: NotRequired[float | None]
    n: NotRequired[int]


@dataclass(frozen=True)
class MetricInfo:
    """How a metric is named and read.

    Attributes:
        name: Key in scores and summaries.
        label: Heading of its column.
        group: Metrics of one group stand in one table ("Faithfulness", "Reference overlap", ...).
        better: ``higher``, ``lower``, or ``""`` where neither is better (length).
        about: One sentence: what it measures, and what fools it.
        percent: Whether it is shown as a percentage (shares).
    """

    name: str
    label: str = ""
    group: str = "Metrics"
    better: str = "higher"
    about: str = ""
    percent: bool = False

    def __post_init__(self) -> None:
        if self.better not in ("higher", "lower", ""):
            raise UserError(
                f"metric '{self.name}' has better='{self.better}', which says nothing about its direction; use "
                "'higher', 'lower' or ''"
            )

    @property
    def title(self) -> str:
        """The label, or the name where no label was given."""
        return self.label or self.name

    @property
    def heading(self) -> str:
        """The title with an arrow towards what is better."""
        return self.title + {"higher": " ↑", "lower": " ↓", "": ""}[self.better]


@dataclass(frozen=True)
class Table:
    """Systems x metrics over one subset of the queries."""

    name: str
    systems: dict[str, dict[str, Summary]]
    comparisons: list[ComparisonRow] = field(default_factory=list)
    note: str = ""
    passages: str = ""
    """Which D the table was scored against, where the name does not say it."""


@dataclass(frozen=True)
class ReportData:
    """Everything that a report shows.

    Attributes:
        title: Heading.
        metrics: The metrics in the order of their columns; those without a value in any table are left out.
        tables: At least one; the first is the main one.
        queries: The queries with their D.
        items: One per system and query.
        headline: Name of the metric that orders systems and questions.
        passages_used: Which D the items were scored against ("retrieved, top 5"); tables may differ (``Table``).
        signature: What made the scores.
        notes: Sentences shown above the tables (data, counts of what was dropped, models).
        warnings: Sentences that a reader must not miss (only the embedded entailment model was used, ...).
        alpha: Level of the significance statements.
    """

    title: str
    metrics: list[MetricInfo]
    tables: list[Table]
    queries: list[QueryRow] = field(default_factory=list)
    items: list[ItemRow] = field(default_factory=list)
    headline: str = "headline"
    passages_used: str = ""
    signature: str = ""
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    alpha: float = ALPHA

    @property
    def systems(self) -> list[str]:
        """Names of the systems in the order of the main table."""
        return list(self.tables[0].systems) if self.tables else []

    def check(self) -> None:
        """Refuse data that would make a wrong page.

        Raises:
            UserError: no table; a metric in a table that ``metrics`` does not name; an item of an unknown query or
                system; a claim or evidence span outside its text; evidence in a passage that D does not have.
        """
        if not self.tables:
            raise UserError("a report without a table was asked for, but there is nothing to show; give one table")
        known = {metric.name for metric in self.metrics}
        for table in self.tables:
            for system, summaries in table.systems.items():
                for name in sorted(set(summaries) - known):
                    raise UserError(
                        f"table '{table.name}' has metric '{name}' of system '{system}', which the report's metrics "
                        "do not name; add a MetricInfo for it"
                    )
        queries = {query["id"]: query for query in self.queries}
        if len(queries) != len(self.queries):
            raise UserError("two queries of a report have the same id, so items cannot be assigned; make ids unique")
        for item in self.items:
            _check_item(item, queries, self.systems)


def _check_item(item: ItemRow, queries: dict[str, QueryRow], systems: Sequence[str]) -> None:
    where = f"the item of system '{item['system']}' for query '{item['id']}'"
    if item["id"] not in queries:
        raise UserError(f"{where} belongs to no query of the report; add the query")
    if item["system"] not in systems:
        raise UserError(f"{where} belongs to no system of the main table; add the system's row")
    passages = {passage["id"]: passage for passage in queries[item["id"]]["passages"]}
    for claim in item.get("claims", []):
        if not 0 <= claim["start"] <= claim["end"] <= len(item["question"]):
            raise UserError(
                f"{where} has a claim at characters {claim['start']} to {claim['end']}, outside its question of "
                f"{len(item['question'])} characters; give spans into the question"
            )
        for evidence in claim.get("evidence", []):
            passage = passages.get(evidence["passage"])
            if passage is None:
                raise UserError(f"{where} has evidence in passage '{evidence['passage']}', which its query's D lacks")
            text = passage_field(passage, evidence.get("field", "text"))
            if not 0 <= evidence["start"] <= evidence["end"] <= len(text):
                raise UserError(
                    f"{where} has evidence at characters {evidence['start']} to {evidence['end']} of passage "
                    f"'{evidence['passage']}' ({evidence.get('field', 'text')}), which has {len(text)} characters; "
                    "give spans into the field as it is shown"
                )


def passage_field(passage: PassageRow, name: str) -> str:
    """Return the text that evidence offsets of a field refer to.

    Raises:
        UserError: for a name that is no field of a passage with text.
    """
    if name == "types":
        return ", ".join(passage.get("types", []))
    if name not in ("title", "description", "text"):
        raise UserError(f"'{name}' is no field of a passage with words in it; use text, title, description or types")
    value: Any = passage.get(name, "")
    return str(value)


def shown_metrics(data: ReportData, table: Table) -> list[MetricInfo]:
    """Return the metrics that at least one system of the table has a summary for."""
    present = {name for summaries in table.systems.values() for name in summaries}
    return [metric for metric in data.metrics if metric.name in present]


def groups(metrics: Iterable[MetricInfo]) -> dict[str, list[MetricInfo]]:
    """Return the metrics by group, both in order of appearance."""
    found: dict[str, list[MetricInfo]] = {}
    for metric in metrics:
        found.setdefault(metric.group, []).append(metric)
    return found


def is_tested(row: ComparisonRow) -> bool:
    """Whether a pair could be tested; not so with too few clusters that have both scores."""
    return row["p_holm"] is not None


def is_unsure(row: ComparisonRow) -> bool:
    """Whether a pair was tested and its order is not significant."""
    return is_tested(row) and not row["significant"]


def best_systems(table: Table, metric: MetricInfo) -> tuple[str | None, set[str]]:
    """Return the best system of a metric and those whose distance to it is not significant.

    A system that was not or could not be tested against the best one is not in the set: nothing is known about it.
    """
    means = {
        system: summaries[metric.name]["mean"]
        for system, summaries in table.systems.items()
        if metric.name in summaries and summaries[metric.name]["mean"] is not None
    }
    if not means or not metric.better:
        return None, set()
    sign = 1 if metric.better == "higher" else -1
    best = max(means, key=lambda system: sign * (means[system] or 0.0))
    near = set()
    for row in table.comparisons:
        if row["metric"] == metric.name and best in (row["a"], row["b"]) and is_unsure(row):
            near.add(row["b"] if row["a"] == best else row["a"])
    return best, near & set(means)


def order_statement(table: Table, metric: MetricInfo, alpha: float = ALPHA) -> str:
    """Say in a sentence which orders of two systems are not significant on a metric."""
    rows = [row for row in table.comparisons if row["metric"] == metric.name]
    tested = [row for row in rows if is_tested(row)]
    if not rows:
        return "no two systems were compared."
    untested = (
        "" if len(tested) == len(rows) else f" {len(rows) - len(tested)} of {len(rows)} pairs could not be tested."
    )
    unsure = [row for row in tested if is_unsure(row)]
    if not tested:
        return f"none of the {len(rows)} pairs could be tested (too few clusters with both scores)."
    if not unsure:
        one = "the order of the two systems is" if len(tested) == 1 else f"all {len(tested)} pairwise orders are"
        return f"{one} significant (p ≤ {alpha:g} after Holm's correction).{untested}"
    listed = "; ".join(f"{row['a']} – {row['b']} (p = {format_p(row['p_holm'])})" for row in unsure)
    return f"the order is NOT significant for {len(unsure)} of {len(tested)} pairs: {listed}.{untested}"


def plain(text: str) -> str:
    """Return untrusted text without control characters, which a terminal would obey, each replaced by a blank."""
    return "".join(c if c.isprintable() or c in _INVISIBLE else " " for c in text)


def format_p(p: float | None) -> str:
    """Return a p-value as printed: three decimals, ``< 0.001`` below that, ``–`` for none."""
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def format_value(value: float | None, metric: MetricInfo) -> str:
    """Return a value as printed: percentages with one decimal, small values with three, larger ones with one."""
    if value is None:
        return "–"
    if metric.percent:
        return f"{100 * value:.1f} %"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
