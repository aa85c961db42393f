"""The door to the API: HTTP calls, pages, and errors as exceptions of the program's own tree.

There is one client for both modes. With a server configured it speaks HTTP(S) to it; otherwise
`cli.local` carries the same requests to the application in this process.
"""

import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final
from urllib.parse import quote

from cli.http import httpx
from cli.speech import language
from govcloud import errors
from govcloud.domain import city
from govcloud.errors import Exit, GovcloudError, Text, UnavailableError
from govcloud.messages import system_fault
from govcloud.settings import Settings

Body = Mapping[str, Any]
PAGE: Final = 500
TIMEOUT: Final = httpx.Timeout(120.0, connect=10.0)
"""Seconds. A plan of a whole city takes some; a server that is there accepts at once."""


class ApiError(GovcloudError):
    """An error that the API answered, with its sentence in the reader's language already."""

    def __init__(self, status: int, error: Mapping[str, Any]) -> None:
        super().__init__(str(error.get("key") or "errors.failure"), **(error.get("params") or {}))
        self.status = status
        self.reason = str(error.get("reason") or "failure")
        self.exit_code = _exit_codes().get(self.reason, Exit.FAILURE)
        self.message = str(error.get("message") or self.reason)
        self.remedy: str | None = error.get("remedy")
        self.answered: Mapping[str, Any] = error.get("details") or {}
        self.diagnostics: Sequence[Mapping[str, Any]] = error.get("diagnostics") or ()


def _exit_codes() -> dict[str, Exit]:
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    return {c.reason: c.exit_code for c in classes if issubclass(c, GovcloudError)}


class Client:
    """Calls of the API: ApiError for what it refuses, UnavailableError where none answers."""

    def __init__(self, http: httpx.Client, where: str) -> None:
        self._http, self._where = http, where

    def get(self, path: str, /, **query: object) -> Any:
        """GET a JSON answer; parameters that are None are left out, `as_of` is sent as `asOf`."""
        return self._json(self._call("GET", path, query))

    def post(self, path: str, body: Body | None = None, /, **query: object) -> Any:
        """POST a JSON body; return the JSON answer."""
        return self._json(self._call("POST", path, query, body or {}))

    def delete(self, path: str) -> Any:
        """DELETE; return the JSON answer, or None for an empty one."""
        answer = self._call("DELETE", path, {})
        return self._json(answer) if answer.content else None

    def download(self, path: str, /, **query: object) -> bytes:
        """GET an answer that is not JSON."""
        return self._call("GET", path, query).content

    def items(
        self, path: str, /, limit: int | None = None, **query: object
    ) -> Iterator[dict[str, Any]]:
        """Yield the items of a list, page after page, `limit` of them at most."""
        left, token = limit, None
        while True:
            page = self.get(path, limit=min(left or PAGE, PAGE), **{"continue": token}, **query)
            found = page["items"][:left] if left is not None else page["items"]
            yield from found
            left = None if left is None else left - len(found)
            token = page.get("continue")
            if not token or left == 0:
                return

    def close(self) -> None:
        """Give back the connections."""
        self._http.close()

    def _call(
        self, method: str, path: str, query: Mapping[str, object], body: Body | None = None
    ) -> httpx.Response:
        sent = {_camel(name): _text(value) for name, value in query.items() if value is not None}
        try:
            answer = self._http.request(method, path, params=sent, json=body)
        except httpx.TransportError as error:
            raise _unanswered(self._where, error) from error
        with suppress(GovcloudError):  # a time zone that this machine does not know
            city.use(answer.headers.get("Govcloud-Time-Zone", city.zone()))
        if answer.status_code >= httpx.codes.BAD_REQUEST:
            raise self._refusal(answer)
        return answer

    def _refusal(self, answer: httpx.Response) -> GovcloudError:
        try:
            return ApiError(answer.status_code, answer.json()["error"])
        except (ValueError, LookupError, TypeError):
            return UnavailableError(
                "cli.strange_answer", server=self._where, status=answer.status_code
            )

    def _json(self, answer: httpx.Response) -> Any:
        try:
            return answer.json()
        except ValueError as error:
            status = answer.status_code
            raise UnavailableError(
                "cli.strange_answer", server=self._where, status=status
            ) from error


def path(*parts: str) -> str:
    """Return an API path of parts, each escaped: `path("objects", kind, name)`."""
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


def connect(settings: Settings) -> Client:
    """Return the client that the settings ask for."""
    headers = {"Authorization": f"Bearer {settings.token()}", "Accept-Language": language()}
    if settings.server is not None:
        transport: httpx.BaseTransport = httpx.HTTPTransport(
            verify=_trust(settings.server), retries=2
        )
        address = settings.server
    else:
        from cli.local import InProcess

        transport, address = InProcess.of(settings), "http://localhost"
    http = httpx.Client(base_url=address, headers=headers, transport=transport, timeout=TIMEOUT)
    return Client(http, settings.server or str(settings.workspace))


def _trust(server: str) -> ssl.SSLContext | bool:
    # The system's certificates, where a city's own authority is installed, and not a list that
    # came with a library; nothing is loaded where nothing is encrypted.
    return ssl.create_default_context() if server.startswith("https:") else False


def _unanswered(server: str, error: httpx.TransportError) -> UnavailableError:
    """Return why nothing answered: what the system said beneath the libraries, if it did."""
    beneath: BaseException | None = error
    while beneath is not None and not (isinstance(beneath, OSError) and beneath.errno):
        beneath = beneath.__cause__ or beneath.__context__
    # The numbers of these are not the system's.
    if isinstance(beneath, ssl.SSLCertVerificationError):
        return UnavailableError("cli.untrusted", server=server, detail=beneath.verify_message)
    if isinstance(beneath, ssl.SSLError):
        return UnavailableError("cli.no_tls", server=server, detail=beneath.reason or str(beneath))
    detail: Text | str = str(error) or type(error).__name__
    if isinstance(error, httpx.TimeoutException):
        detail = Text("labels.os.ETIMEDOUT")
    elif beneath is not None:
        detail = system_fault(beneath)
    return UnavailableError("cli.unreachable", server=server, detail=detail)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
