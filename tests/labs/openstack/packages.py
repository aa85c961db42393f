"""The Debian packages of the lab."""

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from settings import HERE, PATH

_REFUSE_START = "#!/bin/sh\nexit 101\n"


def missing(names: Iterable[str] = ()) -> list[str]:
    """Return which packages, by default the lab's own, are not installed yet."""
    wanted = list(names) or (HERE / "packages.txt").read_text(encoding="ascii").split()
    shown = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *wanted],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    installed = {line.split()[0] for line in shown.splitlines() if line.endswith(" installed")}
    return [name for name in wanted if name not in installed]


def version(name: str) -> str:
    """Return the version of an installed package."""
    command = ["dpkg-query", "-W", "-f", "${Version}", name]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def impossible() -> str | None:
    """Return what is missing to install packages here, or None if they can be installed."""
    if os.geteuid() != 0:
        return "root is needed"
    if shutil.which("apt-get") is None:
        return "Debian's apt-get is needed"
    return None


def install(names: list[str]) -> None:
    """Install them without questions and without starting their services."""
    environment = {**os.environ, "PATH": PATH, "DEBIAN_FRONTEND": "noninteractive"}
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        policy.write_text(_REFUSE_START, encoding="ascii")
        policy.chmod(0o755)
    try:
        for arguments in (
            # Takes up what an interrupted installation left behind.
            ["dpkg", "--configure", "-a"],
            ["apt-get", "update", "-q"],
            ["apt-get", "install", "-y", "-q", "--no-install-recommends", *names],
        ):
            subprocess.run(arguments, env=environment, stdin=subprocess.DEVNULL, check=True)
    finally:
        if ours:
            policy.unlink()
