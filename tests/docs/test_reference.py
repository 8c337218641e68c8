"""The reference pages say what the code says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_reference", ROOT / "scripts" / "write_reference.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", ["commands.md", "recipe-reference.md"])
@pytest.mark.parametrize("width", ["40", "200"])
def test_generated_pages_are_up_to_date(page: str, width: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", width)
    made = script().PAGES[page]()
    stored = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert made == stored, f"docs/{page} is out of date; run: python scripts/write_reference.py"


def test_every_command_and_recipe_key_is_on_its_page() -> None:
    from rac.config import Recipe, shipped_recipes

    commands = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    for file in (ROOT / "src" / "rac" / "cli").glob("[a-z]*.py"):
        if "@app.command" in file.read_text(encoding="utf-8"):
            assert f"`rac {file.stem.replace('_', '-')}" in commands or file.stem in ("annotate_errors", "export_model")
    recipes = (ROOT / "docs" / "recipe-reference.md").read_text(encoding="utf-8")
    for name, field in Recipe.model_fields.items():
        assert f"\n{field.alias or name}:" in recipes
    for name in shipped_recipes():
        assert f"| `{name}` |" in recipes
