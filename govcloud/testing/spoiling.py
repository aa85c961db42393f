"""Calls of a service as data: what was asked, and which of them a proxy spoils and how."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

_IDENTIFIER: Final = re.compile(r"(?<=/)[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}(?=/|\.|$)")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the proxy says in place of the service."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"{}"


@dataclass(slots=True)
class Call:
    """One request that reached the proxy; `status` is what the client was told, None for nothing.

    `path` is without the query; `seconds` runs until the answer was passed on.
    """

    service: str
    method: str
    path: str
    query: str
    body: bytes
    status: int | None = None
    seconds: float | None = None

    @property
    def shape(self) -> str:
        """The path with `{id}` for each identifier."""
        return _IDENTIFIER.sub("{id}", self.path)


Hook = Callable[[Call], None]


@dataclass(frozen=True, slots=True)
class Rule:
    """Which calls are spoiled, and how; what is left empty fits every call.

    `path` and `body` are regular expressions that are searched for. The first `skip` calls that fit
    pass, then `times` are spoiled (None: all). The rest is done in the order in which it stands
    here; a hook may raise, kill a process, or start something.
    """

    service: str = ""
    method: str = ""
    path: str = ""
    body: str = ""
    skip: int = 0
    times: int | None = 1

    delay_s: float = 0
    """Keep the call this long before anything else is done with it."""
    before: Hook | None = None
    """Called before the service is asked."""
    cut: bool = False
    """Close the connection; the service never hears of the call."""
    answer: Answer | None = None
    """Say this; the service never hears of the call."""
    after: Hook | None = None
    """Called when the service has answered and the client knows nothing of it."""
    lost: bool = False
    """Let the service act, and close the connection in place of its answer."""
    cut_after_bytes: int | None = None
    """Close the connection when so much of the answer's body was passed on."""

    def fits(self, call: Call) -> bool:
        """Tell whether a call is one of those that are meant."""
        return (
            self.service in ("", call.service)
            and self.method in ("", call.method)
            and re.search(self.path, call.path) is not None
            and (not self.body or re.search(self.body.encode(), call.body) is not None)
        )


def too_many(retry_after_s: int, status: int = 429) -> Answer:
    """Say that the client shall come again later."""
    return Answer(status, {"Retry-After": str(retry_after_s)})
