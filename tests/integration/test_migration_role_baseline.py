"""The role `baseline` on a real host."""

import subprocess
from typing import Any

import pytest

from govcloud.testing.legacy import Host
from govcloud.testing.legacy_fixtures import Mover
from migration.running.port import Mode, Stage, Verdict

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

STATE = """
find /etc ! -name '*-' ! -name .pwd.lock -type f -printf '%p %m ' -exec sha256sum {} + | sort
find /etc -type l -printf '%p %l\\n' | sort
sysctl net.ipv4.ip_forward net.ipv4.tcp_rmem; hostname; sshd -T
"""


@pytest.fixture
def base(legacy_target: Host, legacy_pair: tuple[Host, Host]) -> Mover:
    """A host as an image has it: it keeps no time yet."""
    legacy_target.run(
        "rm -f /etc/systemd/system/systemd-timesyncd.service; systemctl daemon-reload;"
        " systemctl -q disable systemd-timesyncd"
    )
    key = (legacy_target.room.folder / "key.pub").read_text().strip()
    return Mover(
        "baseline",
        legacy_target,
        legacy_target,
        {
            "time_zone": "Asia/Shanghai",
            "time_servers": ["10.0.0.1", "ntp.city.example"],
            "host_name": "hr-web-01",
            "accounts": [{"name": "clerk", "keys": [key], "groups": ["adm"]}],
            "ssh_harden": True,
            "ssh_options": {"MaxAuthTries": 3},
            "sysctl": {"net.ipv4.ip_forward": 1, "net.ipv4.tcp_rmem": "4096 131072 999999"},
            "journal": True,
        },
    )


def login(host: Host, who: str) -> str:
    """What a login of a person with the room's key prints."""
    known = f"UserKnownHostsFile={host.room.known_hosts}"
    options = ["-F", "none", "-i", str(host.room.key), "-o", "BatchMode=yes", "-o", known]
    command = ["ssh", *options, f"{who}@{host.address}", "id"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


@pytest.mark.guarantee("M3")
@pytest.mark.guarantee("M4")
def test_a_host_is_configured_and_given_back(base: Mover) -> None:
    host = base.target
    before = host.run(STATE)
    assert base.well(Stage.PLAN)["differences"] > 10
    assert host.run(STATE) == before
    assert base.well(Stage.START)["changed"] == 7
    assert base.well(Stage.START)["changed"] == 0
    assert host.run("date +%z; hostname; getent hosts hr-web-01").split()[:3] == [
        "+0800",
        "hr-web-01",
        "127.0.1.1",
    ]
    assert "adm" in login(host, "clerk")
    ssh = host.run("sshd -T").splitlines()
    assert {"passwordauthentication no", "maxauthtries 3", "x11forwarding no"} <= set(ssh)
    assert host.run("cat /proc/sys/net/ipv4/tcp_rmem").split() == ["4096", "131072", "999999"]
    assert "NTP=10.0.0.1 ntp.city.example" in host.run(
        "systemd-analyze cat-config systemd/timesyncd.conf"
    )
    host.run("systemd-cat -t kept echo of the first start")
    host.run("journalctl --sync")
    host.reboot()
    assert "of the first start" in host.run("journalctl -q -t kept")
    assert host.run("hostname; sysctl -n net.ipv4.ip_forward").split()[0] == "hr-web-01"

    base.well(Stage.UNDO)
    assert changes(before, host.run(STATE)) == set()
    assert login(host, "clerk") == ""
    assert host.run("ls -A /var/lib/govcloud-move", check=False) == ""
    base.well(Stage.UNDO, Mode.ABORTED)


def changes(before: str, after: str) -> set[str]:
    return set(before.splitlines()) ^ set(after.splitlines())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"ssh_options": {"MaxAuthTries": "many"}}, "integer value"),
        ({"time_zone": "Mars/Base"}, "there is no time zone Mars/Base"),
        ({"sysctl": {"net.ipv4.no_such": 1}}, "no_such"),
        ({"audit": 3}, "audit"),  # Not installed; or it is, and a namespace has no audit trail.
    ],
)
def test_what_is_wrong_changes_nothing(base: Mover, wrong: dict[str, Any], said: str) -> None:
    host = base.target
    base.settings = wrong
    before = host.run(STATE)
    played = base.play(Stage.START)
    assert played.verdict == Verdict.FAILED
    assert said in played.message
    assert changes(before, host.run(STATE)) == set()
    assert "root" in login(host, "root")


def test_what_differs_is_named(base: Mover) -> None:
    base.settings = {"sysctl": {"net.ipv4.ip_forward": 1}}
    base.well(Stage.START)
    base.target.run("sysctl -q -w net.ipv4.ip_forward=0")
    played = base.play(Stage.VERIFY)
    assert (played.verdict, played.message) == (Verdict.FAILED, "net.ipv4.ip_forward is 0")
    base.well(Stage.START)
    base.well(Stage.UNDO)
