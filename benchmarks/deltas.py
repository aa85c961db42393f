"""What is copied when one file of a hundred changed in many small ones, beside a bare rsync.

    python benchmarks/deltas.py [--quick] [--gib 1] [--kib 32] [--rounds 3] [--folder FOLDER]

Two real hosts (`govcloud.testing.legacy`, root) that keep a tree on this machine's disk: the source
has it once, the target twice, so it takes three times its size. In each round one file of a hundred
is written again, and both copies are brought up to date over SSH: one by bare rsync, one by the
role `files` (`delta`), each first in turn. What was changed must be the same in all three. Prints a
Markdown table; returns 1 where they are not, 9 where there can be no hosts or no room for trees.

`--folder` names where the trees stand and keeps them, so that a later run need not make them.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from measuring import timed
from trees import BARE, TREE, Tree, lend_key

from govcloud.testing.legacy import Room, impossible
from govcloud.testing.legacy_fixtures import Mover
from migration.running.player import AnsiblePlayer
from migration.running.port import Mode, Stage

DIGEST: Final = """
import hashlib, sys
count, rounds = int(sys.argv[1]), int(sys.argv[2])
digest = hashlib.sha256()
for number in range(count):
    if number % 100 < rounds:
        with open(f"{sys.argv[3]}/{number // 1000:05d}/{number:07d}", "rb") as file:
            digest.update(file.read())
print(digest.hexdigest())
"""


def fill(tree: Tree, folder: Path) -> None:
    """Have the tree at the source and two copies at the target."""
    if (folder / "new/bare").exists():
        return
    tree.write()
    for copy in ("tree", "bare"):
        shutil.copytree(folder / "old/tree", folder / "new" / copy, symlinks=True)


def alike(tree: Tree, rounds: int) -> bool:
    """Whether what was changed in the rounds is the same in both copies and at the source."""
    told = f"python3 -I - {tree.files} {rounds}"
    ours, bare = (tree.target.run(f"{told} {path}", stdin=DIGEST) for path in (TREE, BARE))
    return ours == bare == tree.source.run(f"{told} {TREE}", stdin=DIGEST)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks/deltas.py")
    parser.add_argument("--quick", action="store_true", help="a twentieth of it, once")
    parser.add_argument("--gib", type=float, default=1, help="size of the tree, GiB")
    parser.add_argument("--kib", type=int, default=32, help="size of each file, KiB")
    parser.add_argument("--rounds", type=int, default=3, help="how often; the median counts")
    parser.add_argument("--folder", type=Path, help="where the trees are kept")
    options = parser.parse_args(argv)
    gib, rounds = (options.gib / 20, 1) if options.quick else (options.gib, options.rounds)
    with tempfile.TemporaryDirectory() as place:
        folder = options.folder or Path(place)
        for name in ("old", "new"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        reason = impossible()
        if not reason and shutil.disk_usage(folder).free < 3.5 * gib * 2**30:
            reason = f"{folder} has no room for three trees of {gib} GiB"
        if reason and not (folder / "new/bare").exists():
            print(reason)
            return 9
        with Room.open() as room:
            source, target = (room.host(name, data=folder / name) for name in ("old", "new"))
            lend_key(room, target)
            tree = Tree(source, target, int(gib * 2**20 / options.kib), options.kib)
            fill(tree, folder)
            return measure(tree, gib, rounds)


def measure(tree: Tree, gib: float, rounds: int) -> int:
    """Change and copy, in turn; print a row; return 1 where a copy is not what the source has."""
    mover = Mover(
        "files",
        tree.source,
        tree.target,
        {"paths": [TREE], "replace": True},
        player=AnsiblePlayer(),
    )
    ways: list[Callable[[], object]] = [
        tree.fetch,
        lambda: mover.well(Stage.SYNC, Mode.DELTA),
    ]
    taken: list[list[float]] = [[], []]
    for way in ways:  # Neither is the first to look at the files since the hosts are up.
        way()
    for number in range(rounds):
        tree.write(number, 100)
        for which in (0, 1) if number % 2 == 0 else (1, 0):
            taken[which].append(timed(ways[which]))
    bare, ours = map(median, taken)
    print("| what | bare rsync, s | ours, s | ratio of rates | difference, s |")
    print("|---|--:|--:|--:|--:|")
    what = f"1 % of {tree.files:,} files of {tree.kib} KiB, {gib:g} GiB"
    print(f"| {what} | {bare:.2f} | {ours:.2f} | {bare / ours:.2f} | {ours - bare:+.2f} |")
    print(f"\nMedian of {rounds} rounds.")
    if not alike(tree, rounds):
        print("The copies are not what the source has.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
