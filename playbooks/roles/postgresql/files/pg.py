"""Bring PostgreSQL databases nearer to what the source has.

`argv[1]` is `plan`, `copy`, `verify`, `start` or `undo`; `argv[2]` is JSON: `source` and `target`
(how to run a program there, as a shell command's beginning), `databases`, `mode`, `jobs`, `kib_s`,
`state` (a folder that is kept), `folder` (one in memory), `replace`, `follow`, `stream`.
The password of the source, if there is one, is in PGPASSWORD_SOURCE.

Standard library only, and Python 3.6.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import planning
from copying import groups, plain
from ends import tell
from following import Follower
from notes import load
from queries import LOCK, OBJECTS, REFRESH, SEQUENCES, TABLES, ident, literal


class Mover(Follower):
    """One run over all databases."""

    def plan(self):
        """Return what somebody should know before databases move."""
        return planning.plan(self)

    def verify(self):
        """Compare everything; of roles those that were made, and not for a test copy."""
        told = super().verify()
        wrong = [] if self.test else self.roles.unlike()
        told["differences"] += len(wrong)
        return dict(told, first=(wrong + told["first"])[:5])

    def pairs(self, database, name):
        """Yield what is compared: its name, what the source has, what the target has."""
        expected = load(self.note(database) + ".expected") if self.test else None
        there = {row[0]: row for row in self.target.rows(name, TABLES)}
        tables = self.source.rows(database, TABLES)
        with ThreadPoolExecutor(2 * self.wanted["jobs"]) as pool:
            # Both ends read at once.
            asked = [
                (
                    table[0],
                    None if expected else pool.submit(self.theirs, database, table),
                    pool.submit(self.ours, database, table) if table[0] in there else None,
                )
                for table in tables
            ]
            for what, theirs, ours in asked:
                found = ours.result() if ours else {"0": [-1, "0"]}
                yield what, theirs.result() if theirs else expected.get(what, found), found
        for what, sql in (("sequences", SEQUENCES), ("large objects", OBJECTS)):
            theirs = expected[what.split()[-1]] if expected else self.source.rows(database, sql)
            yield what, theirs, self.target.rows(name, sql)
        # Not their contents: those of the source may be of an earlier time.
        ours = sorted(self.target.rows(name, REFRESH))
        views = expected.get("views", ours) if expected else self.source.rows(database, REFRESH)
        yield "materialized views", sorted(views), ours
        ours = plain(self.parts(self.target, database))
        parts = expected.get("rights", ours) if expected else self.parts(self.source, database)
        yield "settings, owner, rights or comment", plain(parts), ours

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

    def leave(self):
        """Remove the roles that were made at the target."""
        self.roles.leave()


if __name__ == "__main__":
    tell(getattr(Mover(json.loads(sys.argv[2])), sys.argv[1]))
