"""What a change builds anew: asked of the driver of its cloud, which says it without a call.

Whether something can be changed in place is the driver's to know: OpenStack moves a volume to
another storage class, the simulated cloud does not.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from govcloud.domain.base import Model
from govcloud.domain.kinds.platform import CloudSpec
from govcloud.errors import GovcloudError
from govcloud.plan.orders import (
    Approved,
    Catalogue,
    Entry,
    MissingReferenceError,
    json_form,
    make_order,
)
from govcloud.policy.context import Action
from govcloud.ports.cloud import Provisioner, Resource
from govcloud.requests.changes import MOVING, Change
from govcloud.requests.world import World

Anew = Callable[[Change, World], tuple[str, ...] | None]
"""Returns the parts that a change builds anew; None where that is not known."""


def unknown(_change: Change, _world: World) -> None:
    """Say that it is not known: the kind's table decides."""


@dataclass(frozen=True)
class Rebuilding:
    """Asks drivers; `open_cloud` opens that of a cloud."""

    open_cloud: Callable[[str, CloudSpec], Provisioner]

    def parts(self, change: Change, world: World) -> tuple[str, ...] | None:
        """Return the parts that a change builds anew; None where no driver can say it."""
        name = world.cloud_of(change.spec.get("zone"))
        cloud, current = world.clouds.get(name), world.currents.get(change.key)
        if change.action is not Action.CHANGE or cloud is None or current is None:
            return None
        if not change.may_replace or any(entry.path in MOVING for entry in change.fields):
            return None
        catalogue = Catalogue(dict(_entries(change.key.department, world)))
        approved = [_approved(change, spec) for spec in (current.spec, change.spec)]
        try:
            orders = [make_order(one, catalogue) for one in approved]
            driver = self.open_cloud(name, cloud)
        except (GovcloudError, MissingReferenceError):
            return None
        try:
            before, after = (driver.resources(order) for order in orders)
        finally:
            driver.close()
        return anew(before, after)


def anew(before: Sequence[Resource], after: Sequence[Resource]) -> tuple[str, ...]:
    """Return the parts of which something differs that only a replacement can change."""
    was = {resource.part: resource for resource in before}
    return tuple(
        resource.part
        for resource in after
        if resource.part in was
        and any(
            resource.props.get(name) != was[resource.part].props.get(name)
            for name in resource.immutable | was[resource.part].immutable
        )
    )


def _approved(change: Change, spec: Mapping[str, Any]) -> Approved:
    key = change.key
    return Approved(
        uid=change.uid,
        kind=key.kind,
        department=key.department,
        name=key.name,
        system=str(spec.get("system") or ""),
        zone=str(spec.get("zone") or ""),
        generation=change.generation,
        spec=json.dumps(spec, sort_keys=True),
        digest=change.digest,
        request_id="",
    )


_CATALOGUE: Final = (("Flavor", "flavors"), ("Image", "images"), ("Zone", "zones"))


def _entries(department: str, world: World) -> Iterator[tuple[tuple[str, str], Entry]]:
    for kind, field in _CATALOGUE:
        found: Mapping[str, Model] = getattr(world, field)
        for name, spec in found.items():
            yield (kind, name), json_form(spec.base())
    for name, system in world.systems.items():
        yield ("System", f"{department}/{name}"), json_form(system.base())
