"""Bring PostgreSQL databases nearer to what the source has: `copy`, `verify`, `start`, `undo`.

`argv[2]` is JSON: `source` and `target` (how to run a program there, as a shell command's
beginning), `databases`, `mode`, `jobs`, `kib_s`, `state` (a folder that is kept), `replace`. The
password of the source, if there is one, is in PGPASSWORD_SOURCE.

Rows are compared in groups: each row belongs to one by a digest of its primary key, and a group has
a count and a digest of its rows that does not depend on their order. Only groups that differ are
copied again, so a copy that was interrupted goes on, and a later one moves little (M2).

Standard library only, and Python 3.6.
"""

import hashlib
import json
import os
import queue
import shlex
import subprocess
import sys
import threading
import time

GROUPS = 4096
SAME = (
    "env PGCLIENTENCODING=UTF8 PGTZ=UTC PGOPTIONS='-c datestyle=ISO -c intervalstyle=iso_8601"
    " -c extra_float_digits=3 -c bytea_output=hex -c lc_monetary=C -c statement_timeout=0"
    " -c lock_timeout=60s -c search_path= -c default_transaction_read_only={readonly}'"
)
"""Both ends write values in the same way, whatever their settings are."""
READ = "IFS= read -r PGPASSWORD; export PGPASSWORD; "

TABLES = """
SELECT c.oid::regclass::text,
  (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
   WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''),
  (SELECT string_agg('t.' || quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_index i
   JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
   WHERE i.indrelid = c.oid AND i.indisprimary),
  pg_table_size(c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1
"""
SEQUENCES = """
SELECT format('%I.%I', schemaname, sequencename), coalesce(last_value, start_value),
  last_value IS NOT NULL FROM pg_sequences ORDER BY 1
"""
OBJECTS = """
SELECT count(*), coalesce(sum(('x' || substr(md5(loid::text || ',' || pageno || ',' ||
  encode(data, 'base64')), 1, 15))::bit(60)::bigint::numeric), 0) FROM pg_largeobject
"""
PARTS = """
SELECT 'ALTER DATABASE {name} SET ' || split_part(s, '=', 1) || ' = '
  || quote_literal(substr(s, strpos(s, '=') + 1))
FROM pg_db_role_setting r JOIN pg_database d ON d.oid = r.setdatabase, unnest(setconfig) s
WHERE setrole = 0 AND datname = {literal} AND s NOT LIKE 'default_transaction_read_only=%'
"""
LOCK = (
    "ALTER DATABASE %s SET default_transaction_read_only = on; SELECT pg_terminate_backend(pid)"
    " FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
)


class ComplaintError(Exception):
    """What somebody has to look at, in a sentence."""


class LostError(Exception):
    """The source was lost: to be tried again."""


class End:
    """One server: how to run programs there."""

    def __init__(self, wanted, password=None):
        self.begin = wanted["begin"]
        self.options = wanted.get("options", [])
        self.prefix = wanted.get("prefix", "")
        self.password = password
        self.name = wanted["name"]

    def start(self, program, *arguments, readonly="off", raw=False, **pipes):
        """Start a program of PostgreSQL there; a password goes through its input."""
        words = [program, *self.options, *arguments]
        command = (
            SAME.format(readonly=readonly)
            + " "
            + " ".join(shlex.quote(str(word)) for word in words)
        )
        command = "cd /; " + ("" if self.password is None else READ) + self.prefix + command
        pipes.setdefault("stdin", subprocess.DEVNULL if self.password is None else subprocess.PIPE)
        argv = [*self.begin, command]
        process = subprocess.Popen(argv, universal_newlines=not raw, **pipes)
        if self.password is not None:
            line = self.password + "\n"
            process.stdin.write(line if process.universal_newlines else line.encode())
            process.stdin.flush()
        return process

    def run(self, program, *arguments, given=None, readonly="off"):
        """Run a program and return what it printed."""
        process = self.start(
            program,
            *arguments,
            readonly=readonly,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, err = process.communicate(given)
        self.judge(process.returncode, err)
        return out

    def judge(self, code, complaint):
        """Raise what a program complained of."""
        if code == 255:
            raise LostError(complaint.strip())
        if code:
            lines = [line for line in complaint.strip().splitlines() if line]
            raise ComplaintError(
                "%s: %s" % (self.name, "; ".join(lines[-3:]) or "ended with %s" % code)
            )

    def rows(self, database, sql):
        """Return the rows of a query as lists of text."""
        said = self.run(
            "psql",
            "-XAtq",
            "-F",
            "\x1f",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            database,
            "-f",
            "-",
            given=sql,
        )
        return [line.split("\x1f") for line in said.splitlines()]

    def has(self, database):
        """Whether there is such a database."""
        return bool(
            self.rows("postgres", "SELECT 1 FROM pg_database WHERE datname = " + literal(database))
        )


def literal(text):
    """Write text as SQL does."""
    return "'" + text.replace("'", "''") + "'"


def ident(name):
    """Write a name as SQL does."""
    return '"' + name.replace('"', '""') + '"'


class Mover:
    """One run over all databases."""

    def __init__(self, wanted):
        self.source = End(wanted["source"], os.environ.get("PGPASSWORD_SOURCE"))
        self.target = End(wanted["target"])
        self.wanted = wanted
        self.test = wanted["mode"] == "test"
        self.moved = 0
        self.lock = threading.Lock()
        self.begun = time.time()
        os.makedirs(wanted["state"], mode=0o700, exist_ok=True)

    def name(self, database):
        """Return the database's name at the target; a test copy stands beside."""
        return (database[:57] + "__test") if self.test else database

    def note(self, database):
        """Return the file in which is kept what was made at the target."""
        return os.path.join(self.wanted["state"], "postgresql-" + self.name(database))

    def copy(self):
        """Bring every database nearer; return the numbers."""
        self.roles()
        total = 0
        for database in self.wanted["databases"]:
            forget(self.note(database) + ".started")
            self.prepare(database)
            total += self.data(database)
            self.finish(database)
        return {"bytes": self.moved, "bytes_total": total}

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
        with open(os.path.join(self.wanted["state"], "postgresql.roles"), "a") as file:
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
        if self.target.has(self.name(database)) and not noted and not self.wanted["replace"]:
            raise ComplaintError(
                "the database %s is on %s already; remove it there, or allow it with "
                "`replace`" % (self.name(database), self.target.name)
            )
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
                self.count(len(data))
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
        code = taking.wait()
        reading.join()
        self.target.judge(code, complaints[0].decode("utf-8", "replace"))

    def count(self, number):
        """Count bytes, say them, and keep to the rate."""
        with self.lock:
            self.moved += number
            say(self.moved)
            rate = self.wanted["kib_s"] * 1024.0
            ahead = self.moved / rate - (time.time() - self.begun) if rate else 0
        if ahead > 0:
            time.sleep(ahead)

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
            self.count(len(text))
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


class Snapshot:
    """An instant of the source's database that several sessions see, as long as this is open."""

    def __init__(self, source, database):
        self.process = source.start(
            "psql",
            "-XAtq",
            "-d",
            database,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.source = source

    def __enter__(self):
        self.process.stdin.write(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT pg_export_snapshot();\n"
        )
        self.process.stdin.flush()
        self.name = self.process.stdout.readline().strip()
        if not self.name:
            _, complaint = self.process.communicate()
            self.source.judge(self.process.returncode or 1, complaint)
        self.begin = (
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT "
            + literal(self.name)
            + "; "
        )
        return self

    def __exit__(self, *_):
        try:
            self.process.communicate()
        except (OSError, ValueError):
            self.process.kill()


def group(key):
    """Return the expression that gives a row its group."""
    return "('x' || substr(md5(ROW(%s)::text), 1, 8))::bit(32)::bigint %% %d" % (key, GROUPS)


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


def told(what, theirs, ours):
    """Say in what way two sides differ."""
    if not isinstance(theirs, dict):
        return what
    rows = [sum(value[0] for value in side.values()) for side in (theirs, ours)]
    if rows[0] != rows[1]:
        return "%s: %d rows at the source, %d at the target" % (what, rows[0], rows[1])
    parts = sum(theirs.get(g) != ours.get(g) for g in set(theirs) | set(ours))
    return "%s: other contents in %d groups of rows" % (what, parts)


LAST = [0.0]


def say(number):
    """Print counted bytes, as the helper that watches this understands them."""
    if time.time() - LAST[0] > 0.3:
        LAST[0] = time.time()
        print("%d 0%%" % number, flush=True)


def load(path):
    """Read what was noted; nothing, if nothing was."""
    try:
        with open(path) as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def forget(path):
    """Note nothing any more."""
    if os.path.exists(path):
        os.unlink(path)


def save(path, value):
    """Note something, whole or not at all."""
    with open(path + ".new", "w") as file:
        json.dump(value, file)
    os.rename(path + ".new", path)


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
