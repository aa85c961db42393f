"""Ten systems of a wave move at once on real hosts; one that fails holds up no other.

The copies share the wave's bandwidth: what leaves the source is counted at its network card. What
moves them is a small role of a city's own, which does no more than this takes.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from govcloud.testing.lab import ADMIN, DEPARTMENT
from govcloud.testing.legacy import Host, Room
from govcloud.testing.legacy_fixtures import LEASE_S, real_yard
from govcloud.testing.yard import CLERK, Yard
from migration.running.player import AnsiblePlayer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]

NAMES = [f"system-{number}" for number in range(10)]
STOPPED = NAMES[4]
MBPS = 48
"""Of the wave: some 590 KiB/s a system, so that a copy takes ten seconds and others meet it."""
BYTES = 6 << 20
BYTES_PER_S = MBPS * 1_000_000 / 8
SPAN_S = 4.0
"""Over which a rate is taken: rsync keeps its limit on the whole, and not in each moment."""


SPECIFICATION = """
argument_specs:
  main:
    short_description: A folder
    options:
      tree_path: {type: str, required: true, description: Where it is.}
"""
TASKS = {
    "plan": """
- ansible.builtin.raw: du -s {{ tree_path }}
  delegate_to: source
""",
    "sync": """
- ansible.builtin.include_role: {name: job}
  vars:
    job_name: copy
    job_title: Copy the folder
    place: "{{ (move_mode == 'test') | ternary(move_side, tree_path) }}/"
    job_argv:
      - sh
      - -c
      - >-
        if [ -e {{ place }}ours ]; then echo {{ place }}ours stands there already >&2; exit 1; fi;
        mkdir -p {{ place }} && rsync -a --inplace --bwlimit={{ move_bandwidth_kib }}k
        -e '{{ move_rsh }}' {{ move_login }}:{{ tree_path }}/ {{ place }}
""",
    "verify": """
- ansible.builtin.raw: cd {{ tree_path }} && sha256sum *
  delegate_to: source
  register: source_sums
- ansible.builtin.raw: cd {{ (move_mode == 'test') | ternary(move_side, tree_path) }} && sha256sum *
  register: target_sums
  failed_when: target_sums.stdout_lines != source_sums.stdout_lines
""",
    "undo": """
- ansible.builtin.raw: rm -rf {{ (move_mode == 'test') | ternary(move_side, tree_path) }}
  when: move_mode in ['test', 'aborted']
""",
}


def own_role(folder: Path) -> None:
    """Write the role `tree`, as docs/playbooks.md says."""
    for part in ("meta", "tasks"):
        (folder / "tree" / part).mkdir(parents=True)
    (folder / "tree/meta/argument_specs.yml").write_text(SPECIFICATION)
    for stage, tasks in TASKS.items():
        (folder / f"tree/tasks/{stage}.yml").write_text(tasks)


class Wave:
    """Ten systems, each a folder of one host, that move to another one."""

    def __init__(self, room: Room, yard: Yard) -> None:
        self.room, self.yard = room, yard
        self.old, self.new = (room.host(f"ten-{name}") for name in ("old", "new"))
        for name in NAMES:
            file = f"/srv/{name}/data"
            self.old.run(f"mkdir /srv/{name}; head -c {BYTES} /dev/urandom > {file}")
        now = yard.store.clock.now()
        day = {"start": now.date().isoformat(), "end": now.date().isoformat()}
        window = {"opens": (now - timedelta(minutes=1)).isoformat(), "hours": 4}
        wave = {**day, "window": window, "parallel": len(NAMES), "bandwidthMbps": MBPS}
        with yard.store.unit(ADMIN) as unit:
            yard.lab.put(unit, "Wave", "w01", wave)
            for name in NAMES:
                yard.lab.add_system(unit, name)
                host = {"room": "room", "system": name, "address": self.old.address}
                yard.lab.put(unit, "LegacyHost", f"{name}-old", host, department=DEPARTMENT)
                yard.lab.put(unit, "MigrationPlan", name, self._plan(name))

    def _plan(self, name: str) -> dict[str, object]:
        ends = {"source": f"{name}-old", "target": f"{name}-new"}
        settings = {"path": f"/srv/{name}"}
        move = {
            "trialDays": 0,
            "login": {"keyFile": str(self.room.key), "knownHosts": str(self.room.known_hosts)},
            "sources": [{"host": ends["source"]}],
            "targets": [{"machine": ends["target"], "address": self.new.address}],
            "workloads": [{"name": "data", "role": "tree", **ends, "settings": settings}],
        }
        told = {"department": DEPARTMENT, "system": name, "state": "assessed", "wave": "w01"}
        return {**told, "move": move}

    def settled(self, *states: str) -> bool:
        """Whether nothing runs any more, and each system is in one of the states."""
        return all(
            one["state"] in states and one["doing"] in ("waiting", "halted")
            for one in self.yard.all()
        )

    def states(self) -> dict[str, str]:
        return {one["system"]: one["state"] for one in self.yard.all()}

    def digest(self, host: Host, name: str) -> str:
        return host.run(f"sha256sum /srv/{name}/data")

    def at_once(self, step: str) -> int:
        """The most copies of a kind that ran at the same time."""
        marks = []
        for name in NAMES:
            for entry in self.yard.log(name):
                if entry["what"] == step:
                    marks += [(str(entry["at"]), 1), (str(entry["ended"]), -1)]
        running = most = 0
        for _, change in sorted(marks):
            running += change
            most = max(most, running)
        return most


@pytest.fixture
def wave(legacy_room: Room, sqlite_template: Path, tmp_path: Path) -> Wave:
    own_role(tmp_path / "roles")
    player = AnsiblePlayer([tmp_path / "roles"], lease_s=LEASE_S)
    return Wave(legacy_room, real_yard(tmp_path, sqlite_template, player))


def sent(host: Host) -> int:
    """The bytes that have left a host by its network card."""
    lines = Path(f"/proc/{host.chassis}/net/dev").read_text().splitlines()
    [counters] = [line.split(":")[1] for line in lines if line.strip().startswith("eth0:")]
    return int(counters.split()[8])


@contextmanager
def counted(host: Host) -> Iterator[list[tuple[float, int]]]:
    """Note again and again how many bytes a host has sent."""
    seen = [(time.monotonic(), sent(host))]
    stop = threading.Event()

    def count() -> None:
        while not stop.wait(0.25):
            seen.append((time.monotonic(), sent(host)))

    counter = threading.Thread(target=count)
    counter.start()
    try:
        yield seen
    finally:
        stop.set()
        counter.join()


def fastest(seen: list[tuple[float, int]]) -> float:
    """The highest rate over a span, in bytes per second."""
    return max(
        (later[1] - first[1]) / (later[0] - first[0])
        for first in seen
        for later in seen
        if SPAN_S <= later[0] - first[0] <= 2 * SPAN_S
    )


@pytest.mark.guarantee("M4")
def test_ten_systems_share_the_link_and_one_that_fails_holds_up_no_other(
    wave: Wave, capsys: pytest.CaptureFixture[str]
) -> None:
    yard = wave.yard
    wave.new.run(f"mkdir /srv/{STOPPED}; echo ours > /srv/{STOPPED}/ours")
    for name in NAMES:
        yard.wish(name, "run", CLERK)
        yard.wish(name, "cutover", waiver="it is a test")
    with counted(wave.old) as seen:
        yard.work(lambda: wave.settled("trial", "stopped"))
    wanted = dict.fromkeys(NAMES, "trial") | {STOPPED: "stopped"}
    assert wave.states() == wanted, [one["message"] for one in yard.all()]
    for name in NAMES:
        if name != STOPPED:
            assert wave.digest(wave.new, name) == wave.digest(wave.old, name)
    assert f"/srv/{STOPPED}/ours stands there already" in yard.shown(STOPPED)["message"]
    assert wave.new.run(f"cat /srv/{STOPPED}/*") == "ours\n"

    rate, most = fastest(seen), max(wave.at_once("test-copy"), wave.at_once("initial-sync"))
    with capsys.disabled():
        print(f"\n{most} copies at once, {rate / BYTES_PER_S:.0%} of the wave's bandwidth at most")
    assert most >= 3
    assert rate < 1.15 * BYTES_PER_S
    # Not because the machine is slow: together they were faster than one alone may be.
    assert rate > 2 * BYTES_PER_S / len(NAMES)

    wave.new.run(f"rm -r /srv/{STOPPED}")
    yard.wish(STOPPED, "resume", CLERK)
    yard.work(lambda: wave.settled("trial"))
    assert wave.digest(wave.new, STOPPED) == wave.digest(wave.old, STOPPED)
