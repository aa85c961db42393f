"""The ledger under real processes at the same time, and under SIGKILL."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from govcloud.ports.ledger import Demand, LimitFact
from govcloud.store.engine import Database
from govcloud.testing.clock import START
from quotas.store import SqlLedger

CROWD = Path(__file__).with_name("ledger_crowd.py")
LATER = START + timedelta(hours=1)


def limit(department: str, amount: int) -> LimitFact:
    return LimitFact("q", department, "", "", "vms", amount, None, 0, False, 9.0, None, None)


def demand(number: int, department: str, amount: int = 1) -> Demand:
    return Demand(f"u{number}@1", f"u{number}", department, "c", "z", {"vms": amount})


def prepare(database: Database, departments: int, limits: Sequence[LimitFact]) -> SqlLedger:
    ledger = SqlLedger()
    parents: dict[str, str | None] = {"city": None}
    parents |= {f"d{number}": "city" for number in range(departments)}
    with database.writing() as session:
        ledger.revise(session, START, parents=parents)
        assert ledger.revise(session, START, limits={"q": limits}) == ()
    return ledger


def crowd(database: Database, demands: Sequence[Demand]) -> Counter[str]:
    run = subprocess.run(
        [sys.executable, str(CROWD), "crowd", database.url, START.isoformat()],
        input=json.dumps([asdict(each) for each in demands]),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return Counter(run.stdout.split())


def used(database: Database, ledger: SqlLedger, at: datetime = START) -> dict[str, int]:
    """Return what each department carries; a recount must differ by nothing."""
    with database.reading() as session:
        assert ledger.recount(session, at) == []
        lines = ledger.lines(session, at)
    assert all(line.limit is None or line.allocated + line.reserved <= line.limit for line in lines)
    general = [line for line in lines if not line.cloud]
    return {line.department: line.allocated + line.reserved for line in general}


@pytest.mark.guarantee("Q1")
def test_of_50_requests_at_once_exactly_10_fit_a_limit_of_10(database: Database) -> None:
    ledger = prepare(database, 1, [limit("d0", 10)])
    answers = crowd(database, [demand(number, "d0") for number in range(50)])
    assert answers == {"granted": 10, "LimitExceeded": 40}
    assert used(database, ledger) == {"city": 10, "d0": 10}


@pytest.mark.guarantee("Q1")
def test_departments_at_once_never_pass_their_parent(database: Database) -> None:
    ledger = prepare(database, 10, [limit("city", 7), *(limit(f"d{n}", 2) for n in range(10))])
    answers = crowd(database, [demand(number, f"d{number}") for number in range(10)])
    assert answers == {"granted": 7, "ParentExceeded": 3}
    assert used(database, ledger)["city"] == 7


@pytest.mark.guarantee("Q1")
def test_departments_with_room_of_their_own_do_not_refuse_each_other(database: Database) -> None:
    ledger = prepare(database, 10, [limit(f"d{number}", 1) for number in range(10)])
    answers = crowd(database, [demand(number, f"d{number}") for number in range(10)])
    assert answers == {"granted": 10}
    assert used(database, ledger)["city"] == 10


@pytest.mark.guarantee("Q1")
def test_the_same_key_at_once_is_charged_once(database: Database) -> None:
    ledger = prepare(database, 1, [limit("d0", 10)])
    answers = crowd(database, [demand(1, "d0", 3)] * 6)
    assert answers == {"granted": 6}
    assert used(database, ledger) == {"city": 3, "d0": 3}


def kill_while_holding(database: Database, mode: str, wanted: Demand) -> None:
    command = [sys.executable, str(CROWD), mode, database.url, START.isoformat()]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        json.dump(asdict(wanted), process.stdin)
        process.stdin.close()
        assert process.stdout.readline() == "granted\n"
        process.kill()


@pytest.mark.guarantee("Q1")
@pytest.mark.guarantee("Q3")
def test_a_process_killed_before_its_commit_leaves_nothing(database: Database) -> None:
    ledger = prepare(database, 1, [limit("d0", 4)])
    kill_while_holding(database, "hold", demand(1, "d0", 4))
    with database.writing() as session:  # waits until the database has noticed
        assert ledger.reserve(session, [demand(2, "d0", 4)], START, LATER).granted
    assert used(database, ledger) == {"city": 4, "d0": 4}


@pytest.mark.guarantee("Q3")
def test_a_process_killed_after_its_commit_leaves_nothing_beyond_the_time_to_live(
    database: Database,
) -> None:
    ledger = prepare(database, 1, [limit("d0", 4)])
    kill_while_holding(database, "hold-committed", demand(1, "d0", 4))
    assert used(database, ledger) == {"city": 4, "d0": 4}
    just_before = LATER - timedelta(microseconds=1)
    with database.reading() as session:
        assert not ledger.check(session, [demand(2, "d0")], just_before).granted
        assert ledger.check(session, [demand(2, "d0")], LATER).granted
    assert used(database, ledger, LATER)["d0"] == 0
    with database.writing() as session:
        later = LATER + timedelta(hours=1)
        assert ledger.reserve(session, [demand(2, "d0", 4)], LATER, later).granted
    assert used(database, ledger, LATER) == {"city": 4, "d0": 4}
