"""The pure parts of a change set: differences, digest, the tree, the steps."""

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from govcloud.domain.keys import ObjectKey
from govcloud.policy.context import Action
from govcloud.requests.changes import Change, differences, digest_of_changes, moved

plain = st.recursive(
    st.booleans() | st.integers(0, 3) | st.sampled_from(["a", "b"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner),
    max_leaves=10,
)
specs = st.dictionaries(st.sampled_from(["size", "disks", "network"]), plain, max_size=3)


def tidy(value: Any) -> Any:
    """A value without what counts as absent: empty lists and mappings."""
    if isinstance(value, dict):
        kept = {name: tidy(inner) for name, inner in value.items()}
        return {name: inner for name, inner in kept.items() if inner not in ({}, [], None)}
    if isinstance(value, list):
        return [tidy(inner) for inner in value]
    return value


def change(name: str, action: Action = Action.CHANGE, generation: int = 1) -> Change:
    key = ObjectKey("Volume", "health", name)
    return Change(action, key, {}, {}, f"digest-{name}", uid=name, generation=generation)


@given(specs)
def test_what_is_equal_has_no_differences(spec: dict[str, Any]) -> None:
    assert not list(differences(spec, spec))


@given(specs, specs)
@example({"network": []}, {"network": [{}]})
def test_what_differs_has_a_difference(before: dict[str, Any], after: dict[str, Any]) -> None:
    found = list(differences(before, after))
    if tidy(before) != tidy(after):
        assert found
    for entry in found:
        assert entry.before != entry.after
        assert entry.path


@given(st.permutations(["a", "b", "c", "d"]))
def test_the_order_of_changes_does_not_count(names: list[str]) -> None:
    assert digest_of_changes(map(change, names)) == digest_of_changes(map(change, "abcd"))


def test_the_digest_counts_action_base_and_contents() -> None:
    digests = {
        digest_of_changes([change("a")]),
        digest_of_changes([change("b")]),
        digest_of_changes([change("a", generation=2)]),
        digest_of_changes([change("a", Action.RELEASE)]),
        digest_of_changes([change("a"), change("b")]),
    }
    assert len(digests) == 5
    unchanged = change("b", Action.NONE)
    assert digest_of_changes([change("a"), unchanged]) == digest_of_changes([change("a")])


def test_a_stored_change_reads_as_it_was() -> None:
    (field,) = differences({"size": 1}, {"size": 2})
    written = Change(
        Action.CREATE, ObjectKey("Volume", "health", "a"), {"name": "a"}, {"size": "1Gi"}, "d",
        fields=(field,), demand={"volumes": 1}, price_after=2.5,
    )  # fmt: skip
    assert Change.from_stored(written.stored()) == written


def test_what_has_moved_is_named() -> None:
    stored = [change("a"), change("b"), change("c")]
    now = [change("a"), change("b", generation=2)]
    assert [key.name for key in moved(stored, now)] == ["b", "c"]
