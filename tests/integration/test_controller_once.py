"""A single run of the controller: it ends when nothing moves any more, and names what it leaves."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from govcloud.clock import SystemClock
from govcloud.errors import UnavailableError
from govcloud.ports.cloud import Provisioner
from govcloud.store import work
from govcloud.store.tables import WorkRow
from govcloud.store.unit import Store
from govcloud.testing.faults import InterceptedProvisioner
from govcloud.testing.lab import ADMIN, CLOUD, QUICK, Lab
from provisioners.simulated import tamper
from provisioners.simulated.faults import Fault, FaultKind


@pytest.fixture
def lab(store: Store, tmp_path: Path) -> Lab:
    return Lab(store, tmp_path, settings=QUICK, connection={"latency": "0.05"}).found()


@pytest.fixture
def clock() -> SystemClock:
    return SystemClock()


def test_nothing_is_left_of_what_could_be_built(lab: Lab) -> None:
    lab.approve("web")
    came = lab.controller().run_once()
    assert came.complete
    assert came.left == ()


def test_a_run_that_takes_long_knows_the_clouds_that_it_looked_at(
    store: Store, tmp_path: Path
) -> None:
    lab = Lab(store, tmp_path, settings=QUICK, connection={"latency": "4"})
    lab.found(limits={"resyncSeconds": 1}).approve("web")
    came = lab.controller().run_once()
    assert came.unread == ()
    assert came.complete


def test_what_is_refused_for_good_is_named(lab: Lab) -> None:
    uids = [lab.approve(f"web-{number}") for number in range(7)]
    tamper.set_fault(lab.path(), Fault(FaultKind.REFUSE, "create", reason="BadFlavor"))
    came = lab.controller().run_once()
    assert (came.complete, came.count, len(came.left)) == (False, len(uids), 5)
    assert (came.left[0].object, came.left[0].reason) == ("VirtualMachine hrss/web-0", "BadFlavor")


def test_a_cloud_that_is_down_is_named_with_what_waits_for_it(lab: Lab) -> None:
    lab.approve("web")
    tamper.set_fault(lab.path(), Fault(FaultKind.DOWN, "*"))
    came = lab.controller().run_once()
    assert not came.complete
    assert [one.cloud for one in came.unread] == [CLOUD]
    assert came.count == 1


@pytest.mark.guarantee("R6")
def test_a_cloud_whose_driver_stumbles_holds_up_no_other(store: Store, tmp_path: Path) -> None:
    lab = Lab(store, tmp_path, settings=QUICK).found(clouds=(CLOUD, "east"))
    fine, stuck = lab.approve("web"), lab.approve("db", cloud="east")

    def spoil(method: str, _count: int) -> None:
        if method in ("observe", "find"):
            raise KeyError("odd")

    def wrap(inner: Provisioner) -> Provisioner:
        return InterceptedProvisioner(inner, before=spoil) if next(numbers) == 0 else inner

    numbers = count()  # clouds are opened in the order of their names: east first
    lab.wrap = wrap
    came = lab.controller().run_once()
    assert [one.cloud for one in came.unread] == ["east"]
    assert (lab.row(fine).ready, lab.row(stuck).ready) == (True, False)  # type: ignore[union-attr]


def test_after_the_faults_calm_down_a_run_builds_to_the_end(lab: Lab) -> None:
    uid = lab.approve("web")
    tamper.set_fault(lab.path(), Fault(FaultKind.NO_CAPACITY, "create"))
    came = lab.controller("one").run_once()
    assert (came.complete, came.count) == (False, 1)
    assert lab.queue()[0].attempts >= QUICK.once_attempts
    tamper.clear_faults(lab.path())
    tamper.set_fault(lab.path(), Fault(FaultKind.SLOW, "create", seconds=0.5))
    came = lab.controller("two").run_once()
    assert came.complete
    assert lab.row(uid).ready  # type: ignore[union-attr]


def test_what_builds_after_many_failures_is_under_way(lab: Lab) -> None:
    uid = lab.approve("web")
    with lab.store.unit(ADMIN) as unit:
        place = unit.session.get_one(WorkRow, uid)
        place.attempts, place.polls = 9, 0
        unit.session.add(place)
        unit.session.flush()
        assert work.remaining(unit.session, CLOUD, QUICK.once_attempts) == 0
        place.polls = 1
        unit.session.flush()
        assert work.remaining(unit.session, CLOUD, QUICK.once_attempts) == 1


@contextmanager
def nothing_can_be_written(store: Store) -> Iterator[None]:
    """Let no connection write: SQLite's file is full, PostgreSQL takes no changes."""
    engine = store.database.engine
    statement = "SET default_transaction_read_only = on"
    if store.database.is_sqlite:
        statement = "PRAGMA max_page_count = 1"  # that is: no larger than it is

    def forbid(connection: Any, *_: object) -> None:
        with closing(connection.cursor()) as cursor:
            cursor.execute(statement)
        connection.commit()

    engine.dispose()
    event.listen(engine, "connect", forbid)
    try:
        yield
    finally:
        event.remove(engine, "connect", forbid)
        engine.dispose()


@pytest.mark.guarantee("P2")
def test_a_database_that_takes_nothing_more_ends_the_run(lab: Lab, store: Store) -> None:
    """Such as a full disk: an error that says so, not a wait without end; then all is found."""
    uids = [lab.approve(f"web-{number}") for number in range(60)]
    with nothing_can_be_written(store), pytest.raises(UnavailableError):
        lab.controller("one").run_once()
    assert lab.controller("two").run_once().complete
    assert all(lab.row(uid).ready for uid in uids)  # type: ignore[union-attr]
    assert sorted(one.uid for one in lab.there() if one.type == "server") == sorted(uids)
