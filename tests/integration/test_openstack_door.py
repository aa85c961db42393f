"""The door to OpenStack against a local server that answers whatever a test tells it to."""

import json
import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from keystoneauth1 import exceptions as keystone

from govcloud.errors import (
    CloudError,
    InvalidInputError,
    TerminalCloudError,
    TransientCloudError,
)
from govcloud.testing.meanwhile import wait_until
from govcloud.testing.openstack_stub import SECRET, TOKEN, Cloud, serving
from provisioners.openstack.session import COMPUTE, STORAGE, Door, lost
from provisioners.openstack.settings import read_settings


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with serving() as cloud:
        yield cloud


@contextmanager
def opened(cloud: Cloud, folder: Path) -> Iterator[Door]:
    door = Door(read_settings(cloud.connection(folder)))
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


def hurry(cloud: Cloud, door: Door) -> None:
    """Let a door that has logged in wait for no answer; before, it has all the time it needs."""
    door.get(COMPUTE, "/servers")
    cloud.asked.clear()
    door.settings = replace(door.settings, timeout_s=0.5)


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
    if say == "hang":
        hurry(cloud, door)
    cloud.say = say
    error = fails(door, method)
    assert isinstance(error, TransientCloudError)
    assert error.reason == reason
    assert error.outcome_unknown is (unknown and method == "POST")
    wait_until(lambda: cloud.asked)  # it may have had enough before the call arrived
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


LOGIN = {"username": "me", "password": "x", "user_domain_name": "d", "project_name": "p"}


def rewritten(cloud: Cloud, folder: Path, **entry: Any) -> Door:
    """Open a cloud whose clouds.yaml says something else."""
    connection = cloud.connection(folder)
    file = Path(connection["config-file"])
    plain = json.loads(file.read_text("utf-8"))["clouds"]["here"]
    file.write_text(json.dumps({"clouds": {"here": plain | entry}}), "utf-8")
    return Door(read_settings(connection))


def test_a_password_in_an_address_is_in_no_message(cloud: Cloud, tmp_path: Path) -> None:
    url = f"http://adm:{SECRET}@127.0.0.1:1/v3"
    door = rewritten(cloud, tmp_path, auth={"auth_url": url, **LOGIN})
    error = fails(door)
    assert "127.0.0.1" in error.message
    assert SECRET not in error.message
    door.close()


def test_nothing_secret_is_derived_of_nothing(cloud: Cloud, tmp_path: Path) -> None:
    """Whoever reads the source could else log in to every tenant's project."""
    auth = {"identity_provider": "idp", "protocol": "openid", "access_token": "token"}
    auth |= {"auth_url": cloud.url, "project_name": "p", "project_domain_name": "d"}
    door = rewritten(cloud, tmp_path, auth_type="v3oidcaccesstoken", auth=auth)
    assert door.bound
    with pytest.raises(TransientCloudError) as caught:
        door.derived_secret("govcloud-gc-1")
    assert caught.value.reason == "NoCredentials"
    door.close()


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


@pytest.mark.parametrize("token", [f"{TOKEN}\nx", f"{TOKEN}—"])
def test_a_token_that_cannot_be_is_said_without_its_text(cloud: Cloud, token: str) -> None:
    with pytest.raises((requests.RequestException, UnicodeEncodeError)) as caught:
        requests.get(cloud.url, headers={"X-Auth-Token": token}, timeout=5)
    told = keystone.UnknownConnectionError(str(caught.value), caught.value)
    told.__cause__ = caught.value
    error = lost(told, write=True)
    assert (type(error), error.reason) == (TransientCloudError, "NoCredentials")
    assert TOKEN not in str(error)
