"""What of an object stands in the cloud: what the facts say, and figures count."""

from collections.abc import Collection, Iterable, Sequence

from govcloud.ports.cloud import Observed, Resource, State


def lacking(
    wanted: Sequence[Resource], observed: Iterable[Observed], delivered: Collection[str]
) -> frozenset[int]:
    """Return the units of an object of which a body is not there, or was never ready.

    `delivered` holds the ids of resources that were ready once: such a one is there until the cloud
    no longer shows it, whatever it is doing.
    """
    there = {
        (item.part, item.type)
        for item in observed
        if item.state is State.READY or item.id in delivered
    }
    return frozenset(
        resource.unit
        for resource in wanted
        if resource.unit is not None and (resource.part, resource.type) not in there
    )
