"""The wave of the play: a system moves from a unit's server room onto the cloud, for real.

Its hosts are real ones (`room`), the machine is one of the simulated cloud; an address in the plan
says which host stands in for it. Everything else is typed as by people.
"""

import json
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import yaml

from examples.changshu.room import Moving, furnished, hindrance
from examples.stage import Stage, console, relative
from govcloud.messages import render
from govcloud.testing.legacy import Room

FOLDER: Final = Path(__file__).parent / "wave"
UNIT: Final = "hrss"
PROVIDER: Final = "provider"
_PROGRAM: Final = [sys.executable, "-m", "cli.main"]
_WITHIN_S: Final = 300.0
_LOOK_S: Final = 1.0


def play(stage: Stage) -> bool:
    """Play the wave where it can be played; otherwise say why not, and return False."""
    reason = hindrance()
    if reason is not None:
        stage.say("wave_skipped", reason=reason)
        return False
    with _ended_properly(), furnished() as (room, system):
        wave = Wave(stage, room, system)
        wave.find()
        wave.assess()
        wave.plan()
        wave.move()
        wave.report()
    return True


class Wave:
    """What is typed: each method is one scene."""

    def __init__(self, stage: Stage, room: Room, system: Moving) -> None:
        self.stage, self.room, self.system = stage, room, system
        self.name = f"{UNIT}/{system.name}"
        self.folder = stage.workspace / "wave"
        self.folder.mkdir(exist_ok=True)
        self.before = ""
        self.wave = ""

    def find(self) -> None:
        """Register the system, and scan the room for its host."""
        hosts = f"{self.system.old.name} ({self.system.old.address})"
        self.stage.say("wave_begin", hosts=hosts)
        self._type("token", "create", PROVIDER, "--role", "operator", "--save", shown=False)
        self._request(FOLDER / "systems.yaml")
        self.stage.say("wave_scan")
        self._inventory()
        found = relative(self.folder / "room.scan")
        sampling = ("--sample", "1s", "--every", "1s")
        given = ("-i", relative(self.folder / "room.ini"), "--to", found, *sampling)
        group = ("--group", self.system.name)
        self._type("--as", UNIT, "migrate", "inventory", "scan", "room", *given, *group)
        self._request(Path(found) / "register")
        self.before = datetime.now(UTC).isoformat()

    def assess(self) -> None:
        """Assess it by what was found and by the answers to the rest."""
        self.stage.say("wave_assess")
        answers = relative(FOLDER / "answers.yaml")
        self._type("migrate", "assess", self.name, "--answers", answers, "--save")

    def plan(self) -> None:
        """Put it into a wave, say how it moves, and open the wave's window."""
        self.stage.say("wave_plan")
        begin, file = datetime.now(UTC).date().isoformat(), relative(self.folder / "waves.yaml")
        self._type("-q", "migrate", "plan", "--begin", begin, "--write", file)
        self.wave = self._planned(Path(file))
        self._type("-q", "migrate", "plan", "-f", file, "--apply")
        self.stage.say("wave_prepare")
        document = self.folder / f"{self.system.name}.yaml"
        where = ("--zone", "extranet-l3", "--image", "debian-12", "--write", relative(document))
        self._type("migrate", "prepare", self.name, *where)
        self._complete(document)
        console.print(document.read_text(encoding="utf-8"), markup=False)
        self._write("window", self._window())
        window = relative(self.folder / "window.yaml")
        self._type("apply", "-f", window, "-f", relative(document))

    def _planned(self, file: Path) -> str:
        """Return the name of the wave that it is in."""
        waves = yaml.safe_load(file.read_text(encoding="utf-8"))["spec"]["waves"]
        within = {one["system"]: wave["name"] for wave in waves for one in wave["systems"]}
        return str(within[self.name])

    def move(self) -> None:
        """Run the wave, have its machine approved, cut over, and see that it serves."""
        self.stage.say("wave_run")
        self._type("--as", UNIT, "migrate", "run", "--wave", self.wave)
        with self._controller():
            self._until(lambda one: bool(one["request"]))
            self._approve()
            reason = render("demo.wave_no_backup", self.stage.language)
            self._type("migrate", "cutover", "--wave", self.wave, "--waive-backup", reason, "-y")
            self.stage.say("wave_watch")
            with self._watched():
                self._until(lambda one: one["state"] == "trial")
            self._type("migrate", "status", self.name)
            self._served()
            self._accept()

    def _accept(self) -> None:
        """Compare once more, let three parties sign, and record that the old host is off."""
        self.stage.say("wave_verify")
        self._type("migrate", "verify", "--wave", self.wave)
        self.stage.say("wave_accept")
        for who in (UNIT, "approver", PROVIDER):
            self._type("--as", who, "migrate", "accept", "--wave", self.wave)
        self._until(lambda one: one["state"] == "accepted")
        self.stage.say("wave_sources")
        evidence = ("--wiped", "CERT-0001", "--disposal", "scrapped", "--asset", "ZC-0001")
        self._type("migrate", "source-off", self.name, "--host", self.system.old.name, *evidence)
        self._until(lambda one: one["state"] == "closed")
        self._type("migrate", "log", self.name)

    def report(self) -> None:
        """Show what the wave has done to the on-cloud rate."""
        self.stage.say("wave_report")
        explain = ("--as", "auditor", "report", "explain", "on-cloud-rate", "--department", UNIT)
        self._type(*explain, "--as-of", self.before)
        self._type(*explain)

    # --- What is typed more than once -------------------------------------------------------------

    def _type(self, *words: str, shown: bool = True) -> str:
        return self.stage.type(*words, shown=shown)

    def _request(self, path: Path) -> None:
        """Hand something in as the unit, and approve it."""
        self._type("--as", UNIT, "submit", "-f", relative(path))
        self._approve()

    def _approve(self) -> None:
        note = render("demo.agreed", self.stage.language)
        for name in self._type("--as", "approver", "requests", "-o", "name", shown=False).split():
            self._type("--as", "approver", "approve", name.split("/")[-1], "-y", "--note", note)

    def _found(self) -> list[dict[str, Any]]:
        shown = self._type("migrate", "status", "--wave", self.wave, "-o", "json", shown=False)
        return list(json.loads(shown)["items"])

    def _until(self, reached: Callable[[dict[str, Any]], bool]) -> None:
        """Wait until the system has come so far; stop the play where it cannot."""
        deadline = time.monotonic() + _WITHIN_S
        while True:
            [one] = self._found()
            if reached(one):
                return
            late = time.monotonic() > deadline
            if late or one["doing"] == "halted" or one["state"] == "rolled-back":
                self._type("migrate", "status", self.name)
                sys.exit(1)
            time.sleep(_LOOK_S)

    # --- Files ------------------------------------------------------------------------------------

    def _inventory(self) -> None:
        """Write Ansible's inventory of the room, and show it."""
        old = self.system.old
        groups = f"[{self.system.name}]\n{old.name} ansible_host={old.address}\n"
        known = shlex.quote(f"-o UserKnownHostsFile={self.room.known_hosts}")
        everybody = (
            f"[all:vars]\nansible_user=root\nansible_ssh_private_key_file={self.room.key}\n"
            f"ansible_ssh_common_args={known}\n"
        )
        file = self.folder / "room.ini"
        file.write_text(groups + everybody, encoding="utf-8")
        console.print(f"[bold]$ cat {relative(file)}[/]")
        console.print(groups + everybody, markup=False)

    def _complete(self, file: Path) -> None:
        """Complete the proposal as a person would, who knows the hosts."""
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
        move, new = document["spec"]["move"], self.system.new
        [machine] = move["machines"]
        for name in ("vcpu", "memory", "dataDisks"):
            machine["spec"].pop(name, None)
        machine["spec"]["flavor"] = "2c4g"
        login = {"keyFile": str(self.room.key), "knownHosts": str(self.room.known_hosts)}
        document["spec"]["move"] = move | {
            "trialDays": 0,
            "login": login,
            "targets": [{"machine": machine["metadata"]["name"], "address": new.address}],
            "workloads": [self.system.workload],
            "health": [{"tcp": self.system.health}],
        }
        self._write(file.stem, document)

    def _window(self) -> dict[str, Any]:
        """Return the wave with a window that is open now."""
        wave = json.loads(self._type("get", "wave", self.wave, "-o", "json", shown=False))
        opens = datetime.now(UTC) - timedelta(minutes=1)
        window = {"opens": opens.isoformat(timespec="seconds"), "hours": 8}
        kept = {name: wave[name] for name in ("apiVersion", "kind")}
        return {
            **kept,
            "metadata": {"name": self.wave},
            "spec": {**wave["spec"], "window": window, "bandwidthMbps": 400},
        }

    def _write(self, name: str, document: dict[str, Any]) -> None:
        text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False)
        (self.folder / f"{name}.yaml").write_text(text, encoding="utf-8")

    # --- Programs beside this one -----------------------------------------------------------------

    @contextmanager
    def _controller(self) -> Iterator[None]:
        """Run a controller in the background, as in another shell."""
        console.print("[bold]$ govcloud controller run &[/]")
        with (self.folder / "controller.log").open("wb") as log:
            # Ends by itself should this program be killed; Ctrl-C is told to this program alone.
            tied = ["setpriv", "--pdeathsig", "TERM", *_PROGRAM, "controller", "run"]
            process = subprocess.Popen(tied, stdout=log, stderr=log, process_group=0)
            with _running(process, signal.SIGTERM):
                yield

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Show how far the wave is, live, for as long as it takes."""
        words = ["migrate", "status", "--wave", self.wave, "--watch"]
        console.print(f"[bold]$ govcloud {' '.join(words)}[/]")
        with _running(subprocess.Popen([*_PROGRAM, *words]), signal.SIGINT):
            yield

    def _served(self) -> None:
        """Fetch a page from the new host, and knock at the old one."""
        site = self.system
        with urllib.request.urlopen(f"http://{site.new.address}/7.html", timeout=10) as page:
            text = page.read().decode().strip()
        address = {"old": site.old.address, "new": site.new.address}
        assert not site.old.answers(80), "the old host serves still"
        self.stage.say("wave_served", text=text, **address)


@contextmanager
def _running(process: "subprocess.Popen[bytes]", ending: signal.Signals) -> Iterator[None]:
    """Let a program run for a while; it is ended with a signal, and waited for."""
    try:
        yield
    finally:
        if process.poll() is None:
            process.send_signal(ending)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def _ended_properly() -> Iterator[None]:
    """Let SIGTERM end this program as Ctrl-C does: with everything cleaned up."""
    former = signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)
