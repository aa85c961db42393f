"""What a cluster offers: its version, its storage classes, how many namespaces there are."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from govcloud.errors import CloudError
from govcloud.ports.abilities import Offer
from provisioners.kubernetes.listing import Listing
from provisioners.kubernetes.session import Session
from provisioners.kubernetes.types import NAMESPACE, STORAGE_CLASS

_DEFAULT: Final = "storageclass.kubernetes.io/is-default-class"


def discover(session: Session, page_size: int) -> Sequence[Offer]:
    """Return what there is; storage classes only where we may list them."""
    version = str(session.list("/version").get("gitVersion") or "")
    count = sum(len(page) for page in Listing(session, NAMESPACE, page_size))
    return (
        Offer("service", "kubernetes", {"version": version}),
        *_storage(session),
        Offer("tenants", "", {"count": count}),
    )


def _storage(session: Session) -> Iterator[Offer]:
    try:
        items: Any = session.list(STORAGE_CLASS.everywhere).get("items") or ()
    except CloudError:
        return
    for item in items:
        about = item["metadata"]
        default = (about.get("annotations") or {}).get(_DEFAULT) == "true"
        yield Offer("storage", str(about["name"]), {"default": default})
