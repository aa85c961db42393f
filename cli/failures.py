"""How an error reaches the user: what is wrong, where, what to do; on stderr, never a traceback."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from cli.output import complain, paint
from cli.speech import language, t, word
from govcloud import messages
from govcloud.errors import Diagnostic, GovcloudError, InvalidInputError


def show(error: GovcloudError) -> None:
    """Print an error with everything that it knows."""
    complain("\n".join(lines(error)))


def lines(error: GovcloudError) -> Iterator[str]:
    """Yield the lines of an error: its sentence, its places, its numbers, the remedy last."""
    said: str | None = getattr(error, "message", None)
    message = said or messages.render(error.key, language(), error.params)
    yield f"{_red(t('error'))}{message}"
    for fault in _diagnostics(error):
        yield from diagnostic(fault)
    details: Mapping[str, Any] = getattr(error, "answered", None) or error.details()
    refused = details.get("refusals") or ()
    yield from refusals(refused)
    for found in details.get("findings") or ():
        yield from finding(found)
    remedy = getattr(error, "remedy", None) if said else None
    remedy = remedy or messages.remedy(error.key, language(), error.params)
    if remedy and not any(one.get("remedy") for one in refused):
        yield _remedy(remedy, "")


def _diagnostics(error: GovcloudError) -> list[Mapping[str, Any]]:
    if isinstance(error, InvalidInputError):
        return [localised(fault) for fault in error.diagnostics]
    return list(getattr(error, "diagnostics", ()))


def localised(fault: Diagnostic) -> dict[str, Any]:
    """Return a diagnostic of this process in the form in which the API answers them."""
    return {
        "severity": fault.severity.value,
        "message": messages.render(fault.key, language(), fault.params),
        "remedy": messages.remedy(fault.key, language(), fault.params),
        "file": fault.file,
        "line": fault.line,
        "column": fault.column,
        "field": fault.field,
    }


def diagnostic(fault: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of one fault of an input: `file:line:column: field: sentence`, the remedy."""
    place = ":".join(str(fault[part]) for part in ("file", "line", "column") if fault.get(part))
    start = [part for part in (place, fault.get("field")) if part]
    prefix = ": ".join([*start, ""])
    severity = fault.get("severity", "error")
    mark = "" if severity == "error" else f"{word('severity', severity)}: "
    yield f"  {paint(prefix, 'bold', sys.stderr)}{mark}{fault['message']}"
    if fault.get("remedy"):
        yield _remedy(str(fault["remedy"]), "    ")


def finding(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of one policy finding: rule, object, sentence, remedy, waiver."""
    severity = str(found.get("severity", "error"))
    style = {"error": "red", "warning": "yellow"}.get(severity, "cyan")
    who = f" {found['object']}:" if found.get("object") else ""
    weight = word("severity", severity)
    if found.get("waiver"):
        weight, style = word("severity", "waived"), "dim"
    yield f"  {paint(weight, style)} {found.get('rule', '')}{who} {found.get('message', '')}"
    if found.get("remedy") and not found.get("waiver"):
        yield _remedy(str(found["remedy"]), "    ")


def refusals(listed: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the lines of refusals of the ledger: level, class and numbers, each remedy once."""
    for remedy, same in groupby(listed, lambda refused: refused.get("remedy")):
        for refused in same:
            yield f"  {_refused(refused)}"
        if remedy:
            yield _remedy(str(remedy), "    ")


def _refused(refused: Mapping[str, Any]) -> str:
    if refused.get("message"):
        return str(refused["message"])
    show_ = refused.get("show") or {}
    numbers = {
        name: show_.get(name, refused.get(name, "-"))
        for name in ("limit", "allocated", "reserved", "requested", "available")
    }
    place = "/".join(str(refused[part]) for part in ("cloud", "zone") if refused.get(part))
    return t(
        "refusal",
        department=refused.get("level") or refused.get("department", ""),
        resource=refused.get("class", ""),
        place=f" ({place})" if place else "",
        **numbers,
    )


def _red(text: str) -> str:
    return paint(text, "red", sys.stderr)


def _remedy(text: str, indent: str) -> str:
    return paint(f"{indent}→ {text}", "dim", sys.stderr)
