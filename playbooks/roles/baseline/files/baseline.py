"""Base configuration of a host: `look` says what differs, `start` does it, `verify`, `undo`.

`argv[2]` is JSON: `state`, a folder of this move, and by topic what is wanted, empty where nothing
is. Each topic says which files it needs with which contents; then what was done takes effect. What
stood there before the first change is kept in `state`, and given back byte for byte.

Standard library only, and Python 3.6.
"""

import json
import os
import shutil
import sys

from access import Accounts, Ssh
from ground import OWN, ComplaintError, read, write
from machine import Clock, Journal, Kernel, Name, Zone
from trail import Trail

TOPICS = (
    ("time_zone", Zone),
    ("time_servers", Clock),
    ("host_name", Name),
    ("accounts", Accounts),
    ("sysctl", Kernel),
    ("journal", Journal),
    ("audit", Trail),
    ("ssh", Ssh),
)


class Host:
    """A host and what is wanted of it."""

    def __init__(self, wanted):
        self.topics = [(name, make(wanted[name])) for name, make in TOPICS if wanted[name]]
        self.state = wanted["state"]
        self.kept = os.path.join(self.state, "baseline.json")

    def differences(self):
        """Return what is not as wanted."""
        found = []
        for _, topic in self.topics:
            files = topic.files().items()
            found += ["%s differs" % path for path, text in files if read(path) != text]
            found += topic.wrong()
        return found

    def look(self):
        """Say what differs."""
        found = self.differences()
        return {"differences": len(found), "first": "; ".join(found[:5])}

    def verify(self):
        """Fail where something differs."""
        found = self.differences()
        if found:
            raise ComplaintError("; ".join(found[:5]))
        return {"differences": 0}

    def start(self):
        """Do what is wanted, topic by topic; what a topic cannot do is given back at once."""
        kept = self.load()
        changed = 0
        for name, topic in self.topics:
            files = topic.files()
            self.keep(kept.setdefault(name, {"files": {}, "before": {}}), files, topic)
            self.save(kept)
            new = [path for path, text in files.items() if read(path) != text]
            if not new and not list(topic.wrong()):
                continue
            changed += 1
            try:
                for path in new:
                    write(path, files[path], topic.mode if OWN in path else self.was(path)[1])
                topic.apply()
            except ComplaintError:
                self.back(topic, kept[name])
                raise
        return {"changed": changed}

    def keep(self, kept, files, topic):
        """Keep what a topic has not changed before: a plan may want more of it since."""
        for path in files:
            kept["files"].setdefault(path, self.was(path))
        for what, was in topic.before().items():
            kept["before"].setdefault(what, was)

    def undo(self):
        """Give back what was before, the last first."""
        kept = self.load()
        there = dict(self.topics)
        for name, make in reversed(TOPICS):
            if name in kept:
                self.back(there.get(name) or make([]), kept[name])
        shutil.rmtree(self.state, ignore_errors=True)
        return {"changed": len(kept)}

    @staticmethod
    def back(topic, kept):
        """Give a topic's files back, and let them take effect."""
        for path, (text, mode) in kept["files"].items():
            write(path, text, mode)
        topic.restore(kept["before"])

    @staticmethod
    def was(path):
        """Return a file's text and permissions."""
        mode = os.lstat(path).st_mode & 0o7777 if os.path.lexists(path) else 0o644
        return read(path), mode

    def load(self):
        """Return what was kept before the first change."""
        return json.loads(read(self.kept) or "{}")

    def save(self, kept):
        """Keep it."""
        os.makedirs(self.state, mode=0o700, exist_ok=True)
        write(self.kept, json.dumps(kept), 0o600)


def main(what, wanted):
    """Do what is wanted; what is printed is JSON."""
    try:
        print(json.dumps(getattr(Host(wanted), what)()))
    except ComplaintError as fault:
        sys.stderr.write("%s\n" % fault)
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
