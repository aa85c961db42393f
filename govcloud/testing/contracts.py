"""The contract of the port `Provisioner` as tests: every driver passes them all.

A driver's test module derives a class from `ProvisionerContract` and gives it a fixture `harness`
that yields a `Harness`: a cloud (a real one, or one that behaves like it) and the few things that
only its author can do to it. What a harness cannot do it answers with `Unsupported`; the test is
then skipped, visibly.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol
from unittest import SkipTest

from govcloud.errors import (
    CloudConflictError,
    CloudError,
    TerminalCloudError,
    TransientCloudError,
)
from govcloud.ports import Observed, Order, Provisioner, Resource, State

OTHER_INSTALLATION = "contract-other"
TENANT_QUOTA = "quota"
"""The feature of clouds whose tenants have a quota of their own."""


class Unsupported(SkipTest):
    """Raised by a harness for what its cloud cannot be made to do; the test is skipped."""


class Harness(Protocol):
    """One cloud under test. `open` MAY be called often; all else acts on the cloud itself."""

    def open(self, installation: str = ...) -> Provisioner:
        """Return a further driver of the cloud; the harness closes it."""
        ...

    def order(self, number: int, *, count: int = 1, grown: bool = False) -> Order:
        """Return an order that the driver can build; `number` tells objects from each other.

        With `count`, of so many equal parts, if the kind has such; `grown` differs from the plain
        one in a way that can be changed in place.
        """
        ...

    def settle(self) -> None:
        """Return when nothing is under way in the cloud any more."""
        ...

    def foreign(self, name: str, tenant: str) -> str:
        """Make something in the cloud that carries no mark, of this name; return its id."""
        ...

    def unmark(self, observed: Observed) -> None:
        """Take the mark from a resource, by other means than the driver."""
        ...

    def remove(self, observed: Observed) -> None:
        """Remove a resource, by other means than the driver."""
        ...

    def lose_answer(self, method: str) -> None:
        """Let the next call of `method` take effect without an answer."""
        ...

    def break_down(self) -> type[CloudError]:
        """Make the cloud unreachable; return the type of error that must come."""
        ...

    def calls(self, provisioner: Provisioner) -> int:
        """Return how many calls over the network a driver from `open` has made."""
        ...


class ProvisionerContract:
    """What every driver must do; each test names the sentence of the port that it holds it to."""

    # --- resources: pure, deterministic, stable ---

    def test_same_order_same_resources(self, harness: Harness) -> None:
        """MUST be pure and deterministic: same order, same answer, no call to the cloud."""
        one, other = harness.open(), harness.open()
        order = harness.order(1, count=3)
        assert one.resources(order) == other.resources(order) == one.resources(order)
        with supported():
            assert harness.calls(one) == harness.calls(other) == 0

    def test_resources_carry_the_mark_and_the_tags(self, harness: Harness) -> None:
        """Each resource carries the object's uid, a part of its own, and the order's tags."""
        order = harness.order(1, count=3)
        resources = harness.open().resources(order)
        assert resources
        assert {resource.uid for resource in resources} == {order.uid}
        assert len({resource.part for resource in resources}) == len(resources)
        assert all(resource.tags.items() <= order.tags.items() for resource in resources)
        bodies = [resource for resource in resources if resource.unit is not None]
        assert all(resource.tags == order.tags for resource in bodies)
        assert bodies
        assert all(resource.immutable <= resource.props.keys() for resource in resources)

    def test_resources_come_in_rising_rank(self, harness: Harness) -> None:
        """MUST return them in rising rank."""
        ranks = [r.rank for r in harness.open().resources(harness.order(1, count=3))]
        assert ranks == sorted(ranks)

    def test_parts_are_stable_when_counts_grow(self, harness: Harness) -> None:
        """`server-0` stays `server-0`."""
        provisioner = harness.open()
        few = {r.part: r for r in provisioner.resources(harness.order(1, count=2))}
        many = {r.part: r for r in provisioner.resources(harness.order(1, count=4))}
        assert {part: many[part] for part in few} == few

    # --- create and find ---

    def test_what_is_created_is_found_at_once(self, harness: Harness) -> None:
        """`find` MUST be strongly consistent with `create`, also for another instance."""
        provisioner = harness.open()
        order = harness.order(1, count=2)
        prepare(harness, provisioner, order)
        for rank in by_rank(provisioner.resources(order)):
            for resource in rank:
                created = provisioner.create(resource)
                assert (created.uid, created.part) == (resource.uid, resource.part)
                assert created.id in {o.id for o in harness.open().find([resource.uid])}
            harness.settle()

    def test_what_is_created_becomes_what_was_wanted(self, harness: Harness) -> None:
        """Once ready, what is observed equals what was wanted: no drift of the driver's making."""
        provisioner = harness.open()
        for resource in build(harness, provisioner, harness.order(1, count=2)):
            found = one(provisioner, resource)
            assert found.state is State.READY
            assert differences(found, resource) == []

    def test_the_mark_travels_in_the_creating_call(self, harness: Harness) -> None:
        """A lost answer is `outcome_unknown`, and what it made is found by its mark and tags."""
        provisioner = harness.open()
        order = harness.order(1)
        prepare(harness, provisioner, order)
        resource = provisioner.resources(order)[0]
        harness.lose_answer("create")
        with fails(TransientCloudError) as caught:
            provisioner.create(resource)
        assert isinstance(caught[0], TransientCloudError)
        assert caught[0].outcome_unknown
        found = one(provisioner, resource)
        assert resource.tags.items() <= found.tags.items()

    def test_find_returns_only_what_was_asked_for(self, harness: Harness) -> None:
        """MUST return all resources with the mark of any of the uids, and no others."""
        provisioner = harness.open()
        orders = [harness.order(number) for number in range(3)]
        for order in orders:
            build(harness, provisioner, order)
        wanted = {order.uid for order in orders[:2]}
        assert {o.uid for o in provisioner.find(sorted(wanted))} == wanted
        assert list(provisioner.find([])) == []
        assert list(provisioner.find(["contract-unknown"])) == []

    def test_find_takes_few_calls_for_a_batch(self, harness: Harness) -> None:
        """MUST take a bounded number of calls for a batch, not one for each uid."""
        provisioner = harness.open()
        uids = [f"contract-{number}" for number in range(100)]
        provisioner.find(uids[:1])
        before = harness.calls(provisioner)
        provisioner.find(uids)
        assert harness.calls(provisioner) - before < len(uids) / 4

    def test_a_name_is_no_mark(self, harness: Harness) -> None:
        """Something foreign of the same name is neither found nor adopted; ours is built.

        Where a cloud lets nothing else have a name that is taken, that is a conflict.
        """
        provisioner = harness.open()
        order = harness.order(1)
        prepare(harness, provisioner, order)
        resource = provisioner.resources(order)[0]
        stranger = by_id(provisioner, harness.foreign(resource.name, resource.tenant))
        assert list(provisioner.find([resource.uid])) == []
        with collects(CloudConflictError):
            assert provisioner.create(resource).id != stranger.id
        assert by_id(provisioner, stranger.id) == stranger

    # --- observe ---

    def test_observe_lists_ours_and_others_once(self, harness: Harness) -> None:
        """List everything; what is nobody's has an empty mark."""
        provisioner = harness.open()
        resources = [
            resource
            for number in range(3)
            for resource in build(harness, provisioner, harness.order(number, count=2))
        ]
        stranger = harness.foreign("contract-stranger", resources[0].tenant)
        seen = listing(provisioner)
        assert len({o.id for o in seen}) == len(seen)
        ours = [o for o in seen if o.uid in {r.uid for r in resources}]
        assert {(o.uid, o.part) for o in ours} == {(r.uid, r.part) for r in resources}
        assert [(o.uid, o.part) for o in seen if o.id == stranger] == [("", "")]

    def test_observe_and_find_agree(self, harness: Harness) -> None:
        """The two ways of looking show the same thing in the same way."""
        provisioner = harness.open()
        order = harness.order(1, count=2)
        build(harness, provisioner, order)
        found = {o.id: (o.state, o.props, o.tags) for o in provisioner.find([order.uid])}
        ours = [o for o in listing(provisioner) if o.uid == order.uid]
        listed = {o.id: (o.state, o.props, o.tags) for o in ours}
        assert found == listed

    def test_observe_calls_depend_on_pages_only(self, harness: Harness) -> None:
        """The number of calls MUST depend on pages only, never on the number of objects (R5)."""
        provisioner = harness.open()

        def look() -> tuple[int, int]:
            before = harness.calls(provisioner)
            return len(list(provisioner.observe())), harness.calls(provisioner) - before

        build(harness, provisioner, harness.order(1))
        pages, calls = look()
        build(harness, provisioner, harness.order(2, count=8))
        more_pages, more_calls = look()
        assert more_calls - calls <= 2 * (more_pages - pages) + 2

    def test_another_installations_marks_are_foreign(self, harness: Harness) -> None:
        """A mark counts for the installation that set it and for no other."""
        ours, theirs = harness.open(), harness.open(OTHER_INSTALLATION)
        order = harness.order(1)
        resource = build(harness, theirs, order)[-1]
        created = one(theirs, resource)
        assert list(ours.find([order.uid])) == []
        assert [o.uid for o in listing(ours) if o.id == created.id] == [""]
        with fails(CloudConflictError):
            ours.delete(created)
        assert one(theirs, resource).id == created.id

    # --- change ---

    def test_change_brings_what_is_wanted(self, harness: Harness) -> None:
        """Bring the named fields to what is wanted; a second time changes nothing."""
        provisioner = harness.open()
        found, wanted = grown(harness, provisioner)
        fields = differences(found, wanted)
        for _ in range(2):
            provisioner.change(found, wanted, fields)
            changed = bring(harness, provisioner, wanted)
            assert (changed.id, changed.state) == (found.id, State.READY)

    def test_change_again_while_changing(self, harness: Harness) -> None:
        """MUST be idempotent: the same call while the first is under way does no harm."""
        provisioner = harness.open()
        found, wanted = grown(harness, provisioner)
        fields = differences(found, wanted)
        provisioner.change(found, wanted, fields)
        with collects(TransientCloudError):
            provisioner.change(found, wanted, fields)
        bring(harness, provisioner, wanted)

    def test_change_of_a_tag(self, harness: Harness) -> None:
        """`tag:<name>` names a tag (ALLOC-5)."""
        provisioner = harness.open()
        resource = next(r for r in build(harness, provisioner, harness.order(1)) if r.tags)
        name = min(resource.tags)
        wanted = replace(resource, tags={**resource.tags, name: "contract"})
        provisioner.change(one(provisioner, resource), wanted, [f"tag:{name}"])
        harness.settle()
        assert one(provisioner, resource).tags[name] == "contract"

    def test_change_without_the_mark_is_a_conflict(self, harness: Harness) -> None:
        """MUST raise `CloudConflictError` if the mark is no longer there (R2)."""
        provisioner = harness.open()
        found, wanted = grown(harness, provisioner)
        harness.unmark(found)
        with fails(CloudConflictError):
            provisioner.change(found, wanted, differences(found, wanted))
        harness.settle()
        assert by_id(provisioner, found.id).props == found.props

    def test_change_of_what_is_gone_is_a_conflict(self, harness: Harness) -> None:
        """What is gone carries no mark any more."""
        provisioner = harness.open()
        found, wanted = grown(harness, provisioner)
        harness.remove(found)
        with fails(CloudConflictError):
            provisioner.change(found, wanted, differences(found, wanted))

    # --- delete ---

    def test_delete_ends_in_nothing_found(self, harness: Harness) -> None:
        """Success means accepted; it is gone when `find` no longer returns it (Q3)."""
        provisioner = harness.open()
        resource = build(harness, provisioner, harness.order(1))[-1]
        found = one(provisioner, resource)
        provisioner.delete(found)
        remaining = provisioner.find([resource.uid])
        assert all(o.state is State.DELETING for o in remaining if o.id == found.id)
        harness.settle()
        assert found.id not in {o.id for o in provisioner.find([resource.uid])}
        assert found.id not in {o.id for o in listing(provisioner)}

    def test_delete_is_idempotent(self, harness: Harness) -> None:
        """What is on its way or already gone is success."""
        provisioner = harness.open()
        resource = build(harness, provisioner, harness.order(1))[-1]
        found = one(provisioner, resource)
        provisioner.delete(found)
        provisioner.delete(found)
        harness.settle()
        provisioner.delete(found)

    def test_delete_with_a_lost_answer(self, harness: Harness) -> None:
        """A second call after a lost answer is success."""
        provisioner = harness.open()
        resource = build(harness, provisioner, harness.order(1))[-1]
        found = one(provisioner, resource)
        harness.lose_answer("delete")
        with fails(TransientCloudError):
            provisioner.delete(found)
        provisioner.delete(found)
        harness.settle()
        assert found.id not in {o.id for o in provisioner.find([resource.uid])}

    def test_delete_without_the_mark_is_a_conflict(self, harness: Harness) -> None:
        """MUST raise `CloudConflictError` if the mark is no longer there (R2)."""
        provisioner = harness.open()
        resource = build(harness, provisioner, harness.order(1))[-1]
        found = one(provisioner, resource)
        harness.unmark(found)
        with fails(CloudConflictError):
            provisioner.delete(found)
        harness.settle()
        assert by_id(provisioner, found.id).uid == ""

    def test_what_is_nobodys_is_left_alone(self, harness: Harness) -> None:
        """What carries no mark is never changed or deleted, even if it is handed in (R2)."""
        provisioner = harness.open()
        wanted = build(harness, provisioner, harness.order(1))[-1]
        stranger = by_id(provisioner, harness.foreign("contract-stranger", wanted.tenant))
        fields = sorted(wanted.props)
        for posing in (stranger, replace(stranger, uid=wanted.uid, part=wanted.part)):
            with fails(CloudConflictError):
                provisioner.delete(posing)
            with fails(CloudConflictError):
                provisioner.change(posing, wanted, fields)
        harness.settle()
        assert by_id(provisioner, stranger.id) == stranger

    # --- the cloud's own quota ---

    def test_quota_is_set_and_listed(self, harness: Harness) -> None:
        """Set the quota of a tenant, creating the tenant; unknown classes are passed over."""
        provisioner = harness.open()
        needs_tenant_quota(provisioner)
        order = harness.order(1)
        prepare(harness, provisioner, order)
        resource = provisioner.resources(order)[0]
        provisioner.set_quota(resource.tenant, {"contract-no-such-class": 1})
        build(harness, provisioner, order)
        known = usage(provisioner, resource.tenant)
        limits = {word: amount + 1 for word, amount in known.items()}
        assert limits
        provisioner.set_quota(resource.tenant, limits)
        kept = quota_of(provisioner, resource.tenant)
        assert limits.items() <= kept[0].items()
        assert "contract-no-such-class" not in kept[0]

    def test_quota_below_use_is_refused(self, harness: Harness) -> None:
        """MUST refuse a limit below what is in use, `BelowUsage`, and keep the former (Q5)."""
        provisioner = harness.open()
        needs_tenant_quota(provisioner)
        resource = build(harness, provisioner, harness.order(1))[0]
        used = usage(provisioner, resource.tenant)
        provisioner.set_quota(resource.tenant, used)
        word = max(used, key=lambda name: used[name])
        with fails(TerminalCloudError) as caught:
            provisioner.set_quota(resource.tenant, {word: used[word] - 1})
        assert caught[0].reason == "BelowUsage"
        assert quota_of(provisioner, resource.tenant)[0][word] == used[word]

    def test_over_quota_is_told(self, harness: Harness) -> None:
        """What the cloud's own quota forbids is `OverQuota`, at once or as the fault at the end."""
        provisioner = harness.open()
        needs_tenant_quota(provisioner)
        first = build(harness, provisioner, harness.order(1))
        tenant, parts = first[0].tenant, {resource.part for resource in first}
        provisioner.set_quota(tenant, usage(provisioner, tenant))
        more = provisioner.resources(harness.order(1, count=2))
        further = [resource for resource in more if resource.part not in parts]
        further = further or list(provisioner.resources(harness.order(4)))
        for rank in by_rank(further):
            for resource in rank:
                with collects(TerminalCloudError) as refused:
                    provisioner.create(resource)
                if refused:
                    assert refused[0].reason == "OverQuota"
                    return
            harness.settle()
            ended = [one(provisioner, resource) for resource in rank]
            failed = [item for item in ended if item.state is State.FAILED]
            if failed:
                assert {item.fault.partition(":")[0] for item in failed} == {"OverQuota"}
                return
        raise AssertionError("nothing was over quota")

    # --- the whole ---

    def test_several_threads_at_once(self, harness: Harness) -> None:
        """Methods MUST be callable from several threads at once."""
        provisioner = harness.open()
        orders = [harness.order(number) for number in range(8)]
        for order in orders:
            prepare(harness, provisioner, order)
        resources = [r for order in orders for r in provisioner.resources(order)]
        created: list[Observed] = []
        with ThreadPoolExecutor(8) as pool:
            for rank in by_rank(resources):
                created += pool.map(provisioner.create, rank)
                assert all(pool.map(lambda r: len(provisioner.find([r.uid])), rank))
                harness.settle()
            assert len({o.id for o in created}) == len(resources)
            for rank in reversed(by_rank(resources)):
                list(pool.map(lambda r: provisioner.delete(one(provisioner, r)), rank))
                harness.settle()
        uids = {order.uid for order in orders}
        assert [o for o in listing(provisioner) if o.uid in uids] == []

    def test_no_state_that_another_instance_needs(self, harness: Harness) -> None:
        """MUST NOT keep state that another instance would need: each step by a new one."""
        found, wanted = grown(harness, harness.open())
        harness.open().change(found, wanted, differences(found, wanted))
        bring(harness, harness.open(), wanted)
        uid = wanted.uid
        for rank in reversed(by_rank(harness.open().resources(harness.order(1, grown=True)))):
            for resource in rank:
                harness.open().delete(one(harness.open(), resource))
            harness.settle()
        assert list(harness.open().find([uid])) == []

    def test_report_is_short(self, harness: Harness) -> None:
        """Say what the cloud is, in a bounded number of calls."""
        provisioner = harness.open()
        assert provisioner.report().version
        with supported():
            assert harness.calls(provisioner) < 20

    def test_errors_are_typed(self, harness: Harness) -> None:
        """MUST raise nothing but the three kinds of error for what the cloud answers."""
        provisioner = harness.open()
        resource = build(harness, provisioner, harness.order(1))[-1]
        found = one(provisioner, resource)
        calls: list[Callable[[], object]] = [
            lambda: provisioner.find([resource.uid]),
            lambda: provisioner.create(resource),
            lambda: provisioner.change(found, resource, sorted(resource.props)),
            lambda: provisioner.delete(found),
            lambda: list(provisioner.observe()),
            provisioner.report,
        ]
        if TENANT_QUOTA in provisioner.report().features:
            calls.append(lambda: list(provisioner.quotas()))
            calls.append(lambda: provisioner.set_quota(resource.tenant, {"vms": 10}))
        expected = harness.break_down()
        for call in calls:
            with fails(expected):
                call()


# --- Helpers that drivers' own tests may use too ---


def build(harness: Harness, provisioner: Provisioner, order: Order) -> tuple[Resource, ...]:
    """Create all resources of an order, rank by rank, each when nothing moves any more."""
    prepare(harness, provisioner, order)
    resources = provisioner.resources(order)
    for rank in by_rank(resources):
        for resource in rank:
            provisioner.create(resource)
        harness.settle()
    return resources


def prepare(harness: Harness, provisioner: Provisioner, order: Order) -> None:
    """Let stand what an order stands on, however many steps that takes."""
    for below in provisioner.ground(order):
        prepare(harness, provisioner, below)
        there = {o.part for o in provisioner.find([below.uid])}
        for rank in by_rank(provisioner.resources(below)):
            for resource in rank:
                if resource.part not in there:
                    provisioner.create(resource)
            harness.settle()
            for resource in rank:
                bring(harness, provisioner, resource)


def by_rank(resources: Sequence[Resource]) -> list[list[Resource]]:
    """Return resources in lists of one rank each, rising."""
    ranks = sorted({resource.rank for resource in resources})
    return [[r for r in resources if r.rank == rank] for rank in ranks]


def grown(harness: Harness, provisioner: Provisioner) -> tuple[Observed, Resource]:
    """Build the plain order; return what the grown one wants otherwise, as it is and as wanted."""
    build(harness, provisioner, harness.order(1))
    for wanted in provisioner.resources(harness.order(1, grown=True)):
        found = one(provisioner, wanted)
        if differences(found, wanted):
            return found, wanted
    raise AssertionError("the grown order is like the plain one")


STEPS_MOST = 4
"""Steps of which a change may consist; each is a difference until it is done."""


def bring(harness: Harness, provisioner: Provisioner, wanted: Resource) -> Observed:
    """Change a resource until it is as wanted, as a controller would; it may take some steps."""
    for _ in range(STEPS_MOST):
        harness.settle()
        found = one(provisioner, wanted)
        fields = differences(found, wanted)
        if not fields:
            return found
        provisioner.change(found, wanted, fields)
    raise AssertionError(f"still otherwise: {fields}")


def one(provisioner: Provisioner, resource: Resource) -> Observed:
    """Return the only resource in the cloud with the mark of `resource`."""
    (found,) = (o for o in provisioner.find([resource.uid]) if o.part == resource.part)
    return found


def listing(provisioner: Provisioner) -> list[Observed]:
    """Return all pages as one list."""
    return [observed for page in provisioner.observe() for observed in page]


def by_id(provisioner: Provisioner, key: str) -> Observed:
    """Return what the listing shows of one id."""
    (found,) = (observed for observed in listing(provisioner) if observed.id == key)
    return found


def differences(found: Observed, wanted: Resource) -> list[str]:
    """Return the fields of `wanted` that are observed otherwise, as `change` takes them."""
    props = [name for name, value in wanted.props.items() if found.props.get(name) != value]
    tags = [f"tag:{name}" for name, value in wanted.tags.items() if found.tags.get(name) != value]
    return sorted(props) + sorted(tags)


def needs_tenant_quota(provisioner: Provisioner) -> None:
    """Skip a test where tenants have no quota beside the objects themselves."""
    if TENANT_QUOTA not in provisioner.report().features:
        raise Unsupported("no quota of tenants")


def quota_of(provisioner: Provisioner, tenant: str) -> tuple[dict[str, int], dict[str, int]]:
    """Return limits and use of one tenant."""
    (quota,) = (q for page in provisioner.quotas() for q in page if q.tenant == tenant)
    return dict(quota.limits), dict(quota.used)


def usage(provisioner: Provisioner, tenant: str) -> dict[str, int]:
    """Return what a tenant uses, without zeros."""
    return {word: amount for word, amount in quota_of(provisioner, tenant)[1].items() if amount}


@contextmanager
def collects(allowed: type[CloudError]) -> Iterator[Sequence[CloudError]]:
    """Let this kind of error pass, and no other; it is the one item afterwards."""
    caught: list[CloudError] = []
    try:
        yield caught
    except allowed as error:
        caught.append(error)


@contextmanager
def fails(expected: type[CloudError]) -> Iterator[Sequence[CloudError]]:
    """Expect this very kind of error, with a reason; it is the one item afterwards."""
    with collects(expected) as caught:
        yield caught
    assert caught, f"no {expected.__name__} was raised"
    assert caught[0].reason


@contextmanager
def supported() -> Iterator[None]:
    """Leave out what follows where the harness cannot do it, but keep the rest of the test."""
    try:
        yield
    except Unsupported:
        return
