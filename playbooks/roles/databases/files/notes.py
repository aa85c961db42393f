"""What is kept in files between one run and the next, and how far a run is."""

import json
import os
import threading
import time


class Meter:
    """Counts the bytes that several threads move, and keeps to a rate (0: none)."""

    def __init__(self, kib_s):
        self.moved = 0
        self.rate = kib_s * 1024.0
        self.said = 0.0
        self.lock = threading.Lock()
        self.begun = time.time()

    def count(self, number):
        """Count bytes, say them, and wait where they came too fast."""
        with self.lock:
            self.moved += number
            now = time.time()
            if now - self.said > 0.3:
                self.said = now
                # As the helper that watches this understands it.
                print("%d 0%%" % self.moved, flush=True)
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
