"""Bring PostgreSQL databases nearer to what the source has: `copy`, `verify`, `start`, `undo`.

`argv[2]` is JSON: `source` and `target` (how to run a program there, as a shell command's
beginning), `databases`, `mode`, `jobs`, `kib_s`, `state` (a folder that is kept), `replace`. The
password of the source, if there is one, is in PGPASSWORD_SOURCE.

Standard library only, and Python 3.6.
"""

import json
import os
import sys

from copying import Copier, groups
from ends import ComplaintError, tell
from notes import load
from queries import LOCK, OBJECTS, SEQUENCES, TABLES, ident, literal


class Mover(Copier):
    """One run over all databases."""

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

    def open(self, database):
        """Let everybody write at the target."""
        self.target.rows(
            "postgres", "ALTER DATABASE %s RESET default_transaction_read_only" % ident(database)
        )

    def close(self, database):
        """Let nobody write at the target."""
        self.target.rows("postgres", LOCK % (ident(database), literal(database)))

    def state(self, database):
        """Yield what the target has, table by table, and its sequences."""
        for table in self.target.rows(database, TABLES):
            yield table[0], groups(self.target, database, table)
        yield "sequences", self.target.rows(database, SEQUENCES)

    def drop(self, name):
        """Remove a database from the target."""
        self.target.run("dropdb", "--if-exists", "--force", name)

    def leave(self):
        """Remove the roles that were made at the target."""
        roles = self.kept("roles")
        if os.path.exists(roles):
            with open(roles) as file:
                for name in file.read().split("\n")[:-1]:
                    try:
                        self.target.rows("postgres", "DROP ROLE IF EXISTS " + ident(name))
                    except ComplaintError:
                        continue  # Somebody uses it meanwhile.


if __name__ == "__main__":
    tell(getattr(Mover(json.loads(sys.argv[2])), sys.argv[1]))
