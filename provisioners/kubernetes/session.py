"""The one door to an API server: configured by the official client, JSON in and out.

The client brings configuration, credentials and connections; its generated models are passed by,
because turning every page of a large listing into them costs more than all the rest. Nothing is
retried here.
"""

import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlencode

from kubernetes import client
from urllib3 import BaseHTTPResponse, Timeout
from urllib3 import exceptions as http

from govcloud import __version__
from govcloud.errors import TransientCloudError
from provisioners.kubernetes.credentials import opened, token
from provisioners.kubernetes.errors import answer, connection_error, error_of
from provisioners.kubernetes.settings import Settings

Json = dict[str, Any]
APPLY: Final = "application/apply-patch+yaml"
JSON: Final = "application/json"
_CONNECT_S: Final = 5.0


class Session:
    """Calls of one API server; may be used by several threads at once. Nothing is opened yet."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._client: client.ApiClient | None = None
        self.calls: Counter[str] = Counter()

    def get(self, path: str, **query: object) -> Json | None:
        """Return what is at a path, or None where nothing is; raises CloudError."""
        return self._call("GET", path, query, missing_ok=True)

    def list(self, path: str, **query: object) -> Json:
        """Return one page of a list; raises CloudError."""
        return self._call("GET", path, query) or {}

    def apply(self, path: str, body: Json, **query: object) -> Json:
        """Apply a manifest server-side; raises CloudError."""
        return self._call("PATCH", path, query, body, APPLY) or {}

    def post(self, path: str, body: Json) -> Json:
        """Post a document and return the answer's; raises CloudError."""
        return self._call("POST", path, {}, body) or {}

    def review(self, path: str, body: Json) -> Json:
        """Post a question: like `post`, but nothing is written, so a lost answer is no matter."""
        return self._call("POST", path, {}, body, writing=False) or {}

    def delete(self, path: str, body: Json) -> bool:
        """Ask for a removal; return whether there was anything; raises CloudError."""
        return self._call("DELETE", path, {}, body, missing_ok=True) is not None

    @contextmanager
    def stream(self, path: str, **query: object) -> Iterator[BaseHTTPResponse]:
        """Open an answer that goes on; raises CloudError, also while it is read."""
        with self._translated(writing=False):
            response = self._send("GET", path, query)
            try:
                self._check(response, writing=False)
                yield response
            finally:
                response.close()
                response.release_conn()

    @property
    def configuration(self) -> client.Configuration:
        """Where the API server is, and whom we trust there; raises CloudError."""
        found: client.Configuration = self._opened().configuration
        return found

    def close(self) -> None:
        """Give back all connections."""
        with self._lock:
            known, self._client = self._client, None
        if known is not None:
            known.rest_client.close()

    def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, object],
        body: Json | None = None,
        content: str = JSON,
        *,
        missing_ok: bool = False,
        writing: bool | None = None,
    ) -> Json | None:
        writing = method != "GET" if writing is None else writing
        with self._translated(writing=writing):
            response = self._send(method, path, query, body, content)
            try:
                if response.status == 404 and missing_ok and _is_status(response.data):
                    return None
                self._check(response, writing=writing)
                found = json.loads(response.data)
                if not isinstance(found, dict):
                    raise ValueError("no object")  # noqa: TRY004 (translated like all nonsense)
                return found
            finally:
                response.release_conn()

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, object],
        body: Json | None = None,
        content: str = JSON,
    ) -> BaseHTTPResponse:
        client = self._opened()
        self.calls[method] += 1
        url = client.configuration.host + path
        headers = {"Accept": JSON, "User-Agent": f"govcloud/{__version__}"}
        if said := token(client.configuration):
            headers["Authorization"] = said
        if body is not None:
            headers["Content-Type"] = content
        written = {name: _word(value) for name, value in query.items() if value is not None}
        try:
            response: BaseHTTPResponse = client.rest_client.pool_manager.request(
                method,
                f"{url}?{urlencode(written)}" if written else url,
                body=json.dumps(body) if body is not None else None,
                headers=headers,
                timeout=self._timeout(query),
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except http.HTTPError:
            raise
        except ValueError:  # its text may hold what was to be sent, and so the token
            raise TransientCloudError("ConnectionLost", "the call could not be sent") from None
        return response

    def _timeout(self, query: Mapping[str, object]) -> Timeout:
        """Return the longest silence; a watch may be silent until its own time has run out."""
        seconds = self._settings.timeout_s
        if "timeoutSeconds" in query:
            seconds += float(str(query["timeoutSeconds"]))
        return Timeout(connect=min(_CONNECT_S, self._settings.timeout_s), read=seconds)

    def _check(self, response: BaseHTTPResponse, *, writing: bool) -> None:
        if 200 <= response.status < 300:
            return
        failed = answer(response.status, response.data, dict(response.headers), writing=writing)
        if response.status == 401:
            self.close()  # the next call reads anew who we are: it may have been replaced
        raise error_of(failed)

    @staticmethod
    @contextmanager
    def _translated(*, writing: bool) -> Iterator[None]:
        try:
            yield
        except (http.HTTPError, OSError) as error:
            raise connection_error(error, writing=writing) from error
        except ValueError as error:  # half an answer, or something that is no API server
            raise connection_error(error, writing=writing) from error

    # --- Who we are there ---

    def _opened(self) -> client.ApiClient:
        with self._lock:
            if self._client is None:
                self._client = opened(self._settings)
            return self._client


def _is_status(body: bytes) -> bool:
    """Whether a 404 is about the object: a wrong address has pages of its own."""
    try:
        said = json.loads(body)
    except ValueError:
        return False
    return isinstance(said, dict) and said.get("reason") == "NotFound"


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
