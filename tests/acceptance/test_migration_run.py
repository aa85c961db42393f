"""A migration as people type it, from the proposal to the closed room; and what the figures say.

Hosts are folders (`govcloud.testing.stage`); everything else is as it is.
"""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from govcloud import bootstrap
from govcloud.errors import Exit
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


def until(govcloud, state: str) -> None:
    """Let controllers work until the system is in a state."""
    for _ in range(12):
        govcloud("controller", "run", "--once", code=None)
        if status(govcloud)["state"] == state:
            return
    raise AssertionError(status(govcloud))


def test_wrong_words_are_told(hosts: Path, govcloud) -> None:
    govcloud("migrate", "run", code=Exit.USAGE)
    govcloud("migrate", "run", "--wave", "w99", code=Exit.NOT_FOUND)
    govcloud("migrate", "run", "hrss/portal", code=Exit.NOT_FOUND)
    govcloud("migrate", "status", "hrss/none", code=Exit.NOT_FOUND)
    govcloud("migrate", "log", "hrss/none", code=Exit.NOT_FOUND)
    assert json.loads(govcloud("migrate", "status", "-o", "json").out) == {"items": []}
