"""What an OpenStack cloud's answers mean: the one table.

Three verdicts, as the controller needs them (`govcloud.errors`): transient, terminal, conflict. The
first row that fits decides. The sentences for people stand in the catalogue under `openstack.`.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any, Final

from govcloud.errors import (
    CloudConflictError,
    CloudError,
    TerminalCloudError,
    TransientCloudError,
)

_SHOWN: Final = 500
"""Characters of the cloud's own words that are kept."""


class Verdict(Enum):
    """Which of the controller's three kinds of error an answer is."""

    TRANSIENT = "transient"
    TERMINAL = "terminal"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is no success: service, status, the words of the body, what was asked for.

    `write`: the call changes something, so that it may have taken effect although it failed.
    """

    service: str
    status: int
    words: str
    write: bool = False
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table; what is empty fits everything."""

    verdict: Verdict
    reason: str
    statuses: frozenset[int] = frozenset()
    service: str = ""
    words: re.Pattern[str] | None = None
    needs_retry_after: bool = False
    outcome_unknown: bool = False

    def fits(self, answer: Answer) -> bool:
        """Whether this row is about the answer."""
        return (
            (not self.statuses or answer.status in self.statuses)
            and (not self.service or answer.service == self.service)
            and (self.words is None or self.words.search(answer.words) is not None)
            and (not self.needs_retry_after or answer.retry_after_s is not None)
        )


def _row(
    verdict: Verdict, reason: str, *statuses: int, service: str = "", words: str = "", **more: bool
) -> Row:
    pattern = re.compile(words, re.IGNORECASE) if words else None
    return Row(verdict, reason, frozenset(statuses), service, pattern, **more)


_QUOTA: Final = r"quota|LimitExceeded|exceeds? (the )?allowed"
TABLE: Final = (
    # The token, and what it may do.
    _row(Verdict.TRANSIENT, "Unauthorized", 401),
    # Too much: of what is granted (for good until the quota moves), or too fast.
    _row(Verdict.TRANSIENT, "Throttled", 429),
    _row(Verdict.TERMINAL, "BelowUsage", 400, words=r"quota limit .* must (be|greater)"),
    _row(Verdict.TERMINAL, "OverQuota", 403, 409, 413, words=_QUOTA),
    _row(Verdict.TRANSIENT, "Throttled", 413, needs_retry_after=True),
    _row(Verdict.TERMINAL, "TooLarge", 413),
    _row(Verdict.TERMINAL, "Forbidden", 403),
    # What the call refers to is not there, or of the wrong kind.
    _row(Verdict.TERMINAL, "InvalidImage", 400, 404, service="compute", words=r"image"),
    _row(Verdict.TERMINAL, "InvalidImage", 400, 404, service="block-storage", words=r"\bimage\b"),
    _row(Verdict.TERMINAL, "InvalidFlavor", 400, 404, service="compute", words=r"flavor"),
    _row(Verdict.TERMINAL, "UnknownVolumeType", 400, 404, words=r"volume[ _]type"),
    # It is at something else; asked again it will do it.
    _row(
        Verdict.TRANSIENT,
        "Busy",
        400,
        409,
        words=r"task_state|vm_state|must be (available|in-use)|volume status must be"
        r"|status must be|is locked|in use by|is not ready|is not bootable",
    ),
    _row(Verdict.TRANSIENT, "InUse", 409, words=r"in ?use|has (ports|active)|still attached"),
    _row(Verdict.TRANSIENT, "NoCapacity", 400, 409, words=r"no valid host|ip ?address"),
    _row(Verdict.CONFLICT, "Gone", 404, 410),
    _row(Verdict.CONFLICT, "NameTaken", 409, service="identity"),
    _row(Verdict.TRANSIENT, "Busy", 409),
    _row(Verdict.TERMINAL, "MicroversionTooOld", 406),
    _row(Verdict.TERMINAL, "InvalidSpec", 400, 422),
    _row(Verdict.TERMINAL, "NotSupported", 405, 501),
    # The cloud's own trouble.
    _row(Verdict.TRANSIENT, "Timeout", 408, 504, outcome_unknown=True),
    _row(Verdict.TRANSIENT, "Unavailable", 502, outcome_unknown=True),
    _row(Verdict.TRANSIENT, "Unavailable", 503),
    _row(Verdict.TRANSIENT, "ServerError", outcome_unknown=True),
)


def error_of(answer: Answer) -> CloudError:
    """Return the error that an answer is."""
    row = next(row for row in TABLE if row.fits(answer))
    shown = f"{answer.service} {answer.status}: {answer.words}"[:_SHOWN]
    match row.verdict:
        case Verdict.TERMINAL:
            return TerminalCloudError(row.reason, shown)
        case Verdict.CONFLICT:
            return CloudConflictError(row.reason, shown)
        case Verdict.TRANSIENT:
            return TransientCloudError(
                row.reason,
                shown,
                retry_after_s=answer.retry_after_s,
                outcome_unknown=row.outcome_unknown and answer.write,
            )


def read_answer(
    service: str, status: int, headers: Mapping[str, str], body: bytes, *, write: bool
) -> Answer:
    """Return an HTTP response as an answer."""
    return Answer(
        service,
        status,
        _words(body),
        write=write,
        retry_after_s=_seconds(headers.get("Retry-After")),
    )


def _words(body: bytes) -> str:
    """Return what a body says: each service wraps its sentence in another way."""
    try:
        said = json.loads(body)
    except ValueError:
        text = re.sub(r"<[^>]*>|\s+", " ", body[: 8 * _SHOWN].decode("utf-8", "replace"))
        return " ".join(text.split())[:_SHOWN]
    return " ".join(_strings(said))[: 4 * _SHOWN]


_UNTOLD: Final = frozenset({"retryAfter"})
"""What Cinder and Nova say beside their sentence with a 413, and is none: always `0`."""


def _strings(said: Any) -> list[str]:
    if isinstance(said, Mapping):
        told = (value for name, value in said.items() if name not in _UNTOLD)
        return [word for value in told for word in _strings(value)]
    if isinstance(said, list):
        return [word for value in said for word in _strings(value)]
    return [said] if isinstance(said, str) and said else []


def _seconds(text: str | None) -> float | None:
    """Read `Retry-After`: seconds, or a date."""
    if not text:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


# --- What a resource in ERROR says of itself ----------------------------------------------------

_FAULTS: Final = (
    (re.compile(_QUOTA, re.IGNORECASE), "OverQuota"),
    (
        re.compile(r"no valid host|not enough|insufficient|exceeded max scheduling", re.IGNORECASE),
        "NoCapacity",
    ),
    (re.compile(r"\bimage\b", re.IGNORECASE), "InvalidImage"),
    (re.compile(r"block device mapping|volume", re.IGNORECASE), "VolumeFailed"),
    (re.compile(r"network|port|neutron|vif", re.IGNORECASE), "NetworkFailed"),
)


def fault_of(fault: Mapping[str, Any] | None) -> str:
    """Return a server's fault as `<Reason>: <the cloud's words>`.

    A quota that was checked again after the call had been taken is a 413.
    """
    fault = fault or {}
    message = str(fault.get("message") or "")
    if fault.get("code") == 413:
        reason = "OverQuota"
    else:
        reason = next((word for found, word in _FAULTS if found.search(message)), "BuildFailed")
    return f"{reason}: {message}"[:_SHOWN] if message else reason


def unbuilt(status: str, idle_s: float) -> str:
    """Return the fault of what nobody goes on building: the message to do so was lost."""
    return f"BuildTimeout: nothing has happened for {idle_s / 60:.0f} min ({status})"
