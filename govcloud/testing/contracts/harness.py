"""What a contract needs of the cloud under test."""

from typing import Protocol
from unittest import SkipTest

from govcloud.errors import (
    CloudError,
)
from govcloud.ports.cloud import Observed, Order, Provisioner

OTHER_INSTALLATION = "contract-other"
TENANT_QUOTA = "quota"
"""The feature of clouds whose tenants have a quota of their own."""


class Unsupported(SkipTest):
    """Raised by a harness for what its cloud cannot be made to do; the test is skipped."""


class Harness(Protocol):
    """One cloud under test. `open` MAY be called often; all else acts on the cloud itself."""

    def open(self, installation: str = ...) -> Provisioner:
        """Return a further driver of the cloud; the harness closes it."""
        ...

    def order(self, number: int, *, count: int = 1, grown: bool = False) -> Order:
        """Return an order that the driver can build; `number` tells objects from each other.

        With `count`, of so many equal parts, if the kind has such; `grown` differs from the plain
        one in a way that can be changed in place.
        """
        ...

    def settle(self) -> None:
        """Return when nothing is under way in the cloud any more."""
        ...

    def foreign(self, name: str, tenant: str) -> str:
        """Make something in the cloud that carries no mark, of this name; return its id."""
        ...

    def unmark(self, observed: Observed) -> None:
        """Take the mark from a resource, by other means than the driver."""
        ...

    def remove(self, observed: Observed) -> None:
        """Remove a resource, by other means than the driver."""
        ...

    def jam(self, observed: Observed) -> None:
        """Let `delete` of a resource be refused for as long as it stands."""
        ...

    def lose_answer(self, method: str) -> None:
        """Let the next call of `method` take effect without an answer."""
        ...

    def break_down(self) -> type[CloudError]:
        """Make the cloud unreachable; return the type of error that must come."""
        ...

    def calls(self, provisioner: Provisioner) -> int:
        """Return how many calls over the network a driver from `open` has made."""
        ...
