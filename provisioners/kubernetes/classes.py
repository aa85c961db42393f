"""The storage classes of a cluster: of those that nobody approved a namespace gets nothing.

A quota has no word for "all others", so each class that there is gets a limit of its own.
"""

from collections.abc import Mapping

from govcloud.errors import TransientCloudError
from govcloud.ports.cloud import Value
from provisioners.kubernetes.listing import Listing
from provisioners.kubernetes.objects import LIMIT, OF_CLASS
from provisioners.kubernetes.session import Session
from provisioners.kubernetes.types import STORAGE_CLASS


class StorageClasses:
    """The names of a cluster's storage classes, as they were at the last comparison."""

    def __init__(self, session: Session, page_size: int) -> None:
        self._session = session
        self._page_size = page_size
        self._looked = False
        self.known: frozenset[str] = frozenset()

    def look(self) -> None:
        """List them; where we may not, none is known (`doctor` says so). Raises CloudError."""
        listing = Listing(self._session, STORAGE_CLASS, self._page_size)
        try:
            self.known = frozenset(item["metadata"]["name"] for page in listing for item in page)
        except TransientCloudError as error:
            if error.reason != "Forbidden":
                raise
            self.known = frozenset()
        self._looked = True

    def look_once(self) -> None:
        """List them unless that was done before. Raises CloudError."""
        if not self._looked:
            self.look()

    def closed(self) -> Mapping[str, Value]:
        """Return limits that let nothing be had of any. Raises CloudError."""
        self.look_once()
        return {f"{LIMIT}{name}{OF_CLASS}": 0 for name in self.known}
