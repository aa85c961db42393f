"""The ownership mark: how a resource in the cloud says which object of which installation it is.

Servers and volumes carry mark and tags as metadata. What Neutron and Keystone keep carries them in
its description, and a server group in its name, because nothing else travels in their creating
calls. A description is short, so only the tags that last are in it, as many as there is room for.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

PREFIX: Final = "govcloud:"
FACT: Final = "govcloud:as-built:"
"""Prefix of what the cloud itself does not show of a resource, noted when it was made."""
_MARK: Final = f"{PREFIX}mark"
_DESCRIPTION_MOST: Final = 255
VALUE_MOST: Final = 255
LASTING: Final = (
    "department",
    "system",
    "zone",
    "mlps",
    "environment",
    "xinchuang",
    "project",
)
"""The tags of ALLOC-5 that stay when an object's generation moves on, the most telling first."""
_FIRST_WORD: Final = "govcloud"


class Mark(NamedTuple):
    """Whose a resource is; `uid` is empty for what carries no mark of this installation."""

    uid: str = ""
    part: str = ""

    @property
    def ours(self) -> bool:
        """Whether it is a mark at all."""
        return bool(self.uid)


NOBODYS: Final = Mark()


@dataclass(frozen=True, slots=True)
class Label:
    """What is read from a resource: its mark, its tags, what was noted when it was made."""

    mark: Mark = NOBODYS
    tags: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Marks:
    """Writes and reads the marks of one installation."""

    installation: str

    # --- Metadata: servers, volumes ---

    def metadata(
        self, mark: Mark, tags: Mapping[str, str], facts: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """Return mark, tags and facts as metadata."""
        said = {_MARK: f"{self.installation} {mark.uid}/{mark.part}"}
        said |= {f"{PREFIX}{name}": value[:VALUE_MOST] for name, value in tags.items()}
        return said | {f"{FACT}{name}": value[:VALUE_MOST] for name, value in (facts or {}).items()}

    def from_metadata(self, metadata: Mapping[str, str]) -> Label:
        """Read metadata."""
        installation, _, rest = metadata.get(_MARK, "").partition(" ")
        facts = {k.removeprefix(FACT): v for k, v in metadata.items() if k.startswith(FACT)}
        tags = {
            name.removeprefix(PREFIX): value
            for name, value in metadata.items()
            if name.startswith(PREFIX) and name != _MARK and not name.startswith(FACT)
        }
        return Label(self._mark(installation, rest), tags, facts)

    # --- Description: Neutron, Keystone ---

    def description(
        self, mark: Mark, tags: Mapping[str, str], facts: Mapping[str, str] | None = None
    ) -> str:
        """Return mark, facts and tags as a description; `fitting` has chosen the tags."""
        words = [_FIRST_WORD, self.installation, f"{mark.uid}/{mark.part}"]
        words += [f"+{name}={_escape(value)}" for name, value in (facts or {}).items()]
        words += [f"{name}={_escape(tags[name])}" for name in LASTING if name in tags]
        return " ".join(words)

    def fitting(
        self, mark: Mark, tags: Mapping[str, str], facts: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """Return the tags that a description has room for."""
        chosen: dict[str, str] = {}
        for name in LASTING:
            tried = chosen | ({name: tags[name]} if tags.get(name) else {})
            if len(self.description(mark, tried, facts)) <= _DESCRIPTION_MOST:
                chosen = tried
        return chosen

    def from_description(self, description: str | None) -> Label:
        """Read a description."""
        first, _, rest = (description or "").partition(" ")
        if first != _FIRST_WORD:
            return Label(NOBODYS, {}, {})
        installation, mark, *pairs = [*rest.split(" "), "", ""]
        said = {
            name: _unescape(value) for name, _, value in (p.partition("=") for p in pairs) if name
        }
        facts = {name[1:]: value for name, value in said.items() if name.startswith("+")}
        tags = {name: value for name, value in said.items() if not name.startswith("+")}
        return Label(self._mark(installation, mark), tags, facts)

    # --- Name: server groups ---

    def name(self, mark: Mark) -> str:
        """Return a mark as a name."""
        return self.description(mark, {})

    def _mark(self, installation: str, text: str) -> Mark:
        uid, slash, part = text.partition("/")
        ours = installation == self.installation and uid and slash and part
        return Mark(uid, part) if ours else NOBODYS


def _escape(value: str) -> str:
    return value.replace("%", "%25").replace(" ", "%20").replace("\n", "%0A")


_ESCAPED: Final = re.compile(r"%(25|20|0A)")


def _unescape(value: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match.group(1), 16)), value)


def index(
    rows: Iterable[Mapping[str, Any]], marks: Marks, key: str = "description"
) -> dict[str, Mark]:
    """Return marks by id, of the rows that carry one."""
    found = ((str(row["id"]), marks.from_description(row.get(key)).mark) for row in rows)
    return {name: mark for name, mark in found if mark.ours}
