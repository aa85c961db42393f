"""The audit chain on both databases: whatever is done to a record is found and located (F4)."""

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, text

from govcloud.domain.access import Actor, Role
from govcloud.errors import UsageError
from govcloud.store import audit
from govcloud.store.audit import Fault, Head, Tampering
from govcloud.store.engine import Database
from govcloud.store.unit import HASHED, Store

COUNT = 9
ACTOR = Actor("auditor-1", Role.AUDITOR, source="192.0.2.7")
OTHER: dict[str, object] = {
    "at": datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC),
    "actor": "somebody-else",
    "role": "applicant",
    "department": "elsewhere",
    "action": "nothing",
    "target": "VirtualMachine/other",
    "request_id": "REQ-1999-0001",
    "before": "b" * 64,
    "after": None,
    "outcome": "refused",
    "detail": '{"why": "changed"}',
    "previous_hash": "c" * 64,
    "hash": "d" * 64,
}


@pytest.fixture
def chain(store: Store) -> Store:
    """A chain of nine records, two of them in one unit."""
    for number in range(COUNT - 1):
        with store.unit(ACTOR) as unit:
            _record(unit.audit, number)
            if number == 4:
                _record(unit.audit, 100)
    return store


def _record(note: Callable[..., None], number: int) -> None:
    note(
        "object.create",
        f"VirtualMachine/网站-{number}",
        department="hrss",
        request_id="REQ-2026-0001",
        before=None,
        after="a" * 64,
        detail={"number": number, "text": "中文 “引号”", "share": 0.1},
    )


def verified(store: Store, known: Head | None = None) -> audit.Verification:
    with store.reading() as session:
        return audit.verify(session, known)


def tamper(database: Database, statement: str, **params: object) -> None:
    """Change the database as somebody would who may drop its triggers."""
    with database.engine.begin() as connection:
        drop_guard(connection)
        if not database.is_sqlite:
            statement = statement.replace(":detail", "CAST(:detail AS json)")
        elif isinstance(params.get("at"), datetime):
            params["at"] = "2001-02-03 04:05:06.000000"
        connection.execute(text(statement), params)


def drop_guard(connection: Connection) -> None:
    triggers = ("audit_no_update", "audit_no_delete")
    if connection.dialect.name == "sqlite":
        for trigger in triggers:
            connection.execute(text(f"DROP TRIGGER IF EXISTS {trigger}"))
    else:
        connection.execute(text("SET LOCAL session_replication_role = replica"))


@pytest.mark.guarantee("F4")
def test_an_untouched_chain_is_whole(chain: Store) -> None:
    found = verified(chain)
    assert found.ok
    assert found.checked == COUNT
    assert found.head is not None
    assert found.head.seq == COUNT
    assert verified(chain, found.head).ok


def test_an_empty_chain_is_whole(store: Store) -> None:
    assert verified(store).ok


@pytest.mark.guarantee("F4")
@pytest.mark.parametrize("column", [name for name in (*HASHED, "hash") if name != "seq"])
@pytest.mark.parametrize("seq", [1, 5, COUNT])
def test_an_altered_column_is_found_and_located(
    chain: Store, database: Database, column: str, seq: int
) -> None:
    params = {column: OTHER[column], "seq": seq}
    tamper(database, f"UPDATE audit SET {column} = :{column} WHERE seq = :seq", **params)
    assert verified(chain).faults == [Fault(seq, Tampering.ALTERED)]


@pytest.mark.guarantee("F4")
@pytest.mark.parametrize("seq", [1, 4, 8])
def test_a_removed_record_is_found_and_located(chain: Store, database: Database, seq: int) -> None:
    tamper(database, "DELETE FROM audit WHERE seq = :seq", seq=seq)
    assert verified(chain).faults == [Fault(seq, Tampering.REMOVED)]


@pytest.mark.guarantee("F4")
def test_several_removed_records_are_one_fault(chain: Store, database: Database) -> None:
    tamper(database, "DELETE FROM audit WHERE seq BETWEEN 3 AND 6")
    assert verified(chain).faults == [Fault(3, Tampering.REMOVED, 4)]


@pytest.mark.guarantee("F4")
@pytest.mark.parametrize("kept", [0, 5, COUNT - 1])
def test_a_truncated_tail_is_found(chain: Store, database: Database, kept: int) -> None:
    tamper(database, "DELETE FROM audit WHERE seq > :kept", kept=kept)
    assert verified(chain).faults == [Fault(kept + 1, Tampering.REMOVED, COUNT - kept)]


@pytest.mark.guarantee("F4")
@pytest.mark.parametrize("seq", [-3, 0, COUNT + 1])
def test_an_inserted_record_is_found_and_located(
    chain: Store, database: Database, seq: int
) -> None:
    tamper(database, _copy_of(5, seq))
    assert verified(chain).faults == [Fault(seq, Tampering.INSERTED)]


@pytest.mark.guarantee("F4")
def test_a_record_that_was_replaced_by_a_well_formed_one_breaks_the_link(
    chain: Store, database: Database
) -> None:
    with chain.reading() as session:
        rows = list(audit._records(session))
    forged = rows[4] | {"actor": "nobody"}
    from govcloud.store.unit import record_hash

    tamper(
        database,
        "UPDATE audit SET actor = 'nobody', hash = :hash WHERE seq = 5",
        hash=record_hash(forged),
    )
    assert verified(chain).faults == [Fault(6, Tampering.UNLINKED)]


@pytest.mark.guarantee("F4")
def test_exchanged_records_are_both_altered(chain: Store, database: Database) -> None:
    for old, new in ((3, 1000), (4, 3), (1000, 4)):
        tamper(database, f"UPDATE audit SET seq = {new} WHERE seq = {old}")
    faults = {(fault.seq, fault.what) for fault in verified(chain).faults}
    assert {(3, Tampering.ALTERED), (4, Tampering.ALTERED)} <= faults


@pytest.mark.guarantee("F4")
@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE chain SET hash = '0'", Fault(COUNT, Tampering.HEAD)),
        ("UPDATE chain SET seq = seq + 2", Fault(COUNT + 1, Tampering.REMOVED, 2)),
        ("UPDATE chain SET seq = seq - 1", Fault(COUNT, Tampering.INSERTED)),
        ("DELETE FROM chain", Fault(COUNT, Tampering.HEAD)),
    ],
)
def test_a_head_that_does_not_match_is_found(
    chain: Store, database: Database, statement: str, fault: Fault
) -> None:
    tamper(database, statement)
    assert fault in verified(chain).faults


@pytest.mark.guarantee("F4")
def test_a_chain_computed_anew_is_found_by_the_head_that_was_noted(
    chain: Store, database: Database
) -> None:
    noted = verified(chain).head
    assert noted is not None
    with chain.reading() as session:
        rows = list(audit._records(session))
    _rewrite(database, rows)
    assert verified(chain).ok, "a forgery of the whole chain is consistent in itself"
    found = verified(chain, noted)
    assert found.faults == [Fault(COUNT, Tampering.REWRITTEN)]


@pytest.mark.guarantee("F4")
def test_a_noted_head_may_be_shortened(chain: Store) -> None:
    noted = verified(chain).head
    assert noted is not None
    assert verified(chain, Head(noted.seq, noted.hash[:8])).ok
    other = "0" * 8 if noted.hash[0] != "0" else "f" * 8
    assert verified(chain, Head(noted.seq, other)).faults == [Fault(COUNT, Tampering.REWRITTEN)]


@pytest.mark.guarantee("F4")
def test_what_was_noted_and_is_no_more_is_missing(chain: Store, database: Database) -> None:
    """Also where the head of the chain was set back with it."""
    noted = Head(COUNT + 3, "a" * 64)
    assert verified(chain, noted).faults == [Fault(COUNT + 1, Tampering.REMOVED, 3)]
    tamper(database, "DELETE FROM audit WHERE seq > 5")
    assert verified(chain, Head(COUNT, "a" * 64)).faults == [Fault(6, Tampering.REMOVED, COUNT - 5)]


def _rewrite(database: Database, rows: list[dict[str, object]]) -> None:
    from govcloud.store.unit import GENESIS, record_hash

    previous = GENESIS
    for row in rows:
        forged = row | {"actor": "nobody", "previous_hash": previous}
        previous = record_hash(forged)
        tamper(
            database,
            "UPDATE audit SET actor = 'nobody', previous_hash = :p, hash = :h WHERE seq = :seq",
            p=forged["previous_hash"],
            h=previous,
            seq=row["seq"],
        )
    tamper(database, "UPDATE chain SET hash = :h", h=previous)


@pytest.mark.guarantee("F4")
@pytest.mark.parametrize("column", ["detail", "at", "actor"])
def test_what_no_record_can_hold_is_a_fault_and_no_crash(sqlite_url: str, column: str) -> None:
    # Only SQLite stores what does not fit a column's type.
    from govcloud.store.schema import create
    from govcloud.testing.clock import FixedClock

    database = Database(sqlite_url)
    create(database)
    store = Store(database, FixedClock())
    for number in range(3):
        with store.unit(ACTOR) as unit:
            _record(unit.audit, number)
    for value in ("'{no'", "x'ff'", "CAST(x'ff' AS TEXT)", "7"):
        tamper(database, f"UPDATE audit SET {column} = {value} WHERE seq = 2")
        assert verified(store).faults == [Fault(2, Tampering.ALTERED)], value
    database.close()


def test_faults_beyond_the_limit_are_left_out_and_said(store: Store) -> None:
    with store.unit(ACTOR) as unit:
        for number in range(audit.MAX_FAULTS + 5):
            _record(unit.audit, number)
    tamper(store.database, "UPDATE audit SET actor = 'x'")
    found = verified(store)
    assert len(found.faults) == audit.MAX_FAULTS
    assert found.more
    assert found.checked == audit.MAX_FAULTS + 5


def test_pages_of_the_log_are_complete_and_newest_first(chain: Store) -> None:
    seen: list[int] = []
    token = None
    while True:
        with chain.reading() as session:
            page = audit.list_records(session, limit=4, token=token)
        seen += [row.seq for row in page.items]
        token = page.next
        if token is None:
            break
    assert seen == list(range(COUNT, 0, -1))


def test_the_log_is_filtered_by_whole_words_and_by_beginnings(chain: Store) -> None:
    def count(**where: str) -> int:
        with chain.reading() as session:
            return len(audit.list_records(session, **where).items)

    assert count(actor="auditor-1") == COUNT
    with pytest.raises(UsageError):
        count(actor="auditor")
    assert count(action="object.*") == COUNT
    assert count(target="VirtualMachine/网站-3") == 1
    assert count(target="VirtualMachine/%*") == 0


def test_a_record_says_where_the_call_came_from(chain: Store) -> None:
    with chain.reading() as session:
        (row,) = audit.list_records(session, limit=1).items
    assert row.detail["source"] == "192.0.2.7"
    assert dataclasses.replace(ACTOR, source="") == ACTOR, "the address is no part of who it is"


def _copy_of(seq: int, to: int) -> str:
    columns = [name for name in (*HASHED, "hash") if name != "seq"]
    names = ", ".join(columns)
    return f"INSERT INTO audit (seq, {names}) SELECT {to}, {names} FROM audit WHERE seq = {seq}"
