"""The description of a benchmark as text for people; ``rac.benchmarks.describe`` makes it."""

from __future__ import annotations

from typing import Any


def render(found: dict[str, Any]) -> str:
    """Return what ``rac describe --json`` prints as readable text."""
    lines: list[str] = []
    about = found.get("benchmark")
    if about:
        lines += [f"{about['title']}", f"  source    {about['url']}", f"  licence   {about['licence']}"]
        lines += [f"  cite      {about['citation']}", f"  passages  {about['passages']}"]
        lines += [f"  splits    {about['splitting']}", f"  not here  {about['missing']}"]
    else:
        lines.append(found["source"])
    lines += ["", "Read"] + [f"  {count:>8,}  {name}" for name, count in found["counts"].items()]
    for name, part in found["splits"].items():
        lines += ["", f"Split {name} (lengths in {_unit(found)}: mean, median, 95 %, longest)"]
        lines += _split_lines(part)
    corpus = found["corpus"]
    if corpus["passages"]:
        lines += ["", "Corpus", f"  passages                 {corpus['passages']:,}"]
        lines.append(f"  same text as another     {corpus['repeated_texts']:,}")
        lines.append(f"  length                   {_spread(corpus['tokens'])}")
    lines += ["", "Shared between splits (of the second, also in the first)"]
    pairs = [f"  {pair['from']} -> {pair['to']}: {_overlap(pair)}" for pair in found["leakage"]]
    lines += pairs or ["  one split only"]
    lines += ["", "Shared with other benchmarks (of this one, also in the other)"]
    lines += [f"  {name}: {_overlap(pair)}" for name, pair in found["shared"].items()] or ["  nothing"]
    lines.append(f"  compared with: {', '.join(found['compared']) or 'none'}")
    if found["not_here"]:
        lines.append(f"  not here: {', '.join(found['not_here'])}")
    retrieved = found.get("retrieved_grounding")
    if retrieved:
        lines += ["", f"Gold questions against the top {retrieved['top_k']} of {retrieved['index']}"]
        lines += [f"  {_grounding(retrieved)}"]
        if "gold_recall" in retrieved:
            lines.append(f"  gold passages found: {retrieved['gold_recall']:.1%}")
        if "note" in retrieved:
            lines.append(f"  note: {retrieved['note']}")
    if found["notes"]:
        lines += ["", "Noticed in the texts (kept as they are)"]
        lines += [f"  {count:>8,}  {name}" for name, count in found["notes"].items()]
    return "\n".join(lines)


def _unit(found: dict[str, Any]) -> str:
    return "words and marks" if found["unit"] == "words" else f"tokens of {found['unit']}"


def _split_lines(part: dict[str, Any]) -> list[str]:
    lines = [
        f"  queries                  {part['queries']:,} ({part['different_queries']:,} different, "
        f"{part['groups']:,} groups, {part['with_history']:,} with history, {part['with_labels']:,} with labels)",
        f"  gold questions           {part['questions']:,} ({part['without_question']:,} queries have none)",
    ]
    for key, title in (
        ("questions_per_query", "questions per query"),
        ("facets_per_query", "facets per query"),
        ("gold_passages_per_query", "gold passages per query"),
        ("query_tokens", "query length"),
        ("question_tokens", "question length"),
        ("passage_tokens", "gold passage length"),
    ):
        lines.append(f"  {title:<24} {_spread(part[key])}")
    lines.append(f"  gold words in passages   {_grounding(part['grounding'])}")
    lines.append(f"  facet words in passages  {_grounding(part['facet_grounding'])}")
    if "natural" in part:
        natural = part["natural"]
        lines.append(f"  natural queries          {natural['queries']:,}: {_grounding(natural['grounding'])}")
    return lines


def _spread(values: dict[str, Any]) -> str:
    if not values["n"]:
        return "none"
    return f"{values['mean']:.1f}, {values['median']:g}, {values['p95']:g}, {values['max']:g}  (n {values['n']:,})"


def _grounding(values: dict[str, Any]) -> str:
    if not values["scored"]:
        return f"unscored ({values['unscored']:,}: no passages, or no word beside the query)"
    return (
        f"{values['mean']:.1%} of words, {values['full']:.1%} with all  "
        f"(n {values['scored']:,}, {values['unscored']:,} unscored)"
    )


def _overlap(pair: dict[str, Any]) -> str:
    parts = []
    for key, of, title in (
        ("queries", "of_queries", "queries"),
        ("near_queries", "of_queries", "nearly equal queries"),
        ("groups", "of_groups", "groups"),
        ("questions", "of_questions", "gold questions"),
        ("passages", "of_passages", "gold passages"),
    ):
        if pair[of]:
            parts.append(f"{pair[key]:,} of {pair[of]:,} {title}")
    return "; ".join(parts) or "nothing to compare"
