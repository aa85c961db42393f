"""Mounts, and how much data there is that would have to move."""

from typing import Final

from migration.inventory.scan.answer import Answer, Found

_REAL: Final = frozenset(
    "ext2 ext3 ext4 xfs btrfs jfs reiserfs zfs f2fs vfat ntfs overlay".split()  # noqa: SIM905
)
_NETWORK: Final = ("nfs", "cifs", "smb", "gluster", "ceph", "lustre", "gfs", "ocfs", "fuse.")
_SYSTEM: Final = frozenset("boot usr var tmp run snap dev sys proc etc".split())  # noqa: SIM905
"""Folders of the operating system; what of them is data is measured place by place."""
_DATABASES: Final = ("/postgresql", "/pgsql", "/mysql")


def read(answer: Answer) -> Found:
    """Return `mounts`, `filesystems` and `places` (KiB), and `data` and `changed` in bytes.

    `data` is what stands in places that are not the operating system's, and in file systems of
    their own; `changed` is what of it was written within a day, without files of databases.
    """
    mounts = [_mount(line) for line in answer.lines("mounts")]
    filesystems = [
        one for line in answer.lines("filesystems")[1:] for one in [_filesystem(line)] if one
    ]
    places = {}
    for part in answer.every("place"):
        told = dict(line.split() for line in part.lines if line.count(" ") == 1)
        if "used" in told:
            places[part.argument] = {
                "used": int(told["used"]),
                "changed": int(told.get("changed", 0)),
            }
            if "denied" in part.lines:
                places[part.argument]["denied"] = 1
    own = {one["at"]: one["used"] for one in filesystems if _data(one["at"], one["kind"])}
    own = {at: used for at, used in own.items() if at not in places}
    used = sum(place["used"] for place in places.values()) + sum(map(int, own.values()))
    if not mounts:
        raise ValueError("no mounts")
    return {
        "mounts": [mount for mount in mounts if mount is not None],
        "filesystems": filesystems,
        "places": {
            name: place for name, place in places.items() if place["used"] or place["changed"]
        },
        "data": used * 1024,
        "changed": sum(p["changed"] for at, p in places.items() if not at.endswith(_DATABASES)),
    }


def _mount(line: str) -> dict[str, str] | None:
    device, at, kind, *_ = line.split()
    network = kind.startswith(_NETWORK)
    if not network and (kind not in _REAL or at.startswith(("/proc", "/sys", "/dev", "/run"))):
        return None
    return {"device": device, "at": at.replace("\\040", " "), "kind": kind}


def _filesystem(line: str) -> dict[str, str | int] | None:
    words = line.split(None, 6)
    if len(words) == 7 and words[2].isdigit():
        return {"at": words[6], "kind": words[1], "size": int(words[2]), "used": int(words[3])}
    words = line.split(None, 5)
    if len(words) == 6 and words[1].isdigit():
        return {"at": words[5], "kind": "", "size": int(words[1]), "used": int(words[2])}
    return None


def _data(at: object, kind: object) -> bool:
    top = str(at).split("/")[1]
    return bool(top) and top not in _SYSTEM and (not kind or kind in _REAL)
