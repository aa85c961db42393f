"""What is the same for databases of every kind: comparing them, opening them, taking them away.

A table's contents are a count and a digest for each of its groups of rows. A row belongs to a group
by a digest of its primary key, and a group's digest does not depend on the order of its rows. Only
groups that differ are copied again, so a copy that was interrupted goes on, and a later one moves
little (M2).
"""

import os

from ends import ComplaintError
from notes import Meter, forget, load, save


class Databases:
    """One run over all databases; what a kind of server does is left to whoever derives from it.

    `wanted` has `databases`, `mode`, `kib_s`, `state` (a folder that is kept), `replace`.
    """

    kind = ""
    source = target = None

    def __init__(self, wanted):
        self.wanted = wanted
        self.test = wanted["mode"] == "test"
        self.meter = Meter(wanted["kib_s"])
        os.makedirs(wanted["state"], mode=0o700, exist_ok=True)

    def name(self, database):
        """Return the database's name at the target; a test copy stands beside."""
        return (database[:57] + "__test") if self.test else database

    def note(self, database):
        """Return the file in which is kept what was made at the target."""
        return os.path.join(self.wanted["state"], self.kind + "-" + self.name(database))

    def kept(self, name):
        """Return a file in which is kept what concerns all databases."""
        return os.path.join(self.wanted["state"], self.kind + "." + name)

    def known(self):
        """Return the databases that are meant, and those that were copied while the plan did."""
        noted = load(self.kept("databases")).get("names", [])
        return list(dict.fromkeys([*self.wanted["databases"], *noted]))

    def remember(self):
        """Note which are about to be copied: the plan may name others when this is undone."""
        save(self.kept("databases"), {"names": self.known()})

    def free(self, database):
        """Refuse a database at the target that this did not make, unless it may be replaced."""
        if not load(self.note(database)) and not self.wanted["replace"]:
            raise ComplaintError(
                "the database %s is on %s already; remove it there, or allow it with "
                "`replace`" % (self.name(database), self.target.name)
            )

    def verify(self):
        """Compare everything; a test copy with what it was made of."""
        compared, wrong = 0, []
        for database in self.wanted["databases"]:
            name = self.name(database)
            if not self.target.has(name):
                raise ComplaintError("%s is not on %s" % (name, self.target.name))
            for what, theirs, ours in self.pairs(database, name):
                compared += rows(theirs) if isinstance(theirs, dict) else len(theirs)
                if theirs != ours:
                    wrong.append("%s.%s" % (database, told(what, theirs, ours)))
        return {"compared": compared, "differences": len(wrong), "first": wrong[:5]}

    def start(self):
        """Note what the target has before anybody writes there, and let everybody write."""
        for database in self.wanted["databases"]:
            if not load(self.note(database) + ".started"):
                save(self.note(database) + ".started", dict(self.state(database)))
            self.open(database)
        return {}

    def undo(self):
        """Say what was written at the target since; or, aborted, leave nothing there."""
        if self.wanted["mode"] in ("aborted", "test"):
            return self.abort((True,) if self.test else (True, False))
        changed, kept = 0, []
        for database in self.known():
            started = load(self.note(database) + ".started")
            if started and self.target.has(database):
                kept.append(database)
                self.close(database)
                changed += sum(started.get(what) != now for what, now in self.state(database))
        return {"written_since": changed, "kept_in": ", ".join(kept)}

    def abort(self, kinds):
        """Take away what was made at the target: test copies (True), and others (False)."""
        for database in self.known():
            for self.test in kinds:
                if os.path.exists(self.note(database)):
                    self.drop(self.name(database))
                    for end in ("", ".expected", ".started"):
                        forget(self.note(database) + end)
        if False in kinds:
            self.leave()
        return {}


def rows(groups):
    """Return how many rows groups have."""
    return sum(value[0] for value in groups.values())


def told(what, theirs, ours):
    """Say in what way two sides differ."""
    if not isinstance(theirs, dict):
        return what
    if rows(theirs) != rows(ours):
        return "%s: %d rows at the source, %d at the target" % (what, rows(theirs), rows(ours))
    parts = sum(theirs.get(g) != ours.get(g) for g in set(theirs) | set(ours))
    return "%s: other contents in %d groups of rows" % (what, parts)


def short(names):
    """Write the first names, and how many more there are."""
    more = len(names) - 8
    return ", ".join(names[:8]) + (" and %d more" % more if more > 0 else "")


def unlike(source, target, theirs, ours):
    """Yield what is set at the source and not, or otherwise, at the target; settings by name."""
    settings = [
        "%s = '%s' (there: %s)" % (name, value, ours.get(name, "its default"))
        for name, value in sorted(theirs.items())
        if ours.get(name) != value
    ]
    if settings:
        yield "set at %s and not, or otherwise, at %s: %s" % (
            source.name,
            target.name,
            short(settings),
        )
