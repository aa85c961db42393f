"""Plans against a model of a cloud: whatever happens in between, the end is what was approved.

The cloud of the model ends, fails or loses what it was asked at random; it is tampered with, and
the controller forgets everything between plans. Invariants: nothing without our mark is touched,
no creation is planned while its mark is there, and undisturbed, it converges.
"""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from govcloud.domain.drift import DriftMode
from govcloud.plan.actions import plan
from govcloud.plan.drift import modes
from govcloud.plan.model import Plan, Situation, Verb
from govcloud.ports.cloud import Observed, Resource, State

UID = "u1"
HEAL = modes("VirtualMachine", DriftMode.HEAL, ())


def resource(part: int, size: int) -> Resource:
    return Resource(UID, f"server-{part}", "server", "n", "t", {"size": size}, {}, rank=part % 2)


class ModelCloud:
    def __init__(self) -> None:
        self.items: dict[str, Observed] = {}
        self.targets: dict[str, Resource] = {}
        self.serial = 0

    def find(self) -> list[Observed]:
        return [item for item in self.items.values() if item.uid == UID]

    def do(self, made: Plan, skip: frozenset[int], fail: frozenset[int]) -> None:
        for number, action in enumerate(made.actions):
            if number in skip:
                continue
            doomed = number in fail
            if action.verb is Verb.CREATE:
                assert action.wanted is not None
                marks = [(item.uid, item.part) for item in self.items.values()]
                assert (UID, action.wanted.part) not in marks, "a second one of the same mark"
                self.serial += 1
                self._put(f"i{self.serial}", action.wanted, State.BUILDING, doomed=doomed)
                continue
            assert action.observed is not None
            assert self.items[action.observed.id].uid == UID, "touched what is not ours"
            if action.verb is Verb.DELETE:
                item = self.items[action.observed.id]
                self.items[item.id] = replace(item, state=State.DELETING)
            else:
                assert action.wanted is not None
                self._put(action.observed.id, action.wanted, State.CHANGING, doomed=doomed)

    def _put(self, key: str, wanted: Resource, state: State, *, doomed: bool) -> None:
        fault = "doomed" if doomed else ""
        old = self.items.get(key)
        props = old.props if old is not None else wanted.props
        self.items[key] = Observed(
            key, wanted.type, "n", wanted.tenant, state, UID, wanted.part, props, fault=fault
        )
        self.targets[key] = wanted

    def settle(self) -> None:
        for key, item in list(self.items.items()):
            if item.state is State.DELETING:
                del self.items[key]
            elif item.state in (State.BUILDING, State.CHANGING):
                state = State.FAILED if item.fault else State.READY
                props = item.props if item.fault else self.targets[key].props
                self.items[key] = replace(item, state=state, props=props)


numbers = st.frozensets(st.integers(0, 5), max_size=3)
steps = st.lists(st.tuples(numbers, numbers, st.booleans(), st.integers(0, 9)), max_size=12)


@pytest.mark.guarantee("R1")
@pytest.mark.guarantee("R2")
@settings(deadline=None)
@given(count=st.integers(1, 5), size=st.integers(1, 3), disturbances=steps, grow=st.booleans())
def test_it_converges_on_what_was_approved(
    count: int,
    size: int,
    disturbances: list[tuple[frozenset[int], frozenset[int], bool, int]],
    grow: bool,
) -> None:
    cloud = ModelCloud()
    foreign = Observed("foreign", "server", "n", "t", State.READY)
    cloud.items["foreign"] = foreign
    wanted = [resource(part, size) for part in range(count)]
    for skip, fail, settle, tamper in disturbances:
        cloud.do(plan(wanted, cloud.find(), Situation(HEAL, approved=True)), skip, fail)
        if settle:
            cloud.settle()
        ours = sorted(item.id for item in cloud.find())
        if ours and tamper < 3:
            key = ours[tamper % len(ours)]
            if tamper == 0:
                del cloud.items[key]
            elif tamper == 1:
                twin = replace(cloud.items[key], id=f"twin-{len(cloud.items)}", state=State.READY)
                cloud.items[twin.id] = twin
            else:
                cloud.items[key] = replace(cloud.items[key], state=State.FAILED, fault="x")
    if grow:
        wanted = [resource(part, size + 1) for part in range(max(1, count - 2))]
    for _ in range(4 * (count + 4)):
        made = plan(wanted, cloud.find(), Situation(HEAL, approved=True))
        if made.ready:
            break
        cloud.do(made, frozenset(), frozenset())
        cloud.settle()
    assert made.ready
    assert made.settled
    assert sorted(item.part for item in cloud.find()) == sorted(r.part for r in wanted)
    assert {item.props["size"] for item in cloud.find()} == {wanted[0].props["size"]}
    for _ in range(4 * (count + 4)):
        made = plan(wanted, cloud.find(), Situation(HEAL, releasing=True))
        cloud.do(made, frozenset(), frozenset())
        cloud.settle()
    assert cloud.items == {"foreign": foreign}


@given(count=st.integers(0, 4), data=st.data())
def test_a_plan_depends_on_the_states_and_not_on_their_order(
    count: int, data: st.DataObject
) -> None:
    wanted = [resource(part, 1) for part in range(count)]
    seen = [
        Observed(
            f"i{n}",
            "server",
            "n",
            "t",
            data.draw(st.sampled_from(State)),
            UID,
            f"server-{n % 3}",
            {"size": data.draw(st.integers(1, 2))},
        )
        for n in range(data.draw(st.integers(0, 6)))
    ]
    situation = Situation(HEAL, approved=data.draw(st.booleans()))
    first = plan(wanted, seen, situation)
    other = plan(data.draw(st.permutations(wanted)), data.draw(st.permutations(seen)), situation)
    assert first.actions == other.actions
    assert first.ready == other.ready
    assert set(first.drifts) == set(other.drifts)
