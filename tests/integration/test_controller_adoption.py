"""Taking over what stands, giving back with a last copy: what the controller does and leaves."""

from pathlib import Path
from typing import Any

import pytest

from govcloud.plan.asked import Asked
from govcloud.ports.cloud import Observed
from govcloud.store import observed
from govcloud.store.unit import Store
from govcloud.testing.lab import CLOUD, Lab
from provisioners.simulated import tamper

PROPS = {
    "vcpu": 2,
    "memory": 4096,
    "image": "kylin",
    "zone": "public",
    "power": "on",
    "ipv6": True,
    "disk.system": "50 hdd",
}


@pytest.fixture
def lab(store: Store, tmp_path: Path) -> Lab:
    return Lab(store, tmp_path).found()


def stranger(lab: Lab, **props: Any) -> Observed:
    return tamper.add_foreign(lab.path(), "old-web", tenant="legacy", props=PROPS | props)


def adopts(found: Observed) -> dict[str, Any]:
    return {"tenant": found.tenant, "parts": {"server-0": found.id}}


@pytest.mark.guarantee("R2")
def test_what_stands_is_taken_over_where_it_stands(lab: Lab) -> None:
    found, controller = stranger(lab), lab.controller()
    other = tamper.add_foreign(lab.path(), "theirs", tenant="legacy")
    controller.pass_once(CLOUD)
    assert lab.there() == [found, other]  # looking at it has changed nothing
    uid = lab.approve("web", adopts=adopts(found))
    lab.drive(controller)
    [machine] = lab.there(uid)
    assert (machine.id, machine.tenant, machine.part) == (found.id, "legacy", "server-0")
    assert machine.tags["department"] == "hrss"
    row = lab.row(uid)
    assert row is not None
    assert row.ready
    assert lab.charged()["vms"] == (1, 0)
    controller.pass_once(CLOUD)
    lab.drive(controller)
    assert [row.resource for row in lab.drift()] == [other.id]
    # The tenant is of others, so its quota is none of ours.
    assert "set_quota" not in lab.calls()


def test_what_was_taken_over_is_changed_and_healed_like_any_other(lab: Lab) -> None:
    found, controller = stranger(lab, power="off"), lab.controller()
    uid = lab.approve("web", adopts=adopts(found))
    lab.drive(controller)
    assert lab.there(uid)[0].props["power"] == "on"
    tamper.change(lab.path(), found.id, "vcpu", 64)
    controller.pass_once(CLOUD)
    lab.drive(controller)
    assert lab.there(uid)[0].props["vcpu"] == 2
    lab.release(uid)
    lab.drive(controller)
    assert lab.there(uid) == []
    assert lab.charged() == {}


@pytest.mark.guarantee("R2")
def test_what_was_taken_over_is_never_replaced_or_built_anew(lab: Lab) -> None:
    controller = lab.controller()
    other = stranger(lab, image="windows")
    uid = lab.approve("web", adopts=adopts(other))
    lab.drive(controller)
    assert lab.there() == [other]
    row = lab.row(uid)
    assert row is not None
    assert (row.ready, row.progressing, row.reason) == (False, False, "Differs")
    tamper.remove(lab.path(), other.id)
    found = stranger(lab)
    kept = lab.approve("web-2", adopts=adopts(found))
    lab.drive(controller)
    tamper.remove(lab.path(), found.id)
    controller.pass_once(CLOUD)
    lab.drive(controller)
    assert lab.there() == []
    row = lab.row(kept)
    assert row is not None
    assert (row.progressing, row.reason) == (False, "Gone")


@pytest.mark.guarantee("R2")
def test_what_another_object_has_is_not_taken_over(lab: Lab) -> None:
    first, controller = lab.approve("web"), lab.controller()
    lab.drive(controller)
    [machine] = lab.there(first)
    second = lab.approve("thief", adopts=adopts(machine))
    lab.drive(controller)
    assert lab.there() == [machine]
    row = lab.row(second)
    assert row is not None
    assert row.reason == "Taken"


def test_what_is_nobodys_is_kept_with_what_is_known_of_it(lab: Lab) -> None:
    found, controller = stranger(lab), lab.controller()
    controller.pass_once(CLOUD)
    with lab.store.reading() as session:
        [row] = observed.list_nobodys(session, CLOUD)
    since = row.since
    assert '"tenant":"legacy"' in row.detail
    assert '"vcpu":2' in row.detail
    tamper.change(lab.path(), found.id, "vcpu", 16)
    lab.store.clock.advance(60)  # type: ignore[attr-defined]
    controller.pass_once(CLOUD)
    with lab.store.reading() as session:
        [row] = observed.list_nobodys(session)
    assert '"vcpu":16' in row.detail
    assert row.since == since


@pytest.mark.guarantee("Q3")
def test_a_last_copy_comes_before_the_end(lab: Lab) -> None:
    uid, controller = lab.approve("web", count=2), lab.controller()
    lab.drive(controller)
    lab.release(uid, Asked(snapshot=True))
    seen: list[tuple[int, int]] = []
    for _ in range(40):
        controller.work_once(CLOUD)
        there = lab.there()
        copies = [item for item in there if item.type == "copy" and item.state == "ready"]
        left = [item for item in there if item.type == "server"]
        seen.append((len(copies), len(left)))
        assert all(item.props["power"] == "off" for item in left) or not copies
        if lab.row(uid) is None:
            break
        lab.store.clock.advance(1)  # type: ignore[attr-defined]
    assert seen[-1] == (2, 0)
    assert (0, 0) not in seen
    assert (1, 0) not in seen
    assert {item.name for item in lab.there()} == {
        f"hrss-web-{uid[:8]}-server-{number}" for number in (0, 1)
    }
    assert lab.charged() == {}
