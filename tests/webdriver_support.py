"""A small WebDriver client over HTTP, enough to open a page, run a script in it and press keys."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ENTER, ESCAPE, TAB, SPACE = "\ue007", "\ue00c", "\ue004", " "
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
NO_BROWSER = (
    None
    if CHROMIUM and DRIVER
    else "no chromium with chromedriver is installed; make test-all installs both where it may use apt-get (as root)"
)
_QUIET = ("--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
          "--disable-sync")  # fmt: skip


class Browser:
    """One headless session of chromedriver."""

    def __init__(self, base: str, profile: str) -> None:
        self.base = base
        arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", *_QUIET]
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

    def type(self, text: str) -> None:
        """Type into whatever has the focus."""
        for character in text:
            self.press(character)

    def wait(self, script: str, seconds: float = 30.0) -> Any:
        """Run a script until it returns something true; return that."""
        deadline = time.monotonic() + seconds
        while not (value := self.run(script)):
            assert time.monotonic() < deadline, f"waited in vain for: {script}"
            time.sleep(0.05)
        return value

    def devtools(self, command: str, **parameters: Any) -> Any:
        return self._call("POST", f"/session/{self.session}/goog/cdp/execute", {"cmd": command, "params": parameters})

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self._call("GET", f"/session/{self.session}/screenshot")))

    def console(self) -> list[Any]:
        return list(self._call("POST", f"/session/{self.session}/se/log", {"type": "browser"}))

    def close(self) -> None:
        self._call("DELETE", f"/session/{self.session}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
