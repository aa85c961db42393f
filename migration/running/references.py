"""Secrets that are kept elsewhere: `env:NAME` and `file:PATH`, resolved where they are used."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from govcloud.errors import NotFoundError

MASK: Final = "********"
_DEPTH: Final = 3
"""How often JSON may have been put into JSON around a secret in a text that is none itself."""


def resolve(references: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets by name; raises `NotFoundError` for one that is not there."""
    return {name: _value(reference) for name, reference in references.items()}


def _value(reference: str) -> str:
    kind, _, where = reference.partition(":")
    if kind == "env" and where in os.environ:
        return os.environ[where]
    if kind == "file":
        try:
            return Path(where).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError):
            pass
    raise NotFoundError("migrate.play_secret_missing", reference=reference)


class Masking:
    """Hides secrets in texts, and in what is made of texts.

    A secret is known as it is and as JSON has it, also where that stands in a text of other JSON.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {part for secret in secrets for part in (secret, *secret.splitlines()) if part}
        for _ in range(_DEPTH):
            known |= {json.dumps(form)[1:-1] for form in known} | {
                json.dumps(form, ensure_ascii=False)[1:-1] for form in known
            }
        self._known = sorted(known, key=len, reverse=True)

    def __bool__(self) -> bool:
        """Whether there is anything to hide."""
        return bool(self._known)

    def __call__(self, text: str) -> str:
        """Return the text with every secret masked, whatever the text is."""
        for secret in self._known:
            text = text.replace(secret, MASK)
        return text

    def within(self, value: object) -> object:
        """Return a value of JSON with every text in it masked; the names of its objects stay.

        A text that is an object's JSON itself is masked inside and stays one: a short secret is
        found also in its names and numbers, and would break it.
        """
        if isinstance(value, dict):
            return {name: self.within(one) for name, one in value.items()}
        if isinstance(value, list):
            return [self.within(one) for one in value]
        if not isinstance(value, str):
            return value
        inner = _object(value)
        return self(value) if inner is None else json.dumps(self.within(inner))


def _object(text: str) -> object:
    """Return the object of which a text is the JSON, or None."""
    if not text.startswith("{"):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
