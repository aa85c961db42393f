"""A way from the target's server to the source's, for as long as a helper runs.

The server at the target connects to a socket in a folder that only it may enter. Each connection
is carried on in a login at the source, where a few lines of Python reach the server's own socket:
no port is opened, and the source's server sees whom it sees when it is asked for anything else.
"""

import contextlib
import os
import socket
import subprocess
import threading

from ends import LostError, quoted
from server import conninfo, own_folder

AT_ONCE = 1 << 16
PORT = 5432
THERE = """
import os, socket, sys, threading
host, port = sys.argv[1:]
if host[:1] == "/":
    server = socket.socket(socket.AF_UNIX)
    server.connect(host + "/.s.PGSQL." + port)
else:
    server = socket.create_connection((host, int(port)))
def carry(this, that):
    for data in iter(lambda: os.read(this, 65536), b""):
        while data:
            data = data[os.write(that, data):]
    os._exit(0)
threading.Thread(target=carry, args=(0, server.fileno()), daemon=True).start()
carry(server.fileno(), 1)
"""
LISTENS = """
SELECT trim(split_part(current_setting('unix_socket_directories'), ',', 1)), current_setting('port')
"""


class Relay:
    """The way, as long as this is open; `count` is told of the bytes that come from the source."""

    def __init__(self, source, folder, count):
        self.source, self.count = source, count
        self.folder = own_folder(folder)
        self.lost = ""

    def __enter__(self):
        ((folder, port),) = self.source.rows("postgres", LISTENS)
        where = [self.source.host or folder, port]
        self.command = self.source.prefix + quoted(["python3", "-c", THERE, *where])
        self.keep("pgpass", "*:*:*:*:%s\n" % escaped(self.source.password or ""))
        path = os.path.join(self.folder, ".s.PGSQL.%d" % PORT)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        self.door = socket.socket(socket.AF_UNIX)
        self.door.bind(path)
        self.own(path)
        self.door.listen(16)
        threading.Thread(target=self.listen, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.door.close()
        for name in ("pgpass", ".s.PGSQL.%d" % PORT):
            os.unlink(os.path.join(self.folder, name))

    def keep(self, name, text):
        """Write a file for the target's server."""
        path = os.path.join(self.folder, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        self.own(path)

    def own(self, path):
        """Give a file to the target's server."""
        owner = os.stat(self.folder)
        os.chown(path, owner.st_uid, owner.st_gid)

    def way(self, database, **words):
        """Return how the target's server connects to a database of the source."""
        return conninfo(
            host=self.folder,
            port=PORT,
            user=self.source.user or "postgres",
            dbname=database,
            passfile=os.path.join(self.folder, "pgpass"),
            # On a slow link an answer comes late, and is no sign of a target that is gone.
            options="-c wal_sender_timeout=600s",
            **words,
        )

    def listen(self):
        """Carry on whoever connects."""
        while True:
            try:
                near, _ = self.door.accept()
            except OSError:
                return
            threading.Thread(target=self.carry, args=(near,), daemon=True).start()

    def carry(self, near):
        """Carry a connection on to the source, to its end."""
        pipe = subprocess.PIPE
        far = subprocess.Popen(
            [*self.source.begin, "cd /; " + self.command], stdin=pipe, stdout=pipe, stderr=pipe
        )
        threading.Thread(target=give, args=(near, far.stdin), daemon=True).start()
        with contextlib.suppress(OSError):
            for data in iter(lambda: far.stdout.read1(AT_ONCE), b""):
                near.sendall(data)
                self.count(len(data))
        with contextlib.suppress(OSError):
            near.shutdown(socket.SHUT_RDWR)
        near.close()
        said = far.stderr.read().decode("utf-8", "replace")
        if far.wait():
            self.lost = said.strip().split("\n")[-1] or "the way to the source's server broke"

    def check(self):
        """Raise what broke the way, if anything did."""
        if self.lost:
            raise LostError(self.lost)


def give(near, stdin):
    """Carry to the source what the target's server says."""
    with contextlib.suppress(OSError):
        for data in iter(lambda: near.recv(AT_ONCE), b""):
            stdin.write(data)
            stdin.flush()
    with contextlib.suppress(OSError):
        stdin.close()


def escaped(password):
    """Write a password as the file of passwords has it."""
    return password.replace("\\", "\\\\").replace(":", "\\:")
