"""A migration as people type it, from the proposal to the closed room; and what the figures say.

Hosts are folders (`govcloud.testing.stage`); everything else is as it is.
"""

import json
import os
import signal
import subprocess
import sys
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from govcloud import bootstrap
from govcloud.errors import Exit
from govcloud.testing.meanwhile import wait_until
from govcloud.testing.stage import FolderPlayer

POLICY = """
apiVersion: govcloud.io/v1
kind: Policy
metadata: {name: city}
spec:
  version: "1"
  effectiveFrom: 2026-01-01
  censusUntil: 2099-12-31
  approval: [{steps: [{name: review, role: approver}]}]
"""
LEGACY = """
apiVersion: govcloud.io/v1
kind: ServerRoom
metadata: {name: room, department: hrss}
spec: {baseline: true}
---
apiVersion: govcloud.io/v1
kind: System
metadata: {name: portal, department: hrss, displayName: 门户}
spec:
  code: portal
  origin: legacy
  security:
    classified: false
    mlpsLevel: 3
    filingNo: "32010000001"
    assessmentDate: TODAY
    cryptoAssessmentDate: TODAY
  project: {id: XM-1, phase: implementing}
  launchedOn: TODAY
---
apiVersion: govcloud.io/v1
kind: LegacyHost
metadata: {name: portal-old, department: hrss}
spec:
  room: room
  system: portal
  address: 10.9.0.1
  vcpu: 4
  memory: 4Gi
  storage: 100Gi
  facts: {arch: x86_64, databases: [PostgreSQL 13], data: 50Gi}
"""


@pytest.fixture
def hosts(city: Path, govcloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A city with a system off the cloud, whose hosts are folders."""
    folder = tmp_path / "hosts"
    (folder / "portal-old/data").mkdir(parents=True)
    for number in range(5):
        (folder / f"portal-old/data/file-{number}").write_bytes(bytes([number]) * 100)
    player = property(lambda _wired: FolderPlayer(folder))
    monkeypatch.setattr(bootstrap.Wired, "player", player)
    today = datetime.now(UTC).date().isoformat()
    for name, text in (("policy", POLICY), ("legacy", LEGACY)):
        (tmp_path / f"{name}.yaml").write_text(text.replace("TODAY", today), "utf-8")
    govcloud("apply", "-f", str(tmp_path / "policy.yaml"))
    request = govcloud("--as", "hrss", "submit", "-f", str(tmp_path / "legacy.yaml")).out.strip()
    govcloud("--as", "approver", "approve", request, "--yes")
    govcloud("token", "create", "provider", "--role", "operator", "--save")
    return folder


def completed(file: Path) -> None:
    """Complete a proposal as a person would."""
    document = yaml.safe_load(file.read_text("utf-8"))
    move = document["spec"]["move"]
    opens = datetime.now(UTC) - timedelta(hours=1)
    move |= {"window": {"opens": opens.isoformat(), "hours": 8}, "trialDays": 0}
    move["workloads"] = [
        {
            "name": "data",
            "role": "folder",
            "source": "portal-old",
            "target": "portal-old-new",
            "settings": {"path": "data"},
        }
    ]
    document["spec"]["state"] = "assessed"
    file.write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")


def status(govcloud) -> dict:
    return json.loads(govcloud("migrate", "status", "hrss/portal", "-o", "json").out)["items"][0]


def rate(govcloud) -> str:
    """What is said of the system in the on-cloud rate."""
    words = ("report", "explain", "on-cloud-rate", "-o", "json")
    explained = json.loads(govcloud(*words).out)
    [found] = [one for one in explained["lines"] if one["name"] == "portal"]
    return str(found["verdict"])


def test_from_the_proposal_to_the_closed_room(hosts: Path, govcloud, tmp_path: Path) -> None:
    file = tmp_path / "portal.yaml"
    words = ("--zone", "extranet", "--image", "debian-12", "--write", str(file))
    govcloud("migrate", "prepare", "hrss/portal", *words)
    proposed = yaml.safe_load(file.read_text("utf-8"))["spec"]["move"]
    assert proposed["workloads"][0]["role"] == "postgresql"
    assert proposed["machines"][0]["spec"]["flavor"] == "4c8g"
    completed(file)
    wrong = file.read_text("utf-8").replace("path: data", "paht: data")
    (tmp_path / "wrong.yaml").write_text(wrong, "utf-8")
    refused = govcloud("apply", "-f", str(tmp_path / "wrong.yaml"), code=Exit.INVALID)
    assert "wrong.yaml:" in refused.err
    assert "path" in refused.err
    govcloud("apply", "-f", str(file))
    before = rate(govcloud)

    dry = govcloud("--as", "hrss", "migrate", "run", "hrss/portal", "--dry-run")
    assert "initial sync" in dry.out
    assert "running" not in govcloud("migrate", "status", "--lang", "zh").out
    govcloud("--as", "hrss", "migrate", "run", "portal")
    govcloud("--as", "hrss", "migrate", "run", "portal", code=Exit.CONFLICT)
    govcloud("--as", "auditor", "migrate", "run", "hrss/portal", code=Exit.FORBIDDEN)
    govcloud("controller", "run", "--once", code=None)
    assert status(govcloud)["request"], status(govcloud)["message"]
    request = status(govcloud)["request"]
    govcloud("--as", "approver", "approve", request, "--yes")
    backup = datetime.now(UTC).isoformat()
    govcloud("migrate", "cutover", "hrss/portal", "--backup", backup, code=Exit.USAGE)
    govcloud("migrate", "cutover", "hrss/portal", "--backup", backup, "--yes")
    until(govcloud, "trial")
    moved = hosts / "portal-old-new/data"
    assert len([one for one in moved.iterdir() if not one.name.startswith(".")]) == 5
    shown = govcloud("migrate", "status", "hrss/portal", "--lang", "zh").out
    assert "试运行" in shown
    assert "割接停机时间" in shown

    for who in ("hrss", "approver", "provider"):
        govcloud("--as", who, "migrate", "accept", "hrss/portal")
    govcloud("migrate", "rollback", "hrss/portal", "--yes", code=Exit.CONFLICT)
    until(govcloud, "accepted")
    accepted = rate(govcloud)
    evidence = ("--wiped", "CERT-1", "--disposal", "scrapped", "--asset", "ZC-1")
    govcloud("migrate", "source-off", "hrss/portal", "--host", "portal-old", *evidence)
    until(govcloud, "closed")
    # It counts from the acceptance on, once nothing of it runs in a room any more (MET-1).
    assert [before, accepted, rate(govcloud)] == ["not", "partial", "on-cloud"]

    closing = ("--evidence", "photo", "--confirmed-by", "auditor")
    govcloud("migrate", "close-room", "hrss/room", *closing)
    log = govcloud("migrate", "log", "hrss/portal", "-o", "csv").out
    assert "writes frozen" in log
    [copy] = [
        one
        for one in json.loads(govcloud("migrate", "log", "hrss/portal", "-o", "json").out)["items"]
        if one["what"] == "initial-sync"
    ]
    told = govcloud("migrate", "log", "hrss/portal", "--evidence", str(copy["number"])).out
    assert '"bytes": 500' in told
    govcloud("audit", "verify")


def prepared(govcloud, file: Path) -> None:
    """Bring a completed plan of the system into the register."""
    words = ("--zone", "extranet", "--image", "debian-12", "--write", str(file))
    govcloud("migrate", "prepare", "hrss/portal", *words)
    completed(file)
    govcloud("apply", "-f", str(file))


@pytest.mark.parametrize("terminal", [True, False])
def test_what_runs_is_watched(hosts: Path, govcloud, tmp_path: Path, terminal: bool) -> None:
    """On a terminal a tree that is drawn again, in a pipe the rows that changed; until Ctrl-C."""
    prepared(govcloud, tmp_path / "portal.yaml")
    here, there = os.openpty() if terminal else os.pipe()
    command = "from cli.main import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", command, "migrate", "status", "--watch"],
        env=os.environ | {"TERM": "xterm", "COLUMNS": "120", "LINES": "40"},
        stdout=there,
        stderr=subprocess.PIPE,
    )
    os.close(there)
    seen = shown_until(here, "portal")
    assert "plan-approved" not in seen
    govcloud("--as", "hrss", "migrate", "run", "portal")
    govcloud("controller", "run", "--once", code=None)
    shown_until(here, "plan-approved")
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    os.close(here)
    assert process.returncode == Exit.INTERRUPTED
    assert b"Traceback" not in told


def shown_until(screen: int, words: str) -> str:
    """Read what is shown until the words are; the test's time limit ends a wait in vain."""
    seen = ""
    while words not in seen:
        more = os.read(screen, 65536).decode(errors="replace")
        assert more, seen
        seen += more
    return seen


WAVE = """
apiVersion: govcloud.io/v1
kind: Wave
metadata: {name: w01}
spec:
  start: 2099-11-01
  end: 2099-12-04
  window: {opens: 2099-12-04T20:00+08:00, hours: 8}
---
apiVersion: govcloud.io/v1
kind: Quota
metadata: {name: city}
spec:
  department: city
  limits: {vcpu: 50}
"""
PLAN = """
---
apiVersion: govcloud.io/v1
kind: MigrationPlan
metadata: {name: hrss-NAME}
spec:
  department: hrss
  system: NAME
  state: assessed
  wave: w01
  move:
    sources: [{host: NAME-old}]
    targets: [{machine: NAME-new}]
    machines:
      - apiVersion: govcloud.io/v1
        kind: VirtualMachine
        metadata: {name: NAME-new}
        spec:
          system: NAME
          zone: extranet
          image: debian-12
          vcpu: 20
          memory: 8Gi
          justification: measured
    workloads:
      - {name: data, role: folder, source: NAME-old, target: NAME-new, settings: {path: data}}
"""


def wave_of_two(govcloud, folder: Path) -> None:
    """Two systems in a wave: 20 vCPU each, of which 32 are free."""
    second = LEGACY.split("---\n", 1)[1].replace("portal", "case").replace("0000001", "0000002")
    today = datetime.now(UTC).date().isoformat()
    (folder / "case.yaml").write_text(second.replace("TODAY", today), "utf-8")
    request = govcloud("--as", "hrss", "submit", "-f", str(folder / "case.yaml")).out.strip()
    govcloud("--as", "approver", "approve", request, "--yes")
    text = WAVE + "".join(PLAN.replace("NAME", name) for name in ("portal", "case"))
    (folder / "wave.yaml").write_text(text, "utf-8")
    govcloud("apply", "-f", str(folder / "wave.yaml"))


def test_a_dry_run_tells_what_a_wave_requests_as_a_whole(
    hosts: Path, govcloud, tmp_path: Path
) -> None:
    """Each system alone has room; together they have none, in the department and above it."""
    wave_of_two(govcloud, tmp_path)
    dry = ("--as", "hrss", "migrate", "run", "--dry-run")
    alone = govcloud(*dry, "portal").out
    assert cells(alone, "hrss", "vcpu") == ["-", "40", "32", "20", "0"]

    both = govcloud(*dry, "--wave", "w01", code=Exit.QUOTA)
    assert "hrss/portal" in both.out
    assert "hrss/case" in both.out
    assert cells(both.out, "hrss", "vcpu") == ["-", "40", "32", "40", "8"]
    assert cells(both.out, "city", "vcpu") == ["-", "50", "42", "40", "0"]
    assert "asked for 40" in both.err
    shown = govcloud(*dry, "--wave", "w01", "-o", "json", code=Exit.QUOTA).out
    assert [one["system"] for one in json.loads(shown)["items"]] == ["case", "portal"]
    [refused] = json.loads(shown)["refusals"]
    assert (refused["class"], refused["requested"], refused["available"]) == ("vcpu", 40, 32)
    zh = govcloud("--lang", "zh", *dry, "--wave", "w01", code=Exit.QUOTA)
    assert "本次共申请" in zh.out

    # The department has room then, the city above it has none.
    govcloud("quota", "set", "hrss", "vcpu=60", "--force")
    govcloud("quota", "set", "city", "vcpu=45", "--force")
    above = govcloud(*dry, "--wave", "w01", code=Exit.QUOTA)
    assert cells(above.out, "city", "vcpu") == ["-", "45", "37", "40", "3"]
    govcloud("quota", "set", "city", "vcpu=60", "--force")
    govcloud(*dry, "--wave", "w01")

    # What has been requested already is not requested again.
    govcloud("--as", "hrss", "migrate", "run", "portal")
    govcloud("controller", "run", "--once", code=None)
    govcloud("--as", "approver", "approve", status(govcloud)["request"], "--yes")
    rest = govcloud(*dry, "--wave", "w01", code=Exit.CONFLICT)
    assert cells(rest.out, "hrss", "vcpu") == ["-", "60", "32", "20", "0"]


def cells(text: str, department: str, resource: str) -> list[str]:
    """What a table of quota says of a class: place, limit, free, requested, lacking."""
    for line in text.splitlines():
        words = line.split()
        rest = words[1:]
        if words[:1] == [department] and resource in rest:
            return rest[rest.index(resource) + 1 :]
    raise AssertionError(text)


def test_a_dry_run_refuses_what_would_be_refused_when_machines_are_requested(
    hosts: Path, govcloud, tmp_path: Path
) -> None:
    wave_of_two(govcloud, tmp_path)
    text = (tmp_path / "wave.yaml").read_text("utf-8")
    for old, new, (code, said) in (
        ("image: debian-12", "image: debian-13", (Exit.INVALID, "debian-13")),
        ("justification: measured", "count: 1", (Exit.POLICY, "QUO-8")),
        ("vcpu: 20", "vcpu: 33", (Exit.QUOTA, "asked for 33")),
    ):
        (tmp_path / "wrong.yaml").write_text(text.replace(old, new), "utf-8")
        govcloud("apply", "-f", str(tmp_path / "wrong.yaml"))
        words = ("--as", "hrss", "migrate", "run", "portal", "--dry-run")
        assert said in govcloud(*words, code=code).err


def until(govcloud, state: str) -> None:
    """Let controllers work until the system is in a state."""

    def reached() -> bool:
        govcloud("controller", "run", "--once", code=None)
        return status(govcloud)["state"] == state

    wait_until(reached, 300, lambda: status(govcloud))


def test_a_disk_that_is_to_move_as_it_is_is_proposed(hosts: Path, govcloud) -> None:
    words = ("migrate", "prepare", "hrss/portal", "--whole-disk")
    [workload] = yaml.safe_load(govcloud(*words, "portal-old").out)["spec"]["move"]["workloads"]
    assert (workload["role"], workload["source"]) == ("disk", "portal-old")
    assert "portal-old" in govcloud(*words, "none", code=Exit.NOT_FOUND).err


def test_machines_that_a_request_did_not_have_are_asked_for_anew(
    hosts: Path, govcloud, tmp_path: Path
) -> None:
    """The plan gained one while its request waited: nobody would ever have built it."""
    file = tmp_path / "portal.yaml"
    prepared(govcloud, file)
    govcloud("--as", "hrss", "migrate", "run", "portal")
    govcloud("controller", "run", "--once")
    plan = yaml.safe_load(file.read_text("utf-8"))
    move = plan["spec"]["move"]
    plan["spec"].pop("state")
    move["machines"].append(deepcopy(move["machines"][0]) | {"metadata": {"name": "second-new"}})
    move["targets"].append({"machine": "second-new"})
    file.write_text(yaml.safe_dump(plan, allow_unicode=True), "utf-8")
    govcloud("apply", "-f", str(file))
    first = status(govcloud)["request"]
    govcloud("--as", "approver", "approve", first, "--yes")
    govcloud("--as", "hrss", "migrate", "resume", "portal")  # looked at once, not in a while
    govcloud("controller", "run", "--once", code=None)
    second = status(govcloud)["request"]
    assert second != first
    assert "no machines second-new" in govcloud("migrate", "log", "hrss/portal").out
    govcloud("--as", "approver", "approve", second, "--yes")
    assert "second-new" in govcloud("get", "vm").out


def test_a_system_of_which_no_host_is_known_has_nothing_to_move(city, govcloud, tmp_path) -> None:
    alone = LEGACY.split("---")[1].replace("TODAY", datetime.now(UTC).date().isoformat())
    (tmp_path / "policy.yaml").write_text(POLICY, "utf-8")
    (tmp_path / "alone.yaml").write_text(alone, "utf-8")
    govcloud("apply", "-f", str(tmp_path / "policy.yaml"))
    asked = govcloud("--as", "hrss", "submit", "-f", str(tmp_path / "alone.yaml")).out.strip()
    govcloud("--as", "approver", "approve", asked, "--yes")
    file = tmp_path / "move.yaml"
    words = ("migrate", "prepare", "hrss/portal", "--write", str(file))
    assert "no running host" in govcloud(*words, code=Exit.NOT_FOUND).err
    assert not file.exists()


def test_wrong_words_are_told(hosts: Path, govcloud) -> None:
    govcloud("migrate", "run", code=Exit.USAGE)
    for command in ("run", "status"):
        words = ("migrate", command, "--wave", "w99")
        assert "w99" in govcloud(*words, code=Exit.NOT_FOUND).err
    govcloud("migrate", "run", "hrss/portal", code=Exit.NOT_FOUND)
    govcloud("migrate", "status", "hrss/none", code=Exit.NOT_FOUND)
    govcloud("migrate", "log", "hrss/none", code=Exit.NOT_FOUND)
    assert json.loads(govcloud("migrate", "status", "-o", "json").out) == {"items": []}


@pytest.mark.parametrize(
    ("backup", "said", "remedy"),
    [
        ("gestern", "This is no date with a time.", "2026-12-04T20:00+08:00"),
        ("2026-12-04T18:00", "The time does not say in which time zone it is.", "+08:00"),
    ],
)
def test_a_backup_whose_time_is_wrong(city: Path, govcloud, backup, said, remedy) -> None:
    words = ("migrate", "cutover", "hrss/portal", "--yes", "--backup", backup)
    told = govcloud(*words, code=Exit.INVALID).err
    assert said in told
    assert remedy in told
    assert "alue error" not in told
