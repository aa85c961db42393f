"""Who has an account: `getent`. Hashes of passwords are never asked for."""

from typing import Final

from migration.inventory.scan.answer import Answer, Found

_FIRST_PERSON: Final = 1_000
_NOBODY: Final = 65_534
_NO_LOGIN: Final = ("nologin", "false", "sync", "shutdown", "halt")


def read(answer: Answer) -> Found:
    """Return the accounts of people and of programs that can log in, and who administers."""
    users = []
    for line in answer.lines("passwd"):
        name, uid, gid, about, home, shell = (*line.split(":"), "", "", "", "", "")[:6]
        number = int(uid)
        logs_in = not shell.endswith(_NO_LOGIN)
        if logs_in or _FIRST_PERSON <= number < _NOBODY:
            users.append({"name": name, "uid": number, "gid": int(gid or 0), "about": about,
                          "home": home, "shell": shell})  # fmt: skip
    members = (line.split(":")[2] for line in answer.lines("groups") if line.count(":") >= 2)
    administrators = sorted({name for group in members for name in group.split(",") if name})
    if not users:
        raise ValueError("no accounts")
    return {"users": users, "administrators": administrators}
