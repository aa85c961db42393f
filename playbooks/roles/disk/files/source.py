"""The disk at the source: what it is, reading it, letting nobody write to it for a while.

    python3 - look|freeze|thaw WANTED           prints JSON
    python3 - read WANTED                       see `read`

Reading changes nothing. Standard library only, and Python 3.6: it runs on old hosts. It comes by
the input and is never written there.
"""

import fcntl
import glob
import hashlib
import json
import mmap
import os
import stat
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

BLOCK = 4 << 20
DIGEST = 20
PATIENCE_S = 300
"""How long another process may take to make read-only what is mounted, which writes what waits."""
FORMATS = ((b"QFI\xfb", "qcow2"), (b"KDMV", "VMDK"), (b"vhdxfile", "VHDX"), (b"conectix", "VHD"))


class FaultError(Exception):
    """What somebody has to look at, in a sentence."""


class Disk:
    """A block device or a file.

    `wanted` has its path (`device`), its host (`name`), and `snapshot`, `key`, `state`, `mode`.
    """

    def __init__(self, wanted):
        self.wanted = wanted
        self.path = wanted["device"]
        self.host = wanted["name"]
        try:
            mode = os.stat(self.path).st_mode
        except OSError:
            raise FaultError("%s does not exist on %s" % (self.path, self.host)) from None
        self.block = stat.S_ISBLK(mode)
        if not (self.block or stat.S_ISREG(mode)):
            raise FaultError("%s is neither a disk nor a file" % self.path)
        self.note = note_in(wanted)

    def size(self):
        """Return its size in bytes."""
        with open(self.path, "rb") as file:
            return file.seek(0, os.SEEK_END)

    def nodes(self):
        """Return the numbers (`8:1`) and names of the device and of its partitions.

        Loop devices that are made of it, or of a partition, count as such.
        """
        found = {}
        if self.block:
            number = os.stat(self.path).st_rdev
            name = "%d:%d" % (os.major(number), os.minor(number))
            found.update(parts(name, "/sys/dev/block/" + name))
        for loop in glob.glob("/sys/block/loop*"):
            try:
                made_of, name = said(loop + "/loop/backing_file"), said(loop + "/dev")
            except OSError:  # It is made of nothing.
                continue
            if self.is_made_of(made_of, found):
                found.update(parts(name, loop))
        return found

    def is_made_of(self, path, nodes):
        """Whether a path is this file, under whatever name, or one of these devices."""
        try:
            there = os.stat(path)
        except OSError:  # It was deleted, or is beyond what can be seen here.
            return path == self.path
        if stat.S_ISBLK(there.st_mode):
            return "%d:%d" % (os.major(there.st_rdev), os.minor(there.st_rdev)) in nodes
        return not self.block and os.path.samestat(there, os.stat(self.path))

    def mounts(self):
        """Return where it is mounted, and whether for writing."""
        nodes, found = self.nodes(), {}
        with open("/proc/self/mountinfo") as file:
            for line in file:
                fields, _, more = line.partition(" - ")
                number, _, where, options = fields.split()[2:6]
                kind, source, deep = [*more.split(), "", ""][:3]
                # btrfs has numbers of its own: its device is known by name.
                if number in nodes or self.is_it(source, kind):
                    writes = "rw" in options.split(",") and "rw" in deep.split(",")
                    place = where.encode().decode("unicode_escape").encode("latin-1").decode()
                    found[place] = found.get(place, False) or writes
        return found

    def is_it(self, source, kind):
        """Whether a file system of several devices names this one as where it is."""
        if kind != "btrfs" or not os.path.exists(source):
            return False
        number = os.stat(source).st_rdev
        return "%d:%d" % (os.major(number), os.minor(number)) in self.nodes()

    def volume(self):
        """Return volume group, logical volume and free bytes of the group; None: it is none."""
        if not self.block:
            return None
        try:
            words = ["--noheadings", "--nosuffix", "--units", "b", "-o", "vg_name,lv_name,vg_free"]
            told = run("lvs", *words, self.path)
        except (OSError, FaultError):
            return None
        group, name, free = told.split()[:3]
        return group, name, int(float(free))

    def copy(self):
        """Return the path of the snapshot that is read in place of the disk, if there is one."""
        if not self.wanted["snapshot"]:
            return None
        found = self.volume()
        path = "/dev/%s/%s" % (found[0], self.wanted["key"]) if found else ""
        return path if path and os.path.exists(path) else None

    # --- What is done ---

    def look(self):
        """Say what there is to read; refuse what cannot be read as of one instant."""
        self.readable()
        mounts = self.mounts()
        warnings = [
            "%s is mounted for writing at %s: copies before the cut-over are not of one instant"
            % (self.path, place)
            for place, writes in sorted(mounts.items())
            if writes
        ]
        return {"bytes": self.size(), "warnings": "; ".join(warnings)}

    def readable(self):
        """Refuse what nobody can hold still."""
        for node in self.nodes().values():
            holders = os.path.join(node, "holders")
            names = os.listdir(holders) if os.path.isdir(holders) else []
            if names and not self.wanted["snapshot"]:
                raise FaultError(
                    "%s carries %s (LVM, RAID, encryption): name each volume on it by itself"
                    % (self.path, ", ".join(sorted(names)))
                )
        with open("/proc/swaps") as file:
            swaps = [line.split()[0] for line in file.readlines()[1:]]
        for swap in swaps:
            if os.path.exists(swap) and self.same(swap):
                raise FaultError("%s is swapped to: end it with `swapoff %s`" % (self.path, swap))
        if self.wanted["snapshot"]:
            self.roomy()
        elif "/" in self.mounts():
            raise FaultError(
                "the root file system of %s is on %s: it cannot be held still while the host runs. "
                "Let `snapshot` make one where it is a logical volume, or start the host from a "
                "rescue system" % (self.host, self.path)
            )
        with open(self.path, "rb") as file:
            start = file.read(8)
        for magic, name in FORMATS:
            if start.startswith(magic):
                raise FaultError("%s is a %s: name a disk as it is (raw)" % (self.path, name))

    def same(self, path):
        """Whether a path is the device or one of its partitions."""
        number = os.stat(path).st_rdev
        return "%d:%d" % (os.major(number), os.minor(number)) in self.nodes()

    def roomy(self):
        """Refuse a snapshot for which there is no room, or no logical volume."""
        wanted, found = amount(self.wanted["snapshot"]), self.volume()
        if found is None:
            raise FaultError("%s is no logical volume: leave `snapshot` out" % self.path)
        if not self.copy() and found[2] < wanted:
            raise FaultError(
                "the volume group %s has %d bytes free, and the snapshot wants %d"
                % (found[0], found[2], wanted)
            )

    def freeze(self):
        """Let nobody write: by a snapshot, or by making read-only what is mounted of it."""
        os.makedirs(self.wanted["state"], mode=0o700, exist_ok=True)
        self.readable()
        if self.wanted["snapshot"]:
            if self.copy():
                return {"changed": False}
            self.save([])
            group, name, _ = self.volume()
            origin = "%s/%s" % (group, name)
            run("lvcreate", "-s", "-n", self.wanted["key"], "-L", self.wanted["snapshot"], origin)
            return {"changed": True}
        writing = sorted(place for place, writes in self.mounts().items() if writes)
        if not writing:
            return {"changed": False}
        self.save(sorted({*self.places(), *writing}))
        for place in writing:
            try:
                run("mount", "-o", "remount,ro", place)
            except FaultError as fault:
                said = "%s; name who writes there in `services`" % fault
                raise FaultError(said) from None
        return {"changed": True}

    def thaw(self):
        """Let everybody write again who could."""
        changed = False
        if self.copy():
            run("lvremove", "-f", self.copy())
            changed = True
        for place in self.places():
            if not self.mounts().get(place, True):
                run("mount", "-o", "remount,rw", place)
                changed = True
        if os.path.exists(self.note):
            os.unlink(self.note)
        return {"changed": changed}

    def places(self):
        """Return what was made read-only."""
        noted = noted_in(self.wanted)
        return noted["places"] if noted else []

    def save(self, places):
        """Note which disk this is, and where it was made read-only, before it is."""
        noted = dict(device=self.path, snapshot=self.wanted["snapshot"], places=places)
        with open(self.note + ".new", "w") as file:
            json.dump(noted, file)
        os.rename(self.note + ".new", self.note)

    def read(self):
        """Send what differs from the digests that the input has, block by block, in order.

        First the size (8 bytes, big-endian); for each block `=` or `#` with its contents; at the
        end the SHA-256 of the whole.
        """
        taken = sys.stdin.buffer.read()
        theirs = [taken[at : at + DIGEST] for at in range(0, len(taken), DIGEST)]
        path = self.copy() or self.path
        if self.wanted["mode"] in ("final", "none") and path == self.path:
            self.still()
        out, whole = sys.stdout.buffer, hashlib.sha256()
        with open(path, "rb", buffering=0, opener=past_cache) as file:
            size = file.seek(0, os.SEEK_END)
            out.write(struct.pack(">Q", size))
            for number, block in enumerate(contents(file, size)):
                whole.update(block)
                # What is not there yet will be a hole: zeros are never sent.
                known = theirs[number] if number < len(theirs) else digest(bytes(len(block)))
                if known == digest(block):
                    out.write(b"=")
                else:
                    out.write(b"#")
                    out.write(block)
                out.flush()
        out.write(whole.digest())
        out.flush()

    def still(self):
        """Refuse to read for good what can be written; what was written is on the disk then."""
        for place, writes in sorted(self.mounts().items()):
            if writes:
                raise FaultError("%s is mounted for writing at %s" % (self.path, place))
        os.sync()


def parts(number, whole):
    """Return the numbers of a device and of its partitions, and where /sys has them."""
    found = {number: whole}
    for name in os.listdir(whole) if os.path.isdir(whole) else ():
        folder = os.path.join(whole, name)
        if os.path.exists(os.path.join(folder, "partition")):
            found[said(folder + "/dev")] = folder
    return found


def said(path):
    """Return what a file of /sys says."""
    with open(path) as file:
        return file.read().rstrip("\n")


def digest(block):
    """Return by what blocks are compared."""
    return hashlib.blake2b(block, digest_size=DIGEST).digest()


def past_cache(path, flags):
    """Open so that a device itself is read, where it is one.

    A disk and each of its partitions have caches of their own: what is written through a partition
    never comes to what the disk's cache has of an earlier copy.
    """
    device = stat.S_ISBLK(os.stat(path).st_mode)
    return os.open(path, flags | (os.O_DIRECT if device else 0))


def contents(file, size):
    """Yield block by block; the next one is read while somebody works on one."""
    buffer = mmap.mmap(-1, BLOCK)  # Aligned, as a device wants it.
    lengths = [min(BLOCK, size - begin) for begin in range(0, size, BLOCK)] + [0]
    file.seek(0)
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(full, file, buffer, lengths[0])
        for following in lengths[1:]:
            block = coming.result()
            coming = pool.submit(full, file, buffer, following)
            yield block


def full(file, buffer, number):
    """Read so many bytes, by way of a buffer."""
    done = 0
    with memoryview(buffer) as view:
        while done < number:
            part = file.readinto(view[done:number])
            if not part:
                raise FaultError("the disk became shorter while it was read")
            done += part
        return bytes(view[:number])


def note_in(wanted):
    """Return the file in which is noted what was frozen."""
    return os.path.join(wanted["state"], "disk.frozen")


def noted_in(wanted):
    """Return what was frozen; None: nothing was."""
    if not os.path.exists(note_in(wanted)):
        return None
    with open(note_in(wanted)) as file:
        return json.load(file)


def alone(wanted):
    """Wait until nobody else freezes or thaws: who was cut off goes on, and nobody hears of it.

    What is held until this process ends is the folder of notes.
    """
    held = os.open(wanted["state"], os.O_RDONLY)
    for _ in range(PATIENCE_S * 10):
        try:
            return fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.1)
    raise FaultError(
        "an earlier attempt still changes who may write to %s: see who holds %s"
        % (wanted["device"], wanted["state"])
    )


def frozen(wanted):
    """Freeze a disk; another one, that the plan named before, is thawed first."""
    os.makedirs(wanted["state"], mode=0o700, exist_ok=True)
    alone(wanted)
    noted = noted_in(wanted)
    if noted and any(noted[name] != wanted[name] for name in ("device", "snapshot")):
        Disk(dict(wanted, **noted)).thaw()
    return Disk(wanted).freeze()


def thawed(wanted):
    """Thaw the disk that was frozen, whichever the plan names by now."""
    if not os.path.exists(wanted["state"]):
        return {"changed": False}
    alone(wanted)
    noted = noted_in(wanted)
    return Disk(dict(wanted, **noted)).thaw() if noted else {"changed": False}


CHANGES = {"freeze": frozen, "thaw": thawed}


def amount(text):
    """Return the bytes of an amount as LVM writes it (5G)."""
    units = {"k": 10, "m": 20, "g": 30, "t": 40}
    digits, unit = text[:-1], text[-1:].lower()
    if unit not in units or not digits.isdigit():
        raise FaultError("`snapshot` is an amount such as 5G, not %s" % text)
    return int(digits) << units[unit]


def run(*command):
    """Run a program; return what it printed."""
    pipe = subprocess.PIPE
    done = subprocess.run(command, stdout=pipe, stderr=pipe, universal_newlines=True)
    if done.returncode:
        raise FaultError("%s: %s" % (command[0], done.stderr.strip()))
    return done.stdout


def main(what, wanted):
    """Do what is asked, or say why not."""
    wanted = json.loads(wanted)
    try:
        told = CHANGES[what](wanted) if what in CHANGES else getattr(Disk(wanted), what)()
    except (FaultError, OSError) as fault:
        sys.stderr.write("%s\n" % fault)
        sys.exit(1)
    if told is not None:
        print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:3])
