"""What the controller remembers of an object, in `ObjectRow.status`.

`resources` is shown to people. `built` is the generation that was last ready: until it is the
approved one, differences are the approved change and not drift. `heals` says when each part was
last put right, for the guard against fighting somebody else. `text` is the sentence's key.
`absent` is how many of the units that were delivered the facts say are not there. `confirmed` is
the generation of which somebody said that what it holds may go with it. `asked` are the fields in
which something was asked for beside the spec, until it has come about. `forced` says by whom, when
and why its removal goes on whatever forbids it. `remade` are the ids of what stands and is to be
built anew.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from govcloud.errors import Text
from govcloud.ports.cloud import Observed, State


@dataclass(frozen=True, slots=True)
class Status:
    """The parsed form; `delivered` holds the ids of resources that were ready once."""

    resources: tuple[Mapping[str, Any], ...] = ()
    built: int = 0
    heals: Mapping[str, tuple[datetime, ...]] = field(default_factory=dict)
    absent: int = 0
    confirmed: int = 0
    asked: frozenset[str] = frozenset()
    forced: Mapping[str, str] = field(default_factory=dict)
    remade: frozenset[str] = frozenset()

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> "Status":
        """Return what a row's JSON says; an empty one says that nothing is known."""
        heals = {
            part: tuple(datetime.fromisoformat(instant) for instant in instants)
            for part, instants in stored.get("heals", {}).items()
        }
        resources = tuple(stored.get("resources", ()))
        return cls(
            resources,
            stored.get("built", 0),
            heals,
            stored.get("absent", 0),
            stored.get("confirmed", 0),
            frozenset(stored.get("asked", ())),
            stored.get("forced", {}),
            frozenset(stored.get("remade", ())),
        )

    @property
    def known(self) -> frozenset[str]:
        """The ids that are recorded."""
        return frozenset(str(resource["id"]) for resource in self.resources)

    @property
    def delivered(self) -> frozenset[str]:
        """The ids of those that were ready once."""
        return frozenset(str(r["id"]) for r in self.resources if r.get("delivered"))

    @property
    def failed(self) -> tuple[Mapping[str, Any], ...]:
        """Those that were ready once and have failed."""
        return tuple(
            one for one in self.resources if one.get("delivered") and one.get("state") == "failed"
        )

    def fought_over(self, parts: Iterable[str], limit: int, since: datetime) -> bool:
        """Whether any of `parts` was healed `limit` times or more after `since`."""
        return any(
            sum(instant > since for instant in self.heals.get(part, ())) >= limit for part in parts
        )

    def healed(self, parts: Iterable[str], now: datetime, window: timedelta) -> "Status":
        """Return the status with `parts` healed now, forgetting what is older than the window."""
        heals = {
            part: recent
            for part, instants in self.heals.items()
            if (recent := tuple(instant for instant in instants if instant > now - window))
        }
        for part in parts:
            heals[part] = (*heals.get(part, ()), now)
        return replace(self, heals=heals)

    def seen(self, observed: Iterable[Observed]) -> "Status":
        """Return the status with the resources as they were last seen."""
        delivered = self.delivered
        resources = tuple(
            {
                "part": item.part,
                "id": item.id,
                "type": item.type,
                "name": item.name,
                "state": item.state.value,
                "info": dict(item.info),
                "delivered": item.state is State.READY or item.id in delivered,
            }
            | ({"fault": item.fault} if item.fault else {})
            for item in sorted(observed, key=_natural)
        )
        return replace(self, resources=resources)

    def written(self, text: Text) -> dict[str, Any]:
        """Return the JSON to store, with the sentence that goes with it."""
        heals = {part: [i.isoformat() for i in instants] for part, instants in self.heals.items()}
        return {
            "resources": [dict(resource) for resource in self.resources],
            "built": self.built,
            "text": {"key": text.key, "params": dict(text.params)},
            **({"heals": heals} if heals else {}),
            **({"absent": self.absent} if self.absent else {}),
            **({"confirmed": self.confirmed} if self.confirmed else {}),
            **({"asked": sorted(self.asked)} if self.asked else {}),
            **({"forced": dict(self.forced)} if self.forced else {}),
            **({"remade": sorted(self.remade)} if self.remade else {}),
        }


def _natural(item: Observed) -> tuple[str, int, str, str]:
    """Order `server-2` before `server-10`."""
    stem, _, number = item.part.rpartition("-")
    return (stem, int(number) if number.isdigit() else -1, item.part, item.id)
