"""Standing limits of the same are found in one look at all quotas, however many there are."""

from collections.abc import ItemsView, Iterable

from govcloud.domain.keys import ObjectKey
from govcloud.requests.drafts import Draft
from govcloud.requests.platform_references import limited_twice


class Counted(dict[str, Draft]):
    """Quotas by name that count how often one of them was looked at."""

    looks = 0

    def items(self) -> ItemsView[str, Draft]:
        self.looks += len(self)
        return super().items()


def quota(name: str, department: str, *classes: str) -> Draft:
    plain = {"department": department, "limits": dict.fromkeys(classes, 10)}
    return Draft.stored(ObjectKey("Quota", "", name), {"name": name}, plain)


def found(drafts: Iterable[Draft], there: Counted) -> list[tuple[str, object, object]]:
    return [
        (str(fault.field), fault.params["other"], fault.params["classes"])
        for fault in limited_twice(drafts, {"Quota": there})
    ]


def test_each_quota_is_looked_at_once() -> None:
    drafts = [quota(f"q{number}", f"unit-{number % 50}", "vms") for number in range(50)]
    drafts += [quota(f"v{number}", f"unit-{number % 50}", "vcpu") for number in range(50)]
    there = Counted({draft.key.name: draft for draft in drafts})
    assert found(drafts, there) == []
    assert there.looks == len(drafts)


def test_of_many_for_the_same_one_is_named() -> None:
    drafts = [quota(f"q{number}", "unit", "vms", "vcpu") for number in range(9)]
    told = found(drafts, Counted({draft.key.name: draft for draft in drafts}))
    assert len(told) == len(drafts)
    assert {other for _, other, _ in told} == {"q0", "q1"}
    assert {tuple(classes) for _, _, classes in told} == {("vcpu", "vms")}
