"""Processes that use a ledger at the same time; run by `test_ledger_processes.py`, not a test.

`crowd` forks one process for each demand (JSON on standard input). Each opens the database for
itself, waits for the others, and asks for its demand. One line is printed for each: `granted`, or
the obstacles. `hold` reserves, says so, and waits to be killed: before or after its commit.
"""

import contextlib
import json
import os
import signal
import sys
from datetime import datetime, timedelta

from govcloud.ports.ledger import Demand, Verdict
from govcloud.store.engine import Database
from quotas.store import SqlLedger


def reserve(database: Database, ledger: SqlLedger, demand: Demand, at: datetime) -> Verdict:
    with database.writing() as session:
        return ledger.reserve(session, [demand], at, at + timedelta(hours=1))


def rehearse(database: Database, ledger: SqlLedger, demand: Demand, at: datetime) -> None:
    """Prepare all statements once, before there are many processes; leave nothing behind."""
    with contextlib.suppress(InterruptedError), database.writing() as session:
        ledger.reserve(session, [demand], at, at + timedelta(hours=1))
        raise InterruptedError
    database.close()


def ask(database: Database, ledger: SqlLedger, demand: Demand, at: datetime, gate: int) -> str:
    with database.reading() as session:
        ledger.lines(session, at, [])
    os.read(gate, 1)  # ends when the parent opens the gate for all at once
    verdict = reserve(database, ledger, demand, at)
    database.close()
    return "granted" if verdict.granted else ",".join(r.obstacle for r in verdict.refusals)


def crowd(url: str, at: datetime) -> None:
    demands = [Demand(**fields) for fields in json.load(sys.stdin)]
    database, ledger = Database(url), SqlLedger()
    rehearse(database, ledger, demands[0], at)
    gate, opener = os.pipe()
    answers, answer = os.pipe()
    for demand in demands:
        if os.fork() == 0:
            os.close(opener)
            status = 1
            try:
                os.write(answer, f"{ask(database, ledger, demand, at, gate)}\n".encode())
                status = 0
            finally:
                os._exit(status)
    os.close(answer)
    os.close(opener)
    with os.fdopen(answers) as lines:
        sys.stdout.write(lines.read())
    failed = sum(os.wait()[1] != 0 for _ in demands)
    sys.exit(failed)


def hold(url: str, at: datetime, committed: bool) -> None:
    demand = Demand(**json.load(sys.stdin))
    with Database(url).writing() as session:
        verdict = SqlLedger().reserve(session, [demand], at, at + timedelta(hours=1))
        if not committed:
            wait(verdict.granted)
    wait(verdict.granted)


def wait(granted: bool) -> None:
    print("granted" if granted else "refused", flush=True)
    signal.pause()


if __name__ == "__main__":
    mode, address, instant = sys.argv[1:]
    if mode == "crowd":
        crowd(address, datetime.fromisoformat(instant))
    else:
        hold(address, datetime.fromisoformat(instant), committed=mode == "hold-committed")
