"""Filters: what is not there, or not for the asker to see, is an error and no empty list (P1)."""

from typing import Any

import pytest

from govcloud.domain.access import Role
from govcloud.testing import town as words
from govcloud.testing.town import ADMIN, PLATFORM, read


@pytest.fixture
def town(api: Any) -> Any:
    api.wired.desk.apply(ADMIN, read(*PLATFORM, words.department("schools-west", parent="town")))
    api.token("health", Role.APPLICANT, "health")
    api.wired.clock.advance(60)
    return api


def refused(api: Any, who: str, path: str, status: int) -> str:
    response = api.get(who, path)
    assert response.status_code == status, response.text
    return str(response.json()["error"]["message"])


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/v1/objects/vm?department=helth", "health"),
        ("/v1/objects/vm?cloud=sin", "sim"),
        ("/v1/objects/vm?zone=pubic", "public"),
        ("/v1/events?department=helth", "health"),
        ("/v1/drift?department=helth", "health"),
        ("/v1/drift?cloud=sin", "sim"),
        ("/v1/requests?department=helth", "health"),
        ("/v1/quota/tree?cloud=sin", "sim"),
        ("/v1/quota/tree?zone=pubic", "public"),
        ("/v1/quota/helth", "health"),
        ("/v1/reports/on-cloud-rate?department=helth", "health"),
        ("/v1/reports/on-cloud-rate/explain?department=helth", "health"),
    ],
)
def test_an_unknown_name_is_not_found_with_what_was_meant(town: Any, path: str, meant: str) -> None:
    assert meant in refused(town, "admin", path, 404)


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/v1/objects/vm?phase=activ", "active"),
        ("/v1/requests?state=reveiw", "review"),
        ("/v1/audit?actor=helth", "health"),
        ("/v1/audit?action=request.aprove", "request.approve"),
        ("/v1/audit?action=reqest.*", "known are"),
        ("/v1/tokens?user=helth", "health"),
    ],
)
def test_an_unknown_word_is_a_usage_error_with_what_was_meant(
    town: Any, path: str, meant: str
) -> None:
    assert meant in refused(town, "admin", path, 400)


@pytest.mark.guarantee("P1")
def test_nobody_learns_names_of_others_by_filtering(town: Any) -> None:
    for path in ("/v1/objects/vm?department=", "/v1/requests?department=", "/v1/quota/"):
        there = refused(town, "health", f"{path}schools-west", 404)
        gone = refused(town, "health", f"{path}schools-wesd", 404)
        assert there.replace("west", "wesd") == gone
        assert "mean" not in there


def test_platform_kinds_are_listed_by_what_they_say(town: Any) -> None:
    def names(path: str) -> list[str]:
        return [item["metadata"]["name"] for item in town.get("admin", path).json()["items"]]

    assert names("/v1/objects/zones?cloud=sim") == ["front", "public", "second"]
    assert names("/v1/objects/clouds?department=health") == names("/v1/objects/clouds")
    whose = town.get("admin", "/v1/objects/quotas?department=town").json()["items"]
    assert {item["spec"]["department"] for item in whose} == {"town"}
    assert "zone" in refused(town, "admin", "/v1/objects/systems?zone=public", 400)


def test_a_zone_brings_its_cloud_to_the_quota_tree(town: Any) -> None:
    assert town.get("admin", "/v1/quota/tree?zone=public").status_code == 200


def test_what_audits_and_lists_of_tokens_may_ask_for(town: Any) -> None:
    """What exists, what once acted, beginnings; and nothing found is then no error."""
    for path in ("audit?actor=health", "audit?actor=controller", "audit?action=apply.*",
                 "audit?action=request.submit", "tokens?user=health"):  # fmt: skip
        assert town.get("admin", f"/v1/{path}").status_code == 200, path


def test_words_of_bodies_and_formats_say_what_was_meant(town: Any) -> None:
    answer = town.post("admin", "/v1/tokens", {"user": "new", "role": "aprover"})
    assert (answer.status_code, "approver" in answer.text) == (422, True)
    answer = town.get("admin", "/v1/reports/on-cloud-rate?format=xslx")
    assert (answer.status_code, "xlsx" in answer.text) == (422, True)
