"""The way of a request from YAML to running machines, as people type it."""

import csv
import io
import json
from pathlib import Path

import pytest
import yaml

from govcloud.errors import Exit

EXAMPLES = Path(__file__).parents[2] / "examples" / "small"
BIGGER = """\
apiVersion: govcloud.io/v1
kind: VirtualMachine
metadata: {{name: social-insurance-app, department: hrss}}
spec:
  system: social-insurance
  zone: extranet
  count: {count}
  flavor: 4c8g
  image: debian-12
  dataDisks: [{{size: 200Gi}}]
  network: {{allow: [{{ports: [443], source: department}}]}}
"""


@pytest.fixture
def bigger(tmp_path: Path) -> str:
    """A file that wants a third machine."""
    file = tmp_path / "bigger.yaml"
    file.write_text(BIGGER.format(count=3), encoding="utf-8")
    return str(file)


def test_what_was_approved_runs(city, govcloud):
    """A request that is fulfilled has its machines ready on the cloud."""
    (request,) = json.loads(govcloud("requests", "--state", "all", "-o", "json").out)["items"]
    assert request["state"] == "fulfilled"
    assert govcloud("get", "vm", "-o", "name").lines == ["hrss/virtualmachine/social-insurance-app"]
    assert "Ready" in govcloud("get", "vm").out
    assert len(govcloud("simulate", "list", "--type", "server", "-o", "name").lines) == 2


def test_plan_shows_the_change_and_ends_with_the_summary(city, govcloud, bigger):
    """Like terraform: marks, fields before and after, quota, price, a summary last."""
    ended = govcloud("--as", "hrss", "plan", "-f", bigger)
    assert "~ VirtualMachine hrss/social-insurance-app" in ended.out
    assert "spec.count: 2 → 3" in ended.out
    assert "3 (30%)" in ended.out
    assert ended.lines[-1] == "Plan: 0 to create, 1 to change, 0 to release, 0 unchanged."
    assert ended.err == "", "hints are for terminals"


def test_plan_tells_scripts_by_its_exit_code_that_there_are_changes(city, govcloud, bigger):
    """--detailed-exitcode as terraform has it, with the documented code."""
    govcloud("--as", "hrss", "plan", "-f", bigger, "--detailed-exitcode", code=Exit.CHANGES)
    same = str(EXAMPLES / "department.yaml")
    ended = govcloud("--as", "hrss", "plan", "-f", same, "--detailed-exitcode")
    assert ended.lines[-1].startswith("Nothing to do")


def test_a_rehearsal_ends_as_the_submission_would(city, govcloud, bigger):
    """What another request holds, and an urgent change without a reason, are told before."""
    urgent = ("--as", "hrss", "submit", "-f", bigger, "--urgent")
    for end in ((), ("--dry-run",)):
        ended = govcloud(*urgent, *end, code=Exit.POLICY)
        assert "APP-11" in ended.out + ended.err
        assert (ended.out + ended.err).count("error APP-11") == 3
    name = govcloud("--as", "hrss", "submit", "-f", bigger, "-o", "name").out.strip()
    again = ("--as", "hrss", "submit", "-f", bigger)
    for end in ((), ("--dry-run",)):
        ended = govcloud(*again, *end, code=Exit.CONFLICT)
        assert f"is part of the open request {name}" in ended.out + ended.err
    noted = govcloud("--as", "hrss", "plan", "-f", bigger)
    assert name in noted.out
    govcloud("--as", "approver", "return", name, "--note", "less", "--yes")
    for end in ((), ("--dry-run",)):
        ended = govcloud(*again, *end, code=Exit.CONFLICT)
        assert f"--replaces {name}" in ended.out + ended.err
    assert f"--replaces {name}" in govcloud("requests", "show", name).out
    govcloud(*again, "--replaces", name, "--dry-run")
    govcloud(*again, "--replaces", name)
    govcloud(*again, "--replaces", name, "--dry-run", code=Exit.CONFLICT)


def test_a_release_is_rehearsed_with_its_reason(city, govcloud):
    """Without one the rule that asks for it speaks; with one it is silent."""
    words = ("--as", "hrss", "release", "vm/social-insurance-app", "--dry-run")
    assert "YAML-6" in govcloud(*words).out
    assert "YAML-6" not in govcloud(*words, "--justification", "moved").out


@pytest.mark.guarantee("Q4")
def test_a_refusal_names_level_class_and_numbers(city, govcloud, tmp_path):
    """More than the quota is refused with its own exit code, in a plan as in a submission."""
    file = tmp_path / "huge.yaml"
    file.write_text(BIGGER.format(count=11), encoding="utf-8")
    for command in (["plan"], ["submit"], ["submit", "--dry-run"]):
        ended = govcloud("--as", "hrss", *command, "-f", str(file), code=Exit.QUOTA)
        said = ended.out + ended.err
        assert "hrss" in said
        assert "10" in said
        assert "vms" in said
        assert said.count("ask the administrator for more quota") == 1


@pytest.mark.guarantee("P2")
def test_every_fault_of_a_file_is_named_with_its_place(city, govcloud):
    """file:line:column, field, sentence and remedy, all faults at once."""
    file = str(EXAMPLES / "broken.yaml")
    ended = govcloud("--as", "hrss", "plan", "-f", file, code=Exit.INVALID)
    assert f"{file}:4:7: kind: " in ended.err
    assert "VirtualMachine" in ended.err
    assert ended.err.count("→") > 1
    assert ended.out == ""


def test_approval_asks_and_nobody_to_ask_is_an_error(city, govcloud, bigger):
    """Without a terminal and without --yes nothing is decided; with it, it is."""
    name = govcloud("--as", "hrss", "submit", "-f", bigger, "-o", "name").out.strip()
    ended = govcloud("--as", "approver", "approve", name, code=Exit.USAGE)
    assert "--yes" in ended.err
    assert "spec.count: 2 → 3" in ended.err, "what is decided on is shown, beside the data"
    govcloud("--as", "hrss", "approve", name, "--yes", code=Exit.FORBIDDEN)
    assert name in govcloud("--as", "approver", "approve", name, "-y", "--note", "ok").out
    govcloud("controller", "run", "--once")
    assert govcloud("wait", name).out.startswith(name)
    assert (
        json.loads(govcloud("get", "vm", "social-insurance-app", "-o", "json").out)["spec"]["count"]
        == 3
    )


def test_several_decisions_go_on_past_one_that_fails(city, govcloud, bigger):
    """The exit code is the first failure's; the others are decided."""
    name = govcloud("--as", "hrss", "submit", "-f", bigger, "-o", "name").out.strip()
    ended = govcloud(
        "--as",
        "approver",
        "reject",
        "REQ-1999-0001",
        name,
        "-y",
        "--note",
        "no",
        code=Exit.NOT_FOUND,
    )
    assert f"{name}  rejected" in ended.out
    assert "REQ-1999-0001" in ended.err


def test_released_resources_are_gone_and_quota_is_back(city, govcloud):
    """Release is a request like any other; wait knows that gone is what is wanted."""
    words = ("release", "vm/social-insurance-app", "-y", "-o", "name")
    name = govcloud("--as", "hrss", *words).out.strip()
    govcloud("--as", "approver", "approve", name, "-y")
    govcloud("controller", "run", "--once")
    govcloud("wait", "vm/social-insurance-app", "--for", "deleted", "-d", "hrss", "--timeout", "5s")
    govcloud("wait", name, "--for", "fulfilled", "--timeout", "5s")
    assert govcloud("get", "vm", "-o", "name").out == ""
    rows = json.loads(govcloud("quota", "show", "hrss", "-o", "json").out)["lines"]
    assert all(row["allocated"] == 0 for row in rows if row["class"] == "vms")
    assert "difference 0" in govcloud("quota", "check").out


def test_what_vanishes_behind_the_controllers_back_comes_back(city, govcloud):
    """Removed in the cloud, seen as drift or healed at once, there again."""
    victim = govcloud("simulate", "list", "--type", "server", "-o", "name").lines[0]
    govcloud("simulate", "remove", victim)
    assert len(govcloud("simulate", "list", "--type", "server", "-o", "name").lines) == 1
    govcloud("controller", "run", "--once")
    assert len(govcloud("simulate", "list", "--type", "server", "-o", "name").lines) == 2
    assert "social-insurance-app" in govcloud("events", "vm/social-insurance-app", "-o", "json").out


def test_a_limit_that_was_changed_in_the_cloud_is_shown_until_it_is_put_right(city, govcloud):
    """By `drift` and `describe`, with what was wanted and found, and as an event that stays."""
    tenant = "hrss--social-insurance"
    govcloud("controller", "run", "--once")
    govcloud("simulate", "limit", tenant, "vcpu=640")
    govcloud("simulate", "limit", tenant, "memory=unlimited")
    govcloud("controller", "run", "--once")
    shown = {
        (one["object"], one["field"], one["wanted"] != one["found"], one["mode"])
        for one in json.loads(govcloud("drift", "-o", "json").out)["items"]
    }
    of = "System/social-insurance"
    assert shown == {(of, "quota:memory", True, "heal"), (of, "quota:vcpu", True, "heal")}
    assert "unlimited" in govcloud("drift").out
    mine = ("--as", "hrss", "describe", "system/social-insurance")
    assert "不限" in govcloud(*mine, "--lang", "zh").out
    govcloud("controller", "run", "--once")
    assert json.loads(govcloud("drift", "-o", "json").out)["items"] == []
    assert "quota:memory, quota:vcpu" in govcloud(*mine).out
    for words in (("nobody", "vcpu=1"), (tenant, "vcpus=1"), (tenant, "vcpu=x"), (tenant, "vcpu")):
        assert govcloud("simulate", "limit", *words, code=None).code != 0


def test_quota_set_keeps_the_other_classes(city, govcloud):
    """Only what is named changes, in the object that is there already."""
    govcloud("quota", "set", "hrss", "vcpu=48", "--reason", "second system")
    limits = json.loads(govcloud("get", "quota/hrss", "-o", "json").out)["spec"]["limits"]
    assert limits["vcpu"] == 48
    assert limits["vms"] == 10
    ended = govcloud("quota", "set", "hrss", "vms=1", code=None)
    assert ended.code == Exit.QUOTA
    assert "force it" in ended.err
    assert "ask the administrator" not in ended.err
    assert (
        json.loads(govcloud("get", "quota/hrss", "-o", "json").out)["spec"]["limits"]["vms"] == 10
    )


def test_a_list_in_every_form(city, govcloud):
    """The same objects as table, JSON, YAML, CSV and names."""
    assert govcloud("get", "vm").lines[0].startswith("NAME")
    assert len(govcloud("get", "vm", "-o", "wide").lines[0]) > len(govcloud("get", "vm").lines[0])
    assert (
        json.loads(govcloud("get", "vm", "-o", "json").out)["items"][0]["kind"] == "VirtualMachine"
    )
    documents = list(yaml.safe_load_all(govcloud("get", "departments", "-o", "yaml").out))
    assert [document["kind"] for document in documents] == ["Department", "Department"]
    heading, row = csv.reader(io.StringIO(govcloud("get", "vm", "-o", "csv").out))
    assert dict(zip(heading, row, strict=True))["NAME"] == "social-insurance-app"


def test_edit_submits_what_the_editor_leaves(city, govcloud, monkeypatch):
    """An owned object becomes a request; leaving it alone does nothing."""
    monkeypatch.setenv("EDITOR", "true")
    assert "Nothing was changed" in govcloud("edit", "vm/social-insurance-app", "--yes").err
    monkeypatch.setenv("EDITOR", "sed -i 's/count: 2/count: 4/'")
    words = ("edit", "vm/social-insurance-app", "--yes", "-o", "name")
    name = govcloud("--as", "hrss", *words).out.strip()
    change = json.loads(govcloud("requests", "show", name, "-o", "json").out)["changes"][0]
    assert {"path": "spec.count", "before": 2, "after": 4} in change["fields"]


def test_the_report_as_table_and_as_files(city, govcloud, tmp_path):
    """A table for people; files by their ending, CSV with the mark that Excel wants."""
    table = govcloud("--as", "auditor", "report", "on-cloud-rate").out
    assert "100.0%" in table
    target = tmp_path / "rate.csv"
    govcloud("--as", "auditor", "report", "on-cloud-rate", "-o", str(target))
    assert target.read_bytes().startswith(b"\xef\xbb\xbf")
    target = tmp_path / "rate.xlsx"
    govcloud("report", "on-cloud-rate", "--format", "xlsx", "-o", str(target))
    assert target.read_bytes().startswith(b"PK")
    explained = json.loads(govcloud("report", "explain", "on-cloud-rate", "-o", "json").out)
    assert [line["name"] for line in explained["lines"]] == ["social-insurance"]


def test_two_definitions_stand_side_by_side_on_the_terminal(city, govcloud):
    """Under one of them, what was built on the cloud is thorough: both figures are printed."""
    ended = govcloud("report", "on-cloud-rate", "--beside", "2026-1n")
    thorough = [line.split() for line in ended.lines if "MET-1e" in line and "2026-1" in line]
    assert [(line[-4], line[-3], line[-2]) for line in thorough] == [
        ("2026-1", "0.0%", "0/1"),
        ("2026-1n", "100.0%", "1/1"),
    ]


def test_a_fact_is_told_in_the_reader_s_words(city, govcloud, monkeypatch):
    """JSON keeps the values."""
    explained = json.loads(govcloud("report", "explain", "on-cloud-rate", "-o", "json").out)
    records = [one for line in explained["lines"] for one in line["records"]]
    number = next(str(one["fact"]) for one in records if one["kind"] == "VirtualMachine")
    words = ("report", "explain", "fact", number)
    assert json.loads(govcloud(*words, "-o", "json").out)["phase"] == "active"
    monkeypatch.setenv("GOVCLOUD_LANG", "zh")
    told = govcloud(*words).out
    assert "使用中" in told
    assert "生产" in told
    assert "active" not in told
    assert "production" not in told
    assert "-o wide" in govcloud("report", "explain", "fact", "999999", code=Exit.NOT_FOUND).err


def test_a_report_from_before_a_department_was_there_says_so(city, govcloud):
    """There is such a department, only later."""
    words = ("report", "on-cloud-rate", "--as-of", "2020-01-01", "-d")
    told = govcloud(*words, "hrss", code=Exit.NOT_FOUND).err
    assert "no department hrss yet" in told
    assert "2020-01-01" in told
    assert "yet" not in govcloud(*words, "nowhere", code=Exit.NOT_FOUND).err


def test_doctor_speaks_chinese_in_the_city_s_time(city, govcloud, monkeypatch):
    """The names of the checks as well."""
    monkeypatch.setenv("GOVCLOUD_LANG", "zh")
    (told,) = [line for line in govcloud("doctor", code=None).lines if "时钟为" in line]
    assert "+08:00" in told
    assert "clock" not in told


def test_quota_set_names_the_argument_that_is_wrong(city, govcloud):
    """There is no file of which a line could be named."""
    for wrong in ("vcpu=-1", "vcpu=1e3", "vcpus=3"):
        told = govcloud("quota", "set", "hrss", "vms=3", wrong, code=Exit.INVALID).err
        assert wrong in told
        assert "yaml" not in told
        assert "1000" not in told
    assert "force it" not in govcloud("quota", "set", "hrss", "vms=1", "--force").out


def test_requests_are_listed_by_the_words_for_their_states(city, govcloud, monkeypatch):
    """What is typed is told back as it was typed."""
    monkeypatch.setenv("GOVCLOUD_LANG", "zh")
    assert govcloud("requests", "--state", "已开通", "-o", "name").out
    assert govcloud("requests", "--state", "fulfilled", "-o", "name").out
    for unknown in ("已批准", "办好了"):
        told = govcloud("requests", "--state", unknown, code=Exit.USAGE).err
        assert unknown in told
        assert "实施中、已开通" in told


def test_a_rounded_amount_of_the_tree_shows_that_it_is_rounded():
    """1050Gi is not 1Ti."""
    from cli.commands.quota import _numbers

    line = {"class": "disk.hdd", "allocated": 1050, "reserved": 0, "limit": 5 << 10}
    assert _numbers(line) == "1.0Ti/5Ti"
    assert _numbers(line | {"allocated": 1 << 10}) == "1Ti/5Ti"


def test_the_audit_chain_is_whole_and_then_it_is_not(city, govcloud):
    """Exit code 12, and the place, when a record was altered."""
    import sqlite3

    head = govcloud("audit", "verify").out.split("Head: ")[1].strip()
    govcloud("audit", "verify", "--head", head)
    with sqlite3.connect(city / ".govcloud" / "govcloud.db") as database:
        database.execute("DROP TRIGGER audit_no_update")
        database.execute("UPDATE audit SET actor = 'nobody' WHERE seq = 3")
    database.close()
    ended = govcloud("audit", "verify", "--head", head, code=Exit.VERIFICATION)
    assert any(line.split()[0] == "3" for line in ended.lines[1:] if line.strip())


def test_a_department_sees_only_its_own(city, govcloud):
    """And what it may not do says so with its own exit code."""
    govcloud("--as", "hrss", "apply", "-f", str(EXAMPLES / "platform.yaml"), code=Exit.FORBIDDEN)
    govcloud("--as", "auditor", "audit", "log")
    govcloud("--as", "hrss", "audit", "log", code=Exit.FORBIDDEN)
    govcloud("--as", "nobody", "get", "vm", code=Exit.FORBIDDEN)


def test_what_is_exported_can_be_submitted_again(city, govcloud):
    """Without the program's own fields, and through stdin: nothing is to change."""
    text = govcloud("get", "vm", "--export").out + govcloud("get", "system", "--export").out
    ended = govcloud(
        "--as", "hrss", "plan", "-f", "-", stdin=text.replace("apiVersion", "---\napiVersion")
    )
    assert ended.lines[-1] == "Nothing to do: 2 unchanged."


def test_the_whole_queue_is_decided_at_once(city, govcloud, bigger):
    """`--all` takes the open requests, or those of one department."""
    name = govcloud("--as", "hrss", "submit", "-f", bigger, "-o", "name").out.strip()
    assert govcloud("--as", "approver", "approve", "--all", "-d", "city", "-y").out == ""
    ended = govcloud("--as", "approver", "approve", "--all", "-d", "hrss", "-y")
    assert [line.split()[0] for line in ended.lines] == [name]
    assert govcloud("requests", "--state", "review").out == ""
    govcloud("approve", "--all", name, "-y", code=Exit.USAGE)


def test_watching_prints_what_changes(city, govcloud):
    """The list, then only rows that changed, until interrupted."""
    import os
    import signal
    import subprocess
    import sys

    process = subprocess.Popen(
        [sys.executable, "-u", "-c", "from cli.main import main; main()", "get", "vm", "--watch"],
        env=dict(os.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("NAME")
    assert "Ready" in process.stdout.readline()
    govcloud("--as", "hrss", "release", "vm/social-insurance-app", "-y")
    number = json.loads(govcloud("requests", "-o", "json").out)["items"][0]["id"]
    govcloud("--as", "approver", "approve", number, "-y")
    assert process.stdout.readline().startswith("NAME")
    assert "Releasing" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == Exit.INTERRUPTED


def test_a_request_that_is_rejected_is_not_waited_for(city, govcloud, bigger):
    """Waiting ends at once, and says why, when what is waited for can no longer come."""
    name = govcloud("--as", "hrss", "submit", "-f", bigger, "-o", "name").out.strip()
    ended = govcloud("wait", name, "--timeout", "0s", code=Exit.TIMEOUT)
    assert name in ended.err, "the laggard is named"
    govcloud("--as", "approver", "reject", name, "-y", "--note", "no")
    ended = govcloud("wait", name, "vm/social-insurance-app", code=Exit.CONFLICT)
    assert "Rejected" in ended.err
    assert "vm/social-insurance-app  Ready" in ended.out


def test_classes_that_nobody_has_are_named_in_chinese_too(city, govcloud):
    """A column's heading does not depend on whether there is anything in it."""
    heading = govcloud("--lang", "zh", "quota", "tree").lines[0]
    assert heading.split() == ["部门", "云主机", "vCPU", "内存", "磁盘", "命名空间"]


@pytest.mark.guarantee("Q5")
def test_a_quota_in_use_is_not_deleted_unless_forced(city, govcloud):
    """As `quota set` below what is in use."""
    refused = govcloud("delete", "quota/hrss", "--yes", code=Exit.QUOTA)
    assert "hrss" in refused.err
    assert "force" in refused.err
    govcloud("get", "quota/hrss")
    govcloud("delete", "quota/hrss", "--yes", "--force")
    govcloud("get", "quota/hrss", code=Exit.NOT_FOUND)
