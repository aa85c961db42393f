"""Giving back in a certain way: what is stopped, copied, kept."""

from dataclasses import replace

from govcloud.domain.drift import DriftMode
from govcloud.plan.actions import plan
from govcloud.plan.conditions import conclude
from govcloud.plan.model import Action, Situation, Verb
from govcloud.ports.cloud import Observed, Resource, State

UID, TENANT = "u1", "t"


def resource(part: str, kind: str, rank: int = 0, **more: object) -> Resource:
    return Resource(UID, part, kind, part, TENANT, rank=rank, **{"props": {}, **more})  # type: ignore[arg-type]


WANTED = (
    resource("disk-0", "disk", unit=None),
    resource("data-0-0", "disk", unit=None, data=True),
    resource("port-0", "port", 1, unit=None),
    resource("server-0", "server", 2, props={"power": "on"}),
)


def seen(*parts: str, power: str = "on") -> list[Observed]:
    types = {wanted.part: wanted.type for wanted in WANTED}
    return [
        Observed(
            part,
            types[part],
            part,
            TENANT,
            State.READY,
            UID,
            part,
            props={"power": power} if types[part] == "server" else {},
        )
        for part in parts
    ]


def release(found: list[Observed], **how: object) -> tuple[list[Action], bool]:
    situation = Situation(lambda _: DriftMode.HEAL, releasing=True, **how)  # type: ignore[arg-type]
    made = plan(WANTED, found, situation)
    return list(made.actions), made.settled


ALL = ("disk-0", "data-0-0", "port-0", "server-0")


def test_a_machine_is_stopped_then_copied_then_removed() -> None:
    [action], _ = release(seen(*ALL), copies="last")
    assert (action.verb, action.part, action.fields) == (Verb.CHANGE, "server-0", ("power",))
    assert action.wanted is not None
    assert action.wanted.props["power"] == "off"
    [action], _ = release(seen(*ALL, power="off"), copies="last")
    assert (action.verb, action.part, action.copy) == (Verb.DELETE, "server-0", "last-server-0")
    actions, _ = release(seen("disk-0", "data-0-0"), copies="last")
    assert {(a.part, a.copy) for a in actions} == {
        ("disk-0", "last-disk-0"),
        ("data-0-0", "last-data-0-0"),
    }


def test_without_a_wish_nothing_is_stopped_or_copied() -> None:
    [action], _ = release(seen(*ALL))
    assert (action.verb, action.part, action.copy) == (Verb.DELETE, "server-0", "")


def test_data_that_is_kept_is_left_when_all_else_is_gone() -> None:
    actions, settled = release(seen("disk-0", "data-0-0"), keep_data=True)
    assert [action.part for action in actions] == ["disk-0"]
    assert not settled
    [last], settled = release(seen("data-0-0"), keep_data=True, copies="last")
    assert (last.verb, last.part, last.copy) == (Verb.LEAVE, "data-0-0", "")
    assert not settled
    assert release([], keep_data=True) == ([], True)


def test_by_force_nothing_is_stopped_copied_or_waited_for_and_data_still_stays() -> None:
    going = [replace(item, state=State.DELETING) for item in seen("server-0")]
    actions, _ = release([*seen("disk-0"), *going], copies="last", forced=True)
    assert [(a.verb, a.part, a.force, a.copy) for a in actions] == [
        (Verb.DELETE, "server-0", True, "")
    ]
    [action], _ = release(seen("disk-0", "data-0-0"), keep_data=True, forced=True)
    assert (action.part, action.force) == ("disk-0", True)
    [last], _ = release(seen("data-0-0"), keep_data=True, forced=True)
    assert (last.verb, last.force) == (Verb.LEAVE, False)


def test_what_is_to_be_wiped_goes_only_where_the_cloud_overwrites_it() -> None:
    found = [replace(item, info={"storage": "ssd hdd"}) for item in seen("data-0-0")]
    half = Situation(lambda _: DriftMode.HEAL, releasing=True, wipes=frozenset({"hdd"}))
    held = plan(WANTED, found, half)
    assert ([item.part for item in held.unwiped], held.actions) == (["data-0-0"], ())
    told = conclude(held, [], releasing=True)
    assert (told.reason, told.progressing) == ("NotWiped", False)
    for how in ({"wipes": frozenset({"hdd", "ssd"})}, {"confirmed": True}, {"forced": True}):
        [action], _ = release(found, **{"wipes": frozenset(), **how})
        assert action.verb is Verb.DELETE


def test_a_copy_with_the_mark_of_what_is_given_back_becomes_nobodys() -> None:
    """Somebody has restored a backup: what is in it was not given back."""
    original, *rest = (replace(item, data=True) for item in seen("data-0-0", "server-0"))
    restored, ids = replace(original, id="copy"), frozenset({original.id})
    found = [original, restored, *rest]
    for forced in (False, True):
        actions, _ = release(found, known=ids, delivered=ids, forced=forced)
        assert [(a.verb, a.observed) for a in actions] == [(Verb.LEAVE, restored)]
    actions, _ = release([original, *rest], known=ids, delivered=ids)
    assert [(a.verb, a.part) for a in actions] == [(Verb.DELETE, "server-0")]
