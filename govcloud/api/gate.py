"""The gate before all routes: who calls, how much they send, and what leaves when things go wrong.

Plain ASGI, so that nothing of a body is read before the caller is known, and no route, present or
future, can be reached around it.
"""

import logging
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from govcloud.api.problems import answer, incident, language_of
from govcloud.api.services import Services
from govcloud.domain import city
from govcloud.domain.access import Actor, Role
from govcloud.errors import GovcloudError, TooLargeError, UnauthenticatedError, UsageError
from govcloud.store.users import Caller, authenticate

MAX_BODY: Final = 8 * 1024 * 1024
"""Bytes of a request: some ten thousand machines in YAML, and no more memory than that."""
OPEN_PATHS: Final = frozenset({"/healthz"})
ZONE_HEADER: Final = "Govcloud-Time-Zone"
"""By which time zone the city counts its days; commands show instants in it."""
LOG: Final = logging.getLogger("govcloud.api")


class Gate:
    """Authenticates, limits, and turns what nobody foresaw into an incident number."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self.app = app
        self.services = services
        self.failures = FailureLog(services)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; what is not HTTP gets no further, but for the server's life cycle."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers["Cache-Control"] = "no-store"
                headers["X-Content-Type-Options"] = "nosniff"
                headers[ZONE_HEADER] = city.zone()
            await send(message)

        try:
            _readable(scope)
            if scope["path"] not in OPEN_PATHS:
                scope.setdefault("state", {})["caller"] = await run_in_threadpool(
                    self._enter, scope
                )
                receive = await _bounded(Headers(scope=scope), receive)
            await self.app(scope, receive, sending)
        except Exception as error:  # noqa: BLE001 (the last line: no traceback reaches a user)
            # Starlette raises again what its own handler has answered and logged already.
            if not started:
                failure = error if isinstance(error, GovcloudError) else incident(error)
                tongue = language_of(Headers(scope=scope).get("accept-language"))
                await answer(failure, tongue)(scope, receive, sending)

    def _enter(self, scope: Scope) -> Caller:
        source = scope["client"][0] if scope.get("client") else ""
        token = _token(Headers(scope=scope))
        store = self.services.store
        try:
            with store.reading() as session:
                return authenticate(session, token, store.clock.now(), source)
        except UnauthenticatedError as error:
            self.failures.note(error, source)
            raise


def _readable(scope: Scope) -> None:
    """Refuse what no database can hold, before any query is made with it."""
    if "\0" in scope["path"] or b"%00" in scope["query_string"] or b"\0" in scope["query_string"]:
        raise UsageError("errors.bad_request", detail="NUL")


def _token(headers: Headers) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if not token:
        raise UnauthenticatedError("errors.no_token")
    if scheme.lower() != "bearer":
        raise UnauthenticatedError("errors.not_bearer")
    return token.strip()


async def _bounded(headers: Headers, receive: Receive) -> Receive:
    """Read the body up to the limit, whatever its length is said to be, and replay it."""
    said = headers.get("content-length", "")
    if said.isdigit() and int(said) > MAX_BODY:
        raise TooLargeError("errors.body_too_large", limit="8 MiB")
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            break
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        more = message.get("more_body", False)
        if size > MAX_BODY:
            raise TooLargeError("errors.body_too_large", limit="8 MiB")
    whole: Message | None = {"type": "http.request", "body": b"".join(chunks), "more_body": False}

    async def replay() -> Message:
        nonlocal whole
        if whole is not None:
            message, whole = whole, None
            return message
        return await receive()

    return replay


@dataclass
class FailureLog:
    """Audits failed logins, without the token, and not so many that the log becomes a target.

    Of each address, the first in a window is written; the others are counted into the next.
    """

    services: Services
    window_s: float = 60.0
    _seen: OrderedDict[str, tuple[float, int]] = field(default_factory=OrderedDict)

    def note(self, error: UnauthenticatedError, source: str) -> None:
        """Record a failed login; never raises, since the caller gets 401 in any case."""
        suppressed = self._admitted(source, time.monotonic())
        if suppressed is None:
            return
        user = str(error.params.get("user", "anonymous"))
        # The chain wants a role: whoever it was had none, so the one that may do least.
        actor = Actor(user, Role.APPLICANT, read_only=True, source=source)
        detail = {"why": error.key.partition(".")[2], "suppressed": suppressed}
        try:
            with self.services.store.unit(actor) as unit:
                unit.audit("login", f"user/{user}", outcome="refused", detail=detail)
        except GovcloudError as failure:
            LOG.warning("a failed login could not be recorded: %s", failure)

    def _admitted(self, source: str, now: float) -> int | None:
        """Return how many were left out since the last one written, or None to leave this out."""
        last, suppressed = self._seen.get(source, (float("-inf"), 0))
        if now - last < self.window_s:
            self._seen[source] = (last, suppressed + 1)
            return None
        self._seen[source] = (now, 0)
        self._seen.move_to_end(source)
        while len(self._seen) > 1_000:
            self._seen.popitem(last=False)
        return suppressed
