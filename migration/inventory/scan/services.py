"""What runs, and what starts by itself: systemd, or scripts of older systems; names of programs."""

import re
from typing import Final

from migration.inventory.scan.answer import Answer, Found

_SCRIPT: Final = re.compile(r"\s*\[ \+ \]\s+(\S+)|(\S+)\s.*\brunning\b")
"""As Debian and as Red Hat say that a script's service runs."""


def read(answer: Answer) -> Found:
    """Return units and programs; arguments of programs are not asked for: they may hold secrets."""
    scripts = (_SCRIPT.match(line) for line in answer.lines("scripts"))
    levels = (line for line in answer.lines("levels") if re.search(r"\b[35]:on\b", line))
    running = [_unit(line) for line in answer.lines("running")]
    running += [script[1] or script[2] for script in scripts if script]
    enabled = [_unit(line) for line in answer.lines("enabled")]
    enabled += [line.split()[0] for line in levels]
    processes = []
    for line in answer.lines("processes"):
        count, user, command = line.split(None, 2)
        if command not in ("ps", "sort", "uniq"):
            processes.append({"user": user, "command": command, "count": int(count)})
    if not processes:
        raise ValueError("no processes")
    return {"running": running, "enabled": enabled, "processes": processes}


def _unit(line: str) -> str:
    # A mark stands before units that have failed.
    words = [word for word in line.split() if word not in ("●", "*")]
    return words[0].removesuffix(".service")
