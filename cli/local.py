"""The API's application called in this process, as if it were a server.

`httpx` brings a transport for ASGI applications that works only in asynchronous programs; this one
runs an event loop of its own for each call, so that commands stay plain functions.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from cli.http import httpx
from govcloud import bootstrap
from govcloud.settings import Settings

LOG_FILE: Final = "govcloud.log"
Message = MutableMapping[str, Any]
Application = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]


@dataclass
class _Answer:
    status: int = 500
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message["headers"])
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")


class InProcess(httpx.BaseTransport):
    """Carries requests of an `httpx.Client` to an ASGI application."""

    def __init__(self, application: Application, close: Callable[[], None] | None = None) -> None:
        self._application, self._close = application, close
        self._runner = asyncio.Runner()

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the transport to the application on the workspace's database."""
        _log_to_file(settings)
        services = bootstrap.services(settings)
        return cls(bootstrap.app(services, eager=False), services.close)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Run one request through the application and return its answer."""
        answer, body = _Answer(), request.read()
        sent = False

        async def receive() -> Message:
            nonlocal sent
            if sent:
                return {"type": "http.disconnect"}
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def call() -> None:
            await self._application(_scope(request), receive, answer.send)

        # Not `Runner.run`: at Ctrl-C it would wait for the thread that computes the answer.
        self._runner.get_loop().run_until_complete(call())
        return httpx.Response(
            answer.status, headers=answer.headers, content=bytes(answer.body), request=request
        )

    def close(self) -> None:
        """End the event loop and give back what the application holds."""
        self._runner.close()
        if self._close is not None:
            self._close()


def _log_to_file(settings: Settings) -> None:
    # What a server would log has no place on a user's screen; the incident's number leads to it.
    if logging.root.handlers or os.environ.get("GOVCLOUD_DEBUG"):
        return
    if settings.workspace is None:
        logging.root.addHandler(logging.NullHandler())
        return
    handler = logging.FileHandler(settings.workspace / LOG_FILE, encoding="utf-8", delay=True)
    handler.setLevel(logging.WARNING)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.root.addHandler(handler)


def _scope(request: httpx.Request) -> Message:
    url = request.url
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": url.path,
        "raw_path": url.raw_path.split(b"?")[0],
        "query_string": url.query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "server": ("localhost", 80),
        "client": ("127.0.0.1", 0),
    }
