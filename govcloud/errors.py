"""The error tree, what an input error looks like, and the exit codes.

An error carries a message key and its parameters, never a finished sentence: the sentence is made
where it is shown, in the reader's language, from the catalogues in `govcloud/messages`. Every key
may have a twin ending in `_remedy` that says what to do about it. This module imports nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum


class Exit(IntEnum):
    """Exit codes of the program; stable, and documented in `docs/errors.md`."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    QUOTA = 3
    CONFLICT = 4
    POLICY = 5
    INVALID = 6
    NOT_FOUND = 7
    FORBIDDEN = 8
    UNAVAILABLE = 9
    CHANGES = 10
    TIMEOUT = 11
    VERIFICATION = 12
    INCOMPLETE = 13
    INTERRUPTED = 130
    PIPE_CLOSED = 141


class Severity(StrEnum):
    """How much a diagnostic or a policy finding weighs."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Text:
    """A sentence for people, in no language yet: a catalogue key and its parameters."""

    key: str
    params: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One fault of an input: what, where (file, 1-based line and column, field path), what to do.

    `field` is the dotted path inside the document (`spec.dataDisks[0].size`); `file` and the
    positions are absent where the input was not text.
    """

    key: str
    params: Mapping[str, object] = field(default_factory=dict)
    severity: Severity = Severity.ERROR
    file: str | None = None
    line: int | None = None
    column: int | None = None
    field: str | None = None


class GovcloudError(Exception):
    """Base of all errors that the program raises on purpose.

    `reason` is the machine-readable word in JSON answers; `status` the HTTP status; `exit_code`
    what a command ends with. `key` and `params` give the sentence.
    """

    reason = "failure"
    status = 500
    exit_code = Exit.FAILURE

    def __init__(self, key: str, /, **params: object) -> None:
        super().__init__(key, params)
        self.key = key
        self.params: dict[str, object] = params

    @property
    def text(self) -> Text:
        """The sentence of this error, in no language yet."""
        return Text(self.key, self.params)

    def details(self) -> dict[str, object]:
        """Machine-readable details beside the sentence, JSON-ready."""
        return {}

    def __str__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self.params.items())
        return f"{self.key}({shown})"


class UsageError(GovcloudError):
    """The command line cannot be understood."""

    reason = "usage"
    status = 400
    exit_code = Exit.USAGE


class InvalidInputError(GovcloudError):
    """Input that breaks the rules of its kind; carries every fault found, not only the first."""

    reason = "invalid"
    status = 422
    exit_code = Exit.INVALID

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__("errors.invalid", count=len(diagnostics))
        self.diagnostics = tuple(diagnostics)


class TooLargeError(GovcloudError):
    """Input beyond a limit that protects the server."""

    reason = "too-large"
    status = 413
    exit_code = Exit.INVALID


class NotFoundError(GovcloudError):
    """No such object, or none that the caller may see (the two are not told apart)."""

    reason = "not-found"
    status = 404
    exit_code = Exit.NOT_FOUND


class UnauthenticatedError(GovcloudError):
    """No valid token."""

    reason = "unauthenticated"
    status = 401
    exit_code = Exit.FORBIDDEN


class ForbiddenError(GovcloudError):
    """The caller is known, and may not do this."""

    reason = "forbidden"
    status = 403
    exit_code = Exit.FORBIDDEN


class ConflictError(GovcloudError):
    """The state has moved on since the caller looked, or forbids the step."""

    reason = "conflict"
    status = 409
    exit_code = Exit.CONFLICT


class QuotaExceededError(GovcloudError):
    """Quota refuses; `refusals` are the ledger's refusals as JSON-ready mappings (Q4)."""

    reason = "quota-exceeded"
    status = 422
    exit_code = Exit.QUOTA

    def __init__(self, refusals: Sequence[Mapping[str, object]]) -> None:
        super().__init__("errors.quota_exceeded", count=len(refusals))
        self.refusals = tuple(refusals)

    def details(self) -> dict[str, object]:
        """Return the refusals: level, class and numbers each."""
        return {"refusals": [dict(refusal) for refusal in self.refusals]}


class PolicyDeniedError(GovcloudError):
    """A policy check denies; `findings` are JSON-ready mappings with rule id and source."""

    reason = "policy-denied"
    status = 422
    exit_code = Exit.POLICY

    def __init__(self, findings: Sequence[Mapping[str, object]]) -> None:
        super().__init__("errors.policy_denied", count=len(findings))
        self.findings = tuple(findings)

    def details(self) -> dict[str, object]:
        """Return the findings that deny."""
        return {"findings": [dict(finding) for finding in self.findings]}


class UnavailableError(GovcloudError):
    """A server, a database or a cloud cannot be reached or asks to wait."""

    reason = "unavailable"
    status = 503
    exit_code = Exit.UNAVAILABLE


class WaitTimeoutError(GovcloudError):
    """What was waited for did not come in time; the parameters name the laggards."""

    reason = "timeout"
    status = 504
    exit_code = Exit.TIMEOUT


class VerificationError(GovcloudError):
    """A check of the records found a difference (audit chain, quota recount)."""

    reason = "verification-failed"
    status = 500
    exit_code = Exit.VERIFICATION


class CloudError(Exception):
    """What a provisioner raises; three verdicts, and the controller decides by the type alone.

    `reason` is a CamelCase word for conditions (`OverQuota`, `NoCapacity`, `Throttled`); `message`
    is the cloud's own words, kept for the administrator. The SDK's error is the `__cause__`.
    """

    def __init__(self, reason: str, message: str = "") -> None:
        super().__init__(f"{reason}: {message}" if message else reason)
        self.reason = reason
        self.message = message


class TransientCloudError(CloudError):
    """It may work later. `retry_after_s` is what the cloud asked for, seconds, or None.

    `outcome_unknown` is set when the cloud may have acted although no answer came.
    """

    def __init__(
        self,
        reason: str,
        message: str = "",
        *,
        retry_after_s: float | None = None,
        outcome_unknown: bool = False,
    ) -> None:
        super().__init__(reason, message)
        self.retry_after_s = retry_after_s
        self.outcome_unknown = outcome_unknown


class AwaitedCloudError(TransientCloudError):
    """What it needs is still being made by somebody else: nothing failed, and it is looked at soon.

    `message` names what is waited for.
    """


class TerminalCloudError(CloudError):
    """It will never work until the spec, the catalogue or the cloud is changed by a person."""


class CloudConflictError(CloudError):
    """Something of the same identity is there that is not ours, or was changed under our hands."""
