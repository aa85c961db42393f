"""What a script answered, cut into its parts: `@@@ NAME ARGUMENT`, then the part's lines."""

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

MARK: Final = "@@@ "
Found = dict[str, Any]
"""What a parser makes of an answer, as JSON keeps it."""


class Part(NamedTuple):
    """One part of an answer."""

    name: str
    argument: str
    lines: list[str]

    @property
    def text(self) -> str:
        """Its lines as one text."""
        return "\n".join(self.lines)


class Answer:
    """The parts of an answer, in their order."""

    def __init__(self, text: str) -> None:
        self.parts = list(_parts(text))

    def every(self, name: str) -> Iterator[Part]:
        """Yield the parts of a name."""
        return (part for part in self.parts if part.name == name)

    def lines(self, name: str) -> list[str]:
        """Return the lines of all parts of a name that say something."""
        return [line for part in self.every(name) for line in part.lines if line.strip()]

    def word(self, name: str) -> str:
        """Return the first line that says something, or nothing."""
        return next((line.strip() for line in self.lines(name)), "")


def _parts(text: str) -> Iterator[Part]:
    part: Part | None = None
    for line in text.replace("\r", "").split("\n"):
        if line.startswith(MARK):
            if part is not None:
                yield part
            name, _, argument = line.removeprefix(MARK).strip().partition(" ")
            part = Part(name, argument, [])
        elif part is not None:
            part.lines.append(line)
    if part is not None:
        yield part


_VALUE: Final = r"""(?:"[^"]*"|'[^']*'|[^\s;&|<>"']+)"""
_SECRETS: Final = (
    re.compile(r"(://[^/\s:@]*:)[^/\s@]+(?=@)"),
    re.compile(rf"(\bsshpass\s+-p\s*){_VALUE}"),
    re.compile(rf"(\b(?:mysql|mariadb)\S*\s(?:.*\s)?-p){_VALUE}"),
    re.compile(r"(\b(?:curl|wget)\s(?:.*\s)?(?:-u|--user)[=\s]\s*[^\s:]+:)[^\s\"']+"),
    re.compile(r"(\bauthorization:\s*\w+\s)[^\s\"']+", re.IGNORECASE),
    re.compile(
        rf"((?<![\w-])[\w-]*(?:pass(?:word|wd)?|pwd|secret|token|key)(?:=\s*|\s+)){_VALUE}",
        re.IGNORECASE,
    ),
)
MASK: Final = "********"


def masked(command: str) -> str:
    """Return a command line with what may be a secret taken out."""
    for secret in _SECRETS:
        command = secret.sub(rf"\1{MASK}", command)
    return command
