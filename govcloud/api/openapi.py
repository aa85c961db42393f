"""The OpenAPI document: what the framework makes of the routes, and what it cannot know.

That every call needs a bearer token, which permission it needs, and how errors look.
"""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from govcloud.api.security import NEEDS

_TEXT: Final = {"type": "string"}
_MAYBE: Final = {"type": ["string", "null"]}
_NUMBER: Final = {"type": ["integer", "null"]}
ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["reason", "message", "key"],
            "properties": {
                "reason": {**_TEXT, "description": "Machine-readable word."},
                "message": {**_TEXT, "description": "Sentence in the reader's language."},
                "remedy": {**_MAYBE, "description": "What to do about it."},
                "key": {**_TEXT, "description": "Key of the sentence in the catalogues."},
                "params": {"type": "object"},
                "details": {"type": "object", "description": "Refusals or findings."},
                "diagnostics": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "severity": {"enum": ["error", "warning", "info"]},
                            "message": _TEXT,
                            "remedy": _MAYBE,
                            "key": _TEXT,
                            "file": _MAYBE,
                            "line": _NUMBER,
                            "column": _NUMBER,
                            "field": _MAYBE,
                        },
                    },
                },
            },
        }
    },
}


def document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of an application, made once."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, routes=app.routes)
        app.openapi_schema = _completed(made)
    return app.openapi_schema


def _completed(made: dict[str, Any]) -> dict[str, Any]:
    components = made.setdefault("components", {})
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Error"] = ERROR
    made["security"] = [{"token": []}]
    for path, methods in made["paths"].items():
        for method, operation in methods.items():
            _complete(operation, NEEDS.get((method.upper(), path)))
    return made


def _complete(operation: dict[str, Any], needs: frozenset[Any] | None) -> None:
    operation["responses"].pop("422", None)
    if needs is None:
        operation["security"] = []
        return
    operation["x-permissions"] = sorted(need.name.lower() for need in needs)
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    operation["responses"]["default"] = {"description": "Error", "content": content}
