"""The servers: how programs of MariaDB or MySQL are run there, and a session that stays open."""

import contextlib
import re
import subprocess

from ends import ComplaintError, End, quoted
from queries import ACROSS, SYSTEM, literal

PROGRAMS = {
    "client": "$(command -v mariadb || command -v mysql || echo mysql)",
    "dump": "$(command -v mariadb-dump || command -v mysqldump || echo mysqldump)",
}
"""Whichever of the names a host knows; an unknown one is told by the shell."""
CLIENT = ("--batch", "--skip-column-names", "--quick", "--unbuffered", "--connect-timeout=10")
SAME = ("--default-character-set=utf8mb4", "--max-allowed-packet=1G")
SANDBOX = re.compile(rb"^/\*M!999999\\-.*\n", re.MULTILINE)
"""A line of newer dumps that older clients do not know."""
ESCAPES = {"n": "\n", "t": "\t", "0": "\0", "\\": "\\"}


class Server(End):
    """One server."""

    secret = "MYSQL_PWD"
    away = re.compile("(?i)error:? (1040|1053|1927|2002|2003|2006|2013)\\b")

    def shell(self, program, *arguments):
        """Return how a shell runs a program."""
        return PROGRAMS[program] + " " + quoted([*self.options, *SAME, *arguments])

    def rows(self, sql, database=""):
        """Return the rows of a query as lists of text; NULL is such a word."""
        words = ["-D", database] if database else []
        out = self.feed(("client", *CLIENT, *words), (ACROSS + sql).encode())
        lines = out.decode("utf-8", "replace").split("\n")[:-1]
        return [[plain(cell) for cell in line.split("\t")] for line in lines]

    def feed(self, words, given=b""):
        """Run a program with an input; bytes, since text of other systems has other line ends."""
        pipe = subprocess.PIPE
        process = self.start(*words, raw=True, stdin=pipe, stdout=pipe, stderr=pipe)
        out, complaint = process.communicate(given)
        self.judge(process.returncode, complaint.decode("utf-8", "replace"))
        return out

    def dump(self, database, *what):
        """Return definitions as SQL, without names of the database."""
        kind = ["--set-gtid-purged=OFF"] if not self.maria else []
        always = ("--no-data", "--skip-comments", "--no-tablespaces", "--skip-lock-tables")
        text = self.feed(("dump", *always, *kind, *what, "--", database))
        return SANDBOX.sub(b"", text)

    def load(self, database, text):
        """Run SQL in a database."""
        self.feed(("client", "--batch", "--binary-mode", "-D", database), text)

    def has(self, database):
        """Whether there is such a database."""
        asked = "SELECT 1 FROM information_schema.schemata WHERE schema_name = "
        return bool(self.rows(asked + literal(database)))

    @property
    def version(self):
        """What the server is: the number, such as `10.11.6-MariaDB`."""
        if not hasattr(self, "_version"):
            ((self._version,),) = self.rows("SELECT VERSION()")
        return self._version

    @property
    def maria(self):
        """Whether it is MariaDB."""
        return "MariaDB" in self.version


class Session:
    """A login that stays open: what is asked there is of one instant, or under its locks."""

    def __init__(self, server, database, *first):
        self.server = server
        words = (*CLIENT, "--raw", "-D", database)
        pipe = subprocess.PIPE
        self.process = server.start(
            "client", *words, raw=True, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=1 << 18
        )
        self.first = first

    def __enter__(self):
        for sql in (ACROSS.rstrip("; \n"), *self.first):
            list(self.lines(sql))
        return self

    def __exit__(self, *_):
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()
        self.process.stderr.read()
        self.process.wait()

    def lines(self, sql):
        """Yield the lines that a query returns, as they are."""
        end = b"-- the end of the answer --\n"
        try:
            self.process.stdin.write(sql.encode() + b";\nSELECT '" + end[:-1] + b"';\n")
            self.process.stdin.flush()
        except OSError:
            self.lost()
        for line in iter(self.process.stdout.readline, b""):
            if line == end:
                return
            yield line
        self.lost()

    def rows(self, sql):
        """Return the rows of a query whose values have neither tabs nor line ends."""
        return [line.decode().rstrip("\n").split("\t") for line in self.lines(sql)]

    def lost(self):
        """Raise why it ended."""
        complaint = self.process.stderr.read().decode("utf-8", "replace")
        self.server.judge(self.process.wait() or 1, complaint)


def plain(cell):
    """Take away the marks that the client makes for line ends and the like."""
    return re.sub(r"\\([nt0\\])", lambda found: ESCAPES[found.group(1)], cell)


def ours(account):
    """Whether an account (`'user'@'host'`) is one of the server's own."""
    return account.split("@")[0].strip("'") in SYSTEM


@contextlib.contextmanager
def careful(account):
    """Do something whose text holds a secret, so that a complaint does not quote it."""
    try:
        yield
    except ComplaintError as fault:
        number = re.search(r"ERROR \d+", str(fault))
        raise ComplaintError(
            "the account %s cannot be made at the target (%s)"
            % (account, number.group() if number else "no reason given")
        ) from None
