"""The machines of one object as they stand in a cloud right now."""

from collections.abc import Mapping, Sequence

from sqlmodel import Session

from govcloud.plan.asked import POWER
from govcloud.ports.cloud import Observed, Provisioner, Resource
from govcloud.reconcile import desired
from govcloud.reconcile.desired import World, resources_of


def bodies(session: Session, provisioner: Provisioner, uid: str, world: World) -> list[Resource]:
    """Return what should stand for an object's machines; raises one of `desired.UNPLANNABLE`."""
    found = desired.by_uid(session, [uid])
    world.add_systems(session, found)
    return [
        resource
        for wanted in found
        for resource in resources_of(provisioner, world, wanted.approved)
        if resource.unit is not None and POWER in resource.props
    ]


def standing(
    provisioner: Provisioner, uid: str, wanted: Sequence[Resource]
) -> Mapping[int, Observed]:
    """Return what stands of an object's machines, by number; raises CloudError."""
    units = {(resource.part, resource.type): resource.unit for resource in wanted}
    found: dict[int, Observed] = {}
    for item in provisioner.find([uid]):
        number = units.get((item.part, item.type))
        if number is not None:
            found[number] = item
    return found
