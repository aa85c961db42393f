"""Full comparisons: what they cost, what they find, what they leave alone."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from govcloud.ports.cloud import Observed
from govcloud.reconcile import recover
from govcloud.store import observed
from govcloud.store.unit import Store
from govcloud.testing.clock import FixedClock
from govcloud.testing.lab import ADMIN, CLOUD, Lab
from provisioners.simulated import cloud, rows, tamper


@pytest.fixture
def lab(store: Store, tmp_path: Path) -> Lab:
    return Lab(store, tmp_path, connection={"pageSize": "5"}).found()


class Writes:
    """Counts the statements that write, on all connections of a database."""

    def __init__(self, lab: Lab) -> None:
        self.statements: list[str] = []
        event.listen(lab.store.database.engine, "before_cursor_execute", self._note)

    def _note(self, *arguments: Any) -> None:
        statement = arguments[2]
        if statement.split(maxsplit=1)[0] in {"INSERT", "UPDATE", "DELETE"}:
            self.statements.append(statement)

    def tables(self) -> set[str]:
        words = [
            statement.replace("INTO ", "").replace("FROM ", "") for statement in self.statements
        ]
        return {text.split()[1] for text in words}


@pytest.mark.guarantee("R5")
def test_a_pass_in_which_nothing_changed_costs_pages_and_writes_nothing(lab: Lab) -> None:
    controller = lab.controller()
    for number in range(23):
        lab.approve(f"web-{number}")
    tamper.add_foreign(lab.path(), "foreign")
    lab.drive(controller)
    controller.pass_once(CLOUD)
    before, writes = lab.calls(), Writes(lab)
    found = controller.site(CLOUD).comparer.run()
    after = lab.calls()
    calls = {
        name: after[name] - before.get(name, 0)
        for name in after
        if after[name] != before.get(name, 0)
    }
    # 24 resources on pages of 5, one tenant on one page
    assert calls == {"observe": 5, "quotas": 1}
    assert (found.pages, found.listed, found.objects) == (5, 24, 23)
    assert writes.statements == []
    assert lab.queue() == []
    # With its own schedule written, that is the one row of the cloud and nothing else.
    lab.store.clock.advance(1)  # type: ignore[attr-defined]
    controller.pass_once(CLOUD)
    assert writes.tables() == {"cloud_states"}


@pytest.mark.guarantee("R5")
def test_reported_drift_and_foreign_resources_are_written_once(lab: Lab) -> None:
    uid, controller = lab.approve("web", drift="report"), lab.controller()
    lab.drive(controller)
    [machine] = lab.there(uid)
    tamper.change(lab.path(), machine.id, "vcpu", 64)
    tamper.add_foreign(lab.path(), "foreign")
    controller.pass_once(CLOUD)
    lab.drive(controller)
    assert {row.field for row in lab.drift()} == {"vcpu", "unmanaged"}
    writes = Writes(lab)
    assert controller.site(CLOUD).comparer.run().enqueued == 0
    assert writes.statements == []


@pytest.mark.guarantee("R1")
def test_a_copy_with_the_mark_of_what_holds_data_is_told_and_never_takes_its_place(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though it is as it should be, and sorts before it: nothing of it is ever recorded."""

    def with_data(row: Sequence[Any], installation: str) -> Observed:
        return replace(rows.observed(row, installation), data=True)

    monkeypatch.setattr(cloud, "observed", with_data)
    uid, controller = lab.approve("web"), lab.controller()
    lab.drive(controller)
    [made] = lab.there(uid)
    added = [
        tamper.add_foreign(
            lab.path(), f"copy-{n}", tenant=made.tenant, props=made.props, tags=made.tags
        )
        for n in range(3)
    ]
    for copy in added:
        tamper.set_mark(lab.path(), copy.id, "lab", uid, made.part)
    for _ in range(3):
        controller.pass_once(CLOUD)
        lab.drive(controller)
        row = lab.row(uid)
        assert row is not None
        assert [one["id"] for one in row.status["resources"]] == [made.id]
        assert (row.ready, row.reason) == (True, "Drifted")
    told = {(one.resource, one.field, one.mode) for one in lab.drift()}
    assert told == {(copy.id, "extra", "report") for copy in added}
    assert len(lab.there(uid)) == 4
    tamper.remove(lab.path(), made.id)
    controller.pass_once(CLOUD)
    lab.drive(controller)
    assert len(lab.there(uid)) == 3


@pytest.mark.guarantee("R4")
def test_a_deleted_machine_heals(lab: Lab) -> None:
    uid, controller = lab.approve("web"), lab.controller()
    lab.drive(controller)
    [machine] = lab.there(uid)
    tamper.remove(lab.path(), machine.id)
    found = controller.pass_once(CLOUD)
    assert found is not None
    assert (found.differing, found.enqueued) == (1, 1)
    controller.work_once(CLOUD)
    assert [(row.uid, row.field, row.mode) for row in lab.drift()] == [(uid, "missing", "heal")]
    assert lab.row(uid).reason == "Healing"  # type: ignore[union-attr]
    lab.drive(controller)
    [again] = lab.there(uid)
    assert again.id != machine.id
    assert lab.row(uid).ready  # type: ignore[union-attr]
    assert lab.drift() == []
    assert lab.charged()["vms"] == (1, 0)
    assert "Drift" in lab.events(uid)


@pytest.mark.guarantee("R4")
def test_a_changed_machine_is_healed_reported_or_ignored(lab: Lab) -> None:
    controller = lab.controller()
    uids = {mode: lab.approve(f"web-{mode}", drift=mode) for mode in ("heal", "report", "ignore")}
    lab.drive(controller)
    for uid in uids.values():
        tamper.change(lab.path(), lab.there(uid)[0].id, "vcpu", 64)
    controller.pass_once(CLOUD)
    lab.drive(controller)
    sizes = {mode: lab.there(uid)[0].props["vcpu"] for mode, uid in uids.items()}
    assert sizes == {"heal": 2, "report": 64, "ignore": 64}
    [drift] = lab.drift()
    assert (drift.uid, drift.wanted, drift.found, drift.mode) == (
        uids["report"],
        "2",
        "64",
        "report",
    )
    said = {mode: lab.row(uid) for mode, uid in uids.items()}
    assert {mode: (row.ready, row.reason) for mode, row in said.items() if row} == {
        "heal": (True, "Ready"),
        "report": (True, "Drifted"),
        "ignore": (True, "Ready"),
    }
    tamper.change(lab.path(), lab.there(uids["report"])[0].id, "vcpu", 2)
    controller.pass_once(CLOUD)
    lab.drive(controller)
    assert lab.drift() == []
    assert lab.row(uids["report"]).reason == "Ready"  # type: ignore[union-attr]


@pytest.mark.guarantee("R4")
def test_policy_says_what_to_do_for_a_kind_and_a_field(lab: Lab) -> None:
    rules = [{"kind": "VirtualMachine", "field": "power", "mode": "ignore"}, {"mode": "report"}]
    with lab.store.unit(ADMIN) as unit:
        spec = {"version": "1", "effectiveFrom": "2026-01-01", "drift": rules}
        lab.put(unit, "Policy", "city", spec)
    uid, controller = lab.approve("web"), lab.controller()
    lab.drive(controller)
    [machine] = lab.there(uid)
    tamper.change(lab.path(), machine.id, "power", "off")
    tamper.change(lab.path(), machine.id, "tag:system", "other")
    controller.pass_once(CLOUD)
    lab.drive(controller)
    assert [(row.field, row.found) for row in lab.drift()] == [("tag:system", "other")]
    assert lab.there(uid)[0].props["power"] == "off"


@pytest.mark.guarantee("R2")
def test_what_is_not_ours_is_reported_and_never_touched(lab: Lab) -> None:
    uid, controller = lab.approve("web"), lab.controller()
    # The same name in the same tenant, and the same thing marked by another installation.
    same_name = tamper.add_foreign(lab.path(), "hrss-web-0", tenant="hrss--portal")
    others = tamper.add_foreign(lab.path(), "theirs", tenant="hrss--portal")
    tamper.set_mark(lab.path(), others.id, "another", uid, "server-0")
    before = {item.id: item for item in lab.there() if item.id in {same_name.id, others.id}}
    controller.pass_once(CLOUD)
    lab.drive(controller)
    controller.pass_once(CLOUD)
    assert lab.row(uid).ready  # type: ignore[union-attr]
    assert len([item for item in lab.there() if item.id not in before]) == 1
    unmanaged = {row.resource for row in lab.drift() if row.field == "unmanaged"}
    assert unmanaged == set(before)
    lab.release(uid)
    lab.drive(controller)
    assert {item.id: item for item in lab.there()} == before


@pytest.mark.guarantee("R2")
@pytest.mark.guarantee("Q5")
def test_a_lost_mark_makes_it_nobodys_and_its_room_is_not_given_twice(lab: Lab) -> None:
    uid, controller = lab.approve("web"), lab.controller()
    lab.drive(controller)
    [machine] = lab.there(uid)
    tamper.unmark(lab.path(), machine.id)
    controller.pass_once(CLOUD)
    lab.drive(controller, rounds=5)
    row = lab.row(uid)
    assert row is not None
    assert (row.ready, row.progressing, row.reason) == (False, True, "OverQuota")
    assert [item.id for item in lab.there()] == [machine.id]
    assert machine.id in {row.resource for row in lab.drift()}
    tamper.remove(lab.path(), machine.id)
    lab.drive(controller, step_s=60)
    assert len(lab.there(uid)) == 1
    assert lab.row(uid).ready  # type: ignore[union-attr]


def test_two_comparisons_at_once_report_the_same(lab: Lab) -> None:
    """Who begins to listen to a cloud compares beside the one whose turn it is."""
    stray = tamper.add_foreign(lab.path(), "stray")
    other, compared = lab.controller("other"), []

    def beside(*arguments: Any) -> None:
        if "FROM drift" in arguments[2] and not compared:
            compared.append(CLOUD)
            other.pass_once(CLOUD)

    event.listen(lab.store.database.engine, "after_cursor_execute", beside)
    assert lab.controller().pass_once(CLOUD) is not None
    assert compared
    assert [(row.resource, row.field) for row in lab.drift()] == [(stray.id, "unmanaged")]


@pytest.mark.guarantee("R2")
def test_a_mark_without_an_object_is_an_orphan(lab: Lab) -> None:
    controller = lab.controller()
    stray = tamper.add_foreign(lab.path(), "stray")
    tamper.set_mark(lab.path(), stray.id, "lab", "0" * 32, "server-0")
    controller.pass_once(CLOUD)
    assert [(row.resource, row.field) for row in lab.drift()] == [(stray.id, "orphan")]
    assert [item.id for item in lab.there()] == [stray.id]


@pytest.mark.guarantee("R4")
def test_drift_is_seen_within_one_period(lab: Lab, clock: FixedClock) -> None:
    uid, controller = lab.approve("web"), lab.controller()
    lab.drive(controller)
    site = controller.site(CLOUD)
    assert site.look_if_due() is not None
    tamper.remove(lab.path(), lab.there(uid)[0].id)
    assert site.look_if_due() is None
    clock.advance(60)
    found = site.look_if_due()
    assert found is not None
    assert found.enqueued == 1


@pytest.mark.guarantee("R4")
def test_healing_again_and_again_stops_with_an_alarm(lab: Lab, clock: FixedClock) -> None:
    uid, controller = lab.approve("web"), lab.controller()
    lab.drive(controller)
    for _ in range(8):
        tamper.change(lab.path(), lab.there(uid)[0].id, "vcpu", 64)
        controller.pass_once(CLOUD)
        lab.drive(controller)
    row = lab.row(uid)
    assert row is not None
    assert (row.ready, row.progressing, row.reason) == (False, False, "HealStorm")
    assert lab.calls()["change"] == lab.settings.heal_limit
    assert "HealStorm" in lab.events(uid)
    clock.advance(3600)
    found = controller.pass_once(CLOUD)
    assert found is not None
    assert found.enqueued == 0
    with lab.store.unit(ADMIN) as unit:
        recover.retry(unit, uid)
    lab.drive(controller)
    assert lab.row(uid).ready  # type: ignore[union-attr]


def test_what_a_person_put_right_is_well_again(lab: Lab) -> None:
    uid, controller = lab.approve("web"), lab.controller()
    lab.drive(controller)
    [machine] = lab.there(uid)
    tamper.fail(lab.path(), machine.id)
    controller.pass_once(CLOUD)
    lab.drive(controller)
    assert lab.row(uid).reason == "Failed"  # type: ignore[union-attr]
    lab.open().change(machine, machine_wanted(lab, uid), ["vcpu"])
    lab.store.clock.advance(5)  # type: ignore[attr-defined]
    controller.pass_once(CLOUD)
    lab.drive(controller)
    assert lab.row(uid).reason == "Ready"  # type: ignore[union-attr]


def machine_wanted(lab: Lab, uid: str) -> Any:
    from govcloud.ports.cloud import Resource

    [machine] = lab.there(uid)
    return Resource(uid, machine.part, machine.type, machine.name, machine.tenant, machine.props)


def test_an_observed_cloud_is_counted_and_never_touched(lab: Lab) -> None:
    from govcloud.store.tables import CloudRow

    with lab.store.unit(ADMIN) as unit:
        lab.add_cloud(unit, "industry", management="observed", limits={"resyncSeconds": 60})
    tamper.add_foreign(lab.path("industry"), "theirs")
    controller = lab.controller()
    found = controller.pass_once("industry")
    assert found is not None
    assert found.counts == {"server": 1}
    with lab.store.reading() as session:
        assert session.get_one(CloudRow, "industry").counts == {"server": 1}
    # Taken stock of, and no difference from anything.
    assert [(row.found, row.mode) for row in lab.drift("industry")] == [("server theirs", "ignore")]
    with lab.store.reading() as session:
        assert observed.list_drift(session, ADMIN, cloud="industry") == []
        assert [row.resource for row in observed.list_nobodys(session, "industry")]
    assert set(lab.calls("industry")) == {"observe"}


def test_an_object_that_should_be_in_the_queue_and_is_not_is_put_there(lab: Lab) -> None:
    from govcloud.store import work

    uid, controller = lab.approve("web"), lab.controller()
    with lab.store.unit(ADMIN) as unit:
        work.forget(unit.session, [uid])
    assert controller.work_once(CLOUD) == 0
    controller.pass_once(CLOUD)
    lab.drive(controller)
    assert lab.row(uid).ready  # type: ignore[union-attr]
