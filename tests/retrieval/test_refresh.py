"""``rac index`` again: only what changed is read, and the index is that of the corpus as it is now."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rac.corpus import ReadOptions, plaintext, read_corpus
from rac.corpus.manifest import FILE
from rac.errors import DataError, UserError
from rac.records import Passage
from rac.retrieval import IndexSettings, generations, open_index
from rac.retrieval.encoders import PROBE
from rac.retrieval.local import LocalIndex
from rac.retrieval.refresh import Refreshed, index_corpus

OLD = 1_700_000_000_000_000_000
"""A time long before any test, so that files do not count as changed just now."""


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    os.utime(path, ns=(OLD, OLD))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("a", "apples in autumn"), ("b", "bears in woods"), ("c", "cats on roofs")):
        put(tmp_path / "docs" / f"{name}.txt", text)
    return tmp_path / "docs"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the text files that were read, which grows."""
    names: list[str] = []
    original = plaintext.read_plain

    def spy(path: Path, name: str, report: object) -> object:
        names.append(name)
        return original(path, name, report)  # type: ignore[arg-type]

    monkeypatch.setattr(plaintext, "read_plain", spy)
    return names


def refresh(folder: Path, options: ReadOptions | None = None, settings: IndexSettings | None = None) -> Refreshed:
    return index_corpus(str(folder), settings or IndexSettings(), folder.parent / "i", options)


def passages(folder: Path) -> dict[str, str]:
    index = open_index(folder.parent / "i", verify=True)
    assert isinstance(index, LocalIndex)
    found = {p.id: p.text for p in index.passages()}
    assert len(found) == len(index)
    return found


def best(folder: Path, query: str) -> list[str]:
    return [hit.passage.id for hit in open_index(folder.parent / "i").search_batch([query], 3)[0]]


def test_nothing_is_read_again_if_nothing_changed(folder: Path, read: list[str]) -> None:
    assert refresh(folder).note == "" and read == ["a.txt", "b.txt", "c.txt"]
    before = (folder.parent / "i" / "current").read_text()
    again = refresh(folder)
    assert again.note == "unchanged: 3 files, nothing was read again" and len(read) == 3
    assert (folder.parent / "i" / "current").read_text() == before and again.report.unchanged == 3


def test_changed_new_and_removed_files(folder: Path, read: list[str]) -> None:
    refresh(folder)
    read.clear()
    put(folder / "b.txt", "bees in hives")
    put(folder / "sub" / "d.txt", "dogs in parks")
    (folder / "c.txt").unlink()
    done = refresh(folder)
    assert read == ["b.txt", "sub/d.txt"]
    assert done.note == "files: 1 new, 1 changed, 1 removed, 1 unchanged and not read again"
    assert passages(folder) == {"a.txt": "apples in autumn", "b.txt": "bees in hives", "sub/d.txt": "dogs in parks"}
    assert best(folder, "bees") == ["b.txt"] and best(folder, "apples") == ["a.txt"] and best(folder, "cats") == []
    read.clear()
    put(folder / "a.txt", "ants in hills")  # of the same size and time or not: here another size
    refresh(folder)
    assert read == ["a.txt"] and best(folder, "ants") == ["a.txt"]


def test_the_same_size_and_another_time_is_told_by_the_bytes(folder: Path, read: list[str]) -> None:
    refresh(folder)
    read.clear()
    os.utime(folder / "a.txt", ns=(OLD + 5, OLD + 5))
    assert "unchanged" in refresh(folder).note and read == []
    (folder / "a.txt").write_text("apples in winter", encoding="utf-8")
    refresh(folder)
    assert read == ["a.txt"] and best(folder, "winter") == ["a.txt"]


def test_a_change_in_the_moment_of_reading_is_noticed(folder: Path, read: list[str]) -> None:
    (folder / "a.txt").write_text("apples in autumn", encoding="utf-8")  # now: its time proves nothing
    refresh(folder)
    status = (folder / "a.txt").stat()
    (folder / "a.txt").write_text("apples in winter", encoding="utf-8")
    os.utime(folder / "a.txt", ns=(status.st_atime_ns, status.st_mtime_ns))
    refresh(folder)
    assert best(folder, "winter") == ["a.txt"]


@pytest.mark.parametrize(
    ("options", "settings", "words"),
    [
        (ReadOptions(passage_tokens=2, overlap_tokens=0), None, "read with other options"),
        (None, IndexSettings(stemming=False), "does not fit"),
    ],
)
def test_other_options_or_settings_build_it_anew(
    options: ReadOptions | None, settings: IndexSettings | None, words: str, folder: Path, read: list[str]
) -> None:
    refresh(folder)
    read.clear()
    assert words in refresh(folder, options, settings).note
    assert len(read) == 3


def test_additions_by_hand_build_it_anew(folder: Path, read: list[str]) -> None:
    refresh(folder)
    index = open_index(folder.parent / "i")
    index.add([Passage(id="x", text="by hand")])
    index.save(folder.parent / "i")
    read.clear()
    assert "does not say which files" in refresh(folder).note and len(read) == 3
    assert "x" not in passages(folder)


def test_a_file_that_could_not_be_read_is_named_again_and_read_when_it_changes(folder: Path, read: list[str]) -> None:
    put(folder / "d.txt", "   ")
    assert [p.file for p in refresh(folder).report.problems] == ["d.txt"]
    read.clear()
    again = refresh(folder)
    assert [p.file for p in again.report.problems] == ["d.txt"] and read == []
    put(folder / "d.txt", "dogs")
    assert refresh(folder).report.problems == [] and read == ["d.txt"] and best(folder, "dogs") == ["d.txt"]


def test_dropped_near_duplicates_come_back_when_the_original_goes(folder: Path, read: list[str]) -> None:
    text = "The ferry to the islands leaves at nine in the morning and returns before the sun goes down again."
    put(folder / "c1.txt", text)
    put(folder / "c2.txt", text)
    drop = ReadOptions(near_duplicates="drop")
    assert refresh(folder, drop).report.dropped == 1 and "c2.txt" not in passages(folder)
    (folder / "c1.txt").unlink()
    read.clear()
    refresh(folder, drop)
    assert read == ["c2.txt"] and "c2.txt" in passages(folder)
    put(folder / "d.txt", text)
    assert refresh(folder, drop).report.dropped == 1 and "d.txt" not in passages(folder)


def test_everything_removed_is_an_error_and_changes_nothing(folder: Path) -> None:
    refresh(folder)
    for file in folder.iterdir():
        file.unlink()
    with pytest.raises(UserError, match="nothing to index"):
        refresh(folder)
    (folder / "e.txt").touch()
    with pytest.raises(UserError, match="none of the 1 files"):
        refresh(folder)
    assert best(folder, "apples") == ["a.txt"]


def test_all_files_replaced(folder: Path) -> None:
    refresh(folder)
    for file in folder.iterdir():
        file.unlink()
    put(folder / "z.txt", "zebras on plains")
    refresh(folder)
    assert passages(folder) == {"z.txt": "zebras on plains"}


@pytest.mark.parametrize("where", ["reading", "manifest", "publishing"])
def test_a_run_that_dies_leaves_the_old_index_and_the_next_one_finishes(
    where: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh(folder)
    put(folder / "b.txt", "bees in hives")
    place = {
        "reading": "rac.corpus.plaintext.read_plain",
        "manifest": "rac.corpus.manifest.Manifest.write",
        "publishing": "rac.retrieval.generations.write_text",
    }[where]

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(place, die)
        with pytest.raises(KeyboardInterrupt):
            refresh(folder)
    assert best(folder, "bears") == ["b.txt"] and best(folder, "bees") == []
    assert "1 changed" in refresh(folder).note
    assert best(folder, "bees") == ["b.txt"] and best(folder, "bears") == []


def test_what_is_done_to_passages_is_done_to_new_ones_and_its_name_counts(folder: Path, read: list[str]) -> None:
    def shout(found: object) -> object:
        return (p.model_copy(update={"text": p.text.upper()}) for p in found)  # type: ignore[attr-defined]

    change: Callable = shout
    target = folder.parent / "i"
    index_corpus(str(folder), IndexSettings(), target, change=change, change_key="shout")
    put(folder / "b.txt", "bees")
    index_corpus(str(folder), IndexSettings(), target, change=change, change_key="shout")
    assert passages(folder)["b.txt"] == "BEES" and passages(folder)["a.txt"] == "APPLES IN AUTUMN"
    read.clear()
    assert "built anew" in index_corpus(str(folder), IndexSettings(), target, change_key="other").note
    assert len(read) == 3


def test_records_with_ids_that_are_kept_are_left_out(folder: Path) -> None:
    put(folder / "r.jsonl", '{"id": "1", "text": "one"}\n')
    refresh(folder)
    put(folder / "s.jsonl", '{"id": "1", "text": "again"}\n{"id": "2", "text": "two"}\n')
    report = refresh(folder).report
    assert passages(folder)["1"] == "one" and "2" in passages(folder) and report.problems[0].file == "s.jsonl"


def test_records_left_out_for_an_id_come_back_when_its_owner_goes(folder: Path) -> None:
    def put_records(name: str, *ids: int) -> None:
        put(folder / f"{name}.jsonl", "".join(f'{{"id": "{n}", "text": "{name} {n}"}}\n' for n in ids))

    for file in folder.iterdir():
        file.unlink()
    put_records("a", 1, 2)
    put_records("b", 2, 3)
    put_records("c", 4)
    refresh(folder)
    (folder / "a.jsonl").unlink()
    assert "1 changed, 1 removed, 1 unchanged" in refresh(folder).note
    assert passages(folder) == {"2": "b 2", "3": "b 3", "4": "c 4"}
    # An owner that is kept is known as well.
    put_records("d", 4, 5)
    refresh(folder)
    assert passages(folder)["4"] == "c 4"
    (folder / "c.jsonl").unlink()
    refresh(folder)
    assert passages(folder) == {"2": "b 2", "3": "b 3", "4": "d 4", "5": "d 5"}


def test_new_settings_of_searching_are_stored_without_reading_or_encoding(
    folder: Path, read: list[str], encoder: Any
) -> None:
    hybrid = IndexSettings(strategy="hybrid")
    refresh(folder, settings=hybrid)
    generation = (folder.parent / "i" / "current").read_text()
    read.clear()
    encoder.seen.clear()
    changed = hybrid.model_copy(update={"diversify": "mmr", "weights": {"dense": 2.0}})
    done = refresh(folder, settings=changed)
    assert done.note == (
        "unchanged: 3 files, nothing was read again; new settings of searching are stored: diversify, weights"
    )
    assert read == [] and set(encoder.seen) <= {PROBE} and done.index.settings == changed
    opened = open_index(folder.parent / "i", verify=True)
    assert opened.settings == changed and (folder.parent / "i" / "current").read_text() == generation
    assert refresh(folder, settings=changed).note == "unchanged: 3 files, nothing was read again"


def test_settings_are_not_stored_while_another_process_builds(folder: Path) -> None:
    refresh(folder)
    changed = IndexSettings(diversify="mmr")
    index = open_index(folder.parent / "i", changed)
    assert isinstance(index, LocalIndex)
    with generations.new_generation(folder.parent / "i") as new:
        with pytest.raises(UserError, match="another process is building"):
            refresh(folder, settings=changed)
        shutil.copytree(index.opened.folder, new, dirs_exist_ok=True)
    with pytest.raises(UserError, match="built anew by another process meanwhile"):
        generations.publish_settings(index.path, index.opened.folder, {})


@pytest.mark.parametrize("changes", [True, False])
def test_another_model_under_the_same_name_builds_it_anew(
    changes: bool, folder: Path, read: list[str], encoder: Any
) -> None:
    dense = IndexSettings(strategy="dense", fields="text")
    refresh(folder, settings=dense)
    encoder.salt = "another"
    read.clear()
    if changes:
        put(folder / "b.txt", "bees in hives")
    assert "its model gives other vectors than when it was built" in refresh(folder, settings=dense).note
    assert read == ["a.txt", "b.txt", "c.txt"]
    index = open_index(folder.parent / "i")
    for query in ("apples in autumn", "cats on roofs"):
        (hit,) = index.search_batch([query], 1)[0]
        assert hit.passage.text == query and hit.score == pytest.approx(1.0, abs=1e-5)


def test_a_model_that_is_not_here_now_is_needed_for_changed_files_only(
    folder: Path, read: list[str], encoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    dense = IndexSettings(strategy="dense", fields="text")
    refresh(folder, settings=dense)
    read.clear()

    def gone(*_: object, **__: object) -> None:
        raise UserError("there is no model here")

    monkeypatch.setattr("rac.retrieval.dense.bi_encoder", gone)
    assert refresh(folder, settings=dense).note == "unchanged: 3 files, nothing was read again" and read == []
    before = (folder.parent / "i" / "current").read_text()
    put(folder / "b.txt", "bees in hives")
    with pytest.raises(UserError, match="there is no model here"):
        refresh(folder, settings=dense)
    assert (folder.parent / "i" / "current").read_text() == before, "nothing is lost or half-written"


def test_a_single_file_and_a_damaged_manifest(folder: Path) -> None:
    target = folder.parent / "i"
    index_corpus(str(folder / "a.txt"), IndexSettings(), target)
    assert "unchanged: 1 files" in index_corpus(str(folder / "a.txt"), IndexSettings(), target).note
    (generation,) = target.glob("generation-*")
    (generation / FILE).write_text("[]", encoding="utf-8")
    note = index_corpus(str(folder / "a.txt"), IndexSettings(), target).note
    assert "built anew" in note
    with pytest.raises(DataError, match="no such corpus"):
        index_corpus(str(folder / "nope"), IndexSettings(), target)


def test_the_passages_of_an_index_are_a_corpus(folder: Path) -> None:
    refresh(folder)
    target = folder.parent / "i"
    assert {p.id for p in read_corpus(target)} == {"a.txt", "b.txt", "c.txt"}
    index_corpus(str(target), IndexSettings(stemming=False), folder.parent / "other")
    assert len(open_index(folder.parent / "other")) == 3
    with pytest.raises(UserError, match="is the index itself"):
        index_corpus(str(target), IndexSettings(), target)
