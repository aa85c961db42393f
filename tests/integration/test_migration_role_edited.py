"""Settings that a plan says otherwise since: what was done is undone, and nothing else is."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from govcloud.testing.legacy import Host
from govcloud.testing.legacy_fixtures import Mover
from migration.running.port import Mode, Stage, Verdict

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.guarantee("M3")]

Pair = tuple[Host, Host]
ROLES = Path(__file__).parents[2] / "playbooks/roles"
UNIT = """
[Service]
ExecStartPre=/bin/cp /etc/{name}.conf /run/{name}.read
ExecStart=/bin/sleep infinity
[Install]
WantedBy=multi-user.target
"""


def unit(name: str) -> str:
    return f"/etc/systemd/system/{name}.service"


def serve(host: Host, *names: str) -> None:
    """Have services that run, and read a file when they begin."""
    for name in names:
        host.write(unit(name), UNIT.format(name=name))
        host.write(f"/etc/{name}.conf", f"of {host.name}\n")
        host.run(f"touch -d 2001-01-01 /etc/{name}.conf")  # As if an image brought both hosts'.
        host.run(f"systemctl daemon-reload; systemctl -q enable --now {name}")


def state(host: Host, name: str) -> str:
    return " ".join(
        host.run(f"systemctl is-{what} {name}", check=False).strip()
        for what in ("active", "enabled")
    )


@pytest.fixture
def shops(legacy_pair: Pair) -> Mover:
    """Two services at the source, of which the target has one as well, with a file of its own."""
    source, target = legacy_pair
    for host in legacy_pair:
        host.run("systemctl -q disable --now shop till 2> /dev/null || true")
        host.run(f"rm -f {unit('shop')} {unit('till')} /etc/shop.conf /etc/till.conf /run/*.read")
    serve(source, "shop", "till")
    serve(target, "till")
    return Mover("services", source, target, {"names": ["shop"], "files": files("shop")})


def files(name: str) -> list[str]:
    return [unit(name), f"/etc/{name}.conf"]


def test_services_are_stopped_and_files_go_that_were_brought(shops: Mover) -> None:
    target = shops.target
    shops.well(Stage.SYNC, Mode.INITIAL)
    shops.well(Stage.START)
    assert state(target, "shop") == "active enabled"
    shops.settings = {"names": ["till"], "files": files("till")}
    shops.well(Stage.UNDO)
    assert (state(target, "shop"), state(target, "till")) == ("inactive disabled", "active enabled")
    shops.well(Stage.UNDO, Mode.ABORTED)
    assert not target.path("/etc/shop.conf").exists()
    assert target.path("/etc/till.conf").read_text() == "of hr-new\n"
    assert state(target, "till") == "active enabled"


def test_of_files_that_are_named_later_what_stood_there_is_kept_too(shops: Mover) -> None:
    """Also of a folder around one that came before."""
    target = shops.target
    for host in (shops.source, target):
        host.run(f"mkdir -p /etc/shop.d; echo {host.name} | tee /etc/shop.d/a > /etc/shop.d/b")
    shops.settings["files"] = ["/etc/shop.d/a"]
    shops.well(Stage.SYNC, Mode.INITIAL)
    shops.settings["files"] = ["/etc/shop.d", *files("till")]
    shops.well(Stage.SYNC, Mode.DELTA)
    assert target.run("cat /etc/till.conf /etc/shop.d/*") == "of hr-old\nhr-old\nhr-old\n"
    shops.well(Stage.UNDO, Mode.ABORTED)
    assert target.run("cat /etc/till.conf /etc/shop.d/*") == "of hr-new\nhr-new\nhr-new\n"


def test_a_service_that_the_target_had_serves_what_was_brought_until_it_is_undone(
    shops: Mover,
) -> None:
    target = shops.target
    shops.settings = {"names": ["till"], "files": files("till")}
    shops.well(Stage.SYNC, Mode.INITIAL)
    assert state(target, "till") == "active enabled"
    target.run("rm /run/till.read")
    shops.well(Stage.START)
    assert target.run("cat /run/till.read") == "of hr-old\n"
    shops.well(Stage.UNDO)
    assert state(target, "till") == "inactive disabled", "it would do the source's work again"
    target.run("rm /run/till.read")
    shops.well(Stage.UNDO, Mode.ABORTED)
    assert target.run("cat /run/till.read") == "of hr-new\n"
    assert state(target, "till") == "active enabled"


def test_paths_are_thawed_that_were_frozen(legacy_pair: Pair) -> None:
    source, target = legacy_pair
    source.run("mkdir -p /srv/first /srv/other")
    mover = Mover("files", source, target, {"paths": ["/srv/first"]})
    mover.well(Stage.FREEZE)
    mover.settings = {"paths": ["/srv/other"], "read_only": False}
    mover.well(Stage.UNDO)
    source.run("touch /srv/first/yes")
    assert mover.key not in source.run("findmnt -n -l; cat /etc/fstab")


def test_jobs_of_cron_come_back_that_were_taken(legacy_pair: Pair) -> None:
    """And those that the target has of such names stay."""
    source, target = legacy_pair
    for host in legacy_pair:
        host.run("install -d -m 1730 -g crontab /var/spool/cron/crontabs; systemctl -q start cron")
        host.run(
            f"for who in games news; do echo '1 1 1 1 1 {host.name}' | crontab -u $who -; done"
        )
        host.write("/etc/cron.d/nightly", f"1 1 1 1 1 root {host.name}\n")
    target.run("crontab -u games -r")
    mover = Mover("cron", source, target, {"users": ["games"], "wait_s": 5})
    mover.well(Stage.SYNC, Mode.INITIAL)
    mover.well(Stage.FREEZE)
    mover.well(Stage.SYNC, Mode.FINAL)
    mover.well(Stage.START)
    other: dict[str, Any] = {"users": ["news"], "files": ["nightly"]}
    mover.settings = other
    played = mover.play(Stage.SYNC, Mode.FINAL)
    assert played.verdict == Verdict.FAILED
    assert "the crontab of news is on hr-new already" in played.message
    mover.settings = other | {"replace": True}
    mover.well(Stage.SYNC, Mode.FINAL)
    mover.well(Stage.START)
    mover.settings = {"users": ["man"]}
    undone = mover.well(Stage.UNDO)
    assert undone["written_since"] == 0
    jobs = "cat /etc/cron.d/nightly; crontab -u news -l; crontab -u games -l || true"
    assert source.run(jobs) == "1 1 1 1 1 root hr-old\n" + 2 * "1 1 1 1 1 hr-old\n"
    assert target.run(jobs) == "1 1 1 1 1 root hr-new\n1 1 1 1 1 hr-new\n"
    mover.well(Stage.UNDO, Mode.ABORTED)
    for host in legacy_pair:
        host.run(
            "crontab -u games -r || true; crontab -u news -r; rm /etc/cron.d/nightly", check=False
        )


def test_a_file_is_switched_back_that_was_switched(legacy_pair: Pair) -> None:
    """And before something else is switched."""
    source, target = legacy_pair
    before = target.path("/etc/hosts").read_text() + "10.9.9.1 old.gov\n10.9.9.2 other.gov\n"
    target.write("/etc/hosts", before)
    switch = Mover("switch_hosts", source, target, {"from": "10.9.9.1", "to": "10.9.9.3"})
    switch.well(Stage.START)
    switch.settings = {"from": "10.9.9.2", "to": "10.9.9.4"}
    switch.well(Stage.START)
    assert target.path("/etc/hosts").read_text() == before.replace("10.9.9.2", "10.9.9.4")
    switch.settings = {"from": "10.9.9.5", "to": "10.9.9.6"}
    switch.well(Stage.UNDO)
    assert target.path("/etc/hosts").read_text() == before


def test_an_address_comes_back_that_was_switched(legacy_pair: Pair) -> None:
    source, target = legacy_pair
    first, other = (f"10.213.{source.room.number}.{number}/24" for number in (210, 211))
    source.run(f"ip addr add {first} dev eth0")
    switch = Mover("switch_address", source, target, {"address": first})
    switch.well(Stage.START)
    switch.settings = {"address": other}
    switch.well(Stage.UNDO)
    addresses = [host.run("ip -o addr show dev eth0") for host in legacy_pair]
    assert [first in seen for seen in addresses] == [True, False]
    assert not any(other in seen for seen in addresses)
    assert switch.key not in source.run("ls /var/lib/govcloud-move", check=False)
    source.run(f"ip addr del {first} dev eth0")


def test_a_base_configuration_is_given_back_with_all_that_was_set(legacy_pair: Pair) -> None:
    host, _ = legacy_pair
    seen = "getent passwd; sysctl net.ipv4.ip_forward net.ipv4.tcp_syncookies; ls /etc/sudoers.d"
    before = host.run(seen)
    base = Mover("baseline", host, host, {})
    first, other = ({"name": name, "sudo": True} for name in ("clerk", "guard"))
    base.settings = {"accounts": [first], "sysctl": {"net.ipv4.ip_forward": 1}}
    base.well(Stage.START)
    base.settings = {"accounts": [other], "sysctl": {"net.ipv4.tcp_syncookies": 0}}
    base.well(Stage.START)
    assert host.run(seen) != before
    base.well(Stage.UNDO)
    assert host.run(seen) == before


def test_a_disk_is_thawed_that_was_frozen(legacy_pair: Pair) -> None:
    """Before another one is frozen too; a file in use as a loop device is such a disk."""
    host, here = legacy_pair[0], "/srv/machine"
    try:
        host.run(
            "[ -e /dev/loop-control ] || mknod /dev/loop-control c 10 237;"
            "for n in $(seq 0 63); do [ -e /dev/loop$n ] || mknod /dev/loop$n b 7 $n; done;"
            f"mkdir -p {here}; cd {here}; for disk in first other; do mkdir $disk;"
            " truncate -s 32M $disk.raw; mkfs.ext4 -q $disk.raw;"
            " mount -o loop $disk.raw $disk; done"
        )
    except RuntimeError as none:
        pytest.skip(f"no loop devices here: {none}")
    text = (ROLES / "disk/files/source.py").read_text("utf-8")

    def ask(what: str, name: str) -> None:
        wanted = {"device": f"{here}/{name}.raw", "snapshot": "", "name": "old", "key": "k"}
        wanted |= {"state": f"{here}/state", "mode": "final"}
        told = base64.b64encode(json.dumps(wanted).encode()).decode()
        host.run(f'python3 - {what} "$(echo {told} | base64 -d)"', stdin=text)

    def writable(name: str) -> bool:
        return host.run(f"touch {here}/{name}/x && echo yes", check=False) == "yes\n"

    try:
        ask("freeze", "first")
        ask("freeze", "other")
        assert [writable("first"), writable("other")] == [True, False]
        ask("thaw", "no such disk")
        assert [writable("first"), writable("other")] == [True, True]
    finally:
        host.run(f"umount -l {here}/first {here}/other; rm -r {here}", check=False)
