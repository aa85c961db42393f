"""Two controllers on one real cloud, of which one is killed (R9)."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from govcloud.clock import SystemClock
from govcloud.ports.cloud import State
from govcloud.reconcile.settings import Settings
from govcloud.store.engine import Database
from govcloud.store.unit import Store
from govcloud.testing.lab import CLOUD
from govcloud.testing.meanwhile import wait_until

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["govcloud.testing.lab"])
LEASE_S = 15.0
SHARED = Settings(
    batch=3, lease_s=LEASE_S, poll_first_s=0.5, poll_cap_s=3, idle_s=0.1, backoff_first_s=0.5
)
CLAIM_S = 300.0
"""How long it may take to see that a lease has run out, on a machine that does other things too."""

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(2400)]


@pytest.fixture
def database_kind() -> str:
    """Several controllers are for PostgreSQL."""
    return "postgresql"


@pytest.fixture
def lab(database: Database, openstack: Any) -> Iterator[Any]:
    from govcloud.testing.regionlab import RegionLab

    lab = RegionLab(Store(database, SystemClock()), openstack, settings=SHARED).found()
    yield lab
    lab.remove_all()


def run_controller(url: str, cloud: Any, installation: str, name: str) -> None:
    """Run a controller until SIGTERM."""
    from govcloud.testing.regionlab import RegionLab

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    database = Database(url)
    store = Store(database, SystemClock())
    lab = RegionLab(store, cloud, installation=installation, settings=SHARED)
    lab.controller(name).run(stop)
    database.close()


@contextmanager
def controllers(lab: Any, *names: str) -> Iterator[list[Any]]:
    started = [
        CONTEXT.Process(
            target=run_controller,
            args=(lab.store.database.url, lab.region, lab.installation, name),
        )
        for name in names
    ]
    for process in started:
        process.start()
    try:
        yield started
    finally:
        for process in started:
            if process.is_alive():
                process.terminate()
            process.join(120)


def held(lab: Any, owner: str) -> set[str]:
    """Return what a controller holds leases of, run out or not."""
    return {row.uid for row in lab.queue() if row.lease_owner == owner}


@pytest.mark.postgresql
@pytest.mark.guarantee("R9")
@pytest.mark.guarantee("R1")
@pytest.mark.parametrize("machines", [6, pytest.param(40, marks=pytest.mark.large)])
def test_one_takes_over_when_the_other_is_killed(lab: Any, machines: int) -> None:
    uids = [lab.machine(f"web-{number}") for number in range(machines)]
    with controllers(lab, "first", "second") as (first, second):
        wait_until(lambda: len(held(lab, "first")) > 0 and len(held(lab, "second")) > 0, 300)
        os.kill(first.pid, signal.SIGKILL)
        first.join(30)
        orphaned = held(lab, "first")
        taken = wait_until(lambda: not held(lab, "first"), LEASE_S + CLAIM_S)
        done = wait_until(lambda: not lab.queue(), 1800)
        second.terminate()
        second.join(120)
        assert second.exitcode == 0
    print(f"{machines} machines: {len(orphaned)} taken over after {taken:.1f} s, all {done:.0f} s")
    check_one_of_each(lab, uids)
    found = lab.controller("last").pass_once(CLOUD)
    assert (found.differing, found.enqueued) == (0, 0)


def check_one_of_each(lab: Any, uids: list[str]) -> None:
    rows = {row.uid: row for row in lab.rows()}
    assert all(rows[uid].ready for uid in uids), [rows[uid].message for uid in uids]
    there = lab.there()
    assert all(item.state is State.READY for item in there)
    parts = [(item.uid, item.part) for item in there]
    assert len(parts) == len(set(parts))
    servers = [item.uid for item in there if item.type == "server"]
    assert sorted(servers) == sorted(uids)
    assert lab.charged()["vms"] == (len(uids), 0)
