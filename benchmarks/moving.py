"""What a migration adds to the programs that it plays: copies beside the bare ones, and a stage.

    python benchmarks/moving.py [--quick] [--files 100000] [--kib 20] [--rows 2000000]

Two real hosts (`govcloud.testing.legacy`, root): one has a tree of small files and a PostgreSQL
database, the other is empty. The same is done with bare programs and with our roles, in turn, and
the best of each counts: a first copy of the files by rsync over SSH, the copy of what changed when
one file of a hundred was written again, the database by pg_dump into pg_restore over SSH, and the
stage with the least work in it by bare `ansible-playbook` with the same variables.

The hosts keep their files in memory; the tree stands there three times. Prints a Markdown table;
returns 1 where an aim is missed, 9 where there can be no hosts.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from govcloud.testing.legacy import Host, Room, impossible
from govcloud.testing.legacy_fixtures import Mover
from govcloud.testing.legacy_postgresql import serve, sql
from migration.running.player import AnsiblePlayer
from migration.running.port import Mode, Stage
from migration.running.roles import Roles
from migration.running.staging import environment, private_folder

AIM_RATE: Final = 0.9
"""Of the bare program's rate, for copies."""
LEASE_S: Final = 20.0
PATH: Final = "/srv/bench"
BARE: Final = "/srv/bare"
KEY: Final = "/srv/bench-key"
SSH: Final = f"ssh -q -i {KEY} -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
FILL: Final = """
import os, sys
count, size = int(sys.argv[1]), 1024 * int(sys.argv[2])
for number in range(count):
    folder = f"{sys.argv[3]}/{number // 1000:05d}"
    if number % 1000 == 0:
        os.makedirs(folder)
    with open(f"{folder}/{number:07d}", "wb") as file:
        file.write(os.urandom(size))
"""
CHANGE: Final = """
import os, sys
for number in range(0, int(sys.argv[1]), 100):
    with open(f"{sys.argv[3]}/{number // 1000:05d}/{number:07d}", "r+b") as file:
        file.write(os.urandom(1024 * int(sys.argv[2])))
"""
TABLE: Final = """
CREATE DATABASE bench;
\\c bench
CREATE TABLE entry (id bigint PRIMARY KEY, unit int, at timestamptz, sum numeric(12,2), text text);
INSERT INTO entry SELECT i, i % 500, now(), i * 1.25, md5(i::text) || md5((-i)::text)
  FROM generate_series(1, {rows}) i;
CREATE INDEX ON entry (unit, at);
"""


@dataclass(frozen=True, slots=True)
class Bench:
    """The two hosts, and how much there is to copy."""

    source: Host
    target: Host
    files: int
    kib: int
    rows: int
    rounds: int

    def python(self, program: str) -> None:
        """Let a program make or change the tree."""
        words = f"{self.files} {self.kib} {PATH}"
        self.source.run(f"python3 -I - {words}", stdin=program)

    def mover(self, role: str, **settings: object) -> Mover:
        """Return somebody who moves with one of our roles."""
        player = AnsiblePlayer(lease_s=LEASE_S)
        return Mover(role, self.source, self.target, settings, player=player)

    def best(self, *work: Callable[[], float]) -> list[float]:
        """Do each in turn, as often as rounds; return the best seconds of each."""
        rounds = [[one() for one in work] for _ in range(self.rounds)]
        return [min(each) for each in zip(*rounds, strict=True)]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; return 1 where an aim is missed, 9 where it cannot be measured."""
    parser = argparse.ArgumentParser(prog="benchmarks/moving.py")
    parser.add_argument("--quick", action="store_true", help="a tenth of it, once")
    parser.add_argument("--files", type=int, default=100_000, help="files in the tree")
    parser.add_argument("--kib", type=int, default=20, help="size of each, KiB")
    parser.add_argument("--rows", type=int, default=2_000_000, help="rows of the database's table")
    parser.add_argument("--rounds", type=int, default=2, help="how often; the best counts")
    options = parser.parse_args(argv)
    if reason := impossible():
        print(reason)
        return 9
    part, rounds = (10, 1) if options.quick else (1, options.rounds)
    files, rows = options.files // part, options.rows // part
    mib = 512 + 3 * files * (options.kib + 5) // 1024 + rows // 1000
    with Room.open() as room:
        source, target = (room.host(name, size=f"{mib}m") for name in ("old", "new"))
        target.write(KEY, room.key.read_text("ascii"), mode=0o600)
        bench = Bench(source, target, files, options.kib, rows, rounds)
        print("| what | bare, s | ours, s | ratio of rates | aim |\n|---|--:|--:|--:|--:|")
        missed = copies_of_files(bench) + copies_of_database(bench)
        a_stage(bench)
    print(f"\nAims: copies at {AIM_RATE} of the bare rate: {'missed' if missed else 'met'}.")
    return int(missed > 0)


def timed(work: Callable[[], object]) -> float:
    """Return how many seconds it took."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def row(what: str, bare: float, ours: float, aim: float | None = None) -> bool:
    """Print a row; return whether its aim is missed."""
    print(f"| {what} | {bare:.2f} | {ours:.2f} | {bare / ours:.2f} | {aim or ''} |", flush=True)
    return aim is not None and bare / ours < aim


# --- Files ---


def copies_of_files(bench: Bench) -> int:
    """Copy a tree, then what changed in it."""
    bench.python(FILL)
    mover = bench.mover("files", paths=[PATH])
    rsync = f"rsync -aHAXS --delete -e '{SSH}' root@{bench.source.address}:{PATH}/ {BARE}/"

    def bare_first() -> float:
        bench.target.run(f"rm -rf {BARE}")
        return timed(lambda: bench.target.run(rsync))

    def our_first() -> float:
        mover.well(Stage.UNDO, Mode.ABORTED)
        return timed(lambda: mover.well(Stage.SYNC, Mode.INITIAL))

    def changed(work: Callable[[], object]) -> Callable[[], float]:
        def run() -> float:
            bench.python(CHANGE)
            return timed(work)

        return run

    gib = bench.files * bench.kib / 2**20
    first = bench.best(bare_first, our_first)
    missed = row(f"{bench.files:,} files, {gib:.1f} GiB", *first, AIM_RATE)
    delta = bench.best(
        changed(lambda: bench.target.run(rsync)),
        changed(lambda: mover.well(Stage.SYNC, Mode.DELTA)),
    )
    row("1 % of them written again", *delta)
    return missed


# --- A database ---


def copies_of_database(bench: Bench) -> int:
    """Copy a database into an empty server."""
    for host in (bench.source, bench.target):
        serve(host)
    sql(bench.source, "postgres", TABLE.format(rows=bench.rows))
    mover = bench.mover("postgresql", databases=["bench"])
    dump = f"{SSH} root@{bench.source.address} 'cd /; runuser -u postgres -- pg_dump -Fc bench'"
    restore = f"set -o pipefail; cd /; {dump} | runuser -u postgres -- pg_restore -d bare"

    def bare() -> float:
        sql(bench.target, "postgres", "DROP DATABASE IF EXISTS bare;\nCREATE DATABASE bare;")
        return timed(lambda: bench.target.run(restore))

    def ours() -> float:
        mover.well(Stage.UNDO, Mode.ABORTED)
        return timed(lambda: mover.well(Stage.SYNC, Mode.INITIAL))

    size = int(sql(bench.source, "bench", "SELECT pg_database_size('bench')")) / 2**30
    best = bench.best(bare, ours)
    return row(f"PostgreSQL, {bench.rows:,} rows, {size:.1f} GiB", *best, AIM_RATE)


# --- A stage ---


def a_stage(bench: Bench) -> None:
    """Plan to move an empty folder: next to nothing is done on the hosts."""
    bench.source.run("mkdir -p /srv/empty")
    mover = bench.mover("files", paths=["/srv/empty"])
    bare, ours = bench.best(
        lambda: played_bare(mover), lambda: timed(lambda: mover.well(Stage.PLAN))
    )
    row("a stage with nothing to do", bare, ours)


def played_bare(mover: Mover) -> float:
    """Let `ansible-playbook` do what the player would; return the seconds."""
    order, roles = mover.order(Stage.PLAN), Roles(())
    with private_folder() as folder:
        mover.player.furnish(folder, order)
        asked = [
            *("ansible-playbook", "-i", str(folder / "inventory/hosts.json")),
            *("-e", f"@{folder / 'env/extravars'}", str(roles.playbooks / "stage.yml")),
        ]
        lend = 'ssh-add -q "$0" && exec "$@"'
        command = ["ssh-agent", "sh", "-c", lend, order.source.key_file, *asked]
        spoken = os.environ | environment(folder, roles)
        return timed(lambda: subprocess.run(command, env=spoken, check=True, capture_output=True))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
