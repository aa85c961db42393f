"""Marks and tags as labels and annotations, and the names of namespaces; pure.

What is selected by is a label; what may be any text is an annotation.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

DOMAIN: Final = "govcloud.io"
INSTALLATION: Final = f"{DOMAIN}/installation"
UID: Final = f"{DOMAIN}/uid"
PART: Final = f"{DOMAIN}/part"
HARD: Final = f"{DOMAIN}/hard"
"""Names the limits of a quota that are ours: others may add some of their own."""
ZONE: Final = f"{DOMAIN}/zone"
MANAGED_BY: Final = {"app.kubernetes.io/managed-by": "govcloud"}
EVERYTHING: Final = "app.kubernetes.io/managed-by=govcloud"
"""Selects what any govcloud made, also where its mark was taken off since."""
FIELD_MANAGER: Final = "govcloud"
_SELECTED: Final = frozenset(
    {"department", "system", "request", "zone", "mlps", "environment", "xinchuang"}
)
_LABEL: Final = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_MARKS: Final = frozenset({INSTALLATION, UID, PART, HARD})
_LONGEST: Final = 63

Json = dict[str, Any]


def namespace_name(department: str, name: str) -> str:
    """Return what an object's namespace is called in the cluster: the same for the same object."""
    whole = f"{department}-{name}"
    if len(whole) <= _LONGEST:
        return whole
    digest = hashlib.sha256(f"{department}/{name}".encode()).hexdigest()[:8]
    return f"{whole[: _LONGEST - 9].rstrip('-')}-{digest}"


def referred(reference: str, department: str) -> str:
    """Return the namespace that `name`, `department/name` or `cluster:name` means."""
    if reference.startswith("cluster:"):
        return reference.removeprefix("cluster:")
    owner, _, name = reference.rpartition("/")
    return namespace_name(owner or department, name)


def metadata(
    installation: str, uid: str, part: str, tags: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return labels and annotations of a resource with this mark and these tags."""
    labels = {**MANAGED_BY, INSTALLATION: installation, UID: uid, PART: part}
    annotations: dict[str, str] = {}
    for tag, text in tags.items():
        place = labels if tag in _SELECTED and _LABEL.fullmatch(text) else annotations
        place[f"{DOMAIN}/{tag}"] = text
    return labels, annotations


def tags_of(item: Json) -> dict[str, str]:
    """Return the tags that an object carries, wherever they stand."""
    found: dict[str, str] = {}
    for place in ("annotations", "labels"):
        for name, text in (item["metadata"].get(place) or {}).items():
            domain, _, tag = name.partition("/")
            if domain == DOMAIN and name not in _MARKS:
                found[tag] = text
    return found


def mark_of(item: Json, installation: str) -> tuple[str, str]:
    """Return `(uid, part)` of what this installation marked; empty for everything else."""
    labels = item["metadata"].get("labels") or {}
    uid, part = labels.get(UID, ""), labels.get(PART, "")
    return (uid, part) if uid and part and labels.get(INSTALLATION) == installation else ("", "")


def selector(installation: str, uids: Sequence[str]) -> str:
    """Return the label selector of what this installation marked of some objects."""
    return f"{INSTALLATION}={installation},{UID} in ({','.join(sorted(uids))})"
