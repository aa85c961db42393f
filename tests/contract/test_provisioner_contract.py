"""The contract has teeth: a driver with a known defect fails the test that is there for it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from govcloud.ports.cloud import Observed, Order, Resource
from govcloud.testing.contracts import ProvisionerContract
from govcloud.testing.world import INSTALLATION, SimulatedWorld
from provisioners.simulated import tamper
from provisioners.simulated.driver import SimulatedProvisioner


class Defective(SimulatedProvisioner):
    """A driver that is told which defect to have."""

    def __init__(self, inner: SimulatedProvisioner, world: SimulatedWorld) -> None:
        super().__init__(inner._cloud)
        self.path = world.path


class MarksLater(Defective):
    def create(self, resource: Resource) -> Observed:
        bare = super().create(replace(resource, uid=""))
        return tamper.set_mark(self.path, bare.id, INSTALLATION, resource.uid, resource.part)


class FindsByName(Defective):
    def find(self, uids: Sequence[str]) -> Sequence[Observed]:
        names = {o.name for page in self.observe() for o in page if o.uid in uids}
        every = [o for page in self.observe() for o in page]
        return [o for o in every if o.uid in uids or o.name in names or o.name.endswith("web-1-0")]


class FindsOneByOne(Defective):
    def find(self, uids: Sequence[str]) -> Sequence[Observed]:
        return [found for uid in uids for found in super(FindsOneByOne, self).find([uid])]


class DeletesAnything(Defective):
    def delete(self, observed: Observed) -> None:
        tamper.remove(self.path, observed.id)


class ForcesAnything(Defective):
    def force_delete(self, observed: Observed) -> None:
        tamper.remove(self.path, observed.id)


class ForcesLikeDeleting(Defective):
    def force_delete(self, observed: Observed) -> None:
        self.delete(observed)


class Adopts(Defective):
    def change(self, observed: Observed, wanted: Resource, fields: Sequence[str]) -> Observed:
        tamper.set_mark(self.path, observed.id, INSTALLATION, wanted.uid, wanted.part)
        return super().change(replace(observed, uid=wanted.uid), wanted, fields)


class NumbersFromTheEnd(Defective):
    def resources(self, order: Order) -> tuple[Resource, ...]:
        found = super().resources(order)
        return tuple(replace(r, part=f"server-{len(found) - r.rank}") for r in found)


class SkipsAPage(Defective):
    def observe(self) -> Iterator[Sequence[Observed]]:
        for number, page in enumerate(super().observe()):
            if number != 1:
                yield page


class AsksForEach(Defective):
    def observe(self) -> Iterator[Sequence[Observed]]:
        for page in super().observe():
            yield [next(iter(self.find([o.uid])), o) for o in page]


class PushesQuota(Defective):
    def set_quota(self, tenant: str, limits: Mapping[str, int]) -> None:
        used = dict.fromkeys(limits, 0)
        used |= {w: n for page in self.quotas() for q in page for w, n in q.used.items()}
        super().set_quota(tenant, {word: max(limits[word], used[word]) for word in limits})


class ForgetsTags(Defective):
    def create(self, resource: Resource) -> Observed:
        return super().create(replace(resource, tags={}))


class AnswersLess(Defective):
    answers_whole = True

    def create(self, resource: Resource) -> Observed:
        return replace(super().create(resource), props={})


class LeaksErrors(Defective):
    def find(self, uids: Sequence[str]) -> Sequence[Observed]:
        try:
            return super().find(uids)
        except Exception as error:
            raise ConnectionError from error


CASES: list[tuple[type[Defective], str]] = [
    (MarksLater, "the_mark_travels_in_the_creating_call"),
    (FindsByName, "a_name_is_no_mark"),
    (FindsOneByOne, "find_takes_few_calls_for_a_batch"),
    (DeletesAnything, "delete_without_the_mark_is_a_conflict"),
    (DeletesAnything, "what_is_nobodys_is_left_alone"),
    (DeletesAnything, "delete_is_idempotent"),
    (ForcesAnything, "force_without_the_mark_is_a_conflict"),
    (ForcesLikeDeleting, "force_removes_what_is_not_let_go"),
    (Adopts, "change_without_the_mark_is_a_conflict"),
    (NumbersFromTheEnd, "parts_are_stable_when_counts_grow"),
    (SkipsAPage, "observe_lists_ours_and_others_once"),
    (AsksForEach, "observe_calls_depend_on_pages_only"),
    (PushesQuota, "quota_below_use_is_refused"),
    (ForgetsTags, "what_is_created_becomes_what_was_wanted"),
    (AnswersLess, "answers_that_say_all_say_what_a_look_says"),
    (LeaksErrors, "errors_are_typed"),
]


@pytest.mark.parametrize(("defect", "test"), CASES)
def test_a_defect_is_found(tmp_path: Path, defect: type[Defective], test: str) -> None:
    class World(SimulatedWorld):
        def open(self, installation: str = INSTALLATION) -> SimulatedProvisioner:
            return defect(super().open(installation), self)

    world = World(tmp_path, connection={"pageSize": "3"})
    check: Callable[[Any], None] = getattr(ProvisionerContract(), f"test_{test}")
    with pytest.raises(Exception) as caught:
        check(world)
    assert not isinstance(caught.value, NotImplementedError | AttributeError | TypeError)
    world.close()
