"""Long work on a host that is watched from afar: `start`, `poll`, `stop`, `meter`.

    start FOLDER < {"argv": [...], "env": {...}, "lease_s": 20, "speaks": "rsync"}
    poll FOLDER WAIT_S      one line of JSON: how far it is, and when it ended, how
    stop FOLDER
    meter FOLDER KIB_S      copies its input to its output, counts, and keeps to a rate

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
PROGRESS = re.compile(rb"^\s*([\d,.]+)\s+\d+%")


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
    lost, noted = False, 0.0
    while open_ends:
        for end in select.select(open_ends, [], [], 0.5)[0]:
            data = os.read(end, 65536)
            if not data:
                open_ends.remove(end)
            told[end] = (told[end] + data)[-4 * TAIL :]
            # Not for each of its lines: of small files it prints thousands a second.
            if wanted.get("speaks") == "rsync" and time.time() - noted > NOTED_EACH_S:
                noted = time.time()
                count(folder, told[ends[0]])
        if not lost and time.time() - os.stat(path(folder, "beat")).st_mtime > wanted["lease_s"]:
            lost = True
            kill(work.pid)
    kill(work.pid)
    if wanted.get("speaks") == "rsync":
        count(folder, told[ends[0]])
    out, err = (told[end].decode("utf-8", "replace")[-TAIL:] for end in ends)
    code = work.wait()
    return {"rc": code, "broken": broken(code, err), "stdout": out, "stderr": err}


def broken(code, complaint):
    """Whether a host or the way to it was lost, so that the same may succeed later."""
    if "No space left" in complaint or "Permission denied" in complaint:
        return False
    return code in (None, -9, 137, 255, 10, 12, 30, 35)


def tied():
    """Make the program the head of a group, that dies when who watches it is killed."""
    os.setsid()
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def count(folder, text):
    """Note the bytes that rsync last said it had dealt with."""
    for line in reversed(re.split(rb"[\r\n]", text)[:-1]):
        found = PROGRESS.match(line)
        if found:
            digits = re.sub(rb"\D", b"", found.group(1))
            return save(folder, "count", {"bytes": int(digits)})
    return None


def poll(folder, wait_s):
    """Say how far the work is, as soon as it ended and at the latest after `wait_s`."""
    touch(folder)
    until = time.time() + wait_s
    while True:
        alive = running(folder) is not None
        end = load(folder, "end")
        if end is not None or not alive:
            end = end or load(folder, "end") or {"rc": None, "broken": True, "stderr": "killed"}
            said = dict(end, ended=True, bytes=load(folder, "count", {}).get("bytes", 0))
            return print(json.dumps(said))
        if time.time() >= until:
            counted = load(folder, "count", {}).get("bytes", 0)
            return print(json.dumps({"ended": False, "bytes": counted}))
        time.sleep(0.05)


def stop(folder):
    """End what runs in the folder, and wait until it is gone."""
    pid = running(folder)
    if pid is None:
        return
    for child in descendants(pid):
        kill(child)
    os.kill(pid, signal.SIGKILL)
    while running(folder) is not None:
        time.sleep(0.02)


def meter(folder, kib_s):
    """Copy input to output, counting, no faster than `kib_s` (0: as fast as it goes)."""
    total, begun, noted = 0, time.time(), 0.0
    while True:
        data = os.read(0, 1 << 18)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(1, rest) :]
        total += len(data)
        now = time.time()
        if now - noted > NOTED_EACH_S or not data:
            noted = now
            save(folder, "count", {"bytes": total})
        if not data:
            return
        ahead = total / (kib_s * 1024.0) - (now - begun) if kib_s else 0
        if ahead > 0:
            time.sleep(ahead)


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
    elif sys.argv[1] == "meter":
        meter(sys.argv[2], float(sys.argv[3]))
