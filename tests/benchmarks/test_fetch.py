from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from rac.benchmarks import READERS
from rac.benchmarks.base import BenchmarkInfo, RemoteFile
from rac.benchmarks.fetch import Fetched, default_directory, fetch_files, is_present, mirror_directory
from rac.errors import UserError

BODY = bytes(range(256)) * 1200  # 300 kB: several blocks
LOCAL = Path("owner/repo/data/a file.tsv")


def info_of(body: bytes = BODY, **changes: Any) -> BenchmarkInfo:
    file = RemoteFile(
        "owner/repo", "c0ffee", "data/a file.tsv", changes.get("sha256", hashlib.sha256(body).hexdigest()), len(body)
    )
    return BenchmarkInfo("toy", "Toy", "u", "MIT", "c", ("train",), "none", False, "m", "s", files=(file,))


@pytest.fixture
def fetch(server: Any, tmp_path: Path) -> Any:
    server.files["/owner/repo/c0ffee/data/a%20file.tsv"] = BODY

    def run(info: BenchmarkInfo | None = None, **options: Any) -> list[Fetched]:
        return fetch_files(info or info_of(), directory=tmp_path, base_url=server.url, wait=0.01, **options)

    return run


def test_downloads_verifies_and_does_nothing_the_second_time(fetch: Any, server: Any, tmp_path: Path) -> None:
    assert [f.status for f in fetch()] == ["downloaded"]
    assert (tmp_path / LOCAL).read_bytes() == BODY
    assert list(tmp_path.rglob("*.part")) == []
    assert [f.status for f in fetch()] == ["present"]
    assert len(server.requests) == 1
    assert is_present(info_of(), tmp_path)


def test_a_cut_connection_is_resumed_where_it_stopped(fetch: Any, server: Any, tmp_path: Path) -> None:
    server.cut_after = [100_000, 50_000]
    assert fetch()[0].status == "downloaded"
    assert (tmp_path / LOCAL).read_bytes() == BODY
    assert [r for _, r in server.requests] == ["", "bytes=100000-", "bytes=150000-"]


def test_a_server_that_cannot_resume_is_asked_for_everything_again(fetch: Any, server: Any, tmp_path: Path) -> None:
    server.cut_after, server.ranges = [100_000], False
    assert fetch()[0].status == "downloaded"
    assert (tmp_path / LOCAL).read_bytes() == BODY


def test_transient_statuses_are_tried_again_and_others_are_not(fetch: Any, server: Any, tmp_path: Path) -> None:
    server.statuses = [503, 429]
    assert fetch()[0].status == "downloaded"
    (tmp_path / LOCAL).unlink()
    server.requests.clear()
    server.statuses = [404]
    with pytest.raises(UserError, match=r"HTTP status 404.*--mirror"):
        fetch()
    assert len(server.requests) == 1
    assert not (tmp_path / LOCAL).exists()


def test_giving_up_keeps_what_arrived_and_the_next_call_goes_on(fetch: Any, server: Any, tmp_path: Path) -> None:
    server.cut_after = [70_000]
    server.statuses = []
    real = server.files.copy()
    with pytest.raises(UserError, match=r"2 attempts.*the same command goes on"):
        # After the first cut the file is gone from the server: statuses answer the rest.
        server.before_body = lambda: server.statuses.extend([503, 503, 503])
        fetch(attempts=2)
    server.before_body = lambda: None
    server.statuses = []
    server.files = real
    assert not (tmp_path / LOCAL).exists()
    assert (tmp_path / LOCAL).with_name("a file.tsv.part").stat().st_size == 70_000
    server.requests.clear()
    assert fetch()[0].status == "downloaded"
    assert server.requests[0][1] == "bytes=70000-"
    assert (tmp_path / LOCAL).read_bytes() == BODY


def test_no_server_at_all_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="without a network use --mirror"):
        fetch_files(info_of(), directory=tmp_path, base_url="http://127.0.0.1:9", wait=0.001, attempts=2)
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_a_wrong_checksum_is_refused_with_both_values(fetch: Any, server: Any, tmp_path: Path) -> None:
    other = BODY[:-1] + b"!"
    server.files["/owner/repo/c0ffee/data/a%20file.tsv"] = other
    with pytest.raises(UserError) as caught:
        fetch()
    assert hashlib.sha256(other).hexdigest() in str(caught.value)
    assert hashlib.sha256(BODY).hexdigest() in str(caught.value)
    assert list(tmp_path.rglob("*.*")) == []


@pytest.mark.parametrize("body", [BODY[:-5], BODY + b"more"])
def test_a_wrong_size_is_refused(body: bytes, fetch: Any, server: Any, tmp_path: Path) -> None:
    server.files["/owner/repo/c0ffee/data/a%20file.tsv"] = body
    with pytest.raises(UserError):
        fetch(attempts=2)
    assert not (tmp_path / LOCAL).exists()


def test_a_part_of_something_else_is_thrown_away(fetch: Any, server: Any, tmp_path: Path) -> None:
    part = (tmp_path / LOCAL).with_name("a file.tsv.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 1000)
    assert fetch()[0].status == "downloaded"
    assert (tmp_path / LOCAL).read_bytes() == BODY
    assert [r for _, r in server.requests] == ["bytes=1000-", ""]


@pytest.mark.parametrize("length", [len(BODY), len(BODY) + 7])
def test_a_part_that_is_as_long_or_longer_is_not_trusted(length: int, fetch: Any, tmp_path: Path) -> None:
    part = (tmp_path / LOCAL).with_name("a file.tsv.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * length)
    assert fetch()[0].status == "downloaded"
    assert (tmp_path / LOCAL).read_bytes() == BODY


def test_a_file_of_the_user_with_other_content_is_left_alone_and_refused(fetch: Any, tmp_path: Path) -> None:
    (tmp_path / LOCAL).parent.mkdir(parents=True)
    (tmp_path / LOCAL).write_bytes(b"mine")
    with pytest.raises(UserError, match=r"4 bytes where 307200 are expected.*delete it"):
        fetch()
    assert (tmp_path / LOCAL).read_bytes() == b"mine"


def test_mirror_is_read_instead_of_the_network(fetch: Any, server: Any, tmp_path: Path, monkeypatch: Any) -> None:
    mirror = tmp_path / "mirror"
    (mirror / LOCAL).parent.mkdir(parents=True)
    (mirror / LOCAL).write_bytes(BODY)
    assert fetch(mirror=mirror)[0].status == "copied"
    (tmp_path / LOCAL).unlink()
    monkeypatch.setenv("RAC_MIRROR", str(mirror))
    assert fetch()[0].status == "copied"
    assert server.requests == []
    (tmp_path / LOCAL).unlink()
    (mirror / LOCAL).write_bytes(BODY[:-1] + b"!")
    with pytest.raises(UserError, match="SHA-256"):
        fetch()
    (mirror / LOCAL).unlink()
    with pytest.raises(UserError, match="the mirror has no"):
        fetch()
    assert not (tmp_path / LOCAL).exists()
    monkeypatch.setenv("RAC_MIRROR", str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="is not a directory"):
        mirror_directory()


def test_unknown_split_names_the_nearest(fetch: Any) -> None:
    with pytest.raises(UserError, match="did you mean 'train'"):
        fetch(split="trian")


_SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_fetch import info_of
from rac.benchmarks.fetch import fetch_files
fetch_files(info_of(), directory=Path({target!r}), base_url={url!r}, wait=0.01)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_at_any_moment_leaves_no_final_name_and_is_resumed(fetch: Any, server: Any, tmp_path: Path) -> None:
    server.cut_after = [120_000]
    held = threading.Event()
    server.before_body = lambda: held.wait(20) if len(server.requests) > 1 else None
    script = _SCRIPT.format(tests=str(Path(__file__).parent), target=str(tmp_path), url=server.url)
    process = subprocess.Popen([sys.executable, "-c", script], env={**os.environ, "RAC_MIRROR": ""})
    part = (tmp_path / LOCAL).with_name("a file.tsv.part")
    for _ in range(1500):
        if len(server.requests) > 1:
            break
        time.sleep(0.02)
    assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    held.set()
    assert not (tmp_path / LOCAL).exists()
    assert part.stat().st_size == 120_000
    assert fetch()[0].status == "downloaded"
    assert server.requests[-1][1] == "bytes=120000-"
    assert (tmp_path / LOCAL).read_bytes() == BODY


def test_two_fetches_at_once_give_one_whole_file(fetch: Any, server: Any, tmp_path: Path) -> None:
    statuses: list[str] = []
    server.before_body = lambda: time.sleep(0.1)
    threads = [threading.Thread(target=lambda: statuses.append(fetch()[0].status)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == ["downloaded", "present"]
    assert len(server.requests) == 1
    assert (tmp_path / LOCAL).read_bytes() == BODY
    assert list(tmp_path.rglob("*.part")) == []


def test_a_fetch_that_waited_for_one_that_failed_starts_with_a_new_part(
    fetch: Any, server: Any, tmp_path: Path
) -> None:
    results: list[str] = []

    def run() -> None:
        try:
            results.append(fetch()[0].status)
        except UserError:
            results.append("refused")

    server.statuses = [404]
    entered = threading.Event()

    class Slow(list):  # type: ignore[type-arg]
        def append(self, item: Any) -> None:
            super().append(item)
            entered.set()
            time.sleep(0.3)

    server.requests = Slow()
    first = threading.Thread(target=run)
    first.start()
    assert entered.wait(10)
    second = threading.Thread(target=run)
    second.start()
    first.join()
    second.join()
    assert sorted(results) == ["downloaded", "refused"]
    assert (tmp_path / LOCAL).read_bytes() == BODY


def test_the_manifest_of_the_mirror_agrees_with_what_is_pinned(mirror: Path) -> None:
    rows = [line.split("\t") for line in (mirror / "MANIFEST.tsv").read_text(encoding="utf-8").splitlines()[1:]]
    manifest = {(repo, path): (commit, sha256, int(size)) for repo, commit, path, sha256, size, _ in rows}
    pinned = [f for b in READERS.values() for f in b.info.files]
    assert len(pinned) == 19
    for file in pinned:
        assert manifest[file.repo, file.path] == (file.commit, file.sha256, file.size), file.name


def test_every_benchmark_can_be_fetched_from_the_mirror(mirror: Path, tmp_path: Path) -> None:
    for benchmark in READERS.values():
        for found in fetch_files(benchmark.info, directory=tmp_path, mirror=mirror):
            assert found.status == "copied" and found.path.is_file()
        assert is_present(benchmark.info, tmp_path) == bool(benchmark.info.files)


def test_default_directory_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert default_directory() == tmp_path / "rac" / "benchmarks"
