"""A player of roles whose hosts are folders: its effects are real, and can be counted.

It fulfils `migration.running.port.Player`. Its roles are `folder` (moves the files of a folder),
`route` (a switch: who is served from where) and `mark` (a hook). What it does not have: users,
permissions, links that are slow or break, anything that runs by itself. A play that was killed
leaves what it had written, file by file, as rsync does.

Every play writes a line when it begins and when it ends, and for each file that it copied, so that
a test sees which ran at once, and what was copied twice.
"""

import json
import os
import shutil
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from govcloud.ports.abilities import Stop
from govcloud.testing.meanwhile import wait_until
from migration.running.port import Mode, Play, Played, Stage, Told, Verdict

ROLES: Final[Mapping[str, Mapping[str, object]]] = {
    "folder": {"options": {"path": {"type": "str", "required": True}}},
    "route": {"options": {"to": {"type": "str", "required": True}}},
    "mark": {"options": {"name": {"type": "str", "required": True}}},
}
FROZEN: Final = ".frozen"
SERVING: Final = ".serving"
OnStep = Callable[[str, str], None]


class FolderPlayer:
    """Plays on folders below `root`, one a host.

    `slow_s` is what a file takes; `on_step` is told of each file that is copied, so that a test can
    end the process there.
    """

    def __init__(
        self, root: Path, *, slow_s: float = 0.0, on_step: OnStep = lambda _name, _about: None
    ) -> None:
        self.root, self._slow_s, self._on_step = root, slow_s, on_step

    def roles(self) -> Mapping[str, Mapping[str, object]]:
        """Return the three roles."""
        return ROLES

    def play(self, play: Play, told: Callable[[Told], None], stop: Stop) -> Played:
        """Play a stage on folders."""
        self._log("begin", play)
        try:
            fault = self._fault(play)
            return fault or self._played(play, told, stop)
        finally:
            self._log("end", play)

    # --- What a test may do ---

    def fail(
        self,
        stage: Stage,
        mode: Mode = Mode.NONE,
        *,
        verdict: Verdict,
        times: int = 1,
        why: str = "it was to end so",
    ) -> None:
        """Let the next plays of a stage end so, before they do anything."""
        file = self.root / f"fault.{stage}.{mode}"
        file.write_text("\n".join([f"{verdict.value} {why}"] * times))

    def log(self) -> list[list[str]]:
        """Return the plays that began and ended: instant, word, process, key, stage, mode."""
        file = self.root / "log"
        return [line.split() for line in file.read_text().splitlines()] if file.exists() else []

    # --- Inside ---

    def _fault(self, play: Play) -> Played | None:
        file = self.root / f"fault.{play.stage}.{play.mode}"
        if not file.exists():
            return None
        first, *rest = file.read_text().splitlines()
        file.write_text("\n".join(rest)) if rest else file.unlink()
        verdict, _, why = first.partition(" ")
        return Played(Verdict(verdict), task="asked to", message=why)

    def _played(self, play: Play, told: Callable[[Told], None], stop: Stop) -> Played:
        if play.role != "folder":
            return self._task(play)
        source = self.root / play.source.name / str(play.settings["path"])
        target = self.root / play.target.name / self._place(play)
        ways: dict[Stage, Callable[[], Played]] = {
            Stage.PLAN: lambda: self._plan(source),
            Stage.SYNC: lambda: self._sync(play, source, target, told, stop),
            Stage.FREEZE: lambda: self._freeze(source),
            Stage.VERIFY: lambda: self._verify(source, target),
            Stage.START: lambda: self._touch(target / SERVING),
            Stage.UNDO: lambda: self._undo(play, source, target),
        }
        return ways[play.stage]()

    @staticmethod
    def _place(play: Play) -> str:
        path = str(play.settings["path"])
        return f".test-{play.key}" if play.mode is Mode.TEST else path

    @staticmethod
    def _plan(source: Path) -> Played:
        if not source.is_dir():
            return Played(Verdict.FAILED, task="look", message=f"there is no folder {source.name}")
        return Played(Verdict.OK, {"bytes": sum(f.stat().st_size for f in _files(source))})

    def _sync(
        self, play: Play, source: Path, target: Path, told: Callable[[Told], None], stop: Stop
    ) -> Played:
        target.mkdir(parents=True, exist_ok=True)
        files = list(_files(source))
        total, moved, seen = sum(file.stat().st_size for file in files), 0, 0
        for file in files:
            content, copy = file.read_bytes(), target / file.name
            seen += len(content)
            if not copy.exists() or copy.read_bytes() != content:
                if stop.is_set():
                    return Played(Verdict.STOPPED, {"bytes": moved, "bytes_total": total})
                self._on_step("file", file.name)
                time.sleep(self._slow_s)
                part = target / f".{file.name}.part"
                part.write_bytes(content)
                part.replace(copy)
                self._log(f"copied:{file.name}", play)
                moved += len(content)
            told(Told(f"copy {file.name}", seen, total))
        for gone in {file.name for file in _files(target)} - {file.name for file in files}:
            (target / gone).unlink()
        return _ok(bytes=moved, bytes_total=total)

    def _freeze(self, source: Path) -> Played:
        return self._touch(source / FROZEN)

    @staticmethod
    def _touch(file: Path) -> Played:
        file.touch()
        return _ok()

    @staticmethod
    def _verify(source: Path, target: Path) -> Played:
        ours = {file.name: file.read_bytes() for file in _files(source)}
        theirs = {file.name: file.read_bytes() for file in _files(target)}
        differ = sorted(n for n in ours.keys() | theirs.keys() if ours.get(n) != theirs.get(n))
        numbers = {"compared": len(ours), "differences": len(differ)}
        if differ:
            message = f"differs: {', '.join(differ[:5])}"
            return Played(Verdict.FAILED, numbers, "compare", message)
        return Played(Verdict.OK, numbers)

    def _undo(self, play: Play, source: Path, target: Path) -> Played:
        if play.mode is not Mode.TEST:
            (source / FROZEN).unlink(missing_ok=True)
        written = 0
        if play.mode in (Mode.TEST, Mode.ABORTED):
            shutil.rmtree(target, ignore_errors=True)
        elif target.is_dir():
            (target / SERVING).unlink(missing_ok=True)
            known = {file.name for file in _files(source)}
            written = sum(file.name not in known for file in _files(target))
        return _ok(written_since=written, kept_in=str(target.name))

    def _task(self, play: Play) -> Played:
        host = self.root / play.target.name
        host.mkdir(exist_ok=True)
        if play.role == "mark":
            file = host / f"mark-{play.settings['name']}"
            if play.stage is Stage.UNDO:
                file.unlink(missing_ok=True)
                return _ok()
            return self._touch(file)
        route, former = host / "route", host / "route.before"
        if play.stage is Stage.START and not former.exists():
            former.write_text(route.read_text() if route.exists() else "")
        if play.stage is Stage.START:
            route.write_text(str(play.settings["to"]))
        elif former.exists():
            route.write_text(former.read_text())
            former.unlink()
        return _ok()

    def _log(self, word: str, play: Play) -> None:
        told = (time.monotonic(), word, os.getpid(), play.key, play.stage, play.mode)
        line = " ".join(map(str, told)) + "\n"
        file = os.open(self.root / "log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, line.encode())
        os.close(file)


class HeldPlayer(FolderPlayer):
    """Lets something happen at the n-th file that is copied, and is held there until it is stopped.

    For one system at a time: it stops the play that is under way.
    """

    def __init__(self, root: Path, at: int, happen: Callable[[], object]) -> None:
        super().__init__(root, on_step=self._come)
        self._at, self._happen = at, happen
        self._stop: Stop | None = None
        self.copies = 0

    def play(self, play: Play, told: Callable[[Told], None], stop: Stop) -> Played:
        """Play a stage on folders."""
        self._stop = stop
        return super().play(play, told, stop)

    def _come(self, _name: str, _about: str) -> None:
        self.copies += 1
        if self.copies == self._at:
            self._happen()
            assert self._stop is not None
            wait_until(self._stop.is_set, about="the play is not stopped")


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files that are data, by name."""
    if folder.is_dir():
        yield from sorted(one for one in folder.iterdir() if not one.name.startswith("."))


def _ok(**numbers: int | str) -> Played:
    line = json.dumps({"task": "done", **numbers})
    return Played(Verdict.OK, numbers, evidence=zlib.compress(line.encode()))
