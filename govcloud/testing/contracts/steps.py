"""What the tests of a contract do often."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from govcloud.errors import (
    CloudError,
)
from govcloud.ports.cloud import Observed, Order, Provisioner, Resource, State
from govcloud.testing.contracts.harness import TENANT_QUOTA, Harness, Unsupported


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
        found = one(provisioner, wanted)
        if found.state is not State.READY:
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
