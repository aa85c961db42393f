"""The way of a request through the API: apply, plan, submit, decide, build, read, give back."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from govcloud.domain.access import Role
from govcloud.reconcile.controller import Controller
from govcloud.requests.fulfilment import settle
from govcloud.store.tables import ChainRow
from govcloud.testing.lab import ADMIN

PLATFORM = """
apiVersion: govcloud.io/v1
kind: Department
metadata: {name: city, displayName: 常熟市}
spec: {level: city}
---
apiVersion: govcloud.io/v1
kind: Department
metadata: {name: hrss, displayName: 人社局}
spec: {level: department, parent: city}
---
apiVersion: govcloud.io/v1
kind: Department
metadata: {name: civil, displayName: 民政局}
spec: {level: department, parent: city}
---
apiVersion: govcloud.io/v1
kind: Cloud
metadata: {name: sim}
spec: {provider: simulated, mlpsLevel: 3, connection: {latency: "0"}}
---
apiVersion: govcloud.io/v1
kind: Zone
metadata: {name: pub3}
spec: {cloud: sim, type: extranet-public, mlpsLevel: 3}
---
apiVersion: govcloud.io/v1
kind: Flavor
metadata: {name: c2m4}
spec: {vcpu: 2, memory: 4Gi, price: 100}
---
apiVersion: govcloud.io/v1
kind: Image
metadata: {name: kylin}
spec: {os: Kylin V10}
---
apiVersion: govcloud.io/v1
kind: Quota
metadata: {name: city}
spec: {department: city, limits: {vms: 100, vcpu: 400, memory: 1Ti, disk.hdd: 10Ti, volumes: 100}}
---
apiVersion: govcloud.io/v1
kind: Quota
metadata: {name: hrss}
spec: {department: hrss, limits: {vms: 3, vcpu: 100, memory: 512Gi, disk.hdd: 5Ti, volumes: 50}}
"""

SYSTEM = """
apiVersion: govcloud.io/v1
kind: System
metadata: {name: portal, department: hrss, displayName: 门户}
spec:
  code: CS-1
  security:
    classified: false
    mlpsLevel: 3
    filingNo: F-1
    filingDate: "2026-01-01"
    assessmentDate: "2026-06-01"
    cryptoAssessmentDate: "2026-06-01"
  project: {id: P-1, phase: 运维}
"""

MACHINE = """
apiVersion: govcloud.io/v1
kind: VirtualMachine
metadata: {{name: web, department: hrss}}
spec: {{system: portal, zone: pub3, flavor: c2m4, image: kylin, count: {count}}}
"""


def files(*texts: str) -> dict[str, Any]:
    return {"files": [{"name": f"{n}.yaml", "text": text} for n, text in enumerate(texts)]}


@pytest.fixture
def city(api: Any) -> Any:
    """A city with its platform applied, an applicant, an approver and an auditor."""
    answer = api.post("admin", "/v1/apply", files(PLATFORM))
    assert answer.status_code == 200, answer.text
    assert answer.json()["summary"]["create"] == 9
    api.token("clerk", Role.APPLICANT, "hrss")
    api.token("colleague", Role.APPLICANT, "hrss")
    api.token("stranger", Role.APPLICANT, "civil")
    api.token("approver", Role.APPROVER)
    api.token("auditor", Role.AUDITOR)
    return api


def submitted(city: Any, count: int = 2, **more: Any) -> dict[str, Any]:
    answer = city.post("clerk", "/v1/requests", files(SYSTEM, MACHINE.format(count=count)) | more)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def build(city: Any, rounds: int = 40) -> None:
    """Let a controller work, turning the clock, until no request is being provisioned."""
    wired = city.wired
    controller = Controller(wired.store, wired.ledger, wired.provisioner, "test", on_settled=settle)
    try:
        for _ in range(rounds):
            controller.pass_once("sim")
            controller.work_once("sim")
            if not city.get("admin", "/v1/requests?state=provisioning").json()["items"]:
                return
            wired.clock.advance(1)
    finally:
        controller.close()
    raise AssertionError("not built")


def vms(lines: list[dict[str, Any]]) -> dict[str, Any]:
    (line,) = [one for one in lines if (one["class"], one["cloud"]) == ("vms", "")]
    return line


@pytest.mark.guarantee("R3")
def test_from_yaml_to_fulfilled_and_back(city: Any) -> None:
    planned = city.post("clerk", "/v1/plan", files(SYSTEM, MACHINE.format(count=2))).json()
    assert planned["summary"] == {"create": 2, "change": 0, "release": 0, "unchanged": 0}
    assert planned["refusals"] == []

    request = submitted(city, title="门户", justification="对外服务")
    assert (request["state"], request["title"]) == ("review", "门户")
    assert request["digest"] == planned["digest"]
    url = f"/v1/requests/{request['id']}"

    seen = {"version": request["version"], "digest": request["digest"], "note": "同意"}
    answer = city.post("approver", f"{url}/approve", seen)
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "provisioning"
    line = vms(city.get("clerk", "/v1/quota/hrss").json()["lines"])
    assert (line["reserved"], line["allocated"], line["available"]) == (2, 0, 1)
    assert (line["binding"]["department"], line["left"]) == ("hrss", 1)

    build(city)
    done = city.get("clerk", url).json()
    assert done["state"] == "fulfilled"
    assert done["progress"]["ready"] == done["progress"]["total"] == 2
    assert done["decisions"][-1]["note"] == "同意"
    machine = city.get("clerk", "/v1/objects/vm/web").json()
    assert machine["status"]["ready"] is True
    assert machine["metadata"]["requestId"] == request["id"]
    assert city.get("clerk", "/v1/objects/vm/web/events").json()["items"]
    assert city.post("admin", "/v1/quota/check").json() == {"ok": True, "differences": []}
    nodes = {n["department"]: n for n in city.get("admin", "/v1/quota/tree").json()["nodes"]}
    line = vms(nodes["hrss"]["lines"])
    assert (line["allocated"], line["reserved"], line["show"]["limit"]) == (2, 0, "3")
    assert [nodes[name]["depth"] for name in ("city", "hrss")] == [0, 1]

    release = {"files": [], "releases": [{"kind": "云主机", "name": "web"}]}
    back = city.post("clerk", "/v1/requests", release)
    assert back.status_code == 201, back.text
    assert city.post("approver", f"/v1/requests/{back.json()['id']}/approve").status_code == 200
    build(city)
    assert city.get("clerk", "/v1/objects/vm/web").status_code == 404
    assert city.post("auditor", "/v1/audit/verify").json()["ok"]


LENDING = """
apiVersion: govcloud.io/v1
kind: Department
metadata: {name: county, displayName: 县}
spec: {level: county, parent: city}
---
apiVersion: govcloud.io/v1
kind: Department
metadata: {name: keeper, displayName: 甲局}
spec: {level: department, parent: county}
---
apiVersion: govcloud.io/v1
kind: Department
metadata: {name: borrower, displayName: 乙局}
spec: {level: department, parent: county}
---
apiVersion: govcloud.io/v1
kind: Quota
metadata: {name: county}
spec: {department: county, limits: {vms: 6}}
---
apiVersion: govcloud.io/v1
kind: Quota
metadata: {name: keeper}
spec: {department: keeper, limits: {vms: 4}, borrow: {vms: 1}, lend: {vms: 2}}
---
apiVersion: govcloud.io/v1
kind: Quota
metadata: {name: borrower}
spec: {department: borrower, limits: {vms: 2}, borrow: {vms: 3}, lend: {vms: 0}}
"""


@pytest.mark.guarantee("Q6")
@pytest.mark.parametrize("department", ["keeper", "borrower"])
def test_what_is_left_is_without_what_siblings_keep(city: Any, department: str) -> None:
    answer = city.post("admin", "/v1/apply", files(LENDING))
    assert answer.status_code == 200, answer.text
    line = vms(city.get("admin", f"/v1/quota/{department}").json()["lines"])
    assert (line["binding"]["department"], line["left"]) == ("county", 4)


@pytest.mark.guarantee("Q4")
def test_a_refusal_names_level_class_and_numbers_in_the_readers_language(city: Any) -> None:
    content = files(SYSTEM, MACHINE.format(count=4))
    planned = city.post("clerk", "/v1/plan", content).json()
    (refusal,) = planned["refusals"]
    assert refusal["department"] == "hrss"
    answer = city.post("clerk", "/v1/requests", content, headers={"Accept-Language": "zh"})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["reason"] == "quota-exceeded"
    (refusal,) = error["details"]["refusals"]
    assert {"class": "vms", "limit": 3, "requested": 4, "available": 3}.items() <= refusal.items()
    assert refusal["message"]
    assert refusal["message"].isascii() is False


@pytest.mark.guarantee("P1")
def test_nobody_decides_on_their_own_and_nobody_else_sees_it(city: Any) -> None:
    url = f"/v1/requests/{submitted(city)['id']}"
    for user, status in (("clerk", 403), ("colleague", 403), ("stranger", 404), ("auditor", 403)):
        assert city.post(user, f"{url}/approve").status_code == status, user
    assert city.get("stranger", url).status_code == 404
    assert city.post("stranger", f"{url}/withdraw").status_code == 404
    assert city.get("clerk", url).json()["state"] == "review"


def test_an_administrator_does_not_decide_on_what_it_submitted(city: Any) -> None:
    made = city.post("admin", "/v1/requests", files(SYSTEM))
    assert made.status_code == 201, made.text
    answer = city.post("admin", f"/v1/requests/{made.json()['id']}/approve")
    assert answer.status_code == 403


def test_a_stale_decision_gets_a_conflict_and_changes_nothing(city: Any) -> None:
    request = submitted(city)
    url = f"/v1/requests/{request['id']}"
    for seen in ({"version": request["version"] + 1}, {"digest": "0" * 64}):
        answer = city.post("approver", f"{url}/approve", seen)
        assert answer.status_code == 409, answer.text
    assert city.post("approver", f"{url}/reject", {"note": "否"}).json()["state"] == "rejected"
    assert city.post("approver", f"{url}/approve").status_code == 409


def test_decisions_that_need_a_reason_ask_for_it(city: Any) -> None:
    url = f"/v1/requests/{submitted(city)['id']}"
    answer = city.post("approver", f"{url}/reject")
    assert answer.status_code == 422
    assert answer.json()["error"]["diagnostics"][0]["field"] == "note"
    assert city.post("approver", f"{url}/return", {"note": "补正"}).json()["state"] == "returned"
    assert city.post("clerk", f"{url}/withdraw").json()["state"] == "withdrawn"


def test_the_same_key_is_the_same_request(city: Any) -> None:
    first = submitted(city, idempotencyKey="once")
    again = submitted(city, idempotencyKey="once")
    assert first["id"] == again["id"]


@pytest.mark.guarantee("P2")
def test_faults_of_files_are_named_with_their_places_all_at_once(city: Any) -> None:
    broken = MACHINE.format(count="many") + "\n---\nkind: Nothing\n"
    answer = city.post("clerk", "/v1/plan", files(broken))
    assert answer.status_code == 422
    faults = answer.json()["error"]["diagnostics"]
    assert len(faults) >= 2
    for fault in faults:
        assert fault["file"] == "0.yaml"
        assert fault["line"]
        assert fault["message"]
    assert any(fault["field"] == "spec.count" for fault in faults)


@pytest.mark.guarantee("P2")
@pytest.mark.parametrize(
    ("url", "body"),
    [
        ("/v1/plan", {"files": "no"}),
        ("/v1/plan", {"file": []}),
        ("/v1/plan", {"files": [{"name": "a"}]}),
        ("/v1/plan", {"files": [], "releases": [{"kind": "vm"}]}),
        ("/v1/plan", {"files": [], "releases": [{"kind": "vm", "name": "x" * 300}]}),
        ("/v1/plan", {"files": [], "releases": [{"kind": "nothing", "name": "x"}]}),
        ("/v1/plan", {"files": [], "releases": [{"kind": "vm", "name": "none"}]}),
        ("/v1/plan", {"files": [{"name": "a", "text": "\x00"}]}),
        ("/v1/plan", {"files": [{"name": "\x00", "text": "a: b"}]}),
        ("/v1/requests", {"files": []}),
        ("/v1/requests", {"files": [], "title": "\x00"}),
        ("/v1/requests", {"files": [], "idempotencyKey": "k" * 65}),
        ("/v1/requests", {"files": [], "replaces": "REQ-none"}),
        ("/v1/requests/REQ-none/approve", {}),
        ("/v1/requests/REQ-none/approve", {"version": 2**70}),
        ("/v1/requests/REQ-none/reject", {"note": 3}),
    ],
)
def test_odd_bodies_are_the_callers_fault_and_no_crash(city: Any, url: str, body: Any) -> None:
    for user in ("clerk", "admin"):
        answer = city.post(user, url, body)
        assert 400 <= answer.status_code < 500, answer.text
        assert answer.json()["error"]["message"]
    assert city.get("admin", "/v1/requests?state=all").json()["total"] == 0


def test_the_queue_is_filtered_and_paged(city: Any) -> None:
    made = [submitted(city)["id"]]
    city.post("approver", f"/v1/requests/{made[0]}/reject", {"note": "否"})
    made.append(submitted(city)["id"])
    assert [r["id"] for r in city.get("admin", "/v1/requests").json()["items"]] == [made[1]]
    found = city.get("admin", "/v1/requests?state=all&limit=1").json()
    assert (found["total"], [r["id"] for r in found["items"]]) == (2, [made[1]])
    more = city.get("admin", f"/v1/requests?state=all&limit=1&continue={found['continue']}").json()
    assert [r["id"] for r in more["items"]] == [made[0]]
    assert more["continue"] is None
    assert city.get("stranger", "/v1/requests?state=all").json()["items"] == []
    assert city.get("admin", "/v1/requests?state=lost").status_code == 400


def test_pages_of_objects_are_complete(city: Any) -> None:
    seen, token = [], ""
    while True:
        found = city.get("admin", f"/v1/objects/dept?limit=2{token}").json()
        seen += [item["metadata"]["name"] for item in found["items"]]
        if found["continue"] is None:
            break
        token = f"&continue={found['continue']}"
    assert seen == ["city", "civil", "hrss"]


def test_a_dry_run_of_apply_changes_nothing_and_apply_again_writes_nothing(city: Any) -> None:
    more = PLATFORM.split("---")[1].replace("hrss", "newborn")
    found = city.post("admin", "/v1/apply", files(more) | {"dryRun": True}).json()
    assert found["summary"]["create"] == 1
    assert city.get("admin", "/v1/objects/dept/newborn").status_code == 404
    found = city.post("admin", "/v1/apply", files(PLATFORM)).json()
    assert found["summary"] == {"create": 0, "change": 0, "release": 0, "unchanged": 9}


def test_a_cloud_without_a_driver_is_refused_where_it_is_written(city: Any) -> None:
    cloud = (
        "apiVersion: govcloud.io/v1\nkind: Cloud\nmetadata: {name: new}\n"
        "spec:\n  provider: simulatde\n"
    )
    answer = city.post("admin", "/v1/apply", files(cloud))
    assert answer.status_code == 422, answer.text
    (fault,) = answer.json()["error"]["diagnostics"]
    assert (fault["file"], fault["line"], fault["column"]) == ("0.yaml", 5, 13)
    assert (fault["key"], fault["field"]) == ("api.no_such_driver_meant", "spec.provider")
    assert "simulated" in fault["remedy"]
    assert city.get("admin", "/v1/objects/cloud/new").status_code == 404


def test_a_stale_write_gets_a_conflict_and_no_update_is_lost(city: Any) -> None:
    seen = city.get("admin", "/v1/objects/flavor/c2m4").json()["metadata"]["version"]
    flavor = PLATFORM.split("---")[5]
    body = files(flavor.replace("100", "120")) | {
        "seen": [{"kind": "flavor", "name": "c2m4", "version": seen}]
    }
    assert city.post("admin", "/v1/apply", body).status_code == 200
    late = files(flavor.replace("100", "90")) | {"seen": body["seen"]}
    answer = city.post("admin", "/v1/apply", late)
    assert (answer.status_code, answer.json()["error"]["key"]) == (409, "errors.stale")
    assert city.get("admin", "/v1/objects/flavor/c2m4").json()["spec"]["price"] == 120


def test_what_is_referred_to_is_not_deleted(city: Any) -> None:
    body = {"objects": [{"kind": "cloud", "name": "sim"}]}
    used = city.post("admin", "/v1/delete", body)
    assert used.status_code == 409, used.text
    spare = PLATFORM.split("---")[1].replace("hrss", "newborn")
    city.post("admin", "/v1/apply", files(spare))
    gone = city.post("admin", "/v1/delete", {"objects": [{"kind": "dept", "name": "newborn"}]})
    assert gone.status_code == 200, gone.text
    assert city.get("admin", "/v1/objects/dept/newborn").status_code == 404


def test_doctor_says_what_is_there_and_what_is_missing(city: Any) -> None:
    checks = {c["check"]: c for c in city.get("admin", "/v1/doctor").json()["checks"]}
    assert checks["database"]["status"] == "ok"
    assert checks["cloud/sim"]["status"] in ("ok", "warn"), checks["cloud/sim"]
    assert checks["controller/sim"]["status"] == "warn"
    assert checks["controller/sim"]["remedy"]
    build(city)
    checks = {c["check"]: c for c in city.get("admin", "/v1/doctor").json()["checks"]}
    assert checks["controller/sim"]["status"] == "ok", checks
    assert checks["clock"]["status"] == "ok"
    assert {c["check"] for c in city.get("clerk", "/v1/doctor").json()["checks"]} == {"token"}
    with city.wired.store.unit(ADMIN) as unit:
        unit.session.execute(update(ChainRow).values(at=unit.now + timedelta(days=30)))
    found = city.get("admin", "/v1/doctor").json()
    (check,) = [check for check in found["checks"] if check["check"] == "clock"]
    assert (found["ok"], check["status"]) == (False, "fail")
    assert "a clock was ahead" in check["message"]


@pytest.mark.guarantee("R6")
def test_doctor_survives_whatever_a_driver_throws(
    city: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumble(*_args: object) -> None:
        raise KeyError("odd")

    monkeypatch.setattr(type(city.wired), "provisioner", stumble)
    checks = {c["check"]: c for c in city.get("admin", "/v1/doctor").json()["checks"]}
    assert checks["cloud/sim"]["status"] == "fail"
    assert checks["controller/sim"]


@pytest.mark.parametrize("form", ["json", "csv", "xlsx"])
def test_reports_are_files_with_a_name_and_their_export_is_audited(
    city: Any, clock: Any, form: str
) -> None:
    clock.advance(3600)
    answer = city.get(
        "auditor", f"/v1/reports/on-cloud-rate?format={form}", headers={"Accept-Language": "zh"}
    )
    assert answer.status_code == 200, answer.text
    if form != "json":
        assert (
            "filename*=UTF-8''%E4%B8%8A%E4%BA%91%E7%8E%87-" in answer.headers["content-disposition"]
        )
        assert answer.headers["content-disposition"].isascii()
    (record,) = city.get("auditor", "/v1/audit?action=report.export").json()["items"]
    assert record["detail"]["format"] == form
    assert record["actor"] == "auditor"
    start = {"csv": b"\xef\xbb\xbf", "xlsx": b"PK", "json": b"{"}[form]
    assert answer.content.startswith(start)


def test_a_report_of_tomorrow_is_refused(city: Any) -> None:
    answer = city.get("auditor", "/v1/reports/on-cloud-rate?asOf=2999-01-01")
    assert answer.status_code == 422
