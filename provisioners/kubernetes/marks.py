"""Marks and tags as labels and annotations, and the names of namespaces; pure.

What is selected by is a label; what may be any text is an annotation. The mark stands in both: who
takes one label off has changed what is ours, who takes all of it off takes it out of our hands.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

DOMAIN: Final = "govcloud.io"
INSTALLATION: Final = f"{DOMAIN}/installation"
UID: Final = f"{DOMAIN}/uid"
PART: Final = f"{DOMAIN}/part"
MARK: Final = f"{DOMAIN}/mark"
"""The whole mark once more, as an annotation: `installation/uid/part`."""
HARD: Final = f"{DOMAIN}/hard"
"""Names the limits of a quota that are ours: others may add some of their own."""
ZONE: Final = f"{DOMAIN}/zone"
OBJECT: Final = f"{DOMAIN}/name"
"""What the object is called that a namespace is of: what references select by."""
CALLED: Final = "kubernetes.io/metadata.name"
"""What every namespace is called, as the cluster itself labels it."""
MANAGED_BY: Final = {"app.kubernetes.io/managed-by": "govcloud"}
EVERYTHING: Final = "app.kubernetes.io/managed-by=govcloud"
"""Selects what any govcloud made, also where its mark was taken off since."""
FIELD_MANAGER: Final = "govcloud"
_SELECTED: Final = frozenset(
    {"department", "system", "request", "zone", "mlps", "environment", "xinchuang"}
)
_LABEL: Final = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_MARKS: Final = frozenset({INSTALLATION, UID, PART, MARK, HARD, OBJECT})
WHOLE: Final = "whole"
"""What is said of a mark of which nothing is missing."""
_LONGEST: Final = 63

Json = dict[str, Any]


def namespace_name(department: str, name: str) -> str:
    """Return what an object's namespace is called in the cluster: the same for the same object."""
    whole = f"{department}-{name}"
    if len(whole) <= _LONGEST:
        return whole
    digest = hashlib.sha256(f"{department}/{name}".encode()).hexdigest()[:8]
    return f"{whole[: _LONGEST - 9].rstrip('-')}-{digest}"


def referred(reference: str, department: str, installation: str) -> dict[str, str]:
    """Return the labels of the namespace that `name`, `department/name` or `cluster:name` means.

    Whose it is says which one is meant, not what it is called: what was taken over keeps its name.
    Only the cluster's own administrators can change the labels of a namespace.
    """
    if reference.startswith("cluster:"):
        return {CALLED: reference.removeprefix("cluster:")}
    owner, _, name = reference.rpartition("/")
    whose = {f"{DOMAIN}/department": owner or department, OBJECT: name}
    return {INSTALLATION: installation, **whose}


def metadata(
    installation: str, uid: str, part: str, tags: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return labels and annotations of a resource with this mark and these tags."""
    labels = {**MANAGED_BY, INSTALLATION: installation, UID: uid, PART: part}
    annotations: dict[str, str] = {MARK: f"{installation}/{uid}/{part}"}
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
    by_labels = tuple(labels.get(name, "") for name in (INSTALLATION, UID, PART))
    for whose, uid, part in (by_labels, _noted(item)):
        if whose == installation and uid and part:
            return uid, part
    return "", ""


def _noted(item: Json) -> tuple[str, ...]:
    """Return installation, uid and part as the annotation says them."""
    text = (item["metadata"].get("annotations") or {}).get(MARK, "")
    said = tuple(str(text).split("/"))
    return said if len(said) == 3 else ("", "", "")


def missing(item: Json, installation: str) -> str:
    """Say of a thing of ours what of its mark was taken off or changed; `WHOLE` where nothing."""
    uid, part = mark_of(item, installation)
    labels, annotations = metadata(installation, uid, part, {})
    about = item["metadata"]
    off = [
        name
        for place, marks in (("labels", labels), ("annotations", annotations))
        for name, text in marks.items()
        if (about.get(place) or {}).get(name) != text
    ]
    return f"without {', '.join(sorted(off))}" if off else WHOLE


def selector(installation: str, uids: Sequence[str]) -> str:
    """Return the label selector of what this installation marked of some objects."""
    return f"{INSTALLATION}={installation},{UID} in ({','.join(sorted(uids))})"


def selected(item: Json, installation: str) -> bool:
    """Whether the labels are there that `selector` selects a thing of ours by."""
    labels = item["metadata"].get("labels") or {}
    uid, _ = mark_of(item, installation)
    return labels.get(INSTALLATION) == installation and labels.get(UID) == uid
