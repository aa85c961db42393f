"""A stand-in for an OpenStack cloud that answers whatever a test tells it to.

It keeps nothing and schedules nothing: it lets people in, says which services and versions there
are, and answers each path with what `lists` has for it, or else with `say`.
"""

import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

SECRET: Final = "s3cret-of-the-cloud"  # noqa: S105 (opens nothing but this)
TOKEN: Final = "gAAAA-token-of-the-cloud"  # noqa: S105 (opens nothing but this)
PROJECT: Final = "p"
"""The project that the credentials are for."""
_PATHS: Final = {
    "identity": "/v3",
    "compute": "/compute/v2.1",
    "network": "/network/v2.0",
    "image": "/image/v2",
    "block-storage": "/volume/v3",
}
_MICROVERSIONS: Final = {"compute": "2.93", "block-storage": "3.70"}

Query = Mapping[str, list[str]]
List = Callable[[Query], Any]
"""The answer to a query: its body, or status, headers and body."""


@dataclass
class Cloud:
    """What a test tells: `say` is a status, headers and a body, or a word for what goes wrong.

    `asked` are the calls that came, `queries` what they asked for.
    """

    port: int = 0
    say: Any = (200, {}, {"servers": []})
    services: tuple[str, ...] = ("identity", "compute")
    lists: dict[str, List] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    queries: list[tuple[str, Query]] = field(default_factory=list)
    logins: int = 0
    refuse_tokens: int = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}"

    def catalogue(self) -> dict[str, Any]:
        """Return what a log-in is answered with."""
        endpoint = {"region": "r", "region_id": "r", "interface": "public"}
        return {
            "token": {
                "methods": ["password"],
                "user": {"id": "u", "name": "me", "domain": {"id": "d", "name": "d"}},
                "project": {"id": PROJECT, "name": "p", "domain": {"id": "d", "name": "d"}},
                "roles": [],
                "expires_at": "2999-01-01T00:00:00.000000Z",
                "issued_at": "2020-01-01T00:00:00.000000Z",
                "catalog": [
                    {
                        "type": kind,
                        "name": kind,
                        "id": kind,
                        "endpoints": [endpoint | {"url": f"{self.url}{_PATHS[kind]}"}],
                    }
                    for kind in self.services
                ],
            }
        }

    def version(self, path: str) -> dict[str, Any] | None:
        """Return what a service says of itself; None where the path is none of a service."""
        kind = next((k for k, p in _PATHS.items() if p == path.rstrip("/")), "")
        if not kind:
            return None
        links = [{"rel": "self", "href": f"{self.url}{_PATHS[kind]}/"}]
        if kind == "identity":
            return {"version": {"id": "v3.14", "status": "stable", "links": links}}
        number = _PATHS[kind].rpartition("/")[2]
        version = {"id": number, "status": "CURRENT", "links": links}
        if kind in _MICROVERSIONS:
            low = f"{number.partition('.')[0].removeprefix('v')}.0"
            version |= {"version": _MICROVERSIONS[kind], "min_version": low}
        return {"version": version}

    def connection(self, folder: Path) -> dict[str, str]:
        """Return the connection of a `Cloud` document; its clouds.yaml is put into the folder."""
        entry = {
            "auth": {
                "auth_url": f"{self.url}/v3",
                "username": "me",
                "password": SECRET,
                "user_domain_name": "d",
                "project_name": "p",
                "project_domain_name": "d",
            },
            "region_name": "r",
        }
        file = folder / "clouds.yaml"
        file.write_text(json.dumps({"clouds": {"here": entry}}), encoding="utf-8")
        return {"cloud": "here", "config-file": str(file)}


@contextmanager
def serving() -> Iterator[Cloud]:
    """Run such a cloud."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.cloud.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.cloud
    server.shutdown()
    server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.cloud = Cloud()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, status: int, headers: Mapping[str, str], body: Any) -> None:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _serve(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        cloud, path = self.server.cloud, urlsplit(self.path).path
        if path == "/v3/auth/tokens":
            cloud.logins += 1
            self._answer(201, {"X-Subject-Token": TOKEN}, cloud.catalogue())
        elif (known := cloud.version(path)) is not None:
            self._answer(200, {"Content-Type": "application/json"}, known)
        else:
            self._told(cloud, path, parse_qs(urlsplit(self.path).query))

    def _told(self, cloud: Cloud, path: str, query: Query) -> None:
        cloud.asked.append((self.command, path))
        cloud.queries.append((path, query))
        if cloud.refuse_tokens:
            cloud.refuse_tokens -= 1
            self._answer(401, {}, {"error": {"message": "expired"}})
        elif path in cloud.lists:
            told = cloud.lists[path](query)
            self._answer(*(told if isinstance(told, tuple) else (200, {}, told)))
        elif isinstance(cloud.say, str):
            self._spoil(cloud.say)
        else:
            self._answer(*cloud.say)

    def _spoil(self, how: str) -> None:
        """Go wrong: `hang`, `cut` the connection, or end in the midst of the answer (`half`)."""
        self.close_connection = True
        if how == "hang":
            self.rfile.read(1)  # until the client has had enough of it
        elif how == "cut":
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        else:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"serv')

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 (the base class's names)
