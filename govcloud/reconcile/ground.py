"""What objects stand on, as it follows from them: a survey of all says what is wanted.

Beside the objects' rows it needs nothing, so that it can be made anew at any time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from govcloud.domain.keys import GROUND
from govcloud.domain.manifest import digest_of
from govcloud.plan.orders import ground_spec
from govcloud.plan.phases import Phase
from govcloud.ports.cloud import Order, Provisioner
from govcloud.reconcile.desired import UNPLANNABLE, UnplannableError, Wanted, World

System = tuple[str, str]
"""Department and name."""


def ground_of(provisioner: Provisioner, world: World, wanted: Wanted) -> Sequence[Order]:
    """Return the orders of what an object stands on; raises one of UNPLANNABLE."""
    order = world.order(wanted.approved)
    try:
        return provisioner.ground(order)
    except Exception as error:
        raise UnplannableError(wanted.uid) from error


def digest_of_ground(order: Order) -> str:
    """Return the digest of all that there is to know of an order of ground."""
    return digest_of(GROUND, {"name": order.name}, ground_spec(order))


@dataclass(slots=True)
class Survey:
    """What all objects of a cloud stand on, and which rows of ground there are.

    `orders` are what is stood on, by uid; `rows` the digests of the rows that are not being given
    back, with their systems; `unsure` the systems of objects of which it cannot be said.
    """

    orders: dict[str, Order] = field(default_factory=dict)
    rows: dict[str, tuple[System, str]] = field(default_factory=dict)
    unsure: set[System] = field(default_factory=set)

    def note(self, provisioner: Provisioner, world: World, wanted: Wanted) -> None:
        """Note one object, whatever becomes of it: what is being given back stands there still."""
        system = (wanted.department, wanted.system)
        if wanted.kind == GROUND and wanted.phase != Phase.RELEASING:
            self.rows[wanted.uid] = (system, wanted.digest)
        try:
            self.orders.update(
                {order.uid: order for order in ground_of(provisioner, world, wanted)}
            )
        except UNPLANNABLE:
            self.unsure.add(system)

    @property
    def otherwise(self) -> dict[str, Order]:
        """The orders of which there is no row, or one that says something else."""
        return {
            uid: order
            for uid, order in self.orders.items()
            if uid not in self.rows or self.rows[uid][1] != digest_of_ground(order)
        }

    @property
    def unused(self) -> set[System]:
        """The systems of ground that nothing seems to stand on."""
        idle = {system for uid, (system, _) in self.rows.items() if uid not in self.orders}
        return idle - self.unsure
