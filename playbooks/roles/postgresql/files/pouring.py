"""Rows on their way from one server into the other."""

import contextlib
import fcntl
import subprocess
import threading

AT_ONCE = 1 << 20
SET_SIZE = 1031
"""What a pipe is told its size by (`F_SETPIPE_SZ`): rows that wait in a larger one cost less."""


def pour(given, taken, count):
    """Copy what a query returns into a table, in one transaction; `count` is told of all bytes.

    `given` and `taken` are a server, its database and the statements there, with COPY.
    """
    source, database, sql = given
    target, name, into = taken
    begin = "SET session_replication_role = replica; BEGIN; %s;\n" % into
    ends = (source, psql(database, "-c", sql)), (target, name)
    carry(*ends, count, begin.encode(), b"\\.\nCOMMIT;\n")


def carry(given, taken, count, begin=b"", end=b""):
    """Let the target do what the source prints; `count` is told of all bytes.

    `given` is a server and the words of a program there, `taken` a server and its database.
    `begin` comes first, and `end` last, if the source came to its end.
    """
    source, words = given
    target, name = taken
    out = source.start(*words, raw=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    taking = target.start(*psql(name, "-f", "-"), raw=True, **pipes)
    for pipe in (out.stdout, taking.stdin):
        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, SET_SIZE, AT_ONCE)
    complaints = []
    reading = threading.Thread(target=lambda: complaints.append(taking.stderr.read()))
    reading.start()
    try:
        taking.stdin.write(begin)
        for data in iter(lambda: out.stdout.read1(AT_ONCE), b""):
            taking.stdin.write(data)
            count(len(data))
        said = out.stderr.read().decode("utf-8", "replace")
        source.judge(out.wait(), said)
        taking.stdin.write(end)
        taking.stdin.close()
    except BrokenPipeError:
        out.kill()
    finally:
        if out.poll() not in (0, None):
            taking.kill()
        # Killed is the shell only: psql ends with its input, and without `end` keeps no transaction
        # that began.
        with contextlib.suppress(OSError):
            taking.stdin.close()
    code = taking.wait()
    reading.join()
    target.judge(code, complaints[0].decode("utf-8", "replace"))


def psql(database, *words):
    """Return how psql is asked for rows as COPY writes them."""
    return ("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database, *words)
