"""What users write for an object: `vm web-1`, `vm/web-1`, `hrss/vm/web-1`; and for a request."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from cli.client import path
from govcloud.errors import UsageError

_REQUEST: Final = re.compile(r"^REQ-[0-9A-Za-z-]+$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reference:
    """An object as it was written: the word for its kind, its name, its department if given."""

    kind: str
    name: str
    department: str | None = None

    @property
    def shown(self) -> str:
        """The reference as users write it."""
        return "/".join(part for part in (self.department, self.kind, self.name) if part)

    @property
    def path(self) -> str:
        """The object's path in the API."""
        return path("objects", self.kind, self.name)

    def plain(self) -> dict[str, Any]:
        """Return the JSON form that calls of the API take."""
        whose = {"department": self.department} if self.department else {}
        return {"kind": self.kind, "name": self.name, **whose}


def is_request(word: str) -> bool:
    """Whether a word is the number of a request."""
    return bool(_REQUEST.match(word))


def parse(words: Sequence[str], department: str | None = None) -> list[Reference]:
    """Return the references in `KIND NAME…`, `KIND/NAME…` or `DEPARTMENT/KIND/NAME…`."""
    if not words:
        raise UsageError("cli.which_object")
    if "/" in words[0]:
        return [_one(word, department) for word in words]
    kind, *names = words
    if not names:
        raise UsageError("cli.which_name", kind=kind)
    if any("/" in name for name in names):
        raise UsageError("cli.mixed_references")
    return [Reference(kind, name, department) for name in names]


def _one(word: str, department: str | None) -> Reference:
    parts = word.split("/")
    if not 2 <= len(parts) <= 3 or not all(parts):
        raise UsageError("cli.bad_reference", word=word)
    if len(parts) == 3:
        return Reference(parts[1], parts[2], parts[0])
    return Reference(parts[0], parts[1], department)
