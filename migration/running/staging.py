"""The place in which a play runs on this machine: a folder of its own, and a stagehand."""

import json
import os
import re
import selectors
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from migration.running.roles import Roles

_FOLDER: Final = "govcloud-play-"
_LOOK_S: Final = 0.2
_TEMPLATE: Final = re.compile(r"\{[{%#]")


def environment(folder: Path, roles: Roles) -> dict[str, str]:
    """Return what Ansible is told by its environment."""
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_CONFIG": str(roles.playbooks / "ansible.cfg"),
        "ANSIBLE_ROLES_PATH": ":".join(str(path) for path in roles.folders),
        # Said here too: ansible-runner turns it off wherever the environment does not say it.
        "ANSIBLE_HOST_KEY_CHECKING": "True",
        "ANSIBLE_HOME": str(folder / "home"),
        "ANSIBLE_LOCAL_TEMP": str(folder / "home/tmp"),
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "cp"),
    }


def plain(value: object) -> object:
    """Mark texts that Ansible is to take as they are, though they look like a template of its."""
    if isinstance(value, str):
        return {"__ansible_unsafe": value} if _TEMPLATE.search(value) else value
    if isinstance(value, Mapping):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    return value


def write(file: Path, value: object) -> None:
    """Write what Ansible reads; it is templates that Ansible fills in where `plain` is not said."""
    file.write_text(json.dumps(value), encoding="utf-8")


@contextmanager
def private_folder() -> Iterator[Path]:
    """Make a folder that only this user may enter, in memory where there is such a place."""
    shared = Path("/dev/shm")  # noqa: S108 (a folder of our own in it, mode 0700)
    place = shared if os.access(shared, os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix=f"{_FOLDER}{os.getpid()}-", dir=place))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep_folders() -> None:
    """Remove the folders of processes that were killed."""
    for place in {"/dev/shm", tempfile.gettempdir()}:  # noqa: S108 (see above)
        for folder in Path(place).glob(f"{_FOLDER}*"):
            pid = folder.name.removeprefix(_FOLDER).split("-")[0]
            if not Path(f"/proc/{pid}").exists():
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def stagehand(order: Mapping[str, object]) -> Iterator[subprocess.Popen[bytes]]:
    """Start a stagehand with its order; it ends with this block, and when this process dies."""
    process = subprocess.Popen(
        [sys.executable, "-m", "migration.running.stagehand"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps(order).encode() + b"\n")
            process.stdin.flush()
        yield process
    finally:
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.stdout.close()
        process.wait()


def lines(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """Yield what the stagehand says line by line, and an empty line whenever it says nothing."""
    assert process.stdout is not None
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            if not selector.select(_LOOK_S):
                yield b""
                continue
            data = os.read(process.stdout.fileno(), 65536)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            yield from lines
