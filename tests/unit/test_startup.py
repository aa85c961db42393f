"""Start-up is a feature: what a command imports is listed, and heavy modules are kept out."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cli.tree import Leaf, walk

NEVER = {"openstack", "kubernetes", "ansible_runner", "xlsxwriter", "jinja2", "pytest", "pygments"}
"""Of other commands than the few that are about them."""
DATABASE = {"sqlalchemy", "sqlmodel", "fastapi", "starlette", "alembic", "psycopg"}
SERVERS = {"uvicorn"}
CLIENT = {"httpx", "pydantic", "yaml", "rich"}
UNASKED = {"pydantic.v1", "govcloud.domain.yamltext", "govcloud.ports", "httpx._main"}
"""Of the workspace, what lists of objects have no use for."""
KINDS = {
    f"govcloud.domain.kinds.{name}" for name in ("estate", "governance", "platform", "systems")
}
"""Models of the specs: a list shows what is stored, as it is stored."""
PROBE = """
import json, sys
sys.argv[0] = "govcloud"
from cli.main import run
code = run(sys.argv[1:])
sys.stdout.flush()
names = [name for name, module in sys.modules.items() if module]
modules = sorted({*names, *(name.partition(".")[0] for name in names)})
print("\\nMODULES " + json.dumps([int(code), modules]))
"""

HELPS = """
import json, sys
from cli.main import run
paths, heavy = map(json.loads, sys.argv[1:])
sys.argv[0] = "govcloud"
told = [
    [path, int(run([*path, "--help"])), [name for name in heavy if name in sys.modules]]
    for path in paths
]
print("\\nHELPS " + json.dumps(told))
"""
"""All in one process: the first help that imports something is the first that is told of it."""


class Answers(BaseHTTPRequestHandler):
    """A server that has nothing: every list is empty."""

    def do_GET(self):
        body = b"[]" if self.path == "/v1/kinds" else b'{"items": [], "continue": null, "total": 0}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def empty_server() -> Iterator[str]:
    """The URL of a server that has nothing."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def imported(words: Sequence[str], **variables: str) -> tuple[int, set[str]]:
    """Run a command in a process of its own; return its exit code and what it has imported."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GOVCLOUD_")}
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *words],
        env={**kept, "GOVCLOUD_LANG": "en", **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "MODULES " in done.stdout, done.stderr
    code, modules = json.loads(done.stdout.rpartition("MODULES ")[2])
    return code, set(modules)


@pytest.mark.parametrize("words", [["--help"], ["quota", "--help"], ["--version"], ["nonsense"]])
def test_help_imports_nothing_but_the_program(words):
    """Neither the HTTP client nor the models nor tables are needed to say what there is."""
    _, modules = imported(words)
    assert not modules & (NEVER | DATABASE | SERVERS | CLIENT)


def test_no_commands_help_imports_a_database():
    """Every command's own help stays light, whatever the command itself needs."""
    heavy = NEVER | DATABASE | SERVERS
    paths = [path for path, entry in walk() if isinstance(entry, Leaf)]
    done = subprocess.run(
        [sys.executable, "-c", HELPS, json.dumps(paths), json.dumps(sorted(heavy))],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert len(paths) > 50
    assert json.loads(done.stdout.rpartition("HELPS ")[2]) == [
        [list(path), 0, []] for path in paths
    ]


@pytest.mark.parametrize(
    "words",
    [
        ["get", "vm"],
        ["get", "vm", "-o", "json"],
        ["requests"],
        ["events"],
        ["drift"],
        ["token", "list"],
        ["audit", "log"],
    ],
    ids=" ".join,
)
def test_against_a_server_the_database_stays_out(words, empty_server):
    """Where a server answers, neither SQLAlchemy nor FastAPI is loaded, nor any SDK."""
    code, modules = imported(words, GOVCLOUD_SERVER=empty_server, GOVCLOUD_TOKEN="gvc_x")
    assert code == 0
    assert not modules & (NEVER | DATABASE | SERVERS | {"rich", "yaml", "alembic"})


def test_in_a_workspace_no_sdk_and_no_server(tmp_path):
    """On the embedded database: what the database needs, and nothing of clouds or documents."""
    workspace = str(tmp_path)
    assert imported(["init", workspace])[0] == 0
    code, modules = imported(["get", "vm"], GOVCLOUD_WORKSPACE=workspace)
    assert code == 0
    assert "sqlalchemy" in modules, "this test looks at the wrong process"
    assert not modules & (NEVER | SERVERS | {"alembic", "psycopg", "rich"})
    assert not modules & (UNASKED | KINDS)
