"""A small WebDriver client over HTTP, enough to open a page, run a script in it and press keys."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

ENTER, ESCAPE = "\ue007", "\ue00c"


class Browser:
    """One headless session of chromedriver."""

    def __init__(self, base: str, profile: str) -> None:
        self.base = base
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
        wanted = {"goog:chromeOptions": {"args": arguments}, "goog:loggingPrefs": {"browser": "ALL"}}
        self.session = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        data = json.dumps(body or {}).encode() if method == "POST" else None
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())["value"]

    def open(self, url: str) -> None:
        self._call("POST", f"/session/{self.session}/url", {"url": url})

    def run(self, script: str) -> Any:
        return self._call("POST", f"/session/{self.session}/execute/sync", {"script": script, "args": []})

    def press(self, key: str) -> None:
        actions = [{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]
        self._call(
            "POST", f"/session/{self.session}/actions", {"actions": [{"type": "key", "id": "k", "actions": actions}]}
        )

    def console(self) -> list[Any]:
        return list(self._call("POST", f"/session/{self.session}/se/log", {"type": "browser"}))

    def close(self) -> None:
        self._call("DELETE", f"/session/{self.session}")


@contextmanager
def browser(driver: str, port: int, profile: str) -> Iterator[Browser]:
    """Run chromedriver for one session."""
    process = subprocess.Popen([driver, f"--port={port}", "--log-level=OFF"], stdout=subprocess.DEVNULL)
    try:
        base = f"http://127.0.0.1:{port}"
        for _ in range(100):
            try:
                urllib.request.urlopen(base + "/status", timeout=5).close()
                break
            except urllib.error.URLError:
                time.sleep(0.1)
        session = Browser(base, profile)
        try:
            yield session
        finally:
            session.close()
    finally:
        process.terminate()
        process.wait()
