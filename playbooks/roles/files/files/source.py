"""Paths at the source that nobody may write to for a while.

    python - freeze|keep|thaw WANTED    prints JSON

`WANTED` is JSON: `paths`; `state`, the move's folder on this host; `key`, that marks its lines in
/etc/fstab; `host`, how this one is called.

A path is frozen with all that is mounted below it: a tree of mounts that are read-only is laid over
it at once, whole or not at all. What was there before stands in a note, so that only what was laid
is taken away. After a reboot a line in /etc/fstab does the same for a path without mounts of its
own; one that has some is frozen anew before the last copy and before what follows it (`keep`). That
it could be written meanwhile is noted, until somebody has compared everything and takes `opened`
away.

Standard library only, and Python 2.7 or 3: it comes by the input and is never written there.
"""

import json
import os
import re
import subprocess
import sys
import time

FSTAB = "/etc/fstab"
SHARED = re.compile(b"^[^ ]+ .w.s [^ ]+ [^ ]+ [1-9][0-9]* +(/.*)$")
"""What a process has in its memory of a file, so that what it changes there is written."""
FLAGS = (b"nosuid", b"nodev", b"noexec", b"noatime", b"nodiratime", b"relatime")
WRITERS_END_WITHIN_S = 5


class FaultError(Exception):
    """What somebody has to look at, in a sentence."""


class Mount(object):
    """A line of /proc/PID/mountinfo; `root` is the folder of the file system that stands there."""

    def __init__(self, line):
        fields, _, deep = line.partition(b" - ")
        words = fields.split(b" ")
        self.number, self.parent, self.device = words[:3]
        self.root, self.place = plain(words[3]), plain(words[4])
        self.options = words[5].split(b",")
        self.writes = b"rw" in self.options and b"rw" in deep.split(b" ")[-1].split(b",")


class View(object):
    """The mounts that a process sees."""

    def __init__(self, pid=b"self"):
        with open(b"/proc/" + pid + b"/mountinfo", "rb") as file:
            self.mounts = [Mount(line) for line in file.read().splitlines()]
        self.numbers, self.below = {}, {}
        for mount in self.mounts:
            self.numbers[mount.number] = mount
            self.below.setdefault(mount.parent, []).append(mount)
        self.reached = [mount for mount in self.mounts if self.reaches(mount)]
        self.deepest = sorted(self.reached, key=lambda one: len(one.place))[::-1]

    def reaches(self, mount):
        """Whether a path leads to a mount, or to what is mounted over it."""
        beside = self.below[mount.parent]
        if any(is_in(mount.place, one.place) for one in beside if one.place != mount.place):
            return False
        above = self.numbers.get(mount.parent)
        return above is None or above is mount or self.reaches(above)

    def over(self, mount, place):
        """Whether something is mounted over a place of a mount."""
        return any(is_in(place, one.place) for one in self.below.get(mount.number, ()))

    def seen(self, place):
        """Return the mounts that are seen at a place and below, the highest first."""
        found = [
            one for one in self.reached if is_in(one.place, place) and not self.over(one, one.place)
        ]
        return sorted(found, key=lambda one: one.place)

    def depth(self, place):
        """Return how many mounts lie over each other at a place."""
        return sum(1 for one in self.reached if one.place == place)

    def holding(self, path):
        """Return the mount on which a path stands, of several at one place the last."""
        return next(one for one in self.deepest if is_in(path, one.place))

    def area(self, path):
        """Return on which file system a path lies, and where there."""
        mount = self.holding(path)
        return mount.device, joined(mount.root, within(path, mount.place))

    def showing(self, area):
        """Yield each place at which a part of a file system can be written."""
        device, root = area
        for one in self.reached:
            if one.device != device or not one.writes:
                continue
            if is_in(one.root, root):
                place = one.place
            elif is_in(root, one.root):
                place = joined(one.place, within(root, one.root))
            else:
                continue
            if not self.over(one, place):
                yield place


class Paths(object):
    """The paths of a move at its source."""

    def __init__(self, wanted):
        self.host, self.key, self.state = wanted["host"], wanted["key"], wanted["state"]
        names = sorted({coded(path).rstrip(b"/") for path in wanted["paths"]})
        # What lies below another of them is frozen with it.
        self.paths = [
            path for path in names if not any(is_in(path, one) for one in names if one != path)
        ]
        self.note = os.path.join(self.state, "frozen")
        self.opened = os.path.join(self.state, "opened")
        self.stage = coded(os.path.join(self.state, "stage"))
        self.noted = {}
        if os.path.exists(self.note):
            with open(self.note) as file:
                self.noted = json.load(file)

    def freeze(self):
        """Let nobody write, and see that nobody does."""
        return self.hold([path for path in self.paths if not self.is_frozen(path)])

    def keep(self):
        """See that what was frozen is so still; say whether it was not, and nobody has compared."""
        changed = [coded(name) for name in sorted(self.noted) if not self.is_frozen(coded(name))]
        if changed:
            open(self.opened, "w").close()
        self.hold(changed)
        return {"opened": os.path.exists(self.opened)}

    def hold(self, changed):
        """Freeze paths, and wait until nobody writes to any."""
        for path in changed:
            self.lay(path)
        self.last()
        until = time.time() + WRITERS_END_WITHIN_S
        while True:
            found = self.writers()
            if not found:
                return {"changed": bool(changed)}
            if time.time() > until:
                break
            time.sleep(0.5)
        raise FaultError(
            "what is frozen on %s can still be written (name the services in `services`,"
            " or end them): %s" % (self.host, "; ".join(found[:10]))
        )

    def thaw(self):
        """Take away what was laid over the paths, and nothing else."""
        self.clear()
        changed = self.forget()
        for name in sorted(self.noted, reverse=True):
            path = coded(name)
            changed = self.lift(path) or changed
            if self.noted[name]["writes"] and not View().holding(path).writes:
                raise FaultError("%s cannot be written" % name)
        for file in (self.opened, self.note):
            if os.path.exists(file):
                os.unlink(file)
        return {"changed": changed}

    def of(self, path):
        """Return what is noted of a path, or None: it was never frozen."""
        return self.noted.get(told(path))

    def is_frozen(self, path):
        """Whether nobody can write at a path or below, and all is seen that was."""
        view, noted = View(), self.of(path)
        seen = view.seen(path)
        if noted:
            places = [told(one.place) for one in seen]
            if view.depth(path) <= noted["before"] or set(noted["below"]) - set(places):
                return False
        return not (view.holding(path).writes or any(one.writes for one in seen))

    def lay(self, path):
        """Lay over a path what is there, read-only."""
        self.clear()
        if self.of(path):
            self.lift(path)
        view = View()
        below = [told(one.place) for one in view.seen(path) if one.place != path]
        was = self.of(path) or {"before": view.depth(path), "writes": view.holding(path).writes}
        missing = set(was.get("below", ())) - set(below)
        if missing:
            raise FaultError("%s is no longer mounted on %s" % (min(missing), self.host))
        self.noted[told(path)] = dict(was, below=below)
        self.save()
        # On a stage of our own first: nobody sees it before it is read-only, and what is laid over
        # the path from there is so for all who get to see it, in whatever namespace.
        os.mkdir(self.stage)
        run(b"mount", b"-t", b"tmpfs", b"none", self.stage)
        run(b"mount", b"--make-private", self.stage)
        copy = self.stage + b"/copy"
        if os.path.isdir(path):
            os.mkdir(copy)
        else:
            open(copy, "wb").close()
        run(b"mount", b"--rbind", path, copy)
        run(b"mount", b"--make-rprivate", self.stage)
        for one in View().seen(copy):
            flags = [b"," + flag for flag in FLAGS if flag in one.options]
            run(b"mount", b"-o", b"remount,bind,ro" + b"".join(flags), one.place)
        run(b"mount", b"--rbind", copy, path)
        self.clear()

    def clear(self):
        """Take the stage away. It is private first: else what it shows would go elsewhere too."""
        while View().depth(self.stage):
            run(b"mount", b"--make-rprivate", self.stage)
            run(b"umount", b"-l", self.stage)
        if os.path.isdir(self.stage):
            os.rmdir(self.stage)

    def lift(self, path):
        """Take away what was laid over a path."""
        changed = False
        while View().depth(path) > self.of(path)["before"]:
            run(b"umount", b"-l", path)
            changed = True
        return changed

    def save(self):
        """Note what was there, whole or not at all."""
        if not os.path.isdir(self.state):
            os.makedirs(self.state, 0o700)
        with open(self.note + ".new", "w") as file:
            json.dump(self.noted, file)
            file.flush()
            os.fsync(file.fileno())
        os.rename(self.note + ".new", self.note)

    # --- After a reboot ---

    def last(self):
        """Have lines in /etc/fstab for paths that have no mounts of their own."""
        with open(FSTAB, "rb") as file:
            there = file.read()
        lines = there.splitlines()
        for name, noted in sorted(self.noted.items()):
            place = escaped(coded(name))
            line = place + b" " + place + b" none bind,ro 0 0 # " + coded(self.key)
            if line in lines or noted["before"] or noted["below"]:
                continue
            with open(FSTAB, "ab") as file:
                file.write((b"" if there.endswith(b"\n") or not there else b"\n") + line + b"\n")
            there = b"\n"

    def forget(self):
        """Remove our lines from /etc/fstab."""
        with open(FSTAB, "rb") as file:
            ours = any(line.endswith(b" # " + coded(self.key)) for line in file.read().splitlines())
        if ours:
            run(b"sed", b"-i", b"\\| # " + coded(self.key) + b"$|d", coded(FSTAB))
        return ours

    # --- Who can write all the same ---

    def writers(self):
        """Say who can: by what they opened before, or by mounts of their own."""
        here, areas, found = View(), set(), []
        for name in self.noted:
            areas.update((one.device, one.root) for one in here.seen(coded(name)))
        mounted = "it is mounted for writing at %s too"
        found.extend(mounted % told(place) for place in shown(here, areas))
        views = {space(b"self"): here}
        for pid in others():
            try:
                who = "%s (process %s)" % (called(pid), told(pid))
                own = space(pid)
                places = ()
                if own not in views:
                    views[own] = View(pid)
                    places = shown(views[own], areas)
                what = next(held(pid, views[own], areas), None)
            except (OSError, IOError):  # It has ended.
                continue
            if what:
                found.append("%s %s" % (who, what))
            found.extend("%s sees it for writing at %s" % (who, told(one)) for one in places)
        return found


def space(pid):
    """Return by which name a process sees mounts; old kernels do not say it."""
    link = b"/proc/" + pid + b"/ns/mnt"
    return os.readlink(link) if os.path.lexists(link) else b""


def shown(view, areas):
    """Return the places at which somebody can write in these areas."""
    return sorted({place for area in areas for place in view.showing(area)})


def held(pid, view, areas):
    """Yield what a process holds that lies in these areas and can be written."""
    folder = b"/proc/" + pid + b"/"

    def lies(path):
        if not path.startswith(b"/") or path.endswith(b" (deleted)"):
            return False
        device, place = view.area(path)
        return any(device == one and is_in(place, root) for one, root in areas)

    path = os.readlink(folder + b"cwd")
    if lies(path) and os.access(folder + b"cwd", os.W_OK):
        yield "works in %s" % told(path)
    for number in os.listdir(folder + b"fd"):
        try:
            path = os.readlink(folder + b"fd/" + number)
            opened = lies(path) and opened_for_writing(folder, number)
        except (OSError, IOError):  # It was closed.
            continue
        if opened:
            yield "has %s open" % told(path)
    with open(folder + b"maps", "rb") as file:
        mapped = {found.group(1) for found in map(SHARED.match, file) if found}
    for path in sorted(mapped):
        if lies(path):
            yield "has %s open" % told(path)


def opened_for_writing(folder, number):
    """Whether a file was opened so, or is a folder of what can be written."""
    if os.path.isdir(folder + b"fd/" + number):
        return os.access(folder + b"fd/" + number, os.W_OK)
    with open(folder + b"fdinfo/" + number, "rb") as file:
        flags = re.search(b"^flags:[ \t]*([0-7]+)", file.read(), re.MULTILINE)
    return bool(flags) and int(flags.group(1), 8) & (os.O_WRONLY | os.O_RDWR) != 0


def others():
    """Return all processes but this one and those that it was begun by."""
    ours, pid = set(), str(os.getpid()).encode()
    while pid not in (b"0", b"1"):
        ours.add(pid)
        with open(b"/proc/" + pid + b"/stat", "rb") as file:
            pid = file.read().rpartition(b")")[2].split()[1]
    return sorted(
        (name for name in os.listdir(b"/proc") if name.isdigit() and name not in ours), key=int
    )


def called(pid):
    """Return the name of a process."""
    with open(b"/proc/" + pid + b"/comm", "rb") as file:
        return told(file.read().strip())


def is_in(path, folder):
    """Whether a path is a folder, or lies below."""
    return path == folder or path.startswith(folder.rstrip(b"/") + b"/")


def within(path, folder):
    """Return what a path is below a folder."""
    return path[len(folder.rstrip(b"/")) :].strip(b"/")


def joined(folder, rest):
    """Return a path below a folder."""
    return folder.rstrip(b"/") + b"/" + rest if rest else folder


def plain(word):
    """Return a path as it is, that the kernel says in one word."""
    return re.sub(
        b"[\\\\]([0-7]{3})", lambda found: bytes(bytearray([int(found.group(1), 8)])), word
    )


def escaped(path):
    """Return a path in one word, as /etc/fstab wants it."""
    for each in (b"\\", b" ", b"\t", b"\n", b"#"):
        path = path.replace(each, b"\\" + ("%03o" % ord(each)).encode())
    return path


def coded(text):
    """Return a path's bytes."""
    return text.encode("utf-8")


def told(path):
    """Return a path as text."""
    return path.decode("utf-8", "replace")


def run(*command):
    """Run a program, which must succeed."""
    work = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = work.communicate()[0]
    if work.returncode:
        raise FaultError("%s: %s" % (told(b" ".join(command)), told(said).strip()))


def main(what, wanted):
    """Do what is asked, or say why not."""
    try:
        print(json.dumps(getattr(Paths(json.loads(wanted)), what)()))
    except (FaultError, OSError, IOError) as fault:
        said = fault.args[0] if isinstance(fault, FaultError) else str(fault)
        getattr(sys.stderr, "buffer", sys.stderr).write(said.encode("utf-8") + b"\n")
        sys.exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:3])
