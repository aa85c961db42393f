"""How many reservations a second the quota ledger takes, and whether any is lost or oversold.

A city of three levels and 1,000 departments, with limits of six classes at every level. Each
reservation is a transaction of its own, of one virtual machine (six classes), for a department
drawn at random; departments run full on the way, so that some are refused. Processes of their own
ask all at once, on a fresh database for each run. Afterwards every granted reservation must be in
the books (lost), no level above its limit (oversold), and the recount of the entries must differ by
nothing. Beside it stands the same number of decisions in memory, to show the store's share.

    python benchmarks/ledger.py [--quick] [--format json]

PostgreSQL is started for the run without fsync, as in the tests; SQLite runs as the program runs it
(WAL, synchronous=NORMAL).
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from govcloud.ports.ledger import Demand, LimitFact, QuotaLine
from govcloud.store.engine import Database
from govcloud.store.schema import create
from govcloud.testing.postgres import PostgresServer, find_postgres
from quotas.ledger import holds as steps
from quotas.ledger.admission import Standing, weigh
from quotas.ledger.holds import NOTHING, Charge, add, change
from quotas.ledger.limits import Charter
from quotas.ledger.places import Cell, Tree
from quotas.store import SqlLedger

DISTRICTS: Final = 40
DEPARTMENTS: Final = 1000
MACHINE: Final = {
    "vms": 1,
    "vcpu": 8,
    "memory": 16384,
    "disk.ssd": 200,
    "volumes": 1,
    "floating-ips": 1,
}
AT: Final = datetime(2026, 7, 1, tzinfo=UTC)
EXPIRES: Final = AT + timedelta(hours=1)


@dataclass
class Result:
    """One row: a store, a number of processes, and what came of it."""

    store: str
    processes: int
    reservations: int
    per_second: float
    p50_ms: float
    p99_ms: float
    granted: int
    refused: int
    lost: int
    oversold: int
    recount_differences: int


def parents() -> dict[str, str | None]:
    tree: dict[str, str | None] = {"city": None}
    tree |= {f"district-{number}": "city" for number in range(DISTRICTS)}
    tree |= {f"dept-{n}": f"district-{n % DISTRICTS}" for n in range(DEPARTMENTS)}
    return tree


def limits(reservations: int) -> list[LimitFact]:
    """Departments may take half more than an even share; the city as much as is asked for."""
    share = max(1, round(1.5 * reservations / DEPARTMENTS))
    sizes = {"city": reservations, "district": share * DEPARTMENTS // DISTRICTS, "dept": share}
    fact = LimitFact("bench", "", "", "", "", 0, None, 0, False, 10.0, None, None)
    return [
        replace(fact, department=node, resource_class=word, limit=sizes[node.split("-")[0]] * each)
        for node in parents()
        for word, each in MACHINE.items()
    ]


def demands(worker: int, count: int) -> Iterator[Demand]:
    dice = random.Random(worker)
    for number in range(count):
        owner = f"w{worker}n{number}"
        department = f"dept-{dice.randrange(DEPARTMENTS)}"
        yield Demand(f"{owner}@1", owner, department, "cloud-1", "zone-1", MACHINE)


# --- The processes --------------------------------------------------------------------------------


def work(url: str, worker: int, count: int) -> None:
    """Reserve in one transaction after the other, after a line on standard input says so."""
    database, ledger = Database(url), SqlLedger()
    with database.reading() as session:
        ledger.check(session, list(demands(worker, 1)), AT)
    print("ready", flush=True)
    sys.stdin.readline()
    granted, taken = 0, []
    for demand in demands(worker, count):
        began = time.perf_counter()
        with database.writing() as session:
            granted += ledger.reserve(session, [demand], AT, EXPIRES).granted
        taken.append(time.perf_counter() - began)
    database.close()
    print(json.dumps({"granted": granted, "taken": taken}), flush=True)


def run(store: str, url: str, processes: int, reservations: int) -> Result:
    database, ledger = Database(url), SqlLedger()
    create(database)
    with database.writing() as session:
        ledger.revise(session, AT, parents=parents())
        ledger.revise(session, AT, limits={"bench": limits(reservations)}, force=True)
    each = reservations // processes
    elapsed, granted, taken = race(url, processes, each)
    with database.reading() as session:
        lines = ledger.lines(session, AT)
        differences = len(ledger.recount(session, AT))
    database.close()
    booked = sum(line.reserved for line in lines if _is_leaf(line))
    over = sum(max(0, line.reserved - line.limit) for line in lines if line.limit is not None)
    asked = each * processes
    return Result(
        store, processes, asked, asked / elapsed, _percentile(taken, 50), _percentile(taken, 99),
        granted, asked - granted, granted - booked, over, differences,
    )  # fmt: skip


def _is_leaf(line: QuotaLine | Cell) -> bool:
    leaf = line.department.startswith("dept-") and not line.cloud
    return leaf and line.resource_class == "vms"


def race(url: str, processes: int, each: int) -> tuple[float, int, list[float]]:
    """Return the seconds from the start to the last answer, what was granted, and each time."""
    command = [sys.executable, __file__, "--worker", url]
    workers = [
        subprocess.Popen(
            [*command, str(number), str(each)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(processes)
    ]
    for worker in workers:
        if _line(worker) != "ready\n":
            raise RuntimeError("a process did not start")
    began = time.perf_counter()
    for worker in workers:
        if worker.stdin is not None:
            worker.stdin.write("go\n")
            worker.stdin.flush()
    answers = [json.loads(_line(worker)) for worker in workers]
    elapsed = time.perf_counter() - began
    for worker in workers:
        worker.communicate()
    times = sorted(second for answer in answers for second in answer["taken"])
    return elapsed, sum(answer["granted"] for answer in answers), times


def _line(worker: "subprocess.Popen[str]") -> str:
    return worker.stdout.readline() if worker.stdout is not None else ""


def _percentile(ordered: Sequence[float], percent: int) -> float:
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] * 1000


# --- In memory ------------------------------------------------------------------------------------


def in_memory(reservations: int) -> Result:
    """Decide the same demands with the algebra alone, balances in a dictionary."""
    charter = Charter(Tree(parents()), limits(reservations))
    balances: dict[Cell, Charge] = {}
    granted, taken = 0, []
    began = time.perf_counter()
    for demand in demands(0, reservations):
        start = time.perf_counter()
        growth = change(steps.reserve({}, [demand], EXPIRES), charter.tree)
        near = {cell: balances.get(cell, NOTHING) for cell in growth}
        if not weigh(Standing(charter, AT, near), [demand], growth):
            granted += 1
            balances.update((cell, add(near[cell], by)) for cell, by in growth.items())
        taken.append(time.perf_counter() - start)
    elapsed = time.perf_counter() - began
    booked = sum(charge.reserved for cell, charge in balances.items() if _is_leaf(cell))
    over = sum(
        max(0, charge.reserved - cap.limit)
        for cell, charge in balances.items()
        if (cap := charter.cap(cell, AT)) is not None
    )
    taken.sort()
    return Result(
        "memory", 1, reservations, reservations / elapsed, _percentile(taken, 50),
        _percentile(taken, 99), granted, reservations - granted, granted - booked, over, 0,
    )  # fmt: skip


# --- The whole ------------------------------------------------------------------------------------


def measure(reservations: int, processes: Sequence[int]) -> Iterator[Result]:
    yield in_memory(reservations)
    with tempfile.TemporaryDirectory() as folder:
        for count in processes:
            yield run("sqlite", f"sqlite:///{folder}/{count}.db", count, reservations)
        if find_postgres() is None:
            print("no PostgreSQL server programs: not measured", file=sys.stderr)
            return
        with PostgresServer.start() as server:
            for count in processes:
                with server.database() as url:
                    yield run("postgresql", url, count, reservations)


HEADINGS: Final = (
    "store | processes | reservations | per second | p50 ms | p99 ms | granted | refused | lost | "
    "oversold | recount"
)


def shown(result: Result) -> str:
    values = asdict(result).values()
    return " | ".join(
        f"{value:.1f}" if isinstance(value, float) else str(value) for value in values
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Print a table, or JSON lines; exit 1 if anything was lost or oversold."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == ["--worker"]:
        work(arguments[1], int(arguments[2]), int(arguments[3]))
        return 0
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="400 reservations instead of 4000")
    parser.add_argument("--reservations", type=int)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 8])
    parser.add_argument("--format", choices=("markdown", "json"), default="markdown")
    options = parser.parse_args(arguments)
    reservations = options.reservations or (400 if options.quick else 4000)
    if options.format == "markdown":
        print(f"| {HEADINGS} |\n|{'---|' * 11}")
    sound = True
    for result in measure(reservations, options.processes):
        sound = sound and not (result.lost or result.oversold or result.recount_differences)
        row = shown(result)
        print(
            f"| {row} |" if options.format == "markdown" else json.dumps(asdict(result)), flush=True
        )
    return 0 if sound else 1


if __name__ == "__main__":
    sys.exit(main())
