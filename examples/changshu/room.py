"""A server room of real hosts for the wave of the play, in namespaces of this machine.

An old host holds what moves, and a new one stands in for the machine that the simulated cloud
builds. They are those of the migration's tests (`govcloud.testing.legacy`).
"""

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from govcloud.testing.legacy import Host, Room, impossible

SWITCH: Final = "GOVCLOUD_DEMO_MIGRATION"
"""Set to `off`, the wave is left out."""
OLD: Final = "job-fair-1"
NEW: Final = "job-fair-1-new"
"""The names that `migrate prepare` gives the ends."""
SITE: Final = "server { listen 80; root /srv/job-fair; }\n"
_PROGRAMS: Final = ("nginx", "ssh", "ssh-agent", "ssh-add")
_BARE: Final = """
systemctl -q disable --now nginx || true
rm -f /etc/nginx/conf.d/* /etc/nginx/sites-enabled/*; mkdir -p /var/log/nginx
"""
_SITE: Final = """
mkdir -p /srv/job-fair; cd /srv/job-fair
for i in $(seq 200); do echo "job fair, page $i" > $i.html; done
systemctl -q enable --now nginx
"""


@dataclass(frozen=True, slots=True)
class Moving:
    """A system that moves: its hosts, what moves it, how it is seen that it serves."""

    name: str
    old: Host
    new: Host
    workload: dict[str, Any]
    health: str


def hindrance() -> str | None:
    """Return why no wave can be played here, or None."""
    if os.environ.get(SWITCH, "").lower() in ("off", "0", "no"):
        return f"{SWITCH}={os.environ[SWITCH]}"
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    return impossible() or (
        f"it needs the programs {', '.join(missing)} (make setup-dev)" if missing else None
    )


@contextmanager
def furnished() -> Iterator[tuple[Room, Moving]]:
    """Set up the room and what stands in it; at the end everything is gone, however it ends."""
    with Room.open() as room:
        old, new = (room.host(name, size="256m", on=False) for name in (OLD, NEW))
        with ThreadPoolExecutor() as booting:
            list(booting.map(Host.on, (old, new)))
        for host in (old, new):
            host.run(_BARE)
        old.write("/etc/nginx/conf.d/job-fair.conf", SITE)
        old.run(_SITE)
        workload = {
            "name": "site",
            "role": "nginx",
            "settings": {"files": ["/etc/nginx/conf.d", "/srv/job-fair"]},
            "source": OLD,
            "target": NEW,
        }
        yield room, Moving("job-fair", old, new, workload, f"{new.address}:80")
