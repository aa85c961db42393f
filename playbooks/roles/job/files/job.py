"""Long work on a host that is watched from afar: `start`, `poll`, `stop`.

    start FOLDER < {"argv": [...], "env": {...}, "lease_s": 20, "speaks": "rsync"}
    poll FOLDER WAIT_S      one line of JSON: how far it is, and when it ended, how
    stop FOLDER

How far it is are `bytes`, and their `total` where that is known. A helper of ours says it, after
the bytes (`120 0% of 500`). Where rsync copies all that it lists (`rsync-whole`), it comes of the
percentage.

Work runs apart from the login that began it. It lives as long as somebody polls: when nobody did
for `lease_s` seconds, because whoever watched is dead or the link is lost, it is ended. Work that
is started again takes the place of what still runs in the same folder.

Standard library only, and Python 3.6: it also runs on old hosts.
"""

import ctypes
import json
import os
import re
import select
import signal
import subprocess
import sys
import time

TAIL = 4000
NOTED_EACH_S = 0.3
LISTENS_EACH_S = 0.05
LASTING = ("No space left", "Permission denied", "sudo: a password is required")
PROGRESS = re.compile(rb"^\s*([\d,.]+)\s+(\d+)%(?: of (\d+))?")
LISTED = b"to-chk="
"""What rsync says once it knows all files, and not before: then its percentage is of them all."""
NEAR = 1.05
"""So near each other are the least and the most that a total can be, for it to be told."""


def start(folder):
    """Begin the work that the input describes, and return at once."""
    wanted = json.load(sys.stdin)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    stop(folder)
    for name in ("end", "count", "beat", "pid"):
        if os.path.exists(path(folder, name)):
            os.unlink(path(folder, name))
    touch(folder)
    if os.fork():
        while not os.path.exists(path(folder, "pid")):
            time.sleep(0.005)
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    save(folder, "pid", {"pid": os.getpid(), "born": born(os.getpid())})
    quiet = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(quiet, number)
    try:
        end = watch(folder, wanted)
    except Exception as fault:
        end = {"rc": None, "broken": False, "stderr": repr(fault)}
    save(folder, "end", end)
    os._exit(0)


def watch(folder, wanted):
    """Run the program to its end, or until nobody asks for it any more."""
    work = subprocess.Popen(
        wanted["argv"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ, **wanted.get("env") or {}),
        preexec_fn=tied,
    )
    ends = [work.stdout.fileno(), work.stderr.fileno()]
    told = dict.fromkeys(ends, b"")
    open_ends = list(ends)
    speaks = wanted.get("speaks") or ""
    progress = Progress(folder, speaks == "rsync-whole") if speaks else None
    lost, noted, beat, heard = False, 0.0, None, 0.0
    while open_ends:
        for end in select.select(open_ends, [], [], 0.5)[0]:
            data = os.read(end, 65536)
            if not data:
                open_ends.remove(end)
            told[end] = (told[end] + data)[-4 * TAIL :]
        if progress and time.monotonic() - noted > NOTED_EACH_S:
            noted = time.monotonic()
            progress.hear(told[ends[0]])
        # Not for each of its lines: of small files rsync prints thousands a second.
        time.sleep(LISTENS_EACH_S)
        # Whether somebody asked is seen by the file, and how long ago not by the time of day.
        last = os.stat(path(folder, "beat")).st_mtime
        if last != beat:
            beat, heard = last, time.monotonic()
        if not lost and time.monotonic() - heard > wanted["lease_s"]:
            lost = True
            kill(work.pid)
    kill(work.pid)
    if progress:
        progress.hear(told[ends[0]])
    out, err = (told[end].decode("utf-8", "replace")[-TAIL:] for end in ends)
    code = work.wait()
    return {"rc": code, "broken": broken(code, err), "stdout": out, "stderr": err}


def broken(code, complaint):
    """Whether a host or the way to it was lost, so that the same may succeed later."""
    if any(words in complaint for words in LASTING):
        return False
    return code in (None, -9, 137, 255, 10, 12, 30, 35)


def tied():
    """Make the program the head of a group, that dies when who watches it is killed."""
    os.setsid()
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Progress:
    """How far work is, noted as rsync says it: bytes, and a percentage that is rounded down.

    From each of them follow the least and the most that the total can be; together they get nearer.
    """

    def __init__(self, folder, whole):
        self.folder, self.whole = folder, whole
        self.listed = False
        self.least, self.most = 0.0, float("inf")

    def hear(self, text):
        """Note what was said last."""
        self.listed = self.listed or LISTED in text
        for line in reversed(re.split(rb"[\r\n]", text)[:-1]):
            found = PROGRESS.match(line)
            if found:
                counted, share, total = found.groups()
                known = int(re.sub(rb"\D", b"", counted))
                total = int(total) if total else self.total(known, int(share))
                return save(
                    self.folder, "count", dict({"total": total} if total else {}, bytes=known)
                )
        return None

    def total(self, known, share):
        """Return the bytes in all, or None as long as they are not known well enough."""
        if not (self.whole and self.listed and share):
            return None
        self.least = max(self.least, known * 100.0 / min(share + 1, 100))
        self.most = min(self.most, known * 100.0 / share)
        near = self.most <= self.least * NEAR
        return int((self.least + self.most) / 2) if near else None


def poll(folder, wait_s):
    """Say how far the work is, as soon as it ended and at the latest after `wait_s`."""
    touch(folder)
    until = time.monotonic() + wait_s
    while True:
        alive = running(folder) is not None
        end = load(folder, "end")
        counted = load(folder, "count", {"bytes": 0})
        if end is not None or not alive:
            end = end or load(folder, "end") or {"rc": None, "broken": True, "stderr": "killed"}
            return print(json.dumps(dict(end, ended=True, **counted)))
        if time.monotonic() >= until:
            return print(json.dumps(dict(counted, ended=False)))
        time.sleep(0.05)


def stop(folder):
    """End what runs in the folder, and wait until it is gone."""
    pid = running(folder)
    if pid is None:
        return
    for each in [*descendants(pid), pid]:
        kill(each)
    while running(folder) is not None:
        time.sleep(0.02)


def running(folder):
    """Return the process that watches the work, or None."""
    known = load(folder, "pid")
    if known and born(known["pid"]) == known["born"]:
        return known["pid"]
    return None


def born(pid):
    """Return when a process began, in the kernel's ticks; None: it is gone, or a zombie."""
    try:
        with open("/proc/%d/stat" % pid) as file:
            fields = file.read().rpartition(")")[2].split()
    except (IOError, OSError):
        return None
    return None if fields[0] in "ZX" else fields[19]


def descendants(pid):
    """Return the children of a process, and theirs."""
    try:
        with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
            children = [int(word) for word in file.read().split()]
    except (IOError, OSError):
        return []
    return children + [each for child in children for each in descendants(child)]


def kill(pid):
    """Kill a process and its group, if they are there."""
    for how in (os.killpg, os.kill):
        try:
            how(pid, signal.SIGKILL)
        except OSError:
            pass


def path(folder, name):
    """Return where something about the work is noted."""
    return os.path.join(folder, name)


def touch(folder):
    """Note that somebody still wants the work."""
    with open(path(folder, "beat"), "w"):
        pass


def save(folder, name, value):
    """Note something, whole or not at all."""
    with open(path(folder, name + ".new"), "w") as file:
        json.dump(value, file)
    os.rename(path(folder, name + ".new"), path(folder, name))


def load(folder, name, default=None):
    """Read what was noted."""
    try:
        with open(path(folder, name)) as file:
            return json.load(file)
    except (IOError, OSError, ValueError):
        return default


if __name__ == "__main__":
    if sys.argv[1] == "start":
        start(sys.argv[2])
    elif sys.argv[1] == "poll":
        poll(sys.argv[2], float(sys.argv[3]))
    elif sys.argv[1] == "stop":
        stop(sys.argv[2])
