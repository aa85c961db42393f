"""A server room of real hosts for the wave of the play, in namespaces of this machine.

Two old hosts hold what moves, and two new ones stand in for the machines that the simulated cloud
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
_FILES: Final = """
mkdir -p /srv/training; cd /srv/training
for i in $(seq 40); do head -c 500000 /dev/urandom > course-$i.bin; done
chown -R 1200:1200 .
"""


@dataclass(frozen=True, slots=True)
class Moving:
    """A system that moves: its hosts, what moves it, how it is seen that it serves."""

    name: str
    old: Host
    new: Host
    workloads: tuple[dict[str, Any], ...]
    health: str

    @property
    def ends(self) -> dict[str, str]:
        """The ends of a workload, by the names that `migrate prepare` gives."""
        return {"source": f"{self.name}-1", "target": f"{self.name}-1-new"}


def hindrance() -> str | None:
    """Return why no wave can be played here, or None."""
    if os.environ.get(SWITCH, "").lower() in ("off", "0", "no"):
        return f"{SWITCH}={os.environ[SWITCH]}"
    missing = [name for name in _PROGRAMS if shutil.which(name) is None]
    return impossible() or (
        f"it needs the programs {', '.join(missing)} (make setup-dev)" if missing else None
    )


@contextmanager
def furnished() -> Iterator[tuple[Room, tuple[Moving, ...]]]:
    """Set up the room and what stands in it; at the end everything is gone, however it ends."""
    with Room.open() as room:
        names = ("job-fair-1", "training-files-1", "job-fair-1-new", "training-files-1-new")
        hosts = [room.host(name, size="256m", on=False) for name in names]
        with ThreadPoolExecutor() as booting:
            list(booting.map(Host.on, hosts))
        site, files, new_site, new_files = hosts
        for host in (site, new_site):
            host.run(_BARE)
        site.write("/etc/nginx/conf.d/job-fair.conf", SITE)
        site.run(_SITE)
        files.run(_FILES)
        paths = ["/etc/nginx/conf.d", "/srv/job-fair"]
        yield (
            room,
            (
                Moving(
                    "job-fair",
                    site,
                    new_site,
                    ({"name": "site", "role": "nginx", "settings": {"files": paths}},),
                    f"{new_site.address}:80",
                ),
                Moving(
                    "training-files",
                    files,
                    new_files,
                    ({"name": "files", "role": "files", "settings": {"paths": ["/srv/training"]}},),
                    f"{new_files.address}:22",
                ),
            ),
        )
