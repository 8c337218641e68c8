"""What docs/service.md shows works as shown."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from rac.report.scoring import question_scorer
from rac.server.feedback import FeedbackStore
from rac.server.settings import ServerSettings
from server_support import client_of, make_service

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "service.md").read_text(encoding="utf-8")


def test_the_requests_of_the_page_are_answered(tmp_path: Path) -> None:
    calls = re.findall(r"curl -sN? http://127\.0\.0\.1:8000(/\S+) -H '([^']*)'[\s\\]*-d '([^']*)'", PAGE)
    assert [path for path, _, _ in calls] == [
        "/v1/clarify", "/v1/clarify", "/v1/refine", "/v1/feedback", "/v1/score"
    ]  # fmt: skip
    assert len(calls) == PAGE.count("curl -s")
    service = make_service(scorer=question_scorer(), feedback=FeedbackStore(tmp_path / "f.sqlite"))
    with client_of(service) as client:
        for path, header, body in calls:
            name, value = header.split(": ")
            response = client.post(path, content=body.encode(), headers={name: value})
            assert response.status_code in (200, 201), (path, response.text)


def test_the_settings_of_the_page_are_valid() -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.S)
    settings = ServerSettings.model_validate(yaml.safe_load(text.replace("sha256:...", "sha256:" + "0" * 64)))
    assert settings.limits.queue == 64


def test_the_counters_of_the_page_are_those_of_the_service() -> None:
    with client_of(make_service()) as client:
        client.get("/healthz")
        page = client.get("/metrics").text
    named = set(re.findall(r"`(rac_\w+?)`", PAGE))
    kinds = dict(re.findall(r"# TYPE (rac_\w+) (\w+)", page))
    assert {name.removesuffix("_total") for name in named} == {
        name.removesuffix("_total").removesuffix("_created") for name, kind in kinds.items()
    }
