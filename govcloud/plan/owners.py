"""Whose something of nobody's might be: a guess from its tenant, its name and its tags; pure."""

import re
from collections.abc import Iterable, Mapping
from typing import Any


def guess(detail: Mapping[str, Any], departments: Mapping[str, str]) -> str:
    """Return the department that a resource probably belongs to; empty where nothing tells.

    `departments` are display names by name. What a tag says is believed first, then the tenant,
    then the resource's own name.
    """
    tagged = str((detail.get("tags") or {}).get("department") or "")
    if tagged in departments:
        return tagged
    for text in (detail.get("tenant"), detail.get("name")):
        found = _named(str(text or ""), departments)
        if found:
            return found
    return ""


def _named(text: str, departments: Mapping[str, str]) -> str:
    """Return the department that a text names; the longest where it names several."""
    words = f"-{'-'.join(re.findall(r'[a-z0-9]+', text.lower()))}-"
    found = [
        name
        for name, title in departments.items()
        if f"-{name}-" in words or (title and title in text)
    ]
    return _longest(found)


def _longest(names: Iterable[str]) -> str:
    return max(names, key=lambda name: (len(name), name), default="")
