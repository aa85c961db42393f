"""Jobs of cron: `look`, `read`, `freeze`, `thaw` at the source; the rest at the target.

`argv[2]` is JSON: `users` whose crontabs, and `files`, that are meant; `state`, a folder of this
move on either host; at the target `side` (where a test copy goes), `mode`, `replace` and `read`,
the command that reads the source's jobs.

Jobs may hold passwords: they go from the source to the target, and are never printed elsewhere.

Standard library only, and Python 3.6.
"""

import base64
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import time
from urllib.parse import quote, unquote

MOMENTS = ("reboot", "yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly")
TIME = re.compile(r"^[-0-9A-Za-z*/,~]+$")
VARIABLE = re.compile(r"""^\s*("[^"]*"|'[^']*'|[^\s=*@"']+)\s*=""")
ENVIRONMENT = dict(os.environ, LC_ALL="C", PATH="/usr/sbin:/usr/bin:/sbin:/bin")


class ComplaintError(Exception):
    """What somebody has to look at, in a sentence."""


class Crontab:
    """The crontab of a user, by the program that cron has for it."""

    called = "the crontab of "

    def __init__(self, user):
        self.user, self.name, self.mode = user, self.called + user, 0o600

    def get(self):
        """Return its text; None: there is none."""
        done = self.run("-l")
        return done.stdout if done.returncode == 0 else None

    def doubt(self, text):
        """Return why cron's program would not take it back; None: nothing is known against it."""
        lines = text.decode("utf-8", "replace").split("\n")
        if lines.pop():
            return "its last line has no end"
        for number, line in enumerate(lines, 1):
            words = line.split()
            if not words or words[0].startswith("#") or VARIABLE.match(line):
                continue
            if words[0].startswith("@"):
                if words[0][1:] not in MOMENTS or len(words) < 2:
                    return "line %d" % number
            elif len(words) < 6 or not all(TIME.match(word) for word in words[:5]):
                return "line %d" % number
        return None

    def put(self, text, _mode):
        """Write it; cron's own program says what is wrong with it."""
        done = self.run("-", given=text)
        if done.returncode:
            raise ComplaintError("%s: %s" % (self.name, done.stderr.decode("utf-8", "replace")))

    def remove(self):
        """Have none."""
        if self.get() is not None:
            self.run("-r")

    def people(self, _text):
        """Return who runs its jobs."""
        return {self.user}

    def run(self, *words, given=b""):
        """Run the program."""
        return subprocess.run(
            ["crontab", "-u", self.user, *words],
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
        )


class File:
    """A file that cron reads."""

    def __init__(self, name):
        self.path = self.name = name if name.startswith("/") else "/etc/cron.d/" + name
        if not os.path.normpath(self.path).startswith("/etc/cron.") or os.path.islink(self.path):
            raise ComplaintError("%s is no file of its own in /etc/cron.*" % self.path)

    @property
    def mode(self):
        """Its permissions."""
        return os.stat(self.path).st_mode & 0o777

    def get(self):
        """Return its text; None: there is none."""
        if not os.path.exists(self.path):
            return None
        with open(self.path, "rb") as file:
            return file.read()

    def doubt(self, _text):
        """Return None: it is written as it is."""
        return

    def put(self, text, mode):
        """Write it, whole or not at all; cron ignores names that begin with a dot."""
        new = os.path.join(os.path.dirname(self.path), ".govcloud-" + os.path.basename(self.path))
        write(new, text, mode)
        os.rename(new, self.path)

    def remove(self):
        """Have none."""
        if os.path.exists(self.path):
            os.unlink(self.path)

    def people(self, text):
        """Return who runs its jobs: in /etc/cron.d the word after the times."""
        if not self.path.startswith("/etc/cron.d/"):
            return {"root"}
        lines = [line.split() for line in text.decode("utf-8", "replace").splitlines()]
        found = set()
        for words in lines:
            place = 1 if words and words[0].startswith("@") else 5
            if len(words) > place + 1 and (place == 1 or words[0][0] in "*0123456789"):
                found.add(words[place])
        return found


class Kept:
    """Jobs that are kept in a folder: by each name its text, with its permissions."""

    def __init__(self, *path):
        self.folder = os.path.join(*path)

    def place(self, job):
        """Return the file in which a job is kept."""
        return os.path.join(self.folder, quote(job.name, safe=""))

    def get(self, job):
        """Return a job's text and permissions, or None twice."""
        if not os.path.exists(self.place(job)):
            return None, None
        with open(self.place(job), "rb") as file:
            return file.read(), os.fstat(file.fileno()).st_mode & 0o777

    def put(self, job, text, mode):
        """Keep a job."""
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        new = os.path.join(self.folder, ".new")
        write(new, text, mode)
        os.rename(new, self.place(job))

    def drop(self, job):
        """Keep a job no more."""
        if self.has(job):
            os.unlink(self.place(job))

    def has(self, job):
        """Whether a job is kept."""
        return os.path.exists(self.place(job))

    def jobs(self):
        """Return the jobs that are kept, whichever the plan names by now."""
        names = os.listdir(self.folder) if os.path.isdir(self.folder) else []
        return [job_of(unquote(name)) for name in sorted(names) if name != ".new"]

    def forget(self):
        """Keep nothing any more."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Source:
    """What is done at the source."""

    def __init__(self, wanted):
        self.wanted, self.jobs = wanted, jobs_of(wanted)
        self.frozen = Kept(wanted["state"], "cron-frozen")

    def found(self):
        """Yield each job with its text and permissions, also while it is frozen."""
        for job in self.jobs:
            text, mode = self.frozen.get(job)
            if text is None:
                text = job.get()
                mode = None if text is None else job.mode
            if text is None:
                raise ComplaintError("%s is not on %s" % (job.name, self.wanted["source"]))
            yield job, text, mode

    def look(self):
        """Say how much there is; refuse what could not be given back."""
        for job, text, _ in self.found():
            if job.doubt(text):
                raise ComplaintError(
                    "cron would not take %s back as it is (%s): mend it first"
                    % (job.name, job.doubt(text))
                )
        return {"bytes": sum(len(text) for _, text, _ in self.found()), "jobs": len(self.jobs)}

    def read(self):
        """Say everything, for the target."""
        found = {
            job.name: {"text": base64.b64encode(text).decode(), "mode": mode}
            for job, text, mode in self.found()
        }
        return {"jobs": found, "clock": time.strftime("%z")}

    def freeze(self):
        """Keep the jobs aside, so that cron begins none, and wait for those that run."""
        found = list(self.found())
        people = {who for job, text, _ in found for who in job.people(text)}
        # Also what somebody wrote after an earlier freeze: it is what there is to give back then.
        standing = [(job, job.get()) for job in self.jobs]
        standing = [(job, text) for job, text in standing if text is not None]
        for job, text in standing:
            # What cron's program refuses stays as it was, and what it takes is what stands there.
            if isinstance(job, Crontab):
                job.put(text, job.mode)
        for job, text in standing:
            self.frozen.put(job, text, job.mode)
            job.remove()
        until = time.time() + self.wanted["wait_s"]
        while self.wanted["wait_s"] >= 0 and running(people):
            if time.time() > until:
                raise ComplaintError("jobs of cron still run: " + "; ".join(running(people)))
            time.sleep(0.5)
        return {"changed": bool(standing)}

    def thaw(self):
        """Give the jobs back as they were, and see that cron has them."""
        kept = self.frozen.jobs()
        for job in kept:
            text, mode = self.frozen.get(job)
            job.put(text, mode)
            if job.get() != text:
                raise ComplaintError("%s cannot be given back" % job.name)
        self.frozen.forget()
        if os.path.isdir(self.wanted["state"]) and not os.listdir(self.wanted["state"]):
            os.rmdir(self.wanted["state"])
        return {"changed": bool(kept)}


class Target:
    """What is done at the target."""

    def __init__(self, wanted):
        self.wanted, self.jobs = wanted, jobs_of(wanted)
        self.test = wanted["mode"] == "test"
        self.copied = Kept(wanted["side"] if self.test else wanted["state"], "cron")
        self.before = Kept(wanted["state"], "cron-before")
        self.changed = Kept(wanted["state"], "cron-changed")
        self.started = Kept(wanted["state"], "cron-started")

    def ask(self):
        """Return what the source has."""
        done = subprocess.run(self.wanted["read"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if done.returncode:
            sys.stderr.write(done.stderr.decode("utf-8", "replace"))
            sys.exit(done.returncode)
        said = json.loads(done.stdout.decode())
        here = time.strftime("%z")
        if said["clock"] != here:
            raise ComplaintError(
                "the clock of %s is at %s and that of %s at %s, so jobs would run at other times:"
                " give the target the source's time zone (role `baseline`, `time_zone`)"
                % (self.wanted["source"], said["clock"], self.wanted["target"], here)
            )
        found = said["jobs"]
        return [
            (job, base64.b64decode(found[job.name]["text"]), found[job.name]["mode"])
            for job in self.jobs
        ]

    def copy(self):
        """Keep the jobs aside."""
        moved = total = 0
        for job, text, mode in self.ask():
            taken = job.get() is not None and not self.started.has(job)
            if taken and not self.test and not self.wanted["replace"]:
                raise ComplaintError(
                    "%s is on %s already; remove it there, or allow it with `replace`"
                    % (job.name, self.wanted["target"])
                )
            total += len(text)
            if self.copied.get(job) != (text, mode):
                moved += len(text)
                self.copied.put(job, text, mode)
        return {"bytes": moved, "bytes_total": total}

    def verify(self):
        """Compare what is kept aside, or runs already; and see that it can run."""
        wrong = []
        for job, text, _ in self.ask():
            ours = job.get() if self.started.has(job) else self.copied.get(job)[0]
            if ours != text:
                wrong.append("%s differs" % job.name)
            if not self.test:
                wrong += ["%s: no user %s" % (job.name, who) for who in lacking(job.people(text))]
        if not self.test and not daemons(processes()):
            wrong.append("no cron runs on " + self.wanted["target"])
        if wrong:
            raise ComplaintError("; ".join(wrong[:5]))
        return {"compared": len(self.jobs), "differences": 0}

    def start(self):
        """Give the jobs to cron; of each, what stood there is kept before it is touched."""
        copied = [(job, *self.copied.get(job)) for job in self.jobs]
        for job, text, _ in copied:
            if text is None:
                raise ComplaintError("%s was never copied" % job.name)
        for job, text, mode in copied:
            if not self.started.has(job):
                there = job.get()
                if there is not None:
                    self.before.put(job, there, job.mode)
                else:
                    self.before.drop(job)
                self.started.put(job, b"", 0o600)
            job.put(text, mode)
        return {}

    def undo(self):
        """Let none run here; what was changed here since is kept aside."""
        if self.test:
            shutil.rmtree(self.wanted["side"], ignore_errors=True)
            return {}
        changed = sum(self.back(job) for job in self.started.jobs())
        self.started.forget()
        self.before.forget()
        kept = "%s: %s" % (self.wanted["target"], self.changed.folder)
        return {"written_since": changed, "kept_in": kept if changed else ""}

    def back(self, job):
        """Give back what stood here before a job; return whether the job was changed since."""
        there, (before, mode) = job.get(), self.before.get(job)
        changed = there not in (None, before, self.copied.get(job)[0])
        if changed:
            self.changed.put(job, there, job.mode)
        if before is None:
            job.remove()
        else:
            job.put(before, mode)
        return changed


def job_of(name):
    """Return the job of a name."""
    user = name.startswith(Crontab.called)
    return Crontab(name[len(Crontab.called) :]) if user else File(name)


def jobs_of(wanted):
    """Return the jobs that are meant."""
    return [Crontab(user) for user in wanted["users"]] + [File(name) for name in wanted["files"]]


def write(path, text, mode):
    """Write a file with its permissions from the start."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(text)
        os.fchmod(file.fileno(), mode)


def lacking(people):
    """Return which of these users there are not."""
    asked = {
        who: subprocess.run(["getent", "passwd", who], stdout=subprocess.DEVNULL).returncode
        for who in sorted(people)
    }
    return [who for who, missing in asked.items() if missing]


def processes():
    """Return of each process its parent, its owner's number, its name."""
    found = {}
    for pid in (name for name in os.listdir("/proc") if name.isdigit()):
        try:
            with open("/proc/%s/stat" % pid) as file:
                head, _, rest = file.read().rpartition(")")
            owner = os.stat("/proc/" + pid).st_uid
            found[pid] = (rest.split()[1], owner, head.partition("(")[2])
        except (OSError, IndexError):
            continue
    return found


def daemons(seen):
    """Return cron's own processes: the one that begins jobs, and those that each wait for one."""
    return {pid for pid, (_, _, name) in seen.items() if name.lower() in ("cron", "crond")}


def running(people):
    """Return the jobs of these users that run: what a process of cron has begun."""
    seen = processes()
    crons = daemons(seen)
    numbers = {one.pw_uid for one in pwd.getpwall() if one.pw_name in people}
    return [
        "%s (process %s)" % (name, pid)
        for pid, (parent, owner, name) in seen.items()
        if parent in crons and pid not in crons and owner in numbers
    ]


def main(what, wanted):
    """Do what is wanted; what is printed is JSON."""
    side = Source if what in ("look", "read", "freeze", "thaw") else Target
    try:
        print(json.dumps(getattr(side(wanted), what)()))
    except ComplaintError as fault:
        sys.stderr.write("%s\n" % fault)
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
