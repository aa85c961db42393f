"""A real PostgreSQL server for tests and benchmarks, started and stopped by them.

It listens on a Unix socket in its own folder and on no network address. `initdb` refuses to run as
root, so root runs it as the unprivileged user `postgres` that Debian's package brings.
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self
from uuid import uuid4

import psycopg

_SETTINGS: Final = {
    "listen_addresses": "''",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_locks_per_transaction": "256",
}

_PATIENCE_S: Final = 300
"""For each program of the server: a busy machine needs half a minute to make a database."""


def find_postgres() -> Path | None:
    """Return the folder of the newest server programs, or None where there are none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    program = shutil.which("initdb")
    return Path(program).resolve().parent if program else None


@dataclass(frozen=True)
class PostgresServer:
    """A running server: its data folder, which also holds the socket."""

    programs: Path
    folder: Path

    @classmethod
    @contextmanager
    def start(cls) -> Iterator[Self]:
        """Start a server in a new folder, and stop and remove it at the end.

        The folder stands directly below /tmp: a socket's path has at most 107 bytes.
        """
        programs = find_postgres()
        if programs is None:
            raise FileNotFoundError("initdb")
        folder = Path("/tmp") / f"govcloud-pg-{uuid4().hex[:12]}"  # noqa: S108 (unique, mode 0700)
        folder.mkdir(mode=0o700)
        server = cls(programs, folder)
        try:
            server._initialise()
            wait = ("-w", "-t", str(_PATIENCE_S))
            server._run(
                "pg_ctl", "-D", str(folder / "data"), *wait, "-l", str(folder / "log"), "start"
            )
            yield server
        finally:
            server._run(
                "pg_ctl", "-D", str(folder / "data"), "-m", "immediate", "stop", check=False
            )
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def database(self) -> Iterator[str]:
        """Create a fresh database, give its URL, and drop it at the end."""
        name = f"t{uuid4().hex[:16]}"
        self._psql(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
        try:
            yield f"postgresql+psycopg://postgres@/{name}?host={self.folder}"
        finally:
            self._psql(f"DROP DATABASE {name} WITH (FORCE)")

    def _initialise(self) -> None:
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        data = self.folder / "data"
        options = ("-A", "trust", "-U", "postgres", "--no-sync", "--locale=C.UTF-8", "-E", "UTF8")
        self._run("initdb", "-D", str(data), *options)
        lines = [f"{name} = {value}" for name, value in _SETTINGS.items()]
        lines.append(f"unix_socket_directories = '{self.folder}'")
        with (data / "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write("\n" + "\n".join(lines) + "\n")

    def _psql(self, statement: str) -> None:
        connection = ("-h", str(self.folder), "-U", "postgres", "-d", "postgres")
        self._run("psql", *connection, "-q", "-v", "ON_ERROR_STOP=1", "-c", statement)

    def _run(self, program: str, *arguments: str, check: bool = True) -> None:
        command = [str(self.programs / program), *arguments]
        options: dict[str, object] = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            options = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        done = subprocess.run(  # type: ignore[call-overload]  # noqa: S603 (programs of the server)
            command,
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE_S,
            **options,
        )
        if check and done.returncode:
            raise RuntimeError(f"{program}: {done.stdout}{done.stderr}")


class Emptied:
    """A database with the schema that is given out again and again, empty each time."""

    def __init__(self, url: str) -> None:
        self.url = url
        with self._connection() as connection:
            names = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
                " AND tablename <> 'alembic_version' ORDER BY tablename"
            ).fetchall()
            self._first = connection.execute("SELECT id, seq, at, hash FROM chain").fetchone()
        self._tables = ", ".join(f'"{name}"' for (name,) in names)

    def fresh(self) -> str:
        """Cut off whoever is still connected, empty all tables, and return the URL."""
        with self._connection() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            # Tables that are only ever appended to refuse it; their triggers rest for the moment.
            connection.execute("SET session_replication_role = replica")
            connection.execute(f"TRUNCATE {self._tables} RESTART IDENTITY CASCADE")
            connection.execute("INSERT INTO chain VALUES (%s, %s, %s, %s)", self._first)
        return self.url

    def _connection(self) -> psycopg.Connection[tuple[Any, ...]]:
        return psycopg.connect(self.url.replace("postgresql+psycopg", "postgresql", 1))
