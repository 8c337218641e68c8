"""The HTML page: self-contained, everything escaped, tables equal to the numbers, statements of order."""

from __future__ import annotations

import dataclasses
import json
import re
from html.parser import HTMLParser

import pytest

from rac.errors import UserError
from rac.report.data import MetricInfo, ReportData, Table, format_value
from rac.report.html import choose_queries, render_report, script_json, write_report


class Page(HTMLParser):
    """Collects elements, attributes, the text of cells and the contents of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[str, dict[str, str | None], str]] = []
        self.cells: list[str] = []
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)
        if tag in ("script", "style"):
            self.raw.append((tag, dict(attrs), ""))
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        if self._open and self._open[-1] in ("script", "style"):
            tag, attrs, text = self.raw[-1]
            self.raw[-1] = (tag, attrs, text + data)
        if "td" in self._open or "th" in self._open:
            self.cells[-1] += data


@pytest.fixture(scope="module")
def html(report_data):
    return render_report(report_data)


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_nothing_is_loaded_from_outside(html, page):
    for tag, attributes in page.elements:
        assert tag not in ("link", "img", "iframe", "object", "embed", "base"), tag
        assert "src" not in attributes and "srcset" not in attributes
        assert "style" not in attributes, "the content security policy would refuse it"
        assert not any(name.startswith("on") for name in attributes), tag
        href = attributes.get("href")
        assert href is None or href.startswith("#")
    style = next(text for tag, _, text in page.raw if tag == "style")
    assert "url(" not in style and "@import" not in style
    assert "http" not in style
    policy = next(a["content"] for t, a in page.elements if t == "meta" and "http-equiv" in a)
    assert "default-src 'none'" in policy and "unsafe" not in policy


def test_policy_hashes_are_those_of_style_and_script(page):
    import base64
    import hashlib

    policy = next(a["content"] for t, a in page.elements if t == "meta" and "http-equiv" in a)
    texts = [text for _, attributes, text in page.raw if attributes.get("type") != "application/json"]
    assert len(texts) == 2
    for text in texts:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy


def test_hostile_text_stays_text(html, page, report_data):
    assert "<img" not in html and "<b>Siam" not in html
    assert sum(tag == "script" for tag, _ in page.elements) == 2
    payload = next(text for _, attributes, text in page.raw if attributes.get("type") == "application/json")
    assert "<" not in payload
    data = json.loads(payload)
    assert data["items"] == report_data.items and data["queries"] == report_data.queries


def test_script_json_cannot_leave_its_element():
    text = script_json({"a": "</script><!--\u2028&", "b": None})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text) == {"a": "</script><!--\u2028&", "b": None}


def test_every_mean_and_interval_is_in_a_cell(page, report_data):
    infos = {metric.name: metric for metric in report_data.metrics}
    cells = " ".join(page.cells)
    for table in report_data.tables:
        for summaries in table.systems.values():
            for name, summary in summaries.items():
                low, high = (format_value(summary[k], infos[name]) for k in ("low", "high"))
                assert f"{format_value(summary['mean'], infos[name])}" in cells
                assert f"[{low}, {high}]" in cells
    assert "n = 36, 4 unscored" in cells


def test_orders_that_are_not_significant_are_said(html, report_data):
    unsure = [row for row in report_data.tables[0].comparisons if not row["significant"]]
    assert unsure
    for row in unsure:
        assert f"{row['a']} – {row['b']} (p = " in html


def test_pairs_that_could_not_be_tested_are_counted_as_such(report_data):
    main = report_data.tables[0]
    first = main.comparisons[0]
    blank = [{**row, "p": None, "p_holm": None, "significant": False} for row in main.comparisons]
    some = [{**first, "p": 0.01, "p_holm": 0.01, "significant": True}, *blank[1:]]
    html = render_report(dataclasses.replace(report_data, tables=[dataclasses.replace(main, comparisons=some)]))
    same = sum(row["metric"] in ("headline", "faith", "hallucinated") for row in some)
    assert f"Which orders of two systems are significant: 1 of 1, {same - 1} not tested" in html
    assert "not significantly worse than the best" not in html and 'class="unsure"' not in html


def test_best_is_bold_and_its_equals_are_marked(page, html):
    assert html.count('<td class="best">') == 2 * 5  # two tables, five metrics with a direction
    assert "≈" in html


def test_d_signature_and_warnings_are_named(html):
    assert html.count("retrieved, top 5") >= 3
    assert "nli:embedded@3f2a" in html and "small embedded model only" in html


def test_light_and_dark_and_narrow_are_styled(page):
    style = next(text for tag, _, text in page.raw if tag == "style")
    assert "prefers-color-scheme: dark" in style and "max-width: 40rem" in style
    defined = set(re.findall(r"(--[\w-]+):", style))
    assert set(re.findall(r"var\((--[\w-]+)\)", style)) <= defined


def test_long_reports_keep_worst_and_best_and_say_so(report_data):
    kept, sentence = choose_queries(report_data, 10)
    means = {}
    for query in report_data.queries:
        found = [i["scores"]["headline"] for i in report_data.items if i["id"] == query["id"]]
        means[query["id"]] = sum(found) / len(found)
    ranked = sorted(means, key=means.get)
    assert len(kept) == 10 and ranked[0] in kept and ranked[-1] in kept
    assert "of 40 queries the browser holds 10" in sentence
    html = render_report(report_data, max_queries=10)
    assert sentence in html
    payload = next(t for _, a, t in Page(html).raw if a.get("type") == "application/json")
    assert len(json.loads(payload)["queries"]) == 10


def test_queries_without_a_score_are_left_out_first():
    data = ReportData(
        title="x", metrics=[MetricInfo("headline")], tables=[Table("all", {"rac": {}})],
        queries=[{"id": f"q{i}", "query": "x", "passages": []} for i in range(9)],
        items=[
            {"id": f"q{i}", "system": "rac", "question": "x?", "scores": {"headline": i / 10 if i % 3 else None}}
            for i in range(9)
        ],
    )  # fmt: skip
    assert choose_queries(data, 4)[0] == {"q1", "q2", "q7", "q8"}
    assert choose_queries(data, 8)[0] > {"q1", "q2", "q4", "q5", "q7", "q8"}


def test_a_report_without_items_is_tables_only(report_data):
    html = render_report(dataclasses.replace(report_data, items=[], queries=[]))
    assert 'id="questions"' not in html and "<table>" in html


def test_write_is_whole(tmp_path, report_data):
    path = tmp_path / "report.html"
    write_report(path, report_data)
    assert path.read_text(encoding="utf-8") == render_report(report_data)
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def minimal(**changes):
    summary = {"mean": None, "low": None, "high": None, "n": 0, "unscored": 1}
    base = {
        "title": "t", "metrics": [MetricInfo("m")], "tables": [Table("all", {"s": {"m": summary}})],
        "queries": [{"id": "q", "query": "x", "passages": [{"id": "p", "text": "word"}]}],
        "items": [{"id": "q", "system": "s", "question": "a?", "scores": {"m": None}}], "headline": "m",
    }  # fmt: skip
    return ReportData(**{**base, **changes})


def test_unscored_everywhere_is_shown_as_such():
    html = render_report(minimal())
    assert "n = 0, 1 unscored" in html and "–" in html


CLAIM = {"text": "a", "kind": "OPTION", "start": 0, "end": 1, "support": 0.5, "supported": True}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tables": []}, "nothing to show"),
        ({"metrics": []}, "do not name"),
        ({"items": [{"id": "z", "system": "s", "question": "", "scores": {}}]}, "no query of the report"),
        ({"items": [{"id": "q", "system": "z", "question": "", "scores": {}}]}, "no system of the main table"),
        ({"items": [{"id": "q", "system": "s", "question": "", "scores": {}, "claims": [CLAIM]}]}, "outside its"),
        (
            {"items": [{"id": "q", "system": "s", "question": "a", "scores": {},
                        "claims": [{**CLAIM, "evidence": [{"passage": "p", "start": 0, "end": 9}]}]}]},
            "has 4 characters",
        ),
        (
            {"items": [{"id": "q", "system": "s", "question": "a", "scores": {},
                        "claims": [{**CLAIM, "evidence": [{"passage": "x", "start": 0, "end": 1}]}]}]},
            "D lacks",
        ),
    ],
)  # fmt: skip
def test_data_that_does_not_fit_is_refused(changes, message):
    with pytest.raises(UserError, match=message):
        render_report(minimal(**changes))
    with pytest.raises(UserError, match="better"):
        MetricInfo("m", better="up")
