"""A yard of systems that move: plans, hosts that are folders, an office and a lane, on a lab.

`lab` has the department, its system and the simulated cloud; the yard adds what a migration needs.
"""

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from govcloud.domain.access import Actor, Role
from govcloud.requests.desk import Desk
from govcloud.store import objects
from govcloud.store.tables import ObjectRow
from govcloud.testing.lab import ADMIN, DEPARTMENT, Lab
from govcloud.testing.meanwhile import running, wait_until
from govcloud.testing.stage import FolderPlayer
from migration.running.lane import Lane, OnStep, Pace
from migration.running.office import Office
from migration.running.perform import Performer

CLERK: Final = Actor("clerk", Role.APPLICANT, DEPARTMENT)
APPROVER: Final = Actor("approver", Role.APPROVER)
OPERATOR: Final = Actor("operator", Role.OPERATOR)
OPENS: Final = datetime(2026, 7, 3, 12, tzinfo=UTC)
QUICK: Final = Pace(hands=4, lease_s=30, idle_s=0.02, poll_s=1, failed_s=1)
REAL: Final = Pace(hands=10, lease_s=30, idle_s=0.5, poll_s=1, failed_s=1)
"""For plays that take seconds: looking fifty times in one of them would slow them down."""
LOOK_S: Final = 0.5


class Renewal:
    """Renews the leases of a lane, as a controller does beside its work."""

    def __init__(self, lane: Lane, every_s: float) -> None:
        self._lane, self._every_s = lane, every_s

    def run(self, stop: threading.Event) -> None:
        """Renew until told to end."""
        while not stop.wait(self._every_s):
            self._lane.renew()


class Yard:
    """Systems of one department whose hosts are folders below `folder`."""

    def __init__(
        self,
        lab: Lab,
        folder: Path,
        *,
        pace: Pace = QUICK,
        slow_s: float = 0.0,
        on_step: OnStep = lambda _name, _about: None,
    ) -> None:
        self.lab, self.store, self.folder, self.pace = lab, lab.store, folder, pace
        self.on_step = on_step
        self.player = FolderPlayer(folder, slow_s=slow_s, on_step=on_step)
        self.desk = Desk(self.store, lab.ledger)
        self.office = Office(self.store, self.desk, lambda: self.player)

    def lane(self, name: str = "one") -> Lane:
        """Return a lane; its name must be like no other's."""
        performer = Performer(self.store, self.desk, lambda: self.player)
        return Lane(self.store, performer, name, self.pace, self.on_step)

    def system(self, name: str, files: Mapping[str, bytes], *, wave: str = "", **move: Any) -> str:
        """Write a system with one legacy host, its data, and a plan that can be run; its uid."""
        source = self.folder / f"{name}-old" / "data"
        source.mkdir(parents=True)
        for file, content in files.items():
            (source / file).write_bytes(content)
        (self.folder / f"{name}-gate").mkdir()
        (self.folder / f"{name}-gate" / "route").write_text("old")
        host = {"room": "room", "system": name, "address": "10.9.0.1"}
        spec = {
            "department": DEPARTMENT,
            "system": name,
            "state": "assessed",
            "move": self.move(name) | move,
            **({"wave": wave} if wave else {}),
        }
        with self.store.unit(ADMIN) as unit:
            self.lab.add_system(unit, name)
            self.lab.put(unit, "LegacyHost", f"{name}-old", host, department=DEPARTMENT)
            self.lab.put(unit, "MigrationPlan", f"{DEPARTMENT}-{name}", spec)
        return self.plan(name).uid

    @staticmethod
    def move(name: str) -> dict[str, Any]:
        """Return how a system moves: one folder, a switch, nothing to be built."""
        return {
            "window": {"opens": OPENS.isoformat(), "hours": 8},
            "trialDays": 30,
            "sources": [{"host": f"{name}-old"}],
            "targets": [{"machine": f"{name}-new", "address": "10.9.1.1"}],
            "others": [{"name": f"{name}-gate", "address": "10.9.2.1"}],
            "workloads": [
                {
                    "name": "data",
                    "role": "folder",
                    "source": f"{name}-old",
                    "target": f"{name}-new",
                    "settings": {"path": "data"},
                }
            ],
            "switch": [{"role": "route", "on": f"{name}-gate", "settings": {"to": "new"}}],
            "hooks": {
                "before-freeze": [{"role": "mark", "on": f"{name}-gate", "settings": {"name": "b"}}]
            },
        }

    def at_once(self, name: str, count: int = 6, **move: Any) -> str:
        """Write a system whose window is open and whose backup is waived, and run it; its uid."""
        files = {f"file-{number}": bytes([65 + number]) * 1_000 for number in range(count)}
        opens = self.store.clock.now() - timedelta(hours=1)
        window: dict[str, Any] = {"window": {"opens": opens.isoformat(), "hours": 8}}
        uid = self.system(name, files, **({"trialDays": 0} | window | move))
        self.wish(name, "run")
        self.wish(name, "cutover", waiver="it is a test")
        return uid

    # --- What people do ---

    def wish(self, name: str, verb: str, actor: Actor = ADMIN, **told: Any) -> dict[str, Any]:
        """Wish something of a system's migration."""
        return self.office.wish(actor, (DEPARTMENT, name), verb, told, "en")

    def cutover(self, name: str, **told: Any) -> None:
        """Ask for the cut-over, with a backup of now."""
        self.wish(name, "cutover", **{"backup": self.store.clock.now(), **told})

    def sign(self, name: str) -> None:
        """Let the three parties sign."""
        for actor in (CLERK, APPROVER, OPERATOR):
            self.wish(name, "accept", actor)

    def work(self, reached: Callable[[], bool], within_s: float = 900) -> None:
        """Let a lane work in real time, its leases renewed, until something is reached."""
        lane = self.lane("one")
        with running(lane, Renewal(lane, self.pace.lease_s / 6), within_s=within_s):
            wait_until(reached, within_s, self._messages, look_s=LOOK_S)

    # --- What is seen ---

    def _messages(self) -> list[str]:
        return [one["message"] for one in self.all()]

    def all(self) -> list[dict[str, Any]]:
        """Return how far all systems are."""
        return self.office.listed(ADMIN, "en")

    def plan(self, name: str) -> ObjectRow:
        """Return the row of a system's plan."""
        with self.store.reading() as session:
            found = objects.of_kinds(session, ["MigrationPlan"], subject=DEPARTMENT)
            return next(row for row in found if row.spec["system"] == name)

    def state(self, name: str) -> str:
        """Return the state of a system's plan."""
        return str(self.plan(name).spec["state"])

    def shown(self, name: str, tongue: str = "en") -> dict[str, Any]:
        """Return everything about a system's migration."""
        return self.office.shown(ADMIN, DEPARTMENT, name, tongue)

    def log(self, name: str, tongue: str = "en") -> list[dict[str, Any]]:
        """Return the journal of a system's migration."""
        return self.office.log(ADMIN, DEPARTMENT, name, tongue)

    def read(self, host: str, file: str = "") -> Any:
        """Return a file of a host, or the names of its data."""
        place = self.folder / host
        if file:
            return (place / file).read_text()
        data = place / "data"
        return sorted(f.name for f in data.iterdir()) if data.is_dir() else None

    def snapshot(self, name: str) -> dict[str, bytes]:
        """Return everything that stands at a system's source."""
        place = self.folder / f"{name}-old"
        return {str(f.relative_to(place)): f.read_bytes() for f in place.rglob("*") if f.is_file()}
