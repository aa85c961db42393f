"""Copying: databases as the source has them, of tables only the groups of rows that differ."""

import contextlib
import hashlib
import os
import queue
import subprocess
import threading

from databases import Databases
from ends import ComplaintError
from notes import forget, load, save
from queries import GROUPS, OBJECTS, PARTS, SEQUENCES, TABLES, group, ident, literal
from server import Server, Snapshot


class Copier(Databases):
    """A copy of all databases."""

    kind = "postgresql"

    def __init__(self, wanted):
        super().__init__(wanted)
        self.source = Server(wanted["source"], os.environ.get("PGPASSWORD_SOURCE"))
        self.target = Server(wanted["target"])

    def copy(self):
        """Bring every database nearer; return the numbers."""
        self.roles()
        total = 0
        for database in self.wanted["databases"]:
            forget(self.note(database) + ".started")
            self.prepare(database)
            total += self.data(database)
            self.finish(database)
        return {"bytes": self.meter.moved, "bytes_total": total}

    def roles(self):
        """Make the roles that the source has and the target has not."""
        known = {row[0] for row in self.target.rows("postgres", "SELECT rolname FROM pg_roles")}
        names = [
            row[0]
            for row in self.source.rows(
                "postgres", "SELECT rolname FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%'"
            )
        ]
        new = [name for name in names if name not in known]
        if not new:
            return
        lines = self.source.run("pg_dumpall", "--roles-only").splitlines()
        keep = [
            line
            for line in lines
            if any(
                line.startswith(verb + form)
                for name in new
                for verb in ("CREATE ROLE ", "ALTER ROLE ")
                for form in (name + " ", ident(name) + " ", name + ";", ident(name) + ";")
            )
            or line.startswith("GRANT ")
        ]
        self.target.run("psql", "-Xq", "-d", "postgres", "-f", "-", given="\n".join(keep))
        with open(self.kept("roles"), "a") as file:
            file.writelines(name + "\n" for name in new)

    def prepare(self, database):
        """Have a database at the target with the source's tables; keep one that has them."""
        schema = self.source.run("pg_dump", "--schema-only", "-d", database)
        digest = hashlib.sha256(
            "\n".join(
                line for line in schema.splitlines() if line[:2] not in ("--", "\\r", "\\u")
            ).encode()
        ).hexdigest()
        noted = load(self.note(database))
        if noted.get("schema") == digest and self.target.has(self.name(database)):
            return
        if self.target.has(self.name(database)):
            self.free(database)
        self.create(database, digest)

    def create(self, database, digest):
        """Make the database anew, with everything that comes before data."""
        name = self.name(database)
        save(self.note(database), {"schema": "", "complete": False})
        ((owner, encoding, collate, ctype),) = self.source.rows(
            "postgres",
            (
                "SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate,"
                " datctype FROM pg_database WHERE datname = " + literal(database)
            ),
        )
        self.target.run("dropdb", "--if-exists", "--force", name)
        self.target.run(
            "createdb",
            "-T",
            "template0",
            "-O",
            owner,
            "-E",
            encoding,
            "--lc-collate",
            collate,
            "--lc-ctype",
            ctype,
            name,
        )
        self.section(database, "pre-data")
        quoted = ident(name).replace("'", "''")
        settings = self.source.rows(
            "postgres", PARTS.format(name=quoted, literal=literal(database))
        )
        for (line,) in settings:
            self.target.rows("postgres", line)
        save(self.note(database), {"schema": digest, "complete": False})

    def section(self, database, section):
        """Take one section of the schema from the source to the target."""
        text = self.source.run(
            "pg_dump",
            "--section=" + section,
            "--no-publications",
            "--no-subscriptions",
            "-d",
            database,
        )
        self.target.run(
            "psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", self.name(database), "-f", "-", given=text
        )

    def data(self, database):
        """Copy what differs, several tables at a time, as of one instant; return all bytes."""
        tables = self.source.rows(database, TABLES)
        errors, waiting = [], queue.Queue()
        for table in sorted(tables, key=lambda row: -int(row[3])):
            waiting.put(table)
        with Snapshot(self.source, database) as snapshot:
            expected = {}

            def work():
                while not errors:
                    try:
                        table = waiting.get_nowait()
                    except queue.Empty:
                        return
                    try:
                        expected[table[0]] = self.table(database, table, snapshot)
                    except Exception as fault:
                        errors.append(fault)

            workers = [threading.Thread(target=work) for _ in range(self.wanted["jobs"])]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            if errors:
                raise errors[0]
            self.rest(database, snapshot, expected)
        save(self.note(database) + ".expected", expected)
        return sum(int(table[3]) for table in tables)

    def table(self, database, table, snapshot):
        """Copy the groups of a table that differ; return what the source has, by group."""
        name, columns, key, _ = table
        ours = groups(self.target, self.name(database), table)
        theirs = groups(self.source, database, table, snapshot)
        if ours == theirs:
            return theirs
        wrong = sorted(g for g in set(ours) | set(theirs) if ours.get(g) != theirs.get(g))
        some = ours and key and len(wrong) < GROUPS / 2
        where = " WHERE %s IN (%s)" % (group(key), ", ".join(wrong)) if some else ""
        sql = "COPY (SELECT %s FROM ONLY %s t%s) TO STDOUT" % (columns, name, where)
        clear = "DELETE FROM ONLY %s t%s;" % (name, where) if ours else ""
        self.pour(database, snapshot, sql, clear, "COPY %s (%s) FROM STDIN" % (name, columns))
        return theirs

    def pour(self, database, snapshot, sql, clear, into):
        """Copy rows from the source into the target in one transaction, counting bytes."""
        out = self.source.start(
            "psql",
            "-XAtq",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            database,
            "-c",
            snapshot.begin + sql + "; COMMIT",
            raw=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        head = "SET session_replication_role = replica; BEGIN; " + clear + into + ";\n"
        taking = self.target.start(
            "psql",
            "-Xq",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            self.name(database),
            "-f",
            "-",
            raw=True,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        complaints = []
        reading = threading.Thread(target=lambda: complaints.append(taking.stderr.read()))
        reading.start()
        try:
            taking.stdin.write(head.encode())
            for data in iter(lambda: out.stdout.read1(1 << 18), b""):
                taking.stdin.write(data)
                self.meter.count(len(data))
            # The transaction ends well only if the source came to its end.
            said = out.stderr.read().decode("utf-8", "replace")
            code = out.wait()
            self.source.judge(code, said)
            taking.stdin.write(b"\\.\nCOMMIT;\n")
            taking.stdin.close()
        except BrokenPipeError:
            out.kill()
        finally:
            if out.poll() not in (0, None):
                taking.kill()
            # Killed is the shell only: psql ends with its input, and without COMMIT keeps nothing.
            with contextlib.suppress(OSError):
                taking.stdin.close()
        code = taking.wait()
        reading.join()
        self.target.judge(code, complaints[0].decode("utf-8", "replace"))

    def rest(self, database, snapshot, expected):
        """Bring what is no table: sequences and large objects."""
        name = self.name(database)
        sequences = self.source.rows(database, snapshot.begin + SEQUENCES)
        lines = [
            "SELECT setval(%s, %s, '%s');" % (literal(sequence), value, used)
            for sequence, value, used in sequences
        ]
        self.target.rows(name, "\n".join(lines) or "SELECT 1 WHERE false")
        expected["sequences"] = sequences
        expected["objects"] = self.source.rows(database, snapshot.begin + OBJECTS)
        if self.target.rows(name, OBJECTS) != expected["objects"]:
            self.target.rows(name, "SELECT lo_unlink(oid) FROM pg_largeobject_metadata")
            text = self.source.run(
                "pg_dump",
                "--data-only",
                "--blobs",
                "-T",
                "*.*",
                "-d",
                database,
                "--snapshot",
                snapshot.name,
            )
            self.meter.count(len(text))
            self.target.run(
                "psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", name, "-f", "-", given=text
            )

    def finish(self, database):
        """Add what comes after data: indexes, constraints, triggers; refresh what is computed."""
        noted = load(self.note(database))
        name = self.name(database)
        if not noted.get("complete"):
            try:
                self.section(database, "post-data")
            except ComplaintError:
                save(self.note(database), dict(noted, schema=""))
                raise
            save(self.note(database), dict(noted, complete=True))
        else:
            views = self.target.rows(
                name,
                (
                    "SELECT format('REFRESH MATERIALIZED VIEW %I.%I', schemaname, matviewname)"
                    " FROM pg_matviews WHERE ispopulated"
                ),
            )
            for (line,) in views:
                self.target.rows(name, line)
        self.target.rows(name, "ANALYZE")


def groups(end, database, table, snapshot=None):
    """Return the count and digest of the rows of each group of a table."""
    name, columns, key, _ = table
    which = group(key) if key else "0"
    listed = ", ".join("t." + column for column in columns.split(", ")) if columns else "1"
    sql = (
        "SELECT {which}, count(*), sum(('x' || substr(md5(ROW({listed})::text), 1, 15))::bit(60)"
        "::bigint::numeric) FROM ONLY {name} t GROUP BY 1"
    ).format(which=which, listed=listed, name=name)
    begin = snapshot.begin if snapshot else ""
    return {row[0]: [int(row[1]), row[2]] for row in end.rows(database, begin + sql)}
