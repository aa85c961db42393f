"""Copying: databases as the source has them, of tables only the groups of rows that differ."""

import hashlib
import os
import re
import subprocess
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from databases import Databases
from ends import ComplaintError
from notes import forget, load, save
from pouring import carry, pour
from queries import (
    BARE,
    GROUPS,
    MADE,
    OBJECTS,
    OBJECTS_SIZE,
    PARTS,
    REFRESH,
    SEQUENCES,
    TABLES,
    UNLINK,
    group,
    ident,
    literal,
)
from roles import Roles
from server import Server, Snapshot, own_folder

UNMOVED = ("--no-publications", "--no-subscriptions", "--no-tablespaces")
PROVIDERS = {"c": ("libc", ""), "i": ("icu", "--icu-locale"), "b": ("builtin", "--builtin-locale")}
HAS_PROVIDERS = 150000
LIKE_NEW = 120000
"""From this version on numbers are written with as many digits as tell them apart, and no more."""
UNKNOWN = re.compile(r"^SET default_with_oids = false;\n", re.MULTILINE)
"""What older servers write into a dump, and newer ones do not know."""
LISTED = re.compile(r"(ALTER .* SET (?:search_path|\w+_preload_libraries) = )(.*)", re.DOTALL)
"""What is said to be a list of names: written as somebody wrote it, and in another way if read."""


class Copier(Databases):
    """A copy of all databases."""

    kind = "postgresql"

    def __init__(self, wanted):
        super().__init__(wanted)
        self.source = Server(wanted["source"], os.environ.get("PGPASSWORD_SOURCE"))
        self.target = Server(wanted["target"])
        self.roles = Roles(self.source, self.target, self.kept("roles"))

    def copy(self):
        """Bring every database nearer; return the numbers."""
        self.remember()
        self.roles.bring()
        self.expect()
        total = 0
        for database in self.wanted["databases"]:
            forget(self.note(database) + ".started")
            self.prepare(database)
            self.furnish(database)
            total += self.bring(database)
        self.roles.part()
        return {"bytes": self.meter.moved, "bytes_total": total}

    def expect(self):
        """Tell what there is to move; of what was copied before, nobody knows how much differs."""
        for database in self.wanted["databases"]:
            if not load(self.note(database)).get("complete"):
                ((objects,),) = self.source.rows(database, OBJECTS_SIZE)
                self.meter.expect(size(self.source.rows(database, TABLES)) + int(objects))

    def prepare(self, database):
        """Have a database at the target with the source's tables; keep one that has them."""
        schema = self.source.run("pg_dump", "--schema-only", *UNMOVED, "-d", database)
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
        made = self.source.rows("postgres", MADE.format(literal=literal(database)))
        owner, encoding, collate, ctype, provider, locale, rules = made[0]
        kind, option = PROVIDERS[provider]
        words = ["-T", "template0", "-O", owner, "-E", encoding]
        words += ["--lc-collate", collate, "--lc-ctype", ctype]
        words += ["--locale-provider", kind] if self.target.version >= HAS_PROVIDERS else []
        words += [option, locale] if locale else []
        words += ["--icu-rules", rules] if rules else []
        self.drop(name)
        self.target.run("createdb", *words, name)
        self.section(database, "pre-data")
        save(self.note(database), {"schema": digest, "complete": False})

    def furnish(self, database):
        """Give the database at the target the source's settings, owner, rights and comment."""
        name = self.name(database)
        theirs = self.parts(self.source, database)
        if plain(self.parts(self.target, database)) != plain(theirs):
            bare = [line for (line,) in self.target.rows("postgres", spelt(BARE, name, name))]
            self.target.rows("postgres", ";\n".join(["BEGIN", *bare, *theirs, "COMMIT"]))

    def parts(self, end, database):
        """Return what belongs to a database and is in no dump, as it is said at the target."""
        name = self.name(database)
        asked = spelt(PARTS, name, name if end is self.target else database)
        return sorted(line for (line,) in end.rows("postgres", asked))

    def drop(self, name):
        """Remove a database from the target."""
        self.target.run("dropdb", "--if-exists", "--force", name)

    def section(self, database, section):
        """Take one section of the schema from the source to the target."""
        text = self.source.run("pg_dump", "--section=" + section, *UNMOVED, "-d", database)
        self.load(database, text)

    def load(self, database, text):
        """Let the target do what a dump of the source says."""
        words = ("-v", "ON_ERROR_STOP=1", "-d", self.name(database), "-f", "-")
        self.target.run("psql", "-Xq", *words, given=UNKNOWN.sub("", text))

    def bring(self, database):
        """Copy what differs, as of one instant; return the size of all tables."""
        tables = self.source.rows(database, TABLES)
        with Snapshot(self.source, database) as snapshot:
            expected = self.data(database, tables, snapshot)
        if self.test:
            save(self.note(database) + ".expected", expected)
        self.complete(database)
        return size(tables)

    def data(self, database, tables, snapshot):
        """Copy what differs, several tables at a time; return what the source has, if known."""
        tables = sorted(tables, key=lambda row: -int(row[3]))
        with ThreadPoolExecutor(self.wanted["jobs"]) as pool:
            copies = {
                table[0]: pool.submit(self.table, database, table, snapshot) for table in tables
            }
            wait(copies.values(), return_when=FIRST_EXCEPTION)
            for copy in copies.values():
                copy.cancel()
            expected = {
                name: copy.result() for name, copy in copies.items() if not copy.cancelled()
            }
        self.rest(database, snapshot, expected)
        return expected

    def table(self, database, table, snapshot):
        """Copy the groups of a table that differ; return what the source has, if known."""
        name, columns, key, *_ = table
        ours = self.ours(database, table)
        first = not load(self.note(database)).get("complete")
        if first and ours:
            self.meter.expect(-size([table]))
        if first and not ours:
            # Nothing refers to a table yet: rows of a transaction that empties it come frozen.
            sql = "COPY %s (%s) TO STDOUT" % (name, columns)
            into = "TRUNCATE ONLY {0}; COPY {0} ({1}) FROM STDIN (FREEZE)".format(name, columns)
            self.pour(database, snapshot, sql, into)
            return self.theirs(database, table, snapshot) if self.test else None
        theirs = self.theirs(database, table, snapshot)
        if ours != theirs:
            wrong = sorted(g for g in set(ours) | set(theirs) if ours.get(g) != theirs.get(g))
            some = ours and key and len(wrong) < GROUPS / 2
            where = " WHERE %s IN (%s)" % (group(key), ", ".join(wrong)) if some else ""
            sql = "COPY (SELECT %s FROM ONLY %s t%s) TO STDOUT" % (columns, name, where)
            into = "COPY %s (%s) FROM STDIN" % (name, columns)
            clear = "DELETE FROM ONLY %s t%s; " % (name, where) if ours else ""
            self.pour(database, snapshot, sql, clear + into)
        return theirs

    def theirs(self, database, table, snapshot=None):
        """Return the groups of a table at the source."""
        return groups(self.source, database, table, snapshot, old=self.old)

    def ours(self, database, table):
        """Return the groups of a table at the target, written as the source can."""
        return groups(self.target, self.name(database), table, old=self.old)

    @property
    def old(self):
        """Whether the source's server writes numbers in the old way."""
        return self.source.version < LIKE_NEW

    def pour(self, database, snapshot, sql, into):
        """Copy rows from the source into the target in one transaction, counting bytes."""
        given = (self.source, database, snapshot.begin + sql + "; COMMIT")
        pour(given, (self.target, self.name(database), into), self.meter.count)

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
        expected["views"] = sorted(self.source.rows(database, REFRESH))
        expected["rights"] = plain(self.parts(self.source, database))
        expected["objects"] = self.source.rows(database, snapshot.begin + OBJECTS)
        if self.target.rows(name, OBJECTS) != expected["objects"]:
            self.target.rows(name, UNLINK)
            words = ["--data-only", "--blobs", "-T", "*.*", "--snapshot", snapshot.name]
            dump = (self.source, ["pg_dump", *words, "-d", database])
            carry(dump, (self.target, name), self.meter.count)

    def complete(self, database):
        """Add what comes after data; where it is, compute anew what is computed."""
        noted = load(self.note(database))
        name = self.name(database)
        if noted.get("complete"):
            for (line,) in self.source.rows(database, REFRESH):
                self.target.rows(name, line)
            return
        save(self.note(database), dict(noted, completing=True))
        try:
            self.indexes(database, again=noted.get("completing"))
        except ComplaintError:
            save(self.note(database), dict(noted, schema=""))
            raise
        save(self.note(database), dict(noted, complete=True))
        self.target.rows(name, "ANALYZE")

    def indexes(self, database, again):
        """Bring indexes, constraints and triggers, several at a time."""
        path = os.path.join(own_folder(self.wanted["folder"]), "post-data")
        with open(path, "wb") as archive:
            self.dump(archive, "-Fc", "-Z0", "--section=post-data", *UNMOVED, "-d", database)
        os.chmod(path, 0o644)  # In a folder of the server's.
        anew = ("--clean", "--if-exists") if again else ()
        jobs = str(self.wanted["jobs"])
        name = self.name(database)
        self.target.run("pg_restore", "--exit-on-error", "-j", jobs, *anew, "-d", name, path)
        os.unlink(path)

    def dump(self, file, *words):
        """Dump what the source has into a file."""
        pipe = subprocess.PIPE
        process = self.source.start("pg_dump", *words, raw=True, stdout=file, stderr=pipe)
        _, said = process.communicate()
        self.source.judge(process.returncode, said.decode("utf-8", "replace"))


def groups(end, database, table, snapshot=None, old=False):
    """Return the count and digest of the rows of each group of a table.

    Where one of both ends is `old`, numbers with a floating point are compared bit by bit, and
    those inside other values by 15 digits.
    """
    name, _, key, *_, listed, exact = table
    which = group(key) if key else "0"
    listed = listed or "1"
    if old and exact:
        listed += ", " + exact
    sql = (
        "SELECT {which}, count(*), sum(('x' || substr(md5(ROW({listed})::text), 1, 15))::bit(60)"
        "::bigint::numeric) FROM ONLY {name} t GROUP BY 1"
    ).format(which=which, listed=listed, name=name)
    begin = "SET extra_float_digits = 0; " if old else ""
    begin += snapshot.begin if snapshot else ""
    return {row[0]: [int(row[1]), row[2]] for row in end.rows(database, begin + sql)}


def size(tables):
    """Return the bytes of tables."""
    return sum(int(table[3]) for table in tables)


def plain(lines):
    """Write lists of names in such lines in one way, to be compared."""

    def written(found):
        return found.group(1) + re.sub(r'[\s"]', "", found.group(2)).lower()

    return [LISTED.sub(written, line) for line in lines]


def spelt(sql, name, asked):
    """Write a question about the database `asked` that is answered in words about `name`."""
    return sql.format(name=ident(name).replace("'", "''"), literal=literal(asked))
