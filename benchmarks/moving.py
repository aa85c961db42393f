"""What a migration adds to the programs that it plays: copies beside the bare ones.

    python benchmarks/moving.py [--quick] [--only files,database] [--rows 12000000]

Two real hosts (`govcloud.testing.legacy`, root): one has a tree of small files and a PostgreSQL
database, the other is empty. The same is done with bare programs and with our roles, in turn, and
the best of each counts: a first copy of the files by rsync over SSH, the copy of what changed when
one file of a hundred was written again, and the database by pg_dump into pg_restore over SSH, with
its compression and without. What a step takes beside a bare `ansible-playbook` is in `steps.py`,
and larger trees are in `deltas.py`.

The hosts keep their files in memory (16 GiB of it, if nothing else is said); the tree stands there
three times. Prints a Markdown table; returns 1 where an aim is missed, 9 where there can be no
hosts.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from measuring import timed
from trees import BARE, SSH, TREE, Tree, lend_key

from govcloud.testing.legacy import Room, impossible
from govcloud.testing.legacy_fixtures import Mover
from govcloud.testing.legacy_postgresql import serve, sql
from migration.running.player import AnsiblePlayer
from migration.running.port import Mode, Stage

AIM_RATE: Final = 0.9
"""Of the bare program's rate, for copies."""
LEASE_S: Final = 20.0
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

    tree: Tree
    rows: int
    rounds: int

    def mover(self, role: str, **settings: object) -> Mover:
        """Return somebody who moves with one of our roles."""
        player = AnsiblePlayer(lease_s=LEASE_S)
        return Mover(role, self.tree.source, self.tree.target, settings, player=player)

    def best(self, *work: Callable[[], float]) -> list[float]:
        """Do each in turn, as often as rounds; return the best seconds of each."""
        rounds = [[one() for one in work] for _ in range(self.rounds)]
        return [min(each) for each in zip(*rounds, strict=True)]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; return 1 where an aim is missed, 9 where it cannot be measured."""
    parser = argparse.ArgumentParser(prog="benchmarks/moving.py")
    parser.add_argument("--quick", action="store_true", help="a tenth of it, once")
    parser.add_argument("--only", default="files,database", help="what is done of it")
    parser.add_argument("--files", type=int, default=200_000, help="files in the tree")
    parser.add_argument("--kib", type=int, default=20, help="size of each, KiB")
    parser.add_argument("--rows", type=int, default=12_000_000, help="rows of the database's table")
    parser.add_argument("--rounds", type=int, default=2, help="how often; the best counts")
    options = parser.parse_args(argv)
    if reason := impossible():
        print(reason)
        return 9
    part, rounds = (10, 1) if options.quick else (1, options.rounds)
    files, rows = options.files // part, options.rows // part
    mib = 512 + max(3 * files * (options.kib + 5) // 1024, rows // 1000)
    with Room.open() as room:
        source, target = (room.host(name, size=f"{mib}m") for name in ("old", "new"))
        lend_key(room, target)
        bench = Bench(Tree(source, target, files, options.kib), rows, rounds)
        print("| what | bare, s | ours, s | ratio of rates | aim |\n|---|--:|--:|--:|--:|")
        parts = {"files": copies_of_files, "database": copies_of_database}
        missed = sum(parts[name](bench) for name in options.only.split(","))
    print(f"\nAims: copies at {AIM_RATE} of the bare rate: {'missed' if missed else 'met'}.")
    return int(missed > 0)


def row(what: str, bare: float, ours: float, aim: float | None = None) -> bool:
    """Print a row; return whether its aim is missed."""
    print(f"| {what} | {bare:.2f} | {ours:.2f} | {bare / ours:.2f} | {aim or ''} |", flush=True)
    return aim is not None and bare / ours < aim


# --- Files ---


def copies_of_files(bench: Bench) -> int:
    """Copy a tree, then what changed in it."""
    tree, mover = bench.tree, bench.mover("files", paths=[TREE])
    tree.write()

    def first(work: Callable[[], object]) -> float:
        # Memory that nobody has written to yet is slower: both begin with an empty target.
        mover.well(Stage.UNDO, Mode.ABORTED)
        tree.target.run(f"rm -rf {BARE}")
        return timed(work)

    def changed(work: Callable[[], object]) -> float:
        tree.write(each=100)
        return timed(work)

    def ours(mode: Mode) -> object:
        return mover.well(Stage.SYNC, mode)

    gib = tree.files * tree.kib / 2**20
    firsts = bench.best(lambda: first(tree.fetch), lambda: first(lambda: ours(Mode.INITIAL)))
    missed = row(f"{tree.files:,} files, {gib:.1f} GiB", *firsts, AIM_RATE)
    tree.fetch()
    delta = bench.best(lambda: changed(tree.fetch), lambda: changed(lambda: ours(Mode.DELTA)))
    row("1 % of them written again", *delta)
    mover.well(Stage.UNDO, Mode.ABORTED)
    for host in (tree.source, tree.target):
        host.run(f"rm -rf {TREE} {BARE}")
    return missed


# --- A database ---


def copies_of_database(bench: Bench) -> int:
    """Copy a database into an empty server."""
    source, target = bench.tree.source, bench.tree.target
    for host in (source, target):
        serve(host)
    sql(source, "postgres", TABLE.format(rows=bench.rows))
    mover = bench.mover("postgresql", databases=["bench"])
    login = f"{SSH} root@{source.address}"

    def bare(compressed: str) -> float:
        sql(target, "postgres", f"{empty};\nCREATE DATABASE bare;\nCHECKPOINT;")
        dump = f"{login} 'cd /; runuser -u postgres -- pg_dump -Fc {compressed} bench'"
        restore = f"set -o pipefail; cd /; {dump} | runuser -u postgres -- pg_restore -d bare"
        return timed(lambda: target.run(restore))

    def ours() -> float:
        mover.well(Stage.UNDO, Mode.ABORTED)
        sql(target, "postgres", f"{empty};\nCHECKPOINT;")
        return timed(lambda: mover.well(Stage.SYNC, Mode.INITIAL))

    empty = "DROP DATABASE IF EXISTS bare"
    size = int(sql(source, "bench", "SELECT pg_database_size('bench')")) / 2**30
    packed, plain, own = bench.best(lambda: bare(""), lambda: bare("-Z0"), ours)
    what = f"PostgreSQL, {bench.rows:,} rows, {size:.1f} GiB"
    missed = row(f"{what}, beside pg_dump -Fc", packed, own, AIM_RATE)
    return missed + row(f"{what}, beside pg_dump -Fc -Z0", plain, own, AIM_RATE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
