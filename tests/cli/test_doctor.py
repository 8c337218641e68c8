"""``rac doctor``: every check, on machines that are made up, and the command."""

from __future__ import annotations

import collections
import fcntl
import importlib.metadata
import json
import shutil
import socketserver
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from rac.config import Recipe, find_recipe, load_recipe
from rac.doctor import estimate, examine, machine, models, runs
from rac.doctor.estimate import EMBEDDED, Size
from rac.errors import UserError

Run = Callable[..., Any]


@pytest.fixture
def recipe() -> Recipe:
    return load_recipe(find_recipe("quickstart"))


def changed(recipe: Recipe, **sections: dict[str, Any]) -> Recipe:
    values = recipe.model_dump(by_alias=True)
    for name, keys in sections.items():
        values[name] = {**values[name], **keys}
    return Recipe.model_validate(values)


def test_this_installation_is_sound() -> None:
    found = {check.name: check for check in examine(probe=False)}
    assert found["python"].status == "ok" and found["packages"].status == "ok", found["packages"]
    assert found["model"].status == "ok"
    assert set(found) >= {"extras", "processor", "memory", "disk for runs", "disk for the cache"}


def test_missing_and_old_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    declared = ["numpy>=1", "torch>=99", "no-such-thing>=2", 'ranx>=1; extra == "indexes"', 'numpy>=1; extra == "x"']
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: declared)
    packages, extras = machine.package_checks()
    assert packages.status == "problem" and "missing: no-such-thing>=2" in packages.found
    assert "needs >=99" in packages.found and "pip install --upgrade 'no-such-thing>=2' 'torch'" in packages.advice
    assert extras.found == "installed: x; not installed: indexes" and "[indexes]" in extras.advice

    def absent(_: str) -> list[str]:
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(importlib.metadata, "requires", absent)
    (only,) = machine.package_checks()
    assert only.status == "warning" and "pip install -e ." in only.advice


def test_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert machine.processor_check().status == "warning"
    last = list(examine("quickstart", probe=False))[-1]
    assert last.status == "problem" and "pip install torch" in last.advice


def test_a_graphics_processor_that_torch_does_not_see(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/nvidia-smi")
    check = machine.processor_check()
    assert check.status == "warning" and "make GPU=1 install" in check.advice


def test_little_memory_and_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "available_memory", lambda: 1e9)
    assert machine.memory_check().status == "warning"
    usage = collections.namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1, 1, 1e9))
    assert machine.disk_check("disk", tmp_path / "not" / "there").status == "warning"
    monkeypatch.setattr("os.access", lambda *_: False)
    assert machine.disk_check("disk", tmp_path).status == "problem"


def test_models_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    assert "no config.json" in models.model_check(str(tmp_path / "empty")).found
    assert models.model_check("nonsense").status == "problem"
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "HF_HUB_OFFLINE" in models.model_check("owner/no-such-model-here").found
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    check = models.model_check("owner/no-such-model-here")
    assert check.status == "problem" and "http://127.0.0.1:9 does not give it" in check.found
    (tmp_path / "empty" / "config.json").write_text("{}", encoding="utf-8")
    assert models.model_check(str(tmp_path / "empty")).status == "ok"


@pytest.mark.parametrize(
    ("data", "names", "status"),
    [
        ({"source": "bootstrap"}, "examples", "ok"),
        ({"source": "no/such/file.jsonl"}, "examples", "problem"),
        ({"source": "claqua", "directory": "/nowhere"}, "examples", "warning"),
        ({"corpus": "wikipedia"}, "corpus", "ok"),
        ({"corpus": "/no/such/folder"}, "corpus", "problem"),
        ({"corpus": "ir_datasets:x"}, "corpus", "note"),
    ],
)
def test_data_that_a_recipe_names(
    data: dict[str, Any], names: str, status: str, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAC_MIRROR", raising=False)
    found = {check.name: check.status for check in models.checks(changed(recipe, data=data))}
    assert found[names] == status


def test_devices(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert models.device_check(recipe).status == "ok"
    assert models.device_check(changed(recipe, model={"device": "cuda"})).status == "problem"
    assert models.device_check(changed(recipe, model={"dtype": "bfloat16"})).status == "warning"


class Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        good = self.path == "/v1/models"
        if self.path == "/locked/models":
            self.send_error(200 if self.headers.get("Authorization") == "Bearer open" else 401)
            return
        body = json.dumps({"data": [{"id": "tiny"}]} if good else {"error": "no"}).encode()
        self.send_response(200 if good else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


def test_servers(rac: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        assert models.server_check(f"{address}/v1", "OPENAI_API_KEY").figures == {"models": ["tiny"]}
        assert "status 404" in models.server_check(address, "OPENAI_API_KEY").found
        monkeypatch.setenv("OPENAI_API_KEY", "wrong")
        monkeypatch.setenv("MY_KEY", "open")
        assert models.server_check(f"{address}/locked", "OPENAI_API_KEY").advice == "set OPENAI_API_KEY"
        assert "status 401" not in models.server_check(f"{address}/locked", "MY_KEY").found
        asked = ("doctor", "--no-probe", "--server", f"{address}/locked")
        assert "set OPENAI_API_KEY" in rac(*asked).out
        # The key opens it; what then answers is no list of models.
        assert "does not answer as it should" in rac(*asked, "--key-variable", "MY_KEY").out
        server.shutdown()
    assert "does not answer" in models.server_check("http://127.0.0.1:9/v1", "OPENAI_API_KEY").found
    assert models.server_check("ftp://x", "OPENAI_API_KEY").status == "problem"


def test_a_recipe_s_server_is_tried_with_its_key(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[tuple[str, str]] = []
    monkeypatch.setattr(models, "server_check", lambda *given: tried.append(given) or models.Check("server", "ok", ""))
    own = {"url": "http://127.0.0.1:9/v1", "model": "m", "api_key_variable": "MY_KEY"}
    list(models.checks(changed(recipe, evaluation={"systems": ("openai", "gold")}, openai=own)))
    assert tried == [("http://127.0.0.1:9/v1", "MY_KEY")]


class Greeter(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.recv(1000)
        self.request.sendall(b"220 mail.example.org ESMTP\r\n")


def test_what_speaks_no_http(monkeypatch: pytest.MonkeyPatch) -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Greeter) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        check = models.server_check(f"{address}/v1", "OPENAI_API_KEY")
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        monkeypatch.setenv("HF_ENDPOINT", address)
        hub = models.model_check("owner/no-such-model-here")
        server.shutdown()
    assert check.status == hub.status == "problem"
    assert f"{address}/v1/models does not answer as it should (what answers there does not speak HTTP)" == check.found
    assert f"{address} does not give it (what answers there does not speak HTTP)" in hub.found


def test_addresses_and_keys_that_no_request_can_have(monkeypatch: pytest.MonkeyPatch) -> None:
    check = models.server_check("http://localhost:80a/v1", "OPENAI_API_KEY")
    assert check.status == "problem" and check.found.startswith("'http://localhost:80a/v1' is no address of a server")
    assert check.advice == "give one such as http://127.0.0.1:8000/v1"
    monkeypatch.setenv("OPENAI_API_KEY", "sk-é")
    check = models.server_check("http://127.0.0.1:9/v1", "OPENAI_API_KEY")
    assert check.status == "problem" and "OPENAI_API_KEY has a character outside of ASCII" in check.found
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_ENDPOINT", "http://localhost:80a")
    assert "80a" in models.model_check("owner/no-such-model-here").found


def test_a_model_name_that_neither_a_folder_nor_the_hub_has() -> None:
    check = models.model_check("models/my model")
    assert check.status == "problem" and check.found.startswith("there is no folder 'models/my model', and no model")
    assert check.advice.startswith("give 'embedded', a folder, or a hub id OWNER/NAME")
    assert estimate.size_of("models/my model") is None


def test_sizes_of_models(tmp_path: Path) -> None:
    config = {
        "hidden_size": 576, "num_hidden_layers": 30, "vocab_size": 49152, "intermediate_size": 1536,
        "num_attention_heads": 9, "num_key_value_heads": 3,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    size = estimate.size_of(str(tmp_path))
    assert size is not None and size.body == pytest.approx(EMBEDDED.body, rel=0.001) and size.head == EMBEDDED.head
    (tmp_path / "config.json").write_text('{"hidden_size": "x"}', encoding="utf-8")
    assert estimate.size_of(str(tmp_path)) is None
    assert estimate.size_of("owner/never-fetched") is None


def test_work_of_a_recipe(recipe: Recipe, tmp_path: Path) -> None:
    work = estimate.work_of(recipe)
    assert (work.stage1 + work.stage2, work.questions, work.assumed) == (146, 3, "")
    assert work.prompt == 60 + 4 * 28
    (tmp_path / "train.jsonl").write_text('{"id": "a"}\n' * 30 + "\n", encoding="utf-8")
    folder = changed(recipe, data={"source": str(tmp_path), "train_queries": None})
    assert estimate.work_of(folder).stage1 + estimate.work_of(folder).stage2 == 30
    unknown = estimate.work_of(changed(recipe, data={"source": "claqua", "train_queries": None}))
    assert "1,000 training queries" in unknown.assumed


def test_estimates_agree_with_a_run_that_was_measured(recipe: Recipe) -> None:
    """Two cores with 150 GFLOP/s took 82, 152, 67, 83 and 126 seconds, and 4.7 to 7.0 GB."""
    parts = estimate.seconds_of(recipe, EMBEDDED, estimate.work_of(recipe), 150e9)
    measured = {"ungrounded": 82, "grounded": 152, "pairs": 67, "rac": 83, "evaluation": 126}
    for name, seconds in measured.items():
        assert 0.5 < parts[name] / seconds < 2, (name, parts[name])
    # As that run split its batches.
    recipe = changed(recipe, training={"accumulation": 1}, preference={"accumulation": 2})
    assert 4e9 < estimate.memory_needed(recipe, EMBEDDED, estimate.work_of(recipe)) < 9e9


def test_rounds_without_labels_and_validations_take_time(recipe: Recipe) -> None:
    work = estimate.work_of(recipe)
    plain = estimate.seconds_of(recipe, EMBEDDED, work, 150e9)
    own = {"rounds": 1, "unlabelled_rounds": 2, "validations": 0}
    more = changed(recipe, data={"unlabelled_queries": 3 * work.stage2}, preference=own)
    rounds = estimate.seconds_of(more, EMBEDDED, work, 150e9)
    none = estimate.seconds_of(changed(recipe, preference={"rounds": 1, "validations": 0}), EMBEDDED, work, 150e9)
    assert rounds["pairs"] == pytest.approx(4 * none["pairs"]) and rounds["rac"] == pytest.approx(4 * none["rac"])
    mined = estimate.seconds_of(
        changed(recipe, preference={"rounds": 1, "validations": 0, "mined_rounds": 1}), EMBEDDED, work, 150e9
    )
    assert none["pairs"] < mined["pairs"] < 3 * none["pairs"] and none["rac"] < mined["rac"] < 2 * none["rac"]
    both = {"rounds": 1, "validations": 0, "unlabelled_rounds": 1, "mined_rounds": 2}
    asked = [
        estimate.seconds_of(
            changed(recipe, data={"unlabelled_queries": n}, preference=both), EMBEDDED, work, 150e9
        )["pairs"] for n in (work.stage2, 9 * work.stage2)
    ]  # fmt: skip
    assert asked[1] > 2 * asked[0], "every second mined round asks the queries without labels"
    watched = changed(recipe, preference={"validations": 3, "validation_queries": 100})
    assert estimate.seconds_of(watched, EMBEDDED, work, 150e9)["rac"] > none["rac"]
    # Asked in float32 where training has a faster arithmetic.
    slow = estimate.seconds_of(recipe, EMBEDDED, work, 150e9, asking=50e9)
    assert slow["evaluation"] == pytest.approx(3 * plain["evaluation"]) and slow["grounded"] == plain["grounded"]


def test_memory_and_disk_against_the_recipe(recipe: Recipe, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    work, large = estimate.work_of(recipe), Size(7 * 10**9, 10**9, 32, 4096, 11008, 128_000)
    monkeypatch.setattr(estimate, "available_memory", lambda: 64e9)
    assert estimate.memory(recipe, EMBEDDED, work).status == "ok"
    assert estimate.memory(recipe, large, work).status == "problem"
    assert "accumulation" in estimate.memory(recipe, large, work).advice
    monkeypatch.setattr(estimate, "free_disk", lambda _: (tmp_path, 50e9))
    assert estimate.disk(recipe, EMBEDDED, tmp_path).status == "ok"
    assert estimate.disk(recipe, large, tmp_path).status == "problem"
    lora = changed(recipe, training={"adapter": "lora"}, preference={"adapter": "lora"})
    assert estimate.disk(lora, large, tmp_path).status == "ok"
    assert estimate.memory_needed(lora, large, work) < 0.5 * estimate.memory_needed(recipe, large, work)


def test_the_time_is_a_range_and_says_where_it_was_measured(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    rate, where = estimate.measure(EMBEDDED, recipe, seconds=0.05)
    assert rate > 1e8
    monkeypatch.setattr(estimate, "is_busy", lambda: True)
    check = estimate.duration(recipe, EMBEDDED, estimate.work_of(recipe), rate, where)
    assert 0 < check.figures["low"] < check.figures["high"] and "GFLOP/s measured" in check.found
    slow = estimate.duration(recipe, EMBEDDED, estimate.work_of(recipe), 1e8, "2 CPU threads")
    assert slow.status == "warning" and "graphics processor" in slow.advice and "busy" in slow.found


def test_run_directories(recipe: Recipe, tmp_path: Path) -> None:
    from rac.pipeline.run_directory import RunDirectory, Stage

    run = RunDirectory(tmp_path / "run", recipe)

    def work() -> Stage:
        (run / "a.txt").write_text("x", encoding="utf-8")
        return Stage(["a.txt"])

    run.run("index", {}, work)
    assert runs.find_target(str(run.path)) == (recipe, run.path)
    (check,) = runs.checks(run.path, recipe)
    assert check.status == "ok" and "index" in check.found
    with run.lock():
        assert next(iter(runs.checks(run.path, recipe))).name == "run"
    (run / "a.txt").unlink()
    (run / "stages" / "data.json").write_text("[]", encoding="utf-8")
    damaged, _ = runs.checks(run.path, recipe)
    assert "index (a.txt is gone)" in damaged.found and "data (its record is damaged)" in damaged.found
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="it is no run"):
        runs.find_target(str(tmp_path / "folder"))


def test_the_command(rac: Run, tmp_path: Path) -> None:
    good = rac("doctor", "quickstart", "--no-probe", "--json")
    report = json.loads(good.out)
    assert good.status == (1 if report["problems"] else 0)
    assert {"python", "memory for training", "corpus"} <= {check["name"] for check in report["checks"]}
    bad = tmp_path / "bad.yaml"
    bad.write_text("model:\n  base: owner/no/such\ndata:\n  corpus: /no/such/folder\n", encoding="utf-8")
    result = rac("doctor", bad, "--no-probe")
    assert result.status == 1
    assert "PROBLEM model: there is no model at 'owner/no/such'" in result.out and "→ check data.corpus" in result.out
    assert "problems" in result.out.splitlines()[-1]
    nothing = rac("doctor", "no-such-recipe")
    assert nothing.status == 2 and "no recipe at" in nothing.err


def test_a_lock_that_is_held_is_seen(tmp_path: Path) -> None:
    assert not runs.is_at_work(tmp_path)
    with (tmp_path / ".lock").open("w") as handle:
        assert not runs.is_at_work(tmp_path)
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert runs.is_at_work(tmp_path)
