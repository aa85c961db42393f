"""The two servers of a copy: how their programs are run, and what their failures mean."""

import json
import re
import shlex
import subprocess
import sys


class ComplaintError(Exception):
    """What somebody has to look at, in a sentence."""


class LostError(Exception):
    """A server was lost, or is about to come back: to be tried again."""


class End:
    """One server: how to run its programs there."""

    secret = ""
    """The variable in which they look for a password."""
    away = re.compile("(?!)")
    """What its programs complain of when the server goes away, or is not there yet."""

    def __init__(self, wanted, password=None):
        self.begin = wanted["begin"]
        self.options = wanted.get("options", [])
        self.prefix = wanted.get("prefix", "")
        self.password = password
        self.name = wanted["name"]

    def shell(self, program, *arguments):
        """Return how a shell runs a program."""
        return quoted([program, *self.options, *arguments])

    def start(self, program, *arguments, raw=False, **pipes):
        """Start a program there; a password goes through its input."""
        known = self.password is not None
        read = "IFS= read -r {0}; export {0}; ".format(self.secret) if known else ""
        command = "cd /; " + read + self.prefix + self.shell(program, *arguments)
        pipes.setdefault("stdin", subprocess.PIPE if known else subprocess.DEVNULL)
        process = subprocess.Popen([*self.begin, command], universal_newlines=not raw, **pipes)
        if known:
            line = self.password + "\n"
            process.stdin.write(line if process.universal_newlines else line.encode())
            process.stdin.flush()
        return process

    def run(self, program, *arguments, given=None):
        """Run a program and return what it printed."""
        pipe = subprocess.PIPE
        process = self.start(program, *arguments, stdin=pipe, stdout=pipe, stderr=pipe)
        out, err = process.communicate(given)
        self.judge(process.returncode, err)
        return out

    def judge(self, code, complaint):
        """Raise what a program complained of."""
        if code:
            lost = code == 255 or self.away.search(complaint)
            lines = [line for line in complaint.strip().splitlines() if line]
            raise (LostError if lost else ComplaintError)(
                "%s: %s" % (self.name, "; ".join(lines[-3:]) or "ended with %s" % code)
            )


def quoted(words):
    """Write words as a shell reads them."""
    return " ".join(shlex.quote(str(word)) for word in words)


def tell(work):
    """Do some work and print its numbers as JSON, or say why not."""
    try:
        print("\n" + json.dumps(work()))
    except LostError as fault:
        sys.stderr.write("lost: %s\n" % fault)
        sys.exit(255)
    except ComplaintError as fault:
        sys.stderr.write("%s\n" % fault)
        sys.exit(1)
