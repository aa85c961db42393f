"""What was asked for beside the spec: machines that are to stand still, how a release is done.

It is desired state like the spec, but no change of it: nobody has to approve that a machine is
stopped for an hour, and nothing is charged for it.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Final

from govcloud.ports.cloud import Resource

POWER: Final = "power"
"""The property that says whether a machine runs."""
OFF: Final = "off"


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for: `off` are the numbers of machines that are to stand still.

    `all_off`: all of them, those that come later too.

    Of a release: `snapshot`, that a last copy be kept; `keep_volumes`, that data disks stay;
    `wipe_volumes`, that volumes go only where the cloud overwrites them.
    """

    off: frozenset[int] = frozenset()
    all_off: bool = False
    snapshot: bool = False
    keep_volumes: bool = False
    wipe_volumes: bool = False

    @property
    def text(self) -> str:
        """The text that is stored; empty where nothing was asked for."""
        said: dict[str, Any] = {
            "off": sorted(self.off),
            "allOff": self.all_off,
            "snapshot": self.snapshot,
            "keepVolumes": self.keep_volumes,
            "wipeVolumes": self.wipe_volumes,
        }
        said = {name: value for name, value in said.items() if value}
        return json.dumps(said, separators=(",", ":")) if said else ""

    @property
    def stops(self) -> bool:
        """Whether anything is to stand still."""
        return self.all_off or bool(self.off)

    def over(self, resources: Iterable[Resource]) -> tuple[Resource, ...]:
        """Return what a cloud should hold, with what was asked for put over it."""
        return tuple(
            replace(resource, props={**resource.props, POWER: OFF})
            if (self.all_off or resource.unit in self.off) and POWER in resource.props
            else resource
            for resource in resources
        )


NOTHING: Final = Asked()


@lru_cache(maxsize=4096)
def read_asked(text: str) -> Asked:
    """Return what a stored text asks for."""
    if not text:
        return NOTHING
    said: Mapping[str, Any] = json.loads(text)
    return Asked(
        frozenset(said.get("off", ())),
        all_off=bool(said.get("allOff")),
        snapshot=bool(said.get("snapshot")),
        keep_volumes=bool(said.get("keepVolumes")),
        wipe_volumes=bool(said.get("wipeVolumes")),
    )
