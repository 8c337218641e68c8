"""Letting a language model judge the questions of several systems: means with intervals, or one system against another.

The same sources as annotation sheets (``rac.annotation_sources``), so people and judge see the same D.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from rac.annotate import Asked
from rac.errors import UserError, did_you_mean
from rac.generation.openai_settings import OpenAIServer
from rac.metrics.judge import CRITERIA, VERDICTS, PairJudgement, judge_pairs, judge_questions, signature
from rac.metrics.significance import bootstrap_ci, compare_systems, paired_test
from rac.metrics.verdicts import VerdictAsker


def make_server(**settings: Any) -> OpenAIServer:
    """Return the settings of a server; what is wrong with them is one sentence."""
    try:
        return OpenAIServer(**settings)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        raise UserError(
            f"the judge's server cannot be used: {name} {first['msg'].removeprefix('Value error, ')}; check --url, "
            "--model and the limits"
        ) from error


@dataclass(frozen=True)
class JudgedSystems:
    """What the judge says, as plain JSON values.

    Attributes:
        systems: system -> criterion -> mean with interval.
        comparisons: Tests of every pair of systems on every criterion, corrected per criterion.
        pairs: Only for one system against another: verdict -> preference with interval and p.
        rows: One per judged question (or pair): grades, reason, unsupported parts, the raw reply.
        reasons: Why questions were not judged -> count.
        spent: Requests, tokens, cost, replies from the cache, refused replies.
        signature: What made the scores.
    """

    systems: dict[str, dict[str, Any]]
    rows: list[dict[str, Any]]
    reasons: dict[str, int]
    spent: dict[str, Any]
    signature: str
    comparisons: list[dict[str, Any]] = field(default_factory=list)
    pairs: dict[str, dict[str, Any]] = field(default_factory=dict)


def judge_systems(asked: Sequence[Asked], asker: VerdictAsker, *, seed: int = 0) -> JudgedSystems:
    """Grade every question by the rubric, and compare the systems on the queries that all of them have.

    Args:
        asked: The questions of all systems.
        asker: The server that judges.
        seed: Of the bootstrap and the tests.
    """
    found = judge_questions([a.question for a in asked], [a.query for a in asked], [a.passages for a in asked], asker)
    rows: list[dict[str, Any]] = [
        {
            "id": a.id, "system": a.system, "cluster": a.cluster or a.id, "question": a.question, **j.row(),
            "unsupported": list(j.unsupported), "reasoning": j.reasoning, "reason": j.reason, "raw": j.raw,
        }
        for a, j in zip(asked, found, strict=True)
    ]  # fmt: skip
    names = list(dict.fromkeys(a.system for a in asked))
    by_system = {name: {row["id"]: row for row in rows if row["system"] == name} for name in names}
    columns = [f"judge_{criterion}" for criterion in CRITERIA]
    systems = {
        name: {
            c: bootstrap_ci([r[c] for r in own.values()], [r["cluster"] for r in own.values()], seed).to_dict()
            for c in columns
        }
        for name, own in by_system.items()
    }
    common = [i for i in by_system[names[0]] if all(i in own for own in by_system.values())] if names else []
    scores = {name: {c: [own[i][c] for i in common] for c in columns} for name, own in by_system.items()}
    clusters = [by_system[names[0]][i]["cluster"] for i in common] if names else []
    comparisons = [row.to_dict() for row in compare_systems(scores, clusters, seed)] if common else []
    return JudgedSystems(systems, rows, _reasons(rows), _spent(asker), signature(asker), comparisons)


def judge_against(
    asked: Sequence[Asked], first: str, second: str, asker: VerdictAsker, *, seed: int = 0
) -> JudgedSystems:
    """Let the judge choose between two systems' questions for each query that both have, in both orders.

    A preference is the mean of 1 (first is better), 0 (second is) and 0.5 (neither, or the judge followed the order).

    Raises:
        UserError: for an unknown system, the same system twice, or no query that both have.
    """
    known = {a.system for a in asked}
    for name in (first, second):
        if name not in known:
            raise UserError(f"no system is called '{name}'; {did_you_mean(name, known)}")
    if first == second:
        raise UserError(f"'{first}' cannot be compared with itself; name two systems")
    one = {a.id: a for a in asked if a.system == first}
    two = {a.id: a for a in asked if a.system == second}
    ids = [i for i in one if i in two]
    if not ids:
        raise UserError(f"'{first}' and '{second}' have no query in common, so nothing can be compared")
    found = judge_pairs(
        [one[i].question for i in ids], [two[i].question for i in ids], [one[i].query for i in ids],
        [one[i].passages for i in ids], asker,
    )  # fmt: skip
    clusters = [one[i].cluster or i for i in ids]
    pairs = {}
    for verdict in VERDICTS:
        values = [getattr(j, verdict) for j in found]
        # 1 - value is the preference for the second: swapping the two systems flips the sign of the difference.
        test = paired_test(values, [None if v is None else 1 - v for v in values], clusters, seed)
        pairs[verdict] = {
            **bootstrap_ci(values, clusters, seed).to_dict(), "p": test.p, "consistent": _consistent(found, verdict),
        }  # fmt: skip
    rows = [
        {
            "id": i, "first": first, "second": second, **{v: getattr(j, v) for v in VERDICTS},
            "consistent": dict(j.consistent), "reason": j.reason, "raw": list(j.raw),
        }
        for i, j in zip(ids, found, strict=True)
    ]  # fmt: skip
    return JudgedSystems({}, rows, _reasons(rows), _spent(asker), signature(asker), pairs=pairs)


def _consistent(found: Sequence[PairJudgement], verdict: str) -> float | None:
    """Return the share of judged pairs whose verdict was the same in both orders."""
    judged = [dict(j.consistent)[verdict] for j in found if j.consistent]
    return sum(judged) / len(judged) if judged else None


def _reasons(rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    return dict(sorted(Counter(row["reason"].split(":")[0] for row in rows if row["reason"]).items()))


def _spent(asker: VerdictAsker) -> dict[str, Any]:
    spending = asker.spending
    return {
        "requests": spending.requests, "from the cache": asker.cached, "refused replies": asker.refused,
        "retries": spending.retries, "prompt tokens": spending.input_tokens, "reply tokens": spending.output_tokens,
        "cost": round(spending.cost, 6),
    }  # fmt: skip
