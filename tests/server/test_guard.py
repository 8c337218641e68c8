from __future__ import annotations

import json
import logging
import threading
from pathlib import Path
from typing import Any

import pytest

from rac.server.guard import network_of
from rac.server.keys import KeyRing, hash_key, new_key
from rac.server.rate import RateLimiter
from server_support import GOOD, D, client_of, make_service, make_settings

BODY = {"query": "mercury", "passages": D}


def test_keys_are_random_stored_as_hashes_and_told_apart() -> None:
    (one, one_hash), (two, two_hash) = new_key(), new_key()
    assert one != two
    assert one not in one_hash
    ring = KeyRing({"a": one_hash, "b": two_hash})
    assert (ring.owner(one), ring.owner(two), ring.owner(one[:-1]), ring.owner("")) == ("a", "b", None, None)
    assert not KeyRing({})


def test_every_stored_hash_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    import hmac

    compared: list[str] = []
    real = hmac.compare_digest

    def watch(a: str, b: str) -> bool:
        compared.append(b)
        return real(a, b)

    monkeypatch.setattr(hmac, "compare_digest", watch)
    ring = KeyRing({name: hash_key(name) for name in "abc"})
    assert ring.owner("a") == "a"
    assert compared == [hash_key(name) for name in "abc"]


def test_with_keys_every_endpoint_but_health_and_its_description_needs_one() -> None:
    key, stored = new_key()
    settings = make_settings(security={"api_keys": {"shop": stored}, "allowed_hosts": ["testserver"]})
    with client_of(make_service(settings=settings)) as client:
        for path in ("/v1/clarify", "/v1/search", "/v1/score", "/v1/refine", "/v1/feedback", "/v1/nothing"):
            refused = client.post(path, json=BODY)
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
        assert client.get("/metrics").status_code == 401
        wrong = client.post("/v1/clarify", json=BODY, headers={"Authorization": "Bearer rac_wrong"})
        assert wrong.status_code == 401
        for headers in ({"Authorization": f"Bearer {key}"}, {"X-API-Key": key}):
            assert client.post("/v1/clarify", json=BODY, headers=headers).status_code == 200
            assert client.get("/metrics", headers=headers).status_code == 200
        for path in ("/healthz", "/readyz", "/v1/openapi.json"):
            assert client.get(path).status_code == 200
        assert client.get("/v1/openapi.json").json()["paths"]["/v1/clarify"]["post"]["security"]


def test_rate_limits_are_per_key_and_say_when_to_come_back() -> None:
    (one, one_hash), (two, two_hash) = new_key(), new_key()
    settings = make_settings(
        security={"api_keys": {"a": one_hash, "b": two_hash}, "allowed_hosts": ["testserver"]},
        limits={"requests_per_minute": 1, "burst": 2},
    )
    with client_of(make_service(settings=settings)) as client:
        codes = [
            client.post("/v1/clarify", json=BODY, headers={"X-API-Key": key}).status_code
            for key in (one, one, one, two)
        ]  # fmt: skip
        refused = client.post("/v1/clarify", json=BODY, headers={"X-API-Key": one})
    assert codes == [200, 200, 429, 200]
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.json()["error"]["code"] == "rate_limited"


def test_buckets_fill_with_time_and_are_shared_between_processes(tmp_path: Path) -> None:
    now = [0.0]
    path = tmp_path / "rates"
    path.touch()
    one, two = (RateLimiter(60, 3, path, clock=lambda: now[0]) for _ in range(2))
    assert [one.wait_for("x"), two.wait_for("x"), one.wait_for("x")] == [0, 0, 0]
    assert two.wait_for("x") == pytest.approx(1.0)
    assert two.wait_for("y") == 0
    now[0] = 1.0
    assert one.wait_for("x") == 0
    assert one.wait_for("x") == pytest.approx(1.0)
    now[0] = 1000.0
    assert [one.wait_for("x") for _ in range(4)] == [0, 0, 0, pytest.approx(1.0)]
    assert all(RateLimiter(0, 1).wait_for("x") == 0 for _ in range(5))


def test_a_host_with_many_ipv6_addresses_is_one_client() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:2") == "2001:db8::/64"
    assert network_of("2001:db8:0:1::1") != network_of("2001:db8::1")
    assert network_of("fe80::1%eth0") == "fe80::/64"
    assert (network_of("10.0.0.1"), network_of("::ffff:10.0.0.1"), network_of("testclient")) == (
        "10.0.0.1", "10.0.0.1", "testclient"
    )  # fmt: skip


def test_more_clients_than_places_make_limits_generous_never_wrong(tmp_path: Path) -> None:
    limiter = RateLimiter(60, 1, clock=lambda: 0.0)
    assert all(limiter.wait_for(f"client {i}") == 0 for i in range(20_000))


def test_threads_cannot_take_more_than_the_bucket_holds() -> None:
    limiter = RateLimiter(1, 50, clock=lambda: 0.0)
    allowed: list[bool] = []

    def take() -> None:
        allowed.extend(limiter.wait_for("x") == 0 for _ in range(40))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(allowed) == 50


def test_a_large_body_is_refused_whether_or_not_it_says_its_size() -> None:
    def chunks() -> Any:
        for _ in range(40):
            yield b"x" * 1024

    with client_of(make_service(settings=make_settings(limits={"body_bytes": 10_000}))) as client:
        said = client.post("/v1/clarify", content=b"x" * 10_001)
        unsaid = client.post("/v1/clarify", content=chunks())
        fits = client.post("/v1/clarify", json=BODY)
    assert (said.status_code, unsaid.status_code, fits.status_code) == (413, 413, 200)
    assert said.json()["error"]["code"] == "body_too_large"


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", "application/json", 422),
        (b"{", "application/json", 422),
        (b"\xff\xfe", "application/json", 422),
        (b"[" * 100_000, "application/json", 400),
        (b'{"query": "x"}', "text/plain", 422),
        (b'{"query": NaN}', "application/json", 422),
        (b'{"query": "\\ud800"}', "application/json", 422),
        (b'{"query": "x", "passages": ["\\ud800"]}', "application/json", 422),
        (b'{"query": "x", "passages": [{"text": "\\udfff", "title": "\\ud800"}]}', "application/json", 422),
        (b'{"query": "x", "quest": 1}', "application/json", 422),
        (b'{"query": "x", "n": 1e400}', "application/json", 422),
        (b'{"query": "x", "min_faithfulness": NaN}', "application/json", 422),
        (b'{"query": "   ", "passages": ["a"]}', "application/json", 422),
        (b'{"query": "x", "queries": [{"query": "y"}]}', "application/json", 422),
        (b'{"queries": [{"query": "y"}], "stream": true}', "application/json", 422),
        (b'{"query": "x", "passages": [{"id": "a", "text": "b"}, {"id": "a", "text": "c"}]}', "application/json", 422),
        (b'{"query": "x", "passages": [""]}', "application/json", 422),
        (b'{"query": "x", "passages": [{"titel": "b"}]}', "application/json", 422),
        (b'{"query": "x", "n": 65, "passages": ["a"]}', "application/json", 422),
        (b'{"query": "x", "top_k": 1000000}', "application/json", 422),
    ],
)
def test_malformed_requests_are_told_what_is_wrong(body: bytes, kind: str, status: int) -> None:
    with client_of(make_service()) as client:
        response = client.post("/v1/clarify", content=body, headers={"content-type": kind})
    assert response.status_code == status
    error = response.json()["error"]
    assert error["message"]
    assert error["request_id"] == response.headers["x-request-id"]


def test_unknown_addresses_and_methods_answer_in_json() -> None:
    with client_of(make_service()) as client:
        missing, wrong = client.get("/v1/../etc/passwd"), client.get("/v1/clarify")
        traversal = client.get("/%2e%2e/%2e%2e/etc/passwd")
    assert (missing.status_code, traversal.status_code, wrong.status_code) == (404, 404, 405)
    assert wrong.json()["error"]["code"] == "method_not_allowed"
    assert wrong.headers["allow"] == "POST"


def test_every_answer_has_security_headers_and_cors_is_off() -> None:
    with client_of(make_service()) as client:
        for response in (client.get("/healthz"), client.get("/nothing"), client.post("/v1/clarify", json=BODY)):
            policy = response.headers["content-security-policy"]
            assert "default-src 'self'" in policy
            assert "unsafe" not in policy
            assert response.headers["x-content-type-options"] == "nosniff"
            assert response.headers["x-frame-options"] == "DENY"
        asked = client.post("/v1/clarify", json=BODY, headers={"Origin": "https://evil.example"})
        preflight = client.options(
            "/v1/clarify", headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        )
    assert asked.headers["cache-control"] == "no-store"
    assert "access-control-allow-origin" not in asked.headers
    assert "access-control-allow-origin" not in preflight.headers


def test_cors_lets_named_origins_in() -> None:
    settings = make_settings(
        security={"cors_origins": ["https://shop.example"], "allowed_hosts": ["testserver"]}
    )  # fmt: skip
    ask = {"Access-Control-Request-Method": "POST"}
    with client_of(make_service(settings=settings)) as client:
        good = client.options("/v1/clarify", headers={"Origin": "https://shop.example", **ask})
        bad = client.options("/v1/clarify", headers={"Origin": "https://evil.example", **ask})
    assert good.headers["access-control-allow-origin"] == "https://shop.example"
    assert "access-control-allow-origin" not in bad.headers


def test_a_page_of_a_named_origin_can_read_every_refusal_and_failure() -> None:
    key, stored = new_key()
    shop = "https://shop.example"
    settings = make_settings(
        security={"cors_origins": [shop], "allowed_hosts": ["testserver"], "api_keys": {"shop": stored}},
        limits={"requests_per_minute": 1, "burst": 2, "body_bytes": 2000},
    )
    service = make_service(settings=settings)
    service.clarify = None  # type: ignore[assignment, method-assign]
    own = {"Origin": shop, "X-API-Key": key}
    with client_of(service) as client:
        answers = [
            client.post("/v1/clarify", json=BODY, headers={"Origin": shop}),
            client.post("/v1/clarify", json=BODY, headers={**own, "Host": "evil.example"}),
            client.post("/v1/clarify", content=b"x" * 2001, headers=own),
            client.post("/v1/clarify", json=BODY, headers=own),
            client.post("/v1/clarify", json=BODY, headers=own),
        ]
        foreign = client.post("/v1/clarify", json=BODY, headers={"Origin": "https://evil.example"})
    assert [answer.status_code for answer in answers] == [401, 421, 413, 500, 429]
    for answer in answers:
        assert answer.headers["access-control-allow-origin"] == shop
        assert "retry-after" in answer.headers["access-control-expose-headers"]
        assert answer.headers["x-request-id"] == answer.json()["error"]["request_id"]
        assert answer.headers["x-frame-options"] == "DENY"
    assert foreign.status_code == 401
    assert "access-control-allow-origin" not in foreign.headers


def test_a_service_on_loopback_answers_under_local_names_only() -> None:
    settings = make_settings(security={})
    from starlette.testclient import TestClient

    from rac.server.app import create_app

    service = make_service(settings=settings)
    with TestClient(create_app(settings, service), base_url="http://localhost:8000") as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/healthz", headers={"host": "127.0.0.1"}).status_code == 200
        rebound = client.get("/healthz", headers={"host": "evil.example:8000"})
    assert (rebound.status_code, rebound.json()["error"]["code"]) == (421, "wrong_host")


def test_logs_are_json_and_without_texts_and_addresses_unless_switched_on(caplog: pytest.LogCaptureFixture) -> None:
    for shown in (False, True):
        caplog.clear()
        settings = make_settings(logs={"queries": shown, "addresses": shown, "probes": shown})
        with caplog.at_level(logging.INFO, "rac.server.access"), client_of(make_service(settings=settings)) as client:
            client.post("/v1/clarify", json=BODY, headers={"X-Request-ID": "my-own-id-1"})
            client.get("/some/secret-path?query=mercury")
        lines = [json.loads(r.getMessage()) for r in caplog.records if r.name == "rac.server.access"]
        line = next(entry for entry in lines if entry["path"] == "/v1/clarify")
        assert (line["status"], line["request_id"], line["queries"], line["asked"]) == (200, "my-own-id-1", 1, 1)
        assert line["generate_seconds"] >= 0
        text = json.dumps(lines)
        assert ("mercury" in text) == shown
        assert (GOOD in text) == shown
        assert ("address" in line) == shown
        assert "secret-path" not in text
        # Asked for until the service is ready.
        assert ("/readyz" in text) == shown


def test_what_breaks_inside_is_an_error_with_an_id_and_no_traceback(caplog: pytest.LogCaptureFixture) -> None:
    service = make_service()
    service.clarify = None  # type: ignore[assignment, method-assign]
    with client_of(service) as client:
        response = client.post("/v1/clarify", json=BODY)
    assert response.status_code == 500
    assert response.json()["error"]["code"] == "internal_error"
    assert "Traceback" not in response.text
    assert response.json()["error"]["request_id"] in caplog.text
