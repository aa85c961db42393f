"""The servers: how programs of PostgreSQL are run there, and an instant that several see."""

import os
import pwd
import re
import subprocess

from ends import ComplaintError, End, LostError, quoted
from queries import literal

SAME = (
    "env LC_ALL=C PGCLIENTENCODING=UTF8 PGTZ=UTC"
    " PGOPTIONS='-c datestyle=ISO -c intervalstyle=iso_8601"
    " -c extra_float_digits=3 -c bytea_output=hex -c lc_monetary=C -c statement_timeout=0"
    " -c lock_timeout=60s -c idle_in_transaction_session_timeout=0 -c search_path="
    " -c default_transaction_read_only=off' "
)
"""Both ends write values in the same way, whatever their settings are."""


class Server(End):
    """One server."""

    secret = "PGPASSWORD"
    away = re.compile(
        "(failed|server): (Connection refused|No such file)|the database system is "
        "|terminating connection|server closed the connection|closed unexpectedly"
        "|no connection to the server|too many clients|remaining connection slots"
    )

    def __init__(self, wanted, password=None):
        super().__init__(wanted, password)
        self.host, self.user = wanted.get("host", ""), wanted.get("user", "")

    def shell(self, program, *arguments):
        """Return how a shell runs a program of PostgreSQL."""
        return SAME + quoted([program, *self.options, *arguments])

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

    @property
    def version(self):
        """What the server is: a number, such as 150006."""
        if not hasattr(self, "_version"):
            ((number,),) = self.rows("postgres", "SHOW server_version_num")
            self._version = int(number)
        return self._version

    def has(self, database):
        """Whether there is such a database."""
        return bool(
            self.rows("postgres", "SELECT 1 FROM pg_database WHERE datname = " + literal(database))
        )


class Snapshot:
    """An instant of the source's database that several sessions see, as long as this is open.

    With `slot` it is the instant from which on a new slot of that name tells of changes.
    """

    def __init__(self, source, database, slot=None):
        self.asked = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT pg_export_snapshot();"
        where = ["-d", database]
        if slot:
            self.asked = 'CREATE_REPLICATION_SLOT "%s" LOGICAL pgoutput;' % slot
            where = ["-d", conninfo(dbname=database, replication="database")]
        self.process = source.start(
            "psql",
            "-XAtq",
            "-F",
            "\x1f",
            "-v",
            "ON_ERROR_STOP=1",
            *where,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.source = source

    def __enter__(self):
        self.process.stdin.write(self.asked + "\n")
        self.process.stdin.flush()
        told = self.process.stdout.readline().strip().split("\x1f")
        if not told[0]:
            _, complaint = self.process.communicate()
            if "lock timeout" in complaint:
                raise ComplaintError(
                    "a transaction has been open on %s for longer than a minute: changes can be"
                    " kept once it has ended" % self.source.name
                )
            self.source.judge(self.process.returncode or 1, complaint)
        self.name = told[0] if len(told) == 1 else told[2]
        self.begin = (
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT "
            + literal(self.name)
            + "; "
        )
        return self

    def __exit__(self, kind, fault, _):
        if kind is not ComplaintError:
            self.end(None)
        elif self.end("SELECT 1;\n"):
            # Whatever was complained of: the instant was gone with the server that knew it.
            raise LostError(str(fault))

    def end(self, words):
        """End the session after some last words; return its code."""
        try:
            self.process.communicate(words)
        except (OSError, ValueError):
            self.process.kill()
        return self.process.wait()


def conninfo(**words):
    """Write how a server is connected to, as libpq reads it."""
    return " ".join(
        "%s='%s'" % (name, str(value).replace("\\", "\\\\").replace("'", "\\'"))
        for name, value in words.items()
    )


def own_folder(path):
    """Make a folder in memory that only the target's server may enter, below our own."""
    owner = pwd.getpwnam("postgres")
    os.makedirs(path, mode=0o700, exist_ok=True)
    os.chown(path, owner.pw_uid, owner.pw_gid)
    for above in (os.path.dirname(path), os.path.dirname(os.path.dirname(path))):
        os.chmod(above, 0o711)
    return path
