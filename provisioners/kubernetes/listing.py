"""Lists: all of a type in all namespaces, page by page."""

from collections.abc import Iterator, Sequence
from typing import Any

from provisioners.kubernetes.session import Session
from provisioners.kubernetes.types import Type

Json = dict[str, Any]


def pages(session: Session, kind: Type, size: int, selector: str = "") -> Iterator[Sequence[Json]]:
    """Yield what there is of a type, a call a page; raises CloudError.

    All pages show one instant: where the server has forgotten it meanwhile, it answers 410 and
    the listing fails, to be begun anew by whoever asked for it.
    """
    token: str | None = None
    while True:
        found = session.list(
            kind.everywhere,
            limit=size,
            labelSelector=selector or None,
            **({"continue": token} if token else {}),
        )
        yield found["items"]
        token = found["metadata"].get("continue")
        if not token:
            return
