"""What all topics of a host's configuration stand on: programs, files, what a topic is."""

import os
import subprocess

OWN = "govcloud"
"""In the names of files of this program's own."""


class ComplaintError(Exception):
    """What somebody has to look at, in a sentence."""


def run(*words, given=None, check=True):
    """Run a program and return what it printed."""
    done = subprocess.run(
        words,
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        universal_newlines=True,
        env=dict(os.environ, LC_ALL="C", PATH="/usr/sbin:/usr/bin:/sbin:/bin"),
    )
    if check and done.returncode:
        raise ComplaintError("%s: %s" % (words[0], (done.stderr or done.stdout).strip()))
    return done.stdout.strip() if done.returncode == 0 else ""


def read(path):
    """Return a file's text, or a link's aim after `-> `; None: there is neither."""
    if os.path.islink(path):
        return "-> " + os.readlink(path)
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def write(path, text, mode, owner=None):
    """Write a file or a link, whole or not at all; None: take it away."""
    if text is None:
        if os.path.lexists(path):
            os.unlink(path)
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    new = os.path.join(os.path.dirname(path), ".%s.new" % os.path.basename(path))
    if os.path.lexists(new):
        os.unlink(new)
    if text.startswith("-> "):
        os.symlink(text[3:], new)
    else:
        place = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(place, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
            os.fchmod(file.fileno(), mode)
            if owner is not None:
                os.fchown(file.fileno(), *owner)
    os.rename(new, path)


class Topic:
    """Something that is configured: its files, how they take effect, how it is seen."""

    mode = 0o644

    def __init__(self, wanted):
        self.wanted = wanted

    def files(self):
        """Return the files that it needs, with their contents."""
        return {}

    def before(self):
        """Return what has to be kept beside the files, to be given to `restore`."""
        return {}

    def apply(self):
        """Let the files take effect; what is wrong with them is raised."""

    def restore(self, _before):
        """Let the former files take effect."""
        self.apply()

    def wrong(self):
        """Yield what is not as wanted, beside the files."""
        return iter(())


def said(value):
    """Write a value as configuration files do."""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
