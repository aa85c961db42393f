"""What moves where neither the controller nor the target reaches the source: through a bastion."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from govcloud.testing import legacy_mariadb, legacy_postgresql
from govcloud.testing.legacy import Host, Room
from govcloud.testing.legacy_fixtures import Mover
from migration.running.port import Endpoint, Mode, Played, Stage, Verdict

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FILL = "CREATE TABLE thing (id int PRIMARY KEY, name varchar(40)); INSERT INTO thing VALUES "
FILL += ", ".join(f"({number}, 'thing {number}')" for number in range(500))

PSQL = "runuser -u postgres -- psql -XAtq behind"


@dataclass(frozen=True)
class Behind:
    """Both ends as ordinary accounts, behind a bastion."""

    source: Host
    target: Host
    ends: dict[str, Endpoint]
    through: str

    def play(
        self, role: str, stage: Stage, settings: dict[str, Any], **ways: str
    ) -> tuple[Verdict, str]:
        """Play a stage; return how it ended."""
        mover = Mover(role, self.source, self.target, settings)
        order = replace(mover.order(stage, Mode.INITIAL), **self.ends)
        order = replace(order, source=replace(order.source, **ways))
        played: Played = mover.player.play(order, mover.told.append, threading.Event())
        return played.verdict, played.message


@pytest.fixture(scope="module")
def behind(
    legacy_room: Room,
    legacy_source: Host,
    legacy_target: Host,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Behind]:
    """Keep both ends from each other and from this machine; the path of host keys is an odd one."""
    gate = legacy_room.host("gate")
    gate.account("ops")
    for host in (legacy_source, legacy_target):
        host.account("ops", "ALL=(ALL) NOPASSWD: ALL")
    known: Path = tmp_path_factory.mktemp("known") / "known hosts {{ 100 }}%h"
    known.write_text(legacy_room.known_hosts.read_text())
    through = f"ops@{gate.address}"
    ends = {
        name: replace(
            host.endpoint(), user="ops", become=True, bastion=through, known_hosts=str(known)
        )
        for name, host in (("source", legacy_source), ("target", legacy_target))
    }
    legacy_target.run(f"ip route add unreachable {legacy_source.address}")
    with legacy_room.apart(legacy_source, legacy_target):
        yield Behind(legacy_source, legacy_target, ends, through)


def test_who_cannot_be_reached_is_told(behind: Behind) -> None:
    behind.source.run("mkdir -p /srv/tree; echo page > /srv/tree/page")
    tree = {"paths": ["/srv/tree"]}
    verdict, message = behind.play("files", Stage.PLAN, tree)
    assert verdict == Verdict.UNREACHABLE
    assert "name a bastion in `fetchThrough` of the source" in message
    nobody = behind.through.replace("ops@", "no@")
    verdict, message = behind.play("files", Stage.PLAN, tree, bastion=nobody)
    assert verdict == Verdict.UNREACHABLE
    assert f"the bastion refuses: {nobody}: Permission denied" in message


MOVED: dict[str, tuple[dict[str, Any], str, str]] = {
    "files": (
        {"paths": ["/srv/tree"]},
        "mkdir -p /srv/tree; head -c 100000 /dev/urandom > /srv/tree/page",
        "sha256sum /srv/tree/page",
    ),
    "nginx": (
        {"files": ["/etc/nginx/conf.d"]},
        "echo 'server { listen 8081; }' > /etc/nginx/conf.d/site.conf",
        "cat /etc/nginx/conf.d/site.conf",
    ),
    "cron": (
        {"files": ["report"]},
        "echo '5 4 * * * root true' > /etc/cron.d/report",
        "find /var/lib/govcloud-move /etc/cron.d -type f | xargs grep -hx '5 4 .*'",
    ),
    "postgresql": (
        {"databases": ["behind"]},
        f'cd /; runuser -u postgres -- createdb behind; {PSQL} -c "{FILL}"',
        f"cd /; {PSQL} -c 'TABLE thing ORDER BY 1'",
    ),
    "mysql": (
        {"databases": ["behind"]},
        f'mariadb -e "CREATE DATABASE behind; USE behind; {FILL}"',
        "mariadb -BN behind -e 'SELECT * FROM thing ORDER BY 1'",
    ),
}
"""For each role its settings, how there comes to be something, and how that is seen."""


@pytest.mark.parametrize("role", MOVED)
def test_data_passes_through_the_bastion(behind: Behind, role: str) -> None:
    settings, fill, seen = MOVED[role]
    serve = {"postgresql": legacy_postgresql.serve, "mysql": legacy_mariadb.serve}.get(role)
    if serve:
        serve(behind.source)
        serve(behind.target)
    behind.source.run(fill)
    ended = behind.play(role, Stage.SYNC, settings, fetch_through=behind.through)
    assert ended == (Verdict.OK, "")
    assert behind.target.run(seen) == behind.source.run(seen) != ""
