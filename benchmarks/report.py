"""The on-cloud rate as of a past day, over a province and over a million systems.

    python -m benchmarks.report [--quick] [--sizes 7300,1000000] [--postgresql] [--processes 1]

The register is written in bulk: each request brings a department's systems with their machines
(first pending, then active) or their legacy hosts and migrations; a tenth of the machines changes
again after the cut-off. Each report is made in a process of its own, so that its peak memory is
its own. The first run of a process is measured, imports not counted. Beside it stands the floor of
the same run: the driver alone reading the same facts once, from the first to the last, in a process
of its own as well. The ratio of the two says more than seconds on a machine that others share; so
does the CPU, of all processes that count together and of the one that puts together alone.
Prints a Markdown table.
"""

import argparse
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import text
from sqlmodel import insert

from govcloud.domain.kinds.registry import KINDS
from govcloud.store.counted import counted
from govcloud.store.engine import Database
from govcloud.store.schema import create
from govcloud.store.tables import FactRow
from govcloud.store.unit import Store
from govcloud.testing.clock import FixedClock
from govcloud.testing.postgres import PostgresServer, find_postgres

SIZES: Final = ((100, 7_300), (1_000, 1_000_000))
"""Departments and systems: a province, and far more than any."""
QUICK_SIZES: Final = ((100, 7_300), (100, 50_000))
AIMS_S: Final = {7_300: 1.0, 1_000_000: 20.0}
BATCH: Final = 20
"""Systems in a request."""
CHUNK: Final = 5_000
START: Final = datetime(2026, 1, 1, tzinfo=UTC)
SPAN: Final = timedelta(days=178)
"""The register fills from January to the 28th of June; the cut-off is the 30th."""
CUT_OFF: Final = "2026-06-30"
NOW: Final = datetime(2026, 9, 1, tzinfo=UTC)
CONTEXT: Final = multiprocessing.get_context("spawn")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; return 1 where an aim is missed, 0 otherwise."""
    parser = argparse.ArgumentParser(prog="benchmarks.report")
    parser.add_argument("--quick", action="store_true", help="small sizes only")
    parser.add_argument("--sizes", help="numbers of systems, separated by commas")
    parser.add_argument("--postgresql", action="store_true", help="on PostgreSQL as well")
    parser.add_argument("--processes", type=int, help="at most so many count; else one a core")
    options = parser.parse_args(argv)
    sizes: Sequence[tuple[int, int]] = QUICK_SIZES if options.quick else SIZES
    if options.sizes:
        sizes = [(max(1, min(1_000, int(n) // 73)), int(n)) for n in options.sizes.split(",")]
    print(
        "| database | departments | systems | facts | wall, s | CPU, s | of it here, s | floor, s |"
        " ratio | memory, MiB | load | rate, % |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    missed = False
    for database in ("sqlite", *(("postgresql",) if options.postgresql else ())):
        for departments, systems in sizes:
            figures = measure(database, departments, systems, options.processes)
            missed |= figures["seconds"] > AIMS_S.get(systems, float("inf"))
            print(
                f"| {database} | {departments:,} | {systems:,} | {figures['facts']:,} |"
                f" {figures['seconds']:.2f} | {figures['cpu']:.2f} | {figures['here']:.2f} |"
                f" {figures['floor']:.2f} | {figures['seconds'] / figures['floor']:.1f} |"
                f" {figures['mib']:.0f} | {figures['load']:.1f} | {figures['rate']} |",
                flush=True,
            )
    aims = ", ".join(f"{size:,} systems under {aim:g} s" for size, aim in AIMS_S.items())
    print(f"\nAims: {aims}: {'missed' if missed else 'met'}.")
    return int(missed)


def measure(
    database: str, departments: int, systems: int, processes: int | None = None
) -> dict[str, Any]:
    """Return the figures of one size on one database."""
    with (
        tempfile.TemporaryDirectory(prefix="govcloud-bench-") as name,
        database_url(database, Path(name)) as url,
    ):
        facts = fill(url, departments, systems)
        floor = _apart(read_all, url, Path(name))
        return _apart(partial(report, processes), url, Path(name)) | floor | {"facts": facts}


def _apart(work: Callable[[str, Path], None], url: str, folder: Path) -> dict[str, Any]:
    """Do work in a process of its own; return the figures that it left."""
    answer = folder / "answer.json"
    process = CONTEXT.Process(target=work, args=(url, answer))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{work} failed")
    figures: dict[str, Any] = json.loads(answer.read_text())
    return figures


def read_all(url: str, answer: Path) -> None:
    """Read all facts with nothing but the driver, and leave what it took in a file."""
    database = Database(url)
    with database.reading() as session:
        driver = session.connection().connection.driver_connection
        assert driver is not None
        named = {} if database.is_sqlite else {"name": "floor"}  # else it takes all rows at once
        cursor = driver.cursor(**named)
        began = time.perf_counter()
        cursor.execute("SELECT * FROM facts ORDER BY seq")
        while cursor.fetchmany(CHUNK):
            pass
        seconds = time.perf_counter() - began
        cursor.close()
    database.close()
    answer.write_text(json.dumps({"floor": seconds}))


@contextmanager
def database_url(database: str, folder: Path) -> Iterator[str]:
    """Give the URL of a fresh database."""
    if database == "sqlite":
        yield f"sqlite:///{folder / 'bench.db'}"
        return
    if find_postgres() is None:
        raise SystemExit("no PostgreSQL server programs")
    with PostgresServer.start() as server, server.database() as url:
        yield url


def report(processes: int | None, url: str, answer: Path) -> None:
    """Make the report and leave what it took in a file."""
    from govcloud.reports.counting import Spread
    from govcloud.reports.on_cloud import Options, make
    from govcloud.reports.write import render

    database = Database(url)
    store = Store(database, FixedClock(NOW))
    options = Options(spread=Spread(processes))
    with peak_mib() as peak:
        began, began_cpu = time.perf_counter(), time.process_time()
        made = make(store, CUT_OFF, options=options)
        render(made, "json", "zh")
        seconds, here = time.perf_counter() - began, time.process_time() - began_cpu
    database.close()
    others = resource.getrusage(resource.RUSAGE_CHILDREN)
    figures = {
        "seconds": seconds,
        "here": here,
        "cpu": here + others.ru_utime + others.ru_stime,
        "mib": peak[0],
        "load": os.getloadavg()[0],
        "rate": str(made.total.tally.rate),
    }
    answer.write_text(json.dumps(figures))


@contextmanager
def peak_mib() -> Iterator[list[float]]:
    """Give the most memory that this process and those it started held together meanwhile, MiB.

    Looked at ten times a second, and without the mapped file, which is the system's cache.
    """
    peak, done = [0.0], threading.Event()

    def watch() -> None:
        last = False
        while not last:
            last = done.wait(0.1)
            children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text("ascii")
            peak[0] = max(peak[0], sum(map(_private_mib, ["self", *children.split()])))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def _private_mib(pid: str) -> float:
    with suppress(OSError):  # it has just ended
        for line in Path(f"/proc/{pid}/status").read_text("ascii").splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) / 1024
    return 0.0


def fill(url: str, departments: int, systems: int) -> int:
    """Write the register; return the number of facts."""
    database = Database(url)
    create(database)
    indexes = FactRow.__table__.indexes  # type: ignore[attr-defined]
    for index in indexes:
        index.drop(database.engine)
    facts, written = register(departments, systems), 0
    while chunk := list(islice(facts, CHUNK)):
        with database.writing() as session:
            # With empty fields written out, all rows are alike and go in by one statement.
            session.execute(insert(FactRow), chunk, execution_options={"render_nulls": True})
        written += len(chunk)
    for index in indexes:
        index.create(database.engine)
    if not database.is_sqlite:
        with database.writing() as session:
            session.execute(text("ANALYZE facts"))  # as its server does by itself, in time
    database.close()
    os.sync()  # what is still to be written to the disk would be written while it is measured
    return written


def register(departments: int, systems: int) -> Iterator[dict[str, Any]]:
    """Yield the facts in the order of their instants."""
    yield from platform(departments)
    machines: list[dict[str, Any]] = []
    requests = max(1, systems // BATCH)
    for number in range(0, systems, BATCH):
        at = START + SPAN * (number // BATCH) / requests
        department = f"dept-{(number // BATCH) % departments:04d}"
        for system in range(number, min(number + BATCH, systems)):
            for entry in of_system(department, system, at):
                if entry["kind"] == "VirtualMachine" and system % 10 == 0:
                    machines.append(entry)
                yield entry
    for entry in machines:
        # What changes after the cut-off, and must not show in it.
        yield entry | {"recorded_at": NOW - timedelta(days=30), "phase": "releasing"}


def platform(departments: int) -> Iterator[dict[str, Any]]:
    """Yield the catalogue and the organisation."""
    yield fact("Department", "", "city", {"level": "city"})
    for number in range(departments):
        yield fact("Department", "", f"dept-{number:04d}", DEPARTMENT)
    yield fact("Cloud", "", "gov", {"provider": "simulated"})
    yield fact("Zone", "", "z", {"cloud": "gov", "type": "extranet-public", "mlpsLevel": 3})
    yield fact("Flavor", "", "4c8g", {"vcpu": 4, "memory": "8Gi"})


DEPARTMENT: Final = {"level": "department", "parent": "city"}


def of_system(department: str, number: int, at: datetime) -> Iterator[dict[str, Any]]:
    """Yield the facts of one system: eight of ten are built on the cloud, two are legacy."""
    name = f"sys-{number:07d}"
    legacy = number % 5 == 4
    spec = {
        "code": f"GS-{number:07d}",
        "origin": "legacy" if legacy else "cloud",
        "security": {"classified": number % 100 == 7, "mlpsLevel": 3},
    }
    yield fact("System", department, name, spec, at)
    if legacy:
        host = {"room": "room", "system": name, "vcpu": 8}
        yield fact("LegacyHost", department, f"host-{number:07d}", host, at)
        if number % 10 == 9:
            plan = {"department": department, "system": name, "state": "trial"}
            yield fact("MigrationPlan", "", f"plan-{number:07d}", plan, at)
        return
    machine = fact("VirtualMachine", department, f"vm-{number:07d}", MACHINE | {"system": name}, at)
    yield machine | {"phase": "pending"}
    yield machine
    if number % 50 == 1:
        exemption = EXEMPTION | {"department": department, "system": name}
        yield fact("Exemption", "", f"ex-{number:07d}", exemption, at)


MACHINE: Final = {"zone": "z", "flavor": "4c8g", "image": "kylin", "count": 3}
EXEMPTION: Final = {
    "reason": "vertical",
    "approvedBy": "lead authority",
    "approvedOn": "2026-01-01",
    "validFrom": "2026-01-01",
    "validUntil": "2026-12-31",
}


def fact(
    kind: str, department: str, name: str, spec: dict[str, Any], at: datetime = START
) -> dict[str, Any]:
    """Return the row of a fact; the spec is given the defaults of its kind, once a kind."""
    whole = full(kind, spec)
    return {
        "recorded_at": at,
        "uid": uuid4().hex,
        "kind": kind,
        "department": department,
        "name": name,
        "display_name": name,
        "generation": 1,
        "phase": "active",
        "spec": whole,
        **counted(whole),
        "request_id": "REQ-2026-0001",
    }


_DEFAULTS: Final[dict[tuple[str, str], dict[str, Any]]] = {}


def full(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    """Return a spec with all defaults, as it is stored."""
    key = (kind, str(spec.get("origin")))
    if key not in _DEFAULTS:
        _DEFAULTS[key] = KINDS[kind].spec.model_validate(spec).plain()
    return _DEFAULTS[key] | spec


if __name__ == "__main__":
    sys.exit(main())
