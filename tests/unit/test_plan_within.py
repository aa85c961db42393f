"""What a resource takes along when it is removed is not removed by itself."""

from govcloud.domain.drift import DriftMode
from govcloud.plan.actions import plan
from govcloud.plan.model import Situation
from govcloud.ports.cloud import Observed, Resource, State

RELEASING = Situation(mode=lambda _field: DriftMode.HEAL, releasing=True)
WANTED = [
    Resource("u", "namespace", "namespace", "n", "n", {}),
    Resource("u", "policy", "policy", "p", "n", {}, rank=1, within="namespace"),
    Resource("u", "access", "access", "a", "n", {}, rank=2),
]


def there(*parts: str, state: State = State.READY) -> list[Observed]:
    return [Observed(part, part, part, "n", state, "u", part) for part in parts]


def removed(seen: list[Observed]) -> tuple[list[str], list[str]]:
    made = plan(WANTED, seen, RELEASING)
    return [action.part for action in made.actions], sorted(item.part for item in made.waiting)


def test_what_is_within_another_goes_along_with_it() -> None:
    every = there("namespace", "policy", "access")
    assert removed(every) == (["access"], ["namespace", "policy"])
    assert removed(there("namespace", "policy")) == (["namespace"], ["policy"])
    assert removed(there("namespace", "policy", state=State.DELETING)) == (
        [],
        ["namespace", "policy"],
    )


def test_what_was_left_behind_is_removed_by_itself() -> None:
    assert removed(there("policy")) == (["policy"], [])
