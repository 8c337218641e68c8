"""The page in a real browser: the question browser fills, nothing is refused or executed. Needs chromium."""

from __future__ import annotations

import dataclasses
import re
import shutil
import socket
import subprocess
import time

import pytest

from rac.report.html import write_report
from webdriver_support import ENTER, ESCAPE, browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")


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


STATUS = "return document.getElementById('status').textContent"
LIT = "return document.querySelectorAll('mark.on').length"


@pytest.mark.extra
@pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason="no chromium with chromedriver is installed")
def test_claims_by_keyboard_and_filters(report_data, tmp_path):
    path = tmp_path / "report.html"
    write_report(path, report_data)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with browser(str(DRIVER), port, str(tmp_path / "profile")) as page:
        page.open(path.as_uri())
        page.run("const o = document.getElementById('f-order'); o.value = 'best'; o.dispatchEvent(new Event('change'))")
        page.run("document.querySelector('.claims button').focus()")
        assert page.run(LIT) > 0, "focus shows the words that carry the claim"
        page.press(ENTER)
        page.run("document.activeElement.blur()")
        assert page.run(LIT) > 0, "a chosen claim stays shown"
        page.run("document.querySelector('.claims button').focus()")
        page.press(ESCAPE)
        assert page.run(LIT) == 0
        page.run("document.querySelector('.who button').click()")
        time.sleep(0.2)
        assert page.run(STATUS) == "Showing 6 of 6 questions for one query (Reset shows all)."
        page.run("document.querySelector('#filters button[type=reset]').click()")
        time.sleep(0.2)
        assert page.run(STATUS) == "Showing 20 of 240 questions."
        page.run("const t = document.getElementById('f-text'); t.value = 'zzz'; t.dispatchEvent(new Event('input'))")
        assert page.run(STATUS) == "No question fits these filters."
        assert page.console() == []
