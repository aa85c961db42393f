"""The gate before all routes: tokens, sizes, languages, errors that nobody foresaw."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from sqlmodel import select

from cli.local import InProcess
from govcloud import bootstrap
from govcloud.api import gate, meta
from govcloud.api.gate import MAX_BODY
from govcloud.domain.access import Actor, Role
from govcloud.errors import UnavailableError
from govcloud.store import audit
from govcloud.store.engine import Database
from govcloud.store.tables import AuditRow, TokenRow, UserRow
from govcloud.store.users import PREFIX, digest_of

ADMIN = Actor("admin", Role.ADMINISTRATOR)


def error(answer: Any) -> dict[str, Any]:
    found: dict[str, Any] = answer.json()["error"]
    assert set(found) == {
        "reason", "message", "remedy", "key", "params", "details", "diagnostics",
    }  # fmt: skip
    return found


def records(api: Any, action: str) -> list[AuditRow]:
    with api.wired.store.reading() as session:
        return list(audit.list_records(session, action=action).items)


def test_health_needs_no_token_and_tells_nothing(api: Any) -> None:
    answer = api.get("", "/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_whoami_says_who_and_what_is_allowed(api: Any) -> None:
    api.department("hrss")
    api.token("clerk", Role.APPLICANT, "hrss")
    found = api.get("clerk", "/v1/whoami").json()
    assert (found["name"], found["role"], found["department"]) == ("clerk", "applicant", "hrss")
    assert found["permissions"] == ["read_own", "submit"]
    api.token("clerk", Role.APPLICANT, "hrss", scope="read")
    assert api.get("clerk/read", "/v1/whoami").json()["permissions"] == ["read_own"]


@pytest.mark.parametrize(
    ("header", "key"),
    [
        (None, "errors.no_token"),
        ("", "errors.no_token"),
        ("Bearer", "errors.no_token"),
        ("Basic YWRtaW46YWRtaW4=", "errors.not_bearer"),
        ("Bearer gvc_unknown", "errors.token_unknown"),
        ("Bearer \xff\xfe", "errors.token_unknown"),
        ("Bearer " + "x" * 10_000, "errors.token_unknown"),
    ],
)
def test_without_a_good_token_nothing_opens(api: Any, header: str | None, key: str) -> None:
    headers = {} if header is None else {"Authorization": header.encode("latin-1")}
    for path in ("/v1/whoami", "/openapi.json", "/v1/nothing", "/"):
        answer = api.get("", path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert error(answer)["key"] == key


def test_expired_and_revoked_tokens_say_so(api: Any, clock: Any) -> None:
    api.department("hrss")
    api.token("clerk", Role.APPLICANT, "hrss")
    (row,) = api.get("admin", "/v1/tokens?user=clerk").json()["items"]
    assert api.get("clerk", "/v1/whoami").status_code == 200
    assert api.call("admin", "DELETE", f"/v1/tokens/{row['id']}").json()["revokedAt"]
    assert error(api.get("clerk", "/v1/whoami"))["key"] == "errors.token_revoked"
    again = api.call("admin", "DELETE", f"/v1/tokens/{row['id']}")
    assert again.status_code == 200, "revoking twice is no fault"

    api.token("clerk", Role.APPLICANT, "hrss")
    clock.advance(90 * 86_400)
    assert error(api.get("clerk", "/v1/whoami"))["key"] == "errors.token_expired"


def test_a_disabled_user_has_no_token_that_works(api: Any) -> None:
    api.token("eve", Role.OPERATOR)
    with api.wired.store.unit(ADMIN) as unit:
        row = unit.session.get(UserRow, "eve")
        row.disabled = True
        unit.session.add(row)
    assert error(api.get("eve", "/v1/whoami"))["key"] == "errors.user_disabled"


def test_only_the_hash_of_a_token_is_kept_and_it_is_long(api: Any) -> None:
    made = api.post("admin", "/v1/tokens", {"user": "watcher", "role": "审计员"})
    assert made.status_code == 201
    token = made.json()["token"]
    assert token.startswith(PREFIX)
    assert len(token) >= len(PREFIX) + 43, "256 bits in base 64"
    with api.wired.store.reading() as session:
        rows = session.exec(select(TokenRow)).all()
        everything = json.dumps(
            [row.model_dump(mode="json") for row in (*rows, *session.exec(select(AuditRow)).all())]
        )
    assert digest_of(token) in everything
    assert token not in everything
    listed = api.get("admin", "/v1/tokens").text + api.get("admin", "/v1/audit").text
    assert token not in listed
    assert digest_of(token) not in listed


def test_failed_logins_are_audited_without_the_token_and_not_without_end(api: Any) -> None:
    for _ in range(5):
        api.get("", "/v1/whoami", headers={"Authorization": "Bearer gvc_guessed"})
    (record,) = records(api, "login")
    assert (record.outcome, record.actor) == ("refused", "anonymous")
    assert record.detail["why"] == "token_unknown"
    assert "guessed" not in json.dumps(record.model_dump(mode="json"))


def test_what_was_left_out_of_the_log_is_counted() -> None:
    class Nothing: ...

    log = gate.FailureLog(Nothing(), window_s=10)  # type: ignore[arg-type]
    assert log._admitted("192.0.2.1", 0) == 0
    assert [log._admitted("192.0.2.1", now) for now in (1, 5, 9)] == [None] * 3
    assert log._admitted("192.0.2.2", 9) == 0
    assert log._admitted("192.0.2.1", 10) == 3
    for number in range(2_000):
        log._admitted(f"2001:db8::{number:x}", 20 + number)
    assert len(log._seen) <= 1_000


def test_one_user_has_one_role(api: Any) -> None:
    api.token("eve", Role.OPERATOR)
    answer = api.post("admin", "/v1/tokens", {"user": "eve", "role": "auditor"})
    assert answer.status_code == 409
    assert error(answer)["key"] == "errors.user_differs"
    assert api.post("admin", "/v1/tokens", {"user": "eve"}).json()["role"] == "operator"


@pytest.mark.guarantee("P2")
@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["user"]),
        ({"user": "a"}, ["role"]),
        ({"user": "a", "role": "applicant"}, ["department"]),
        ({"user": "a", "role": "applicant", "department": "none"}, ["department"]),
        ({"user": "a", "role": "king"}, ["role"]),
        ({"user": "controller", "role": "operator"}, ["user"]),
        ({"user": "a b", "role": "auditor", "scope": "x", "expiresDays": 0},
         ["user", "scope", "expiresDays"]),
        ({"user": "a", "role": "auditor", "colour": 1}, ["colour"]),
        ({"user": "a", "role": "auditor", "expiresDays": "many"}, ["expiresDays"]),
        ({"user": "a", "role": "auditor", "expiresDays": 10**30}, ["expiresDays"]),
        ({"user": "\x00", "role": "auditor"}, ["user"]),
        ({"user": "\ud800", "role": "auditor"}, ["user"]),
    ],
)  # fmt: skip
def test_faults_of_a_body_are_named_all_at_once(
    api: Any, body: dict[str, Any], fields: list[str]
) -> None:
    text = json.dumps(body)
    answer = api.call(
        "admin", "POST", "/v1/tokens", content=text, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    assert [fault["field"] for fault in error(answer)["diagnostics"]] == fields
    assert len(api.get("admin", "/v1/users").json()["items"]) == 1


def test_choices_are_listed_in_the_language_of_the_asker(api: Any) -> None:
    def said(language: str) -> str:
        body, headers = {"user": "a", "role": "xyz"}, {"Accept-Language": language}
        answer = api.call("admin", "POST", "/v1/tokens", json=body, headers=headers)
        return str(error(answer)["diagnostics"][0]["message"])

    assert "auditor" in said("zh")
    assert " or " not in said("zh")
    assert "auditor" in said("en")


@pytest.mark.guarantee("P2")
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b"{" * 20_000])
def test_what_is_no_body_is_refused(api: Any, content: bytes) -> None:
    answer = api.call(
        "admin",
        "POST",
        "/v1/tokens",
        content=content,
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code in (400, 422)
    assert error(answer)["message"]


def test_a_request_that_is_too_large_is_refused_whatever_it_says(api: Any) -> None:
    large = b"x" * (MAX_BODY + 1)
    answer = api.call("admin", "POST", "/v1/tokens", content=large)
    assert (answer.status_code, error(answer)["reason"]) == (413, "too-large")
    answer = api.call(
        "admin", "POST", "/v1/tokens", content=large, headers={"Content-Length": "10"}
    )
    assert answer.status_code == 413
    answer = api.call(
        "admin", "POST", "/v1/tokens", content=b"{}", headers={"Content-Length": str(10**9)}
    )
    assert answer.status_code == 413
    assert api.call("", "POST", "/v1/tokens", content=large).status_code == 401


@pytest.mark.guarantee("P4")
@pytest.mark.parametrize(
    ("header", "word"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "审计"),
        ("en", "auditor"),
        ("fr, zh;q=0.5", "审计"),
        ("en;q=0.1, zh;q=0.9", "审计"),
        ("zh;q=0, en;q=0.2", "auditor"),
        ("*;q=x,,;;", "auditor"),
        ("", "auditor"),
    ],
)
def test_errors_speak_the_readers_language(api: Any, header: str, word: str) -> None:
    body = {"user": "a"}
    answer = api.post("admin", "/v1/tokens", body, headers={"Accept-Language": header})
    (fault,) = error(answer)["diagnostics"]
    assert ("是新用户" if word == "审计" else "is new") in fault["message"]


@pytest.mark.guarantee("P2")
def test_unknown_parameters_paths_and_methods_are_named(api: Any) -> None:
    answer = api.get("admin", "/v1/audit?actr=x")
    assert answer.status_code == 400
    assert error(answer)["params"]["meant"] == "actor"
    assert error(api.get("admin", "/v1/version?zzz=1"))["key"] == "errors.unknown_parameter"
    assert api.get("admin", "/v1/nothing").status_code == 404
    answer = api.call("admin", "PUT", "/v1/tokens")
    assert (answer.status_code, error(answer)["reason"]) == (405, "method-not-allowed")
    assert error(api.get("admin", "/v1/objects/virtualmachin"))["params"]["meant"]


@pytest.mark.guarantee("P2")
@pytest.mark.parametrize(
    "path",
    [
        "/v1/objects/vm?limit=0",
        "/v1/objects/vm?limit=1001",
        "/v1/objects/vm?limit=many",
        "/v1/objects/vm?continue=!",
        "/v1/objects/vm?continue=WzFd",
        "/v1/audit?continue=WzEwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDBd",
        "/v1/audit?continue=WyJ4Il0",
        "/v1/objects/vm?labels=a",
        "/v1/objects/vm?department=%00",
        "/v1/objects/vm/%00",
        "/v1/explain?path=",
        "/v1/explain?path=" + "." * 299,
        "/v1/schema/%F0%9F%92%A9",
    ],
)
def test_odd_parameters_are_the_callers_fault_and_no_crash(api: Any, path: str) -> None:
    answer = api.get("admin", path)
    assert 400 <= answer.status_code < 500
    assert error(answer)["message"]


@pytest.mark.guarantee("P2")
def test_what_nobody_foresaw_gets_a_number_and_no_traceback(
    api: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(meta, "described", lambda *_: 1 / 0)
    with caplog.at_level(logging.ERROR, logger="govcloud.api"):
        answer = api.get("admin", "/v1/kinds")
    assert answer.status_code == 500
    number = error(answer)["params"]["id"]
    assert "ZeroDivision" not in answer.text
    assert "Traceback" not in answer.text
    assert number in caplog.text
    assert caplog.text.count("Traceback") == 1


def test_answers_are_not_stored_on_the_way(api: Any) -> None:
    for answer in (api.get("admin", "/v1/whoami"), api.get("", "/v1/whoami")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.guarantee("P5")
def test_there_are_no_pages_that_load_scripts_from_elsewhere(api: Any) -> None:
    for path in ("/docs", "/redoc", "/docs/oauth2-redirect"):
        assert api.get("admin", path).status_code == 404


@pytest.mark.guarantee("P2")
def test_a_database_that_cannot_be_used_is_a_clear_answer(api: Any) -> None:
    from sqlalchemy import text

    with api.wired.database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE tokens RENAME TO lost"))
    answer = api.get("admin", "/v1/whoami")
    with api.wired.database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE lost RENAME TO tokens"))
    assert answer.status_code in (500, 503)
    assert "Traceback" not in answer.text
    assert "SELECT" not in answer.text


def test_many_callers_at_once_each_get_an_answer_and_the_chain_holds(api: Any) -> None:
    application = bootstrap.app(api.wired)

    def make(number: int) -> int:
        body = {"user": f"user-{number % 7}", "role": "auditor"}
        headers = {"Authorization": f"Bearer {api.tokens['admin']}"}
        with httpx.Client(transport=InProcess(application), base_url="http://localhost") as http:
            return http.post("/v1/tokens", json=body, headers=headers).status_code

    with ThreadPoolExecutor(24) as pool:
        assert set(pool.map(make, range(60))) == {201}
    assert len(api.get("admin", "/v1/tokens").json()["items"]) == 61
    assert api.post("admin", "/v1/audit/verify").json()["ok"]


@pytest.mark.guarantee("P2")
def test_a_database_without_a_free_connection_is_a_clear_answer(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    database.engine.pool._timeout = 0.1
    with pytest.raises(UnavailableError) as caught:
        _take_all(database)
    assert caught.value.key == "errors.database_busy"
    database.close()


def _take_all(database: Database) -> None:
    with ExitStack() as held:
        while True:
            held.enter_context(database.reading()).connection()
