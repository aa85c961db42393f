"""The controller on the simulated cloud: how its cost grows with the number of objects.

    python -m benchmarks.controller [--quick] [--sizes 1000,10000]

For each size: a comparison in which nothing changed (time, calls, rows written, memory), and a
queue in which all objects are new (when the first is ready, how fast they are built, how long one
more object waits behind all the others). Objects are inserted directly; each stage is a process of
its own, so that its peak memory is its own. Prints a Markdown table; the aims stand in
`docs/benchmarks.md`.
"""

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from sqlalchemy import event
from sqlmodel import insert

from govcloud.clock import SystemClock
from govcloud.domain.classes import add
from govcloud.domain.manifest import digest_of, parse_spec
from govcloud.plan.phases import Phase
from govcloud.ports.ledger import Demand
from govcloud.reconcile import desired
from govcloud.reconcile.desired import World
from govcloud.store import work
from govcloud.store.engine import Database
from govcloud.store.schema import create
from govcloud.store.tables import ObjectRow
from govcloud.store.unit import Store
from govcloud.testing.lab import ADMIN, CLOUD, DEPARTMENT, MACHINE, Lab
from govcloud.testing.meanwhile import FOREVER_S, running, wait_until

SIZES: Final = (1_000, 10_000, 100_000)
QUICK_SIZES: Final = (1_000, 5_000)
PER_SYSTEM: Final = 100
CHUNK: Final = 1_000
BUILD_S: Final = 20.0
"""How long the building of the big queue is watched."""
PASS_AIM_S: Final = 30.0
MEMORY_AIM_MIB: Final = 500
WAIT_AIM_S: Final = 2.0
CONTEXT: Final = multiprocessing.get_context("spawn")
Figures = dict[str, float]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; return 1 where an aim is missed, 0 otherwise."""
    parser = argparse.ArgumentParser(prog="benchmarks.controller")
    parser.add_argument("--quick", action="store_true", help="small sizes only")
    parser.add_argument("--sizes", help="sizes, separated by commas")
    options = parser.parse_args(argv)
    given = [int(size) for size in options.sizes.split(",")] if options.sizes else None
    sizes = given or (QUICK_SIZES if options.quick else SIZES)
    print(
        "| objects | pass, s | calls | rows written | memory, MiB | first ready, s |"
        " built a second | one more waits, s | memory, MiB |"
    )
    print("|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    missed = False
    for size in sizes:
        figures = measure(size)
        missed |= misses(figures)
        print(
            f"| {size:,} | {figures['pass_s']:.2f} | {figures['calls']:.0f} |"
            f" {figures['writes']:.0f} | {figures['pass_mib']:.0f} | {figures['first_s']:.2f} |"
            f" {figures['rate']:.0f} | {figures['wait_s']:.2f} | {figures['work_mib']:.0f} |",
            flush=True,
        )
    print(
        f"\nAims: a pass under {PASS_AIM_S:.0f} s and {MEMORY_AIM_MIB} MiB with 0 rows written,"
        f" one more object under {WAIT_AIM_S:.0f} s: {'missed' if missed else 'met'}."
    )
    return int(missed)


def misses(figures: Figures) -> bool:
    """Whether an aim is missed."""
    return (
        figures["pass_s"] > PASS_AIM_S
        or figures["pass_mib"] > MEMORY_AIM_MIB
        or figures["wait_s"] > WAIT_AIM_S
        or figures["writes"] > 0
    )


def measure(size: int) -> Figures:
    """Return the figures of one size."""
    with tempfile.TemporaryDirectory(prefix="govcloud-bench-") as name:
        quiet, busy = Path(name) / "quiet", Path(name) / "busy"
        figures: Figures = {}
        for stage, folder in ((settle, quiet), (compare, quiet), (fill, busy), (build, busy)):
            figures |= in_process(stage, folder, size)
        return figures


def in_process(stage: Callable[[Path, int], Figures], folder: Path, size: int) -> Figures:
    """Run a stage in a process of its own and return its figures."""
    folder.mkdir(exist_ok=True)
    answer = folder / "answer.json"
    process = CONTEXT.Process(target=run_stage, args=(stage, folder, size, answer))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{stage.__name__} failed")
    figures: Figures = json.loads(answer.read_text())
    return figures


def run_stage(stage: Callable[[Path, int], Figures], folder: Path, size: int, answer: Path) -> None:
    """Run a stage and leave its figures in a file."""
    answer.write_text(json.dumps(stage(folder, size)))


# --- Setting up ---


def open_lab(folder: Path) -> Lab:
    """Return the lab of a folder, empty at first."""
    database = Database(f"sqlite:///{folder / 'govcloud.db'}")
    new = not (folder / "govcloud.db").exists()
    if new:
        create(database)
    lab = Lab(
        Store(database, SystemClock()), folder, connection={"latency": "0.2", "pageSize": "1000"}
    )
    return lab.found(limits={"parallel": 8}) if new else lab


def insert_objects(lab: Lab, size: int, **columns: Any) -> Iterator[list[dict[str, Any]]]:
    """Insert machines, a hundred to a system, and yield their rows in chunks."""
    store = lab.store
    with store.unit(ADMIN) as unit:
        for number in range(-(-size // PER_SYSTEM)):
            lab.add_system(unit, f"s{number}")
    for start in range(0, size, CHUNK):
        rows = []
        now = store.clock.now()
        for number in range(start, min(size, start + CHUNK)):
            name, system = f"m{number}", f"s{number // PER_SYSTEM}"
            spec = parse_spec("VirtualMachine", {**MACHINE, "system": system}).plain()
            rows.append(
                {
                    "uid": uuid4().hex,
                    "kind": "VirtualMachine",
                    "department": DEPARTMENT,
                    "name": name,
                    "labels": {},
                    "annotations": {},
                    "spec": spec,
                    "digest": digest_of("VirtualMachine", {"name": name}, spec),
                    "generation": 1,
                    "version": 1,
                    "system": system,
                    "cloud": CLOUD,
                    "zone": "public",
                    "request_id": f"REQ-{number}",
                    "created_at": now,
                    "updated_at": now,
                    "message": "",
                    "reason": "",
                    "status": {},
                    "observed_generation": 0,
                    "ready": False,
                }
                | columns
            )
        with store.unit(ADMIN) as unit:
            unit.session.execute(insert(ObjectRow), rows)
        yield rows


def settle(folder: Path, size: int) -> Figures:
    """Set up: all objects stand as approved, and the cloud's quotas are set."""
    lab = open_lab(folder)
    settled = {
        "phase": Phase.ACTIVE.value,
        "ready": True,
        "progressing": False,
        "observed_generation": 1,
        "reason": "Ready",
        "status": {"built": 1},
    }
    for _ in insert_objects(lab, size, **settled):
        pass
    driver = lab.open()
    for page in desired.pages(lab.store, CLOUD, CHUNK):
        with lab.store.reading() as session:
            world = World.read(session, lab.store.clock.now().date())
            world.add_systems(session, page)
        orders = [world.order(wanted.approved) for wanted in page]
        driver.stock([resource for order in orders for resource in driver.resources(order)])
    lab.controller().pass_once(CLOUD)
    return {}


def fill(folder: Path, size: int) -> Figures:
    """Set up: all objects are approved and nothing is built."""
    lab = open_lab(folder)
    waiting = {"phase": Phase.PENDING.value, "progressing": True}
    for rows in insert_objects(lab, size, **waiting):
        with lab.store.unit(ADMIN) as unit:
            amounts = add({"vms": 1, "vcpu": 2}, {"memory": 4096, "disk.hdd": 50})
            demands = [
                Demand(f"{row['uid']}@1", row["uid"], DEPARTMENT, CLOUD, "public", amounts)
                for row in rows
            ]
            expires = unit.now.replace(year=unit.now.year + 1)
            assert lab.ledger.reserve(unit.session, demands, unit.now, expires).granted
            work.enqueue(unit.session, [(row["uid"], CLOUD, 1) for row in rows], unit.now)
    return {}


# --- Measuring ---


def compare(folder: Path, _size: int) -> Figures:
    """Measure a comparison in which nothing changed."""
    lab = open_lab(folder)
    writes = count_writes(lab)
    comparer = lab.controller().site(CLOUD).comparer
    began = time.perf_counter()
    found = comparer.run()
    seconds = time.perf_counter() - began
    assert (found.differing, found.enqueued, found.quotas_set) == (0, 0, 0), found
    return {
        "pass_s": seconds,
        "calls": sum(lab.calls().values()),
        "writes": len(writes),
        "pass_mib": peak_mib(),
    }


def build(folder: Path, size: int) -> Figures:
    """Measure how a full queue is worked off, and how long one more object waits."""
    lab = open_lab(folder)
    with running(lab.controller()):
        began = time.perf_counter()
        wait_until(lambda: lab.settled, FOREVER_S)
        first_s = time.perf_counter() - began
        wait_until(
            lambda: time.perf_counter() - began > BUILD_S or len(lab.settled) >= size, FOREVER_S
        )
        rate = len(lab.settled) / (time.perf_counter() - began)
        waits = [served_after(lab, f"one-more-{number}") for number in range(5)]
    return {"first_s": first_s, "rate": rate, "wait_s": max(waits), "work_mib": peak_mib()}


def served_after(lab: Lab, name: str) -> float:
    """Approve one more object and return the seconds until the cloud was asked for it."""
    uid = lab.approve(name, system="s0")
    began = time.perf_counter()
    wait_until(lambda: lab.row(uid).reason, FOREVER_S)  # type: ignore[union-attr]
    return time.perf_counter() - began


def count_writes(lab: Lab) -> list[str]:
    """Return a list that grows by each statement that writes."""
    writes: list[str] = []

    def note(*arguments: Any) -> None:
        statement = str(arguments[2])
        if statement.split(maxsplit=1)[0] in {"INSERT", "UPDATE", "DELETE"}:
            writes.append(statement)

    event.listen(lab.store.database.engine, "before_cursor_execute", note)
    return writes


def peak_mib() -> float:
    """Return this process's peak memory, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
