"""Bringing the lab up, step by step; each step does what is missing and nothing else."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import access
import contents
import identity
import packages
import prepare
import services
from daemon import PATIENCE_S, LabError, start_all, stop_all, wait_until
from openstack.connection import Connection
from settings import HOSTS, VOLUME_TYPES


def install() -> None:
    """Install the Debian packages that are missing."""
    names = packages.missing()
    if not names:
        return
    reason = packages.impossible()
    if reason:
        raise LabError(f"{reason} to install {', '.join(names)}")
    with _step(f"Debian packages ({len(names)} and what they need)"):
        packages.install(names)


def bring_up() -> None:
    """Start and fill the cloud; what runs already with the same configuration goes on."""
    with _step("Configuration"):
        prepare.folders()
        _stop_changed(prepare.configuration() | prepare.plugin())
    with _step("Database and queue"):
        prepare.tables()
        start_all(services.FOUNDATION)
    with _step("Schemas"):
        prepare.schemas()
    with _step("Keystone"):
        start_all(services.IDENTITY)
        access.write_clouds()
        identity.catalogue(access.connect())
        # A connection knows the catalogue as it was when it logged in.
        cloud = access.connect()
        identity.accounts(cloud)
    with _step("Services"):
        start_all(services.SERVICES)
    with _step("Agents"):
        _agents(cloud)
    with _step("Contents"):
        contents.offer(cloud)


def _stop_changed(users: set[str]) -> None:
    stop_all(daemon for daemon in services.ALL if daemon.user in users)


def _agents(cloud: Connection) -> None:
    """Wait until the processes without an API have told their service that they are there."""
    _reported("Nova's agents", cloud.compute.services, services.NOVA_AGENTS)
    _reported("Cinder's agents", cloud.block_storage.services, services.CINDER_AGENTS)
    # The scheduler may have missed what the volume service said before it listened.
    pools = {f"lab@{name}#{name}" for name in VOLUME_TYPES}
    wait_until(
        "Cinder's pools",
        lambda: pools <= {pool.name for pool in cloud.block_storage.backend_pools()},
        PATIENCE_S,
    )
    if not set(HOSTS) <= {one.name for one in cloud.compute.hypervisors()}:
        prepare.discover_hosts()


def _reported(what: str, agents: Callable[[], Iterable], wanted: set[tuple[str, str]]) -> None:
    def up() -> bool:
        return wanted <= {(one.binary, one.host) for one in agents() if one.state == "up"}

    wait_until(what, up, PATIENCE_S)


@contextmanager
def _step(text: str) -> Iterator[None]:
    print(f"  {text} …", end="", flush=True)
    started = time.monotonic()
    yield
    print(f" {time.monotonic() - started:.1f} s", flush=True)
