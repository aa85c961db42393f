"""The ledger's rules in worked examples: caps, lending, resizes, promises, sentences."""

import itertools
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from govcloud.errors import ConflictError
from govcloud.messages import render
from govcloud.ports.ledger import Demand, LimitFact, Obstacle, Refusal
from quotas.ledger import holds as steps
from quotas.ledger.admission import Standing, weigh
from quotas.ledger.holds import Charge, Hold, change, charges, fold
from quotas.ledger.limits import Charter
from quotas.ledger.places import Cell, Tree, class_order, scopes
from quotas.ledger.promises import broken
from quotas.ledger.sentences import text

NOW = datetime(2026, 7, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
TREE = Tree({"city": None, "east": "city", "west": "city", "bureau": "east", "school": "east"})


def limit(
    department: str,
    amount: int,
    *,
    word: str = "vms",
    cloud: str = "",
    zone: str = "",
    lend: int | None = None,
    borrow: int = 0,
    grant: bool = False,
    overcommit: float = 1.0,
    begin: datetime | None = None,
    until: datetime | None = None,
    source: str = "q",
) -> LimitFact:
    return LimitFact(
        source, department, cloud, zone, word, amount, lend, borrow, grant, overcommit, begin, until
    )


_numbers = itertools.count()


def demand(department: str, owner: str = "", key: str = "", zone: str = "z", **need: int) -> Demand:
    owner = owner or f"u{next(_numbers)}"
    amounts = {word.replace("_", "-"): amount for word, amount in need.items()}
    return Demand(key or f"{owner}@1", owner, department, "c", zone, amounts)


def ask(
    facts: list[LimitFact],
    used: Mapping[str, int],
    *demands: Demand,
    at: datetime = NOW,
    tree: Tree = TREE,
) -> tuple[Refusal, ...]:
    """Weigh demands where departments already use so many virtual machines."""
    standing = [demand(name, vms=amount) for name, amount in used.items()]
    held = steps.reserve({}, standing, LATER).after
    growth = change(steps.reserve(held, demands, LATER), tree)
    return weigh(Standing(Charter(tree, facts), at, charges(held.values(), tree)), demands, growth)


def said(refusals: tuple[Refusal, ...]) -> list[tuple[str, str, int]]:
    return [(r.obstacle.value, r.department, r.available) for r in refusals]


# --- Plain caps -----------------------------------------------------------------------------------

CAPS = [limit("city", 10), limit("east", 6), limit("bureau", 4)]


@pytest.mark.guarantee("Q1")
@pytest.mark.parametrize(
    ("used", "asked", "expected"),
    [
        ({}, 4, []),
        ({}, 5, [("LimitExceeded", "bureau", 4)]),
        ({"school": 3}, 4, [("ParentExceeded", "east", 3)]),
        ({"west": 7}, 4, [("ParentExceeded", "city", 3)]),
        (
            {"bureau": 1, "school": 4, "west": 5},
            4,
            [
                ("LimitExceeded", "bureau", 3),
                ("ParentExceeded", "east", 1),
                ("ParentExceeded", "city", 0),
            ],
        ),
    ],
)
def test_every_level_must_have_room_and_every_level_that_has_not_is_named(
    used: dict[str, int], asked: int, expected: list[tuple[str, str, int]]
) -> None:
    assert said(ask(CAPS, used, demand("bureau", vms=asked))) == expected


@pytest.mark.guarantee("Q4")
def test_a_refusal_carries_all_numbers() -> None:
    held = steps.reserve({}, [demand("bureau", "a", vms=2), demand("bureau", "b", vms=1)], LATER)
    held = steps.allocate(held.after, ["a@1"])
    wanted = [demand("bureau", vms=3)]
    growth = change(steps.reserve(held.after, wanted, LATER), TREE)
    standing = Standing(Charter(TREE, CAPS), NOW, charges(held.after.values(), TREE))
    (refusal,) = weigh(standing, wanted, growth)
    assert refusal == Refusal(Obstacle.LIMIT_EXCEEDED, "bureau", "", "vms", "", "", 4, 2, 1, 3, 1)


def test_refusals_come_from_leaf_to_root_then_in_the_order_of_the_classes() -> None:
    facts = [limit("city", 0, word=word) for word in ("gpu", "vms", "vcpu", "disk.ssd", "disk.hdd")]
    facts += [limit("bureau", 0, word="gpu"), limit("bureau", 0)]
    need = {"gpu": 1, "disk.ssd": 1, "vcpu": 1, "disk.hdd": 1, "vms": 1}
    found = ask(facts, {}, Demand("k", "u", "bureau", "c", "z", need))
    assert [(r.department, r.resource_class) for r in found] == [
        ("bureau", "vms"),
        ("bureau", "gpu"),
        *(("city", word) for word in ("vms", "vcpu", "disk.hdd", "disk.ssd", "gpu")),
    ]


def test_a_class_that_no_level_limits_was_never_granted() -> None:
    found = ask(CAPS, {}, demand("bureau", vms=1, gpu=1))
    assert [(r.obstacle, r.resource_class, r.requested) for r in found] == [
        (Obstacle.NO_QUOTA, "gpu", 1)
    ]
    assert ask(CAPS, {}, demand("bureau", vms=1, gpu=0)) == ()


def test_limits_of_a_cloud_and_of_a_zone_count_beside_the_general_one() -> None:
    facts = [limit("city", 10), limit("east", 3, cloud="c"), limit("east", 1, cloud="c", zone="z")]
    assert said(ask(facts, {}, demand("bureau", vms=2))) == [("ParentExceeded", "east", 1)]
    assert ask(facts, {}, demand("bureau", zone="y", vms=3)) == ()
    both = ask(facts, {}, demand("bureau", zone="y", vms=3), demand("school", vms=1))
    assert [(r.cloud, r.zone, r.requested) for r in both] == [("c", "", 4)]


def test_a_tree_may_be_deep_and_a_stranger_stands_alone() -> None:
    names = [f"n{depth}" for depth in range(40)]
    deep = Tree({name: names[index - 1] if index else None for index, name in enumerate(names)})
    facts = [limit("n0", 1)]
    assert ask(facts, {}, demand("n39", vms=1), tree=deep) == ()
    assert said(ask(facts, {"n20": 1}, demand("n39", vms=1), tree=deep)) == [
        ("ParentExceeded", "n0", 0)
    ]
    assert said(ask(facts, {}, demand("nobody", vms=1), tree=deep)) == [("NoQuota", "nobody", 0)]


def test_a_circle_in_the_tree_is_refused() -> None:
    with pytest.raises(ConflictError, match=r"quota\.circle"):
        Tree({"a": "b", "b": "c", "c": "a"})


def test_the_tree_is_walked_from_above() -> None:
    assert list(TREE.walk()) == ["city", "east", "bureau", "school", "west"]
    assert list(Tree({"b": "gone", "a": None}).walk()) == ["a", "gone", "b"]


# --- Borrowing and lending ------------------------------------------------------------------------

LENDING = [
    limit("city", 20),
    limit("east", 10, lend=4),
    limit("west", 10, borrow=8),
]


@pytest.mark.guarantee("Q6")
@pytest.mark.parametrize(
    ("used", "who", "asked", "expected"),
    [
        # West has 10 of its own and may borrow 8, but east lends only 4 of its unused 10.
        ({}, "west", 14, []),
        ({}, "west", 15, [("LentOut", "city", 14)]),
        # What east uses itself comes first out of what it would have lent.
        ({"east": 6}, "west", 14, []),
        ({"east": 7}, "west", 14, [("ParentExceeded", "city", 13)]),
        # West has borrowed 4: east still has the 6 that it did not lend, and no more.
        ({"west": 14}, "east", 6, []),
        ({"west": 14}, "east", 7, [("LentOut", "city", 6)]),
        # Beyond what it may borrow, west is refused by its own limit.
        ({"west": 18}, "west", 1, [("LimitExceeded", "west", 0), ("LentOut", "city", 0)]),
        # Nobody borrowed: the city is simply full.
        ({"west": 10, "city": 10}, "east", 1, [("ParentExceeded", "city", 0)]),
    ],
)
def test_borrowing_and_lending(
    used: dict[str, int], who: str, asked: int, expected: list[tuple[str, str, int]]
) -> None:
    assert said(ask(LENDING, used, demand(who, vms=asked))) == expected


def test_a_lender_below_a_lender_keeps_its_own_only_once() -> None:
    facts = [
        limit("city", 20),
        limit("east", 10, lend=2),
        limit("bureau", 4, lend=1),
        limit("west", 10, borrow=10),
    ]
    # Bureau keeps 3 of 4; of east's other 7, 2 are lent and 5 kept: west sees 20 - 3 - 5 = 12.
    assert ask(facts, {}, demand("west", vms=12)) == ()
    assert said(ask(facts, {}, demand("west", vms=13))) == [("LentOut", "city", 12)]


def test_a_node_without_a_limit_lets_lending_through() -> None:
    facts = [limit("city", 10), limit("bureau", 5, lend=0), limit("west", 5, borrow=5)]
    assert said(ask(facts, {}, demand("west", vms=6))) == [("LentOut", "city", 5)]
    assert ask(facts, {"west": 5}, demand("bureau", vms=5)) == ()


def test_without_a_limit_above_there_is_nothing_to_borrow() -> None:
    facts = [limit("east", 5, borrow=5), limit("bureau", 5, borrow=5)]
    assert said(ask(facts, {}, demand("east", vms=6))) == [("LimitExceeded", "east", 5)]
    assert said(ask(facts, {}, demand("bureau", vms=6))) == [("ParentExceeded", "east", 5)]


def test_what_is_kept_may_be_taken_even_where_limits_are_overcommitted() -> None:
    facts = [
        limit("city", 10, overcommit=2.0),
        limit("east", 10, lend=0),
        limit("west", 10, lend=0),
    ]
    assert ask(facts, {}, demand("east", vms=6)) == ()
    assert said(ask(facts, {"east": 6}, demand("west", vms=5))) == [("ParentExceeded", "city", 4)]


# --- Limits in time -------------------------------------------------------------------------------


@pytest.mark.guarantee("Q6")
def test_a_grant_adds_to_the_limit_while_it_is_valid() -> None:
    facts = [limit("bureau", 2), limit("bureau", 3, grant=True, begin=NOW, until=LATER)]
    assert ask(facts, {}, demand("bureau", vms=5)) == ()
    just_before, very_end = NOW - timedelta(seconds=1), LATER
    for instant in (just_before, very_end):
        assert said(ask(facts, {}, demand("bureau", vms=5), at=instant)) == [
            ("LimitExceeded", "bureau", 2)
        ]


def test_of_several_limits_the_tightest_holds_and_a_grant_alone_is_the_limit() -> None:
    cell = Cell("bureau", "", "", "vms")
    two = Charter(
        TREE, [limit("bureau", 5, borrow=2, lend=3), limit("bureau", 3, lend=1, source="r")]
    )
    cap = two.cap(cell, NOW)
    assert cap is not None
    assert (cap.limit, cap.lend, cap.borrow) == (3, 1, 0)
    alone = Charter(TREE, [limit("bureau", 3, grant=True)]).cap(cell, NOW)
    assert alone is not None
    assert alone.limit == 3


def test_a_charter_is_a_value() -> None:
    first = Charter(TREE, [limit("bureau", 5), limit("bureau", 4, source="r")])
    second = first.replaced({"q": [limit("east", 1)]})
    bureau, east = Cell("bureau", "", "", "vms"), Cell("east", "", "", "vms")
    assert [first.cap(bureau, NOW).limit, first.cap(east, NOW)] == [4, None]  # type: ignore[union-attr]
    assert second.touched("q") == {east}
    assert set(second.cells()) == {bureau, east}
    assert second.replaced({"r": []}).cap(bureau, NOW) is None


# --- Holds ----------------------------------------------------------------------------------------


def totals(held: Mapping[str, Hold], word: str = "vms") -> Charge:
    return charges(held.values(), TREE).get(Cell("city", "", "", word), Charge(0, 0))


@pytest.mark.guarantee("Q3")
def test_a_resize_is_charged_at_the_larger_until_it_is_allocated() -> None:
    held = steps.reserve({}, [demand("bureau", "a", vms=4, vcpu=4)], LATER).after
    held = steps.allocate(held, ["a@1"]).after
    held = steps.reserve(held, [demand("bureau", "a", "a@2", vms=6, vcpu=2)], LATER).after
    assert (totals(held), totals(held, "vcpu")) == (Charge(4, 2), Charge(4, 0))
    later = steps.reserve(held, [demand("bureau", "a", "a@3", vms=5)], LATER).after
    assert totals(later) == Charge(4, 2)
    assert totals(steps.void(later, ["a@2"]).after) == Charge(4, 1)
    done = steps.allocate(later, ["a@2"]).after
    assert (totals(done), totals(done, "vcpu")) == (Charge(6, 0), Charge(2, 0))
    assert totals(steps.allocate(done, ["a@3"]).after) == Charge(5, 0)


def test_a_move_is_charged_in_both_zones_and_once_above() -> None:
    held = steps.reserve({}, [demand("bureau", "a", vms=4)], LATER).after
    held = steps.allocate(held, ["a@1"]).after
    held = steps.reserve(held, [demand("bureau", "a", "a@2", zone="y", vms=4)], LATER).after
    found = charges(held.values(), TREE)
    assert found[Cell("bureau", "c", "z", "vms")] == Charge(4, 0)
    assert found[Cell("bureau", "c", "y", "vms")] == Charge(0, 4)
    assert found[Cell("bureau", "c", "", "vms")] == Charge(4, 0)
    assert found[Cell("city", "", "", "vms")] == Charge(4, 0)


@pytest.mark.guarantee("Q3")
def test_a_key_that_lapsed_is_charged_when_it_turns_out_to_be_built() -> None:
    reserved = steps.reserve({}, [demand("bureau", "a", vms=4)], LATER)
    assert steps.expire(reserved.after, LATER - timedelta(seconds=1)).entries == ()
    expired = steps.expire(reserved.after, LATER)
    assert totals(expired.after) == Charge(0, 0)
    assert steps.renew(expired.after, ["a@1"], LATER).entries == ()
    assert totals(steps.allocate(expired.after, ["a@1"]).after) == Charge(4, 0)


def test_a_key_that_is_reserved_again_keeps_its_place_in_the_row() -> None:
    held = steps.reserve({}, [demand("bureau", "a", vms=4)], LATER).after
    held = steps.reserve(held, [demand("bureau", "a", "a@2", vms=2)], LATER).after
    held = steps.void(held, ["a@1"]).after
    held = steps.reserve(held, [demand("bureau", "a", vms=4)], LATER).after
    assert set(steps.allocate(held, ["a@1"]).after) == {"a@1", "a@2"}
    assert set(steps.allocate(held, ["a@2"]).after) == {"a@2"}


def test_steps_can_be_taken_again_and_change_nothing() -> None:
    wanted = [demand("bureau", "a", vms=4)]
    held = steps.reserve({}, wanted, LATER).after
    assert steps.reserve(held, wanted, LATER).entries == ()
    assert steps.renew(held, ["a@1"], NOW).entries == ()
    held = steps.allocate(held, ["a@1"]).after
    assert steps.reserve(held, wanted, LATER).entries == ()
    assert steps.allocate(held, ["a@1", "nobody@1"]).entries == ()
    assert steps.void(held, ["a@1", "nobody@1"]).entries == ()
    held = steps.release(held, ["a"]).after
    assert held == {}
    assert steps.release(held, ["a"]).entries == ()
    assert steps.allocate(held, ["a@1"]).entries == (), "gone is gone: it is not charged again"


@pytest.mark.guarantee("Q2")
def test_entries_add_up_to_the_holds() -> None:
    written: list[steps.Entry] = []
    held: Mapping[str, Hold] = {}
    for step in (
        lambda now: steps.reserve(
            now, [demand("bureau", "a", vms=4), demand("west", "b", vms=1)], LATER
        ),
        lambda now: steps.renew(now, ["a@1"], LATER + timedelta(hours=1)),
        lambda now: steps.allocate(now, ["a@1"]),
        lambda now: steps.reserve(now, [demand("bureau", "a", "a@2", vms=5)], LATER),
        lambda now: steps.expire(now, LATER),
        lambda now: steps.allocate(now, ["a@2"]),
        lambda now: steps.release(now, ["b"]),
    ):
        taken = step(held)
        held, written = taken.after, [*written, *taken.entries]
    assert charges(fold(written).values(), TREE) == charges(held.values(), TREE)
    assert set(fold(written)) == set(held) == {"a@2"}


def test_words_and_scopes_have_an_order() -> None:
    assert sorted(["gpu", "disk.ssd", "vms", "disk.hdd", "odd"], key=class_order) == [
        "vms", "disk.hdd", "disk.ssd", "gpu", "odd",
    ]  # fmt: skip
    assert scopes("", "") == (("", ""),)
    assert scopes("c", "") == (("", ""), ("c", ""))


# --- Promises -------------------------------------------------------------------------------------


def refused_limits(
    old: list[LimitFact], new: list[LimitFact], used: Mapping[str, int]
) -> list[tuple[str, str, int, int]]:
    charter = Charter(TREE, old)
    held = steps.reserve({}, [demand(name, vms=n) for name, n in used.items()], LATER).after
    replaced, balances = charter.replaced({"q": new}), charges(held.values(), TREE)
    touched = charter.touched("q") | replaced.touched("q")
    was, now = Standing(charter, NOW, balances), Standing(replaced, NOW, balances)
    found = broken(was, now, touched)
    return sorted((r.obstacle.value, r.department, r.limit, r.requested) for r in found)


@pytest.mark.guarantee("Q5")
@pytest.mark.parametrize(
    ("old", "new", "used", "expected"),
    [
        ([], [limit("bureau", 3)], {"bureau": 3}, []),
        ([], [limit("bureau", 2)], {"bureau": 3}, [("BelowUsage", "bureau", 2, 0)]),
        ([], [limit("east", 2)], {"bureau": 3}, [("BelowUsage", "east", 2, 0)]),
        # Over quota already: raised or kept is fine, lowered further is not.
        ([limit("bureau", 1)], [limit("bureau", 2)], {"bureau": 3}, []),
        ([limit("bureau", 1)], [limit("bureau", 1)], {"bureau": 3}, []),
        (
            [limit("bureau", 2)],
            [limit("bureau", 1)],
            {"bureau": 3},
            [("BelowUsage", "bureau", 1, 0)],
        ),
        # A limit that is taken away is one of nothing, unless another holds there.
        ([limit("bureau", 9)], [], {}, []),
        ([limit("bureau", 9)], [], {"bureau": 3}, [("BelowUsage", "bureau", 0, 0)]),
        ([limit("bureau", 0)], [], {"bureau": 3}, []),
        ([limit("bureau", 9), limit("bureau", 5, source="b")], [], {"bureau": 3}, []),
        # Children together against the parent, whatever lies between.
        ([limit("city", 9, source="c")], [limit("bureau", 5), limit("west", 4)], {}, []),
        (
            [limit("city", 9, source="c")],
            [limit("bureau", 5), limit("west", 5)],
            {},
            [("Overcommitted", "city", 9, 10)],
        ),
        (
            [limit("east", 5, source="e"), limit("west", 5, source="w")],
            [limit("city", 9)],
            {},
            [("Overcommitted", "city", 9, 10)],
        ),
        (
            [limit("city", 10, source="c", overcommit=1.1)],
            [limit("bureau", 5), limit("west", 6)],
            {},
            [],
        ),
        # A promise that only begins later is looked at then.
        (
            [limit("city", 9, source="c")],
            [limit("bureau", 5), limit("west", 5, begin=LATER)],
            {},
            [("Overcommitted", "city", 9, 10)],
        ),
        # Forced earlier, and now mended a little.
        (
            [limit("city", 5, source="c"), limit("bureau", 9)],
            [limit("bureau", 8)],
            {},
            [],
        ),
    ],
)
def test_what_may_be_promised(
    old: list[LimitFact],
    new: list[LimitFact],
    used: dict[str, int],
    expected: list[tuple[str, str, int, int]],
) -> None:
    assert refused_limits(old, new, used) == expected


# --- Sentences ------------------------------------------------------------------------------------


@pytest.mark.guarantee("Q4")
@pytest.mark.parametrize("obstacle", list(Obstacle))
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_refusal_reads_as_a_sentence_with_its_numbers(
    obstacle: Obstacle, language: str
) -> None:
    refusal = Refusal(
        obstacle, "hrss", "department", "disk.ssd", "c", "z", 2048, 1024, 512, 1536, 512
    )
    sentence = text(refusal)
    shown = render(sentence.key, language, sentence.params)
    assert "hrss" in shown
    assert "{" not in shown
    assert "quota." not in shown
    assert "1536Gi" in shown or obstacle is Obstacle.BELOW_USAGE
    assert render(f"{sentence.key}_remedy", language, sentence.params)[-1] in ".。"
