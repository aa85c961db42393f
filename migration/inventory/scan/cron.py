"""What runs at set times: crontabs, scripts of cron's folders, timers of systemd."""

import re
from pathlib import PurePosixPath
from typing import Final

from migration.inventory.scan.answer import Answer, Found, Part, masked

_WHEN: Final = re.compile(r"(@\w+|(?:\S+\s+){4}\S+)\s+(.*)")
_SETTING: Final = re.compile(r"\w+\s*=")


def read(answer: Answer) -> Found:
    """Return `jobs` (when, user, command, file) and `timers`; secrets in commands are masked."""
    jobs = [job for part in answer.every("system") for job in _jobs(part, None)]
    for part in answer.every("user"):
        jobs += _jobs(part, PurePosixPath(part.argument).name)
    for part in answer.every("script"):
        when, _, file = part.argument.partition(" ")
        jobs.append({"when": f"@{when}", "user": "root", "command": file, "file": file})
    timers = [
        word for line in answer.lines("timers") for word in line.split() if word.endswith(".timer")
    ]
    return {"jobs": jobs, "timers": timers}


def _jobs(part: Part, user: str | None) -> list[dict[str, str]]:
    found = []
    for line in map(str.strip, part.lines):
        if not line or line.startswith("#") or _SETTING.match(line):
            continue
        job = _WHEN.match(line)
        if job is None:
            continue
        when, command = " ".join(job[1].split()), job[2]
        who = user
        if who is None:
            who, _, command = command.partition("\t" if "\t" in command.split(" ")[0] else " ")
        command = masked(command.strip())
        found.append({"when": when, "user": who, "command": command, "file": part.argument})
    return found
