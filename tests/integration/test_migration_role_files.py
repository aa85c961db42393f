"""The role `files` on real hosts: copies, deltas, freezing, verifying, undoing."""

import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from govcloud.testing.legacy import Host
from govcloud.testing.legacy_fixtures import LEASE_S, Mover
from govcloud.testing.meanwhile import wait_until
from migration.running.port import Mode, Stage, Verdict

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

FILL = """
rm -rf {path}; mkdir -p {path}/sub; cd {path}
for i in $(seq 100); do echo page $i > sub/$i.html; done
head -c 2000000 /dev/urandom > picture; ln picture again; ln -s picture link
truncate -s 4M sparse; touch 'with space 和中文'
chown www-data:www-data sub/1.html; chmod 4750 sub/2.html
setfacl -m u:www-data:rw sub/3.html; setfattr -n user.origin -v census sub/4.html
"""
STATE = """
cd {path}; find . -printf '%P %y %m %U:%G %s %T@ %C@ %l\\n' | sort
find . -type f -print0 | sort -z | xargs -0 sha256sum; getfacl -R . 2>&1; cat /etc/fstab
ls /var/lib /run; findmnt -n -l
"""


def state(host: Host, path: str) -> str:
    """Everything about the files, and the rest of the host that a move could touch."""
    return host.run(STATE.format(path=path))


@pytest.fixture
def site(legacy_pair: tuple[Host, Host], request: pytest.FixtureRequest) -> Mover:
    source, target = legacy_pair
    path = f"/srv/{request.node.name.replace('[', '-').rstrip(']')}"
    source.run(FILL.format(path=path))
    return Mover("files", source, target, {"paths": [path]})


def path_of(mover: Mover) -> str:
    return str(mover.settings["paths"][0])


@pytest.mark.guarantee("M1")
@pytest.mark.guarantee("M3")
@pytest.mark.guarantee("M4")
def test_all_stages(site: Mover) -> None:
    """Before the freeze the source is untouched; after undoing it is what it was, and serves."""
    path = path_of(site)
    before = state(site.source, path)
    planned = site.well(Stage.PLAN)
    assert planned["room"] > planned["bytes"] > 2_000_000
    assert site.well(Stage.SYNC, Mode.TEST)["files"] == 103
    assert site.well(Stage.VERIFY, Mode.TEST)["differences"] == 0
    assert not site.target.path(path).exists(), "a test copy stands on the side"
    side = f"/var/lib/govcloud-move/{site.key}/test"
    assert site.target.path(side).exists()
    site.well(Stage.UNDO, Mode.TEST)
    assert not site.target.path(side).exists()
    first = site.well(Stage.SYNC, Mode.INITIAL)
    assert first["bytes"] > 2_000_000
    assert int(site.target.run(f"du -s --block-size=1 {path}/sparse").split()[0]) < 1_000_000
    assert state(site.source, path) == before

    site.source.run(f"cd {path}; echo more >> sub/5.html; rm sub/6.html")
    delta = site.well(Stage.SYNC, Mode.DELTA)
    assert delta["files"] == 1
    assert delta["bytes"] < 20_000, "only what changed is moved"

    site.well(Stage.FREEZE)
    with pytest.raises(RuntimeError, match="Read-only"):
        site.source.run(f"echo no > {path}/sub/7.html")
    site.well(Stage.SYNC, Mode.FINAL)
    # All that is there, and the folder in which it stands.
    there = int(site.source.run(f"find {path} | wc -l")) + 1
    assert site.well(Stage.VERIFY)["compared"] == there
    assert "user:www-data:rw-" in site.target.run(f"getfacl {path}/sub/3.html")
    assert "census" in site.target.run(f"getfattr -d {path}/sub/4.html")

    site.target.run(f"echo late > {path}/late")
    undone = site.well(Stage.UNDO)
    assert undone["written_since"] == 1
    assert path in undone["kept_in"]
    assert site.target.path(f"{path}/late").exists()
    site.source.run(f"echo yes > {path}/sub/7.html")
    notes = "find /var/lib/govcloud-move /run/govcloud-move -mindepth 1"
    rest = f"{notes}; cat /etc/fstab; findmnt -n -l | grep srv"
    assert site.source.run(rest, check=False).strip() == ""

    site.well(Stage.UNDO, Mode.ABORTED)
    assert not site.target.path(path).exists()
    assert site.target.run("ls /var/lib/govcloud-move /run/govcloud-move").count(site.key) == 0


@pytest.mark.guarantee("M4")
@pytest.mark.parametrize("spoil", ["byte", "missing", "owner", "more"])
def test_every_difference_is_found(site: Mover, spoil: str) -> None:
    path = path_of(site)
    site.well(Stage.SYNC, Mode.INITIAL)
    how = {
        "byte": f"printf X | dd of={path}/picture bs=1 seek=1000 conv=notrunc; touch -r {path}/link"
        f" {path}/picture",
        "missing": f"rm {path}/sub/9.html",
        "owner": f"chown daemon {path}/sub/9.html",
        "more": f"touch {path}/sub/new",
    }
    site.target.run(how[spoil])
    played = site.play(Stage.VERIFY)
    assert played.verdict == Verdict.FAILED
    assert {"byte": "picture", "more": "sub/new"}.get(spoil, "sub/9.html") in played.message
    assert int(played.numbers["differences"]) >= 1


def test_a_frozen_source_stays_frozen_when_it_reboots(site: Mover) -> None:
    path = path_of(site)
    site.source.write("/etc/systemd/system/writer.service", WRITER.format(path=path))
    site.source.run("systemctl daemon-reload; systemctl enable --now writer")
    site.settings["services"] = ["writer"]
    site.well(Stage.FREEZE)
    site.source.reboot()
    assert site.source.run("systemctl is-active writer", check=False).strip() == "inactive"
    with pytest.raises(RuntimeError, match="Read-only"):
        site.source.run(f"echo no > {path}/no")
    site.well(Stage.UNDO)
    assert site.source.run("systemctl is-active writer; systemctl is-enabled writer") == (
        "active\nenabled\n"
    )
    site.source.run(f"systemctl disable --now writer; echo yes > {path}/yes")


GOING = """#!/bin/sh
/opt/rsync "$@" || exit
exit 24
"""


def test_what_changes_under_a_test_copy_speaks_not_against_it(site: Mover) -> None:
    """Files that go, folders that are renamed, names that are no UTF-8 or hold a line's end."""
    path, source, target = path_of(site), site.source, site.target
    old = "$(printf '\\261\\250.log')"
    source.run(f"cd {path}; mkdir a b; touch {old} a/{old} b/kept $'two\\nlines' '中文 -> x'")
    target.run("cp /usr/bin/rsync /opt/rsync")
    target.write("/opt/going", GOING, 0o755)
    target.run("mount --bind /opt/going /usr/bin/rsync")
    try:
        site.well(Stage.SYNC, Mode.TEST)
        source.run(f"cd {path}; date > {old}; date > $'two\\nlines'; date > '中文 -> x'; mv a c")
        assert site.well(Stage.VERIFY, Mode.TEST)["differences"] == 0
        target.run(f"rm -r /var/lib/govcloud-move/{site.key}/test{path}/b")
        played = site.play(Stage.VERIFY, Mode.TEST)
        assert played.numbers["differences"] == 2
        assert f"{path[1:]}/b/kept" in played.message
        site.well(Stage.SYNC, Mode.INITIAL)
        assert site.play(Stage.SYNC, Mode.FINAL).verdict == Verdict.FAILED
        site.well(Stage.UNDO)
    finally:
        target.run("umount /usr/bin/rsync")


@pytest.mark.guarantee("M4")
def test_what_is_mounted_below_is_frozen_and_copied_too(site: Mover) -> None:
    """And whoever has mounts of its own that follow the host's: as services of systemd have."""
    path = path_of(site)
    inner = f"{path}/archive/of the years"
    source = site.source
    source.run(f"mkdir {path}/archive; mount -t tmpfs -o nosuid none {path}/archive")
    source.run(f"mkdir '{inner}'; mount -t tmpfs none '{inner}'; echo one > '{inner}/2019.pdf'")
    mounts = source.run("findmnt -n -l")
    try:
        site.well(Stage.SYNC, Mode.INITIAL)
        with follower(source) as pid:
            for _ in range(2):  # Again at will.
                site.well(Stage.FREEZE)
            for enter in ("", f"nsenter -t {pid} -m "):
                for place in (path, f"{path}/archive", inner):
                    with pytest.raises(RuntimeError, match="Read-only"):
                        source.run(f"{enter}touch '{place}/no'")
            site.well(Stage.SYNC, Mode.FINAL)
            site.well(Stage.VERIFY)
            assert site.target.path(f"{inner}/2019.pdf").read_text() == "one\n"
            site.well(Stage.UNDO)
            assert source.run("findmnt -n -l") == mounts
            source.run(f"nsenter -t {pid} -m touch '{inner}/yes'; touch {path}/yes")

        site.well(Stage.FREEZE)
        source.reboot()  # It forgets what is in memory.
        played = site.play(Stage.SYNC, Mode.FINAL)
        assert played.verdict == Verdict.FAILED
        assert f"{path}/archive is no longer mounted on hr-old" in played.message
        source.run(f"mount -t tmpfs -o nosuid none {path}/archive; mkdir '{inner}'")
        source.run(f"mount -t tmpfs none '{inner}'; echo two > '{inner}/2019.pdf'")
        site.well(Stage.SYNC, Mode.FINAL)
        with pytest.raises(RuntimeError, match="Read-only"):
            source.run(f"touch '{inner}/no'")
        assert site.target.path(f"{inner}/2019.pdf").read_text() == "two\n"
        site.well(Stage.UNDO)
        source.run(f"touch '{inner}/yes'")
    finally:
        source.run(f"umount -R {path}/archive", check=False)


@contextmanager
def follower(host: Host) -> Iterator[str]:
    """Run a process with mounts of its own that follow the host's."""
    apart = "unshare -m --propagation slave sh -c 'echo $$ > /run/follower; exec sleep 600'"
    host.run(f"rm -f /run/follower; setsid -f {apart} > /dev/null 2>&1 < /dev/null")
    host.run("until [ -s /run/follower ]; do sleep 0.05; done")
    pid = host.run("cat /run/follower").strip()
    try:
        yield pid
    finally:
        host.run(f"kill {pid}", check=False)


@pytest.mark.guarantee("M1")
def test_only_what_was_frozen_is_released(site: Mover) -> None:
    """What was read-only before stays so, and a file without a last newline stays whole."""
    path, source = path_of(site), site.source
    shelf = f"{path} shelf"
    source.run(f"mkdir -p '{shelf}'; mount -t tmpfs none '{shelf}'; echo x > '{shelf}/archive'")
    source.run(f"mount -o remount,ro '{shelf}'")
    table = source.path("/etc/fstab")
    before = table.read_text()
    table.write_text("# the last line\nnone /mnt/x tmpfs noauto 0 0")
    mounts = source.run("findmnt -n -l")
    site.settings["paths"] = [path, shelf]
    try:
        site.well(Stage.SYNC, Mode.INITIAL)
        site.well(Stage.FREEZE)
        assert f"\n{path} {path} none bind,ro 0 0 # {site.key}\n" in table.read_text()
        site.well(Stage.UNDO)
        site.well(Stage.UNDO)
        assert table.read_text() == "# the last line\nnone /mnt/x tmpfs noauto 0 0\n"
        assert source.run("findmnt -n -l") == mounts
        assert source.run(f"cat '{shelf}/archive'") == "x\n"
    finally:
        table.write_text(before)
        source.run(f"umount '{shelf}'; rmdir '{shelf}'")


APART = "unshare -m --propagation private sh -c"


@pytest.mark.guarantee("M4")
@pytest.mark.parametrize(
    ("begin", "said"),
    [
        ("cd {path}/sub; exec sleep 600", "sleep (process {pid}) works in {path}/sub"),
        ("exec 3>> {path}/link; exec sleep 600", "sleep (process {pid}) has {path}/picture open"),
        (
            f"{APART} 'mount --bind {{path}} /mnt; mount -t tmpfs none /srv; exec sleep 600'",
            "sleep (process {pid}) sees it for writing at /mnt",
        ),
    ],
    ids=["folder", "file", "container"],
)
def test_who_can_write_after_the_freeze_is_named(site: Mover, begin: str, said: str) -> None:
    path, source = path_of(site), site.source
    source.run("rm -f /run/writer; mkdir -p /mnt")
    begin = f"echo $$ > /run/writer; {begin.format(path=path)}"
    source.write("/opt/begin", begin)
    source.run("setsid -f sh /opt/begin > /dev/null 2>&1 < /dev/null")
    source.run("until [ -s /run/writer ]; do date > /dev/null; done")
    pid = source.run("until pgrep -x sleep; do date > /dev/null; done").strip()
    try:
        played = site.play(Stage.FREEZE)
        assert played.verdict == Verdict.FAILED
        assert said.format(path=path, pid=pid) in played.message
    finally:
        source.run(f"kill {pid}")
    site.well(Stage.FREEZE)
    site.well(Stage.UNDO)


def test_another_mount_of_a_frozen_path_is_named(site: Mover) -> None:
    path, source = path_of(site), site.source
    source.run(f"mkdir -p /mnt/export; mount --bind {path}/sub /mnt/export")
    played = site.play(Stage.FREEZE)
    assert "it is mounted for writing at /mnt/export too" in played.message
    source.run("umount /mnt/export")
    site.well(Stage.FREEZE)
    site.well(Stage.UNDO)


WRITER = """
[Unit]
Description=writes
[Service]
ExecStart=/bin/sh -c 'while sleep 0.2; do date > {path}/written; done'
[Install]
WantedBy=multi-user.target
"""


@pytest.mark.guarantee("M2")
@pytest.mark.parametrize("lost", ["rsync", "target", "source", "link"])
def test_an_interrupted_copy_goes_on(site: Mover, lost: str) -> None:
    """What was copied before rsync, a host or the link was lost is not copied again."""
    path = path_of(site)
    site.source.run(f"head -c 40000000 /dev/urandom > {path}/large")
    sizes = site.source.run(f"find {path} -type f -printf '%s '").split()
    cut = {
        "rsync": lambda: site.target.run("pkill -KILL rsync"),
        "target": site.target.reboot,
        "source": site.source.reboot,
        "link": site.target.unplug,
    }[lost]
    played = site.interrupted(cut, 16_000_000, 2000)
    assert played.verdict == Verdict.UNREACHABLE, played.message
    assert played.message
    totals = [told.bytes_total for told in site.told if told.bytes_total]
    assert totals
    assert max(abs(total / sum(map(int, sizes)) - 1) for total in totals) < 0.05
    site.told.clear()
    site.target.plug()
    there = int(site.target.run(f"du -s --block-size=1 {path}/large").split()[0])
    again = site.well(Stage.SYNC, Mode.INITIAL)
    assert again["bytes"] < 47_000_000 - there * 0.8
    assert {told.bytes_total for told in site.told} == {None}, "nobody knows what is there already"
    assert site.well(Stage.VERIFY)["differences"] == 0


@pytest.mark.guarantee("M5")
def test_a_full_target_is_said_and_nothing_is_left(site: Mover) -> None:
    path = path_of(site)
    site.target.run(f"mkdir -p {path}; mount -t tmpfs -o size=1m tmpfs {path}")
    try:
        planned = site.play(Stage.PLAN)
        assert planned.verdict == Verdict.FAILED
        assert "has room for" in planned.message
        played = site.play(Stage.SYNC, Mode.INITIAL)
        assert played.verdict == Verdict.FAILED
        assert "No space left" in played.message
        site.settings["paths"] = [path]
        site.target.run(f"umount {path}")
        site.well(Stage.UNDO, Mode.ABORTED)
    finally:
        site.target.run(f"umount -l {path}", check=False)
    assert not site.target.path(path).exists()


def test_what_stands_at_the_target_is_not_replaced_unasked(site: Mover) -> None:
    path = path_of(site)
    site.target.run(f"mkdir -p {path}; echo mine > {path}/mine")
    played = site.play(Stage.SYNC, Mode.INITIAL)
    assert played.verdict == Verdict.FAILED
    assert "stands on hr-new already" in played.message
    assert site.target.path(f"{path}/mine").read_text() == "mine\n"
    site.settings["replace"] = True
    site.well(Stage.SYNC, Mode.INITIAL)
    assert not site.target.path(f"{path}/mine").exists()


def test_what_was_copied_is_undone_also_where_the_plan_names_other_paths_since(
    site: Mover,
) -> None:
    """What the target had at those is neither replaced nor taken away."""
    first, other = path_of(site), f"{path_of(site)}-other"
    site.well(Stage.SYNC, Mode.INITIAL)
    for host, name in ((site.source, "theirs"), (site.target, "mine")):
        host.run(f"mkdir -p {other}; echo {name} > {other}/{name}")
    site.settings["paths"] = [other]
    played = site.play(Stage.SYNC, Mode.DELTA)
    assert played.verdict == Verdict.FAILED
    assert f"{other} stands on hr-new already" in played.message
    site.well(Stage.UNDO, Mode.ABORTED)
    assert site.target.path(f"{other}/mine").read_text() == "mine\n"
    assert not site.target.path(first).exists()


def test_stopping_ends_everything_soon(site: Mover) -> None:
    site.source.run(f"head -c 40000000 /dev/urandom > {path_of(site)}/large")
    stop = threading.Event()
    site_told = site.told.append

    def told(what: object) -> None:
        site_told(what)  # type: ignore[arg-type]
        if getattr(what, "bytes_done", None):
            stop.set()

    order = site.order(Stage.SYNC, Mode.INITIAL, bandwidth_kib=400)
    played = site.player.play(order, told, stop)
    assert played.verdict == Verdict.STOPPED
    assert zlib.decompress(played.evidence).count(b"\n") > 3
    nobody_copies(site)


def test_a_play_has_its_time(site: Mover) -> None:
    site.source.run(f"head -c 40000000 /dev/urandom > {path_of(site)}/large")
    played = site.play(Stage.SYNC, Mode.INITIAL, bandwidth_kib=200, timeout_s=15)
    assert played.verdict == Verdict.STOPPED
    nobody_copies(site)


def nobody_copies(site: Mover) -> None:
    """Work on a host ends when nobody watches it any more."""
    wait_until(lambda: not site.target.run("pgrep -x rsync", check=False), 4 * LEASE_S)


def test_unknown_settings_and_paths_are_named(site: Mover, tmp_path: Path) -> None:
    """And what somebody writes is never a template that Ansible fills in at the controller."""
    done = tmp_path / "done"
    nothing = f"/srv/{{{{ lookup('pipe', 'touch {done}') }}}}"
    missing = Mover("files", site.source, site.target, {"paths": [nothing]})
    played = missing.play(Stage.PLAN)
    assert played.verdict == Verdict.FAILED
    assert f"{nothing} does not exist" in played.message
    assert not done.exists()
    wrong = Mover("files", site.source, site.target, {"paths": ["/srv"], "owners": "nobody"})
    played = wrong.play(Stage.PLAN)
    assert played.verdict == Verdict.FAILED
    assert "owners" in played.message


@pytest.mark.guarantee("M4")
def test_what_a_reboot_has_thawed_is_frozen_and_compared_again(site: Mover) -> None:
    """Paths with mounts of their own; what was written meanwhile is not left behind."""
    path, source = path_of(site), site.source
    place, table = f"{path}/archive", source.path("/etc/fstab").read_text()
    source.run(f"mkdir {place}; echo 'none {place} tmpfs nosuid 0 0' >> /etc/fstab; mount {place}")
    fill = f"cd {place}; echo old > one; echo new > {{}}; touch -d 2001-01-01 * ."
    source.run(fill.format("two"))
    try:
        site.well(Stage.SYNC, Mode.INITIAL)
        site.well(Stage.FREEZE)
        site.well(Stage.SYNC, Mode.FINAL)
        site.well(Stage.VERIFY)
        source.reboot()
        source.run(fill.format("two; echo > late"))
        for _ in range(2):
            played = site.play(Stage.START)
            assert played.verdict == Verdict.FAILED
            assert "archive/late" in played.message
            with pytest.raises(RuntimeError, match="Read-only"):
                source.run(f"touch {place}/later")
        site.well(Stage.SYNC, Mode.FINAL)
        source.reboot()
        source.run(fill.format("two; echo > late"))
        assert site.well(Stage.VERIFY)["differences"] == 0
        assert "compared" not in site.well(Stage.START), "once is enough"
        with pytest.raises(RuntimeError, match="Read-only"):
            source.run(f"touch {place}/later")
        site.well(Stage.UNDO)
        source.run(f"touch {place}/later")
    finally:
        source.path("/etc/fstab").write_text(table)
        source.run(f"umount {place}", check=False)


@pytest.mark.guarantee("M5")
def test_an_aborted_undo_that_cannot_remove_what_was_copied_says_so(site: Mover) -> None:
    """And does so the next time; what cannot be removed is not forgotten."""
    path, target = path_of(site), site.target
    site.well(Stage.SYNC, Mode.INITIAL)
    target.run(f"mount --bind {path}/sub {path}/sub; mount -o remount,bind,ro {path}/sub")
    played = site.play(Stage.UNDO, Mode.ABORTED)
    assert played.verdict == Verdict.FAILED
    assert "Read-only file system" in played.message
    target.run(f"umount {path}/sub")
    site.well(Stage.UNDO, Mode.ABORTED)
    assert not target.path(path).exists()
