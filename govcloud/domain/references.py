"""Connections of clouds: where they are, and credentials by reference, never as they are."""

import re
from collections.abc import Iterator
from typing import Annotated, Final

from pydantic import BeforeValidator

from govcloud.domain.base import Line, entry_faults

_WORDS: Final = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_SECRET: Final = frozenset(
    {"password", "passwd", "pwd", "passphrase", "secret", "token", "key", "credentials"}
)
_HARMLESS: Final = frozenset({"file", "env", "id", "url", "name"})
"""Last words of names that say where a secret is, or what it is called."""
_CONTENT: Final = re.compile(
    r"-----BEGIN|\n|^\s*\{|(?:^|\s)(?:clouds|apiVersion|clusters)\s*:|://[^/\s]*:[^/\s]*@"
)
"""What stands in files that hold secrets, and a password in an address."""


def _connection(value: object) -> object:
    if isinstance(value, dict):
        entry_faults(_literal(value))
    return value


def _literal(value: dict[object, object]) -> Iterator[tuple[str, str]]:
    """Yield the entries that hold a secret; the fault names the entry and not what it holds."""
    for name, held in value.items():
        words = [word.lower() for word in _WORDS.findall(str(name))]
        named = bool(_SECRET & set(words)) and words[-1] not in _HARMLESS
        if named or (isinstance(held, str) and _CONTENT.search(held)):
            yield str(name), f"literal_secret:{_plain_name(str(name))}"


def _plain_name(name: str) -> str:
    """Return `token-data` for `tokenData`, without the end that `-file` and `-env` would double."""
    words = [word.lower() for word in _WORDS.findall(name)]
    if len(words) > 1 and words[-1] in {"file", "env", "data"}:
        words.pop()
    return "-".join(words)


Connection = Annotated[dict[Line, Line], BeforeValidator(_connection)]
