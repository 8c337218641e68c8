from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import rac.models
from rac.errors import DataError
from rac.server.running import feedback_place
from rac.server.settings import ServerSettings
from rac.settings import explain_settings, load_settings


def test_file_then_set_then_flags(tmp_path: Path) -> None:
    path = tmp_path / "serve.yaml"
    path.write_text("port: 81\nlimits:\n  queue: 7\n  burst: 9\n")
    settings = load_settings(ServerSettings, path, ["limits.queue=8", "port=82"])
    assert (settings.port, settings.limits.queue, settings.limits.burst) == (82, 8, 9)
    assert load_settings(ServerSettings, None) == ServerSettings()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "port: 80\nlimits:\n  queu: 3\n",
            r"serve.yaml, line 3, field 'limits.queu': unknown key; did you mean 'queue'",
        ),
        ("port: many\n", r"line 1, field 'port'"),
        ("limits: {queue: 0}\n", r"field 'limits.queue'"),
        ("host: x\nhost: y\n", r"line 2, field 'host': is given twice"),
        ("- a\n", r"line 1: must be a mapping of keys and values"),
        ("a: [\n", r"is not valid YAML"),
        ("security:\n  cors_origins: ['*']\n", r"line 2.*'\*' is no origin"),
        ("n: 30\n", r"line 1, field 'n': n: 30 is more than limits.candidates"),
        ("port: 0\nworkers: 2\n", r"port: 0 takes a free port"),
        (
            "openai: {model: m, url: 'http://x/v1',\n  timout: 3}\n",
            r"line 2, field 'openai.timout': unknown key; did you mean 'timeout'",
        ),
        ("openai: {model: m, url: 'ftp://x'}\n", r"no http or https address"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "serve.yaml"
    path.write_text(text)
    with pytest.raises(DataError, match=problem):
        load_settings(ServerSettings, path)


def test_a_key_in_clear_is_refused_and_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "serve.yaml"
    path.write_text("security:\n  api_keys:\n    shop: my-secret-key\n")
    with pytest.raises(DataError, match="--new-key shop") as caught:
        load_settings(ServerSettings, path)
    assert "my-secret-key" not in str(caught.value)
    with pytest.raises(DataError) as caught:
        load_settings(ServerSettings, None, ["security.api_keys.shop=my-secret-key"])
    assert "my-secret-key" not in str(caught.value)


def test_the_explained_settings_are_the_defaults() -> None:
    assert ServerSettings.model_validate(yaml.safe_load(explain_settings(ServerSettings))) == ServerSettings()


def test_feedback_lies_beside_the_run(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    assert feedback_place(ServerSettings(model=str(tmp_path))) == str(tmp_path / "feedback.sqlite")
    assert feedback_place(ServerSettings()) == "feedback.sqlite"
    assert feedback_place(ServerSettings(feedback="off")) is None
    assert feedback_place(ServerSettings(feedback="sqlite:///x.db")) == "sqlite:///x.db"


def test_without_a_model_the_tuned_one_is_served_where_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rac.models, "ADAPTERS", tmp_path)
    assert ServerSettings().model == "embedded"
    (tmp_path / "rac").mkdir()
    (tmp_path / "rac" / "adapter_config.json").touch()
    assert ServerSettings().model == load_settings(ServerSettings, None).model == "embedded:rac"
