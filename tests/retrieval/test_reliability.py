"""What happens when things go wrong: kills, readers during a rebuild, damage, other versions, a full device."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from rac.errors import DataError, UserError
from rac.records import Passage
from rac.retrieval import IndexSettings, build_index, generations, open_index

ENDLESS = """
import sys, time
from rac.records import Passage
from rac.retrieval import IndexSettings, build_index

def passages():
    for number in range(10_000_000):
        if number == 30_000:
            print("going", flush=True)
        if number > 30_000:
            time.sleep(0.01)
        yield Passage(id=str(number), text=f"new passage {number}")

build_index(passages(), IndexSettings(), sys.argv[1])
"""


def start_endless_build(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", ENDLESS, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "going\n"
    return process


def test_a_killed_build_leaves_the_old_index_usable(passages: list[Passage], tmp_path: Path) -> None:
    path = tmp_path / "i"
    index = build_index(passages, IndexSettings(), path)
    process = start_endless_build(path)
    try:
        with pytest.raises(UserError, match="another process is building the index"):
            build_index(passages, IndexSettings(), path)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert open_index(path, verify=True).search_batch(["Jazz"], 2) == index.search_batch(["Jazz"], 2)
    build_index(passages[:2], IndexSettings(), path)  # the leftovers are in nobody's way and are cleared
    assert len(open_index(path, verify=True)) == 2
    assert len(list(path.glob("generation-*"))) == 1


def test_a_killed_first_build_is_no_index_and_can_be_built_again(passages: list[Passage], tmp_path: Path) -> None:
    path = tmp_path / "i"
    process = start_endless_build(path)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    with pytest.raises(UserError, match="no finished index"):
        open_index(path)
    assert len(build_index(passages, IndexSettings(), path)) == 5


def test_a_file_is_no_index(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text("{}")
    with pytest.raises(UserError, match=r"is a file, not an index; build one with `rac index"):
        open_index(tmp_path / "corpus.jsonl")


def test_a_failing_build_leaves_nothing_behind(passages: list[Passage], tmp_path: Path) -> None:
    path = tmp_path / "i"
    build_index(passages, IndexSettings(), path)
    before = sorted(p.relative_to(path) for p in path.rglob("*"))

    def broken() -> object:
        yield passages[0]
        raise DataError("corpus.jsonl", "is broken", line=2)

    with pytest.raises(DataError, match="line 2"):
        build_index(broken(), IndexSettings(), path)  # type: ignore[arg-type]
    assert sorted(p.relative_to(path) for p in path.rglob("*")) == before
    with pytest.raises(DataError):
        build_index(broken(), IndexSettings(), tmp_path / "new")  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()


def test_readers_go_on_during_and_after_rebuilds(passages: list[Passage], tmp_path: Path) -> None:
    path = tmp_path / "i"
    old = build_index(passages, IndexSettings(), path)
    expected = old.search_batch(["Casablanca"], 5)
    stop, errors, opened = threading.Event(), [], []

    def read() -> None:
        while not stop.is_set():
            try:
                index = open_index(path)
                assert index.search_batch(["Casablanca"], 5)[0][0].passage.id == "city"
                assert old.search_batch(["Casablanca"], 5) == expected
                opened.append(len(index))
            except BaseException as error:
                errors.append(error)
                return

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(25):
        extra = [Passage(id=f"x{number}-{n}", text=f"filler {n}") for n in range(number)]
        build_index([*passages, *extra], IndexSettings(), path)
    time.sleep(0.05)
    stop.set()
    for reader in readers:
        reader.join()
    assert not errors
    assert len(set(opened)) > 1  # they saw several of the generations
    assert old.search_batch(["Casablanca"], 5) == expected


def test_searches_go_on_while_the_same_index_is_updated(passages: list[Passage], tmp_path: Path) -> None:
    index = build_index(passages, IndexSettings(), tmp_path / "i")
    stop, errors = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            try:
                assert index.search_batch(["Casablanca"], 5)[0][0].passage.id == "city"
            except BaseException as error:
                errors.append(error)
                return

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(10):
        index.add([Passage(id=f"x{number}", text="filler")])
    index.delete([f"x{number}" for number in range(10)])
    stop.set()
    reader.join()
    assert not errors and len(index) == 5


def generation(path: Path) -> Path:
    return generations.current_generation(path)


def all_files(path: Path) -> list[str]:
    folder = generation(path)
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_every_damaged_or_missing_file_is_refused(passages: list[Passage], tmp_path: Path, encoder: object) -> None:
    path = tmp_path / "i"
    build_index(passages, IndexSettings(strategy="hybrid", fields="facets"), path)
    names = [name for name in all_files(path) if name != "header.json"]
    assert len(names) >= 10
    for name in names:
        file = generation(path) / name
        content = file.read_bytes()
        for damaged in (content[:-1], content + b"x", bytes([content[0] ^ 1]) + content[1:] if content else b"x"):
            file.write_bytes(damaged)
            with pytest.raises(DataError, match=r"is damaged|build the index again"):
                open_index(path)
        file.unlink()
        with pytest.raises(DataError, match="is missing from the index"):
            open_index(path)
        file.write_bytes(content)
    assert len(open_index(path, verify=True)) == 5


def test_damage_between_the_samples_is_found_by_verifying(tmp_path: Path) -> None:
    path = tmp_path / "i"
    build_index((Passage(id=str(n), text="some words " * 20) for n in range(6000)), IndexSettings(), path)
    file = generation(path) / "passages.jsonl"
    size = file.stat().st_size
    assert size > 1_000_000
    with file.open("r+b") as handle:
        handle.seek(90_000)
        handle.write(b"#")
    open_index(path)
    with pytest.raises(DataError, match="checksum differs"):
        open_index(path, verify=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 99}, "format version 99 cannot be read by this rac"),
        ({"kind": "other"}, "not the header of an index"),
        ({"settings": {"strategy": "magic"}}, "has settings that this rac does not know"),
        ({"entries": None}, "build the index again"),
        ({"retrievers": {}}, "build the index again"),
        ({"corpus": {"passages": 3}}, "another number of passages"),
    ],
)
def test_headers_of_another_kind_are_refused(
    change: dict, message: str, passages: list[Passage], tmp_path: Path
) -> None:
    path = tmp_path / "i"
    build_index(passages, IndexSettings(), path)
    header = generation(path) / "header.json"
    header.write_text(json.dumps({**json.loads(header.read_text()), **change}), encoding="utf-8")
    with pytest.raises(DataError, match=message):
        open_index(path)


def test_a_header_that_does_not_parse_and_a_pointer_to_nowhere_are_refused(
    passages: list[Passage], tmp_path: Path
) -> None:
    path = tmp_path / "i"
    build_index(passages, IndexSettings(), path)
    (generation(path) / "header.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="not valid JSON"):
        open_index(path)
    (path / "current").write_text("../elsewhere\n", encoding="utf-8")
    with pytest.raises(DataError, match="does not name a generation"):
        open_index(path)


def test_other_directories_are_never_overwritten(passages: list[Passage], tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(UserError, match="is not an index, so it will not be overwritten"):
        build_index(passages, IndexSettings(), tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "precious"
    with pytest.raises(UserError, match="there is no index"):
        open_index(tmp_path / "nothing")


def test_a_full_device_leaves_the_old_index(
    passages: list[Passage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "i"
    build_index(passages, IndexSettings(), path)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("rac.retrieval.bm25.write_vocabulary", full)
        with pytest.raises(UserError, match="no space left on the device while building"):
            build_index(passages[:2], IndexSettings(), path)
    assert len(open_index(path, verify=True)) == 5
    assert len(list(path.glob("generation-*"))) == 1


def test_passage_ids_and_order_survive(passages: list[Passage], tmp_path: Path) -> None:
    build_index(passages, IndexSettings(), tmp_path / "i")
    assert list(open_index(tmp_path / "i").passages()) == passages  # type: ignore[attr-defined]
