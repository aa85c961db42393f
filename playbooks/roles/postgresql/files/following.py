"""Copies that follow the source by logical replication: a first copy, and then what is changed."""

import contextlib
import os

from copying import Copier, size
from ends import ComplaintError, LostError
from notes import forget, load, save
from queries import TABLES
from relay import Relay
from server import Snapshot
from stream import Stream


class Follower(Copier):
    """A copy of all databases; those that follow let the source keep their changes until the next.

    What logical replication does not tell of is compared each time, as without it: tables whose
    rows are not known again, sequences, large objects. A test copy changes nothing at the source,
    and follows nothing.
    """

    follows = False

    def copy(self):
        """Bring every database nearer; return the numbers."""
        self.follows = self.wanted["follow"] == "logical" and not self.test
        if not self.follows:
            return super().copy()
        with Relay(self.source, self.wanted["folder"], self.meter.count) as self.relay:
            moved = super().copy()
        # They read the same log, each by itself.
        named = self.wanted["databases"]
        left = [self.stream(each).left() for each in self.following() if each in named]
        return dict(moved, bytes_remaining=max(left, default=0))

    def bring(self, database):
        """Bring a database nearer; return the size of all its tables."""
        if self.test:
            return super().bring(database)
        stream = self.stream(database)
        stands = self.follows and load(self.streaming(database)).get("stands") and stream.stands()
        if not stands and (self.follows or database in self.following()):
            self.part(database, stream)
        if not self.follows or (self.wanted["mode"] == "final" and not stands):
            return super().bring(database)
        try:
            return self.followed(database, stream, stands)
        except ComplaintError:
            # Played again, it is compared, and followed from there.
            with contextlib.suppress(ComplaintError, LostError):
                self.part(database, stream)
            raise

    def followed(self, database, stream, stands):
        """Take in what was changed since; what stands already is not copied first."""
        tables = self.source.rows(database, TABLES)
        if not stands:
            self.base(database, stream, tables)
        stream.catch_up(self.relay)
        if stands:
            with Snapshot(self.source, database) as snapshot:
                self.data(database, [table for table in tables if not told(table)], snapshot)
            self.complete(database)
        if self.wanted["mode"] == "final":
            self.part(database, stream)
        return size(tables)

    def base(self, database, stream, tables):
        """Copy everything as of the instant from which on changes are kept."""
        save(self.streaming(database), {"stands": False})
        with stream.begin([table[0] for table in tables if told(table)]) as snapshot:
            self.data(database, tables, snapshot)
        self.complete(database)
        stream.subscribe(self.relay.way(database))
        save(self.streaming(database), {"stands": True})

    def part(self, database, stream):
        """Let a database follow no more."""
        stream.drop()
        forget(self.streaming(database))

    def drop(self, name):
        """Remove a database from the target; one that follows cannot be removed."""
        for database in self.known():
            if self.name(database) == name:
                self.stream(database).unsubscribe()
        super().drop(name)

    def undo(self):
        """Follow no more, and undo the rest; the source's own part was taken away before."""
        for database in self.following() if not self.test else ():
            self.stream(database).unsubscribe()
            forget(self.streaming(database))
        return super().undo()

    def stream(self, database):
        """Return what makes a database follow."""
        ends = (self.source, database), (self.target, self.name(database))
        return Stream(*ends, **self.wanted["stream"])

    def streaming(self, database):
        """Return the file in which is kept that a database follows, or began to."""
        return self.note(database) + ".stream"

    def following(self):
        """Return the databases that follow, or began to."""
        return [each for each in self.known() if os.path.exists(self.streaming(each))]


def told(table):
    """Whether logical replication tells of all changes of a table."""
    return table[4] == "t"
