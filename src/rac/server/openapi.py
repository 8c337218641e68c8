"""The OpenAPI page: what FastAPI makes of the schemas, with the configured limits and the API key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rac.server.settings import ServerSettings

if TYPE_CHECKING:
    from fastapi import FastAPI

DESCRIPTION = """Faithful clarifying questions: every option is supported by a passage of your own corpus.

`POST /v1/clarify` asks, `POST /v1/refine` uses the user's answer, `POST /v1/feedback` keeps what came of it.
Whether a query needs clarifying is not predicted: ask for the queries that you want to clarify.
"""


def make_openapi(app: FastAPI, settings: ServerSettings) -> dict[str, Any]:
    """Return the page, made once."""
    from fastapi.openapi.utils import get_openapi

    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes)
        _write_limits(schema["components"]["schemas"], settings)
        for path, operations in schema["paths"].items():
            for operation in operations.values():
                # FastAPI describes its own form of validation errors, which is not sent here.
                answers = operation["responses"]
                if answers.get("422", {}).get("description") == "Validation Error":
                    del answers["422"]
                if settings.security.api_keys and (path.startswith("/v1/") or path == "/metrics"):
                    operation["security"] = [{"bearer": []}, {"header": []}]
        if settings.security.api_keys:
            schema["components"]["securitySchemes"] = {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            }
        app.openapi_schema = schema
    return app.openapi_schema


def _write_limits(schemas: dict[str, Any], settings: ServerSettings) -> None:
    """Put the configured limits into the schemas of the requests."""
    limits = settings.limits
    for name in ("ClarifyRequest", "QueryIn", "SearchRequest", "ScoreItem", "RefineRequest", "FeedbackRequest"):
        properties = schemas[name]["properties"]
        for field in ("query", "question", "answer", "comment"):
            if field in properties:
                _bound(properties[field], "string", maxLength=limits.query_characters)
        if "passages" in properties:
            _bound(properties["passages"], "array", maxItems=limits.passages)
        if "history" in properties:
            _bound(properties["history"], "array", maxItems=limits.history)
        if "queries" in properties:
            _bound(properties["queries"], "array", maxItems=limits.queries)
        if "top_k" in properties:
            _bound(properties["top_k"], "integer", maximum=limits.top_k)
        if "n" in properties:
            _bound(properties["n"], "integer", maximum=limits.candidates)
    _bound(schemas["ScoreRequest"]["properties"]["items"], "array", maxItems=limits.queries)
    for field in ("text", "title"):
        schemas["PassageIn"]["properties"][field]["maxLength"] = limits.passage_characters


def _bound(schema: dict[str, Any], kind: str, **bounds: int) -> None:
    """Add bounds to a schema, or to its alternative of that type."""
    for alternative in [schema, *schema.get("anyOf", [])]:
        if alternative.get("type") == kind:
            alternative.update(bounds)
