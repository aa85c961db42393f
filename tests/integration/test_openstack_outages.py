"""A service of a real cloud is stopped while machines are built, and started again (R6)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from govcloud.clock import SystemClock
from govcloud.ports.cloud import State
from govcloud.store.engine import Database
from govcloud.store.unit import Store
from govcloud.testing.lab import ADMIN, CLOUD, Lab
from govcloud.testing.meanwhile import running, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(3600)]
BESIDE = "beside"
SERVICES = ("nova-api", "nova-conductor", "neutron-server", "rabbitmq", "mariadb")
PATIENCE_S = 900.0
BUILD_LIMIT_S = "120"
"""What is lost with a queue is begun again after this time; half an hour if nothing is said."""


@pytest.fixture
def database_kind() -> str:
    """What is stopped is the cloud's: one kind of database is enough."""
    return "sqlite"


@pytest.fixture
def lab(database: Database, openstack_alone: Any, tmp_path: Path) -> Iterator[Any]:
    from govcloud.testing.regionlab import RegionLab

    class TwoClouds(RegionLab):
        """The real region, and a simulated cloud beside it."""

        def _driver(self, name: str, spec: Any) -> Any:
            if name == BESIDE:
                return self.open(name, spec.connection)
            return super()._driver(name, spec)

    lab = TwoClouds(Store(database, SystemClock()), openstack_alone)
    lab.connection["build-limit-seconds"] = BUILD_LIMIT_S
    lab.found()
    lab.folder = tmp_path
    with lab.store.unit(ADMIN) as unit:
        lab.add_cloud(unit, BESIDE, connection={"latency": "0.05"})
    yield lab
    openstack_alone.lab.up()
    lab.remove_all()


def state(lab: Lab) -> list[tuple[str, str, str]]:
    return [(row.name, row.reason, row.message) for row in lab.rows() if not row.ready]


def check_one_of_each(lab: Any, uids: list[str]) -> None:
    """There is one of everything, all of it ready, and the ledger agrees with the cloud."""
    there = lab.there()
    assert [item for item in there if item.state is not State.READY] == []
    parts = [(item.uid, item.part) for item in there]
    assert len(parts) == len(set(parts))
    servers = [item.uid for item in there if item.type == "server"]
    assert set(servers) == set(uids)
    beside = len(lab.rows()) - len({row.uid for row in lab.rows() if row.cloud == CLOUD})
    assert lab.charged()["vms"] == (len(servers) + beside, 0)


def outage(lab: Any, services: Any, service: str) -> list[str]:
    """Stop a service under one machine and before another; return both when they are ready."""
    uids = [lab.machine(f"{service}-before")]
    wait_until(lambda: lab.row(uids[0]).reason == "Building", PATIENCE_S, lambda: state(lab))
    services.stop(service)
    uids.append(lab.machine(f"{service}-during"))
    other = lab.approve(f"{service}-beside", cloud=BESIDE, image="debian-12")
    wait_until(lambda: lab.row(other).ready, PATIENCE_S, lambda: state(lab))
    services.start(service)
    wait_until(lambda: not lab.queue(), PATIENCE_S, lambda: (service, state(lab)))
    assert state(lab) == []
    return uids


@pytest.mark.guarantee("R1")
@pytest.mark.guarantee("R6")
@pytest.mark.guarantee("Q2")
@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_stopped_while_machines_are_built(
    lab: Any, openstack_alone: Any, service: str
) -> None:
    from govcloud.testing.openstack_leftovers import carrying, inventory

    with running(lab.controller(), within_s=PATIENCE_S):
        check_one_of_each(lab, outage(lab, openstack_alone.lab, service))
        for row in lab.rows():
            if row.kind == "VirtualMachine":
                lab.release(row.uid)
        wait_until(lambda: lab.rows() == [], PATIENCE_S, lambda: state(lab))
    assert lab.charged() == {}
    assert carrying(inventory(openstack_alone), lab.installation) == []


@pytest.mark.guarantee("R1")
@pytest.mark.guarantee("R8")
def test_what_nobody_goes_on_building_is_begun_again(lab: Any, openstack_alone: Any) -> None:
    """The message to build it is lost with the queue; Nova says BUILD for ever."""
    openstack_alone.lab.stop("nova-conductor")
    uid = lab.machine("forgotten")
    with running(lab.controller(), within_s=PATIENCE_S):
        wait_until(lambda: servers(lab, uid) != [], PATIENCE_S, lambda: state(lab))
        [forgotten] = servers(lab, uid)
        openstack_alone.lab.stop("rabbitmq")
        openstack_alone.lab.start("rabbitmq", "nova-conductor")
        wait_until(lambda: lab.row(uid).ready, PATIENCE_S, lambda: state(lab))
    assert "Rebuilding" in lab.events(uid)
    [built] = servers(lab, uid)
    assert built != forgotten
    check_one_of_each(lab, [uid])


def servers(lab: Any, uid: str) -> list[str]:
    return [item.id for item in lab.there(uid) if item.type == "server"]
