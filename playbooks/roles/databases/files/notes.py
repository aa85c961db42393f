"""What is kept in files between one run and the next, and how far a run is."""

import json
import os
import threading
import time

EACH_S = 0.3


class Meter:
    """Counts the bytes that several threads move, and keeps to a rate (0: none)."""

    def __init__(self, kib_s):
        self.moved = 0
        self.beside = 0  # Bytes that were dealt with on this host alone: said, and not held back.
        self.total = 0  # What is to be moved, where that is known.
        self.rate = kib_s * 1024.0
        self.lock = threading.Lock()
        # Not the time of day, which may be set back.
        self.begun = time.monotonic()
        self.said = self.begun - EACH_S

    def expect(self, number):
        """Know of more bytes that are to be moved; of fewer, where some need not be."""
        with self.lock:
            self.total += number

    def count(self, number):
        """Count bytes, say them, and wait where they came too fast."""
        with self.lock:
            self.moved += number
            now = time.monotonic()
            if now - self.said > EACH_S:
                self.said = now
                # As the helper that watches this understands it.
                known = " of %d" % self.total if self.total > 0 else ""
                print("%d 0%%%s" % (self.moved + self.beside, known), flush=True)
            ahead = self.moved / self.rate - (now - self.begun) if self.rate else 0
        if ahead > 0:
            time.sleep(ahead)


def load(path):
    """Read what was noted; nothing, if nothing was."""
    try:
        with open(path) as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def forget(path):
    """Note nothing any more."""
    if os.path.exists(path):
        os.unlink(path)


def save(path, value):
    """Note something, whole or not at all."""
    with open(path + ".new", "w") as file:
        json.dump(value, file)
    os.rename(path + ".new", path)
