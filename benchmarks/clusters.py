"""A real Kubernetes control plane: what namespaces cost from approval to ready, and afterwards.

    python -m benchmarks.clusters [--tenants 500] [--many 5000] [--idle 120] [--rounds 5] [--quick]

In one run, each on a control plane that is empty at first, each program in a process of its own:

- a bare client that writes the same objects with sixteen threads and looks at nothing, and the
  controller from approval to ready, in pairs of which the middle ratio counts
- the controller: healing of a removed quota by watch and by comparison; a
  pass in which nothing changed; its memory; its calls while nothing happens; the time from its
  start, after it was stopped, until what was removed meanwhile is there again; and its memory again
  when it knows ten times as many namespaces
- a small kopf operator (`benchmarks/tenants_kopf.py`, in `.venv-kopf`) that makes the same objects

Prints Markdown tables; exit code 1 where an aim is missed, 9 without the programs.
"""

import argparse
import json
import multiprocessing
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any, Final
from urllib.error import HTTPError

from sqlalchemy import func, select
from sqlmodel import col

from govcloud.clock import SystemClock
from govcloud.errors import Exit
from govcloud.store.engine import Database
from govcloud.store.schema import create
from govcloud.store.tables import ObjectRow
from govcloud.store.unit import Store
from govcloud.testing.cluster import Cluster, namespace_order
from govcloud.testing.kubelab import KubeLab
from govcloud.testing.kubernetes import ControlPlane, Programs, find_programs
from govcloud.testing.lab import CLOUD
from govcloud.testing.meanwhile import wait_until
from provisioners.kubernetes.objects import manifest

TENANTS: Final = 500
MANY: Final = 5_000
IDLE_S: Final = 120.0
ROUNDS: Final = 5
QUICK: Final = (20, 60, 10.0, 1)
THREADS: Final = 16
RATIO_AIM: Final = 1.2
HEAL_AIM_S: Final = 1.0
CALLS_AIM: Final = 1.02
"""Writes are one for one; reading along costs some calls that do not grow with the objects."""
PATIENCE_S: Final = 900.0
LOOK_S: Final = 0.2
RESYNC_S: Final = 60
INSTALLATION: Final = "bench"
CONTEXT: Final = multiprocessing.get_context("spawn")
KOPF: Final = Path(__file__).parents[1] / ".venv-kopf" / "bin" / "python"
OPERATOR: Final = Path(__file__).with_name("tenants_kopf.py")
TENANT: Final = "/apis/bench.govcloud.io/v1/tenants"


@dataclass
class Kept:
    """What was measured of a program that keeps namespaces."""

    built_s: float = 0
    built_calls: int = 0
    healed_s: float = 0
    memory_mib: float = 0
    idle_calls: float = 0
    restart_s: float = 0
    many_mib: float = 0


@dataclass(frozen=True)
class Pair:
    """The same namespaces, built by the bare client and by the controller one after the other."""

    bare_s: float
    bare_calls: int
    ours_s: float
    ours_calls: int

    @property
    def slower(self) -> float:
        """How many times the bare client's time the controller takes."""
        return self.ours_s / self.bare_s

    @property
    def more(self) -> float:
        """How many times the bare client's calls it makes."""
        return self.ours_calls / self.bare_calls


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; return 1 where an aim is missed, 9 where there is no control plane."""
    parser = argparse.ArgumentParser(prog="benchmarks.clusters")
    parser.add_argument("--tenants", type=int, help="namespaces that are built")
    parser.add_argument("--many", type=int, help="namespaces known for the second look at memory")
    parser.add_argument("--idle", type=float, help="seconds for which idle calls are counted")
    parser.add_argument("--quick", action="store_true", help="small numbers only")
    parser.add_argument("--rounds", type=int, help="pairs of which the middle ratio is told")
    options = parser.parse_args(argv)
    programs = find_programs()
    if isinstance(programs, str):
        print(programs)
        return Exit.UNAVAILABLE
    count, many, idle_s, rounds = QUICK if options.quick else (TENANTS, MANY, IDLE_S, ROUNDS)
    count, many = options.tenants or count, options.many or many
    idle_s, rounds = options.idle or idle_s, options.rounds or rounds
    pairs = [measure_pair(programs, count) for _ in range(rounds)]
    with ControlPlane.start(programs) as plane, laboratory(plane) as lab:
        ours = measure_controller(lab, plane, count, idle_s)
        pass_s, pass_calls = measure_pass(lab)
        compared_s = measure_comparison(lab, plane)
        ours.many_mib = measure_many(lab, count, many)
    theirs: Kept | None = None
    if KOPF.exists():
        with ControlPlane.start(programs) as plane:
            theirs = measure_kopf(plane, count, idle_s)
    print_building(count, pairs)
    print_keeping((pass_s, pass_calls, compared_s), ours)
    print_beside(many, ours, theirs)
    return judge(ours, pairs)


def print_building(count: int, pairs: Sequence[Pair]) -> None:
    print("| namespaces | bare, s | calls | controller, s | calls | ratio, wall | ratio, calls |")
    print("|--:|--:|--:|--:|--:|--:|--:|")
    for pair in pairs:
        print(
            f"| {count:,} | {pair.bare_s:.1f} | {pair.bare_calls:,} | {pair.ours_s:.1f} |"
            f" {pair.ours_calls:,} | {pair.slower:.2f} | {pair.more:.3f} |"
        )
    slower = [pair.slower for pair in pairs]
    print(
        f"\nRatio of time: {min(slower):.2f} to {max(slower):.2f}, median {median(slower):.2f}.\n"
    )


def print_keeping(passed: tuple[float, int, float], ours: Kept) -> None:
    print("| idle pass, s | calls | healed by watch, s | by comparison, s |")
    print("|--:|--:|--:|--:|")
    print(f"| {passed[0]:.2f} | {passed[1]} | {ours.healed_s:.2f} | {passed[2]:.2f} |\n")


def print_beside(many: int, ours: Kept, theirs: Kept | None) -> None:
    print(
        "| program | built, s | calls | healed by watch, s | memory, MiB |"
        f" with {many:,}, MiB | idle calls an hour | restart, s |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for name, kept in (("controller", ours), ("kopf operator", theirs)):
        if kept is not None:
            more = f"{kept.many_mib:.0f}" if kept.many_mib else ""
            print(
                f"| {name} | {kept.built_s:.1f} | {kept.built_calls:,} | {kept.healed_s:.2f} |"
                f" {kept.memory_mib:.0f} | {more} | {kept.idle_calls:,.0f} | {kept.restart_s:.1f} |"
            )
    if theirs is None:
        print("\nkopf is not installed: `make bench BENCH=clusters` does it.")


def judge(ours: Kept, pairs: Sequence[Pair]) -> int:
    """Say whether the aims are met; return 1 where one is not."""
    slow = median(pair.slower for pair in pairs) > RATIO_AIM or ours.healed_s > HEAL_AIM_S
    missed = slow or median(pair.more for pair in pairs) > CALLS_AIM
    print(
        f"\nAims: at most {RATIO_AIM} times the bare client's time and {CALLS_AIM} times its calls,"
        f" a removed quota healed within {HEAL_AIM_S:.0f} s: {'missed' if missed else 'met'}."
    )
    return int(missed)


@contextmanager
def laboratory(plane: ControlPlane) -> Iterator[KubeLab]:
    """Give an empty lab on the control plane."""
    with tempfile.TemporaryDirectory(prefix="govcloud-bench-") as folder:
        database = Database(f"sqlite:///{Path(folder) / 'bench.db'}")
        create(database)
        lab = open_lab(database, plane.connection())
        yield lab.found(limits={"parallel": THREADS, "resyncSeconds": RESYNC_S})
        database.close()


def open_lab(database: Database, connection: Mapping[str, str]) -> KubeLab:
    return KubeLab(Store(database, SystemClock()), connection, installation=INSTALLATION)


# --- The bare client ---


def measure_pair(programs: Programs, count: int) -> Pair:
    """Build on two fresh clusters, right after each other: a machine's speed drifts."""
    with ControlPlane.start(programs) as plane, laboratory(plane) as lab:
        bare_s, bare_calls = measure_bare(lab, count)
    with ControlPlane.start(programs) as plane, laboratory(plane) as lab:
        controller, ours_s = build(lab, count)
        ours_calls = controller.calls()
        controller.stop()
    return Pair(bare_s, bare_calls, ours_s, ours_calls)


def measure_bare(lab: KubeLab, count: int) -> tuple[float, int]:
    """Write the objects of as many namespaces, each by one thread, and look at nothing."""
    driver = lab.cluster()
    orders = [namespace_order(n, department="bare", uid=f"bare{n}") for n in range(count)]
    tenants = [driver.resources(order) for order in orders]
    began = time.monotonic()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda parts: [driver.create(part) for part in parts], tenants))
    return time.monotonic() - began, sum(driver.calls.values())


# --- The controller ---


def control(url: str, connection: Mapping[str, str], pipe: Connection) -> None:
    """Run a controller; answer each question in the pipe with the calls made, until told to end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stop = threading.Event()
    lab = open_lab(Database(url), connection)
    controller = lab.controller("bench")
    thread = threading.Thread(target=controller.run, args=(stop,), daemon=True)
    thread.start()
    with suppress(EOFError):
        while pipe.recv():
            pipe.send(sum(sum(driver.calls.values()) for driver in lab.drivers))
    stop.set()
    thread.join()


class Controlled:
    """A controller in a process of its own."""

    def __init__(self, lab: KubeLab) -> None:
        url = str(lab.store.database.url)
        self._pipe, end = CONTEXT.Pipe()
        self._process = CONTEXT.Process(target=control, args=(url, lab.connection, end))
        self._process.start()
        end.close()

    def calls(self) -> int:
        """Return how many calls it has made."""
        self._pipe.send(True)
        return int(self._pipe.recv())

    def memory_mib(self) -> float:
        """Return how much memory is its own or its share of."""
        return memory_mib(self._process.pid or 0)

    def stop(self) -> None:
        """Let it finish what it is doing, and end."""
        self._pipe.send(False)
        self._process.join()


def build(lab: KubeLab, count: int) -> tuple[Controlled, float]:
    """Let a controller build what was approved; return it, and how long it took."""
    for number in range(count):
        lab.namespace(number)
    controller = Controlled(lab)
    controller.calls()  # it has started
    return controller, wait_until(lambda: not unready(lab), PATIENCE_S, look_s=LOOK_S)


def measure_controller(lab: KubeLab, plane: ControlPlane, count: int, idle_s: float) -> Kept:
    """Let a controller build what was approved, and keep it."""
    kept = Kept()
    controller, kept.built_s = build(lab, count)
    kept.built_calls = controller.calls()
    quota = remove_quota(plane)
    kept.healed_s = wait_until(lambda: plane.look(quota) is not None, look_s=0.02)
    kept.idle_calls = calls_an_hour(controller.calls, idle_s)
    kept.memory_mib = controller.memory_mib()
    controller.stop()
    quota = remove_quota(plane)
    controller = Controlled(lab)
    kept.restart_s = wait_until(lambda: plane.look(quota) is not None, look_s=0.02)
    controller.stop()
    return kept


def measure_many(lab: KubeLab, count: int, many: int) -> float:
    """Let a controller build more, until it knows as many, and return its memory."""
    for number in range(count, many):
        lab.namespace(number)
    controller = Controlled(lab)
    wait_until(lambda: not unready(lab), PATIENCE_S)
    memory = controller.memory_mib()
    controller.stop()
    return memory


def unready(lab: KubeLab) -> int:
    """Return how many namespaces are not ready, in one cheap statement."""
    with lab.store.reading() as session:
        statement = select(func.count()).where(
            col(ObjectRow.cloud) == CLOUD, col(ObjectRow.ready).is_(False)
        )
        return int(session.execute(statement).scalar_one())


def measure_pass(lab: KubeLab) -> tuple[float, int]:
    """Compare where nothing changed, by a controller that was just started."""
    controller = lab.controller("idle")
    controller.site(CLOUD)
    driver = lab.drivers[-1]
    began = time.monotonic()
    found = controller.pass_once(CLOUD)
    assert found is not None
    assert not found.differing
    return time.monotonic() - began, sum(driver.calls.values())


def measure_comparison(lab: KubeLab, plane: ControlPlane) -> float:
    """Heal a removed quota by one comparison and the work that follows."""
    quota = remove_quota(plane)
    controller = lab.controller("comparison")
    began = time.monotonic()
    controller.pass_once(CLOUD)
    while plane.look(quota) is None:
        controller.work_once(CLOUD)
    return time.monotonic() - began


# --- The kopf operator ---


class Operated:
    """The kopf operator in a process of its own, behind a proxy that counts its calls."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        said = cluster.connection()
        names = {"SERVER": said["endpoint"], "TOKEN_FILE": said["token-file"]}
        command = [str(KOPF), "-m", "kopf", "run", "-q", "--standalone", "-A", str(OPERATOR)]
        # When it is stopped it tells each object that it has not dealt with, tens of thousands.
        self._process = subprocess.Popen(command, env=os.environ | names, stderr=subprocess.DEVNULL)

    def calls(self) -> int:
        """Return how many calls it has made."""
        return len(self._cluster.proxy.calls)

    def memory_mib(self) -> float:
        """Return how much memory is its own or its share of."""
        return memory_mib(self._process.pid)

    def stop(self) -> None:
        """Let it finish what it is doing, and end."""
        self._process.terminate()
        self._process.wait()


def measure_kopf(plane: ControlPlane, count: int, idle_s: float) -> Kept:
    """Let the operator build the same objects, and keep them. Its calls pass through a proxy."""
    kept, cluster = Kept(), Cluster(plane)
    define_tenants(plane)
    driver = cluster.open(INSTALLATION)
    for number in range(count):
        order = namespace_order(number, department="kopf", uid=f"kopf{number}")
        parts = [manifest(part, INSTALLATION) for part in driver.resources(order)]
        spec = {"manifests": [json.dumps(part) for part in parts]}
        plane.call("POST", TENANT, tenant(f"t{number}", spec))
    bindings = sum(part.type == "access" for part in driver.resources(namespace_order()))
    operator = Operated(cluster)
    kept.built_s = wait_until(lambda: bound(plane) == bindings * count, PATIENCE_S, look_s=LOOK_S)
    settle(operator)
    kept.built_calls = operator.calls()
    quota = remove_quota(plane)
    kept.healed_s = wait_until(lambda: plane.look(quota) is not None, look_s=0.02)
    settle(operator)
    kept.idle_calls = calls_an_hour(operator.calls, idle_s)
    kept.memory_mib = operator.memory_mib()
    operator.stop()
    quota = remove_quota(plane)
    operator = Operated(cluster)
    kept.restart_s = wait_until(lambda: plane.look(quota) is not None, look_s=0.02)
    operator.stop()
    cluster.close()
    return kept


def define_tenants(plane: ControlPlane) -> None:
    """Define the kind that the operator keeps, and wait until it can be used."""
    group, _, plural = TENANT.removeprefix("/apis/").split("/")
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    spec = {
        "group": group,
        "scope": "Cluster",
        "names": {"kind": "Tenant", "plural": plural},
        "versions": [version],
    }
    body = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": spec,
    }
    plane.call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", body)
    wait_until(lambda: served(plane))


def served(plane: ControlPlane) -> bool:
    """Whether the new kind can be used: while its storage is made ready, the answer is 429."""
    try:
        return plane.look(TENANT) is not None
    except HTTPError as error:
        if error.code != 429:
            raise
        return False


def tenant(name: str, spec: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "apiVersion": "bench.govcloud.io/v1",
        "kind": "Tenant",
        "metadata": {"name": name},
        "spec": spec,
    }


def bound(plane: ControlPlane) -> int:
    """Return how many role bindings the operator has made: what it makes last."""
    chosen = "labelSelector=bench.govcloud.io/tenant"
    path = f"/apis/rbac.authorization.k8s.io/v1/rolebindings?{chosen}"
    return len(plane.call("GET", path)["items"])


def settle(operator: Operated) -> None:
    """Wait until the operator has made no call for two seconds."""
    before = -1
    while operator.calls() != before:
        before = operator.calls()
        time.sleep(2)


# --- Measuring ---


def remove_quota(plane: ControlPlane) -> str:
    """Remove the quota of some namespace and return its path."""
    chosen = "limit=1&labelSelector=app.kubernetes.io/managed-by=govcloud"
    (item,) = plane.call("GET", f"/api/v1/resourcequotas?{chosen}")["items"]
    about = item["metadata"]
    path = f"/api/v1/namespaces/{about['namespace']}/resourcequotas/{about['name']}"
    plane.call("DELETE", path)
    return path


def calls_an_hour(calls: Callable[[], int], seconds: float) -> float:
    """Count calls while nothing happens; return how many an hour that would be."""
    before = calls()
    time.sleep(seconds)
    return (calls() - before) * 3600 / seconds


def memory_mib(pid: int) -> float:
    """Return the proportional share of memory of a process."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    (kib,) = (int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kib / 1024


if __name__ == "__main__":
    raise SystemExit(main())
