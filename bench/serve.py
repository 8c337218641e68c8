"""How fast ``rac serve`` answers, what batching brings, and whether it holds out at saturation.

    python bench/serve.py                              embedded model: latency and throughput at 1, 8 and 32 clients
    python bench/serve.py --load-generator wrk         the same levels by an independent load generator
    python bench/serve.py --soak 600                   ten minutes at saturation, with feedback after every answer
    taskset -c 0 python bench/serve.py --threads 1     on one core

Server and clients run on this machine over loopback and share its cores. Every request brings five short passages and
asks for one candidate; questions are 30 tokens (``--tokens``), which an untuned model fills. Batched and unbatched
servers (``batching.max_rows=1``) run side by side and are loaded in turns; the ratio of throughputs is the median over
rounds, and processor time per answer stands beside it, since wall time hears other work on the machine. First their
answers are checked to be equal. The status is 1 if a bar is missed: p50 of one client 1.5 s, batching 1.8x, and for the
soak no error, no lost feedback, memory within 3 % over the last two thirds.
"""

from __future__ import annotations

import argparse
import http.client
import json
import math
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rac.asking import DEFAULT_ENGINE, ENGINES

SERVERS = ("batched", "alone")
SHOWN = ("per_second", "p50", "p95", "p99", "cpu_each")
P50_BAR, BATCHING_BAR, GROWTH_BAR = 1.5, 1.8, 0.03
WRK_SCRIPT = """
local bodies, next_body = {}, 0
for line in io.lines("%s") do bodies[#bodies + 1] = line end
request = function()
  next_body = next_body %% #bodies + 1
  return wrk.format("POST", "/v1/clarify", {["Content-Type"] = "application/json"}, bodies[next_body])
end
"""


class Server:
    """A ``rac serve`` process."""

    def __init__(self, arguments: argparse.Namespace, folder: Path, *settings: str) -> None:
        self.log = folder / f"serve-{time.monotonic_ns()}.log"
        chosen = [
            "limits.requests_per_minute=0", "limits.queue=256", "limits.request_seconds=600", "n=1",
            f"max_new_tokens={arguments.tokens}", f"engine={arguments.engine}",
            *([f"threads={arguments.threads}"] if arguments.threads else []), *settings,
        ]  # fmt: skip
        command = [sys.executable, "-m", "rac", "serve", arguments.model, "--port", "0"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, *(part for key in chosen for part in ("--set", key))], stdout=log, stderr=log, cwd=folder
            )
        self.port = int(self._wait(lambda: re.search(rb"listening on http://[^ \"]*:(\d+)", self.log.read_bytes()))[1])
        self._wait(lambda: self.get("/readyz") == 200)

    def _wait(self, condition: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + 180
        while not (found := condition()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the server did not start:\n{self.log.read_text()}")
            time.sleep(0.1)
        return found

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=700)

    def get(self, path: str) -> int:
        try:
            connection = self.connect()
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return 0

    def memory_mb(self) -> float:
        """Resident memory, in MB; pages of mapped files (index, weights) included."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]

    def cpu_seconds(self) -> float:
        """Processor time used so far, which other work on the machine changes little."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(120)


def make_bodies(count: int) -> list[bytes]:
    """Return requests with five short passages of the embedded corpus each, all different."""
    from rac.corpus import read_corpus

    bodies, group = [], []
    for passage in read_corpus("wikipedia"):
        text = " ".join(passage.text.split()[:30])
        group.append({"id": passage.id, "title": passage.title, "text": text, "description": passage.description})
        if len(group) == 5:
            bodies.append(json.dumps({"query": group[0]["title"].split()[0], "passages": group}).encode())
            group = []
        if len(bodies) == count:
            break
    return bodies


def post(connection: http.client.HTTPConnection, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
    connection.request("POST", path, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def load(
    server: Server, bodies: list[bytes], clients: int, seconds: float, *,
    after: Callable[[http.client.HTTPConnection, bytes, dict[str, Any]], None] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Ask from ``clients`` connections for some seconds; what was begun is finished and counted."""
    latencies: list[float] = []
    errors: list[str] = []
    lock = threading.Lock()
    started, cpu = time.monotonic(), server.cpu_seconds()
    turn = iter(range(10**9))

    def work() -> None:
        connection = server.connect()
        while time.monotonic() - started < seconds:
            with lock:
                body = bodies[next(turn) % len(bodies)]
            before = time.monotonic()
            try:
                status, answer = post(connection, "/v1/clarify", body)
                if status != 200:
                    raise RuntimeError(f"status {status}: {answer}")
                took = time.monotonic() - before
                if after is not None:
                    after(connection, body, answer)
            except Exception as error:
                with lock:
                    errors.append(repr(error))
                connection = server.connect()
                continue
            with lock:
                latencies.append(took)

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - started
    return {"clients": clients, "requests": len(latencies), "errors": errors, "per_second": len(latencies) / took,
            "cpu_each": (server.cpu_seconds() - cpu) / max(1, len(latencies)), **percentiles(latencies)}  # fmt: skip


def percentiles(latencies: list[float]) -> dict[str, float]:
    ordered = sorted(latencies) or [math.nan]
    return {f"p{q}": ordered[min(len(ordered) - 1, math.ceil(len(ordered) * q / 100) - 1)] for q in (50, 95, 99)}


def served_model(server: Server, body: bytes) -> str:
    """Return what the server calls its model; an untuned one is named behind the template that stands in for it."""
    name: str = post(server.connect(), "/v1/clarify", body)[1]["model"]
    return name.removeprefix("template, since ").removesuffix(" failed")


def check_agreement(one: Server, other: Server, bodies: list[bytes]) -> float:
    """Return the mean tokens of the questions; stop if the servers' candidates differ."""
    from rac.models import load_tokenizer

    tokenizer = load_tokenizer("embedded")
    found: dict[int, dict[int, Any]] = {0: {}, 1: {}}

    def ask(which: int, server: Server, index: int) -> None:
        found[which][index] = post(server.connect(), "/v1/clarify", bodies[index])[1]["candidates"]

    for which, server in enumerate((one, other)):
        threads = [threading.Thread(target=ask, args=(which, server, i)) for i in range(len(bodies))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    differing = sum(found[0][i] != found[1][i] for i in range(len(bodies)))
    print(f"answers of both servers: {len(bodies) - differing} of {len(bodies)} equal")
    return statistics.mean(len(tokenizer(c[0]).input_ids) for c in found[0].values())


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    bodies = make_bodies(64)
    batched = Server(arguments, folder)
    alone = Server(arguments, folder, "batching.max_rows=1")
    figures: dict[str, Any] = {"model": served_model(batched, bodies[0])}
    print(f"served: {figures['model']}")
    figures |= {"tokens": round(check_agreement(batched, alone, bodies[: arguments.check]), 1), "levels": []}
    print(f"questions have {figures['tokens']} tokens on average")
    try:
        for clients in arguments.clients:
            rounds = []
            for _ in range(arguments.rounds):
                rounds.append({
                    name: load(server, bodies, clients, arguments.seconds)
                    for name, server in zip(SERVERS, (batched, alone), strict=True)
                })  # fmt: skip
            ratio = statistics.median(r["batched"]["per_second"] / r["alone"]["per_second"] for r in rounds)
            by_cpu = statistics.median(r["alone"]["cpu_each"] / r["batched"]["cpu_each"] for r in rounds)
            figures["levels"].append({"clients": clients, "ratio": ratio, "ratio_cpu": by_cpu, "rounds": rounds})
            for name in SERVERS:
                shown = {k: statistics.median(r[name][k] for r in rounds) for k in SHOWN}
                requests = sum(r[name]["requests"] for r in rounds)
                failed = sum(len(r[name]["errors"]) for r in rounds)
                print(
                    f"{clients:>3} clients, {name:>7}: {shown['per_second']:.2f} a second; p50 {shown['p50']:.2f} s, "
                    f"p95 {shown['p95']:.2f} s, p99 {shown['p99']:.2f} s; {shown['cpu_each']:.2f} CPU seconds each; "
                    f"{requests} requests, {failed} errors"
                )
            print(f"{clients:>3} clients: batching brings {ratio:.2f}x, by CPU time {by_cpu:.2f}x")
        if arguments.load_generator:
            figures["independent"] = [independent(arguments, batched, bodies, folder, c) for c in arguments.clients]
    finally:
        batched.stop()
        alone.stop()
    show(figures["levels"])
    first = figures["levels"][0]
    figures["bars"] = {
        "p50 of one client": first["clients"] != 1
        or statistics.median(r["batched"]["p50"] for r in first["rounds"]) <= P50_BAR,
        "batching": max(level["ratio"] for level in figures["levels"]) >= BATCHING_BAR,
        "no error": not any(r[n]["errors"] for lv in figures["levels"] for r in lv["rounds"] for n in r),
    }
    return figures


def show(levels: list[dict[str, Any]]) -> None:
    """Print the table of docs/service.md."""
    print("| clients | a second, batched | p50 | p95 | p99 | one at a time | p50 | batching brings | by CPU time |")
    print("|---|---|---|---|---|---|---|---|---|")
    for level in levels:
        batched, alone = (
            {key: statistics.median(r[name][key] for r in level["rounds"]) for key in SHOWN} for name in SERVERS
        )
        print(
            f"| {level['clients']} | {batched['per_second']:.2f} | {batched['p50']:.2f} s | {batched['p95']:.2f} s | "
            f"{batched['p99']:.2f} s | {alone['per_second']:.2f} | {alone['p50']:.2f} s | {level['ratio']:.2f}x | "
            f"{level['ratio_cpu']:.2f}x |"
        )


def independent(
    arguments: argparse.Namespace, server: Server, bodies: list[bytes], folder: Path, clients: int
) -> dict[str, Any]:  # fmt: skip
    """Load the server with wrk."""
    program = shutil.which(arguments.load_generator)
    if program is None:
        raise SystemExit(f"{arguments.load_generator} is not installed: apt-get install {arguments.load_generator}")
    lines, script = folder / "bodies.jsonl", folder / "load.lua"
    lines.write_bytes(b"\n".join(bodies) + b"\n")
    script.write_text(WRK_SCRIPT % lines)
    command = [program, "-t1", f"-c{clients}", f"-d{arguments.load_seconds:.0f}s", "--timeout", "600s", "--latency",
               "-s", str(script), f"http://127.0.0.1:{server.port}"]  # fmt: skip
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = {
        "clients": clients,
        "per_second": float(re.search(r"Requests/sec:\s+([\d.]+)", output)[1]),  # type: ignore[index]
        "errors": re.findall(r"(?:Socket errors|Non-2xx).*", output),
        **{f"p{q}": re.search(rf"^\s+{q}%\s+(\S+)", output, re.M)[1] for q in (50, 90, 99)},  # type: ignore[index]
    }
    print(
        f"{clients:>3} clients, by {arguments.load_generator}: {found['per_second']:.2f} a second; p50 {found['p50']}, "
        f"p90 {found['p90']}, p99 {found['p99']}; errors: {found['errors'] or 'none'}"
    )
    return found


def soak(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Keep the server saturated; every answer is followed by feedback that must be found again."""
    bodies = make_bodies(2000)
    server = Server(arguments, folder, "feedback=feedback.sqlite")
    model = served_model(server, bodies[0])
    acknowledged: list[str] = []
    memory: list[tuple[float, float]] = []
    stop = threading.Event()
    started = time.monotonic()

    def watch() -> None:
        while not stop.wait(2):
            memory.append((time.monotonic() - started, server.memory_mb()))

    def feedback(connection: http.client.HTTPConnection, body: bytes, answer: dict[str, Any]) -> None:
        entry = {"query": answer["query"], "question": answer["candidates"][0] or "-", "helpful": False,
                 "request_id": answer["request_id"], "passages": json.loads(body)["passages"]}  # fmt: skip
        status, stored = post(connection, "/v1/feedback", json.dumps(entry).encode())
        if status != 201:
            raise RuntimeError(f"feedback: status {status}: {stored}")
        acknowledged.append(stored["feedback_id"])

    watcher = threading.Thread(target=watch)
    watcher.start()
    figures = load(server, bodies, arguments.soak_clients, arguments.soak, after=feedback)
    stop.set()
    watcher.join()
    server.stop()
    from rac.server.feedback import FeedbackStore

    stored = {entry.id for entry in FeedbackStore(folder / "feedback.sqlite", create=False)}
    thirds = [[mb for t, mb in memory if low <= t / arguments.soak < low + 1 / 3] for low in (1 / 3, 2 / 3)]
    growth = statistics.median(thirds[1]) / statistics.median(thirds[0]) - 1
    figures |= {
        "model": model, "feedback acknowledged": len(acknowledged), "feedback lost": len(set(acknowledged) - stored),
        "memory MB": [round(statistics.median(third)) for third in thirds], "growth": growth,
        "memory": [(round(t), round(mb)) for t, mb in memory[:: max(1, len(memory) // 60)]],
    }  # fmt: skip
    figures["bars"] = {
        "no error": not figures["errors"], "no lost feedback": figures["feedback lost"] == 0,
        "memory flat": growth <= GROWTH_BAR,
    }  # fmt: skip
    print(f"served: {model}")
    print(
        f"{arguments.soak:.0f} s at {arguments.soak_clients} clients: {figures['requests']} answers "
        f"({figures['per_second']:.2f} a second), {len(figures['errors'])} errors {figures['errors'][:2]}; "
        f"{len(acknowledged)} feedback rows acknowledged, {figures['feedback lost']} lost; memory "
        f"{figures['memory MB'][0]} MB in the second third, {figures['memory MB'][1]} MB in the last ({growth:+.1%})"
    )
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("model", nargs="?", default="embedded", metavar="RUN|MODEL")
    parser.add_argument("--clients", type=lambda text: [int(c) for c in text.split(",")], default=[1, 8, 32])
    parser.add_argument("--seconds", type=float, default=20.0, help="per level, server and round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--check", type=int, default=16, help="queries whose answers are compared first")
    parser.add_argument("--tokens", type=int, default=30, help="longest question")
    parser.add_argument("--engine", choices=ENGINES, default=DEFAULT_ENGINE)
    parser.add_argument("--threads", type=int, help="that each server computes with; the cores if left out")
    parser.add_argument("--load-generator", choices=["wrk"], help="measure with it too")
    parser.add_argument("--load-seconds", type=float, default=60.0, help="per level, for that program")
    parser.add_argument("--soak", type=float, help="seconds at saturation, instead of the levels")
    parser.add_argument("--soak-clients", type=int, default=24)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    print(f"cores: {sorted(os.sched_getaffinity(0))}, threads: {arguments.threads or 'all'}, model: {arguments.model}")
    with tempfile.TemporaryDirectory() as folder:
        figures = (soak if arguments.soak else measure)(arguments, Path(folder))
    for name, met in figures["bars"].items():
        print(f"{name}: {'met' if met else 'MISSED'}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    return int(not all(figures["bars"].values()))


if __name__ == "__main__":
    sys.exit(main())
