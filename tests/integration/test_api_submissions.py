"""What is handed in: whose it is, that there is something in it, and that it changes something."""

from typing import Any

import pytest

from govcloud.domain.access import Role
from govcloud.testing import town as words
from govcloud.testing.town import ADMIN, PLATFORM, read


@pytest.fixture
def town(api: Any) -> Any:
    api.wired.desk.apply(ADMIN, read(*PLATFORM))
    api.token("health", Role.APPLICANT, "health")
    api.token("approver", Role.APPROVER)
    return api


SYSTEM = """
apiVersion: govcloud.io/v1
kind: System
metadata: {name: records%s}
spec: {code: HC-1, security: {classified: false, mlpsLevel: 3}}
"""


def files(*texts: str) -> dict[str, Any]:
    return {"files": [{"name": f"{n}.yaml", "text": text} for n, text in enumerate(texts)]}


def of(department: str) -> str:
    return SYSTEM % f", department: {department}"


def fault(response: Any, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    error: dict[str, Any] = response.json()["error"]
    return error


def build(town: Any, who: str, *texts: str) -> str:
    made = town.post(who, "/v1/requests", files(*texts)).json()
    town.post("approver", f"/v1/requests/{made['id']}/approve")
    return str(made["id"])


@pytest.mark.parametrize("route", ["plan", "requests", "apply"])
@pytest.mark.parametrize("texts", [[], [""], ["# nothing yet\n---\n"]])
def test_an_empty_input_is_the_same_error_everywhere(
    town: Any, route: str, texts: list[str]
) -> None:
    error = fault(town.post("admin", f"/v1/{route}", files(*texts)), 400)
    assert error["key"] == "requests.nothing_given"
    assert error["remedy"]


def test_what_names_no_department_is_of_the_one_that_is_given_or_the_callers_own(
    town: Any,
) -> None:
    own = town.post("health", "/v1/plan", files(SYSTEM % "")).json()
    assert own["changes"][0]["department"] == "health"
    given = town.post("admin", "/v1/plan", files(SYSTEM % "") | {"department": "schools"}).json()
    assert given["changes"][0]["department"] == "schools"
    named = files(of("health")) | {"department": "schools"}
    assert town.post("admin", "/v1/plan", named).json()["changes"][0]["department"] == "health"
    none = fault(town.post("admin", "/v1/plan", files(SYSTEM % "")), 422)
    assert none["diagnostics"][0]["key"] == "input.no_department"


def test_several_departments_are_one_fault(town: Any) -> None:
    many = [of("health"), *(of("schools").replace("records", f"r{n}") for n in range(30))]
    error = fault(town.post("admin", "/v1/plan", files(*many)), 422)
    (found,) = error["diagnostics"]
    assert found["key"] == "requests.several_departments"
    assert "`health`" in found["message"]
    assert "schools" in found["message"]


def test_handing_in_what_there_is_already_makes_no_request(town: Any) -> None:
    build(town, "health", of("health"))
    answer = town.post("health", "/v1/requests", files(of("health")))
    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["id"], shown["state"], shown["count"]) == (None, "unchanged", 1)
    assert shown["message"]


def test_a_release_finds_the_only_object_of_its_name_and_names_the_owners_of_several(
    town: Any,
) -> None:
    build(town, "health", of("health"))
    release = {"releases": [{"kind": "System", "name": "records"}]}
    planned = town.post("admin", "/v1/plan", release).json()
    assert planned["changes"][0]["department"] == "health"
    build(town, "admin", of("schools"))
    error = fault(town.post("admin", "/v1/plan", release), 404)
    assert "health" in error["message"]
    assert "schools" in error["message"]
    assert town.post("health", "/v1/plan", release).json()["summary"]["release"] == 1


def test_the_queue_tells_what_is_overdue(town: Any, clock: Any) -> None:
    """APP-7: by the city's day, in the list and in the request itself."""
    steps = [{"name": "desk-review", "role": "approver", "within": 1}]
    rules = words.policy(approval=[{"kinds": ["System"], "steps": steps}])
    town.wired.desk.apply(ADMIN, read(rules))
    made = town.post("health", "/v1/requests", files(of("health"))).json()
    assert made["overdue"] is False
    clock.advance(8 * 86_400)
    (listed,) = town.get("admin", "/v1/requests").json()["items"]
    assert (listed["due"], listed["overdue"]) == (made["due"], True)
    assert town.get("admin", f"/v1/requests/{made['id']}").json()["overdue"] is True
