"""What is in a namespace that must not go with it unless somebody says so, as it is right now.

The quota's status says it as well, with numbers; but the quota may be gone, changed by others, or
somebody else's, and what it does not count is not nothing.
"""

from typing import Final

from govcloud.errors import TransientCloudError
from provisioners.kubernetes.session import Session
from provisioners.kubernetes.types import NAMESPACE

DATA: Final = {
    "pods": "status.phase!=Succeeded,status.phase!=Failed",
    "persistentvolumeclaims": None,
}
"""What is looked for, and which of it: a pod that has ended holds nothing any more."""
_UNKNOWN: Final = "?"


def within(session: Session, namespace: str) -> str:
    """Return what there is, by the name of the first of each, with `…` where there are more.

    What may not be listed is unknown (`?`) and not empty. Raises CloudError.
    """
    found = {plural: _first(session, namespace, plural) for plural in DATA}
    return ", ".join(f"{plural}: {first}" for plural, first in found.items() if first)


def _first(session: Session, namespace: str, plural: str) -> str:
    path = f"{NAMESPACE.everywhere}/{namespace}/{plural}"
    try:
        said = session.list(path, limit=1, fieldSelector=DATA[plural])
    except TransientCloudError as error:
        if error.reason != "Forbidden":
            raise
        return _UNKNOWN
    items, about = said.get("items"), said.get("metadata")
    if not isinstance(items, list) or not isinstance(about, dict):
        raise TransientCloudError("ServerError", f"no list of {plural}")
    more = ["…"] if about.get("continue") else []
    return " ".join([*(item["metadata"]["name"] for item in items), *more])
