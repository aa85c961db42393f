"""Why nobody was let in, out of what SSH, sudo and Ansible say of it. Pure.

A bastion is told by what OpenSSH calls the other end of a program that it speaks through, `UNKNOWN
port 65535`. Where connections are kept, it drops what that program complains of, so that those
complaints come in a file of their own (`login.ways`).
"""

import re
from typing import Final

from govcloud.errors import Text

_LAST_LINES: Final = 2
"""What a login ends with; before it may stand pages of warnings to whoever is not authorised."""
_BEHIND: Final = re.compile(r"UNKNOWN port 65535|stdio forwarding failed")
_NOISE: Final = re.compile(
    r'Data could not be sent to remote host "[^"]*"\. Make sure this host can be reached over ssh:'
    r"|Failed to connect to the host via ssh: |Task failed: |stdio forwarding failed"
    r"|kex_exchange_identification: (read: )?Connection (closed|reset) by (remote host|peer)"
    r"|Connection ((closed|reset) by|to) UNKNOWN port 65535( timed out)?"
    r"|Connection timed out during banner exchange"
)
_BASTION: Final = {
    "bastion_forbids": "administratively prohibited",
    "bastion_astray": "open failed",
    "bastion_silent": "banner exchange",
}
_SUDO: Final = {
    "sudo_password": re.compile(r"Missing sudo password|sudo: a password is required"),
    "sudo_wrong": re.compile(r"Incorrect sudo password|sudo: .*incorrect password attempt"),
    "sudo_denied": re.compile(
        r"is not in the sudoers file|is not allowed to execute|you are not allowed to"
        r"|may not run sudo|sudo: (command )?not found"
    ),
}


def with_complaints(text: str, complaints: str) -> str:
    """Return what was told of a host, after what its bastion complained of if that is the cause."""
    if not _BEHIND.search(text):
        return text
    return " ".join([*complaints.strip().splitlines()[-_LAST_LINES:], text])


def by_sudo(text: str) -> bool:
    """Say whether it is sudo that refused."""
    return not _BEHIND.search(text) and any(words.search(text) for words in _SUDO.values())


def explained(text: str) -> Text | None:
    """Return what refused, and why; None where the words say it themselves."""
    detail = " ".join(_NOISE.sub(" ", text).split())
    if _BEHIND.search(text):
        found = (name for name, words in _BASTION.items() if words in text)
        name = next(found, "bastion" if detail else "bastion_mute")
    else:
        found = (name for name, pattern in _SUDO.items() if pattern.search(text))
        name = next(found, "")
    return Text(f"migrate.refused_{name}", {"detail": detail}) if name else None
