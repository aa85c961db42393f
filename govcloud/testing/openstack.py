"""A real OpenStack for tests: the lab of this repository, or any cloud that is named.

`GOVCLOUD_TEST_OS_CLOUD` names an entry of a clouds.yaml whose account may administer a domain;
tests create and delete there. Otherwise it is the lab, which is started where that is possible.
`GOVCLOUD_TEST_OPENSTACK` decides on both: `auto` (as if it were not set) does without where there
is no cloud, `all` insists on one, `off` refuses.
"""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml
from openstack.config import OpenStackConfig
from openstack.connection import Connection

from govcloud.testing.proxy import Proxy

NAMED: Final = "GOVCLOUD_TEST_OS_CLOUD"
WANTED: Final = "GOVCLOUD_TEST_OPENSTACK"
_PROGRAM: Final = Path(__file__).parents[2] / "tests" / "labs" / "openstack"
_CLOUDS: Final = Path("/var/lib/govcloud-lab/openstack/clouds.yaml")

# What the SDK calls a service, by the names under which catalogues list it.
_SERVICES: Final = {
    "identity": "identity",
    "image": "image",
    "compute": "compute",
    "network": "network",
    "placement": "placement",
    "volumev3": "block_storage",
    "block-storage": "block_storage",
}


class NoLabError(Exception):
    """The lab did not come up where it could, or was insisted on where it cannot."""


def _is_debian_12() -> bool:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return False
    return (release["ID"], release.get("VERSION_ID")) == ("debian", "12")


@dataclass(frozen=True, slots=True)
class Lab:
    """The lab's processes, for tests that stop them; `govcloud` is no part of it."""

    program: Path = _PROGRAM

    def start(self, *names: str) -> None:
        """Start processes (`nova-api`, `rabbitmq`, …) and wait until they answer."""
        self._run("start", *names)

    def stop(self, *names: str) -> None:
        """Stop processes in an orderly way."""
        self._run("stop", *names)

    def kill(self, *names: str) -> None:
        """Kill processes, as a crash would."""
        self._run("kill", *names)

    def up(self) -> bool:
        """Start what does not run, install and fill what is not there; return whether all stood."""
        try:
            self._run("status")
            self._run("up")
        except NoLabError:
            # It will take a while, which the person who waits wants to see.
            self._run("up", output=sys.__stderr__)
            return False
        return True

    def down(self) -> None:
        """Stop all of it; its data stays."""
        self._run("down")

    def impossible(self) -> str | None:
        """Say why it cannot be started here; None if it can."""
        if not self.program.is_dir():
            return "this is no checkout of the repository, so the lab is not there"
        if os.geteuid() != 0:
            return "the lab needs root"
        if not _is_debian_12() or shutil.which("apt-get") is None:
            return "the lab needs the packages of Debian 12"
        return None

    def _run(self, *arguments: str, output: Any = None) -> None:
        command = [sys.executable, str(self.program), *arguments]
        done = subprocess.run(  # noqa: S603 (our own program)
            command,
            stdin=subprocess.DEVNULL,
            stdout=output or subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise NoLabError(f"{' '.join(arguments)}: {done.stdout or 'see above'}")


@dataclass(frozen=True, slots=True)
class OpenStack:
    """A cloud: the clouds.yaml, the driver's entry in it, an administrator's, and the lab if any.

    `member` is the entry of somebody who is a mere member of a project; empty where there is none.
    `started` says of the lab that it did not run before it was looked for.
    """

    file: Path
    cloud: str
    admin: str
    member: str = ""
    lab: Lab | None = None
    started: bool = False

    @property
    def connection(self) -> dict[str, str]:
        """What a `Cloud` document says as its connection."""
        return {"config-file": str(self.file), "cloud": self.cloud}

    @property
    def environment(self) -> dict[str, str]:
        """What the `openstack` command needs to know, to look as the administrator."""
        return {"OS_CLIENT_CONFIG_FILE": str(self.file), "OS_CLOUD": self.admin}

    def connect(self, cloud: str = "", **scope: str) -> Connection:
        """Connect as the administrator or with another entry; `project_id=…` changes the scope."""
        config = OpenStackConfig(
            config_files=[str(self.file)], vendor_files=[], secure_files=[], load_envvars=False
        )
        connection = Connection(config=config.get_one(cloud or self.admin))
        return connection.connect_as(**scope) if scope else connection

    @contextmanager
    def proxied(self, folder: Path) -> Iterator[tuple[Proxy, "OpenStack"]]:
        """Put a proxy before the cloud; give it, and the same cloud seen through it.

        Its clouds.yaml is written into the folder. Only the driver's entry leads through the
        proxy: administrator and witness see the cloud as it is.
        """
        addresses = self._addresses()
        roots = {
            service: urlsplit(address)._replace(path="", query="").geturl()
            for service, address in addresses.items()
        }
        with Proxy(roots) as proxy:
            clouds = yaml.safe_load(self.file.read_text(encoding="utf-8"))
            entry = clouds["clouds"][self.cloud] = deepcopy(clouds["clouds"][self.cloud])
            for service, address in addresses.items():
                entry[f"{service}_endpoint_override"] = proxy.url(service) + urlsplit(address).path
            identity = urlsplit(entry["auth"]["auth_url"]).path
            entry["auth"]["auth_url"] = proxy.url("identity") + identity
            file = folder / "clouds.yaml"
            file.touch(mode=0o600)
            file.write_text(yaml.safe_dump(clouds), encoding="utf-8")
            yield proxy, replace(self, file=file)

    def _addresses(self) -> dict[str, str]:
        """Return the address of each service, without the project's id that Cinder's may end in.

        Cinder needs none since its release Yoga, and with one the driver could not change projects.
        """
        with self.connect(self.cloud) as connection:
            auth = connection.session.auth
            assert auth is not None, "a connection logs in"
            access = auth.get_access(connection.session)  # type: ignore[attr-defined]
            found = access.service_catalog.get_endpoints_data(
                interface="public", region_name=connection.config.region_name
            )
            project = str(access.project_id)
        return {
            _SERVICES[kind]: endpoints[0].url.removesuffix(project).rstrip("/")
            for kind, endpoints in found.items()
            if kind in _SERVICES and endpoints
        }


def find() -> OpenStack | str:
    """Return a cloud that tests may use, having started the lab if need be; or say why not.

    :raises NoLabError: the lab could be started here and did not start, or there is none and one
        is insisted on.
    """
    wanted = os.environ.get(WANTED, "auto")
    if wanted not in ("auto", "all", "off"):
        raise ValueError(f"{WANTED} is {wanted!r}, not auto, all or off")
    if wanted == "off":
        return f"{WANTED} is off"
    named = os.environ.get(NAMED)
    if named:
        return _named(named)
    lab = Lab()
    reason = lab.impossible()
    if reason is None:
        stood = lab.up()
        return OpenStack(_CLOUDS, "lab", "lab-admin", "lab-member", lab, started=not stood)
    if wanted == "all":
        raise NoLabError(reason)
    return reason


def _named(name: str) -> OpenStack:
    config = OpenStackConfig()
    config.get_one(name)
    return OpenStack(Path(config.config_filename or "clouds.yaml"), name, name)
