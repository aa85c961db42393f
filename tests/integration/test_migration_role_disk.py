"""The role `disk`: a disk is read, becomes an image, is compared, is taken back.

On real hosts the disk is a loop device with a partition in use; there the image service is a
stand-in (`govcloud.testing.images`). What goes wrong is shown with the role's helpers alone, on
this machine, and so is a real image service.
"""

import base64
import json
import os
import shlex
import shutil
import stat
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

import pytest

from govcloud.testing.images import PASSWORD, USER, ImageService, serving
from govcloud.testing.legacy import Host, Room
from govcloud.testing.legacy_fixtures import NOTES, Mover
from migration.running.port import Mode, Stage

pytestmark = pytest.mark.skipif(
    shutil.which("qemu-img") is None, reason="there is no qemu-img (make setup-dev as root)"
)
ROLES: Final = Path(__file__).parents[2] / "playbooks/roles"
FILES: Final = (
    "disk/files/disk.py",
    "disk/files/blocks.py",
    "disk/files/images.py",
    "disk/files/source.py",
    "databases/files/ends.py",
    "databases/files/notes.py",
)
LOADER: Final = "import sys; exec(sys.stdin.buffer.read(int(sys.stdin.buffer.readline())))"
BLOCK: Final = 4 << 20
SIZE: Final = 64 << 20
LOST: Final = 255
NODES: Final = """
[ -e /dev/loop-control ] || mknod /dev/loop-control c 10 237
for n in $(seq 0 63); do [ -e /dev/loop$n ] || mknod /dev/loop$n b 7 $n; done
"""
FIRST: Final = 2048  # The sector at which the partition begins.
TABLE: Final = struct.pack("<446xB3xB3xII48x2s", 0, 0x83, FIRST, SIZE // 512 - FIRST, b"\x55\xaa")
IN_USE: Final = f"""
{NODES}
mkdir -p /srv/data; truncate -s {SIZE} /srv/disk.raw
echo {base64.b64encode(TABLE).decode()} | base64 -d | dd of=/srv/disk.raw conv=notrunc status=none
disk=$(losetup -f --show /srv/disk.raw); part=/sys/block/${{disk#/dev/}}/${{disk#/dev/}}p1
[ -e $part ] || addpart $disk 1 {FIRST} {SIZE // 512 - FIRST}
rm -f /srv/part; mknod /srv/part b $(tr : ' ' < $part/dev)
mkfs.ext4 -q -F -E lazy_itable_init=0,lazy_journal_init=0 /srv/part
mount /srv/part /srv/data
head -c 10000000 /dev/urandom > /srv/data/records; sync
echo $disk
"""


@pytest.fixture
def in_use(
    legacy_pair: tuple[Host, Host], legacy_room: Room, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Mover, ImageService]]:
    """Move a disk that is mounted and written to."""
    source, target = legacy_pair
    monkeypatch.setenv("DISK_TEST_PASSWORD", PASSWORD)
    try:
        device = source.run(IN_USE).split()[-1]
    except RuntimeError as none:
        pytest.skip(f"no loop devices here: {none}")
    with serving(f"10.213.{legacy_room.number}.254") as service:
        settings = {
            "device": device,
            "image": "hr-old-data",
            "auth_url": service.url,
            "username": USER,
            "project": "hrss",
            "plain_http": True,
        }
        secrets = {"password": "env:DISK_TEST_PASSWORD"}
        yield Mover("disk", source, target, settings, secrets), service
    source.run(f"umount -l /srv/data; losetup -d {device}", check=False)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.guarantee("M1")
@pytest.mark.guarantee("M3")
@pytest.mark.guarantee("M4")
def test_a_disk_in_use_becomes_an_image(in_use: tuple[Mover, ImageService], tmp_path: Path) -> None:
    mover, service = in_use
    source = mover.source
    state = "ls -R /var/lib /run | sort; findmnt -n -l"
    before = source.run(state)
    planned = mover.well(Stage.PLAN)
    assert planned["bytes"] == SIZE
    assert planned["room"] > 2 * SIZE
    assert "mounted for writing at /srv/data" in planned["warnings"]

    first = mover.well(Stage.SYNC, Mode.TEST)
    assert 10_000_000 < first["bytes"] < SIZE, "what is empty is not moved"
    [test] = service.images.values()
    assert test["name"] == "hr-old-data-test"
    mover.well(Stage.UNDO, Mode.TEST)
    assert service.images == {}
    assert source.run(state) == before, "until its window the source is read and no more"

    source.run("echo more > /srv/data/more; sync")
    mover.well(Stage.FREEZE)
    with pytest.raises(RuntimeError, match="Read-only"):
        source.run("echo no > /srv/data/no")
    about = {"department": "hrss", "system": "portal", "request": "REQ-2026-0001"}
    final = mover.well(Stage.SYNC, Mode.FINAL, about=about)
    assert mover.well(Stage.VERIFY)["differences"] == 0
    [image] = service.images.values()
    assert (image["name"], image["id"]) == ("hr-old-data", final["image_id"])
    assert image["govcloud_digest"] == final["digest"]
    assert {name: image[f"govcloud_{name}"] for name in about} == about
    assert content(service, image, tmp_path) == source.path("/srv/disk.raw").read_bytes()
    assert any((told.bytes_done or 0) > BLOCK for told in mover.told), "progress is counted"

    mover.well(Stage.UNDO, Mode.ABORTED)
    source.run("echo yes > /srv/data/yes")
    assert service.images == {}
    for host in (mover.source, mover.target):
        assert mover.key not in host.run(f"ls {NOTES}", check=False)


@pytest.mark.slow
@pytest.mark.guarantee("M3")
def test_a_file_that_is_mounted_is_held_still(legacy_source: Host) -> None:
    """A disk that is a file may be in use as a loop device, under any of its names."""
    host, here = legacy_source, "/srv/machine"
    try:
        host.run(
            f"{NODES} mkdir -p {here}/data; cd {here}; truncate -s 32M disk.raw;"
            "ln disk.raw same.raw; mkfs.ext4 -q disk.raw; mount -o loop disk.raw data"
        )
    except RuntimeError as none:
        pytest.skip(f"no loop devices here: {none}")
    host.write(f"{here}/source.py", (ROLES / "disk/files/source.py").read_text("utf-8"))

    def told_by(what: str, name: str = "disk.raw") -> str:
        wanted = {"device": f"{here}/{name}", "snapshot": "", "name": "old", "key": "k"}
        wanted |= {"state": f"{here}/state", "mode": "final"}
        return shlex.join(["python3", f"{here}/source.py", what, json.dumps(wanted)])

    def ask(what: str, name: str = "disk.raw") -> str:
        command = told_by(what, name)
        return host.run(f"set -o pipefail; {command} < /dev/null | tail -c 200 | base64")

    try:
        for name in ("disk.raw", "same.raw"):
            told = json.loads(base64.b64decode(ask("look", name)))
            assert f"is mounted for writing at {here}/data" in told["warnings"]
            with pytest.raises(RuntimeError, match="is mounted for writing"):
                ask("read", name)
        ask("freeze")
        with pytest.raises(RuntimeError, match="Read-only"):
            host.run(f"echo no > {here}/data/no")
        ask("read")
        ask("thaw")
        host.run(f"echo yes > {here}/data/yes")

        # A freeze whose connection was lost goes on; what is undone meanwhile stays undone.
        slow = f'#!/bin/sh\ntouch {here}/begun; sleep 2; exec /usr/bin/mount "$@"\n'
        host.write(f"{here}/slow/mount", slow, 0o755)
        freeze = f"PATH={here}/slow:$PATH {told_by('freeze')}; touch {here}/over"
        host.run(f"setsid sh -c {shlex.quote(freeze)} < /dev/null > /dev/null 2>&1 &")
        host.run(f"until [ -e {here}/begun ]; do sleep 0.05; done")
        ask("thaw")
        host.run(f"until [ -e {here}/over ]; do sleep 0.05; done")
        host.run(f"echo again > {here}/data/again")
    finally:
        host.run(f"umount -l {here}/data; rm -r {here}", check=False)


def content(service: ImageService, image: dict[str, Any], folder: Path) -> bytes:
    """What a machine would find on the disk of an image."""
    (folder / "image.qcow2").write_bytes(service.contents[image["id"]])
    command = ["qemu-img", "convert", "-O", "raw", "image.qcow2", "image.raw"]
    subprocess.run(command, cwd=folder, check=True)
    return (folder / "image.raw").read_bytes()


# --- The helpers alone ----------------------------------------------------------------------------


class Helper:
    """The role's helpers on this machine: a disk that is a file, and what becomes of it beside."""

    def __init__(self, folder: Path, region: dict[str, Any], secret: str) -> None:
        for file in FILES:
            text = (ROLES / file).read_text("utf-8")
            (folder / Path(file).name).write_text(text, "utf-8")
        self.folder, self.secret = folder, secret
        self.cut = 0  # So many bytes come from the source, then the way to it is lost.
        self.disk = folder / "disk"
        self.disk.write_bytes(os.urandom(BLOCK + 1000) + bytes(2 * BLOCK))
        self.source = {"device": str(self.disk), "snapshot": "", "name": "old", "key": "k"}
        self.source |= {"state": str(folder), "mode": "final"}
        absent = {"user_domain": "Default", "project_domain": "Default", "ca_file": ""}
        absent |= {"region": "", "image_url": "", "plain_http": True}
        self.wanted: dict[str, Any] = {
            "source": "old",
            "target": "new",
            "folder": str(folder),
            "code": str(folder / "source.py"),
            "mode": "final",
            "kib_s": 0,
            "drivers": "kept",
            "image": {
                "name": f"govcloud-test-{token_hex(4)}",
                "mark": token_hex(8),
                "properties": {"hw_disk_bus": "sata"},
                "about": {"department": "hrss", "system": "portal"},
            },
            "region": absent | region,
        }

    def ask(self, what: str) -> subprocess.CompletedProcess[str]:
        """Do something."""
        read = [sys.executable, "-c", LOADER, "read", json.dumps(self.source)]
        if self.cut:
            read = ["sh", "-c", f'"$@" | head -c {self.cut}; exit {LOST}', "sh", *read]
        wanted = json.dumps(self.wanted | {"read": read})
        return self._run("disk.py", what, wanted)

    def look(self, **more: str) -> str:
        """Look at the disk; return what is wrong with it."""
        return self._run("source.py", "look", json.dumps(self.source | more)).stderr

    def _run(self, program: str, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(self.folder / program), *words]
        env = os.environ | {"DISK_PASSWORD": self.secret}
        return subprocess.run(command, capture_output=True, text=True, check=False, env=env)

    def well(self, what: str) -> dict[str, Any]:
        """Do something that must succeed, and return what it says."""
        told = self.ask(what)
        assert told.returncode == 0, told.stderr
        found: dict[str, Any] = json.loads(told.stdout.splitlines()[-1])
        return found


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[tuple[Helper, ImageService]]:
    with serving("127.0.0.1") as service:
        region = {"auth_url": service.url, "username": USER, "project": "hrss"}
        yield Helper(tmp_path, region, PASSWORD), service


@pytest.mark.guarantee("M2")
@pytest.mark.guarantee("M4")
def test_what_is_spoiled_on_the_way_is_found(alone: tuple[Helper, ImageService]) -> None:
    helper, service = alone
    assert helper.ask("convert").returncode == 1, "nothing was read yet"
    helper.cut = 5_000_000
    assert helper.ask("fetch").returncode == LOST
    helper.cut = 0
    there = helper.source["device"]
    helper.source["device"] = "/srv/none"
    gone = helper.ask("fetch")
    assert (gone.returncode, "/srv/none does not exist" in gone.stderr) == (1, True)
    helper.source["device"] = there
    assert helper.well("fetch")["bytes"] == BLOCK, "what was moved and what is empty is not moved"
    helper.well("convert")
    for spoil, code, said in (
        ("hash", 1, "other contents"),
        ("full", 1, "quota of images is used up"),
        ("away", LOST, "come back later"),
        ("lead", 1, "leads elsewhere"),
        ("move", 1, "302"),
        ("junk", 1, "cannot be understood"),
    ):
        service.spoil = {spoil}
        ended = helper.ask("upload")
        assert (ended.returncode, said in ended.stderr) == (code, True), ended.stderr
        assert all(one["status"] != "active" for one in service.images.values()), spoil
        assert PASSWORD not in ended.stdout + ended.stderr
    service.spoil = set()
    helper.well("upload")
    [image] = service.images.values()
    assert (image["status"], image["govcloud_system"]) == ("active", "portal")
    assert image["hw_disk_bus"] == "sata"
    assert helper.well("verify")["differences"] == 0
    handed_in = [call for call in service.calls if call.startswith("PUT")]
    assert helper.well("sync")["bytes"] == 0
    helper.wanted["mode"] = "test"
    assert helper.well("verify")["differences"] == 0
    helper.wanted["mode"] = "final"
    assert [call for call in service.calls if call.startswith("PUT")] == handed_in

    for file, at in ((helper.disk, BLOCK + 5), (helper.folder / "disk.raw", 2 * BLOCK + 5)):
        with file.open("r+b") as spoiled:
            spoiled.seek(at)
            spoiled.write(b"X")
        found = helper.well("verify")
        assert found["differences"] >= 1
        assert found["first"][0] == f"the disk at {at // BLOCK * BLOCK}"
        assert helper.well("sync")["bytes"] >= BLOCK
        assert helper.well("verify")["differences"] == 0
    assert len(service.images) == 1
    image = next(iter(service.images.values()))
    image |= {"os_hash_value": "0" * 128}
    assert "other contents" in helper.well("verify")["first"][0]


@pytest.mark.guarantee("M5")
def test_what_is_taken_back_is_ours_alone(alone: tuple[Helper, ImageService]) -> None:
    helper, service = alone
    theirs = service.create({"name": "theirs"})
    service.spoil = {"away"}
    assert helper.well("undo") == {"written_since": 0, "kept_in": ""}, "nobody needs to be asked"
    service.spoil = set()
    helper.well("sync")
    service.spoil = {"busy"}
    assert "in use" in helper.well("undo")["kept_in"]
    service.spoil = set()
    helper.well("undo")
    assert list(service.images) == [theirs["id"]]
    assert not (helper.folder / "disk.qcow2").exists()
    assert helper.well("fetch")["bytes"] == 0, "the next run moves only what differs"


def test_what_cannot_be_moved_is_told_before(alone: tuple[Helper, ImageService]) -> None:
    helper, service = alone
    wanted, image = helper.wanted, helper.wanted["image"]
    helper.well("plan")
    service.create({"name": "taken"})
    for wrong, said in (
        ({"image": image | {"name": "taken"}}, "there is an image taken already"),
        ({"region": wanted["region"] | {"plain_http": False}}, "is no https"),
        ({"region": wanted["region"] | {"username": "nobody"}}, "refuses the credentials"),
        ({"region": wanted["region"] | {"region": "two"}}, "names 0 image services"),
        ({"drivers": "virtio"}, "there is no virt-v2v on new"),
    ):
        helper.wanted = wanted | wrong
        ended = helper.ask("plan")
        assert (ended.returncode, said in ended.stderr) == (1, True), ended.stderr
    qcow2 = helper.folder / "some.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(qcow2), "1M"], check=True)
    for device, said in (
        ("/srv/none", "does not exist on old"),
        ("/srv", "neither a disk nor a file"),
        (str(qcow2), "is a qcow2"),
    ):
        assert said in helper.look(device=device)
    number = Path("/").stat().st_dev
    if os.geteuid() == 0 and Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").exists():
        os.mknod(helper.folder / "root", stat.S_IFBLK | 0o600, number)
        assert "the root file system of old is on" in helper.look(device=f"{helper.folder}/root")
    assert "is no logical volume" in helper.look(snapshot="5G")
    assert "an amount such as 5G" in helper.look(snapshot="much")


def test_a_real_image_service_keeps_what_is_handed_in(openstack: Any, tmp_path: Path) -> None:
    """Handed in to a real Glance, found by its mark, compared, deleted."""
    with openstack.connect() as admin:
        auth = admin.config.config["auth"]
        region = {"auth_url": auth["auth_url"], "username": auth["username"]}
        region |= {"project": auth["project_name"], "region": admin.config.region_name or ""}
        for name in ("user_domain", "project_domain"):
            region[name] = auth.get(f"{name}_name") or "Default"
        helper = Helper(tmp_path, region, auth["password"])
        helper.well("plan")
        try:
            read = helper.well("sync")
            key = read["image_id"]
            image = admin.image.get_image(key)
            assert (image.status, image.visibility, image.min_disk) == ("active", "private", 1)
            assert image.properties["govcloud_digest"] == read["digest"]
            assert image.properties["govcloud_system"] == "portal"
            content = admin.image.download_image(image).content
            assert content == (tmp_path / "disk.qcow2").read_bytes()
            assert helper.well("verify")["differences"] == 0
            assert helper.well("upload")["uploaded"] == 0, "it is there already"
        finally:
            helper.well("undo")
        assert admin.image.find_image(key) is None
