"""One database that follows another by logical replication, for as long as a helper runs.

At the source stand a publication and a slot, at the target a subscription that is enabled only
while a copy runs. Their names come of the move's key, so whoever goes on finds them.
"""

import hashlib
import time

from ends import ComplaintError
from queries import ident, literal
from server import Snapshot

LOOK_S = 0.2
STARTS, ALONE_S = 4, 120
"""So often a worker may begin without getting on, and so long there may be none, until somebody has
to look."""
SLOT = """
SELECT to_jsonb(s) ->> 'wal_status' FROM pg_replication_slots s WHERE slot_name = {slot}
"""
NOW = """
SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots
WHERE slot_name = {slot} AND active_pid IS NOT NULL;
SET synchronous_commit = local;
SELECT FROM pg_logical_emit_message(true, 'govcloud', '');
SELECT pg_current_wal_flush_lsn();
"""
"""Whoever read the log is gone: of one whose link was lost, the source may not know yet. The
message is written to disk, and so is all that was committed before.
"""
LEFT = """
SELECT greatest(0, pg_wal_lsn_diff({until}, confirmed_flush_lsn))
FROM pg_replication_slots WHERE slot_name = {slot}
"""
WORKER = """
SELECT pid FROM pg_stat_subscription WHERE subname = {slot} AND pid IS NOT NULL AND relid IS NULL
"""
SUBSCRIBED = """
SELECT count(*) FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
WHERE subname = {slot} AND datname = {name}
"""


class Stream:
    """What makes one database follow another.

    `source` and `target` are a server and its database. `prefix` begins all names; `release` is
    SQL that leaves nothing of them in a source's database.
    """

    def __init__(self, source, target, prefix, release):
        self.source, self.database = source
        self.target, self.name = target
        self.publication, self.release = prefix, release
        self.slot = prefix + "_" + hashlib.sha256(self.database.encode()).hexdigest()[:8]
        self.words = {"slot": literal(self.slot), "name": literal(self.name)}

    def asked(self, end, sql, **words):
        """Return the rows of a question to a server."""
        database = self.database if end is self.source else "postgres"
        return end.rows(database, sql.format(**self.words, **words))

    def stands(self):
        """Whether changes are kept at the source since the last copy, and known at the target."""
        kept = self.asked(self.source, SLOT)
        return bool(kept) and kept[0][0] != "lost" and self.subscribed()

    def subscribed(self):
        """Whether the target's database has the subscription."""
        return self.asked(self.target, SUBSCRIBED) == [["1"]]

    def begin(self, tables):
        """Keep the changes of tables from now on; return the instant, to be copied."""
        listed = ", ".join("ONLY " + table for table in tables)
        publication = "CREATE PUBLICATION " + ident(self.publication)
        self.source.rows(self.database, publication + (listed and " FOR TABLE " + listed))
        return Snapshot(self.source, self.database, self.slot)

    def subscribe(self, way):
        """Let the target know what to follow, without a beginning yet."""
        self.target.rows(
            self.name,
            "CREATE SUBSCRIPTION {0} CONNECTION {1} PUBLICATION {2} WITH (enabled = false,"
            " create_slot = false, copy_data = false, slot_name = {3})".format(
                ident(self.slot), literal(way), ident(self.publication), literal(self.slot)
            ),
        )

    def catch_up(self, relay):
        """Let the target take in all that was written at the source until now."""
        until = literal(self.asked(self.source, NOW)[-1][0])
        self.alter("CONNECTION " + literal(relay.way(self.database)), "ENABLE")
        workers, before, alive = set(), None, time.monotonic()
        while True:
            left = self.left(until)
            if left == 0:
                break
            relay.check()
            if left != before:
                workers, before, alive = set(), left, time.monotonic()
            running = {row[0] for row in self.asked(self.target, WORKER)}
            workers |= running
            alive = time.monotonic() if running else alive
            if len(workers) >= STARTS or time.monotonic() - alive > ALONE_S:
                raise ComplaintError(
                    "%s does not take in what changed in %s: the log of its server says why"
                    % (self.target.name, self.database)
                )
            time.sleep(LOOK_S)
        self.alter("DISABLE")
        while self.asked(self.target, WORKER):
            time.sleep(LOOK_S)

    def left(self, until="pg_current_wal_flush_lsn()"):
        """Return how many bytes of the source's log the target has not dealt with."""
        rows = self.asked(self.source, LEFT, until=until)
        if not rows:
            raise ComplaintError(
                "the replication slot %s is gone from %s" % (self.slot, self.source.name)
            )
        return int(rows[0][0])

    def alter(self, *changes):
        """Change the subscription."""
        lines = ["ALTER SUBSCRIPTION %s %s;" % (ident(self.slot), change) for change in changes]
        self.target.rows(self.name, "\n".join(lines))

    def unsubscribe(self):
        """Let the target follow no more."""
        if self.subscribed():
            self.alter("DISABLE", "SET (slot_name = NONE)")
            self.target.rows(self.name, "DROP SUBSCRIPTION " + ident(self.slot))

    def drop(self):
        """Leave nothing at either end."""
        self.unsubscribe()
        self.source.rows(self.database, self.release)
