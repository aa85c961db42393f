"""Many at once, in processes of their own: nothing is oversold, decided twice or held by two."""

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest
from sqlmodel import func, select

from govcloud.domain.access import Actor, Role
from govcloud.errors import GovcloudError
from govcloud.requests.desk import Desk, Verdict
from govcloud.store.engine import Database
from govcloud.store.tables import ClaimRow, DecisionRow, ObjectRow, RequestRow, WorkRow
from govcloud.store.unit import Store
from govcloud.testing.clock import FixedClock
from govcloud.testing.town import APPROVER, HEALTH, Town, machine, read, system
from quotas.store import SqlLedger

PROCESSES = 4
pytestmark = pytest.mark.slow


@pytest.fixture
def town(store: Store) -> Town:
    return Town(store, SqlLedger()).found()


@pytest.fixture
def pool() -> Iterator[ProcessPoolExecutor]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, mp_context=context) as executor:
        yield executor


def attempt(url: str, act: Callable[..., Any], *arguments: Any) -> str:
    """Do something at a desk of this process's own; return "done" or the reason of the refusal."""
    database = Database(url)
    try:
        act(Desk(Store(database, FixedClock()), SqlLedger()), *arguments)
    except GovcloudError as error:
        return error.reason
    finally:
        database.close()
    return "done"


def approve(desk: Desk, request_id: str, actor: Actor) -> None:
    desk.decide(actor, request_id, Verdict.APPROVE)


def hand_over(desk: Desk, request_id: str, verdict: Verdict) -> None:
    desk.decide(APPROVER, request_id, verdict, version=1, role=Role.APPROVER)


def submit(desk: Desk, documents: list[Any], key: str | None) -> None:
    desk.submit(HEALTH, read(*documents), idempotency_key=key)


def at_once(pool: ProcessPoolExecutor, town: Town, calls: list[tuple[Any, ...]]) -> Counter[str]:
    url = town.store.database.url
    futures = [pool.submit(attempt, url, *call) for call in calls]
    return Counter(future.result() for future in futures)


def count(town: Town, table: Any, *where: Any) -> int:
    with town.store.reading() as session:
        return session.exec(select(func.count()).select_from(table).where(*where)).one()


@pytest.mark.guarantee("Q1")
def test_fifty_approvals_against_a_limit_of_ten_grant_ten(
    town: Town, pool: ProcessPoolExecutor
) -> None:
    first = town.submit(system())
    town.desk.decide(APPROVER, first.id, Verdict.APPROVE)
    ids = [town.submit(machine(f"web-{number}")).id for number in range(50)]
    results = at_once(pool, town, [(approve, request_id, APPROVER) for request_id in ids])
    assert results == {"done": 10, "quota-exceeded": 40}
    assert count(town, ObjectRow, ObjectRow.kind == "VirtualMachine") == 10
    assert count(town, WorkRow) == 10
    assert count(town, RequestRow, RequestRow.state == "review") == 40
    with town.store.reading() as session:
        blocked = session.exec(select(RequestRow).where(RequestRow.state == "review")).all()
        assert all(row.blocked and row.blocked["reason"] == "quota-exceeded" for row in blocked)
        now = town.store.clock.now()
        assert not town.ledger.recount(session, now)
        lines = town.ledger.lines(session, now, ["health", "town"])
        assert {x.reserved for x in lines if x.resource_class == "vms"} == {10}


def test_two_approvers_at_once_decide_once(town: Town, pool: ProcessPoolExecutor) -> None:
    approvers = [Actor(f"approver-{number}", Role.APPROVER) for number in range(8)]
    request = town.submit(system(), machine())
    results = at_once(pool, town, [(approve, request.id, actor) for actor in approvers])
    assert results == {"done": 1, "conflict": 7}
    assert count(town, DecisionRow, DecisionRow.verdict == "approve") == 1
    assert count(town, ObjectRow, ObjectRow.kind == "VirtualMachine") == 1


def test_of_hand_overs_of_what_was_seen_one_is_made(town: Town, pool: ProcessPoolExecutor) -> None:
    request = town.submit(system())
    verdicts = [Verdict.REASSIGN, Verdict.ADD_REVIEWER] * 4
    results = at_once(pool, town, [(hand_over, request.id, verdict) for verdict in verdicts])
    assert results == {"done": 1, "conflict": 7}
    assert count(town, DecisionRow) == 2


def test_of_submitters_of_the_same_object_one_gets_it(
    town: Town, pool: ProcessPoolExecutor
) -> None:
    calls = [(submit, [system(), machine(count=number)], None) for number in range(1, 9)]
    assert at_once(pool, town, calls) == {"done": 1, "conflict": 7}
    assert count(town, RequestRow) == 1
    assert count(town, ClaimRow) == 2


def test_the_same_key_at_once_is_one_request(town: Town, pool: ProcessPoolExecutor) -> None:
    calls = [(submit, [system(), machine()], "key-1")] * 8
    assert at_once(pool, town, calls) == {"done": 8}
    assert count(town, RequestRow) == 1


def test_numbers_have_no_gaps_and_no_doubles(town: Town, pool: ProcessPoolExecutor) -> None:
    calls = [(submit, [system(f"system-{number}")], None) for number in range(20)]
    assert at_once(pool, town, calls) == {"done": 20}
    with town.store.reading() as session:
        ids = sorted(session.exec(select(RequestRow.id)))
    assert ids == [f"REQ-2026-{number:04d}" for number in range(1, 21)]
