"""How much is in use of what a change set limits anew: asked of the clouds, before any unit.

That is what it makes smaller, and what stands already and is taken over.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from govcloud.domain.kinds.platform import CloudSpec
from govcloud.domain.kinds.systems import NamespaceSpec
from govcloud.domain.manifest import parse_spec
from govcloud.errors import CloudError, GovcloudError
from govcloud.policy.context import Action
from govcloud.ports.abilities import Adopting, Metering
from govcloud.ports.cloud import Provisioner
from govcloud.requests.changes import Change
from govcloud.requests.proposal import Proposal
from govcloud.requests.wishes import Wish
from govcloud.store import objects
from govcloud.store.unit import Store

Used = Mapping[str, Mapping[str, int] | None]
"""Amounts in use by class, by uid or, of what is taken over, the new object's key as text.

None where the object's cloud does not say it.
"""
NOTHING: Final[Used] = {}


def may_shrink(wish: Wish) -> bool:
    """Whether a wish may come to something that is made smaller."""
    return any(isinstance(draft.spec, NamespaceSpec) for draft in wish.drafts)


@dataclass(frozen=True)
class Meter:
    """Asks clouds how much of their limits objects use; `open_cloud` opens a cloud's driver."""

    store: Store
    open_cloud: Callable[[str, CloudSpec], Provisioner]

    def used(self, proposal: Proposal) -> Used:
        """Return what is in use of what a proposal limits anew; no calls where that is nothing.

        A cloud that does not answer keeps nobody from planning: it refuses what cannot be later.
        """
        found: dict[str, Mapping[str, int] | None] = {}
        clouds = {demand.owner: demand.cloud for demand in proposal.demands}
        for cloud, uids in _shrinking(proposal, clouds).items():
            found |= self._ask(cloud, uids, partial(_metered, uids=uids))
        for change in proposal.effective:
            name = str(change.key)
            if (there := _taken_over(change)) and name in clouds:
                question = partial(_standing, name=name, there=there)
                found |= self._ask(clouds[name], [name], question)
        return found

    def _ask(
        self, cloud: str, names: Sequence[str], question: Callable[[Provisioner], Used]
    ) -> Used:
        try:
            provisioner = self.open_cloud(cloud, self._spec(cloud))
            try:
                return question(provisioner)
            finally:
                provisioner.close()
        except (CloudError, GovcloudError):
            return dict.fromkeys(names)

    def _spec(self, cloud: str) -> CloudSpec:
        with self.store.reading() as session:
            (row,) = (r for r in objects.of_kinds(session, ["Cloud"]) if r.name == cloud)
        spec = parse_spec("Cloud", row.spec)
        assert isinstance(spec, CloudSpec)
        return spec


def _metered(provisioner: Provisioner, uids: Sequence[str]) -> Used:
    if not isinstance(provisioner, Metering):
        return NOTHING
    said = provisioner.use(uids)
    return {uid: said[uid].used for uid in uids if uid in said}


def _standing(provisioner: Provisioner, name: str, there: str) -> Used:
    if not isinstance(provisioner, Adopting):
        return NOTHING
    return {name: provisioner.inspect(there).used}


def _taken_over(change: Change) -> str:
    """Return the id of the namespace that a new object takes over; empty for none."""
    spec = change.draft.spec
    if change.action is not Action.CREATE or not isinstance(spec, NamespaceSpec):
        return ""
    return next(iter(spec.adopts.parts.values()), "") if spec.adopts else ""


def _shrinking(proposal: Proposal, clouds: Mapping[str, str]) -> Mapping[str, Sequence[str]]:
    """Return the objects that are made smaller by their cloud."""
    found: dict[str, list[str]] = {}
    for uid in _smaller(proposal.effective):
        if uid in clouds:
            found.setdefault(clouds[uid], []).append(uid)
    return found


def _smaller(changes: Sequence[Change]) -> Iterator[str]:
    """Yield the objects of which some limit is lowered or taken away."""
    for change in changes:
        if change.action is Action.CHANGE and isinstance(change.draft.spec, NamespaceSpec):
            named = {entry.path.removeprefix("spec.").split(".")[0] for entry in change.fields}
            if named & _LIMITS:
                yield change.uid


_LIMITS: Final = frozenset({"cpu", "memory", "pods", "gpu", "storage", "objects"})
"""Fields of a namespace that limit something."""
