"""From errors to the JSON that a caller gets, in the caller's language; never a traceback."""

import json
import logging
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import Enum
from typing import Any, Final

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from govcloud.domain.suggest import nearest
from govcloud.errors import (
    Diagnostic,
    GovcloudError,
    InvalidInputError,
    NotFoundError,
    Text,
    TooLargeError,
    UsageError,
)
from govcloud.messages import DEFAULT_LANGUAGE, LANGUAGES, lookup, remedy, render

CHOICES: Final = ("enum", "literal_error")
"""What pydantic finds where a word is none of a few."""
SPOKEN: Final = frozenset({"refusals", "findings"})
LOG: Final = logging.getLogger("govcloud.api")


class NotAllowedError(UsageError):
    """The path is there, the method is not."""

    reason = "method-not-allowed"
    status = 405


class IncidentError(GovcloudError):
    """Something that nobody foresaw; the log has the rest under the same id."""

    reason = "internal"
    status = 500


def language_of(header: str | None) -> str:
    """Return the language that an Accept-Language header prefers, of those there are."""
    choices = [_weighed(part) for part in (header or "").split(",")[:16]]
    known = [(weight, tongue) for weight, tongue in choices if tongue in LANGUAGES and weight > 0]
    return max(known, key=lambda choice: choice[0], default=(0, DEFAULT_LANGUAGE))[1]


def _weighed(part: str) -> tuple[float, str]:
    word, _, weight = part.partition(";q=")
    try:
        return (float(weight) if weight else 1.0), word.strip()[:2].lower()
    except ValueError:
        return 0.0, ""


def language(request: Request) -> str:
    """Return the language of a request's reader."""
    return language_of(request.headers.get("accept-language"))


def body_of(error: GovcloudError, tongue: str) -> dict[str, Any]:
    """Return the JSON of an error: reason, sentence, remedy, key, parameters, details, faults."""
    diagnostics = error.diagnostics if isinstance(error, InvalidInputError) else ()
    return {
        "error": {
            "reason": error.reason,
            "message": render(error.key, tongue, error.params),
            "remedy": remedy(error.key, tongue, error.params),
            "key": error.key,
            "params": plain(error.params, tongue),
            "details": _details(error, tongue),
            "diagnostics": [diagnostic(one, tongue) for one in diagnostics],
        }
    }


def _details(error: GovcloudError, tongue: str) -> dict[str, Any]:
    """Return the details; refusals and findings among them get their sentences."""
    details = plain(error.details(), tongue)
    return {
        name: [spoken(entry, tongue) for entry in value] if name in SPOKEN else value
        for name, value in details.items()
    }


def spoken(entry: Mapping[str, Any], tongue: str) -> dict[str, Any]:
    """Return a stored finding or refusal with `message` and `remedy` in the reader's language."""
    if "key" not in entry:
        return dict(entry)
    key, params = str(entry["key"]), entry.get("params") or {}
    return {
        **entry,
        "message": render(key, tongue, params),
        "remedy": remedy(key, tongue, params),
    }


def diagnostic(fault: Diagnostic, tongue: str) -> dict[str, Any]:
    """Return the JSON of one fault of an input."""
    return {
        "severity": fault.severity.value,
        "message": render(fault.key, tongue, fault.params),
        "remedy": remedy(fault.key, tongue, fault.params),
        "key": fault.key,
        "file": fault.file,
        "line": fault.line,
        "column": fault.column,
        "field": fault.field,
    }


def plain(value: object, tongue: str) -> Any:
    """Return a value as JSON can hold it; texts in the reader's language."""
    if isinstance(value, Text):
        return render(value.key, tongue, value.params)
    if isinstance(value, Mapping):
        return {str(name): plain(inner, tongue) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner, tongue) for inner in value]
    return _scalar(value)


def _scalar(value: object) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value if isinstance(value, str | int | float | bool | None) else str(value)


class _AnyText(JSONResponse):
    """JSON of what a caller has sent: lone surrogates leave it as escapes, as they came."""

    def render(self, content: Any) -> bytes:
        """Encode whatever text there is."""
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "backslashreplace")


def answer(error: GovcloudError, tongue: str) -> JSONResponse:
    """Return the response to an error."""
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
    return _AnyText(body_of(error, tongue), status_code=error.status, headers=headers)


def incident(error: Exception) -> IncidentError:
    """Log what nobody foresaw, and return what the caller is told: an id to ask about."""
    number = secrets.token_hex(6)
    LOG.error("incident %s", number, exc_info=error)
    return IncidentError("errors.incident", id=number)


# --- Errors of the framework ----------------------------------------------------------------------


def of_http(error: HTTPException, path: str) -> GovcloudError:
    """Return our error for one of Starlette's."""
    if isinstance(error.__cause__, GovcloudError):
        return error.__cause__
    if error.status_code == 404:
        return NotFoundError("errors.no_such_path", path=path)
    if error.status_code == 405:
        return NotAllowedError("errors.no_such_method", path=path)
    if error.status_code == 413:
        return TooLargeError("errors.body_too_large", limit="8 MiB")
    return UsageError("errors.bad_request", detail=error.detail)


def of_validation(error: RequestValidationError) -> GovcloudError:
    """Return our error for parameters and bodies that do not fit their models."""
    return InvalidInputError([_fault(one) for one in error.errors()])


def _fault(found: Mapping[str, Any]) -> Diagnostic:
    where, *path = found["loc"]
    name = _dotted(path)
    kind = found["type"]
    if kind == "json_invalid":
        return Diagnostic("api.not_json", {"detail": found["ctx"]["error"]})
    if kind == "missing":
        key = "api.no_body" if not path else "api.missing"
        return Diagnostic(key, {"name": name}, field=name or None)
    if kind == "extra_forbidden":
        return Diagnostic("api.unknown", {"name": name}, field=name)
    if kind == "value_error":
        from govcloud.domain.faults import coded  # It loads all kinds.

        key, params, _ = coded(str(found["ctx"]["error"]), tuple(path), found.get("input"))
        if lookup(key, DEFAULT_LANGUAGE) is not None:
            return Diagnostic(key, {"name": name} | params, field=name or None)
    given, bound = _short(found.get("input")), next(iter(found.get("ctx", {}).values()), None)
    # As words, because pydantic joins them by an English "or".
    words = re.findall(r"'([^']*)'", str(bound)) if kind in CHOICES else []
    if meant := nearest(given, words):
        params = {"name": name or where, "found": given, "meant": meant}
        return Diagnostic("api.choice_meant", params, field=name or None)
    bound = words or bound
    params = {"name": name or where, "found": given, "bound": bound, "detail": found["msg"]}
    return Diagnostic(_WRONG.get(kind, "api.wrong"), params, field=name or None)


_WRONG: Final[Mapping[str, str]] = (
    dict.fromkeys(CHOICES, "api.choice")
    | dict.fromkeys(("greater_than_equal", "greater_than"), "api.too_small")
    | dict.fromkeys(("less_than_equal", "less_than"), "api.too_large")
    | dict.fromkeys(("string_too_short", "too_short"), "api.too_short")
    | dict.fromkeys(("string_too_long", "too_long"), "api.too_long")
    | dict.fromkeys(("int_type", "int_parsing", "int_parsing_size", "int_from_float"), "api.number")
    | dict.fromkeys(("bool_type", "bool_parsing"), "api.flag")
    | {"string_type": "api.text", "list_type": "api.list"}
    | dict.fromkeys(("model_type", "model_attributes_type", "dict_type"), "api.mapping")
)
"""Sentences for what pydantic finds; their `bound` is the one value of its context."""


def _dotted(path: Sequence[str | int]) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.lstrip(".")


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:60] + "…"


def unknown_parameter(name: str, known: Sequence[str]) -> UsageError:
    """Return the error for a query parameter that the route does not have."""
    meant = nearest(name, known)
    if meant:
        return UsageError("errors.unknown_parameter_meant", name=name, meant=meant)
    return UsageError("errors.unknown_parameter", name=name, known=sorted(known) or ["-"])
