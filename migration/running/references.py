"""Secrets that are kept elsewhere: `env:NAME` and `file:PATH`, resolved where they are used."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from govcloud.errors import NotFoundError

MASK: Final = "********"


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
    """Hides secrets in text, whether it is text as it is or as JSON has it."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {form for secret in secrets for form in (secret, json.dumps(secret)[1:-1]) if form}
        self._known = sorted(known, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return the text with every secret masked."""
        for secret in self._known:
            text = text.replace(secret, MASK)
        return text
