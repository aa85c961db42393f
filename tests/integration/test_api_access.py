"""Who may call what, and what a department gets to see: every route, every role (P1)."""

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any, Final

import httpx
import pytest
from sqlmodel import SQLModel, select

from cli.local import InProcess
from govcloud import bootstrap
from govcloud.api.app import create_app, routes
from govcloud.api.security import NEEDS, WHOLE
from govcloud.domain.access import GRANTS, Actor, Permission, Role
from govcloud.domain.kinds.registry import KINDS
from govcloud.ports.ledger import Demand, LimitFact
from govcloud.store.tables import (
    ClaimRow,
    CloudRow,
    DecisionRow,
    DriftRow,
    EventRow,
    MoveRow,
    MoveStepRow,
    MoveWishRow,
    ObjectRow,
    RequestRow,
)

OWN, OTHER = "dept-own", "dept-other"
MARK: Final = {OWN: "MARKOWN", OTHER: "MARKOTHER"}
"""What stands in everything that a department has, and in nothing that anybody types."""
ADMIN = Actor("admin", Role.ADMINISTRATOR)

FILES = {"files": [{"name": "a.yaml", "text": ""}]}
CASES: Final[dict[tuple[str, str], tuple[str, Any]]] = {
    ("GET", "/v1/version"): ("/v1/version", None),
    ("GET", "/v1/whoami"): ("/v1/whoami", None),
    ("GET", "/v1/doctor"): ("/v1/doctor", None),
    ("GET", "/v1/kinds"): ("/v1/kinds", None),
    ("GET", "/v1/schema"): ("/v1/schema", None),
    ("GET", "/v1/schema/{kind}"): ("/v1/schema/vm", None),
    ("GET", "/v1/explain"): ("/v1/explain?path=vm", None),
    ("POST", "/v1/plan"): ("/v1/plan", FILES),
    ("POST", "/v1/requests"): ("/v1/requests", FILES),
    ("GET", "/v1/requests"): ("/v1/requests?state=all", None),
    ("GET", "/v1/requests/{request_id}"): ("/v1/requests/REQ-{d}", None),
    ("POST", "/v1/requests/{request_id}/approve"): ("/v1/requests/REQ-{d}/approve", {}),
    ("POST", "/v1/requests/{request_id}/reject"): (
        "/v1/requests/REQ-{d}/reject", {"note": "no"}),
    ("POST", "/v1/requests/{request_id}/return"): (
        "/v1/requests/REQ-{d}/return", {"note": "no"}),
    ("POST", "/v1/requests/{request_id}/withdraw"): ("/v1/requests/REQ-{d}/withdraw", {}),
    ("POST", "/v1/requests/{request_id}/add-reviewer"): (
        "/v1/requests/REQ-{d}/add-reviewer", {"role": "operator"}),
    ("POST", "/v1/requests/{request_id}/reassign"): (
        "/v1/requests/REQ-{d}/reassign", {"role": "operator"}),
    ("POST", "/v1/requests/{request_id}/send-back"): (
        "/v1/requests/REQ-{d}/send-back", {"note": "no"}),
    ("POST", "/v1/requests/{request_id}/confirm-condition"): (
        "/v1/requests/REQ-{d}/confirm-condition", {}),
    ("POST", "/v1/apply"): ("/v1/apply", FILES),
    ("POST", "/v1/delete"): ("/v1/delete", {"objects": [{"kind": "image", "name": "none"}]}),
    ("GET", "/v1/objects/{kind}"): ("/v1/objects/vm?department={d}", None),
    ("GET", "/v1/objects/{kind}/{name}"): ("/v1/objects/vm/virtualmachine?department={d}", None),
    ("GET", "/v1/objects/{kind}/{name}/events"): (
        "/v1/objects/vm/virtualmachine/events?department={d}", None),
    ("POST", "/v1/objects/{kind}/{name}/retry"): (
        "/v1/objects/vm/virtualmachine/retry?department={d}", {}),
    ("POST", "/v1/objects/{kind}/{name}/rebuild"): (
        "/v1/objects/vm/virtualmachine/rebuild?department={d}", {"reason": "data saved"}),
    ("POST", "/v1/objects/{kind}/{name}/kubeconfig"): (
        "/v1/objects/vm/virtualmachine/kubeconfig?department={d}", {}),
    ("GET", "/v1/use"): ("/v1/use?uids=none", None),
    ("POST", "/v1/objects/{kind}/{name}/confirm"): (
        "/v1/objects/vm/virtualmachine/confirm?department={d}", {"reason": "data saved"}),
    ("POST", "/v1/objects/{kind}/{name}/stop"): (
        "/v1/objects/vm/virtualmachine/stop?department={d}", {}),
    ("POST", "/v1/objects/{kind}/{name}/start"): (
        "/v1/objects/vm/virtualmachine/start?department={d}", {}),
    ("POST", "/v1/objects/{kind}/{name}/reboot"): (
        "/v1/objects/vm/virtualmachine/reboot?department={d}", {}),
    ("GET", "/v1/objects/{kind}/{name}/console-log"): (
        "/v1/objects/vm/virtualmachine/console-log?department={d}", None),
    ("GET", "/v1/clouds/{name}/discovery"): ("/v1/clouds/sim/discovery", None),
    ("POST", "/v1/clouds/{name}/adoption"): ("/v1/clouds/sim/adoption", {
        "resource": "none", "kind": "vm", "name": "a", "department": OWN, "system": "s"}),
    ("GET", "/v1/unmanaged"): ("/v1/unmanaged", None),
    ("POST", "/v1/clouds/{name}/resume"): ("/v1/clouds/gov/resume", {"reason": "really lost"}),
    ("POST", "/v1/objects/{kind}/{name}/force"): (
        "/v1/objects/vm/virtualmachine/force?department={d}", {"reason": "scrapped"}),
    ("POST", "/v1/objects/{kind}/{name}/abandon"): (
        "/v1/objects/vm/virtualmachine/abandon?department={d}", {"reason": "scrapped"}),
    ("GET", "/v1/migrations"): ("/v1/migrations", None),
    ("POST", "/v1/migrations/weigh"): (
        "/v1/migrations/weigh", {"systems": [{"department": OTHER, "system": "system"}]}),
    ("GET", "/v1/migrations/{department}/{system}"): ("/v1/migrations/{d}/system", None),
    ("GET", "/v1/migrations/{department}/{system}/journal"): (
        "/v1/migrations/{d}/system/journal", None),
    ("GET", "/v1/migrations/{department}/{system}/evidence/{number}"): (
        "/v1/migrations/{d}/system/evidence/2", None),
    ("POST", "/v1/migrations/{department}/rooms/{room}/close"): (
        "/v1/migrations/{d}/rooms/serverroom/close", {"evidence": "no", "confirmed_by": "no"}),
    **{
        ("POST", f"/v1/migrations/{{department}}/{{system}}/{verb}"): (
            f"/v1/migrations/{{d}}/system/{verb}", {})
        for verb in ("run", "pause", "resume", "cutover", "verify", "rollback", "accept")
    },
    ("POST", "/v1/migrations/{department}/{system}/abandon"): (
        "/v1/migrations/{d}/system/abandon", {"part": "data", "note": "gone"}),
    ("POST", "/v1/migrations/{department}/{system}/source-off"): (
        "/v1/migrations/{d}/system/source-off", {"host": "legacyhost"}),
    ("GET", "/v1/quota/tree"): ("/v1/quota/tree", None),
    ("GET", "/v1/quota/{department}"): ("/v1/quota/{d}", None),
    ("POST", "/v1/quota/check"): ("/v1/quota/check", {}),
    ("GET", "/v1/drift"): ("/v1/drift?department={d}", None),
    ("GET", "/v1/events"): ("/v1/events?department={d}", None),
    ("GET", "/v1/reports/on-cloud-rate"): ("/v1/reports/on-cloud-rate?department={d}", None),
    ("GET", "/v1/reports/on-cloud-rate/explain"): (
        "/v1/reports/on-cloud-rate/explain?department={d}", None),
    ("GET", "/v1/reports/opening-time"): ("/v1/reports/opening-time?department={d}", None),
    ("GET", "/v1/reports/facts/{number}"): ("/v1/reports/facts/1", None),
    ("GET", "/v1/audit"): ("/v1/audit", None),
    ("POST", "/v1/audit/verify"): ("/v1/audit/verify", {}),
    ("GET", "/v1/users"): ("/v1/users", None),
    ("GET", "/v1/tokens"): ("/v1/tokens", None),
    ("POST", "/v1/tokens"): ("/v1/tokens", {"user": "new-one", "role": "auditor"}),
    ("DELETE", "/v1/tokens/{token_id}"): ("/v1/tokens/tk-none", None),
}  # fmt: skip
"""For each route a call; {d} is a department."""

READING_POSTS: Final = {
    ("POST", "/v1/quota/check"), ("POST", "/v1/audit/verify"), ("POST", "/v1/migrations/weigh"),
}  # fmt: skip
CHANGING: Final = [key for key in NEEDS if key[0] != "GET" and key not in READING_POSTS]


def test_the_table_of_routes_is_complete_both_ways() -> None:
    from govcloud.settings import Settings

    wired = bootstrap.services(Settings(None, None, "sqlite://"))
    paths = routes(wired).openapi()["paths"]
    there = {
        (method.upper(), path)
        for path, methods in paths.items()
        for method in methods
        if path != "/healthz"
    }
    assert there == set(NEEDS)
    assert set(CASES) == set(NEEDS)


def test_each_route_is_found_when_it_is_the_first_that_is_called(world: Any) -> None:
    """A command's application takes in only the area that it calls."""
    token = world.tokens["administrator"]
    for key in NEEDS:
        application = create_app(world.wired, eager=False)
        with httpx.Client(transport=InProcess(application), base_url="http://localhost") as http:
            url, body = CASES[key]
            answer = http.request(
                key[0], url.format(d=OWN), json=body, headers={"Authorization": f"Bearer {token}"}
            )
        assert "no_such_path" not in answer.text, key
        assert "no_such_method" not in answer.text, key


def test_a_route_that_is_not_in_the_table_cannot_be_made() -> None:
    from govcloud.api.security import GuardedRoute

    with pytest.raises(KeyError):
        GuardedRoute("/v1/forgotten", lambda: None, methods=["GET"])


@pytest.mark.guarantee("P1")
def test_without_a_token_nothing_answers(world: Any) -> None:
    for method, path in NEEDS:
        answer = world.call("", method, CASES[method, path][0].format(d=OWN), json={})
        assert answer.status_code == 401, path


@pytest.mark.guarantee("P1")
@pytest.mark.parametrize("role", list(Role), ids=str)
@pytest.mark.parametrize("scope", ["full", "read"])
def test_each_role_may_call_what_the_table_says_and_nothing_else(
    world: Any, role: Role, scope: str
) -> None:
    user = role.value if scope == "full" else f"{role.value}/read"
    actor = Actor("x", role, read_only=scope == "read")
    for key, needs in NEEDS.items():
        url, body = CASES[key]
        answer = world.call(user, key[0], url.format(d=OWN), json=body)
        if any(actor.may(permission) for permission in needs):
            allowed = answer.status_code != 403 or answer.json()["error"]["key"].startswith(
                "requests."
            )
            assert allowed, (key, answer.text)
            assert answer.status_code < 500, (key, answer.text)
        else:
            assert answer.status_code == 403, (key, answer.text)


@pytest.mark.guarantee("P1")
@pytest.mark.parametrize("user", ["auditor", "auditor/read", "administrator/read", "applicant/read",
                                  "operator/read", "approver/read"])  # fmt: skip
def test_auditors_and_read_only_tokens_change_nothing(world: Any, user: str) -> None:
    before = snapshot(world)
    for key in CHANGING:
        url, body = CASES[key]
        for department in (OWN, OTHER):
            answer = world.call(user, key[0], url.format(d=department), json=body)
            assert answer.status_code == 403, (key, answer.text)
    assert snapshot(world) == before


@pytest.mark.guarantee("P1")
def test_reading_changes_nothing_whoever_reads(world: Any) -> None:
    before = snapshot(world)
    for role in Role:
        for key in NEEDS:
            if key[0] == "GET" or key in READING_POSTS:
                world.call(
                    role.value, key[0], CASES[key][0].format(d=OWN), json=CASES[key][1] or {}
                )
    assert snapshot(world) == before


@pytest.mark.guarantee("P1")
@pytest.mark.parametrize("user", ["applicant", "applicant/read", "nobody"])
def test_a_department_never_gets_a_byte_of_another_ones(world: Any, user: str) -> None:
    for method, url, body in prying():
        answer = world.call(user, method, url, json=body)
        assert MARK[OTHER] not in answer.text, url
        assert MARK[OTHER].encode() not in answer.content, url
        if OTHER not in url and OTHER not in json.dumps(body):
            assert OTHER not in answer.text, url


@pytest.mark.guarantee("P1")
@pytest.mark.parametrize("role", [Role.AUDITOR, Role.OPERATOR, Role.APPROVER], ids=str)
def test_nor_does_anybody_who_audits_operates_or_approves_for_one(world: Any, role: Role) -> None:
    world.token(f"{role.value}-one", role, OWN)
    for method, url, body in prying():
        answer = world.call(f"{role.value}-one", method, url, json=body)
        assert MARK[OTHER] not in answer.text, url
        assert MARK[OTHER].encode() not in answer.content, url
    for key in WHOLE:
        url, body = CASES[key]
        answer = world.call(f"{role.value}-one", key[0], url.format(d=OWN), json=body)
        assert answer.status_code == 403, (key, answer.text)


@pytest.mark.guarantee("P1")
def test_a_department_sees_its_own_and_the_city_sees_all(world: Any) -> None:
    """The control of the test above: the marks are there to be found."""
    seen = {"applicant": set(), "auditor": set()}
    for user, marks in seen.items():
        for method, url, body in prying():
            if MARK[OWN] in world.call(user, method, url.replace(OTHER, OWN), json=body).text:
                marks.add(url.split("?")[0])
    expected = {f"/v1/objects/{kind.name}" for kind in KINDS.values() if kind.owned}
    expected |= {"/v1/requests", f"/v1/requests/REQ-{OTHER}", "/v1/drift", "/v1/events"}
    expected |= {"/v1/quota/tree", f"/v1/quota/{OTHER}", "/v1/objects/Quota", "/v1/objects/Waiver"}
    expected |= {"/v1/reports/on-cloud-rate", "/v1/reports/on-cloud-rate/explain"}
    migration = f"/v1/migrations/{OTHER}/system"
    expected |= {"/v1/migrations", migration, f"{migration}/journal", f"{migration}/evidence/2"}
    for user, marks in seen.items():
        assert expected <= marks, (user, expected - marks)
    everything = "".join(
        world.call("auditor", method, url, json=body).text for method, url, body in prying()
    )
    assert MARK[OTHER] in everything


@pytest.mark.guarantee("P1")
def test_who_audits_or_approves_for_a_node_gets_the_figures_of_what_is_below_it(world: Any) -> None:
    path = "/v1/reports/on-cloud-rate"
    for role in (Role.AUDITOR, Role.APPROVER):
        world.token(f"{role.value}-city", role, "city")
        world.token(f"{role.value}-own", role, OWN)
        whole = world.get(f"{role.value}-city", path).json()
        assert {OWN, OTHER} <= {row["department"] for row in whole["rows"]}
        part = world.get(f"{role.value}-city", f"{path}?department={OTHER}").json()
        assert [row["department"] for row in part["rows"]] == [OTHER]
        own = world.get(f"{role.value}-own", path)
        assert [row["department"] for row in own.json()["rows"]] == [OWN]
        assert MARK[OTHER] not in own.text
        for beyond in (OTHER, "city"):
            for what in (path, f"{path}/explain"):
                answer = world.get(f"{role.value}-own", f"{what}?department={beyond}")
                assert answer.status_code == 404, answer.text


def test_where_a_cloud_is_is_no_business_of_departments(world: Any) -> None:
    spec = world.get("applicant", "/v1/objects/cloud/sim").json()["spec"]
    assert "connection" not in spec
    assert spec["provider"] == "simulated"
    assert "SECRETPLACE" in world.get("operator", "/v1/objects/cloud/sim").text


def test_what_is_nobodys_is_shown_to_those_who_see_all(world: Any) -> None:
    assert "stranger-1" in world.get("operator", "/v1/drift").text
    assert "stranger-1" not in world.get("applicant", "/v1/drift").text


def prying() -> Iterator[tuple[str, str, Any]]:
    """Every call that might give away something of the other department."""
    for key, (url, body) in CASES.items():
        if key[0] == "GET":
            yield key[0], url.format(d=OTHER), None
            yield key[0], url.split("?")[0].format(d=OTHER), None
        elif "{request_id}" in key[1] or key[1].endswith("/weigh"):
            yield key[0], url.format(d=OTHER), body
    for kind in KINDS.values():
        name = kind.name.lower()
        yield "GET", f"/v1/objects/{kind.name}", None
        yield "GET", f"/v1/objects/{kind.name}?department={OTHER}", None
        yield "GET", f"/v1/objects/{kind.name}?system=system&cloud=sim&zone=z1", None
        for where in ("", f"?department={OTHER}"):
            for wanted in (name, f"{name}-{OTHER}", OTHER):
                yield "GET", f"/v1/objects/{kind.name}/{wanted}{where}", None
                yield "GET", f"/v1/objects/{kind.name}/{wanted}/events{where}", None
        release = [{"kind": kind.name, "name": name, "department": OTHER}]
        yield "POST", "/v1/plan", {"files": [], "releases": release}
        yield "POST", "/v1/requests", {"files": [], "releases": release}
    for state in ("open", "review", "fulfilled", "all"):
        yield "GET", f"/v1/requests?state={state}&department={OTHER}", None
    yield "GET", "/v1/quota/tree?cloud=sim&zone=z1", None
    for form in ("json", "csv", "xlsx"):
        yield "GET", f"/v1/reports/on-cloud-rate?format={form}", None
        yield "GET", f"/v1/reports/on-cloud-rate?format={form}&department={OTHER}", None
    for metric in ("MET-1", "MET-1a", "MET-3", "MET-3a", "MET-4", "MET-5"):
        yield "GET", f"/v1/reports/on-cloud-rate/explain?metric={metric}", None
        yield "GET", f"/v1/reports/on-cloud-rate/explain?metric={metric}&department={OTHER}", None
    for number in range(1, 60):
        yield "GET", f"/v1/reports/facts/{number}", None
    text = VM.format(department=OTHER)
    yield "POST", "/v1/plan", {"files": [{"name": "x.yaml", "text": text}]}
    yield "POST", "/v1/requests", {"files": [{"name": "x.yaml", "text": text}]}
    yield "POST", "/v1/requests", {"files": [], "replaces": f"REQ-{OTHER}"}
    yield "POST", "/v1/requests", {"files": [], "idempotencyKey": f"key-{OTHER}"}


VM = """
apiVersion: govcloud.io/v1
kind: VirtualMachine
metadata: {{name: virtualmachine, department: {department}}}
spec: {{system: system, zone: z1, flavor: f1, image: i1}}
"""

IGNORED: Final = {"audit", "chain", "alembic_version"}


def snapshot(world: Any) -> dict[str, list[Any]]:
    """The contents of every table but the log."""
    with world.wired.store.reading() as session:
        return {
            name: sorted(map(repr, session.execute(select(table)).all()))
            for name, table in SQLModel.metadata.tables.items()
            if name not in IGNORED
        }


@dataclass
class Seed:
    """Writes everything that two departments can have."""

    api: Any

    def run(self) -> None:
        """Write platform objects, both departments, and what the controller would write."""
        self.now = self.api.wired.store.clock.now()
        self._platform()
        for department in (OWN, OTHER):
            self._department(department)
        self._ledger()

    def _object(self, kind: str, name: str, spec: dict[str, Any], **values: Any) -> ObjectRow:
        department = values.get("department", "")
        row = ObjectRow(
            uid=sha256(f"{kind}/{department}/{name}".encode()).hexdigest()[:32],
            kind=kind,
            name=name,
            spec=KINDS[kind].spec.model_validate(spec).plain(),
            digest="0" * 64,
            created_at=self.now,
            updated_at=self.now,
            **values,
        )
        with self.api.wired.store.unit(ADMIN) as unit:
            unit.session.add(row)
            unit.session.flush()
            unit.fact(row)
            unit.audit("object.apply", f"{kind}/{name}", department=department)
        return row

    def _platform(self) -> None:
        self._object("Department", "city", {"level": "city"})
        for name in (OWN, OTHER):
            spec = {"level": "department", "parent": "city"}
            self._object("Department", name, spec, display_name=MARK[name])
        connection = {"url": "SECRETPLACE"}
        self._object("Cloud", "sim", {"provider": "simulated", "connection": connection})
        self._object("Zone", "z1", {"cloud": "sim", "type": "production", "mlpsLevel": 2})
        self._object("Flavor", "f1", {"vcpu": 2, "memory": "4Gi"})
        self._object("Image", "i1", {"os": "Linux"})
        units = [
            {"department": name, "usesGovernmentCloud": True, "keepsSelfBuiltRoom": True}
            for name in (OWN, OTHER)
        ]
        spec = {"title": "survey", "takenOn": "2026-01-01", "sampleSize": 2, "units": units}
        self._object("Survey", "survey", spec)
        with self.api.wired.store.unit(ADMIN) as unit:
            unit.session.add(CloudRow(cloud="sim", observed_at=self.now))
            unit.session.add(
                DriftRow(cloud="sim", resource="stranger-1", field="exists", mode="report",
                         since=self.now)
            )  # fmt: skip

    def _department(self, name: str) -> None:
        mark = MARK[name]
        for kind, spec in _owned(mark).items():
            row = self._object(
                kind,
                kind.lower(),
                spec,
                department=name,
                display_name=mark,
                labels={"mark": mark},
                annotations={"mark": mark},
                message=mark,
                cloud="sim",
                zone="z1",
                system="system",
                request_id=f"REQ-{name}",
                status={"resources": [{"id": mark}]},
            )
            self._seen(row, mark)
        for kind, spec in _subject(name, mark).items():
            row = self._object(kind, f"{kind.lower()}-{name}", spec, display_name=mark)
            if kind == "MigrationPlan":
                self._journal(row, name, mark)
        self._request(name, mark)

    def _seen(self, row: ObjectRow, mark: str) -> None:
        with self.api.wired.store.unit(ADMIN) as unit:
            unit.session.add(EventRow(uid=row.uid, at=self.now, type="Normal", reason="Seen",
                                      message=mark))  # fmt: skip
            unit.session.add(
                DriftRow(cloud="sim", resource=f"r-{row.uid}", field="name", uid=row.uid,
                         department=row.department, wanted=mark, found=mark, mode="heal",
                         since=self.now)
            )  # fmt: skip

    def _journal(self, plan: ObjectRow, name: str, mark: str) -> None:
        """Write a migration that is at its first step."""
        with self.api.wired.store.unit(ADMIN) as unit:
            unit.session.add_all([
                MoveRow(uid=plan.uid, department=name, system="system", plan=plan.name, counter=2,
                        run=1, begun=1, live=True, word="working", step="preflight", task=mark,
                        began_at=self.now),
                MoveWishRow(uid=plan.uid, number=1, at=self.now, verb="run", actor=f"clerk-{mark}",
                            role="operator", department=name, note=mark),
                MoveStepRow(uid=plan.uid, number=2, run=1, step="preflight", part=mark, attempt=1,
                            digest="0" * 64, by="controller", began_at=self.now, message=mark,
                            evidence=zlib.compress(json.dumps({"task": mark}).encode())),
            ])  # fmt: skip

    def _request(self, name: str, mark: str) -> None:
        change = {
            "action": "create",
            "key": ["VirtualMachine", name, "virtualmachine"],
            "metadata": {"name": "virtualmachine", "department": name, "displayName": mark},
            "spec": _owned(mark)["VirtualMachine"],
            "digest": "0" * 64,
            "uid": "",
            "generation": 0,
            "fields": [{"path": "spec.justification", "before": None, "after": mark}],
            "demand": {"vms": 1},
            "price_before": 0,
            "price_after": 1,
            "before_digest": None,
            "supersedes": None,
        }
        with self.api.wired.store.unit(ADMIN) as unit:
            unit.session.add(
                RequestRow(
                    id=f"REQ-{name}",
                    seq=1 if name == OWN else 2,
                    department=name,
                    title=mark,
                    justification=mark,
                    state="review",
                    steps=[{"name": "admin-review", "role": "approver"}],
                    submitted_by=f"clerk-{mark}",
                    changes=[change],
                    digest="0" * 64,
                    idempotency_key=f"key-{name}",
                    created_at=self.now,
                    updated_at=self.now,
                )
            )
            unit.session.flush()
            unit.session.add(
                DecisionRow(request_id=f"REQ-{name}", at=self.now, step="", verdict="submit",
                            actor=f"clerk-{mark}", role="applicant", note=mark, digest="0")
            )  # fmt: skip
            unit.session.add(
                ClaimRow(kind="VirtualMachine", department=name, name="virtualmachine",
                         request_id=f"REQ-{name}")
            )  # fmt: skip
            unit.audit("request.submit", f"request/REQ-{name}", department=name,
                       detail={"mark": mark})  # fmt: skip

    def _ledger(self) -> None:
        wired = self.api.wired
        with wired.store.unit(ADMIN) as unit:
            parents = {"city": None, OWN: "city", OTHER: "city"}
            wired.ledger.revise(unit.session, self.now, parents=parents)
            for name in parents:
                fact = LimitFact("", name, "", "", "vms", 10, None, 0, False, 1.0, None, None)
                wired.ledger.revise(
                    unit.session, self.now, limits={f"q-{name}": [fact]}, force=True
                )
            for name in (OWN, OTHER):
                demand = Demand(f"u-{name}@1", f"u-{name}", name, "sim", "z1", {"vms": 2})
                later = self.now + timedelta(days=1)
                assert wired.ledger.reserve(unit.session, [demand], self.now, later).granted


def _owned(mark: str) -> dict[str, dict[str, Any]]:
    place = {"system": "system", "zone": "z1"}
    return {
        "System": {"code": mark, "description": mark,
                   "security": {"classified": False, "mlpsLevel": 2}},
        "ServerRoom": {"address": mark},
        "PrivateNetwork": {"evidence": mark},
        "LegacyHost": {"room": "serverroom", "os": mark},
        "VirtualMachine": {**place, "flavor": "f1", "image": "i1", "justification": mark},
        "Volume": {**place, "size": "1Gi"},
        "Namespace": {**place, "cpu": 1, "memory": "1Gi", "justification": mark},
    }  # fmt: skip


def _subject(department: str, mark: str) -> dict[str, dict[str, Any]]:
    of = {"department": department}
    return {
        "Quota": {**of, "limits": {"vms": 10}, "reason": mark},
        "Exemption": {**of, "system": "system", "reason": "legal", "note": mark,
                      "validFrom": "2026-01-01", "validUntil": "2026-12-31"},
        "Waiver": {**of, "rule": "NET-03", "approvedBy": mark, "approvedOn": "2026-01-01",
                   "validUntil": "2026-12-31", "reason": mark},
        "MigrationPlan": {**of, "system": "system", "note": mark},
    }  # fmt: skip


@pytest.fixture
def world(api: Any, clock: Any) -> Any:
    """Two departments with one of everything, and a user for each role and scope."""
    Seed(api).run()
    clock.advance(60)
    for role in Role:
        own = OWN if role is Role.APPLICANT else ""
        for scope in ("full", "read"):
            api.token(role.value, role, own, scope)
    api.token("nobody", Role.APPLICANT, "city")
    return api


def test_grants_keep_administering_approving_and_auditing_apart() -> None:
    assert Permission.DECIDE not in GRANTS[Role.AUDITOR]
    assert not GRANTS[Role.AUDITOR] & {
        Permission.APPLY, Permission.SUBMIT, Permission.OPERATE, Permission.USERS,
    }  # fmt: skip
    assert Permission.AUDIT not in GRANTS[Role.APPROVER]
