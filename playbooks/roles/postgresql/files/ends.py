"""The two servers: how programs of PostgreSQL are run there, and what their failures mean."""

import shlex
import subprocess

from queries import literal

SAME = (
    "env PGCLIENTENCODING=UTF8 PGTZ=UTC PGOPTIONS='-c datestyle=ISO -c intervalstyle=iso_8601"
    " -c extra_float_digits=3 -c bytea_output=hex -c lc_monetary=C -c statement_timeout=0"
    " -c lock_timeout=60s -c search_path= -c default_transaction_read_only={readonly}'"
)
"""Both ends write values in the same way, whatever their settings are."""
READ = "IFS= read -r PGPASSWORD; export PGPASSWORD; "


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
