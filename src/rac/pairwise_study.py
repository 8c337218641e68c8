"""The pairwise reading: two systems' questions for a query side by side, and which one a reader would rather be asked.

A sheet is one of ``rac.annotate`` with two questions a row, their order drawn by seed and kept in ``key.json``. A
filled sheet gives the preference with interval and p. A reading of a run that has changed since is refused.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rac.annotate import KEY_SCHEMA, Asked, item_name, new_folder, passages_text, read_key, sheet_rows, sheet_text
from rac.errors import DataError, UserError
from rac.files import write_json, write_text
from rac.metrics.significance import bootstrap_ci, paired_test
from rac.report.data import MetricInfo, format_p, format_value
from rac.report.markdown import escape
from rac.report.stored import StoredRun

ANSWERS = ("a", "b", "tie")
COLUMNS = ("item", "query", "passages", "question_a", "question_b", "better", "comment")
GUIDELINE = """# How to compare two questions

Somebody typed an ambiguous **query**. A search assistant found the **passages** and may ask one question before it
answers. Which of the two would help more? Write **a**, **b** or **tie** under *better*; leave it empty if you cannot
decide, and say why under *comment*. Use the passages only, not what you know. Who asked is hidden; do not guess.

A question is better if

- what it offers is in the passages: each option carried by *one* passage, no attribute of one passage joined to the
  name of another;
- its options are readings of the query, and the answer would tell which passage is meant: not options that fit every
  passage, that mean the same, or that are about something the user did not ask for;
- it is understood at once. Wording counts only where the other two do not decide.
"""


def export_pairs(
    asked: Sequence[Asked], first: str, second: str, folder: Path | str, *, queries: int = 100, seed: int = 0
) -> dict[str, int]:
    """Write ``sheet.csv``, ``guideline.md`` and ``key.json``.

    Args:
        asked: The questions of both systems at least.
        first: A system.
        second: Another one.
        folder: A new or empty directory.
        queries: Queries to read, drawn at random among those that both asked something for.
        seed: Of drawing, order and sides.

    Returns:
        ``pairs`` in the sheet, and ``same``: drawn queries for which both ask the same, which are ties without reading.

    Raises:
        UserError: if the two have no query in common, are one, or the folder is not empty.
    """
    folder = new_folder(folder)
    if first == second:
        raise UserError(f"'{first}' cannot be compared with itself; name two systems")
    one, two = ({a.id: a for a in asked if a.system == name and a.question.strip()} for name in (first, second))
    common = sorted(one.keys() & two.keys())
    if not common:
        raise UserError(f"'{first}' and '{second}' have no query in common, so nothing can be compared")
    rng = random.Random(f"{seed}|pairwise")
    rng.shuffle(common)
    rows, items = [], {}
    for name in common[:queries]:
        a, b = one[name], two[name]
        swapped = rng.random() < 0.5
        item = item_name([seed, name, a.question, b.question])
        items[item] = {
            "id": name, "cluster": a.cluster or name, "questions": {first: a.question, second: b.question},
            "a": second if swapped else first, "b": first if swapped else second,
        }  # fmt: skip
        if a.question.strip() != b.question.strip():
            left, right = (b, a) if swapped else (a, b)
            rows.append(
                {
                    "name": item, "query": a.query, "passages": passages_text(a.passages),
                    "question_a": left.question, "question_b": right.question,
                }
            )  # fmt: skip
    write_text(folder / "sheet.csv", sheet_text(rows, COLUMNS, given=COLUMNS[1:5]))
    write_text(folder / "guideline.md", GUIDELINE)
    key = {"schema": KEY_SCHEMA, "form": "pairwise", "seed": seed, "systems": [first, second], "items": items}
    write_json(folder / "key.json", key)
    return {"pairs": len(rows), "same": len(items) - len(rows)}


def read_pairs(key: Path | str, sheet: Path | str) -> tuple[list[str], dict[str, dict[str, Any]]]:
    """Read a filled sheet.

    Args:
        key: ``key.json``, or the folder that it lies in.
        sheet: The filled CSV file.

    Returns:
        The two systems, and item name -> its entry of the key with ``query``, ``comment`` and ``value``: 1 where the
        first system's question is better, 0 where the second's is, 0.5 for a tie, None where left empty.

    Raises:
        DataError: naming file and line: a missing column or row, an unknown or repeated item, an answer that is none.
        UserError: if nothing is filled in.
    """
    stored, sheet = read_key(key, "pairwise", "a pairwise reading"), Path(sheet)
    first, second = stored["systems"]
    items = stored["items"]
    found: dict[str, dict[str, Any]] = {}
    for line, name, row in sheet_rows(sheet, items, ("better",)):
        answer = (row["better"] or "").strip().lower()
        if answer not in ("", *ANSWERS):
            raise DataError(sheet, f"'{answer[:20]}' is no answer; write a, b or tie", line=line, field="better")
        won = items[name].get(answer)
        value = None if not answer else 0.5 if answer == "tie" else float(won == first)
        found[name] = {
            **items[name], "query": row.get("query") or "", "comment": (row.get("comment") or "").strip(),
            "value": value,
        }  # fmt: skip
    for name, item in items.items():
        same = item["questions"][first].strip() == item["questions"][second].strip()
        if name not in found:
            if not same:
                raise DataError(sheet, f"has no row for item '{name}'; keep all rows of the exported sheet")
            found[name] = {**item, "query": "", "comment": "", "value": 0.5}
    if all(item["value"] is None for item in found.values()):
        raise UserError(f"nothing is filled in in {sheet}; write a, b or tie into the column better")
    return [first, second], found


def render_pairs(
    systems: Sequence[str], items: Mapping[str, Mapping[str, Any]], run: StoredRun, source: str, *, read_by: str,
    examples: int = 5, seed: int = 0,
) -> str:  # fmt: skip
    """Return the reading as a page: who was preferred how often, with interval and p, and examples.

    Args:
        systems: The two systems.
        items: A filled sheet.
        run: The run that the questions are of.
        source: Which D the sheet showed.
        read_by: Who or what read, as the page shall say it.
        examples: Queries shown for each side.
        seed: Of resampling and test.

    Raises:
        UserError: if the run asked something else than what was read.
    """
    run.check_outputs(
        source, ((item["id"], name, text) for item in items.values() for name, text in item["questions"].items())
    )
    first, second = systems
    rows = sorted(items.items())
    values = [item["value"] for _, item in rows]
    clusters = [item["cluster"] for _, item in rows]
    interval = bootstrap_ci(values, clusters, seed)
    test = paired_test(values, [None if v is None else 1 - v for v in values], clusters, seed)
    won = [sum(v == wanted for v in values) for wanted in (1.0, 0.5, 0.0)]
    info = MetricInfo("preference", percent=True)
    mean, low, high = (
        "–" if value is None else format_value(value, info) for value in (interval.mean, interval.low, interval.high)
    )
    lines = [
        f"# Pairwise reading: {escape(first)} or {escape(second)}",
        "",
        f"{sum(v is not None for v in values)} queries of the run {escape(run.name)} (D = {source}), both questions "
        f"side by side in hidden order, read by {escape(read_by)}. Written by `rac annotate pairwise-report`.",
        "",
        *("> " + line if line else ">" for line in GUIDELINE.splitlines()[2:]),
        "",
        f"| `{escape(first)}` better | tie | `{escape(second)}` better | preferred (ties half) | p |",
        "| ---: | ---: | ---: | ---: | ---: |",
        f"| {won[0]} | {won[1]} | {won[2]} | {mean} ({low} to {high}) | {format_p(test.p)} |",
        "",
    ]
    for value, system in ((1.0, first), (0.0, second)):
        shown = [item for _, item in rows if item["value"] == value][:examples]
        if not shown:
            continue
        lines += [f"Where `{escape(system)}` was preferred:", ""]
        for item in shown:
            comment = f" ({escape(item['comment'])})" if item["comment"] else ""
            texts = "; ".join(f"{escape(name)}: {escape(item['questions'][name])}" for name in systems)
            lines.append(f"- {escape(item['query'])} → {texts}{comment}")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"
