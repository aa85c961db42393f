"""Copying: databases as the source has them, of tables only the groups of rows that differ."""

import hashlib
import os
import re
import subprocess
import threading

from accounts import Accounts
from databases import Databases
from definitions import definitions
from notes import forget, load, save
from queries import COLUMNS, GROUPS, SEQUENCES, SNAPSHOT, TABLES, ident, literal, tables
from server import Server, Session

INTO = (
    "SET NAMES binary; SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00',"
    " foreign_key_checks = 0, unique_checks = %d, wait_timeout = 86400, net_read_timeout = 86400;\n"
    "START TRANSACTION;\n"
)
NUMBER = re.compile(rb" AUTO_INCREMENT=\d+|^.*SETVAL\(.*\n", re.MULTILINE)
"""What changes with each row and is no definition."""
WAKE = re.compile(rb"(ON COMPLETION (?:NOT )?PRESERVE) ENABLE\b")
STATEMENT = 1 << 19


class Copier(Databases):
    """A copy of all databases."""

    kind = "mysql"

    def __init__(self, wanted):
        super().__init__(wanted)
        self.source = Server(wanted["source"], os.environ.get("MYSQL_PWD_SOURCE"))
        self.target = Server(wanted["target"], os.environ.get("MYSQL_PWD_TARGET"))
        self.accounts = Accounts(
            self.source, self.target, wanted["databases"], self.kept("accounts")
        )

    def copy(self):
        """Bring every database nearer; return the numbers."""
        self.remember()
        if not self.test:
            self.accounts.bring()
        self.expect()
        told = {"bytes": 0, "bytes_total": 0}
        for database in self.wanted["databases"]:
            forget(self.note(database) + ".started")
            self.prepare(database)
            told["bytes_total"] += self.data(database)
            self.finish(database)
        told["bytes"] = self.meter.moved
        return dict(told, **self.position())

    def expect(self):
        """Tell what there is to move; of what was copied before, nobody knows how much differs."""
        for database in self.wanted["databases"]:
            if self.first(database):
                found = self.tables(self.source, database)
                self.meter.expect(sum(table.data for table in found))

    def first(self, database):
        """Whether a database was never copied to its end."""
        return not os.path.exists(self.note(database) + ".expected")

    def prepare(self, database):
        """Have a database at the target with the source's tables; keep one that has them."""
        name, noted = self.name(database), load(self.note(database))
        text = self.source.dump(database, "--routines", "--skip-triggers")
        digest = hashlib.sha256(NUMBER.sub(b"", text)).hexdigest()
        there = self.target.has(name)
        if there and noted.get("schema") == digest:
            return self.bare(name)
        if there:
            self.free(database)
        save(self.note(database), {"schema": ""})
        asked = (
            "SELECT default_character_set_name, default_collation_name"
            " FROM information_schema.schemata WHERE schema_name = "
        )
        ((characters, collation),) = self.source.rows(asked + literal(database))
        self.drop(name)
        made = "CREATE DATABASE %s CHARACTER SET %s COLLATE %s"
        self.target.rows(made % (ident(name), characters, collation))
        self.target.load(name, text)
        return save(self.note(database), {"schema": digest})

    def bare(self, name):
        """Remove what would act when rows are written: triggers and events."""
        for kind in ("trigger", "event"):
            asked = "SELECT {0}_name FROM information_schema.{0}s WHERE {0}_schema = {1}"
            found = self.target.rows(asked.format(kind, literal(name)))
            gone = ["DROP %s %s" % (kind, ident(each)) for (each,) in found]
            if gone:
                self.target.rows(";\n".join(gone), name)

    def tables(self, server, name):
        """Return the tables of a database."""
        return tables(*(server.rows(sql.format(literal(name))) for sql in (TABLES, COLUMNS)))

    def data(self, database):
        """Copy what differs, as of one instant; return all bytes.

        Tables of engines without transactions have no such instant: each is locked meanwhile.
        """
        found = sorted(self.tables(self.source, database), key=lambda table: -table.size)
        expected = {}
        with Session(self.source, database, *SNAPSHOT) as session:
            for table in found:
                if table.safe:
                    expected[table.name] = self.table(database, table, session)
        for table in found:
            if not table.safe:
                with Session(self.source, database, "LOCK TABLES %s READ" % table.sql) as session:
                    expected[table.name] = self.table(database, table, session)
        expected["definitions"] = definitions(self.source, database)
        expected["numbers"] = self.numbers(self.source, database)
        self.renumber(self.name(database), expected["numbers"])
        save(self.note(database) + ".expected", expected)
        return sum(table.size for table in found)

    def table(self, database, table, session):
        """Copy the groups of a table that differ; return what the source has, by group."""
        ours = groups(self.target.rows(table.digests, self.name(database)))
        theirs = groups(session.rows(table.digests))
        if ours and self.first(database):
            self.meter.expect(-table.data)
        if ours == theirs:
            return theirs
        wrong = sorted(g for g in set(ours) | set(theirs) if ours.get(g) != theirs.get(g))
        some = ours and table.key and len(wrong) < GROUPS / 2
        where = table.where(wrong) if some else ""
        begin = INTO % bool(ours) + ("DELETE FROM %s%s;\n" % (table.sql, where) if ours else "")
        written = ", ".join(column.written for column in table.columns)
        rows = session.lines("SELECT %s FROM %s%s" % (written, table.sql, where))
        names = ", ".join(column.name for column in table.columns)
        into = "INSERT INTO %s (%s) VALUES\n" % (table.sql, names)
        self.pour(self.name(database), begin.encode(), into.encode(), rows)
        return theirs

    def pour(self, name, begin, into, rows):
        """Write rows into the target in one transaction, counting bytes."""
        taking = self.target.start(
            "client", "--batch", "--binary-mode", "-D", name, raw=True,
            stdin=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        complaints = []
        reading = threading.Thread(target=lambda: complaints.append(taking.stderr.read()))
        reading.start()
        try:
            taking.stdin.write(begin)
            waiting, size = [], 0
            for row in rows:
                waiting.append(b"(" + row[:-1].replace(b"\t", b",") + b")")
                size += len(row)
                if size > STATEMENT:
                    taking.stdin.write(into + b",\n".join(waiting) + b";\n")
                    self.meter.count(size)
                    waiting, size = [], 0
            if waiting:
                taking.stdin.write(into + b",\n".join(waiting) + b";\n")
                self.meter.count(size)
            # Only if the source came to its end; without COMMIT nothing is kept.
            taking.stdin.write(b"COMMIT;\n")
        except BrokenPipeError:
            pass  # What the target complains of says why.
        finally:
            try:
                taking.stdin.close()
            except OSError:
                pass
            code = taking.wait()
            reading.join()
        self.target.judge(code, complaints[0].decode("utf-8", "replace"))

    def numbers(self, server, name):
        """Return the next number of every table and sequence that counts."""
        found = [[each.name, each.number] for each in self.tables(server, name) if each.number]
        for (sequence,) in server.rows(SEQUENCES.format(literal(name))):
            asked = "SELECT next_not_cached_value FROM " + ident(sequence)
            found.append([sequence, server.rows(asked, name)[0][0]])
        return found

    def renumber(self, name, numbers):
        """Let tables and sequences at the target go on where the source's do."""
        sql = {
            True: "ALTER TABLE %s AUTO_INCREMENT = %s",
            False: "DO SETVAL(%s, %s, 0)",
        }
        asked = [sql[isinstance(number, int)] % (ident(each), number) for each, number in numbers]
        if asked:
            self.target.rows(";\n".join(asked), name)

    def finish(self, database):
        """Add what acts when rows are written; events sleep until the target serves."""
        text = self.source.dump(database, "--no-create-info", "--triggers", "--events")
        self.target.load(self.name(database), WAKE.sub(rb"\1 DISABLE", text))
        asked = "SELECT event_name FROM information_schema.events WHERE status = 'ENABLED'"
        awake = self.source.rows(asked + " AND event_schema = " + literal(database))
        save(self.note(database), dict(load(self.note(database)), events=[row[0] for row in awake]))

    def position(self):
        """Return where the source's binary log stands, if it writes one."""
        if self.source.rows("SELECT @@log_bin") == [["0"]] or self.wanted["mode"] != "final":
            return {}
        new = not self.source.maria and self.source.version.split(".")[:2] >= ["8", "4"]
        rows = self.source.rows("SHOW %s STATUS" % ("BINARY LOG" if new else "MASTER"))
        return {"position": ":".join(rows[0][:2])} if rows else {}

    def drop(self, name):
        """Remove a database from the target."""
        self.target.rows("DROP DATABASE IF EXISTS " + ident(name))


def groups(rows):
    """Return the count and digest of the rows of each group, as a query gave them."""
    return {row[0]: [int(row[1]), row[2]] for row in rows}
