"""Server-side apply, and what becomes of fields that somebody else manages (R2)."""

from typing import Any

from govcloud.errors import CloudConflictError
from provisioners.kubernetes.errors import other_managers
from provisioners.kubernetes.marks import FIELD_MANAGER
from provisioners.kubernetes.session import Session

Json = dict[str, Any]


def applied(session: Session, path: str, body: Json, *, take: bool) -> Json:
    """Apply; where others manage one of the fields, take it back, or raise who it is."""
    try:
        return session.apply(path, body, fieldManager=FIELD_MANAGER)
    except CloudConflictError as error:
        if error.reason != "FieldManager" or not take or not other_managers(error.message):
            raise
    return session.apply(path, body, fieldManager=FIELD_MANAGER, force=True)
