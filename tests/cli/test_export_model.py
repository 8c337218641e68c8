from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rac.asking import Asker
from rac.cli import app, register_commands
from rac.config import Recipe
from rac.errors import UserError
from rac.models import model_info

register_commands()


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["export", *arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def open_run(folder: Path) -> None:
    """Make a run directory in which no stage is done, or of the models that lie there."""
    (folder / "work").mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text('{"schema": 1}', encoding="utf-8")
    (folder / "recipe.yaml").write_text(Recipe().to_yaml(), encoding="utf-8")


@pytest.fixture
def a_run(tmp_path: Path, tiny_model_dir: Path) -> Path:
    """A run directory with two trained models."""
    folder = tmp_path / "run"
    for name in ("grounded", "rac"):
        shutil.copytree(tiny_model_dir, folder / "models" / name)
    open_run(folder)
    return folder


def test_merged_and_gguf_of_a_run(a_run: Path, tmp_path: Path) -> None:
    assert "Written to" in run("merged", str(a_run), "-o", str(tmp_path / "merged"))
    assert (tmp_path / "merged" / "model.safetensors").exists()
    output = run("gguf", str(a_run), "--system", "grounded", "--no-check", "-o", str(tmp_path / "m.gguf"))
    assert "Written to" in output and "Read back" not in output
    assert (tmp_path / "m.gguf").read_bytes()[:4] == b"GGUF"


def test_a_runs_model_says_how_it_is_asked(a_run: Path, tmp_path: Path, tiny_model_dir: Path) -> None:
    shutil.copytree(tiny_model_dir, a_run / "models" / "ungrounded")
    recipe = Recipe.model_validate({"prompt": {"passage_tokens": 9}})
    (a_run / "recipe.yaml").write_text(recipe.to_yaml(), encoding="utf-8")
    for system in ("ungrounded", "rac"):
        run("merged", str(a_run), "--system", system, "-o", str(tmp_path / system))
        info = model_info(tmp_path / system)
        assert info["name"] == system and info["sees_passages"] == (system != "ungrounded") and info["merged"]
        assert info["prompt"]["passage_tokens"] == 9 and info["trained_on"] == [recipe.data.source]
        asker = Asker.open(str(tmp_path / system), engine="torch")
        assert asker.tuned and asker.grounded == (system == "rac") and asker.settings == recipe.prompt


@pytest.mark.parametrize("kind", ["merged", "adapter", "gguf"])
@pytest.mark.parametrize("output", [".", ".."])
def test_where_nothing_can_be_written_is_a_sentence(
    kind: str, output: str, a_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=r"^\.\.? is |is a full model"):
        run(kind, str(a_run), "-o", output)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gguf"], "needs a model"),
        (["gguf", "RUN", "--dtype", "q4_0"], "q4_0 is no type of a GGUF"),
        (["merged", "RUN", "--dtype", "f16"], "f16 is no type of merged"),
        (["adapter", "RUN", "--dtype", "f16"], "leave it out"),
        (["adapter", "RUN"], "is a full model"),
        (["gguf", "RUN", "--system", "ungrounded"], "has no model 'ungrounded'"),
        (["gguf", "MODEL", "--system", "rac"], "is no run directory"),
        (["claqua", "RUN"], "not as 'claqua'"),
        (["claqua", "--dtype", "f16"], "not as 'claqua'"),
    ],
)
def test_what_makes_no_sense(
    arguments: list[str], message: str, a_run: Path, tiny_model_dir: Path, tmp_path: Path
) -> None:
    filled = [{"RUN": str(a_run), "MODEL": str(tiny_model_dir)}.get(a, a) for a in arguments]
    with pytest.raises(UserError, match=message):
        run(*filled, "-o", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_run_without_a_model(tmp_path: Path) -> None:
    open_run(tmp_path / "run")
    with pytest.raises(UserError, match="no trained model yet"):
        run("gguf", str(tmp_path / "run"), "-o", str(tmp_path / "m.gguf"))
