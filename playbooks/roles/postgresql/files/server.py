"""The servers: how programs of PostgreSQL are run there, and an instant that several see."""

import subprocess

from ends import End, quoted
from queries import literal

SAME = (
    "env PGCLIENTENCODING=UTF8 PGTZ=UTC PGOPTIONS='-c datestyle=ISO -c intervalstyle=iso_8601"
    " -c extra_float_digits=3 -c bytea_output=hex -c lc_monetary=C -c statement_timeout=0"
    " -c lock_timeout=60s -c search_path= -c default_transaction_read_only=off' "
)
"""Both ends write values in the same way, whatever their settings are."""


class Server(End):
    """One server."""

    secret = "PGPASSWORD"

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

    def has(self, database):
        """Whether there is such a database."""
        return bool(
            self.rows("postgres", "SELECT 1 FROM pg_database WHERE datname = " + literal(database))
        )


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
