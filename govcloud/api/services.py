"""What the API needs to have wired: a Protocol, filled by `govcloud.bootstrap`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from govcloud.settings import Settings
from govcloud.store.unit import Store

if TYPE_CHECKING:
    from govcloud.domain.kinds.platform import CloudSpec
    from govcloud.ports import Ledger, Provisioner
    from govcloud.requests.desk import Desk


class Services(Protocol):
    """The services behind the routes; each is made when it is first asked for."""

    @property
    def settings(self) -> Settings:
        """What is configured."""
        ...

    @property
    def store(self) -> Store:
        """The database with its clock."""
        ...

    @property
    def ledger(self) -> "Ledger":
        """The quota ledger."""
        ...

    @property
    def desk(self) -> "Desk":
        """The life of requests."""
        ...

    @property
    def drivers(self) -> Sequence[str]:
        """The names of the installed drivers of clouds."""
        ...

    def provisioner(self, name: str, spec: "CloudSpec") -> "Provisioner":
        """Open the driver of a cloud; the caller closes it."""
        ...
