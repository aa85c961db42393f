"""What a department may not see is not there, in every query (P1)."""

import pytest

from govcloud.domain.access import Actor, Role
from govcloud.errors import ForbiddenError, InvalidInputError, NotFoundError
from govcloud.requests.desk import Verdict
from govcloud.store import objects, requests
from govcloud.store.objects import Query
from govcloud.store.unit import Store
from govcloud.testing import town as words
from govcloud.testing.town import (
    ADMIN,
    APPROVER,
    AUDITOR,
    HEALTH,
    OPERATOR,
    SCHOOLS,
    Town,
    machine,
    system,
)
from quotas.store import SqlLedger

NOBODY = Actor("drifter", Role.APPLICANT)
pytestmark = pytest.mark.guarantee("P1")


@pytest.fixture
def town(store: Store) -> Town:
    town = Town(store, SqlLedger()).found()
    town.apply(words.waiver("NET-03"), words.waiver("NET-03", of="schools"))
    town.apply(
        words.document(
            "Survey",
            "rooms",
            {
                "title": "Rooms",
                "takenOn": "2026-01-01",
                "sampleSize": 1,
                "units": [
                    {
                        "department": "health",
                        "usesGovernmentCloud": True,
                        "keepsSelfBuiltRoom": True,
                    }
                ],
            },
        )
    )
    for actor, of in ((HEALTH, "health"), (SCHOOLS, "schools")):
        labels = {"tier": of}
        made = machine(of=of)
        made = {**made, "metadata": {**made["metadata"], "labels": labels}}
        request = town.submit(system(of=of), made, actor=actor)
        town.desk.decide(APPROVER, request.id, Verdict.APPROVE)
    return town


def names(town: Town, actor: Actor, kind: str, **query: object) -> list[str]:
    with town.store.reading() as session:
        page = objects.list_objects(session, actor, Query(kind, **query))  # type: ignore[arg-type]
        assert page.total == len(page.items)
        return [f"{row.department}/{row.name}" for row in page.items]


def test_departments_list_their_own_and_the_catalogue(town: Town) -> None:
    assert names(town, HEALTH, "VirtualMachine") == ["health/web"]
    assert names(town, HEALTH, "VirtualMachine", department="schools") == []
    assert names(town, HEALTH, "Department") == ["/health"]
    assert names(town, HEALTH, "Quota") == ["/health"]
    assert names(town, HEALTH, "Waiver") == ["/health-net-03"]
    assert names(town, HEALTH, "Survey") == []
    assert names(town, HEALTH, "Flavor") == ["/large", "/small"]
    for kind in ("VirtualMachine", "System", "Quota", "Department"):
        assert names(town, NOBODY, kind) == []


@pytest.mark.parametrize("actor", [ADMIN, APPROVER, OPERATOR, AUDITOR], ids=lambda a: a.name)
def test_those_who_answer_for_all_see_all(town: Town, actor: Actor) -> None:
    assert names(town, actor, "VirtualMachine") == ["health/web", "schools/web"]
    assert names(town, actor, "Quota") == ["/health", "/schools", "/town"]
    assert names(town, actor, "Survey") == ["/rooms"]


def test_objects_of_others_are_not_found(town: Town) -> None:
    with town.store.reading() as session:
        found = objects.get_object(session, HEALTH, "VirtualMachine", "web")
        assert found.department == "health"
        for kind, name, department in (
            ("VirtualMachine", "web", "schools"),
            ("Quota", "town", None),
            ("Department", "schools", None),
        ):
            with pytest.raises(NotFoundError):
                objects.get_object(session, HEALTH, kind, name, department)
        with pytest.raises(NotFoundError) as caught:
            objects.get_object(session, AUDITOR, "VirtualMachine", "web")
        assert caught.value.key == "requests.ambiguous_object"
        assert objects.get_object(session, AUDITOR, "VirtualMachine", "web", "schools")


def test_requests_of_others_are_not_found(town: Town) -> None:
    with town.store.reading() as session:
        (own,) = requests.list_requests(session, HEALTH).items
        assert own.department == "health"
        assert requests.list_requests(session, HEALTH, department="schools").items == ()
        assert requests.list_requests(session, NOBODY).items == ()
        other = next(
            r for r in requests.list_requests(session, AUDITOR).items if r.department == "schools"
        )
        with pytest.raises(NotFoundError):
            requests.get_request(session, HEALTH, other.id)


def test_events_of_others_are_not_seen(town: Town) -> None:
    with town.store.reading() as session:
        every = objects.list_events(session, AUDITOR)
        own = objects.list_events(session, HEALTH)
        of_others = objects.list_events(session, HEALTH, department="schools")
        by_uid = [objects.list_events(session, HEALTH, uid=event.uid) for event in every]
    assert (len(every), len(own), len(of_others)) == (2, 1, 0)
    assert sum(map(len, by_uid)) == 1


def test_lists_select_and_go_on_where_they_stopped(town: Town) -> None:
    assert names(town, AUDITOR, "VirtualMachine", labels={"tier": "schools"}) == ["schools/web"]
    assert names(town, AUDITOR, "VirtualMachine", cloud="sim", zone="front") == []
    assert names(town, AUDITOR, "VirtualMachine", phase="pending", system="records") != []
    with town.store.reading() as session:
        first = objects.list_objects(session, AUDITOR, Query("VirtualMachine", limit=1))
        second = objects.list_objects(
            session, AUDITOR, Query("VirtualMachine", limit=1, token=first.next)
        )
        assert [r.department for r in (*first.items, *second.items)] == ["health", "schools"]
        assert (first.total, second.total, second.next) == (2, None, None)
        newest = requests.list_requests(session, AUDITOR, limit=1)
        older = requests.list_requests(session, AUDITOR, limit=1, token=newest.next)
        assert [r.department for r in (*newest.items, *older.items)] == ["schools", "health"]
        assert older.next is None


@pytest.mark.parametrize("token", ["x", "e30", "WzFd", "W251bGwsbnVsbF0"])
def test_a_token_that_is_not_ours_is_refused(town: Town, token: str) -> None:
    with town.store.reading() as session, pytest.raises(InvalidInputError):
        objects.list_objects(session, AUDITOR, Query("VirtualMachine", token=token))


def test_a_suggestion_names_only_what_the_asker_may_see(town: Town) -> None:
    with town.store.reading() as session:
        for actor, department in ((HEALTH, None), (ADMIN, "health")):
            with pytest.raises(NotFoundError, match="meant='web'"):
                objects.get_object(session, actor, "VirtualMachine", "wep", department)
        for actor, department in ((HEALTH, "schools"), (NOBODY, "health"), (NOBODY, None)):
            with pytest.raises(NotFoundError) as caught:
                objects.get_object(session, actor, "VirtualMachine", "wep", department)
            assert "meant" not in caught.value.params


@pytest.mark.parametrize("role", [Role.APPROVER, Role.OPERATOR, Role.AUDITOR])
def test_whoever_belongs_to_a_department_sees_no_other(town: Town, role: Role) -> None:
    member = Actor("member", role, "schools")
    assert names(town, member, "VirtualMachine") == ["schools/web"]
    with town.store.reading() as session, pytest.raises(NotFoundError):
        objects.get_object(session, member, "VirtualMachine", "web", "health")


def test_a_departments_approver_decides_only_what_is_decided_there(town: Town) -> None:
    request = town.submit(machine("more"), actor=HEALTH)
    for department, error in (("schools", NotFoundError), ("health", ForbiddenError)):
        boss = Actor("boss", Role.APPROVER, department)
        with pytest.raises(error):
            town.desk.decide(boss, request.id, Verdict.APPROVE)
