"""Lists: all of a type in all namespaces or in one, page by page."""

from collections.abc import Iterator, Sequence
from typing import Any

from govcloud.errors import TransientCloudError
from provisioners.kubernetes.session import Session
from provisioners.kubernetes.types import Type

Json = dict[str, Any]


class Listing:
    """One listing of a type: iterate over its pages; afterwards `version` is what it showed.

    All pages show one instant: where the server has forgotten it meanwhile, it answers 410 and the
    listing fails, to be begun anew by whoever asked for it. Raises CloudError.
    """

    def __init__(
        self, session: Session, kind: Type, size: int, selector: str = "", namespace: str = ""
    ) -> None:
        self._session = session
        self._kind = kind
        self._path = kind.within(namespace) if namespace else kind.everywhere
        self._query: dict[str, object] = {"limit": size, "labelSelector": selector or None}
        self.version = ""

    def __iter__(self) -> Iterator[Sequence[Json]]:
        token: str | None = ""
        while token is not None:
            more = {"continue": token} if token else {}
            found = self._session.list(self._path, **self._query, **more)
            about, items = found.get("metadata"), found.get("items")
            if not isinstance(about, dict) or not isinstance(items, list):
                raise TransientCloudError("ServerError", f"no list of {self._kind.plural}")
            self.version = str(about.get("resourceVersion", ""))
            token = about.get("continue") or None
            yield items
