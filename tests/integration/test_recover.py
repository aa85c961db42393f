"""The ways out of what is stuck (R8): a cloud refuses to delete; operators retry or give up."""

import io
import os
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from cli import output, session
from cli.globals import Globals
from cli.main import run
from govcloud.domain.access import Role
from govcloud.domain.keys import ObjectKey
from govcloud.errors import Exit
from govcloud.ports.cloud import Observed
from govcloud.reconcile.controller import Controller
from govcloud.reconcile.recover import PATIENCE
from govcloud.requests.fulfilment import settle
from govcloud.requests.life import Verdict
from govcloud.store.tables import AuditRow, RequestRow, WorkRow
from govcloud.testing.lab import ADMIN, CLOUD, DEPARTMENT, Lab
from govcloud.testing.town import APPROVER, HEALTH, Town, machine, system
from provisioners.simulated import tamper
from provisioners.simulated.faults import Fault, FaultKind
from provisioners.simulated.file import prepare

REASON = "the region was shut down, ticket 1042"
WEB = "/v1/objects/vm/web"
NAMED = f"{DEPARTMENT}/VirtualMachine/web"


@pytest.fixture
def lab(api: Any, tmp_path: Path) -> Lab:
    """A city on the API's database, with its people."""
    made = Lab(api.wired.store, tmp_path).found()
    api.token("operator", Role.OPERATOR)
    api.token("clerk", Role.APPLICANT, DEPARTMENT)
    api.token("auditor", Role.AUDITOR)
    return made


@pytest.fixture
def controller(lab: Lab) -> Iterator[Controller]:
    made = lab.controller()
    yield made
    made.close()


def refuse(lab: Lab, kind: FaultKind = FaultKind.REFUSE, method: str = "delete") -> None:
    tamper.set_fault(lab.path(), Fault(kind, method, reason="VolumeLocked"))


def stuck(lab: Lab, controller: Controller, kind: FaultKind = FaultKind.REFUSE) -> str:
    """Build a machine, and let the cloud refuse to remove it again."""
    uid = lab.approve("web")
    lab.drive(controller)
    refuse(lab, kind)
    lab.release(uid)
    lab.drive(controller, rounds=10, step_s=30)
    return uid


def abandon(api: Any, who: str = "operator", reason: str = REASON) -> Any:
    return api.post(who, f"{WEB}/abandon", {"reason": reason})


def acts(lab: Lab, action: str) -> list[AuditRow]:
    with lab.store.reading() as opened:
        return list(opened.exec(select(AuditRow).where(AuditRow.action == action)))


def same(one: Observed, other: Observed) -> bool:
    return (one.id, one.state, one.props, one.tags) == (
        other.id,
        other.state,
        other.props,
        other.tags,
    )


@pytest.mark.guarantee("R8")
@pytest.mark.parametrize(
    ("kind", "why", "progressing"),
    [
        (FaultKind.REFUSE, "VolumeLocked", False),
        (FaultKind.FAIL, "VolumeLocked", True),
        (FaultKind.UNAVAILABLE, "Unavailable", True),
    ],
)
def test_a_removal_that_fails_keeps_record_and_quota_and_says_why_and_what_to_do(
    api: Any, lab: Lab, controller: Controller, kind: FaultKind, why: str, progressing: bool
) -> None:
    uid = stuck(lab, controller, kind)
    sentences = set()
    for language in ("en", "zh"):
        answer = api.get("clerk", WEB, headers={"Accept-Language": language})
        status = answer.json()["status"]
        assert (status["phase"], status["progressing"]) == ("releasing", progressing)
        assert why in status["message"] or language == "zh"
        assert "{" not in status["remedy"]
        for command in ("retry", "abandon"):
            assert f"govcloud {command} {NAMED}" in status["remedy"]
        sentences |= {status["message"], status["remedy"]}
    assert len(sentences) == 4
    assert lab.charged()["vms"] == (1, 0)
    assert len(lab.there(uid)) == 1
    assert lab.phases(uid)[-1] == "releasing"


@pytest.mark.guarantee("R8")
@pytest.mark.guarantee("Q3")
@pytest.mark.parametrize("kind", [FaultKind.REFUSE, FaultKind.FAIL, FaultKind.UNAVAILABLE])
def test_a_retry_after_the_cause_is_gone_removes_it_and_frees_its_quota(
    api: Any, lab: Lab, controller: Controller, kind: FaultKind
) -> None:
    uid = stuck(lab, controller, kind)
    tamper.clear_faults(lab.path())
    if kind is FaultKind.UNAVAILABLE:
        lab.store.clock.advance(600)  # type: ignore[attr-defined]  # the cloud's own pause ends
    answer = api.post("operator", f"{WEB}/retry")
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"]["progressing"] is True
    [place] = lab.queue()
    assert (place.fresh, place.attempts) == (True, 0)
    assert place.due_at <= lab.store.clock.now()
    lab.drive(controller)
    assert (lab.row(uid), lab.there(uid), lab.charged()) == (None, [], {})
    assert api.post("operator", "/v1/quota/check").json() == {"ok": True, "differences": []}
    [act] = acts(lab, "object.retry")
    assert (act.actor, act.department, act.target) == (
        "operator",
        DEPARTMENT,
        f"VirtualMachine {DEPARTMENT}/web",
    )


@pytest.mark.guarantee("R8")
def test_a_retry_while_the_cause_lasts_says_so_again(
    api: Any, lab: Lab, controller: Controller
) -> None:
    stuck(lab, controller)
    before = lab.calls()["delete"]
    assert api.post("operator", f"{WEB}/retry").status_code == 200
    lab.drive(controller)
    assert lab.calls()["delete"] == before + 1
    status = api.get("clerk", WEB).json()["status"]
    assert (status["progressing"], status["reason"]) == (False, "VolumeLocked")


@pytest.mark.guarantee("R8")
@pytest.mark.guarantee("R2")
def test_what_is_abandoned_is_forgotten_and_what_it_left_is_nobodys_and_never_touched(
    api: Any, lab: Lab, controller: Controller
) -> None:
    uid = stuck(lab, controller)
    [before] = lab.there(uid)
    answer = abandon(api)
    assert answer.status_code == 200, answer.text
    status = answer.json()["status"]
    assert (status["phase"], status["reason"], status["remedy"]) == ("gone", "Abandoned", None)
    assert REASON in status["message"]
    assert [one["id"] for one in status["resources"]] == [before.id]

    assert api.get("clerk", WEB).status_code == 404
    assert (lab.row(uid), lab.queue(), lab.charged()) == (None, [], {})
    assert api.post("operator", "/v1/quota/check").json()["ok"]
    assert lab.phases(uid)[-1] == "gone"
    assert lab.events(uid)[-1] == "Abandoned"
    [act] = acts(lab, "object.abandon")
    assert (act.actor, act.role, act.department) == ("operator", "operator", DEPARTMENT)
    assert act.detail["reason"] == REASON
    assert [one["id"] for one in act.detail["resources"]] == [before.id]
    [logged] = api.get("auditor", "/v1/audit?action=object.abandon").json()["items"]
    assert logged["detail"]["reason"] == REASON
    assert api.post("auditor", "/v1/audit/verify").json()["ok"]

    tamper.clear_faults(lab.path())
    wrote = {name: lab.calls().get(name) for name in ("create", "change", "delete")}
    for _ in range(3):
        controller.pass_once(CLOUD)
        lab.drive(controller)
        lab.store.clock.advance(3600)  # type: ignore[attr-defined]
    [found] = api.get("operator", "/v1/drift").json()["items"]
    assert (found["resource"], found["object"], found["mode"]) == (before.id, None, "report")
    assert api.get("clerk", "/v1/drift").json()["items"] == []
    [after] = lab.there(uid)
    assert same(before, after)
    assert wrote == {name: lab.calls().get(name) for name in wrote}


@pytest.mark.guarantee("R2")
@pytest.mark.guarantee("Q5")
def test_a_new_object_of_the_same_name_waits_for_room_and_leaves_the_old_one_alone(
    api: Any, lab: Lab, controller: Controller
) -> None:
    uid = stuck(lab, controller)
    [before] = lab.there(uid)
    assert abandon(api).status_code == 200
    tamper.clear_faults(lab.path())
    again = lab.approve("web")
    lab.drive(controller, rounds=5)
    controller.pass_once(CLOUD)
    lab.drive(controller, rounds=5)
    # The cloud's own quota is what the ledger charges, and the old one still takes its place.
    row = lab.row(again)
    assert row is not None
    assert (row.reason, row.progressing, lab.there(again)) == ("OverQuota", True, [])
    assert same(before, *lab.there(uid))

    tamper.remove(lab.path(), before.id)
    assert api.post("operator", f"{WEB}/retry").status_code == 200
    lab.drive(controller)
    assert lab.row(again).ready  # type: ignore[union-attr]
    assert lab.charged()["vms"] == (1, 0)
    controller.pass_once(CLOUD)
    assert api.get("operator", "/v1/drift").json()["items"] == []


def test_a_removal_that_never_ends_can_be_abandoned_after_a_while(
    api: Any, lab: Lab, controller: Controller
) -> None:
    uid = lab.approve("web")
    lab.drive(controller)
    tamper.set_fault(lab.path(), Fault(FaultKind.SLOW, "delete", seconds=86_400))
    lab.release(uid)
    lab.drive(controller, rounds=3)
    early = abandon(api)
    assert early.status_code == 409
    assert early.json()["error"]["key"] == "controller.not_stuck"
    assert "15" in early.json()["error"]["remedy"]
    assert lab.charged()["vms"] == (1, 0)
    lab.store.clock.advance(PATIENCE.total_seconds())  # type: ignore[attr-defined]
    assert abandon(api).status_code == 200
    assert (lab.row(uid), lab.charged()) == (None, {})


def test_an_abandoned_object_on_which_a_controller_is_at_work_stays_forgotten(
    api: Any, lab: Lab
) -> None:
    uid, steps = "", list[str]()

    def meanwhile(step: str, about: str) -> None:
        if step == "after-delete" and not steps:
            steps.append(about)
            assert abandon(api).status_code == 200

    controller = lab.controller(on_step=meanwhile)
    uid = lab.approve("web")
    lab.drive(controller)
    lab.release(uid)
    lab.store.clock.advance(PATIENCE.total_seconds())  # type: ignore[attr-defined]
    lab.drive(controller)
    assert steps == [uid]
    assert (lab.row(uid), lab.queue(), lab.charged()) == (None, [], {})
    assert acts(lab, "object.gone") == []
    controller.close()


def test_what_was_refused_for_good_before_it_was_ever_ready_can_be_abandoned_or_retried(
    api: Any, lab: Lab, controller: Controller
) -> None:
    refuse(lab, method="create")
    uid = lab.approve("web")
    early = abandon(api)
    assert (early.status_code, early.json()["error"]["key"]) == (409, "controller.not_hopeless")
    lab.drive(controller)
    assert lab.row(uid).progressing is False  # type: ignore[union-attr]
    tamper.clear_faults(lab.path())
    assert api.post("operator", f"{WEB}/retry").status_code == 200
    lab.drive(controller)
    assert lab.row(uid).ready  # type: ignore[union-attr]

    refuse(lab, method="create")
    other = lab.approve("other")
    lab.drive(controller)
    assert api.post("operator", "/v1/objects/vm/other/abandon", {"reason": "x"}).status_code == 200
    assert lab.row(other) is None
    assert lab.charged()["vms"] == (1, 0)


def test_what_is_ready_or_not_built_is_not_abandoned_and_a_refusal_changes_nothing(
    api: Any, lab: Lab, controller: Controller
) -> None:
    uid = lab.approve("web")
    lab.drive(controller)
    answer = abandon(api)
    assert (answer.status_code, answer.json()["error"]["key"]) == (409, "controller.not_releasing")
    assert lab.charged()["vms"] == (1, 0)
    for verb in ("retry", "abandon"):
        answer = api.post("operator", f"/v1/objects/system/portal/{verb}", {"reason": "x"})
        assert (answer.status_code, answer.json()["error"]["key"]) == (409, "controller.not_built")
        missing = api.post("operator", f"/v1/objects/vm/none/{verb}", {"reason": "x"})
        assert missing.status_code == 404
    for body in ({}, {"reason": ""}, {"reason": "  \n"}, {"reason": 5}):
        answer = api.post("operator", f"{WEB}/abandon", body)
        assert answer.status_code == 422, body
        [fault] = answer.json()["error"]["diagnostics"]
        assert fault["field"] == "reason"
    assert lab.row(uid).ready  # type: ignore[union-attr]
    assert acts(lab, "object.abandon") == []


@pytest.mark.guarantee("P1")
def test_only_those_who_operate_may(api: Any, lab: Lab, controller: Controller) -> None:
    uid = stuck(lab, controller)
    api.token("operator", Role.OPERATOR, scope="read")
    api.token("approver", Role.APPROVER)
    for who in ("clerk", "auditor", "approver", "operator/read"):
        assert api.post(who, f"{WEB}/retry").status_code == 403, who
        assert abandon(api, who).status_code == 403, who
    assert lab.row(uid) is not None
    with lab.store.reading() as opened:
        assert opened.get(WorkRow, uid) is None
    assert abandon(api, "admin").status_code == 200


# --- Requests -------------------------------------------------------------------------------------


@pytest.mark.guarantee("R8")
def test_the_request_that_gives_back_is_fulfilled_by_abandoning_and_its_system_goes_too(
    api: Any, tmp_path: Path
) -> None:
    wired = api.wired
    town = Town(wired.store, wired.ledger).found()
    api.token("operator", Role.OPERATOR)
    lab = Lab(wired.store, tmp_path, connection={"latency": "0"})
    prepare(lab.path("sim"))
    controller = lab.controller(on_settled=settle)

    def agreed(request: RequestRow) -> str:
        for step in request.steps:
            actor = APPROVER if step["role"] == "approver" else ADMIN
            request = town.desk.decide(actor, request.id, Verdict.APPROVE)
        lab.drive(controller, "sim")
        return request.id

    def state(request_id: str) -> str:
        found: dict[str, str] = api.get("admin", f"/v1/requests/{request_id}").json()
        return found["state"]

    assert state(agreed(town.submit(system(), machine()))) == "fulfilled"
    tamper.set_fault(lab.path("sim"), Fault(FaultKind.REFUSE, "delete", reason="Locked"))
    keys = [ObjectKey(kind, "health", name) for kind, name in
            (("VirtualMachine", "web"), ("System", "records"))]  # fmt: skip
    back = agreed(town.desk.submit(HEALTH, (), releases=keys))
    assert state(back) == "provisioning"
    answer = abandon(api)
    assert answer.status_code == 200, answer.text
    assert state(back) == "fulfilled"
    assert api.get("admin", "/v1/objects/system/records").status_code == 404
    assert api.post("operator", "/v1/quota/check").json()["ok"]
    controller.close()


# --- The command line ------------------------------------------------


class Typing:
    """The command line on the database of a test's API."""

    def __init__(self, api: Any, patch: pytest.MonkeyPatch) -> None:
        self.api = api
        self.patch = patch

    def __call__(self, *words: str, code: int = 0, who: str = "operator") -> tuple[str, str]:
        """Type a command; return what it wrote to stdout and to stderr."""
        self.patch.setenv("GOVCLOUD_TOKEN", self.api.tokens[who])
        out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            ended = run(words)
            out.flush()
        said = out.buffer.getvalue().decode()  # type: ignore[attr-defined]
        assert ended == code, f"{words}: {ended}\n{said}\n{err.getvalue()}"
        return said, err.getvalue()


@pytest.fixture
def govcloud(api: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Typing]:
    for name in [name for name in os.environ if name.startswith("GOVCLOUD_")]:
        monkeypatch.delenv(name)
    folder = api.wired.settings.workspace
    (folder / "config.toml").write_text("", encoding="utf-8")
    monkeypatch.setenv("GOVCLOUD_WORKSPACE", str(folder))
    monkeypatch.setenv("GOVCLOUD_DATABASE_URL", api.wired.settings.database_url)
    monkeypatch.setenv("GOVCLOUD_LANG", "en")
    yield Typing(api, monkeypatch)
    session.start(Globals())
    output.configure(color=True, quiet=False)


@pytest.fixture
def clock() -> Any:
    """The time of day, turned by hand: the command line in this process reads the real one."""
    from govcloud.clock import SystemClock
    from govcloud.testing.clock import FixedClock

    return FixedClock(SystemClock().now())


@pytest.mark.guarantee("R8")
def test_describe_says_why_and_the_commands_it_names_are_the_ways_out(
    lab: Lab, controller: Controller, govcloud: Typing
) -> None:
    uid = stuck(lab, controller)
    [left] = lab.there(uid)
    page, _ = govcloud("describe", "vm/web", "-d", DEPARTMENT, who="clerk")
    assert "VolumeLocked" in page
    assert f"govcloud retry {NAMED}" in page
    assert f"govcloud abandon {NAMED} --reason" in page

    said, _ = govcloud("retry", NAMED)
    assert said.split() == [f"{DEPARTMENT}/virtualmachine/web", "to", "be", "tried", "again"]
    lab.drive(controller)
    assert lab.row(uid) is not None

    _, error = govcloud("abandon", NAMED, code=Exit.USAGE)
    assert "--reason" in error
    _, error = govcloud("abandon", NAMED, "--reason", REASON, code=Exit.USAGE)
    assert left.id in error, "what is left behind is named before the question"
    assert lab.row(uid) is not None, "without a terminal nobody agreed"
    said, error = govcloud("abandon", NAMED, "--reason", REASON, "--yes")
    assert f"{DEPARTMENT}/virtualmachine/web  abandoned" in said
    assert left.id in error
    assert (lab.row(uid), lab.charged()) == (None, {})
    govcloud("describe", NAMED, code=Exit.NOT_FOUND)
    controller.pass_once(CLOUD)
    assert left.id in govcloud("drift")[0]


@pytest.mark.guarantee("R8")
def test_force_is_a_command_and_describe_says_who_forces_it_and_why(
    lab: Lab, controller: Controller, govcloud: Typing
) -> None:
    uid = stuck(lab, controller)
    page, _ = govcloud("describe", NAMED)
    assert f"govcloud force {NAMED} --reason" in page
    govcloud("force", NAMED, "--reason", REASON, "--yes", code=Exit.FORBIDDEN)
    said, _ = govcloud("force", NAMED, "--reason", REASON, "--yes", who="admin")
    assert "whatever forbids it" in said
    page, _ = govcloud("describe", NAMED, who="clerk")
    assert REASON in page
    assert "by admin" in page
    lab.drive(controller)
    assert (lab.row(uid), lab.there(uid)) == (None, [])


def test_several_are_retried_and_those_that_cannot_be_are_named(
    lab: Lab, controller: Controller, govcloud: Typing
) -> None:
    stuck(lab, controller)
    said, error = govcloud("retry", "vm/none", "vm/web", "-o", "name", code=Exit.NOT_FOUND)
    assert said.split() == [f"{DEPARTMENT}/virtualmachine/web"]
    assert "vm/none:" in error
    _, error = govcloud("retry", "vm/web", code=Exit.FORBIDDEN, who="clerk")
    assert "operator" not in error.splitlines()[0]


def broken(lab: Lab, controller: Controller) -> Observed:
    """Build a machine, and let it fail after it was handed over."""
    uid = lab.approve("web")
    lab.drive(controller)
    [machine] = lab.there(uid)
    tamper.fail(lab.path(), machine.id)
    controller.pass_once(CLOUD)
    lab.drive(controller)
    return machine


@pytest.mark.guarantee("R8")
def test_what_failed_after_its_delivery_is_built_again_on_an_operators_word(
    api: Any, lab: Lab, controller: Controller
) -> None:
    lab.approve("db")
    machine = broken(lab, controller)
    body = {"reason": "restored from the backup of Friday"}
    assert api.post("operator", "/v1/objects/vm/db/rebuild", body).status_code == 409
    assert api.post("clerk", f"{WEB}/rebuild", body).status_code == 403
    assert api.post("operator", f"{WEB}/rebuild", {"reason": " "}).status_code == 422
    answer = api.post("operator", f"{WEB}/rebuild", body)
    assert answer.json()["status"]["progressing"] is True, answer.text
    lab.drive(controller)
    [rebuilt] = lab.there(machine.uid)
    assert rebuilt.id != machine.id
    assert lab.row(machine.uid).ready  # type: ignore[union-attr]
    [act] = acts(lab, "object.rebuild")
    assert (act.target, act.detail["reason"]) == (
        f"VirtualMachine {DEPARTMENT}/web",
        body["reason"],
    )
    assert [one["id"] for one in act.detail["resources"]] == [machine.id]


@pytest.mark.guarantee("R8")
def test_rebuild_is_a_command_and_describe_names_it(
    lab: Lab, controller: Controller, govcloud: Typing
) -> None:
    machine = broken(lab, controller)
    page, _ = govcloud("describe", "vm/web", "-d", DEPARTMENT, who="clerk")
    assert f"govcloud rebuild {NAMED} --reason" in page
    govcloud("rebuild", NAMED, "--reason", "no data in it", "--yes")
    lab.drive(controller)
    assert [item.id for item in lab.there(machine.uid)] != [machine.id]
