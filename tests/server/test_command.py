from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rac.cli import app, register_commands
from rac.cli.serve import _without_password
from rac.errors import UserError
from rac.server.keys import hash_key


def run(*arguments: str) -> str:
    register_commands()
    result = CliRunner().invoke(app, ["serve", *arguments])
    if result.exception is not None:
        raise result.exception
    return result.output


def test_a_new_key_is_printed_with_its_hash_and_nothing_is_served() -> None:
    output = run("--new-key", "shop")
    key = re.findall(r"rac_\S+", output)[0]
    assert f"{{shop: '{hash_key(key)}'}}" in output
    with pytest.raises(UserError, match="cannot name a key"):
        run("--new-key", "a b")


def test_every_setting_is_explained() -> None:
    output = run("--explain")
    assert (
        "  # Queries waiting or under way per worker; more are refused with 429. (whole number)\n  queue: 64" in output
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["no/such/model"], "no model at 'no/such/model'"),
        (["embedded", "--system", "rac"], "is a model, not a run directory"),
        (["--index", "nowhere"], "no index at nowhere"),
        (["--set", "limits.quee=1"], "did you mean 'queue'"),
        (["--config", "missing.yaml"], "no such file"),
    ],
)
def test_what_cannot_be_served_is_one_sentence(
    arguments: list[str], problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=problem):
        run(*arguments)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "fastapi" else real(name, *rest)
    )
    with pytest.raises(UserError, match=r"needs fastapi, which is not installed: pip install 'rac-clarify\[serve\]'"):
        run("embedded")


def test_passwords_of_database_urls_are_not_logged() -> None:
    assert _without_password("postgresql://u:secret@h/d") == "postgresql://u:***@h/d"
    assert _without_password("feedback.sqlite") == "feedback.sqlite"
