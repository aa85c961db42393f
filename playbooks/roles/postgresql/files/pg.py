"""Bring PostgreSQL databases nearer to what the source has: `copy`, `verify`, `start`, `undo`.

`argv[2]` is JSON: `source` and `target` (how to run a program there, as a shell command's
beginning), `databases`, `mode`, `jobs`, `kib_s`, `state` (a folder that is kept), `replace`. The
password of the source, if there is one, is in PGPASSWORD_SOURCE.

Rows are compared in groups: each row belongs to one by a digest of its primary key, and a group has
a count and a digest of its rows that does not depend on their order. Only groups that differ are
copied again, so a copy that was interrupted goes on, and a later one moves little (M2).

Standard library only, and Python 3.6.
"""

import json
import os
import sys

from copying import Copier, groups
from ends import ComplaintError, LostError
from notes import forget, load, save
from queries import LOCK, OBJECTS, SEQUENCES, TABLES, ident, literal


class Mover(Copier):
    """One run over all databases."""

    def verify(self):
        """Compare all rows, sequences and large objects; a test copy with what it was made of."""
        compared, wrong = 0, []
        for database in self.wanted["databases"]:
            name = self.name(database)
            if not self.target.has(name):
                raise ComplaintError("%s is not on %s" % (name, self.target.name))
            for what, theirs, ours in self.pairs(database, name):
                compared += (
                    sum(value[0] for value in theirs.values())
                    if isinstance(theirs, dict)
                    else len(theirs)
                )
                if theirs != ours:
                    wrong.append("%s.%s" % (database, told(what, theirs, ours)))
        return {"compared": compared, "differences": len(wrong), "first": wrong[:5]}

    def pairs(self, database, name):
        """Yield what is compared: its name, what the source has, what the target has."""
        expected = load(self.note(database) + ".expected") if self.test else None
        there = {row[0]: row for row in self.target.rows(name, TABLES)}
        for table in self.source.rows(database, TABLES):
            ours = groups(self.target, name, table) if table[0] in there else {"0": [-1, "0"]}
            theirs = (
                expected.get(table[0], ours) if expected else groups(self.source, database, table)
            )
            yield table[0], theirs, ours
        for what, sql in (("sequences", SEQUENCES), ("large objects", OBJECTS)):
            theirs = expected[what.split()[-1]] if expected else self.source.rows(database, sql)
            yield what, theirs, self.target.rows(name, sql)

    def undo(self):
        """Say what was written at the target since; or, aborted, leave nothing there."""
        if self.wanted["mode"] in ("aborted", "test"):
            return self.abort((True,) if self.test else (True, False))
        changed, kept = 0, []
        for database in self.wanted["databases"]:
            started = load(self.note(database) + ".started")
            if started and self.target.has(database):
                kept.append(database)
                changed += sum(started.get(what) != now for what, now in self.state(database))
                self.target.rows("postgres", LOCK % (ident(database), literal(database)))
        return {"written_since": changed, "kept_in": ", ".join(kept)}

    def start(self):
        """Note what the target has before anybody writes there, and let everybody write."""
        for database in self.wanted["databases"]:
            self.target.rows(
                "postgres",
                "ALTER DATABASE %s RESET default_transaction_read_only" % ident(database),
            )
            if not load(self.note(database) + ".started"):
                save(self.note(database) + ".started", dict(self.state(database)))
        return {}

    def state(self, database):
        """Yield what the target has, table by table, and its sequences."""
        for table in self.target.rows(database, TABLES):
            yield table[0], groups(self.target, database, table)
        yield "sequences", self.target.rows(database, SEQUENCES)

    def abort(self, kinds):
        """Take away what was made at the target: test copies (True), and others (False)."""
        for database in self.wanted["databases"]:
            for self.test in kinds:
                if os.path.exists(self.note(database)):
                    self.target.run("dropdb", "--if-exists", "--force", self.name(database))
                    for end in ("", ".expected", ".started"):
                        forget(self.note(database) + end)
        roles = os.path.join(self.wanted["state"], "postgresql.roles")
        if os.path.exists(roles) and False in kinds:
            with open(roles) as file:
                for name in file.read().split("\n")[:-1]:
                    try:
                        self.target.rows("postgres", "DROP ROLE IF EXISTS " + ident(name))
                    except ComplaintError:
                        continue  # Somebody uses it meanwhile.
        return {}


def told(what, theirs, ours):
    """Say in what way two sides differ."""
    if not isinstance(theirs, dict):
        return what
    rows = [sum(value[0] for value in side.values()) for side in (theirs, ours)]
    if rows[0] != rows[1]:
        return "%s: %d rows at the source, %d at the target" % (what, rows[0], rows[1])
    parts = sum(theirs.get(g) != ours.get(g) for g in set(theirs) | set(ours))
    return "%s: other contents in %d groups of rows" % (what, parts)


def main(what, wanted):
    """Do what is wanted; the last line printed is JSON."""
    try:
        print("\n" + json.dumps(getattr(Mover(wanted), what)()))
    except LostError as fault:
        sys.stderr.write("the source was lost: %s\n" % fault)
        sys.exit(255)
    except ComplaintError as fault:
        sys.stderr.write("%s\n" % fault)
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
