"""``rac serve`` from a program, with the standard library only.

    rac serve --port 8000 &
    python examples/http_client.py http://127.0.0.1:8000

Passages travel with the call: most programs have a retriever already. With ``rac serve RUN`` leave them out, and the
run's index is searched.
"""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from typing import Any

PASSAGES = [
    {"id": "1", "title": "Mercury (planet)", "text": "Mercury is the smallest planet and the closest to the Sun."},
    {"id": "2", "title": "Mercury (element)", "text": "Mercury is a chemical element, a liquid metal."},
]


def post(base: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Send one request; a refusal ends the program with what the service said."""
    request = urllib.request.Request(
        base + path, json.dumps(body).encode(), {"content-type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return dict(json.load(response))
    except urllib.error.HTTPError as error:
        said = json.load(error)["error"]
        sys.exit(f"{path}: {said['message']} (status {error.code}, request {said['request_id']})")


def main() -> None:
    """Clarify, answer with the first option, say that it helped."""
    base = (sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000").rstrip("/")
    found = post(base, "/v1/clarify", {"query": "mercury", "passages": PASSAGES})
    if found["question"] is None:
        print(f"nothing is asked: {found['reason']}")
        return
    print(found["question"])
    for option in found["options"]:
        print(f"  - {option['text']} (support {option['score']:.2f})")
    picked = found["options"][0]["text"]
    refined = post(base, "/v1/refine", {
        "query": "mercury", "question": found["question"], "answer": picked, "passages": PASSAGES,
    })  # fmt: skip
    print(f"searched for: {refined['rewritten_query']}")
    stored = post(base, "/v1/feedback", {
        "request_id": found["request_id"], "query": "mercury", "question": found["question"], "option": picked,
        "helpful": True, "passages": PASSAGES, "candidates": found["candidates"],
    })  # fmt: skip
    print(f"feedback {stored['feedback_id']} is stored")


if __name__ == "__main__":
    main()
