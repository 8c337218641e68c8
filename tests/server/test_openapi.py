from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rac.report.scoring import question_scorer
from rac.server.feedback import FeedbackStore
from server_support import GOOD, D, ListIndex, client_of, make_service, make_settings, uvicorn_of

EXAMPLES: list[tuple[str, dict[str, Any]]] = [
    ("clarify", {"query": "mercury", "passages": D, "top_k": 3, "n": 2, "min_faithfulness": 0.5, "seed": 1}),
    ("clarify", {"query": "x", "history": [{"role": "user", "text": "mercury"}], "stream": True}),
    ("clarify", {"queries": [{"query": "mercury", "passages": ["a"]}, {"query": "b"}]}),
    ("search", {"queries": ["mercury", "records"], "top_k": 2}),
    ("score", {"items": [{"query": "mercury", "question": GOOD, "passages": D}]}),
    ("refine", {"query": "mercury", "question": GOOD, "answer": "the second", "passages": D, "top_k": 1}),
    ("feedback", {"query": "q", "question": GOOD, "option": "the planet", "helpful": False, "candidates": ["a"]}),
]
CHECKS = ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance"]
JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=20),
    st.sampled_from(["", " ", "\x00", "\u2028", "<|im_end|>", "\U0001f600", "a" * 5000]),
    st.sampled_from([[], {}, [[]], {"": {}}, [None] * 100]),
    st.lists(st.text(max_size=3), max_size=3), st.dictionaries(st.text(max_size=5), st.integers(), max_size=3),
)  # fmt: skip


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Any:
    store = FeedbackStore(tmp_path_factory.mktemp("feedback") / "f.sqlite")
    limits = {"requests_per_minute": 0}
    return make_service(
        index=ListIndex(), scorer=question_scorer(), feedback=store,
        settings=make_settings(limits=limits, security={"allowed_hosts": ["testserver", "127.0.0.1"]}),
    )  # fmt: skip


@pytest.fixture(scope="module")
def client(service: Any) -> Iterator[Any]:
    with client_of(service) as made:
        yield made


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value inside a JSON value, itself included."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(p for key, part in inner for p in places(part, (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], how: str, junk: Any) -> Any:
    if not path:
        return junk
    value = copy.deepcopy(value)
    target = value
    for key in path[:-1]:
        target = target[key]
    if how == "replace":
        target[path[-1]] = junk
    elif how == "delete":
        del target[path[-1]]
    elif isinstance(target, dict):
        target[str(path[-1]) + "x"] = junk
    else:
        target.insert(path[-1], junk)
    return value


@given(st.data())
@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_change_of_a_request_breaks_the_service(client: Any, data: st.DataObject) -> None:
    endpoint, body = data.draw(st.sampled_from(EXAMPLES))
    for _ in range(data.draw(st.integers(1, 2))):
        path = data.draw(st.sampled_from(places(body)))
        body = changed(body, path, data.draw(st.sampled_from(["replace", "delete", "insert"])), data.draw(JUNK))
    response = client.post(
        f"/v1/{endpoint}", content=json.dumps(body).encode(), headers={"content-type": "application/json"}
    )
    assert response.status_code in (200, 201, 409, 422), response.text
    if response.status_code >= 400:
        assert response.json()["error"]["message"]


@given(st.binary(max_size=200))
@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bytes_that_are_no_request_are_refused(client: Any, raw: bytes) -> None:
    response = client.post("/v1/clarify", content=raw, headers={"content-type": "application/json"})
    assert response.status_code in (400, 422)
    assert response.json()["error"]["code"]


def test_the_description_names_endpoints_limits_and_examples_that_work(client: Any) -> None:
    page = client.get("/v1/openapi.json").json()
    assert set(page["paths"]) == {
        *(f"/v1/{name}" for name in ("clarify", "search", "score", "refine", "feedback")),
        "/healthz", "/readyz", "/metrics",
    }  # fmt: skip
    clarify = page["components"]["schemas"]["ClarifyRequest"]
    assert clarify["properties"]["query"]["anyOf"][0]["maxLength"] == 2000
    assert clarify["properties"]["n"]["anyOf"][0]["maximum"] == 16
    assert "not predicted" in page["paths"]["/v1/clarify"]["post"]["description"]
    tried = 0
    for path, operations in page["paths"].items():
        for operation in operations.values():
            assert operation["summary"]
            if "requestBody" in operation:
                reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
                for example in page["components"]["schemas"][reference.rpartition("/")[2]]["examples"]:
                    assert client.post(path, json=example).status_code in (200, 201), (path, example)
                    tried += 1
    assert tried >= 9


@pytest.mark.extra
def test_schemathesis_finds_no_answer_that_breaks_the_description(service: Any, tmp_path: Path) -> None:
    schemathesis = pytest.importorskip("schemathesis")
    from schemathesis import checks

    with uvicorn_of(make_service(
        index=ListIndex(), scorer=question_scorer(), feedback=FeedbackStore(tmp_path / "f.sqlite"),
        settings=service.settings,
    )) as address:  # fmt: skip
        schema = schemathesis.openapi.from_url(f"{address}/v1/openapi.json")
        checks.load_all_checks()
        chosen = checks.CHECKS.get_by_names(CHECKS)
        tested = 0
        for result in schema.get_all_operations():
            operation = result.ok()

            @given(case=operation.as_strategy())
            @settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
            def call(case: Any) -> None:
                case.call_and_validate(checks=chosen)

            call()
            tested += 1
        assert tested == 8
