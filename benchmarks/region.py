"""A real OpenStack: how long machines take from approval to ready, and what looking at them costs.

    python benchmarks/region.py [--machines 40] [--others 5] [--servers 40,200,1000] [--idle 120]
                                [--only building|looking]

Everything is measured in one run, each build in a process of its own, in turn:

- the controller: from the approval of the first machine to the moment when all are ready
- a bare script: eight threads that make the same (port, system disk, server) with the SDK and
  nothing else, and wait for each server
- fewer of the same by the Ansible collection `openstack.cloud`, one after the other, and by Heat;
  each is then run again, with nothing to do
- a comparison in which nothing changed, against one bare list of all servers
- how long it takes to heal a server that was deleted, from the comparison that sees it on
- calls an hour of a controller that has nothing to do, by the proxy before the cloud

What was made is removed again. It takes the region that the tests use (docs/labs.md), and ends with
9 where there is none. Of the servers that are compared 40 are ours, with ports and disks; others
are of nobody, bare ones that the region makes fifty at a call. Heat is measured in the lab alone.
"""

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from measuring import timed
from region_filling import strangers
from region_others import (
    THREADS,
    Figures,
    build_ansible,
    build_bare,
    build_heat,
    cpu_s,
)

from govcloud.clock import SystemClock
from govcloud.errors import Exit
from govcloud.reconcile.settings import Settings
from govcloud.store.engine import Database
from govcloud.store.schema import create
from govcloud.store.unit import Store
from govcloud.testing.lab import CLOUD
from govcloud.testing.meanwhile import FOREVER_S, running, wait_until
from govcloud.testing.openstack import NoLabError, OpenStack, find
from govcloud.testing.regionlab import RegionLab

MACHINES: Final = 40
OTHERS: Final = 5
SERVERS: Final = (40, 200, 1000)
OURS: Final = 40
QUICK: Final = (4, 2, (4, 6), 30.0)
IDLE_S: Final = 120.0
PASSES: Final = 3
RATIO_AIM: Final = 1.15
FASTER_AIM: Final = 5.0
CONTEXT: Final = multiprocessing.get_context("spawn")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; return 1 where the aim is missed, 9 where there is no cloud."""
    parser = argparse.ArgumentParser(prog="benchmarks.region")
    parser.add_argument("--quick", action="store_true", help="small numbers only")
    parser.add_argument("--machines", type=int, help="machines that are built")
    parser.add_argument("--others", type=int, help="machines that Ansible and Heat build")
    parser.add_argument("--servers", help="servers that are compared, separated by commas")
    parser.add_argument("--idle", type=float, help="seconds for which calls are counted")
    parser.add_argument("--only", choices=("building", "looking"), help="one part")
    options = parser.parse_args(argv)
    numbers = QUICK if options.quick else (MACHINES, OTHERS, SERVERS, IDLE_S)
    machines, others, servers, idle = numbers
    machines, others = options.machines or machines, options.others or others
    if options.servers:
        servers = tuple(int(number) for number in options.servers.split(","))
    try:
        cloud = find()
    except NoLabError as error:
        cloud = str(error)
    if isinstance(cloud, str):
        print(f"no OpenStack: {cloud}", file=sys.stderr)
        return Exit.UNAVAILABLE
    if options.only != "building":
        passes(cloud, servers, options.idle or idle)
    if options.only == "looking":
        return Exit.OK
    ratio, faster = builds(cloud, machines, others)
    aims = {
        f"at most {RATIO_AIM} times the wall of the bare script": ratio <= RATIO_AIM,
        f"at least {FASTER_AIM:.0f} times as fast as Ansible, a machine": faster >= FASTER_AIM,
    }
    print()
    for aim, met in aims.items():
        print(f"Aim: {aim}: {'met' if met else 'missed'}.")
    return int(not all(aims.values()))


# --- Building ---


def builds(cloud: OpenStack, machines: int, others: int) -> tuple[float, float]:
    """Print what building takes; return our wall over the bare one, and Ansible's over ours.

    The latter for each machine: whoever builds one after the other takes as long for each.
    """
    measures: list[tuple[str, Callable[..., Figures], int]] = [
        ("controller", build_ours, machines),
        (f"SDK, {THREADS} threads", build_bare, machines),
        ("Ansible openstack.cloud", build_ansible, others),
    ]
    if cloud.lab is not None:
        measures.append(("Heat", build_heat, others))
    print("\nMachines, each a port, a disk and a server that boots from it:\n")
    print("| who | machines | wall, s | a machine, s | CPU, s | calls | again: wall, s | writes |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    walls = [_print_build(name, in_process(act, cloud, n), n) for name, act, n in measures]
    print("\nCPU and calls are those of the process that asks; what Heat calls itself is not seen.")
    ratio, faster = walls[0] / walls[1], walls[2] / walls[0]
    print(f"Our wall is {ratio:.2f} times the bare one; Ansible's is {faster:.1f} times ours.")
    return ratio, faster


def _print_build(name: str, figures: Figures, machines: int) -> float:
    """Print a line; return the wall a machine."""
    wall = figures["wall"]
    again = ("", "")
    if "again" in figures:
        again = (f"{figures['again']:.1f}", f"{figures['writes_again']:.0f}")
    print(
        f"| {name} | {machines} | {wall:.1f} | {wall / machines:.2f} | {figures['cpu']:.1f}"
        f" | {figures['calls']:.0f} | {again[0]} | {again[1]} |",
        flush=True,
    )
    return wall / machines


def in_process(measure: Callable[..., Figures], cloud: OpenStack, machines: int) -> Figures:
    """Measure in a process of its own, through a proxy of this one that counts."""
    with tempfile.TemporaryDirectory(prefix="govcloud-bench-") as name:
        folder = Path(name)
        with cloud.proxied(folder) as (proxy, seen):
            ours, theirs = CONTEXT.Pipe()
            arguments = (measure, folder, seen, machines, theirs)
            process = CONTEXT.Process(target=run_measure, args=arguments)
            process.start()
            theirs.close()
            with suppress(EOFError):  # it ended before; its exit code says so
                ours.recv()
                calls = proxy.count()
                proxy.clear()
                ours.send(None)
            process.join()
            writes = proxy.writes().total()
        if process.exitcode:
            raise SystemExit(f"{measure.__name__} failed")
        figures: Figures = json.loads((folder / "answer.json").read_text())
    return {"calls": calls, "writes_again": writes, **figures}


def run_measure(
    measure: Callable[..., Figures], folder: Path, cloud: OpenStack, machines: int, asker: Any
) -> None:
    """Measure and leave the figures in a file."""

    def built() -> None:
        """Tell that the machines stand: from here on, calls count for the second run."""
        asker.send(None)
        asker.recv()

    (folder / "answer.json").write_text(json.dumps(measure(folder, cloud, machines, built)))


def build_ours(folder: Path, cloud: OpenStack, machines: int, built: Callable[[], None]) -> Figures:
    """Approve machines and let a controller build them; then compare, with nothing to do."""
    with city(folder, cloud) as lab:
        ground(lab)
        before = cpu_s()
        with running(lab.controller("running")):
            began = time.perf_counter()
            uids = [lab.machine(f"web-{number}") for number in range(machines)]
            wait_until(lambda: all_ready(lab), FOREVER_S, look_s=0.1)
            wall, cpu = time.perf_counter() - began, cpu_s() - before
        assert len({row.uid for row in lab.rows()} & set(uids)) == machines
        lab.controller("quotas").pass_once(CLOUD)  # they follow what was built, once
        controller = lab.controller("again")
        built()
        again = timed(lambda: controller.pass_once(CLOUD))
        return {"wall": wall, "cpu": cpu, "again": again}


def all_ready(lab: RegionLab) -> bool:
    """Say whether nothing is left to do."""
    return all(row.ready for row in lab.rows()) and not lab.queue()


def ground(lab: RegionLab) -> None:
    """Let project and network be there, as they are for the bare script."""
    uid = lab.machine("first")
    lab.finish(lab.controller("ground"))
    assert lab.row(uid).ready, lab.row(uid).message  # type: ignore[union-attr]


# --- Looking, healing, idling ---


def passes(cloud: OpenStack, sizes: Sequence[int], idle_s: float) -> None:
    """Print what a comparison takes in a region that grows, then what healing and idling take."""
    with tempfile.TemporaryDirectory(prefix="govcloud-bench-") as name:
        folder = Path(name)
        with cloud.proxied(folder) as (proxy, seen), city(folder, seen) as lab:
            ours = min(OURS, *sizes)
            grow(lab, ours)
            print(f"\nHealed {heal(lab):.1f} s after the comparison that saw a server missing.")
            calls = idle(lab, proxy, idle_s)
            print(f"Calls an hour of a controller with nothing to do: {calls:.0f}.")
            print("\n| servers | no-op pass, s | calls | writes | one bare list, s | ratio |")
            print("|--:|--:|--:|--:|--:|--:|")
            _print_pass(lab, proxy, cloud, ours)
            with strangers(cloud) as add:
                for size in sizes:
                    if size > ours:
                        add(size - ours)
                        _print_pass(lab, proxy, cloud, size)


def grow(lab: RegionLab, size: int) -> None:
    """Approve and build so many machines."""
    for number in range(0, size, 20):
        lab.machine(f"size-{number}", count=min(20, size - number))
    lab.finish(lab.controller("grow"))
    lab.controller("settle").pass_once(CLOUD)


def _print_pass(lab: RegionLab, proxy: Any, cloud: OpenStack, size: int) -> None:
    comparer = lab.controller(f"pass-{size}").site(CLOUD).comparer
    comparer.run()
    proxy.clear()
    took = min(timed(comparer.run) for _ in range(PASSES))
    calls, writes = proxy.count() / PASSES, proxy.writes().total()
    with cloud.connect() as admin:
        list(admin.compute.servers(all_projects=True, limit=1))
        bare = min(
            timed(lambda: list(admin.compute.servers(all_projects=True))) for _ in range(PASSES)
        )
    print(
        f"| {size} | {took:.2f} | {calls:.0f} | {writes} | {bare:.2f} | {took / bare:.1f} |",
        flush=True,
    )


def heal(lab: RegionLab) -> float:
    """Delete a server behind the controller's back; return the seconds from its being missed on."""
    victim = next(item for item in lab.there() if item.type == "server")
    with lab.region.connect() as admin:
        server = admin.compute.get_server(victim.id)
        admin.compute.delete_server(server)
        admin.compute.wait_for_delete(server, interval=0.5)
    controller = lab.controller("healer")
    controller.pass_once(CLOUD)
    began = time.perf_counter()
    lab.finish(controller)
    return time.perf_counter() - began


def idle(lab: RegionLab, proxy: Any, seconds: float) -> float:
    """Return the calls an hour of a controller that has nothing to do."""
    with running(lab.controller("running")):
        time.sleep(5)
        proxy.clear()
        time.sleep(seconds)
        return float(proxy.count() * 3600 / seconds)


# --- What all of it needs ---


@contextmanager
def city(folder: Path, cloud: OpenStack) -> Iterator[RegionLab]:
    """Make a city with a database of its own; what it built is removed."""
    database = Database(f"sqlite:///{folder / 'govcloud.db'}")
    create(database)
    lab = RegionLab(Store(database, SystemClock()), cloud, settings=Settings())
    lab.found()
    try:
        yield lab
    finally:
        lab.remove_all()
        database.close()


if __name__ == "__main__":
    sys.exit(main())
