"""Switches one text for another in a file of this host that several systems may share, and back.

`switch` keeps the file as it was, replaces, has it checked and lets it take effect; `back` gives it
back as it was. Where others have changed the file since, only what was switched here goes back. It
is noted, for the plan may name another file or another text by now. Whoever is at it holds a lock
on the file's folder. What is printed is JSON: `changed`.
"""

import difflib
import errno
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys


class ComplaintError(Exception):
    """Something a person has to see to."""


class Swap:
    """One file, what is replaced in it, and the place where it is kept as it was."""

    def __init__(self, wanted):
        self.wanted = wanted
        self.path = os.path.realpath(wanted["file"])
        self.kept = os.path.join(wanted["state"], "swapped")
        self.note = os.path.join(wanted["state"], "swap.json")

    def noted(self):
        """Return what was wanted when something was switched here; None: nothing was."""
        return json.loads(get(self.note)) if os.path.exists(self.note) else None

    def switch(self):
        """Replace the text; what is refused is given back."""
        if not os.path.exists(self.kept):
            os.makedirs(self.wanted["state"], mode=0o700, exist_ok=True)
            put(self.note, json.dumps(self.wanted), like=self.wanted["state"])
            put(self.kept, get(self.path), like=self.path)
        changed = self.put(self.replaced(get(self.path)))
        try:
            self.check()
            self.apply()
        except ComplaintError:
            self.back()
            raise
        return {"changed": changed}

    def check(self):
        """Complain where the text does not stand there, or the file is refused."""
        if self.wanted["text"] not in get(self.path):
            raise ComplaintError("nothing to replace")
        ended = shell(self.wanted["check"])
        if ended.returncode:
            said = ended.stderr.strip() or ended.stdout.strip()
            raise ComplaintError(said or "the file is refused")

    def apply(self):
        """Let it take effect."""
        ended = shell(self.wanted["apply"])
        if ended.returncode:
            raise ComplaintError(ended.stderr.strip() or ended.stdout.strip())

    def back(self):
        """Give back what was switched."""
        if not os.path.exists(self.kept):
            self.forget()
            return {"changed": False}
        before = get(self.kept)
        self.put(merged(before, self.replaced(before), get(self.path)))
        self.apply()
        self.forget()
        return {"changed": True}

    def replaced(self, text):
        """Return a text with what is wanted in place of what stands there."""
        return re.sub(
            self.wanted["pattern"], lambda _: self.wanted["text"], text, flags=re.MULTILINE
        )

    def put(self, text):
        """Have the file say something; return whether it did not before."""
        if get(self.path) == text:
            return False
        put(self.path, text, like=self.path)
        return True

    def forget(self):
        """Remember nothing of it."""
        if os.path.isdir(self.wanted["state"]):
            shutil.rmtree(self.wanted["state"])


def merged(before, after, now):
    """Return a text that came of `after` with the lines that were changed as they were `before`."""
    if now in (before, after):
        return before
    old, new, lines = (text.split("\n") for text in (before, after, now))
    matcher = difflib.SequenceMatcher(None, new, lines, autojunk=False)
    places = {
        one.a + step: one.b + step
        for one in matcher.get_matching_blocks()
        for step in range(one.size)
    }
    for number, theirs in enumerate(old):
        ours = new[number]
        if theirs == ours:
            continue
        if number in places:
            lines[places[number]] = theirs
        elif ours in lines:
            lines[lines.index(ours)] = theirs
        elif theirs not in lines:
            raise ComplaintError(
                "somebody has changed what was switched: have it say `%s` again" % theirs.strip()
            )
    return "\n".join(lines)


def get(path):
    """Return what a file says."""
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        return file.read()


def put(path, text, like):
    """Write a file at once, with owner, rights and labels of another."""
    new = os.path.join(os.path.dirname(path), ".%s.govcloud" % os.path.basename(path))
    with open(new, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    owner = os.stat(like)
    os.chown(new, owner.st_uid, owner.st_gid)
    shutil.copystat(like, new)
    os.utime(new)
    try:
        os.rename(new, path)
    except OSError as fault:
        if fault.errno != errno.EBUSY:  # a file that is mounted by itself, as containers have it
            raise
        with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(text)
        os.remove(new)


def shell(command):
    """Run a command of the plan."""
    return subprocess.run(
        ["/bin/sh", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )


def alone(wanted, what):
    """Do something with a file while nobody else does, or complain."""
    swap = Swap(wanted)
    try:
        folder = os.open(os.path.dirname(swap.path), os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            return getattr(swap, what)()
        finally:
            os.close(folder)
    except ComplaintError as fault:
        raise ComplaintError("%s: %s" % (wanted["file"], fault)) from fault
    except OSError as fault:
        where = fault.filename or wanted["file"]
        raise ComplaintError("%s: %s" % (where, fault.strerror)) from fault


def main(what, wanted):
    """Do what is wanted; what was switched otherwise goes back first."""
    noted = Swap(wanted).noted() or wanted
    try:
        if what == "switch" and noted != wanted:
            alone(noted, "back")
        print(json.dumps(alone(wanted if what == "switch" else noted, what)))
    except ComplaintError as fault:
        sys.stderr.write("%s\n" % fault)
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
