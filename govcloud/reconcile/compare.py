"""The full comparison of one cloud: all that should be with all that is (R4, R5).

Desired state is reduced to fingerprints, a few dozen bytes an object; the observation streams past
them, and only what does not match is kept. Those few are planned in earnest, and put into the
queue if there is something to do or to say. When nothing changed, nothing is written, and the
cloud was asked once for each page of its listings.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from govcloud.domain.access import CONTROLLER
from govcloud.domain.drift import DriftMode
from govcloud.domain.kinds.platform import CloudLimits
from govcloud.plan.actions import plan
from govcloud.plan.conditions import BELOW_USAGE, DRIFTED, MASS_LOSS, MISSING
from govcloud.plan.drift import Whole, modes
from govcloud.plan.model import Plan, Situation
from govcloud.plan.orders import read_spec
from govcloud.plan.phases import Phase
from govcloud.policy.context import city_day
from govcloud.ports.cloud import Observed, Provisioner
from govcloud.reconcile import brake, desired, nobodys
from govcloud.reconcile.desired import UNPLANNABLE, Wanted, World, resources_of
from govcloud.reconcile.gate import Gate
from govcloud.reconcile.groundwork import Groundwork
from govcloud.reconcile.index import Index, Need, fingerprint
from govcloud.reconcile.nobodys import Said, said_of
from govcloud.reconcile.quota_follow import QuotaFollow
from govcloud.reconcile.settings import Settings
from govcloud.store import work
from govcloud.store.unit import Store

_MANY: Final = 2_000
"""Objects on their way whose tenants are looked up at most; beyond it is a great move-in."""


_COMPARED: Final = frozenset({DRIFTED, MISSING, MASS_LOSS})
"""Reasons for not being ready of what waits for no person: it is compared like what is ready."""


@dataclass(slots=True)
class Comparison:
    """What a comparison found; `pages` is the calls that the listing took.

    `lost` are the objects of which something is missing that is to be built again.
    """

    cloud: str
    pages: int = 0
    listed: int = 0
    objects: int = 0
    differing: int = 0
    enqueued: int = 0
    unmanaged: int = 0
    quotas_set: int = 0
    drift_written: int = 0
    lost: int = 0
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A plan for what did not match of an object; `twice`: a mark that did match is there again."""

    plan: Plan
    twice: bool

    @property
    def heals_missing(self) -> bool:
        """Whether something that is missing would be built again."""
        return any(
            drift.field == Whole.MISSING and drift.mode is DriftMode.HEAL
            for drift in self.plan.drifts
        )


def _differs(draft: _Draft, said: set[Said]) -> bool:
    """Whether there is something to do for an object, or something new to say of it."""
    made = draft.plan
    if draft.twice or not made.settled or made.faults or made.conflicts:
        return True
    would = {Said(d.resource, d.field, d.wanted, d.found, d.mode.value) for d in made.drifts}
    return would != said


def listing(provisioner: Provisioner, gate: Gate) -> Iterator[Sequence[Observed]]:
    """Yield the pages of an observation, each taken through the gate."""
    pages = iter(provisioner.observe())
    while True:
        with gate.call("observe"):
            page = next(pages, None)
        if page is None:
            return
        yield page


class Comparer:
    """Compares one managed cloud."""

    def __init__(
        self,
        cloud: str,
        provisioner: Provisioner,
        *,
        store: Store,
        gate: Gate,
        follow: QuotaFollow,
        groundwork: Groundwork,
        settings: Settings,
        limits: CloudLimits,
    ) -> None:
        self._groundwork = groundwork
        self._limits = limits
        self._cloud = cloud
        self._provisioner = provisioner
        self._store = store
        self._gate = gate
        self._follow = follow
        self._settings = settings

    def run(self) -> Comparison:
        """Compare, and put into the queue what needs a look.

        Raises CloudError where the cloud does not answer and PausedError where it is left alone.
        """
        found = Comparison(self._cloud)
        with self._store.reading() as session:
            world = World.read(session, city_day(self._store.clock.now()))
        index = self._expect(world, found)
        self._groundwork.follow(index.ground)
        counts: Counter[str] = Counter()
        for page in listing(self._provisioner, self._gate):
            found.pages += 1
            counts.update(item.type for item in page)
            for item in page:
                index.see(item)
        found.counts, found.listed = dict(sorted(counts.items())), counts.total()
        self._judge(index, world, found)
        found.quotas_set = self._follow.run(index, world)
        return found

    def _expect(self, world: World, found: Comparison) -> Index:
        """Read desired state before the observation: what is built in between is in the queue."""
        index = Index()
        for page in desired.pages(self._store, self._cloud, self._settings.page):
            with self._store.reading() as session:
                world.add_systems(session, page)
            for wanted in page:
                self._expect_one(index, wanted, world)
            found.objects += len(page)
        return index

    def _expect_one(self, index: Index, wanted: Wanted, world: World) -> None:
        index.ground.note(self._provisioner, world, wanted)
        if wanted.progressing or wanted.phase != Phase.ACTIVE:
            index.leave(wanted)
            self._note_tenant(index, wanted, world)
            if wanted.progressing or not wanted.reason:
                index.unsettled.append(wanted.uid)
            return
        try:
            resources = resources_of(self._provisioner, world, wanted.approved)
            demand = world.demand(wanted.approved)
        except UNPLANNABLE:
            index.leave(wanted)
            return
        if resources and not resources[0].adopts:
            need = index.needs.setdefault(resources[0].tenant, Need())
            need.amounts.update(demand)
            need.systems.add((wanted.department, wanted.system))
        if not wanted.ready and wanted.reason not in _COMPARED:
            index.held.add(wanted.uid)
        index.expect(wanted.uid, resources)

    def _note_tenant(self, index: Index, wanted: Wanted, world: World) -> None:
        """Note where something is on its way, unless so much is that it would take long."""
        if len(index.skipped) > _MANY:
            index.blind = True
            return
        try:
            resources = resources_of(self._provisioner, world, wanted.approved)
        except UNPLANNABLE:
            index.blind = True
        else:
            index.busy_tenants.update(resource.tenant for resource in resources)

    # --- What follows ---

    def _judge(self, index: Index, world: World, found: Comparison) -> None:
        """Plan what differs in earnest; write only what is new."""
        candidates = index.candidates()
        with self._store.reading() as session:
            said = said_of(session, self._cloud)
            current = {wanted.uid: wanted for wanted in desired.by_uid(session, sorted(candidates))}
            drafts = {
                uid: draft
                for uid, wanted in current.items()
                if (uid not in index.held or wanted.reason == BELOW_USAGE)
                and uid in index.missing
                and (draft := self._draft(index, wanted, world)) is not None
            }
            found.lost = sum(draft.heals_missing for draft in drafts.values())
            braked = brake.too_much(self._limits, found.lost, len(index.missing))
            turns = brake.changes(session, self._cloud, found.lost, braked=braked)
            differing = [
                uid
                for uid, draft in drafts.items()
                if not (braked and current[uid].reason == MASS_LOSS)
                and (current[uid].reason == BELOW_USAGE or _differs(draft, said.get(uid, set())))
            ]
            well = (index.held | said.keys()) - candidates - index.skipped
            looks = {*differing, *index.unsettled, *(well & index.missing.keys())}
            looks -= work.queued(session, sorted(looks))
            generations = {w.uid: w.generation for w in desired.by_uid(session, sorted(looks))}
        for uid in candidates - current.keys():
            index.nobodys += [nobodys.of(item, Whole.ORPHAN) for item in index.odd.get(uid, ())]
        found.differing, found.unmanaged = len(differing), len(index.nobodys)
        found.enqueued = len(generations)
        if generations or turns:
            with self._store.unit(CONTROLLER) as unit:
                if turns:
                    brake.follow(unit, self._cloud, found.lost, braked=braked)
                work.notice(unit.session, self._entries(generations), unit.now)
        mode = modes("", None, world.rules)
        found.drift_written = nobodys.keep(
            self._store, self._cloud, index.nobodys, mode, said.get("", set())
        )

    def _draft(self, index: Index, wanted: Wanted, world: World) -> "_Draft | None":
        """Plan for what did not match of an object; None where that cannot be planned."""
        missing, odd = index.missing[wanted.uid], index.odd.get(wanted.uid, [])
        try:
            resources = resources_of(self._provisioner, world, wanted.approved)
        except UNPLANNABLE:
            return None
        open_ = [r for r in resources if fingerprint(r, r.props, r.tags) in missing]
        matched = {r.part for r in resources} - {r.part for r in open_}
        drift = read_spec(wanted.kind, wanted.spec).drift
        made = plan(open_, odd, Situation(modes(wanted.kind, drift, world.rules)))
        return _Draft(made, twice=any(item.part in matched for item in odd))

    def _entries(self, generations: Mapping[str, int]) -> list[tuple[str, str, int]]:
        return [(uid, self._cloud, number) for uid, number in sorted(generations.items())]
