"""The page in a real browser: the question browser fills, nothing is refused or executed. Needs chromium."""

from __future__ import annotations

import dataclasses
import re
import shutil
import subprocess

import pytest

from rac.report.html import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.extra
@pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")
def test_cards_are_drawn_and_hostile_text_is_not_run(report_data, tmp_path):
    path = tmp_path / "report.html"
    # Three queries x six systems fit on the first screen, supported and unsupported options alike.
    queries = report_data.queries[:3]
    items = [item for item in report_data.items if item["id"] in {query["id"] for query in queries}]
    write_report(path, dataclasses.replace(report_data, queries=queries, items=items))
    result = subprocess.run(
        [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
         "--enable-logging=stderr", "--dump-dom", path.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    dom = result.stdout
    assert dom.count('<article class="card">') == 18
    assert re.search(r"Showing 18 of 18 questions\.", dom)
    assert "<img" not in dom and "<b>Siam" not in dom
    assert dom.count('<mark class="ev"') > 5 and 'aria-pressed="false"' in dom
    assert "CONSOLE" not in result.stderr, "a script error or a refused resource"
