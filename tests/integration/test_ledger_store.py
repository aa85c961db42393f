"""The ledger on its databases: what it writes, what it costs, what a recount finds."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event
from sqlmodel import func, select, update

from govcloud.errors import ConflictError
from govcloud.ports.ledger import Demand, Difference, LimitFact, Obstacle
from govcloud.store.engine import Database
from govcloud.store.tables import ObjectRow
from govcloud.testing.clock import START
from quotas.store import SqlLedger
from quotas.tables import BalanceRow, EntryRow, HoldRow

LATER = START + timedelta(hours=1)
TREE = {"city": None, "east": "city", "west": "city", "bureau": "east", "school": "east"}


def limit(department: str, amount: int, word: str = "vms") -> LimitFact:
    return LimitFact("q", department, "", "", word, amount, None, 0, False, 1.0, None, None)


def demand(owner: str, department: str, amount: int, generation: int = 1) -> Demand:
    key = f"{owner}@{generation}"
    return Demand(key, owner, department, "c", "z", {"vms": amount, "gpu": amount})


@pytest.fixture
def ledger(database: Database) -> SqlLedger:
    ledger = SqlLedger()
    limits = [limit("city", 100), limit("city", 100, "gpu"), limit("east", 10)]
    with database.writing() as session:
        ledger.revise(session, START, parents=TREE)
        assert ledger.revise(session, START, limits={"q": limits}) == ()
    return ledger


def build(database: Database, ledger: SqlLedger, *demands: Demand) -> None:
    with database.writing() as session:
        assert ledger.reserve(session, demands, START, LATER).granted
        ledger.allocate(session, [each.key for each in demands], START)


def carried(database: Database, ledger: SqlLedger) -> dict[str, int]:
    with database.reading() as session:
        assert ledger.recount(session, START) == []
        lines = ledger.lines(session, START)
    return {
        line.department: line.allocated + line.reserved
        for line in lines
        if line.resource_class == "vms" and not line.cloud
    }


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    yield seen
    event.remove(database.engine, "before_cursor_execute", note)


def test_a_batch_costs_a_few_statements_whatever_its_size(
    database: Database, ledger: SqlLedger
) -> None:
    with database.writing() as session:
        ledger.revise(session, START, limits={"q": [limit("city", 500), limit("city", 500, "gpu")]})
    many = [demand(f"u{number}", "bureau", 1) for number in range(200)]
    keys, owners = [each.key for each in many], [each.owner for each in many]
    with statements(database) as seen:
        with database.writing() as session:
            assert ledger.reserve(session, many, START, LATER).granted
        with database.writing() as session:
            ledger.renew(session, keys, LATER + timedelta(hours=1))
        with database.writing() as session:
            ledger.allocate(session, keys, START)
        with database.writing() as session:
            ledger.release(session, owners, START)
    work = [statement for statement in seen if not statement.startswith(("BEGIN", "SELECT 1"))]
    assert len(work) <= 28
    assert set(carried(database, ledger).values()) == {0}


@pytest.mark.guarantee("Q4")
def test_a_refusal_names_the_level_of_the_department(database: Database, ledger: SqlLedger) -> None:
    with database.writing() as session:
        for name, level in (("city", "city"), ("east", "county")):
            session.add(
                ObjectRow(
                    uid=name, kind="Department", name=name, spec={"level": level}, digest="",
                    created_at=START, updated_at=START,
                )
            )  # fmt: skip
    with database.reading() as session:
        verdict = ledger.check(session, [demand("u", "bureau", 101)], START)
    assert [(r.department, r.level, r.resource_class) for r in verdict.refusals] == [
        ("east", "county", "vms"),
        ("city", "city", "vms"),
        ("city", "city", "gpu"),
    ]
    assert [(line.department, line.resource_class, line.limit) for line in verdict.lines] == [
        ("bureau", "vms", None),
        ("bureau", "gpu", None),
        ("east", "vms", 10),
        ("city", "vms", 100),
        ("city", "gpu", 100),
    ]


@pytest.mark.guarantee("Q5")
def test_a_limit_below_usage_is_refused_or_forced_and_then_seen(
    database: Database, ledger: SqlLedger
) -> None:
    build(database, ledger, demand("u", "bureau", 6))
    lower = [limit("city", 100), limit("city", 100, "gpu"), limit("east", 4)]
    with database.writing() as session:
        (refusal,) = ledger.revise(session, START, limits={"q": lower})
    assert (refusal.obstacle, refusal.department, refusal.limit, refusal.allocated) == (
        Obstacle.BELOW_USAGE, "east", 4, 6,
    )  # fmt: skip
    with database.writing() as session:
        assert ledger.reserve(session, [demand("v", "school", 4)], START, LATER).granted
        ledger.release(session, ["v"], START)
        assert ledger.revise(session, START, limits={"q": lower}, force=True) == ()
    with database.reading() as session:
        (over,) = [
            line
            for line in ledger.lines(session, START, ["east"])
            if line.limit is not None and line.allocated + line.reserved > line.limit
        ]
        assert (over.limit, over.allocated) == (4, 6)
        assert not ledger.check(session, [demand("v", "school", 1)], START).granted
        assert ledger.check(session, [demand("u", "bureau", 5, 2)], START).granted, "shrinking is"


@pytest.mark.guarantee("Q6")
def test_what_siblings_use_decides_what_may_be_borrowed(
    database: Database, ledger: SqlLedger
) -> None:
    lending = [
        limit("city", 20),
        replace(limit("east", 10), lend=4),
        replace(limit("west", 10), borrow=8),
        limit("city", 100, "gpu"),
    ]
    with database.writing() as session:
        assert ledger.revise(session, START, limits={"q": lending}) == ()
    build(database, ledger, demand("u", "bureau", 8))
    with database.reading() as session:
        assert ledger.check(session, [demand("v", "west", 12)], START).granted
        (refusal,) = ledger.check(session, [demand("v", "west", 13)], START).refusals
        assert (refusal.obstacle, refusal.available) == (Obstacle.PARENT_EXCEEDED, 12)
    build(database, ledger, demand("v", "west", 12))
    with database.writing() as session:
        ledger.release(session, ["u"], START)
        (refusal,) = ledger.check(session, [demand("u", "bureau", 9)], START).refusals
        assert (refusal.department, refusal.obstacle, refusal.available) == (
            "city", Obstacle.LENT_OUT, 8,
        )  # fmt: skip


@pytest.mark.guarantee("Q6")
def test_balances_follow_a_department_that_moves(database: Database, ledger: SqlLedger) -> None:
    build(database, ledger, demand("u", "bureau", 6), demand("v", "school", 1))
    with database.writing() as session:
        ledger.revise(session, START, parents={**TREE, "bureau": "west"})
    everywhere = {"city": 7, "east": 1, "west": 6, "bureau": 6, "school": 1}
    assert carried(database, ledger) == everywhere
    assert carried(database, SqlLedger()) == everywhere
    with database.writing() as session, pytest.raises(ConflictError):
        ledger.revise(session, START, parents={**TREE, "city": "bureau"})
    assert carried(database, ledger) == everywhere


@pytest.mark.guarantee("Q2")
def test_a_recount_finds_what_was_tampered_with(database: Database, ledger: SqlLedger) -> None:
    build(database, ledger, demand("u", "bureau", 6))
    with database.writing() as session:
        row = session.exec(
            select(BalanceRow).where(BalanceRow.department == "east", BalanceRow.zone == "z")
        ).first()
        assert row is not None
        row.allocated += 1
    with database.reading() as session:
        (found,) = ledger.recount(session, START)
    assert found == Difference("east", "c", "z", row.resource_class, kept=(7, 0), counted=(6, 0))
    with database.writing() as session:
        session.exec(update(HoldRow).values(amounts={"vms": 1, "gpu": 6}))
    with database.reading() as session:
        assert {each.department for each in ledger.recount(session, START)} == {
            "bureau", "east", "city",
        }  # fmt: skip


@pytest.mark.guarantee("Q3")
def test_looking_writes_nothing_even_when_a_reservation_is_over(
    database: Database, ledger: SqlLedger
) -> None:
    with database.writing() as session:
        assert ledger.reserve(session, [demand("u", "bureau", 10)], START, LATER).granted
    with database.reading() as session:
        assert ledger.check(session, [demand("v", "school", 10)], LATER).granted
        assert all(line.reserved == 0 for line in ledger.lines(session, LATER))
        assert session.exec(select(func.count()).select_from(EntryRow)).one() == 1
    assert carried(database, ledger)["east"] == 10
    with database.writing() as session:
        assert ledger.reserve(session, [demand("v", "school", 10)], LATER, LATER).granted
        actions = session.exec(select(EntryRow.action).order_by(EntryRow.seq)).all()
        assert actions == ["reserve", "expire", "reserve"]
        ledger.allocate(session, ["u@1"], LATER)
    assert carried(database, ledger)["east"] == 20, "it exists, so it is charged, over quota"


def test_looking_does_not_wait_for_a_writer(database: Database, ledger: SqlLedger) -> None:
    with database.writing() as writer:
        assert ledger.reserve(writer, [demand("u", "bureau", 10)], START, LATER).granted
        with database.reading() as session:
            assert ledger.check(session, [demand("v", "school", 10)], START).granted
            assert ledger.recount(session, START) == []


def test_units_that_change_the_ledger_twice_do_not_block_each_other(
    database: Database, ledger: SqlLedger
) -> None:
    def turn(number: int) -> None:
        mine, other = ("bureau", "west") if number % 2 else ("west", "bureau")
        with database.writing() as session:
            for department in (mine, other):
                wanted = demand(f"u{number}{department}", department, 1)
                assert ledger.reserve(session, [wanted], START, LATER).granted
        with database.writing() as session:
            ledger.allocate(session, [f"u{number}{mine}@1"], START)
            ledger.release(session, [f"u{number}{other}"], START)
            ledger.void(session, [f"u{number}{mine}@1"], START)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(turn, range(12)))
    assert carried(database, ledger)["city"] == 12


@pytest.mark.guarantee("Q1")
@pytest.mark.guarantee("Q5")
def test_no_move_passes_the_new_parents_limit_unless_forced(
    database: Database, ledger: SqlLedger
) -> None:
    build(database, ledger, demand("u", "bureau", 6), demand("v", "west", 7))
    narrow, moved = [limit("west", 10)], {**TREE, "bureau": "west"}
    with database.writing() as session:
        assert ledger.revise(session, START, limits={"narrow": narrow}) == ()
        (refusal,) = ledger.revise(session, START, parents=moved)
    assert (refusal.obstacle, refusal.department) == (Obstacle.PARENT_EXCEEDED, "west")
    numbers = (refusal.limit, refusal.allocated, refusal.requested, refusal.available)
    assert numbers == (10, 7, 6, 3)
    assert carried(database, ledger)["west"] == 7
    with database.writing() as session:
        raised = {"narrow": [limit("west", 13)]}
        assert ledger.revise(session, START, parents=moved, limits=raised) == ()
        back = ledger.revise(session, START, parents=TREE, limits={"narrow": narrow})
        assert back == ()
        assert ledger.revise(session, START, parents=moved, force=True) == ()
        assert ledger.revise(session, START, parents=moved) == ()
        assert not ledger.check(session, [demand("w", "west", 1)], START).granted
    assert carried(database, ledger)["west"] == 13


@pytest.mark.guarantee("Q5")
def test_a_move_counts_as_a_promise_and_respects_what_siblings_keep(
    database: Database, ledger: SqlLedger
) -> None:
    build(database, ledger, demand("u", "bureau", 6))
    keeps = replace(limit("shelter", 5), lend=0)
    tree = {**TREE, "shelter": "west"}
    limits = {"w": [limit("west", 10), keeps]}
    with database.writing() as session:
        assert ledger.revise(session, START, parents=tree, limits=limits) == ()
        (refusal,) = ledger.revise(session, START, parents={**tree, "bureau": "west"})
        assert (refusal.obstacle, refusal.department) == (Obstacle.LENT_OUT, "west")
        assert (refusal.requested, refusal.available) == (6, 5)
        assert ledger.revise(session, START, limits={"b": [limit("bureau", 6)]}) == ()
        found = ledger.revise(session, START, parents={**tree, "bureau": "west"})
    assert [(each.obstacle, each.requested) for each in found] == [
        (Obstacle.LENT_OUT, 6),
        (Obstacle.OVERCOMMITTED, 11),
    ]


def test_lines_say_what_is_freed_once_all_is_built_or_gone(
    database: Database, ledger: SqlLedger
) -> None:
    build(database, ledger, demand("u", "bureau", 6), demand("v", "school", 3))
    with database.reading() as session:
        verdict = ledger.check(session, [demand("u", "bureau", 4, 2)], START, gone=["v"])
    shown = {
        line.department: (line.allocated, line.requested, line.freed)
        for line in verdict.lines
        if line.resource_class == "vms" and not line.cloud
    }
    assert shown == {"bureau": (6, 0, 2), "east": (9, 0, 5), "city": (9, 0, 5)}


def test_lines_tell_borrowing_and_classes_that_nobody_limits(
    database: Database, ledger: SqlLedger
) -> None:
    facts = [limit("city", 20), limit("east", 4), replace(limit("west", 4), borrow=3)]
    with database.writing() as session:
        assert ledger.revise(session, START, limits={"q": facts}) == ()
        (vms, gpu) = ledger.check(session, [demand("u", "bureau", 2)], START).lines[:2]
        lines = {line.department: line for line in ledger.lines(session, START)}
    assert (vms.limited, gpu.resource_class, gpu.limited) == (True, "gpu", False)
    assert (lines["west"].borrowable, lines["east"].borrowable) == (3, 0)


@pytest.mark.guarantee("Q1")
def test_a_move_and_reservations_at_once_pass_no_limit(
    database: Database, ledger: SqlLedger
) -> None:
    build(database, ledger, demand("u", "bureau", 6))
    with database.writing() as session:
        assert ledger.revise(session, START, limits={"w": [limit("west", 10)]}) == ()

    def move() -> bool:
        with database.writing() as session:
            return not SqlLedger().revise(session, START, parents={**TREE, "bureau": "west"})

    def take(number: int) -> bool:
        with database.writing() as session:
            asked = [demand(f"w{number}", "west", 1)]
            return SqlLedger().reserve(session, asked, START, LATER).granted

    with ThreadPoolExecutor(8) as pool:
        taken = [pool.submit(take, number) for number in range(5)]
        moved = pool.submit(move)
        taken += [pool.submit(take, number) for number in range(5, 12)]
        granted = sum(each.result() for each in taken)
    west = carried(database, ledger)["west"]
    assert west <= 10
    assert west == granted + 6 * moved.result()
    assert granted == (4 if moved.result() else 10)


@pytest.mark.guarantee("Q3")
def test_what_an_object_is_charged_is_the_larger_of_old_and_new(
    database: Database, ledger: SqlLedger
) -> None:
    """Class by class, in one cloud, and no longer than its change takes."""
    disks = [limit("city", 9, word) for word in ("disk.hdd", "disk.ssd")]
    with database.writing() as session:
        ledger.revise(session, START, limits={"disks": disks})
    build(database, ledger, replace(demand("a", "bureau", 1), amounts={"vms": 1, "disk.hdd": 3}))
    moving = replace(demand("a", "bureau", 1, 2), amounts={"vms": 1, "disk.ssd": 2})
    elsewhere = replace(demand("b", "bureau", 1), cloud="d")
    with database.writing() as session:
        assert ledger.reserve(session, [elsewhere], START, LATER).granted
        assert ledger.reserve(session, [moving], START, LATER).granted
        meanwhile = ledger.charged(session, "c", ["a", "b", "nobody"])
        ledger.allocate(session, [moving.key], START)
        after = ledger.charged(session, "c", ["a"])
    assert meanwhile == {"a": {"vms": 1, "disk.hdd": 3, "disk.ssd": 2}}
    assert after == {"a": {"vms": 1, "disk.ssd": 2}}
