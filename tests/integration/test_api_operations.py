"""Machines, clouds and what is nobody's, through the API: who may, what is said, what is kept."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
import yaml

from govcloud.domain.access import Role
from govcloud.domain.manifest import SourceFile, load
from govcloud.reconcile.controller import Controller
from govcloud.requests.desk import Verdict
from govcloud.requests.fulfilment import settle
from govcloud.testing.town import ADMIN, APPROVER, HEALTH, Town, document, machine, system
from provisioners.simulated import tamper
from provisioners.simulated.file import CloudFile, cloud_file, prepare, transaction

PROPS = {"vcpu": 2, "memory": 4096, "image": "kylin", "zone": "public", "disk.system": "50 hdd"}
OLD = {"kind": "vm", "name": "old", "department": "health", "system": "records"}


class City:
    """The town with people, a controller, and a machine that stands."""

    def __init__(self, api: Any) -> None:
        self.api = api
        wired = api.wired
        self.town = Town(wired.store, wired.ledger).found()
        quick = {"provider": "simulated", "connection": {"latency": "0"}}
        self.town.apply(document("Cloud", "sim", quick), outside(owner="schools"))
        for name, role, of in PEOPLE:
            api.token(name, role, of)
        self.controller = Controller(
            wired.store, wired.ledger, wired.provisioner, "one", on_settled=settle
        )

    def path(self, cloud: str = "sim") -> Any:
        path = cloud_file(str(self.api.wired.settings.clouds_folder), cloud)
        prepare(path)
        return path

    def approve(self, request_id: str) -> None:
        self.town.desk.decide(APPROVER, request_id, Verdict.APPROVE)
        self.drive()

    def drive(self) -> None:
        for _ in range(20):
            self.controller.work_once("sim")
            self.api.wired.store.clock.advance(1)

    def look(self, cloud: str = "sim") -> None:
        self.api.wired.store.clock.advance(120)
        self.controller.pass_once(cloud)
        self.drive()


PEOPLE = (
    ("health", Role.APPLICANT, "health"),
    ("schools", Role.APPLICANT, "schools"),
    ("ops", Role.OPERATOR, ""),
    ("approver", Role.APPROVER, ""),
    ("auditor", Role.AUDITOR, ""),
)


def outside(**spec: Any) -> Any:
    return document("Cloud", "outside", {"provider": "simulated", "management": "observed"} | spec)


@pytest.fixture
def city(api: Any) -> City:
    made = City(api)
    request = made.town.submit(system(), machine(count=2))
    made.approve(request.id)
    return made


def actions(city: City) -> list[str]:
    found = city.api.get("auditor", "/v1/audit").json()["items"]
    return [item["action"] for item in found]


@pytest.mark.guarantee("P1")
@pytest.mark.parametrize("verb", ["stop", "start", "reboot"])
def test_machines_are_run_by_who_has_them_and_by_operators(city: City, verb: str) -> None:
    path = f"/v1/objects/vm/web/{verb}?department=health"
    for who in ("health", "ops", "admin"):
        answer = city.api.post(who, path, {"machines": [1]})
        assert answer.status_code == 200, answer.text
        city.drive()
    before = actions(city)
    assert city.api.post("schools", path, {}).status_code == 404
    assert city.api.post("approver", path, {}).status_code == 403
    assert city.api.post("auditor", path, {}).status_code == 403
    assert actions(city) == before
    if verb != "start":  # nothing was stopped, so that starting is no act
        assert f"object.{verb}" in before


@pytest.mark.guarantee("P1")
def test_a_console_is_read_by_who_has_the_machine_and_that_is_kept(city: City) -> None:
    path = "/v1/objects/vm/web/console-log?department=health"
    answer = city.api.get("health", f"{path}&machine=1&lines=1")
    assert answer.json()["text"].startswith("health-web-1 login")
    assert "object.console" in actions(city)
    several = city.api.get("health", path)
    assert several.status_code == 409
    assert several.json()["error"]["key"] == "controller.which_machine"
    assert city.api.get("schools", f"{path}&machine=1").status_code == 404
    assert city.api.get("auditor", f"{path}&machine=1").status_code == 403


def test_a_stop_shows_and_lasts(city: City) -> None:
    city.api.post("health", "/v1/objects/vm/web/stop", {"machines": [0], "reason": "holidays"})
    city.drive()
    city.look()
    found = city.api.get("health", "/v1/objects/vm/web").json()
    powers = {one["part"]: one["info"]["power"] for one in found["status"]["resources"]}
    assert powers == {"server-0": "off", "server-1": "on"}
    assert found["status"]["ready"]
    assert found["status"]["stopped"] == {"all": False, "machines": [0]}
    assert city.api.get("health", "/v1/drift").json()["items"] == []
    said = city.api.get("health", "/v1/objects/vm/web/events").json()["items"]
    assert any("holidays" in event["message"] for event in said)


def test_what_a_cloud_offers_can_be_applied(city: City) -> None:
    answer = city.api.get("ops", "/v1/clouds/sim/discovery", headers={"Accept-Language": "zh"})
    text = answer.json()["text"]
    loaded = load([SourceFile("found.yaml", text)])
    assert not loaded.diagnostics
    assert {"Flavor", "Image"} <= {m.key.kind for m in loaded.manifests}
    city.town.desk.apply(ADMIN, loaded.manifests)
    again = load([SourceFile("found.yaml", city.api.get("ops", answer.url.path).json()["text"])])
    assert {m.key.kind for m in again.manifests} <= {"Zone"}


def test_what_is_nobodys_is_listed_with_size_and_a_guess(city: City) -> None:
    tamper.add_foreign(city.path(), "schools-mail", tenant="legacy", props=PROPS)
    tamper.add_foreign(city.path("outside"), "register", props={"vcpu": 8, "memory": 16384})
    city.look()
    city.look("outside")
    for who in ("ops", "auditor", "approver", "admin"):
        items = city.api.get(who, "/v1/unmanaged").json()["items"]
        assert [(i["cloud"], i["name"], i["owner"], i["size"]["vcpu"]) for i in items] == [
            ("outside", "register", "schools", 8),
            ("sim", "schools-mail", "schools", 2),
        ]
    assert city.api.get("schools", "/v1/unmanaged").status_code == 403
    # What an observed cloud holds is no difference from anything.
    drift = city.api.get("ops", "/v1/drift").json()["items"]
    assert [item["cloud"] for item in drift] == ["sim"]


def test_a_project_of_nobodys_is_listed_by_name_with_what_is_in_it(city: City) -> None:
    path = city.path()
    project = tamper.add_foreign(path, "schools-old", kind="project", props={"enabled": True})
    set_tenant(path, project.id, project.id)
    for name, kind, props in (
        ("a", "server", PROPS),
        ("b", "server", PROPS),
        ("c", "volume", {"size": 20, "storage": "hdd"}),
        ("198.51.100.7", "floating-ip", {}),
    ):
        tamper.add_foreign(path, name, kind=kind, tenant=project.id, props=props)
    city.look()
    items = {i["name"]: i for i in city.api.get("ops", "/v1/unmanaged").json()["items"]}
    assert {(i["tenant"], i["tenantId"], i["owner"]) for i in items.values()} == {
        ("schools-old", project.id, "schools")
    }
    size = items["schools-old"]["size"]
    counted = {name: size[name] for name in ("servers", "volumes", "addresses", "vcpu", "size")}
    assert counted == {"servers": 2, "volumes": 1, "addresses": 1, "vcpu": 4, "size": 20}
    assert "servers" not in items["a"]["size"]


def set_tenant(path: Any, key: str, tenant: str) -> None:
    """Let a project be called by its id as tenant, as OpenStack does with what is not ours."""
    with closing(CloudFile(path)) as file, file.connection() as db, transaction(db):
        db.execute("UPDATE resources SET tenant = ? WHERE id = ?", (tenant, key))


@pytest.mark.guarantee("R2")
def test_taking_over_goes_the_way_of_any_request(city: City) -> None:
    found = tamper.add_foreign(city.path(), "mail", tenant="legacy", props=PROPS)
    proposed = city.api.post("admin", "/v1/clouds/sim/adoption", {"resource": "mail", **OLD})
    assert proposed.status_code == 200, proposed.text
    assert proposed.json()["missing"] == {}
    files = [{"name": "old.yaml", "text": yaml.safe_dump(proposed.json()["document"])}]
    refused = city.api.post("health", "/v1/requests", {"files": files})
    assert refused.status_code == 422
    plan = city.api.post("admin", "/v1/plan", {"files": files}).json()
    assert plan["changes"][0]["demand"]["vms"] == 1
    (taken,) = plan["takeovers"]
    assert (taken["object"], taken["there"]) == ("VirtualMachine health/old", "mail")
    assert (taken["beside"], taken["used"]) == ([], None)
    assert ("server-0", "mark") in [(part["part"], part["action"]) for part in taken["parts"]]
    request = city.api.post("admin", "/v1/requests", {"files": files}).json()
    unchanged = {item.id: item for item in tamper.list_resources(city.path())}
    assert unchanged[found.id] == found
    city.approve(request["id"])
    taken = {item.id: item for item in tamper.list_resources(city.path())}[found.id]
    assert taken.uid
    assert taken.tags["department"] == "health"
    assert city.api.get("health", "/v1/objects/vm/old").json()["status"]["ready"]
    seen = city.api.get("health", f"/v1/requests/{request['id']}").json()
    assert seen["state"] == "fulfilled"


def test_an_observed_cloud_gives_nothing_up(city: City) -> None:
    tamper.add_foreign(city.path("outside"), "register", props=PROPS)
    answer = city.api.post("admin", "/v1/clouds/outside/adoption", {"resource": "register", **OLD})
    assert answer.json()["error"]["key"] == "api.adopt_observed"


def refusing(city: City, **body: Any) -> Callable[[], Any]:
    release = [{"kind": "vm", "name": "web"}]
    return lambda: city.api.post("health", "/v1/plan", {"releases": release, **body})


def test_what_a_cloud_cannot_keep_is_said_at_once(city: City) -> None:
    assert refusing(city, snapshot=True)().json()["changes"][0]["options"] == ["snapshot"]
    grown = city.town.submit(machine(count=2, dataDisks=[{"size": "10Gi"}]), actor=HEALTH)
    city.approve(grown.id)
    answer = refusing(city, keepVolumes=True)()
    assert answer.json()["error"]["key"] == "api.cannot"
