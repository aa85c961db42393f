"""From approved to fulfilled, and giving back: what stands on an object keeps it in its place."""

from typing import Any

import pytest
from sqlmodel import col, select

from govcloud.domain.access import CONTROLLER
from govcloud.domain.keys import ObjectKey
from govcloud.errors import InvalidInputError
from govcloud.reports.opening_time import make
from govcloud.requests.desk import Verdict
from govcloud.requests.fulfilment import Progress, progress, settle
from govcloud.store import requests
from govcloud.store.tables import AuditRow, FactRow, ObjectRow, RequestRow, WorkRow
from govcloud.store.unit import Store
from govcloud.testing import town as words
from govcloud.testing.clock import FixedClock
from govcloud.testing.town import ADMIN, APPROVER, HEALTH, Town, machine, system, volume
from quotas.store import SqlLedger


def key(kind: str, name: str) -> ObjectKey:
    return ObjectKey(kind, "health", name)


RECORDS, WEB, DATA = key("System", "records"), key("VirtualMachine", "web"), key("Volume", "data")


@pytest.fixture
def town(store: Store) -> Town:
    return Town(store, SqlLedger()).found()


def approve(town: Town, request: RequestRow) -> RequestRow:
    return town.desk.decide(APPROVER, request.id, Verdict.APPROVE)


def give_back(town: Town, *keys: ObjectKey) -> RequestRow:
    return approve(town, town.desk.submit(HEALTH, (), releases=keys, justification="moved"))


def found(town: Town, wanted: ObjectKey) -> ObjectRow | None:
    with town.store.reading() as session:
        return session.exec(
            select(ObjectRow).where(
                ObjectRow.kind == wanted.kind,
                ObjectRow.department == wanted.department,
                ObjectRow.name == wanted.name,
            )
        ).first()


def build(town: Town, *keys: ObjectKey) -> None:
    """What the controller does when an object is ready, or gone."""
    with town.store.unit(CONTROLLER) as unit:
        touched: set[str] = set()
        for wanted in keys:
            seen = found(town, wanted)
            row = unit.session.get(ObjectRow, seen.uid if seen else "")
            assert row is not None
            touched.add(row.request_id or "")
            if row.phase == "releasing":
                unit.fact(row, phase="gone")
                unit.session.delete(row)
            else:
                row.phase, row.ready, row.observed_generation = "active", True, row.generation
        settle(unit, touched)


def state(town: Town, request: RequestRow) -> tuple[str, Progress]:
    with town.store.reading() as session:
        row = requests.get_request(session, ADMIN, request.id)
        return row.state, progress(session, row)


def test_a_request_is_fulfilled_when_all_of_it_is_ready(town: Town) -> None:
    request = town.submit(system(), machine(), volume())
    assert state(town, request) == ("review", Progress(0, 3))
    approve(town, request)
    assert state(town, request) == ("provisioning", Progress(1, 3))
    build(town, WEB)
    assert state(town, request) == ("provisioning", Progress(2, 3))
    build(town, DATA)
    assert state(town, request) == ("fulfilled", Progress(3, 3))
    with town.store.reading() as session:
        actions = session.exec(select(AuditRow.action).where(AuditRow.request_id == request.id))
        assert list(actions)[-1] == "request.fulfilled"


def test_settling_again_changes_nothing(town: Town) -> None:
    request = approve(town, town.submit(system(), machine()))
    build(town, WEB)
    with town.store.unit(CONTROLLER) as unit:
        settle(unit, [request.id, "REQ-2026-9999"])
    with town.store.reading() as session:
        row = requests.get_request(session, ADMIN, request.id)
        assert (row.state, row.version) == ("fulfilled", 3)


def test_a_request_that_was_overtaken_is_fulfilled_with_the_one_that_did(town: Town) -> None:
    first = approve(town, town.submit(system(), machine()))
    second = approve(town, town.submit(machine(flavor="large")))
    third = approve(town, town.submit(machine(flavor="small")))
    assert [state(town, r)[0] for r in (first, second, third)] == ["provisioning"] * 3
    build(town, WEB)
    assert [state(town, r)[0] for r in (first, second, third)] == ["fulfilled"] * 3


def test_giving_back_waits_for_the_cloud_and_quota_does_too(town: Town) -> None:
    approve(town, town.submit(system(), machine()))
    build(town, WEB)
    request = give_back(town, WEB)
    row = found(town, WEB)
    assert row is not None
    assert (row.phase, row.releasing_since, row.request_id) == (
        "releasing", request.updated_at, request.id,
    )  # fmt: skip
    with town.store.reading() as session:
        work = session.exec(select(WorkRow)).one()
        lines = town.ledger.lines(session, town.store.clock.now(), ["health"])
    assert (work.uid, work.fresh) == (row.uid, True)
    assert {line.reserved for line in lines if line.resource_class == "vms" and not line.cloud} == {
        1
    }
    assert state(town, request) == ("provisioning", Progress(0, 1))
    build(town, WEB)
    assert state(town, request) == ("fulfilled", Progress(1, 1))


def test_what_is_being_given_back_is_neither_changed_nor_given_back_again(town: Town) -> None:
    approve(town, town.submit(system(), machine()))
    give_back(town, WEB)
    for act in (
        lambda: town.submit(machine(flavor="large")),
        lambda: give_back(town, WEB),
        lambda: give_back(town, RECORDS),
    ):
        with pytest.raises(InvalidInputError) as caught:
            act()
        assert {f.key for f in caught.value.diagnostics} <= {
            "requests.is_releasing", "requests.has_dependants",
        }  # fmt: skip


def test_what_something_stands_on_is_not_given_back_alone(town: Town) -> None:
    room = words.document("ServerRoom", "basement", {"onlyNetworkGear": True}, "health")
    on = {"room": "basement", "system": "records", "environment": "test"}
    host = words.document("LegacyHost", "old", on, "health")
    approve(town, town.submit(system(), machine(), volume(attachTo="web"), room, host))
    build(town, WEB, DATA)

    def told(*keys: ObjectKey, documents: tuple[Any, ...] = ()) -> dict[str, list[str]]:
        with pytest.raises(InvalidInputError) as caught:
            town.submit(*documents, releases=keys)
        return {str(f.params["object"]): f.params["dependants"] for f in caught.value.diagnostics}

    assert told(RECORDS) == {
        str(RECORDS): [
            "LegacyHost health/old", "VirtualMachine health/web", "Volume health/data",
        ]
    }  # fmt: skip
    assert told(WEB) == {str(WEB): ["Volume health/data"]}
    assert told(key("ServerRoom", "basement")) == {
        "ServerRoom health/basement": ["LegacyHost health/old"]
    }
    detached = town.submit(volume(), releases=[WEB])
    assert detached.state == "review"


def test_a_system_goes_with_its_machines_and_after_them(town: Town) -> None:
    on = {"room": "basement", "system": "records", "environment": "test"}
    host = words.document("LegacyHost", "old", on, "health")
    room = words.document("ServerRoom", "basement", {"onlyNetworkGear": True}, "health")
    approve(town, town.submit(system(), machine(), room, host))
    build(town, WEB)
    old = key("LegacyHost", "old")
    request = give_back(town, RECORDS, WEB, old)
    assert found(town, old) is None
    records = found(town, RECORDS)
    assert records is not None
    assert records.phase == "releasing"
    build(town, WEB)
    assert found(town, RECORDS) is None
    assert state(town, request) == ("fulfilled", Progress(3, 3))
    with town.store.reading() as session:
        facts = session.exec(
            select(FactRow.phase).where(FactRow.uid == records.uid).order_by(col(FactRow.seq))
        )
        assert list(facts) == ["active", "releasing", "gone"]


def test_records_that_nothing_stands_on_go_at_once(town: Town, clock: FixedClock) -> None:
    taken = approve(town, town.submit(system()))
    returned = give_back(town, RECORDS)
    assert returned.state == "fulfilled"
    assert found(town, RECORDS) is None
    assert approve(town, town.submit(system())).state == "fulfilled"
    # What is fulfilled with its approval counts in how long requests take (MET-10).
    with town.store.reading() as session:
        done = session.exec(select(AuditRow.target).where(AuditRow.action == "request.fulfilled"))
        assert list(done)[:2] == [taken.id, returned.id]
    clock.advance(3600)
    assert len(make(town.store).requests) == 3
