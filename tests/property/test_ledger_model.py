"""The ledger against a shadow model: brute force, written from the rule, sharing no code with it.

Hypothesis plays reservations, renewals, allocations, releases, voids, time, resizes, moves, limits,
grants and reorganisations; after every step the ledger's lines must be what the model computes from
scratch, and a recount of the entries must differ by nothing.
"""

import os
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlmodel import delete

from govcloud.ports.ledger import Demand, LimitFact, Obstacle
from govcloud.store.engine import Database
from govcloud.testing.shadow import Shadow
from quotas.store import SqlLedger
from quotas.tables import BalanceRow, EntryRow, HeadRow, HoldRow, LimitRow, NodeRow

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
NODES = ("city", "east", "west", "bureau", "school", "park")
TREE = {"city": None, "east": "city", "west": "city", "bureau": "east", "school": "east"}
PLACES = (("c1", "z1"), ("c1", "z2"), ("c2", "z1"))
SCOPES = (("", ""), ("c1", ""), ("c2", ""), *PLACES)
WORDS = ("vms", "disk.ssd")
OWNERS = ("u1", "u2", "u3", "u4")


amounts = st.dictionaries(
    st.sampled_from(("vms", "vms", "vms", "disk.ssd")), st.integers(0, 4), min_size=1
)


@st.composite
def limit_facts(draw: st.DrawFn) -> LimitFact:
    cloud, zone = draw(st.sampled_from((("", ""), ("", ""), ("", ""), ("c1", ""), ("c1", "z1"))))
    grant = draw(st.integers(0, 5)) == 5
    begin, length = draw(st.integers(0, 4)), draw(st.integers(1, 12))
    dated = grant or draw(st.integers(0, 4)) == 4
    return LimitFact(
        source="",
        department=draw(st.sampled_from(NODES)),
        cloud=cloud,
        zone=zone,
        resource_class=draw(st.sampled_from(("vms", "vms", "vms", "disk.ssd"))),
        limit=draw(st.integers(2, 12)),
        lend=draw(st.sampled_from((None, None, 0, 1, 3))),
        borrow=draw(st.sampled_from((0, 0, 2, 5))),
        grant=grant,
        overcommit=draw(st.sampled_from((1.0, 1.0, 1.5, 3.0))),
        valid_from=BEGIN + timedelta(hours=begin) if dated else None,
        valid_until=BEGIN + timedelta(hours=begin + length) if dated else None,
    )


class LedgerMachine(RuleBasedStateMachine):
    """Plays the ledger and the shadow side by side."""

    database: Database

    def __init__(self) -> None:
        super().__init__()
        with self.database.writing() as session:
            for table in (BalanceRow, HoldRow, EntryRow, LimitRow, NodeRow, HeadRow):
                session.exec(delete(table))
        self.ledger = SqlLedger()
        self.shadow = Shadow(TREE)
        self.now = BEGIN
        self.generations = dict.fromkeys(OWNERS, 0)
        first = [
            LimitFact("s0", "city", "", "", word, 12, None, 0, False, 3.0, None, None)
            for word in WORDS
        ]
        with self.database.writing() as session:
            self.ledger.revise(session, self.now, parents=TREE)
            self.ledger.revise(session, self.now, limits={"s0": first}, force=True)
        self.shadow.limits["s0"] = first

    @initialize(facts=st.lists(limit_facts(), min_size=4, max_size=12))
    def begin_with_limits(self, facts: list[LimitFact]) -> None:
        self.set_some_limits("s1", facts, force=True)

    @rule(data=st.data(), hours=st.integers(1, 6))
    def reserve(self, data: st.DataObject, hours: int) -> None:
        for _ in range(3):
            self.ask(data, hours)

    @rule(data=st.data(), hours=st.integers(4, 9))
    def reserve_for_long(self, data: st.DataObject, hours: int) -> None:
        self.ask(data, hours)

    @rule(data=st.data())
    def reserve_and_allocate(self, data: st.DataObject) -> None:
        self.build([demand.key for demand in self.ask(data, 2)])

    def ask(self, data: st.DataObject, hours: int) -> list[Demand]:
        demands = []
        for _ in range(data.draw(st.sampled_from((1, 1, 2, 3)))):
            owner = data.draw(st.sampled_from(OWNERS))
            again = self.generations[owner] and data.draw(st.integers(0, 4)) == 0
            if not again:
                self.generations[owner] += 1
            cloud, zone = data.draw(st.sampled_from(PLACES))
            demands.append(
                Demand(
                    key=f"{owner}@{self.generations[owner]}",
                    owner=owner,
                    department=data.draw(st.sampled_from(NODES[1:])),
                    cloud=cloud,
                    zone=zone,
                    amounts=data.draw(amounts),
                )
            )
        before = self.totals()
        wanted = self.shadow.refused(demands, self.now)
        expires = self.now + timedelta(hours=hours)
        with self.database.reading() as session:
            foreseen = self.ledger.check(session, demands, self.now)
        with self.database.writing() as session:
            verdict = self.ledger.reserve(session, demands, self.now, expires)
        assert foreseen == verdict
        named = {
            ((r.department, r.cloud, r.zone, r.resource_class), r.obstacle is Obstacle.NO_QUOTA)
            for r in verdict.refusals
        }
        assert named == wanted
        assert verdict.granted == (not wanted)
        self.shadow.reserve(demands if verdict.granted else [], expires, self.now)
        for refusal in verdict.refusals:
            event(refusal.obstacle.value)
        if not verdict.granted:
            return []
        event("granted")
        self.assert_no_oversell(before)
        return demands

    @rule(data=st.data(), hours=st.integers(1, 9))
    def renew(self, data: st.DataObject, hours: int) -> None:
        keys, until = self.some_keys(data), self.now + timedelta(hours=hours)
        with self.database.writing() as session:
            self.ledger.renew(session, keys, until)
        self.shadow.renew(keys, until)

    @rule(data=st.data())
    def allocate(self, data: st.DataObject) -> None:
        self.build(self.some_keys(data))

    def build(self, keys: list[str]) -> None:
        with self.database.writing() as session:
            self.ledger.allocate(session, keys, self.now)
        self.shadow.allocate(keys)

    @rule(data=st.data())
    def void(self, data: st.DataObject) -> None:
        keys = self.some_keys(data)
        with self.database.writing() as session:
            self.ledger.void(session, keys, self.now)
        self.shadow.void(keys)

    @rule(owners=st.sets(st.sampled_from(OWNERS), min_size=1, max_size=2))
    def release(self, owners: set[str]) -> None:
        with self.database.writing() as session:
            self.ledger.release(session, sorted(owners), self.now)
        self.shadow.release(owners)

    @rule(hours=st.integers(1, 4))
    def pass_time(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule(
        source=st.sampled_from(("s2", "s3")),
        facts=st.lists(limit_facts(), max_size=6),
        force=st.booleans(),
    )
    def set_limits(self, source: str, facts: list[LimitFact], force: bool) -> None:
        self.set_some_limits(source, facts, force)

    def set_some_limits(self, source: str, facts: list[LimitFact], force: bool) -> None:
        before = {cell: self.room(cell) for cell in self.all_cells()}
        with self.database.writing() as session:
            refusals = self.ledger.revise(session, self.now, limits={source: facts}, force=force)
        if refusals:
            assert not force
            return
        self.shadow.limits[source] = list(facts)
        if not force:
            touched = {(f.department, f.cloud, f.zone, f.resource_class) for f in facts}
            for cell in touched:
                room, used = self.room(cell), self.shadow.total(cell, self.now)
                assert room is None or used <= room or room >= (before[cell] or 0)

    @rule(data=st.data(), force=st.booleans())
    def reorganise(self, data: st.DataObject, force: bool) -> None:
        parents: dict[str, str | None] = {"city": None}
        for node in data.draw(st.permutations(NODES[1:])):
            if data.draw(st.integers(0, 5)):
                parents[node] = data.draw(st.sampled_from(sorted(parents)))
        with self.database.writing() as session:
            refusals = self.ledger.revise(session, self.now, parents=parents, force=force)
        event("reorganised" if not refusals else refusals[0].obstacle.value)
        before = {cell: self.beyond(cell) for cell in self.all_cells()}
        kept, self.shadow.parents = self.shadow.parents, parents
        worse = {
            cell
            for cell in self.all_cells()
            if (beyond := self.beyond(cell)) > 0 and beyond > before[cell]
        }
        named = {
            (r.department, r.cloud, r.zone, r.resource_class)
            for r in refusals
            if r.obstacle in (Obstacle.PARENT_EXCEEDED, Obstacle.BELOW_USAGE)
        }
        assert force or named == worse
        if refusals:
            assert not force
            self.shadow.parents = kept

    def beyond(self, cell: tuple[str, str, str, str]) -> float:
        """How much more than it may a cell carries; minus infinity where nothing limits it."""
        room = self.room(cell)
        return float("-inf") if room is None else self.shadow.total(cell, self.now) - room

    @precondition(lambda self: self.shadow.records)
    @rule()
    def restart(self) -> None:
        """A process that starts anew knows what the database knows."""
        self.ledger = SqlLedger()

    @rule(data=st.data())
    def roll_back(self, data: st.DataObject) -> None:
        """A transaction that fails leaves nothing, in the database or in memory."""
        keys = self.some_keys(data)
        with pytest.raises(KeyboardInterrupt):
            self.fail_half_way(keys)

    def fail_half_way(self, keys: list[str]) -> None:
        with self.database.writing() as session:
            self.ledger.revise(session, self.now, parents={"city": None})
            self.ledger.revise(session, self.now, limits={"s0": []}, force=True)
            self.ledger.allocate(session, keys, self.now)
            raise KeyboardInterrupt

    @invariant()
    def lines_are_what_the_shadow_says(self) -> None:
        with self.database.reading() as session:
            lines = self.ledger.lines(session, self.now)
            assert self.ledger.recount(session, self.now) == []
        cells = [(line.department, line.cloud, line.zone, line.resource_class) for line in lines]
        assert len(cells) == len(set(cells))
        charged = {
            cell: used
            for cell in self.all_cells()
            if (used := self.shadow.used(cell, self.now)) != (0, 0)
        }
        seen = {
            cell: (line.allocated, line.reserved) for cell, line in zip(cells, lines, strict=True)
        }
        assert {cell: value for cell, value in seen.items() if value != (0, 0)} == charged
        limited = {cell: line.limit for cell, line in zip(cells, lines, strict=True)}
        for cell in self.all_cells():
            assert limited.get(cell) == self.shadow.limit(cell, self.now)

    def some_keys(self, data: st.DataObject) -> list[str]:
        known = sorted(self.shadow.records) or ["nobody@1"]
        return data.draw(st.lists(st.sampled_from([*known, "nobody@1"]), max_size=3, unique=True))

    def all_cells(self) -> list[tuple[str, str, str, str]]:
        return [(node, *scope, word) for node in NODES for scope in SCOPES for word in WORDS]

    def totals(self) -> dict[tuple[str, str, str, str], int]:
        return {cell: self.shadow.total(cell, self.now) for cell in self.all_cells()}

    def room(self, cell: tuple[str, str, str, str]) -> int | None:
        limit = self.shadow.limit(cell, self.now)
        return None if limit is None else limit + self.shadow.borrow(cell, self.now)

    def assert_no_oversell(self, before: dict[tuple[str, str, str, str], int]) -> None:
        """Q1 in its plainest form: what was granted passes no limit anywhere."""
        for cell, total in self.totals().items():
            room = self.room(cell)
            assert total <= before[cell] or room is None or total <= room, cell


@pytest.mark.guarantee("Q1")
@pytest.mark.guarantee("Q2")
@pytest.mark.guarantee("Q6")
def test_the_ledger_does_what_the_shadow_model_does(database: Database) -> None:
    machine = type("Machine", (LedgerMachine,), {"database": database})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=int(
                os.environ.get("GOVCLOUD_TEST_EXAMPLES") or (25 if database.is_sqlite else 8)
            ),
            stateful_step_count=25,
            deadline=None,
            derandomize="GOVCLOUD_TEST_EXAMPLES" not in os.environ,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
