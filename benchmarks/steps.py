"""What a step of a migration takes beside a bare `ansible-playbook`, in pairs.

    python benchmarks/steps.py [--quick] [--pairs 9]

Two real hosts (`govcloud.testing.legacy`, root) and a system whose workload is ten small files,
moved by the role `files` as far as its delta syncs. Then one step is done over and over: the
comparison that `govcloud migrate verify` asks for. It is done by a controller's lane, with all that
belongs to it (the queue and its lease, the decision, the journal before and after, evidence and
audit in the database); by the player alone; and by a bare `ansible-playbook` with the same
playbook, variables, keys and options of SSH. A pair is one of each, one right after the other, each
first in turn; told are medians, and the median of the pairs' differences. Returns 1 where a step
did not end well, 9 where there can be no hosts.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Final

from measuring import timed

from govcloud.ports.abilities import Stop
from govcloud.store.engine import Database
from govcloud.store.schema import create
from govcloud.testing.lab import ADMIN, DEPARTMENT
from govcloud.testing.legacy import Room, impossible
from govcloud.testing.legacy_fixtures import real_yard
from govcloud.testing.yard import Yard
from migration.running.player import AnsiblePlayer
from migration.running.port import Play, Played, Told, Verdict
from migration.running.roles import Roles
from migration.running.staging import environment, private_folder

SYSTEM: Final = "small"
FILL: Final = (
    "mkdir -p /srv/small; cd /srv/small; for i in 0 1 2 3 4 5 6 7 8 9; do echo $i > $i; done"
)


class NotingPlayer(AnsiblePlayer):
    """A player that remembers what it was last given to play."""

    last: Play

    def play(self, play: Play, told: Callable[[Told], None], stop: Stop) -> Played:
        """Play a stage."""
        self.last = play
        return super().play(play, told, stop)


@dataclass
class Steps:
    """One system that is copied, and the ways in which its comparison is done."""

    yard: Yard
    player: NotingPlayer
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def found(self, room: Room) -> None:
        """Write the system's plan and run it until its copy waits for the cut-over."""
        old, new = (room.host(f"{SYSTEM}-{name}") for name in ("old", "new"))
        old.run(FILL)
        opens = self.yard.store.clock.now() + timedelta(days=1)
        ends = {"source": f"{SYSTEM}-old", "target": f"{SYSTEM}-new"}
        move = {
            "window": {"opens": opens.isoformat(), "hours": 8},
            "login": {"keyFile": str(room.key), "knownHosts": str(room.known_hosts)},
            "sources": [{"host": ends["source"]}],
            "targets": [{"machine": ends["target"], "address": new.address}],
            "workloads": [
                {"name": "data", "role": "files", **ends, "settings": {"paths": ["/srv/small"]}}
            ],
        }
        plan = {"department": DEPARTMENT, "system": SYSTEM, "state": "assessed", "move": move}
        host = {"room": "room", "system": SYSTEM, "address": old.address}
        with self.yard.store.unit(ADMIN) as unit:
            self.yard.lab.add_system(unit, SYSTEM)
            self.yard.lab.put(unit, "LegacyHost", ends["source"], host, department=DEPARTMENT)
            self.yard.lab.put(unit, "MigrationPlan", SYSTEM, plan)
        self.yard.wish(SYSTEM, "run")
        self.go_on()

    def go_on(self) -> None:
        """Do all that is due."""
        self.yard.lane().run_once(threading.Event())

    def checked(self) -> int:
        """Return how many comparisons the journal holds that ended well."""
        log = self.yard.log(SYSTEM)
        return sum(one["what"] == "check" and one["outcome"] == Verdict.OK for one in log)

    def by_lane(self) -> float:
        """Let a lane do what somebody has wished; return the seconds until it is written."""
        self.yard.wish(SYSTEM, "verify")
        ended = threading.Event()
        self.yard.on_step = lambda what, _step: ended.set() if what == "ended" else None
        lane = self.yard.lane()

        def work() -> None:
            lane.start()
            ended.wait()

        seconds = timed(work)
        lane.close()
        return seconds

    def by_player(self) -> float:
        """Let the player alone do it; return the seconds."""
        order, played = self.player.last, list[Played]()

        def play() -> None:
            played.append(self.player.play(order, lambda _told: None, threading.Event()))

        seconds = timed(play)
        assert played[0].verdict is Verdict.OK, played[0].message
        return seconds

    def bare(self) -> float:
        """Let `ansible-playbook` do it, with what the player would give it; return the seconds."""
        order, roles = self.player.last, Roles(())
        with private_folder() as folder:
            self.player.furnish(folder, order)
            asked = [
                *("ansible-playbook", "-i", str(folder / "inventory/hosts.json")),
                *("-e", f"@{folder / 'env/extravars'}", str(roles.playbooks / "stage.yml")),
            ]
            lend = 'ssh-add -q "$0" && exec "$@"'
            command = ["ssh-agent", "sh", "-c", lend, order.source.key_file, *asked]
            spoken = os.environ | environment(folder, roles)
            return timed(
                lambda: subprocess.run(command, env=spoken, check=True, capture_output=True)
            )

    def pair(self, number: int) -> None:
        """Do it once in each way, each of them first in turn."""
        ways = (self.bare, self.by_player, self.by_lane)
        first = number % len(ways)
        for way in (*ways[first:], *ways[:first]):
            self.seconds.setdefault(way.__name__, []).append(way())


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; return 1 where a step went wrong, 9 where it cannot be measured."""
    parser = argparse.ArgumentParser(prog="benchmarks/steps.py")
    parser.add_argument("--quick", action="store_true", help="three pairs")
    parser.add_argument("--pairs", type=int, default=9, help="how many pairs")
    options = parser.parse_args(argv)
    if reason := impossible():
        print(reason)
        return 9
    pairs = 3 if options.quick else options.pairs
    with tempfile.TemporaryDirectory() as place, Room.open() as room:
        database = Database(f"sqlite:///{place}/template.db")
        create(database)
        database.close()
        player = NotingPlayer()
        steps = Steps(real_yard(Path(place), Path(place) / "template.db", player), player)
        steps.found(room)
        before = steps.checked()
        steps.yard.wish(SYSTEM, "verify")
        steps.go_on()  # Once before it counts: what is played is known from here on.
        for number in range(pairs):
            steps.pair(number)
        done = steps.checked() - before - 1
    show(steps.seconds)
    if done != pairs:
        print(f"\n{done} of {pairs} comparisons ended well")
    return int(done != pairs)


def show(seconds: dict[str, list[float]]) -> None:
    """Print a row for each way."""
    bare = seconds["bare"]
    print("| a step of the role `files` | median, s | times bare | difference, ms |")
    print("|---|--:|--:|--:|")
    names = {"bare": "bare `ansible-playbook`", "by_player": "the player", "by_lane": "the lane"}
    for way, name in names.items():
        mine = seconds[way]
        ratio = median(one / other for one, other in zip(mine, bare, strict=True))
        more = median(one - other for one, other in zip(mine, bare, strict=True)) * 1000
        print(f"| {name} | {median(mine):.2f} | {ratio:.2f} | {more:+.0f} |")
    print(f"\n{len(bare)} pairs.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
