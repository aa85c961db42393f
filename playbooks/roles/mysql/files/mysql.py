"""Bring databases of MariaDB or MySQL nearer to what the source has.

`argv[1]` is `plan`, `copy`, `verify`, `start` or `undo`; `argv[2]` is JSON: `source` and `target`
(how to run a program there, as a shell command's beginning), `databases`, `mode`, `kib_s`, `state`
(a folder that is kept), `replace`, `others_wait`. Passwords, if there are any, are in
MYSQL_PWD_SOURCE and MYSQL_PWD_TARGET.

Standard library only, and Python 3.6.
"""

import json
import sys

from copying import Copier, groups
from definitions import definitions, rights
from ends import tell
from notes import load
from planning import plan
from queries import ident


class Mover(Copier):
    """One run over all databases."""

    def plan(self):
        """Say what there is to move, or why it cannot be."""
        return plan(self)

    def pairs(self, database, name):
        """Yield what is compared: its name, what the source has, what the target has."""
        expected = load(self.note(database) + ".expected") if self.test else None
        there = {table.name for table in self.tables(self.target, name)}
        for table in self.tables(self.source, database):
            known = table.name in there
            ours = groups(self.target.rows(table.digests, name)) if known else {"0": [-1, "0"]}
            if expected:
                theirs = expected.get(table.name, ours)
            else:
                theirs = groups(self.source.rows(table.digests, database))
            yield table.name, theirs, ours
        yield from self.defined(database, name, expected)
        theirs = expected["numbers"] if expected else self.numbers(self.source, database)
        yield "the next numbers", theirs, self.numbers(self.target, name)

    def defined(self, database, name, expected):
        """Yield the definitions, and who may use them."""
        theirs = expected["definitions"] if expected else definitions(self.source, database)
        ours = definitions(self.target, database, name)
        if not self.test:
            theirs = dict(theirs, **rights(self.source, database))
            held = rights(self.target, database)
            ours.update({key: held[key] for key in held if key in theirs})
        for key in sorted(set(theirs) | set(ours)):
            said = "is not at the target" if key not in ours else "is at the target only"
            said = "is defined otherwise" if key in ours and key in theirs else said
            yield "%s %s" % (key, said), [theirs.get(key)], [ours.get(key)]

    def open(self, database):
        """Let accounts in and events run at the target."""
        self.accounts.open()
        for event in load(self.note(database)).get("events", []):
            self.target.rows("ALTER EVENT %s ENABLE" % ident(event), database)

    def close(self, database):
        """Let the accounts that came along write no more, and no event run."""
        self.accounts.close()
        for event in load(self.note(database)).get("events", []):
            self.target.rows("ALTER EVENT %s DISABLE" % ident(event), database)

    def state(self, database):
        """Yield what the target has, table by table."""
        for table in self.tables(self.target, database):
            yield table.name, groups(self.target.rows(table.digests, database))

    def leave(self):
        """Remove the accounts that were made at the target."""
        self.accounts.leave(self.known())


if __name__ == "__main__":
    tell(getattr(Mover(json.loads(sys.argv[2])), sys.argv[1]))
