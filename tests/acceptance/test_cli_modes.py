"""One door: each command does the same in its own process and against a real server."""

import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn

from cli.tree import Branch, walk
from govcloud import bootstrap, settings
from govcloud.errors import Exit
from govcloud.policy.context import city_day
from govcloud.testing.meanwhile import wait_until

EXAMPLES = Path(__file__).parents[2] / "examples" / "small"
LOCAL_ONLY = {
    "init": "makes the workspace",
    "serve": "is the server",
    "controller run": "works on the database",
    "completion": "prints a script",
    "simulate": "acts on files of the workspace",
    "edit": "is get and submit",
    "backup": "copies the database",
    "restore": "replaces the database",
}
MOVED = "hrss/social-insurance"
STEPS: tuple[tuple[str, ...], ...] = (
    ("version", "-o", "json"),
    ("doctor",),
    ("whoami",),
    ("--as", "hrss", "whoami", "-o", "json"),
    ("explain",),
    ("explain", "vm.network"),
    ("explain", "vm.netwrk"),
    ("schema", "vm"),
    ("get", "kinds"),
    ("get", "vm"),
    ("get", "vm", "-o", "wide"),
    ("get", "vm", "-o", "yaml"),
    ("get", "vn"),
    ("get", "vm", "nothing-of-the-kind"),
    ("get", "departments", "-o", "csv", "--lang", "zh"),
    ("describe", "vm/social-insurance-app"),
    ("events", "-o", "json"),
    ("apply", "-f", "PLATFORM", "--dry-run"),
    ("apply", "-f", "PLATFORM"),
    ("apply", "-f", "BROKEN"),
    ("delete", "flavor/4c8g", "-y"),
    ("--as", "hrss", "plan", "-f", "DEPARTMENT"),
    ("--as", "hrss", "plan", "-f", "BIGGER", "--lang", "zh"),
    ("--as", "hrss", "submit", "-f", "BIGGER", "--title", "More"),
    ("requests", "list"),
    ("requests", "show", "REQUEST-2"),
    ("--as", "approver", "return", "REQUEST-2", "-y", "--note", "why"),
    ("--as", "hrss", "withdraw", "REQUEST-2", "-y"),
    ("--as", "hrss", "submit", "-f", "BIGGER", "-o", "json"),
    ("--as", "approver", "approve", "REQUEST-3", "-y", "--condition", "file it"),
    ("--as", "approver", "add-reviewer", "REQUEST-3", "-y", "--role", "运维员", "--note", "fit?"),
    ("--as", "approver", "reassign", "REQUEST-3", "-y", "--user", "aprover"),
    ("reassign", "REQUEST-3", "-y", "--role", "approver"),
    ("--as", "approver", "send-back", "REQUEST-3", "-y", "--note", "again"),
    ("--as", "approver", "confirm-condition", "REQUEST-3", "-y"),
    ("--as", "approver", "requests", "list", "--mine"),
    ("--as", "approver", "whoami"),
    ("requests", "show", "REQUEST-3", "--lang", "zh"),
    ("--as", "hrss", "plan", "-f", "BIGGER", "--urgent"),
    ("--as", "approver", "reject", "REQUEST-3", "-y", "--note", "no"),
    ("--as", "hrss", "release", "vm/social-insurance-app", "-y"),
    ("--as", "hrss", "approve", "REQUEST-4", "-y"),
    ("--as", "approver", "approve", "REQUEST-4", "-y"),
    ("get", "vm"),
    ("retry", "vm/social-insurance-app"),
    ("retry", "system/social-insurance"),
    ("rebuild", "vm/social-insurance-app", "--reason", "gone", "-y"),
    ("kubeconfig", "vm/social-insurance-app"),
    ("confirm", "vm/social-insurance-app", "--reason", "saved", "-y"),
    ("force", "vm/social-insurance-app", "--reason", "gone", "-y"),
    ("abandon", "vm/social-insurance-app", "--reason", "gone", "-y"),
    ("resume", "sim", "--reason", "lost", "-y"),
    ("wait", "REQUEST-1"),
    ("wait", "REQUEST-4", "--timeout", "0s"),
    ("wait", "vm/not-there", "--for", "create", "--timeout", "0s"),
    ("quota", "tree"),
    ("quota", "show", "hrss"),
    ("quota", "set", "hrss", "vcpu=60"),
    ("quota", "check"),
    ("drift",),
    ("unmanaged",),
    ("cloud", "discover", "sim"),
    ("adopt", "sim", "nothing", "--into", "vm/web", "-d", "hrss", "-s", "social-insurance"),
    ("--as", "hrss", "stop", "vm/social-insurance-app", "-y"),
    ("--as", "hrss", "start", "vm/social-insurance-app"),
    ("reboot", "vm/social-insurance-app", "-y"),
    ("console-log", "vm/social-insurance-app"),
    ("ssh", "vm/social-insurance-app", "--machine", "0"),
    ("--as", "hrss", "migrate", "inventory", "import", "HOSTS"),
    ("--as", "hrss", "migrate", "inventory", "scan", "room", "--dry-run"),
    ("--as", "hrss", "migrate", "assess", "social-insurance"),
    ("migrate", "plan", "--begin", "2027-01-04", "-o", "yaml"),
    ("migrate", "prepare", MOVED),
    ("apply", "-f", "MOVE"),
    ("migrate", "run", MOVED, "--dry-run"),
    ("migrate", "run", MOVED, "-o", "json"),
    ("migrate", "status", "-o", "json"),
    ("migrate", "status", MOVED, "--lang", "zh"),
    ("migrate", "pause", MOVED, "--note", "why"),
    ("migrate", "resume", MOVED),
    ("migrate", "verify", MOVED),
    ("--as", "hrss", "migrate", "cutover", MOVED, "-y"),
    ("migrate", "accept", MOVED),
    ("migrate", "source-off", MOVED, "--host", "old", "--wiped", "1", "--disposal", "reused"),
    ("migrate", "rollback", MOVED, "-y"),
    ("migrate", "abandon", MOVED, "--part", "data", "--reason", "gone", "-y"),
    ("migrate", "log", MOVED, "-o", "json"),
    ("migrate", "close-room", "hrss/room", "--evidence", "photo", "--confirmed-by", "auditor"),
    ("report", "on-cloud-rate", "--as-of", "2026-01-01", "--format", "json"),
    ("report", "explain", "on-cloud-rate", "-o", "json"),
    ("report", "opening-time", "--as-of", "2026-01-01", "-o", "json"),
    ("report", "opening-time", "--since", "2999-01-01"),
    ("report", "explain", "fact", "1", "-o", "csv"),
    ("report", "explain", "fact", "999999"),
    ("token", "create", "somebody", "--role", "operator", "-o", "json"),
    ("token", "list"),
    ("token", "revoke", "tk-000000000000"),
    ("audit", "log", "--limit", "5"),
    ("audit", "verify"),
    ("--as", "hrss", "audit", "verify"),
)


@contextmanager
def served(workspace: Path) -> Iterator[str]:
    """Serve a workspace on loopback by a real server; yield its URL."""
    services = bootstrap.services(settings.load({"GOVCLOUD_WORKSPACE": str(workspace)}))
    config = uvicorn.Config(bootstrap.app(services), port=0, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    listener = config.bind_socket()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
        services.close()


@pytest.fixture
def twins(built_city, tmp_path) -> Iterator[dict[str, dict[str, str]]]:
    """Two copies of the small city: one used in-process, one through its server."""
    for name in ("local", "served"):
        shutil.copytree(built_city, tmp_path / name)
    with served(tmp_path / "served") as url:
        yield {
            "local": {"GOVCLOUD_WORKSPACE": str(tmp_path / "local")},
            "served": {"GOVCLOUD_WORKSPACE": str(tmp_path / "served"), "GOVCLOUD_SERVER": url},
        }


def typed(words: tuple[str, ...], bigger: Path, year: str) -> list[str]:
    """Put the files and numbers of this run into a step."""
    hosts = EXAMPLES.parent / "migration" / "hosts.csv"
    move = EXAMPLES.parent / "migration" / "move.yaml"
    files = {"BIGGER": bigger, "HOSTS": hosts, "MOVE": move} | {
        name: EXAMPLES / f"{name.lower()}.yaml" for name in ("PLATFORM", "BROKEN", "DEPARTMENT")
    }
    return [
        str(files[word]) if word in files else re.sub(r"^REQUEST-(\d)$", rf"REQ-{year}-000\1", word)
        for word in words
    ]


def comparable(text: str, environment: dict[str, str]) -> str:
    """Take out what may differ: instants, ages, random names, places."""
    for value in sorted(environment.values(), key=len, reverse=True):
        text = text.replace(value, "PLACE")
    text = re.sub(r"PLACE(/\.govcloud)?|in this process", "PLACE", text)
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]*([+-]\d\d:\d\d)?", "INSTANT", text)
    text = re.sub(r"gvc_\S+?(?=[\s\"])", "TOKEN", text)
    text = re.sub(r"\btk-[0-9a-f]{12}|\b[0-9a-f]{12,64}\b", "HEX", text)
    text = re.sub(r"\b\d+[smhd]\b|\b\d+ s ago|\d+(?:秒|分钟|小时|天)", "AGE", text)
    text = re.sub(r"[\d.]+ GiB are free", "FREE", text)
    return re.sub(r"[ ─]+", " ", text)


def test_both_modes_answer_alike(twins, tmp_path, govcloud):
    """The same steps on two copies of a city give the same words, data and exit codes."""
    from datetime import UTC, datetime

    bigger = tmp_path / "bigger.yaml"
    text = (
        (EXAMPLES / "department.yaml").read_text(encoding="utf-8").replace("count: 2", "count: 3")
    )
    bigger.write_text(text, encoding="utf-8")
    year = str(city_day(datetime.now(UTC)).year)
    for step in STEPS:
        words = typed(step, bigger, year)
        answers = {}
        for mode, environment in twins.items():
            with pytest.MonkeyPatch.context() as patch:
                for name, value in environment.items():
                    patch.setenv(name, value)
                ended = govcloud(*words, code=None)
            assert ended.code != Exit.FAILURE, f"{' '.join(words)}: {ended.err}"
            answers[mode] = (
                ended.code,
                *(comparable(t, environment) for t in (ended.out, ended.err)),
            )
        assert answers["local"] == answers["served"], " ".join(words)


def test_every_command_is_compared():
    """A new command must be compared too, or say why it cannot be."""
    compared = {" ".join(word for word in step if not word.startswith("-")) for step in STEPS}
    compared = {text.removeprefix(f"{name} ") for text in compared for name in ("hrss", "approver")}
    for path, entry in walk():
        name = " ".join(path)
        if isinstance(entry, Branch) or any(name.startswith(local) for local in LOCAL_ONLY):
            continue
        assert any(text.startswith(name) for text in compared), name


def test_a_server_that_is_not_there(monkeypatch, govcloud, city):
    """One sentence and the exit code of what cannot be reached."""
    monkeypatch.setenv("GOVCLOUD_SERVER", "http://127.0.0.1:1")
    ended = govcloud("get", "vm", code=9)
    assert "http://127.0.0.1:1" in ended.err
    assert ended.out == ""


def test_a_server_that_is_something_else(monkeypatch, govcloud, city):
    """An answer that is not govcloud's is told as such, not as a traceback."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Other(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(502)
            self.end_headers()
            self.wfile.write(b"<html>")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("GOVCLOUD_SERVER", f"http://127.0.0.1:{server.server_port}")
        assert "502" in govcloud("get", "vm", code=9).err
        server.shutdown()


def test_environment_is_left_as_it_was(govcloud, city):
    """Options change this run only."""
    before = dict(os.environ)
    govcloud("--workspace", str(city), "--lang", "zh", "get", "vm")
    assert dict(os.environ) == before
