"""A three-tier system moves on real hosts under write load: a failure, all states, a rollback.

nginx with its site, an application service that writes rows, and PostgreSQL stand on one legacy
host. Time is real; the trial run is of no days. The downtime is printed.
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from govcloud.ports.abilities import Stop
from govcloud.testing.lab import ADMIN, DEPARTMENT
from govcloud.testing.legacy import Host, Room
from govcloud.testing.legacy_fixtures import LEASE_S, real_yard
from govcloud.testing.meanwhile import wait_until
from govcloud.testing.yard import APPROVER, CLERK, OPERATOR, Yard
from migration.running.player import AnsiblePlayer
from migration.running.port import Mode, Play, Played, Stage, Told

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2_400)]

SERVER = """
version=$(ls /usr/lib/postgresql | sort -n | tail -n 1)
pg_createcluster $version main -- --no-sync -A scram-sha-256 --auth-local=peer > /dev/null
systemctl daemon-reload
systemctl enable -q postgresql@$version-main
systemctl start postgresql@$version-main
systemctl -q disable --now nginx || true
mkdir -p /var/log/nginx
rm -f /etc/nginx/conf.d/* /etc/nginx/sites-enabled/*
"""
APP = """#!/bin/bash
# Writes five rows a second in one session, and notes each that the server has acknowledged.
cd /
while :; do
  who=$(hostname)-$(date +%s%N); n=0
  while n=$((n+1)); do
    echo "INSERT INTO entry (who, n) VALUES ('$who', $n) RETURNING who || '-' || n;"
    sleep 0.2
  done | runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d app >> /var/log/acknowledged
  sleep 0.5
done
"""
UNIT = """[Service]
ExecStart=/usr/local/bin/app
[Install]
WantedBy=multi-user.target
"""
SOURCE = """
mkdir -p /srv/www; cd /srv/www
for i in $(seq 30); do echo page $i > $i.html; done; head -c 300000 /dev/urandom > picture
cd /; runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -c 'CREATE DATABASE app'
runuser -u postgres -- psql -XAtq -d app -c \
  'CREATE TABLE entry (id serial PRIMARY KEY, who text, n int, at timestamptz DEFAULT now())'
systemctl daemon-reload; systemctl -q enable --now nginx app
"""
SITE = "server { listen 80; root /srv/www; }\n"
INTO_S = 2.0
"""Ansible is at the hosts by then."""
AWAY_S = LEASE_S + 10
ROWS = "cd /; runuser -u postgres -- psql -XAtq -d app -c \"SELECT who || '-' || n FROM entry\""


class Spoiling(AnsiblePlayer):
    """Changes a byte of the copy before it is compared, while `spoil` says so."""

    spoil: Callable[[], None] | None = None

    def play(self, play: Play, told: Callable[[Told], None], stop: Stop) -> Played:
        compared = (play.role, play.stage, play.mode) == ("nginx", Stage.VERIFY, Mode.NONE)
        if self.spoil and compared:
            self.spoil()
        return super().play(play, told, stop)


class Troubled(Spoiling):
    """Lets something happen in each first play of a stage of a role, a while after it began."""

    trouble: Callable[[], None] | None = None

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.met: list[tuple[str, Stage, Mode]] = []

    def play(self, play: Play, told: Callable[[Told], None], stop: Stop) -> Played:
        case, trouble = (play.role, play.stage, play.mode), self.trouble
        if trouble is None or case in self.met:
            return super().play(play, told, stop)
        over = threading.Event()

        def happen() -> None:
            if not over.wait(INTO_S):
                self.met.append(case)
                trouble()

        happening = threading.Thread(target=happen)
        happening.start()
        try:
            return super().play(play, told, stop)
        finally:
            over.set()
            happening.join()


class Tiers:
    """The system, its two hosts, and the host from which it is asked for."""

    def __init__(self, room: Room, yard: Yard) -> None:
        self.room, self.yard = room, yard
        self.old, self.new, self.gate = (
            room.host(f"tiers-{name}", size="2g") for name in ("old", "new", "gate")
        )
        for host in (self.old, self.new):
            host.run(SERVER)
        self.old.write("/etc/nginx/conf.d/site.conf", SITE)
        self.old.write("/usr/local/bin/app", APP, 0o755)
        self.old.write("/etc/systemd/system/app.service", UNIT)
        self.old.run(SOURCE)
        self.gate.run(f"echo '{self.old.address} tiers' >> /etc/hosts")
        self._register()

    def _register(self) -> None:
        spec = {
            "department": DEPARTMENT,
            "system": "tiers",
            "state": "assessed",
            "move": self.move(),
        }
        host = {"room": "room", "system": "tiers", "address": self.old.address}
        with self.yard.store.unit(ADMIN) as unit:
            self.yard.lab.add_system(unit, "tiers")
            self.yard.lab.put(unit, "LegacyHost", "tiers-old", host, department=DEPARTMENT)
            self.yard.lab.put(unit, "MigrationPlan", "tiers", spec)

    def move(self) -> dict[str, Any]:
        ends = {"source": "tiers-old", "target": "tiers-new"}
        opens = self.yard.store.clock.now() - timedelta(minutes=5)
        return {
            "window": {"opens": opens.isoformat(), "hours": 4},
            "trialDays": 0,
            "login": {"keyFile": str(self.room.key), "knownHosts": str(self.room.known_hosts)},
            "sources": [{"host": "tiers-old"}],
            "targets": [{"machine": "tiers-new", "address": self.new.address}],
            "others": [{"name": "tiers-gate", "address": self.gate.address}],
            "workloads": [
                {"name": "db", "role": "postgresql", **ends, "settings": {"databases": ["app"]}},
                {
                    "name": "web",
                    "role": "nginx",
                    **ends,
                    "settings": {"files": ["/etc/nginx/conf.d", "/srv/www"]},
                },
                {
                    "name": "app",
                    "role": "services",
                    **ends,
                    "settings": {
                        "names": ["app"],
                        "files": ["/etc/systemd/system/app.service", "/usr/local/bin/app"],
                    },
                },
            ],
            "switch": [
                {
                    "role": "switch_hosts",
                    "on": "tiers-gate",
                    "settings": {"from": self.old.address, "to": self.new.address},
                }
            ],
            "health": [
                {"http": f"http://{self.new.address}/7.html"},
                {"tcp": f"{self.new.address}:80"},
            ],
        }

    # --- What is seen ---

    def rows(self, host: Host) -> list[str]:
        return sorted(host.run(ROWS).split())

    def acknowledged(self, host: Host) -> list[str]:
        return sorted(host.run("cat /var/log/acknowledged").split())

    def see_writing(self, host: Host) -> None:
        """Wait until another row is acknowledged."""
        before = len(self.acknowledged(host))
        wait_until(lambda: len(self.acknowledged(host)) > before, look_s=0.5)

    def is_silent(self, host: Host) -> bool:
        """Say whether nothing is written in the time of fifteen rows."""
        before = len(self.acknowledged(host))
        time.sleep(3)
        return len(self.acknowledged(host)) == before

    def bytes_of(self, host: Host) -> str:
        return host.run("cd /srv/www; sha256sum * | sort")

    def asked_for(self) -> str:
        return self.gate.run("getent hosts tiers").split()[0]

    def moved(self, capsys: pytest.CaptureFixture[str]) -> list[str]:
        """Assert that all is at the target and serves there; what was acknowledged before."""
        rows, told = self.rows(self.new), self.acknowledged(self.old)
        assert len(told) > 10
        assert set(told) <= set(rows)
        assert len(rows) == len(set(rows))
        assert self.bytes_of(self.new) == self.bytes_of(self.old)
        assert self.asked_for() == self.new.address
        self.see_writing(self.new)
        assert self.is_silent(self.old)
        downtime = self.yard.shown("tiers")["downtimeSeconds"]
        with capsys.disabled():
            print(f"\ndowntime of three tiers: {downtime} s")
        assert downtime < 4 * 3600
        return told


@pytest.fixture
def tiers(own_room: Room, sqlite_template: Path, tmp_path: Path) -> Tiers:
    yard = real_yard(tmp_path, sqlite_template, Troubled(lease_s=LEASE_S))
    return Tiers(own_room, yard)


def work(yard: Yard, state: str) -> None:
    """Let a lane work until the system is in a state."""

    def reached() -> bool:
        shown = yard.shown("tiers")
        assert shown["doing"] != "halted", (shown["message"], yard.log("tiers")[-3:])
        return bool(shown["state"] == state)

    yard.work(reached)


@pytest.mark.guarantee("M4")
def test_three_tiers_go_through_all_states(
    tiers: Tiers, capsys: pytest.CaptureFixture[str]
) -> None:
    yard = tiers.yard
    yard.wish("tiers", "run", CLERK)
    yard.wish("tiers", "cutover", waiver="it is a test")
    work(yard, "trial")
    tiers.moved(capsys)
    for actor in (CLERK, APPROVER, OPERATOR):
        yard.wish("tiers", "accept", actor)
    work(yard, "accepted")
    evidence = {"wiped": "CERT-1", "disposal": "scrapped", "asset": "ZC-1"}
    yard.wish("tiers", "source-off", host="tiers-old", **evidence)
    work(yard, "closed")


@pytest.mark.large
@pytest.mark.guarantee("M1")
@pytest.mark.guarantee("M3")
@pytest.mark.guarantee("M4")
def test_a_comparison_that_fails_and_users_who_complain(
    tiers: Tiers, capsys: pytest.CaptureFixture[str]
) -> None:
    yard, player = tiers.yard, tiers.yard.player
    # First the copy is spoilt: the comparison fails, and the source serves again by itself.
    player.spoil = lambda: tiers.new.write("/srv/www/7.html", "pagE 7\n")  # type: ignore[attr-defined]
    yard.wish("tiers", "run", CLERK)
    yard.wish("tiers", "cutover", waiver="it is a test")
    work(yard, "rolled-back")
    assert "verify" in str(yard.shown("tiers")["message"])
    tiers.see_writing(tiers.old)
    assert tiers.asked_for() == tiers.old.address

    player.spoil = None  # type: ignore[attr-defined]
    yard.wish("tiers", "run", CLERK)
    yard.wish("tiers", "cutover", waiver="it is a test")
    work(yard, "trial")
    told = tiers.moved(capsys)

    # Users complain: back, with what was written since kept at the target and said.
    yard.wish("tiers", "rollback", note="users complain")
    work(yard, "rolled-back")
    assert tiers.asked_for() == tiers.old.address
    tiers.see_writing(tiers.old)
    assert set(told) <= set(tiers.rows(tiers.old))
    undone = {one["part"]: one["detail"] for one in yard.log("tiers") if one["what"] == "undo"}
    assert undone["db"]["written_since"]


def kill_ansible(_tiers: Tiers) -> None:
    mark = f"govcloud-play-{os.getpid()}-".encode()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes()
            if mark in command and b"ansible-playbook" in command:
                os.kill(int(process.name), signal.SIGKILL)


def lose_the_target(tiers: Tiers) -> None:
    tiers.new.unplug()
    time.sleep(AWAY_S)  # longer than work on a host outlives who watched it
    tiers.new.plug()


def reboot_the_source(tiers: Tiers) -> None:
    tiers.old.reboot()


@pytest.mark.large
@pytest.mark.guarantee("M2")
@pytest.mark.guarantee("M4")
@pytest.mark.guarantee("M5")
@pytest.mark.parametrize("trouble", [kill_ansible, lose_the_target, reboot_the_source])
def test_every_stage_is_met_by_trouble_once(
    tiers: Tiers, capsys: pytest.CaptureFixture[str], trouble: Callable[[Tiers], None]
) -> None:
    yard, player = tiers.yard, tiers.yard.player
    player.trouble = lambda: trouble(tiers)  # type: ignore[attr-defined]
    yard.wish("tiers", "run", CLERK)
    yard.wish("tiers", "cutover", waiver="it is a test")
    ways = []
    while (way := come_to_rest(yard)) != "trial":
        ways.append(way)
        assert len(ways) < 20, ways
        if way == "rolled-back":
            tiers.see_writing(tiers.old)
            yard.wish("tiers", "run", CLERK)
            yard.wish("tiers", "cutover", waiver="it is a test")
        else:
            yard.wish("tiers", "resume", OPERATOR)
    with capsys.disabled():
        print(f"\n{trouble.__name__}: {len(player.met)} stages, {ways}")  # type: ignore[attr-defined]
    assert len(player.met) > 15  # type: ignore[attr-defined]
    tiers.moved(capsys)
    for host in (tiers.old, tiers.new):
        wait_until(lambda host=host: not host.run("pgrep -f job.py", check=False), 4 * LEASE_S)  # type: ignore[misc]


def come_to_rest(yard: Yard) -> str:
    """Let a lane work until there is something for a person to do; return what state that is."""

    def rest() -> str:
        shown = yard.shown("tiers")
        if shown["doing"] == "halted":
            return "halted"
        return str(shown["state"]) if shown["state"] in ("trial", "rolled-back") else ""

    yard.work(rest)
    return rest()
