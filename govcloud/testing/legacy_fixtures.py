"""Fixtures of tests on real hosts: a room for each module of tests, and moves between its hosts."""

import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

from govcloud.clock import SystemClock
from govcloud.store.engine import Database
from govcloud.store.unit import Store
from govcloud.testing.lab import Lab
from govcloud.testing.legacy import Host, Room, impossible
from govcloud.testing.yard import REAL, Yard
from migration.running.player import AnsiblePlayer
from migration.running.port import Mode, Play, Played, Stage, Told

_numbers: Final[Iterator[int]] = itertools.count()
LEASE_S: Final = 20
"""How long work on a host outlives whoever watched it, in tests: as on a real one.

In less, a busy machine does not always come to asking for it again.
"""
NOTES: Final = "/var/lib/govcloud-move /run/govcloud-move"
"""Where moves keep their notes and their running work on a host."""


@dataclass
class Mover:
    """Plays stages of one workload from one host to another, and remembers what was told."""

    role: str
    source: Host
    target: Host
    settings: dict[str, Any]
    secrets: dict[str, str] = field(default_factory=dict)
    key: str = field(default_factory=lambda: f"m{next(_numbers)}")
    player: AnsiblePlayer = field(default_factory=lambda: AnsiblePlayer(lease_s=LEASE_S))
    told: list[Told] = field(default_factory=list)

    def play(self, stage: Stage, mode: Mode = Mode.NONE, **more: Any) -> Played:
        """Play a stage to its end."""
        stop = more.pop("stop", None) or threading.Event()
        return self.player.play(self.order(stage, mode, **more), self.told.append, stop)

    def order(self, stage: Stage, mode: Mode = Mode.NONE, **more: Any) -> Play:
        """Return what is played."""
        ends = (self.source.endpoint(), self.target.endpoint())
        return Play(
            self.key,
            self.role,
            stage,
            *ends,
            mode,
            settings=self.settings,
            secrets=self.secrets,
            **more,
        )

    def well(self, stage: Stage, mode: Mode = Mode.NONE, **more: Any) -> dict[str, Any]:
        """Play a stage that must succeed, and return its numbers."""
        played = self.play(stage, mode, **more)
        assert played.verdict == "ok", f"{stage}: {played.task}: {played.message}"
        return dict(played.numbers)

    def interrupted(self, interrupt: Callable[[], object], after: int, kib_s: int = 1500) -> Played:
        """Play a first copy so slowly; `interrupt` it when so many bytes have moved.

        Bytes are told of some seconds late where the machine is busy: as many have to follow.
        """
        done = threading.Event()

        def watch() -> None:
            while not done.wait(0.05):
                if any((told.bytes_done or 0) > after for told in self.told):
                    interrupt()
                    return

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            return self.play(Stage.SYNC, Mode.INITIAL, bandwidth_kib=kib_s)
        finally:
            done.set()
            watcher.join()


def real_yard(folder: Path, template: Path, player: AnsiblePlayer) -> Yard:
    """Return a yard whose hosts are real and whose time is, with a database like a template."""
    (folder / "hosts").mkdir()
    (folder / "city.db").write_bytes(template.read_bytes())
    store = Store(Database(f"sqlite:///{folder / 'city.db'}"), SystemClock())
    yard = Yard(Lab(store, folder).found(), folder / "hosts", pace=REAL)
    yard.player = player  # type: ignore[assignment]
    return yard


def _opened() -> Iterator[Room]:
    """Set up a room for real hosts; skip where there can be none."""
    reason = impossible()
    if reason is not None:
        pytest.skip(reason)
    with Room.open() as room:
        yield room


@pytest.fixture(scope="module")
def legacy_room() -> Iterator[Room]:
    """Set up a room for the real hosts of one module."""
    yield from _opened()


@pytest.fixture
def own_room() -> Iterator[Room]:
    """Set up a room for the real hosts of one test: hosts of one name stand in a room once."""
    yield from _opened()


@pytest.fixture(scope="module")
def legacy_source(legacy_room: Room) -> Host:
    """Return the host that everything is moved from."""
    return legacy_room.host("hr-old")


@pytest.fixture(scope="module")
def legacy_target(legacy_room: Room) -> Host:
    """Return the host that everything is moved to."""
    return legacy_room.host("hr-new")


@pytest.fixture
def legacy_pair(legacy_source: Host, legacy_target: Host) -> tuple[Host, Host]:
    """Return source and target, on, on the network, and without what earlier moves noted there."""
    for host in (legacy_source, legacy_target):
        host.plug()
        host.limit(None)
        if not host.answers():
            host.on()
        host.run(f"rm -rf --one-file-system {NOTES}")
    return legacy_source, legacy_target
