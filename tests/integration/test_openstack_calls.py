"""How many calls a comparison of a real cloud makes, counted by a proxy before it (R5)."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event

from govcloud.clock import SystemClock
from govcloud.plan.differences import differences as plan_differences
from govcloud.ports.cloud import State
from govcloud.reconcile import desired
from govcloud.reconcile.desired import World, resources_of
from govcloud.store.engine import Database
from govcloud.store.unit import Store
from govcloud.testing.lab import CLOUD

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
PER_PAGE = 5


@pytest.fixture
def database_kind() -> str:
    """What is counted is the cloud's calls: one kind of database is enough."""
    return "sqlite"


@pytest.fixture
def lab(database: Database, openstack_proxied: Any) -> Iterator[Any]:
    from govcloud.testing.regionlab import RegionLab

    lab = RegionLab(Store(database, SystemClock()), openstack_proxied[1]).found()
    yield lab
    lab.remove_all()


def statements(lab: Any) -> list[str]:
    """Return a list that grows by each statement that writes."""
    found: list[str] = []

    def note(*arguments: Any) -> None:
        statement = str(arguments[2])
        if statement.split(maxsplit=1)[0] in {"INSERT", "UPDATE", "DELETE"}:
            found.append(statement)

    event.listen(lab.store.database.engine, "before_cursor_execute", note)
    return found


def quiet_pass(lab: Any, proxy: Any) -> Counter[tuple[str, str, str]]:
    """Compare as a controller does that has just started; return the calls that it made.

    The cloud is shared: what others put there meanwhile is nobody's, and may be written down.
    """
    comparer = lab.controller(f"quiet-{len(lab.drivers)}").site(CLOUD).comparer
    comparer.run()  # the cloud's own quotas follow what was built
    comparer.run()  # and classes that had no limit until then are known by what is shown of them
    written = statements(lab)
    proxy.clear()
    found = comparer.run()
    assert (found.differing, found.enqueued, found.quotas_set) == (0, 0, 0), differences(lab)
    assert proxy.writes() == Counter()
    assert found.drift_written or written == []
    assert [line for line in written if " drift " not in line] == []
    tally: Counter[tuple[str, str, str]] = proxy.tally()
    return tally


def differences(lab: Any) -> list[tuple[str, str, Any, Any]]:
    """Return what does not stand as wanted, field by field, to say so in a failure."""
    provisioner = lab.driver()
    there = {(item.uid, item.part): item for item in lab.there()}
    with lab.store.reading() as session:
        world = World.read(session, lab.store.clock.now().date())
        wanted = list(desired.by_uid(session, [row.uid for row in lab.rows()]))
        world.add_systems(session, wanted)
    resources = [r for one in wanted for r in resources_of(provisioner, world, one.approved)]
    found: list[tuple[str, str, Any, Any]] = []
    for resource in resources:
        item = there.get((resource.uid, resource.part))
        if item is None:
            found.append((resource.part, "missing", None, None))
            continue
        found += [
            (resource.part, name, resource.props.get(name), item.props.get(name))
            for name in plan_differences(resource, item)
        ]
        if item.state is not State.READY:
            found.append((resource.part, "state", State.READY, item.state))
    return found


@pytest.mark.guarantee("R5")
def test_a_quiet_pass_makes_as_many_calls_for_three_servers_as_for_one(
    lab: Any, openstack_proxied: Any
) -> None:
    """The one has a server group, too: that a list of some is at its end takes one more call."""
    proxy, _ = openstack_proxied
    disks = [{"size": "1Gi", "type": "hdd"}]
    lab.machine("one", dataDisks=disks, antiAffinity=True)
    lab.finish(lab.controller())
    few = quiet_pass(lab, proxy)

    lab.machine("two", dataDisks=disks, antiAffinity=True)
    lab.machine("three", network={"floatingIp": True})
    lab.finish(lab.controller("two"))
    many = quiet_pass(lab, proxy)
    assert len([item for item in lab.there() if item.type == "server"]) == 3
    assert many == few

    small_pages = {**lab.connection, "page-size": "2"}
    lab.wrap = lambda _: lab.driver(connection=small_pages)
    paged = quiet_pass(lab, proxy)
    assert paged.keys() == many.keys()
    for path in ("/servers/detail", "/v2.0/ports", "/v2.0/networks", "/volumes/detail"):
        [listed] = [key for key in many if key[2].endswith(path)]
        assert (listed, many[listed]) == (listed, 1)
        assert paged[listed] > 1
