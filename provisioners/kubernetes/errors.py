"""What the API server answers, as the port's three kinds of error: one table.

The message is the server's own words; the reason is looked up in `messages/*/kubernetes.toml`.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import time
from typing import Any, Final

from urllib3 import exceptions as http

from govcloud.errors import (
    CloudConflictError,
    CloudError,
    TerminalCloudError,
    TransientCloudError,
)

_MOST_S: Final = 3600.0
_LONGEST: Final = 1000


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is none of success: HTTP status, the body's `Status`, the headers."""

    status: int
    said: Mapping[str, Any]
    headers: Mapping[str, str]
    writing: bool

    @property
    def reason(self) -> str:
        """The server's word."""
        return str(self.said.get("reason") or "")

    @property
    def message(self) -> str:
        """The server's sentence, without end."""
        return str(self.said.get("message") or f"HTTP {self.status}")[:_LONGEST]

    def caused_by(self, reason: str) -> bool:
        """Whether the details name this cause."""
        causes = (self.said.get("details") or {}).get("causes") or ()
        return any(cause.get("reason") == reason for cause in causes)


def answer(status: int, body: bytes, headers: Mapping[str, str], *, writing: bool) -> Answer:
    """Return an answer that failed, whatever its body is."""
    try:
        said = json.loads(body)
    except ValueError:
        said = {"message": body.decode("utf-8", "replace").strip()}
    return Answer(status, said if isinstance(said, dict) else {}, headers, writing)


def error_of(failed: Answer) -> CloudError:
    """Return the error for an answer; the first row that matches says which."""
    for row in _TABLE:
        if failed.status in row.statuses and row.when(failed):
            return row.make(row.reason, failed)
    return _terminal("Rejected", failed)


def _transient(reason: str, failed: Answer) -> CloudError:
    return TransientCloudError(reason, failed.message, retry_after_s=retry_after(failed.headers))


def _unknown(reason: str, failed: Answer) -> CloudError:
    return TransientCloudError(
        reason,
        failed.message,
        retry_after_s=retry_after(failed.headers),
        outcome_unknown=failed.writing,
    )


def _terminal(reason: str, failed: Answer) -> CloudError:
    return TerminalCloudError(reason, failed.message)


def _conflict(reason: str, failed: Answer) -> CloudError:
    return CloudConflictError(reason, failed.message)


def _always(_failed: Answer) -> bool:
    return True


def _over_quota(failed: Answer) -> bool:
    return "exceeded quota" in failed.message


def _ending(failed: Answer) -> bool:
    return failed.caused_by("NamespaceTerminating") or "being terminated" in failed.message


def _managed_by_another(failed: Answer) -> bool:
    return failed.caused_by("FieldManagerConflict")


def _exists(failed: Answer) -> bool:
    return failed.reason == "AlreadyExists"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table."""

    statuses: frozenset[int]
    reason: str
    make: Callable[[str, Answer], CloudError]
    when: Callable[[Answer], bool] = _always


def _row(
    statuses: int | range,
    reason: str,
    make: Callable[[str, Answer], CloudError],
    when: Callable[[Answer], bool] = _always,
) -> Row:
    return Row(frozenset([statuses] if isinstance(statuses, int) else statuses), reason, make, when)


_TABLE: Final = (
    _row(401, "Unauthenticated", _transient),
    _row(403, "OverQuota", _terminal, _over_quota),
    _row(403, "Terminating", _transient, _ending),
    _row(403, "Forbidden", _transient),
    _row(404, "NotFound", _transient),
    _row(408, "Timeout", _unknown),
    _row(409, "FieldManager", _conflict, _managed_by_another),
    _row(409, "NameTaken", _conflict, _exists),
    _row(409, "Modified", _conflict),
    _row(410, "Expired", _transient),
    _row(413, "TooLarge", _terminal),
    _row(422, "Invalid", _terminal),
    _row(429, "Throttled", _transient),
    _row(503, "Unavailable", _unknown),
    _row(504, "Timeout", _unknown),
    _row(range(500, 600), "ServerError", _unknown),
    _row(range(300, 400), "Redirected", _transient),
)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that the server asks to wait: a number or a date; None for nonsense."""
    text = (headers.get("Retry-After") or "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time()
        except (TypeError, ValueError):
            return None
    return min(seconds, _MOST_S) if seconds > 0 else None


def connection_error(error: Exception, *, writing: bool) -> CloudError:
    """Return the error for a call that got no answer, or half of one, or one without sense."""
    whole = isinstance(error, http.HTTPError | OSError)
    text = str(error)[:_LONGEST] if whole else "the answer is no JSON object"
    if isinstance(error, http.SSLError):
        return TransientCloudError("Untrusted", text)
    if isinstance(error, http.NewConnectionError | http.ConnectTimeoutError | http.ProxyError):
        return TransientCloudError("Unreachable", text)
    if isinstance(error, http.TimeoutError):
        return TransientCloudError("Timeout", text, outcome_unknown=writing)
    return TransientCloudError("ConnectionLost", text, outcome_unknown=writing)


_OTHERS: Final = re.compile(r'conflicts? with "([^"]+)"')


def other_managers(message: str) -> tuple[str, ...]:
    """Return the field managers that a refused apply names."""
    return tuple(dict.fromkeys(_OTHERS.findall(message)))
