"""What is proposed for a system's move can be played."""

from typing import Any

import pytest

from govcloud.domain.kinds.estate import LegacyHostSpec
from govcloud.domain.kinds.moving import Move
from govcloud.messages import render
from migration.inventory.scan.loads import loads
from migration.inventory.scan.record import fresh
from migration.running.player import AnsiblePlayer
from migration.running.port import Stage
from migration.running.prepare import proposal
from migration.running.roles import Roles
from migration.running.settings import faults


@pytest.mark.parametrize(
    ("said", "role"),
    [
        ("PostgreSQL 13", "postgresql"),
        ("MySQL 5.7", "mysql"),
        ("MariaDB 10.11.6-MariaDB", "mysql"),
        ("unheard of", "disk"),
        ("", "files"),
    ],
)
def test_the_role_that_is_proposed_knows_the_stages(said: str, role: str) -> None:
    facts = {"arch": "x86_64", "databases": [said] if said else []}
    host = LegacyHostSpec.model_validate({"room": "basement", "facts": facts})
    [workload] = proposal("portal", {"db-1": host}, [], "extranet", "debian-12")["workloads"]
    assert workload["role"] == role
    roles = Roles()
    assert all(roles.has(role, stage) for stage in (Stage.PLAN, Stage.SYNC, Stage.UNDO))
    assert roles.settings(role)["options"]


def test_a_disk_moves_as_it_is_where_somebody_says_so() -> None:
    facts = {"arch": "x86_64", "databases": ["PostgreSQL 13"]}
    host = LegacyHostSpec.model_validate({"room": "basement", "facts": facts})
    move = proposal("portal", {"db-1": host}, [], "extranet", "debian-12", whole=["db-1"])
    [workload] = move["workloads"]
    assert workload["role"] == "disk"
    options = Roles().settings("disk")["options"]
    given = workload["settings"].keys() | workload["secrets"].keys()
    assert {name for name, one in options.items() if one.get("required")} <= given <= options.keys()


FOUND: dict[str, Any] = {
    "databases": {
        "servers": [
            {"kind": "PostgreSQL", "port": 5433, "version": "13.9",
             "databases": {"postgres": 7_000_000, "hr": 3 << 30, "app": 1 << 20}},
            {"kind": "MySQL", "databases": {}, "fault": "Access denied"},
        ],
        "others": ["Redis"],
    },
    "storage": {
        "places": {"/srv": {"used": 2_048, "changed": 0}, "/home": {"used": 9, "changed": 0},
                   "/var/lib/postgresql": {"used": 99, "changed": 0},
                   "/var/www": {"used": 1, "changed": 0}},
        "filesystems": [{"at": "/data", "kind": "xfs", "size": 9, "used": 4 << 20},
                        {"at": "/boot", "kind": "ext4", "size": 9, "used": 5},
                        {"at": "/var/lib", "kind": "ext4", "size": 9, "used": 5}],
        "mounts": [{"device": "/dev/x", "at": at, "kind": "x"} for at in ("/data", "/boot")],
    },
    "services": {"running": ["ssh", "portal", "postgresql@13-main", "apache2", "nginx"],
                 "enabled": ["ssh", "portal", "idle", "postgresql@13-main", "apache2"]},
    "web": {
        "servers": [{"name": "nginx", "version": "1.22", "serving": True},
                    {"name": "apache", "version": "2.4"}],
        "sites": [{"server": "nginx", "names": ["hr.gov.cn"], "listens": ["80"], "proxies": [],
                   "roots": ["/srv/hr"], "file": "/opt/nginx/hr.conf"}],
    },
    "cron": {"jobs": [
        {"when": "5 3 * * *", "user": "root", "command": "dump", "file": "/etc/cron.d/backup"},
        {"when": "@daily", "user": "hr", "command": "x", "file": "/var/spool/cron/crontabs/hr"},
        {"when": "@daily", "user": "root", "command": "e2", "file": "/etc/cron.d/e2scrub_all"},
        {"when": "@daily", "user": "root", "command": "y", "file": "/etc/cron.daily/logrotate"},
    ]},
}  # fmt: skip


def test_what_a_scan_found_is_proposed_with_its_settings() -> None:
    """Each role takes what is proposed, and a note says what somebody has to confirm."""
    record = fresh("db-1", "10.0.0.1") | {"scanned": "2026-11-01", "found": FOUND}
    found = loads(record | {"missing": {"accounts": "time", "login": "once"}})
    host = LegacyHostSpec.model_validate({"room": "basement", "address": "10.0.0.1"})
    move = proposal("portal", {"db-1": host}, [], "extranet", "debian-12", carried={"db-1": found})
    assert [(one["role"], one["settings"]) for one in move["workloads"]] == [
        ("postgresql", {"databases": ["app", "hr"], "port": 5433}),
        ("mysql", {"databases": ["DATABASE"]}),
        ("files", {"paths": ["/data", "/srv", "/var/www"]}),
        ("nginx", {"files": ["/opt/nginx"]}),
        (
            "services",
            {"names": ["apache2"], "files": ["/etc/apache2"], "check": ["apachectl configtest"]},
        ),
        ("services", {"names": ["portal"], "files": []}),
        ("cron", {"users": ["hr"], "files": ["backup"]}),
    ]
    assert list(faults(Move.model_validate(move), AnsiblePlayer().roles())) == []
    said = [render(note.key, "en", note.params) for one in found for note in one.notes]
    assert said[0] == "Of db-1 these could not be read, so they are not proposed: accounts."
    assert "app 1Mi, hr 3.0Gi" in said[1]
    assert "No role moves Redis by itself" in said[2]
    assert "Access denied" in said[3]
    assert "hr.gov.cn (80) -> /srv/hr" in said[5]
    assert "5 3 * * * root dump, @daily hr x" in said[8]


def test_what_was_never_read_is_proposed_by_the_register() -> None:
    host = LegacyHostSpec.model_validate({"room": "basement"})
    carried = {"db-1": loads(fresh("db-1", "10.0.0.1"))}
    move = proposal("portal", {"db-1": host}, [], "extranet", "debian-12", carried=carried)
    assert [one["role"] for one in move["workloads"]] == ["files"]
