"""Removals in turn: the highest rank first."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from govcloud.plan.model import Draft, Reason, delete
from govcloud.ports.cloud import Observed, Resource, State


class Ranks:
    """The rank of what is observed: its part's, else its type's, else above all."""

    TOP: Final = 1_000_000

    def __init__(self, wanted: Sequence[Resource]) -> None:
        self.parts: Mapping[str, int] = {resource.part: resource.rank for resource in wanted}
        self.carriers = {resource.part: resource.within for resource in wanted if resource.within}
        self._types: dict[str, int] = {}
        for resource in wanted:
            known = self._types.get(resource.type, resource.rank)
            self._types[resource.type] = max(known, resource.rank)

    def of(self, item: Observed) -> int:
        """Return the rank of what is there."""
        return self.parts.get(item.part, self._types.get(item.type, self.TOP))


def remove(
    draft: Draft,
    items: Sequence[Observed],
    ranks: Ranks,
    reason: Reason,
    *,
    force: bool = False,
) -> None:
    """Plan the removal of `items`: the highest rank that is still there, the others later."""
    if not items:
        return
    top = max(ranks.of(item) for item in items)
    highest = [item for item in items if ranks.of(item) == top]
    remove_each(draft, highest, ranks, reason, force=force)
    draft.waiting += [item for item in items if ranks.of(item) != top]


def remove_each(
    draft: Draft,
    items: Sequence[Observed],
    ranks: Ranks,
    reason: Reason,
    *,
    force: bool = False,
) -> None:
    """Plan the removal of each of `items`; what goes already is waited for."""
    for item in items:
        if item.state is State.DELETING and not force:
            draft.waiting.append(item)
        else:
            draft.actions.append(replace(delete(item, ranks.of(item), reason), force=force))
