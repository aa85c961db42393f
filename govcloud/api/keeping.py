"""Whether clouds can give things back as somebody wants it: said before anything is submitted."""

from collections.abc import Sequence

from govcloud.api import asking
from govcloud.api.services import Services
from govcloud.domain.access import Actor
from govcloud.domain.keys import ObjectKey
from govcloud.policy.context import city_day
from govcloud.ports.abilities import Keeping
from govcloud.reconcile import desired
from govcloud.reconcile.desired import World, resources_of
from govcloud.requests.changes import KEEP_VOLUMES, SNAPSHOT
from govcloud.store import objects
from govcloud.store.tables import ObjectRow

_WORDS = {SNAPSHOT: "--snapshot", KEEP_VOLUMES: "--keep-volumes"}


def check(
    services: Services, actor: Actor, releases: Sequence[ObjectKey], options: Sequence[str]
) -> None:
    """Raise ConflictError where a cloud cannot do what is wanted of it; no cloud is called."""
    if not options:
        return
    with services.store.reading() as session:
        rows = objects.by_keys(session, [k for k in releases if k.kind == "VirtualMachine"])
    for row in rows.values():
        if row.cloud and (objects.sees_all(actor) or row.department == actor.department):
            _check_one(services, actor, row, options)


def _check_one(services: Services, actor: Actor, row: ObjectRow, options: Sequence[str]) -> None:
    name = row.cloud or ""
    with asking.cloud(services, actor, name) as provisioner:
        if SNAPSHOT in options and not isinstance(provisioner, Keeping):
            raise asking.cannot(name, _WORDS[SNAPSHOT])
        if KEEP_VOLUMES not in options or not row.spec.get("dataDisks"):
            return
        with services.store.reading() as session:
            world = World.read(session, city_day(services.store.clock.now()))
            found = desired.by_uid(session, [row.uid])
            world.add_systems(session, found)
        kept = (r.data for one in found for r in resources_of(provisioner, world, one.approved))
        if not any(kept):
            raise asking.cannot(name, _WORDS[KEEP_VOLUMES])
