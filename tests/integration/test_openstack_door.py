"""The door to OpenStack against a local server that answers whatever a test tells it to."""

import json
import logging
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from govcloud.errors import (
    CloudError,
    InvalidInputError,
    TerminalCloudError,
    TransientCloudError,
)
from provisioners.openstack.session import COMPUTE, STORAGE, Door
from provisioners.openstack.settings import read_settings

SECRET = "s3cret-of-the-cloud"
TOKEN = "gAAAA-token-of-the-cloud"


@dataclass
class Cloud:
    """A cloud of one service; `say` is what it answers: status, headers, body, or a word."""

    port: int = 0
    say: Any = (200, {}, {"servers": []})
    asked: list[tuple[str, str]] = field(default_factory=list)
    logins: int = 0
    refuse_tokens: int = 0

    def catalogue(self) -> dict[str, Any]:
        here = f"http://127.0.0.1:{self.port}"
        endpoint = {"region": "r", "region_id": "r", "interface": "public"}
        kinds = {"identity": f"{here}/v3", "compute": f"{here}/compute/v2.1"}
        return {
            "token": {
                "methods": ["password"],
                "user": {"id": "u", "name": "me", "domain": {"id": "d", "name": "d"}},
                "project": {"id": "p", "name": "p", "domain": {"id": "d", "name": "d"}},
                "roles": [],
                "expires_at": "2999-01-01T00:00:00.000000Z",
                "issued_at": "2020-01-01T00:00:00.000000Z",
                "catalog": [
                    {"type": kind, "name": kind, "id": kind, "endpoints": [endpoint | {"url": url}]}
                    for kind, url in kinds.items()
                ],
            }
        }

    def version(self, path: str) -> dict[str, Any] | None:
        here = f"http://127.0.0.1:{self.port}"
        if path.rstrip("/") == "/v3":
            links = [{"rel": "self", "href": f"{here}/v3/"}]
            return {"version": {"id": "v3.14", "status": "stable", "links": links}}
        if path.rstrip("/") == "/compute/v2.1":
            links = [{"rel": "self", "href": f"{here}/compute/v2.1/"}]
            version = {"id": "v2.1", "status": "CURRENT", "version": "2.93", "min_version": "2.1"}
            return {"version": version | {"links": links}}
        return None


def handler(cloud: Cloud) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def answer(self, status: int, headers: dict[str, str], body: Any) -> None:
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def serve(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.partition("?")[0]
            if path == "/v3/auth/tokens":
                cloud.logins += 1
                self.answer(201, {"X-Subject-Token": TOKEN}, cloud.catalogue())
            elif (known := cloud.version(path)) is not None:
                self.answer(200, {"Content-Type": "application/json"}, known)
            else:
                cloud.asked.append((self.command, path))
                self.spoil()

        def spoil(self) -> None:
            if cloud.refuse_tokens:
                cloud.refuse_tokens -= 1
                self.answer(401, {}, {"error": {"message": "expired"}})
            elif cloud.say == "hang":
                time.sleep(3)
                self.close_connection = True
            elif cloud.say == "cut":
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.close_connection = True
            elif cloud.say == "half":
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b'{"serv')
                self.close_connection = True
            else:
                self.answer(*cloud.say)

    for method in ("GET", "POST", "PUT", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.serve)
    return Handler


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    cloud = Cloud()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(cloud))
    server.daemon_threads = True
    cloud.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield cloud
    server.shutdown()
    server.server_close()


@contextmanager
def opened(cloud: Cloud, folder: Path) -> Iterator[Door]:
    entry = {
        "auth": {
            "auth_url": f"http://127.0.0.1:{cloud.port}/v3",
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
    connection = {"cloud": "here", "config-file": str(file), "timeout-seconds": "1"}
    door = Door(read_settings(connection))
    yield door
    door.close()


@pytest.fixture
def door(cloud: Cloud, tmp_path: Path) -> Iterator[Door]:
    with opened(cloud, tmp_path) as door:
        yield door


def fails(door: Door, method: str = "POST") -> CloudError:
    with pytest.raises(CloudError) as caught:
        door.call(COMPUTE, method, "/servers", json={})
    return caught.value


def test_an_expired_token_is_renewed_once(cloud: Cloud, door: Door) -> None:
    door.get(COMPUTE, "/servers")
    cloud.refuse_tokens = 1
    assert door.get(COMPUTE, "/servers") == {"servers": []}
    assert cloud.logins == 2
    cloud.refuse_tokens = 2
    error = fails(door)
    assert (type(error), error.reason) == (TransientCloudError, "Unauthorized")


@pytest.mark.parametrize(
    ("say", "reason", "unknown"),
    [
        ((429, {"Retry-After": "7"}, {}), "Throttled", False),
        ((503, {"Retry-After": "7"}, b"<html>busy</html>"), "Unavailable", False),
        ((502, {}, b"<html>bad gateway</html>"), "Unavailable", True),
        ((504, {}, b""), "Timeout", True),
        ((500, {}, {"computeFault": {"message": "boom"}}), "ServerError", True),
        ((200, {}, b"<html>captive portal</html>"), "BadAnswer", True),
        ("hang", "Timeout", True),
        ("cut", "ConnectionLost", True),
        ("half", "ConnectionLost", True),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_trouble_is_told_and_never_tried_again(
    cloud: Cloud, door: Door, say: Any, reason: str, unknown: bool, method: str
) -> None:
    """One call is one call; only what may have taken effect is of unknown outcome."""
    cloud.say = say
    error = fails(door, method)
    assert isinstance(error, TransientCloudError)
    assert error.reason == reason
    assert error.outcome_unknown is (unknown and method == "POST")
    assert len(cloud.asked) == 1
    if isinstance(say, tuple) and "Retry-After" in say[1]:
        assert error.retry_after_s == 7


def test_a_refusal_is_for_good(cloud: Cloud, door: Door) -> None:
    message = "Quota exceeded for instances: Requested 1, but already used 2 of 2 instances"
    cloud.say = (403, {}, {"forbidden": {"code": 403, "message": message}})
    error = fails(door)
    assert (type(error), error.reason) == (TerminalCloudError, "OverQuota")
    assert message in error.message


def test_an_unreachable_cloud(cloud: Cloud, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        cloud.port = taken.getsockname()[1]
        with opened(cloud, tmp_path) as door:
            error = fails(door)
    assert isinstance(error, TransientCloudError)
    assert (error.reason, error.outcome_unknown) == ("Unreachable", False)


def test_a_service_that_the_region_lacks(cloud: Cloud, door: Door) -> None:
    assert door.has(COMPUTE)
    assert not door.has(STORAGE)
    with pytest.raises(TerminalCloudError) as caught:
        door.get(STORAGE, "/volumes")
    assert caught.value.reason == "NoService"


def test_secrets_are_not_logged(cloud: Cloud, door: Door, caplog: pytest.LogCaptureFixture) -> None:
    """Not even where everything is logged that there is to log."""
    with caplog.at_level(logging.DEBUG):
        door.get(COMPUTE, "/servers")
        cloud.say = (500, {}, {})
        error = fails(door)
    logged = "\n".join(record.getMessage() for record in caplog.records)
    for secret in (SECRET, TOKEN):
        assert secret not in logged
        assert secret not in str(error)


def test_pages(cloud: Cloud, door: Door) -> None:
    """A listing ends with a page that is not full; a full one is followed by another call."""
    cloud.say = (200, {}, {"servers": [{"id": "1"}]})
    assert door.rows(COMPUTE, "/servers", "servers") == [{"id": "1"}]
    assert len(cloud.asked) == 1


@pytest.mark.parametrize(
    "connection",
    [
        {},
        {"region": "r"},
        {"cloud": "x", "password": "never"},
        {"cloud": "x", "page-size": "0"},
        {"cloud": "x", "timeout-seconds": "soon"},
        {"cloud": "x", "boot-from-volume": "yes"},
    ],
)
def test_connections_that_cannot_be(connection: dict[str, str]) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_settings(connection)
    assert all(d.key.startswith("openstack.") for d in caught.value.diagnostics)


def test_credentials_that_are_not_there(tmp_path: Path) -> None:
    connection = {
        "auth-url": "http://127.0.0.1:9/v3",
        "application-credential-id": "id",
        "application-credential-secret-file": str(tmp_path / "none"),
    }
    door = Door(read_settings(connection))
    error = fails(door)
    assert (type(error), error.reason) == (TransientCloudError, "NoCredentials")
    assert error.message == f"file {tmp_path / 'none'}"


def test_a_cloud_that_no_file_names(tmp_path: Path) -> None:
    file = tmp_path / "clouds.yaml"
    file.write_text("clouds: {}", encoding="utf-8")
    door = Door(read_settings({"cloud": "nowhere", "config-file": str(file)}))
    error = fails(door)
    assert isinstance(error, TransientCloudError)
    assert "nowhere" in error.message
