"""From a wish to a proposal: references, policy, quota and price; nothing is written."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlmodel import Session

from govcloud.domain.classes import add, growth
from govcloud.domain.demand import demand, price
from govcloud.domain.keys import ObjectKey
from govcloud.domain.kinds.platform import CloudSpec
from govcloud.domain.kinds.registry import KINDS
from govcloud.domain.kinds.systems import SystemSpec
from govcloud.errors import Diagnostic, InvalidInputError, NotFoundError
from govcloud.policy.context import Action, Pool, city_day
from govcloud.policy.evaluate import evaluate
from govcloud.ports.ledger import Demand, Ledger, Verdict
from govcloud.requests import moving
from govcloud.requests.briefing import Briefing
from govcloud.requests.changes import Change, compare, give_back
from govcloud.requests.metering import Used
from govcloud.requests.proposal import Proposal
from govcloud.requests.rebuilding import Anew, unknown
from govcloud.requests.references import References
from govcloud.requests.steps import steps_for
from govcloud.requests.wiping import wiped_wrongly
from govcloud.requests.wishes import Wish
from govcloud.requests.world import World, load_world
from govcloud.store import objects


@dataclass(frozen=True)
class Assessor:
    """Judges wishes against the world at an instant; reads only.

    `hold` keeps what was read as it is until the unit ends; `ask_ledger` is left out where quota
    is reserved for real right afterwards. `used` is what clouds say is in use of what is made
    smaller, `anew` says what a change builds anew.
    """

    session: Session
    ledger: Ledger
    at: datetime
    hold: bool = False
    ask_ledger: bool = True
    used: Used = field(default_factory=dict)
    anew: Anew = unknown

    def assess(self, wish: Wish, justification: str | None = None) -> Proposal:
        """Return what a wish comes to.

        Raises NotFoundError for a release of what is not there, InvalidInputError with every
        reference that does not resolve.
        """
        today = city_day(self.at)
        world = load_world(self.session, wish.department, wish.keys, today, hold=self.hold)
        drafts = tuple(moving.lasting(draft, world.rows) for draft in wish.drafts)
        wish = replace(wish, drafts=drafts)
        _check(self.session, wish, world)
        changes = tuple(
            replace(_weighed(change, world), anew=self.anew(change, world))
            for change in _changes(wish, world)
        )
        return self._judge(changes, world, justification, urgent=wish.urgent)

    def _judge(
        self,
        changes: tuple[Change, ...],
        world: World,
        justification: str | None,
        *,
        urgent: bool = False,
    ) -> Proposal:
        effective = [change for change in changes if change.action is not Action.NONE]
        effective.sort(key=lambda change: (KINDS[change.key.kind].rank, change.key))
        demands, gone = demands_of(effective, world), given_back(effective)
        verdict = Verdict(granted=True)
        if (demands or gone) and self.ask_ledger:
            verdict = self.ledger.check(self.session, demands, self.at, gone=gone)
        briefing = Briefing(effective, world)
        pools = tuple(self._pools(effective, world))
        setting = replace(
            briefing.setting(city_day(self.at), pools, justification),
            registered=self._registered(effective),
            urgent=urgent,
            used=self.used,
            emergency_path=world.policy.emergency is not None,
        )
        subjects = briefing.subjects()
        unchanged = tuple(change for change in changes if change.action is Action.NONE)
        return Proposal(
            changes=(*effective, *unchanged),
            findings=evaluate(subjects, setting, world.policy.checks),
            lines=tuple(verdict.lines),
            refusals=tuple(verdict.refusals),
            demands=demands,
            policy_version=world.policy.version,
            reservation_days=setting.parameter("reservation-days"),
            steps=steps_for(subjects, world.policy, urgent=urgent),
        )

    def _registered(self, changes: Sequence[Change]) -> dict[str, list[ObjectKey]]:
        """Return which systems there will be under the codes that a change set gives."""
        coming = [
            (spec.code, change.key)
            for change in changes
            if change.action is not Action.RELEASE
            and isinstance(spec := change.draft.spec, SystemSpec)
        ]
        if not coming:
            return {}
        touched = {change.key for change in changes}
        standing = objects.systems_by_code(self.session, (code for code, _ in coming))
        found: dict[str, list[ObjectKey]] = {}
        for code, key in [*coming, *(each for each in standing if each[1] not in touched)]:
            found.setdefault(code, []).append(key)
        return found

    def _pools(self, changes: Sequence[Change], world: World) -> Iterator[Pool]:
        """Yield how full the clouds will be of which the physical size is known."""
        added = _added(changes, world)
        sized = {name: sizes for name in added if (sizes := _capacity(world.clouds[name]))}
        if not sized:
            return
        used = {
            (line.cloud, line.resource_class): line.allocated + line.reserved
            for line in self.ledger.lines(self.session, self.at, [world.root])
            if line.cloud and not line.zone
        }
        for name, sizes in sized.items():
            for word, size in sizes.items():
                if word in added[name]:
                    yield Pool(name, word, (used.get((name, word), 0) + added[name][word]) / size)


def _check(session: Session, wish: Wish, world: World) -> None:
    for key in wish.releases:
        if key not in world.rows:
            raise NotFoundError("requests.no_such_object", kind=key.kind, name=key.name)
    faults = References(world, wish.drafts, wish.releases).faults()
    faults += _adopted_wrongly(wish, world)
    faults += wiped_wrongly(wish, world)
    faults += moving.needed(session, wish, world.rows)
    faults += moving.closing(wish, world.rows)
    if world.owner is None and wish.keys:
        faults.append(_no_department(wish))
    if faults:
        raise InvalidInputError(faults)


def _adopted_wrongly(wish: Wish, world: World) -> Iterator[Diagnostic]:
    """Yield what is taken over by those who may not, or by what stands already.

    ForbiddenError would tell less: what may not be written is named with its place in the file.
    """
    for draft in wish.drafts:
        adopts = getattr(draft.spec, "adopts", None)
        current = world.currents.get(draft.key)
        if adopts == getattr(current.model if current else None, "adopts", None):
            continue
        if current is not None:
            yield draft.fault("requests.adopts_late", "spec.adopts", object=str(draft.key))
        elif not wish.may_adopt:
            yield draft.fault("requests.may_not_adopt", "spec.adopts")


def _no_department(wish: Wish) -> Diagnostic:
    key, field = "requests.unknown_reference", "metadata.department"
    params = {"kind": "Department", "name": wish.department}
    for draft in wish.drafts:
        return draft.fault(key, field, **params)
    return Diagnostic(key, params, field=field)


def _changes(wish: Wish, world: World) -> Iterator[Change]:
    for draft in wish.drafts:
        yield compare(draft, world.currents.get(draft.key))
    for key in wish.releases:
        yield give_back(key, world.currents[key], wish.options.get(key, ()))


def _weighed(change: Change, world: World) -> Change:
    """Return the change with what it needs and costs."""
    kind, prices = change.key.kind, world.prices(change.spec.get("zone"))
    if not KINDS[kind].allocates:
        return change
    spec, before_price = change.draft.spec, 0.0
    current = world.currents.get(change.key)
    if current is not None:
        old_prices = world.prices(current.spec.get("zone"))
        before_price = price(kind, current.model, world.flavors, old_prices)
    given_back = change.action is Action.RELEASE
    return replace(
        change,
        demand=demand(kind, spec, world.flavors),
        price_before=before_price,
        price_after=0.0 if given_back else price(kind, spec, world.flavors, prices),
    )


def demands_of(changes: Iterable[Change], world: World) -> tuple[Demand, ...]:
    """Return what the ledger is asked for: full amounts of each new generation.

    An object that is not built yet has no uid; its own name stands for it.
    """
    return tuple(
        Demand(
            key=f"{change.uid or change.key}@{change.generation + 1}",
            owner=change.uid or str(change.key),
            department=change.key.department,
            cloud=world.cloud_of(change.spec.get("zone")),
            zone=str(change.spec.get("zone") or ""),
            amounts=dict(change.demand),
        )
        for change in changes
        if change.action in (Action.CREATE, Action.CHANGE) and change.demand
    )


def given_back(changes: Iterable[Change]) -> list[str]:
    """Return the owners, as the ledger knows them, of what is given back."""
    return [change.uid for change in changes if change.action is Action.RELEASE and change.uid]


def _added(changes: Iterable[Change], world: World) -> dict[str, Mapping[str, int]]:
    """Return what a change set adds to each cloud."""
    added: dict[str, Mapping[str, int]] = {}
    for change in changes:
        cloud = world.cloud_of(change.spec.get("zone"))
        if change.action is Action.RELEASE or cloud not in world.clouds:
            continue
        current, kind = world.currents.get(change.key), change.key.kind
        before = demand(kind, current.model, world.flavors) if current else {}
        if more := growth(before, change.demand):
            added[cloud] = add(added.get(cloud, {}), more)
    return added


def _capacity(cloud: CloudSpec) -> dict[str, float]:
    """Return how much of each class can be sold of a cloud, where it says its size."""
    size = cloud.capacity
    sizes = {"vcpu": (size.cores or 0) * size.vcpu_per_core, "memory": float(size.memory or 0)}
    return {word: amount for word, amount in sizes.items() if amount > 0}
