"""Whether volumes can be wiped as somebody wants it; pure.

No API of a cloud says whether a volume is overwritten when it is removed: it is for the cloud's
administrators to know and to write down (`Cloud.spec.wipes`).
"""

from collections.abc import Iterator

from govcloud.domain.base import Model
from govcloud.domain.kinds.registry import KINDS
from govcloud.domain.kinds.systems import VirtualMachineSpec, VolumeSpec
from govcloud.errors import Diagnostic
from govcloud.requests.changes import KEEP_VOLUMES, OPTIONS, WIPE_VOLUMES
from govcloud.requests.wishes import Wish
from govcloud.requests.world import World


def wiped_wrongly(wish: Wish, world: World) -> Iterator[Diagnostic]:
    """Yield what is to be given back and wiped, and cannot be, each with why."""
    for key in wish.releases:
        options, field = wish.options.get(key, ()), str(key)
        if WIPE_VOLUMES not in options or not KINDS[key.kind].allocates:
            continue
        if KEEP_VOLUMES in options:
            yield Diagnostic("requests.kept_and_wiped", {}, field=field)
        elif WIPE_VOLUMES not in OPTIONS.get(key.kind, ()):
            yield Diagnostic("requests.no_wiping", {"kind": key.kind}, field=field)
        else:
            row, cloud = world.rows[key], world.clouds[world.rows[key].cloud or ""]
            left = classes_of(world.currents[key].model) - set(cloud.wipes)
            params = {"classes": sorted(left), "cloud": row.cloud, "known": sorted(cloud.wipes)}
            if left:
                yield Diagnostic("requests.not_wiped", params, field=field)


def classes_of(spec: Model) -> set[str]:
    """Return the storage classes of what a spec asks for."""
    if isinstance(spec, VolumeSpec):
        return {spec.type}
    if isinstance(spec, VirtualMachineSpec):
        return {disk.type for disk in (spec.system_disk, *spec.data_disks)}
    return set()
