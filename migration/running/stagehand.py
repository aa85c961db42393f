"""The process in which one play runs: `python -m migration.running.stagehand`.

Its first line of input says what to play: the folder, the private keys to offer to hosts (null:
those of the agent that there is), and variables of the environment (secrets among them, which so
stand in no file and in no list of processes). What it prints is what ansible-runner tells, one
event of JSON a line.

When its input ends, be it because the controller was killed, everything that the play started on
this machine is killed, also what has made itself independent: this process adopts its orphans.
"""

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from govcloud.messages import DEFAULT_LANGUAGE, render

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_UNREACHABLE: Final = 4
"""The exit code by which ansible says so: it is tried again."""
_ADD_WITHOUT_AGENT: Final = 2
"""The exit code of `ssh-add` for an agent that does not answer."""
_GONE_S: Final = 5.0
_AGENT_S: Final = 20.0
"""For an agent to answer; on a busy machine it takes its time."""


class _NoAgentError(Exception):
    """The agent has ended, or does not answer in time."""


def main() -> None:
    """Play what the input says, then end with ansible's exit code."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is meant for whoever started this.
    # Read without a buffer of Python's, as the watch goes on reading from the same descriptor.
    order = json.loads(_line(0))
    folder = Path(order["folder"])
    left = threading.Event()
    watch = threading.Thread(target=_watch, args=(folder, left), daemon=True)
    watch.start()
    os.environ.update(order["environment"])
    try:
        if order["keys"] is not None:
            os.environ["SSH_AUTH_SOCK"] = _agent(folder, order["keys"])
        code = _run(folder, order["arguments"])
    except _NoAgentError:
        _say({"event": "error", "stdout": render("migrate.play_no_agent", DEFAULT_LANGUAGE)})
        code = _UNREACHABLE
    except subprocess.CalledProcessError as fault:
        _say({"event": "error", "stdout": fault.stderr})
        code = _UNREACHABLE if fault.returncode == _ADD_WITHOUT_AGENT else 1
    finally:
        _sweep()
        if left.is_set():
            watch.join()  # It ends this process when the folder is gone.
    sys.stdout.flush()
    os._exit(code if 0 <= code < 128 else 1)


def _line(number: int) -> bytes:
    text = bytearray()
    while not text.endswith(b"\n"):
        more = os.read(number, 65536)
        if not more:
            os._exit(1)
        text += more
    return bytes(text)


def _watch(folder: Path, left: threading.Event) -> None:
    """Wait for the end of the input, then end everything; `left` tells that it has come."""
    while os.read(0, 4096):
        pass
    left.set()
    _sweep()
    # Whoever sees to ansible hears of its end meanwhile, and may still write about it.
    until = time.monotonic() + _GONE_S
    while folder.exists() and time.monotonic() < until:
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def _agent(folder: Path, keys: list[str]) -> str:
    """Start an agent that holds the keys; return its socket."""
    place = str(folder / "agent")
    command = ["ssh-agent", "-D", "-a", place]
    agent = subprocess.Popen(  # noqa: S603
        command,
        stdout=subprocess.DEVNULL,
        preexec_fn=_die_with_parent,  # noqa: PLW1509
    )
    _await(place, agent)
    # Without a key named, those that the user has by default; there may be none.
    subprocess.run(  # noqa: S603
        ["ssh-add", "-q", "--", *keys],  # noqa: S607 (as the user's PATH says)
        env={**os.environ, "SSH_AUTH_SOCK": place, "SSH_ASKPASS_REQUIRE": "never"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=bool(keys),
    )
    return place


def _await(place: str, agent: subprocess.Popen[bytes]) -> None:
    """Wait until an agent takes connections; its socket is there a little before it does."""
    until = time.monotonic() + _AGENT_S
    while time.monotonic() < until and agent.poll() is None:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as way:
            way.connect(place)
            return
        time.sleep(0.005)
    raise _NoAgentError


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _run(folder: Path, arguments: Mapping[str, Any]) -> int:
    import ansible_runner

    runner = ansible_runner.run(
        private_data_dir=str(folder),
        event_handler=_say,
        quiet=True,
        settings={"suppress_ansible_output": True},
        **arguments,
    )
    return int(runner.rc)


def _say(event: Mapping[str, Any]) -> bool:
    """Print an event; False, so that ansible-runner keeps none of its own."""
    said = {key: event.get(key) for key in ("event", "created", "event_data")}
    if event["event"] == "error":
        said["event_data"] = {**(said["event_data"] or {}), "res": {"msg": event.get("stdout")}}
    try:
        print(json.dumps(said))
        sys.stdout.flush()
    except BrokenPipeError:
        threading.Event().wait()  # Nobody listens any more: the watch ends this process.
    return False


def _sweep() -> None:
    """Kill all descendants, those that become ours while we do it too."""
    while victims := _descendants(os.getpid()):
        for pid in victims:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, tasks.read_text(encoding="ascii").split()):
                found += [child, *_descendants(child)]
    return found


if __name__ == "__main__":
    main()
