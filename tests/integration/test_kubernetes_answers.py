"""Hostile answers: what the driver makes of each, against a local HTTP server; always run."""

import json
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from govcloud.errors import (
    CloudConflictError,
    CloudError,
    TerminalCloudError,
    TransientCloudError,
)
from govcloud.messages import render
from govcloud.ports.cloud import CloudAddress, Observed, State
from govcloud.testing.cluster import namespace_order
from govcloud.testing.meanwhile import wait_until
from provisioners.kubernetes.driver import KubernetesProvisioner, open_cluster
from provisioners.kubernetes.objects import manifest
from provisioners.kubernetes.reading import observed
from provisioners.kubernetes.types import BY_WORD

INSTALLATION = "test"


@dataclass
class Asked:
    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    body: Any


@dataclass
class Say:
    status: int = 200
    body: object = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    cut: bool = False
    """Close the connection after half of the body."""
    silent: bool = False
    """Say nothing until the test is over."""


Script = Callable[[Asked], Say]


class Server(ThreadingHTTPServer):
    """Says what a test's script says; remembers what was asked."""

    daemon_threads = True

    def __init__(self, script: Script) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script, self.asked = script, list[Asked]()
        self.over = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that time out are meant to."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def _answer(self) -> None:
        place = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        asked = Asked(self.command, place.path, parse_qs(place.query), dict(self.headers), body)
        self.server.asked.append(asked)
        say = self.server.script(asked)
        if say.silent:
            self.server.over.wait()
            return
        data = say.raw if say.raw is not None else json.dumps(say.body).encode()
        self.send_response(say.status)
        for name, value in say.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if say.cut else data)
        if say.cut:
            self.close_connection = True

    do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815


@contextmanager
def serving(script: Script, **connection: str) -> Iterator[tuple[Server, KubernetesProvisioner]]:
    server = Server(script)
    address = {"endpoint": server.url, "timeout": "60", **connection}
    driver = open_cluster(CloudAddress("k8s", address, INSTALLATION, ""))
    try:
        yield server, driver
    finally:
        server.over.set()
        driver.close()
        server.shutdown()
        server.server_close()


def status(code: int, reason: str = "", message: str = "", cause: str = "", **headers: str) -> Say:
    body = {
        "kind": "Status",
        "status": "Failure",
        "message": message or reason or "no",
        "reason": reason,
        "code": code,
        "details": {"causes": [{"reason": cause}] if cause else []},
    }
    return Say(code, body, {name.replace("_", "-"): value for name, value in headers.items()})


def resources() -> Any:
    return open_cluster(
        CloudAddress("k8s", {"endpoint": "http://127.0.0.1:1"}, INSTALLATION, "")
    ).resources(namespace_order(1))


def served(part: int = 0, **metadata: Any) -> dict[str, Any]:
    item: dict[str, Any] = manifest(resources()[part], INSTALLATION)
    item["metadata"] |= {"uid": f"uid-{part}", "resourceVersion": "7"} | metadata
    return item


def seen(part: int = 0) -> Observed:
    return observed(served(part), BY_WORD[resources()[part].type], INSTALLATION)


CONFLICT = 'Apply failed with 1 conflict: conflict with "kubectl-edit" using v1: .spec.hard.pods'

TABLE: list[tuple[Say, type[CloudError], str, bool]] = [
    (status(400, "BadRequest"), TerminalCloudError, "Rejected", False),
    (status(401, "Unauthorized"), TransientCloudError, "Unauthenticated", False),
    (status(403, "Forbidden", "User cannot patch"), TransientCloudError, "Forbidden", False),
    (
        status(403, "Forbidden", "exceeded quota: q, requested: pods=1, used: pods=3"),
        TerminalCloudError,
        "OverQuota",
        False,
    ),
    (
        status(403, "Forbidden", "unable to create", "NamespaceTerminating"),
        TransientCloudError,
        "Terminating",
        False,
    ),
    (status(404, "NotFound", 'namespaces "x" not found'), TransientCloudError, "NotFound", False),
    (Say(404, raw=b"404 page not found"), TransientCloudError, "NotFound", False),
    (status(405, "MethodNotAllowed"), TerminalCloudError, "Rejected", False),
    (status(408, "Timeout"), TransientCloudError, "Timeout", True),
    (status(410, "Expired"), TransientCloudError, "Expired", False),
    (status(413, "RequestEntityTooLarge"), TerminalCloudError, "TooLarge", False),
    (status(422, "Invalid", "spec.hard: Invalid value"), TerminalCloudError, "Invalid", False),
    (status(429, "TooManyRequests", Retry_After="7"), TransientCloudError, "Throttled", False),
    (status(500, "InternalError"), TransientCloudError, "ServerError", True),
    (status(502), TransientCloudError, "ServerError", True),
    (status(503, "ServiceUnavailable"), TransientCloudError, "Unavailable", True),
    (status(504, "Timeout"), TransientCloudError, "Timeout", True),
    (Say(307, headers={"Location": "/elsewhere"}), TransientCloudError, "Redirected", False),
    (Say(200, {"kind": "Namespace"}, cut=True), TransientCloudError, "ConnectionLost", True),
    (Say(200, raw=b'{"kind": "Names'), TransientCloudError, "ConnectionLost", True),
    (Say(200, raw=b"<html>login</html>"), TransientCloudError, "ConnectionLost", True),
    (Say(silent=True), TransientCloudError, "Timeout", True),
]


def patience(say: Say) -> dict[str, str]:
    """How long the driver waits: it gives up only on a server that says nothing."""
    return {"timeout": "1"} if say.silent else {}


@pytest.mark.parametrize(("say", "kind", "reason", "unknown"), TABLE)
def test_each_answer_to_a_write_has_its_verdict(
    say: Say, kind: type[CloudError], reason: str, unknown: bool
) -> None:
    with serving(lambda _asked: say, **patience(say)) as (server, driver):
        with pytest.raises(CloudError) as caught:
            driver.create(driver.resources(namespace_order(1))[0])
        assert (type(caught.value), caught.value.reason) == (kind, reason)
        assert getattr(caught.value, "outcome_unknown", False) is unknown
        wait_until(lambda: server.asked)
        assert len(server.asked) == 1, "a driver does not retry"
    for language in ("zh", "en"):
        assert render(f"kubernetes.{reason}", language) != f"kubernetes.{reason}"
        assert render(f"kubernetes.{reason}_remedy", language) != f"kubernetes.{reason}_remedy"


@pytest.mark.parametrize(("say", "kind", "reason", "unknown"), TABLE)
def test_a_read_that_fails_leaves_nothing_unknown(
    say: Say, kind: type[CloudError], reason: str, unknown: bool
) -> None:
    with serving(lambda _asked: say, **patience(say)) as (_, driver):
        with pytest.raises(CloudError) as caught:
            driver.find(["hrss-0001"])
        assert (type(caught.value), caught.value.reason) == (kind, reason)
        assert not getattr(caught.value, "outcome_unknown", False)


@pytest.mark.parametrize(
    ("text", "seconds"), [("7", 7.0), ("0.5", 0.5), ("soon", None), ("-3", None), ("1e9", 3600.0)]
)
def test_retry_after_is_told(text: str, seconds: float | None) -> None:
    with serving(lambda _asked: status(429, Retry_After=text)) as (_, driver):
        with pytest.raises(TransientCloudError) as caught:
            list(driver.observe())
        assert caught.value.retry_after_s == seconds


def test_nobody_listening_is_unreachable() -> None:
    driver = open_cluster(CloudAddress("k8s", {"endpoint": "http://127.0.0.1:1"}, INSTALLATION, ""))
    with pytest.raises(TransientCloudError) as caught:
        driver.create(resources()[0])
    assert (caught.value.reason, caught.value.outcome_unknown) == ("Unreachable", False)


@pytest.mark.parametrize(
    "connection",
    [
        {"endpoint": "https://127.0.0.1:1", "token-file": "/no/such/token"},
        {"endpoint": "https://127.0.0.1:1", "token-env": "GOVCLOUD_NO_SUCH_TOKEN"},
        {"endpoint": "https://127.0.0.1:1", "ca-file": "/no/such/ca"},
        {"kubeconfig": "/no/such/kubeconfig"},
        {"in-cluster": "true"},
    ],
)
def test_dead_references_to_credentials_are_said(connection: dict[str, str]) -> None:
    driver = open_cluster(CloudAddress("k8s", connection, INSTALLATION, ""))
    with pytest.raises(TransientCloudError) as caught:
        driver.report()
    assert caught.value.reason == "NoCredentials"


KUBECONFIG = """
current-context: a
contexts: [{{name: a, context: {{cluster: c, user: u}}}}]
clusters: [{{name: c, cluster: {{server: "http://127.0.0.1:1"}}}}]
users: [{{name: u, user: {user}}}]
"""


@pytest.mark.parametrize(
    "connection",
    [
        {"endpoint": "http://127.0.0.1:1", "token-file": "secret\nSECRET"},
        {"endpoint": "http://127.0.0.1:1", "token-file": "SECRET part"},
        {"endpoint": "http://127.0.0.1:1", "token-file": "SECRET\x00"},
        {"endpoint": "http://127.0.0.1:1", "token-file": "SECRETÄ"},
        {"endpoint": "http://127.0.0.1:1", "token-file": "\n"},
        {"endpoint": "http://127.0.0.1:1", "token-env": "SECRET\nSECRET"},
        {"kubeconfig": KUBECONFIG.format(user='{token: "SECRET\\nSECRET"}')},
        {"kubeconfig": "users: [{user: {token: SECRET}}]"},
        {"kubeconfig": "users: [{name: u, user: {token: SECRET}}]\ncontexts: [{name: a}]"},
        {"kubeconfig": "users: *SECRET"},
        {"kubeconfig": "a: [SECRET"},
        {"kubeconfig": "SECRET"},
        {"kubeconfig": "- SECRET"},
        {"kubeconfig": ""},
        {"kubeconfig": "contexts: [SECRET]"},
        {"kubeconfig": "current-context: a\ncontexts: 7"},
    ],
)
def test_credentials_that_cannot_be_are_said_without_their_text(
    connection: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    for way in ("token-file", "kubeconfig"):
        if way in connection:
            file.write_text(connection[way], "utf-8")
            connection = connection | {way: str(file)}
    if "token-env" in connection:
        monkeypatch.setenv("GOVCLOUD_TEST_TOKEN", connection["token-env"])
        connection = connection | {"token-env": "GOVCLOUD_TEST_TOKEN"}
    driver = open_cluster(CloudAddress("k8s", connection, INSTALLATION, ""))
    with pytest.raises(TransientCloudError) as caught:
        driver.report()
    assert "SECRET" not in "".join(traceback.format_exception(caught.value))
    assert caught.value.reason == "NoCredentials"


@pytest.mark.parametrize("way", ["token-file", "token-env", "kubeconfig"])
def test_what_surrounds_a_token_is_none_of_it(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    file.write_text(" right\n", "utf-8")
    monkeypatch.setenv("GOVCLOUD_TEST_TOKEN", " right\n")
    empty = Say(body={"items": [], "metadata": {}})
    value = "GOVCLOUD_TEST_TOKEN" if way == "token-env" else str(file)
    with serving(lambda _asked: empty) as (server, _):
        connection = {"endpoint": server.url, way: value}
        if way == "kubeconfig":
            document = KUBECONFIG.format(user=f"{{tokenFile: {file}}}")
            (tmp_path / "config").write_text(document.replace("http://127.0.0.1:1", server.url))
            connection = {"kubeconfig": str(tmp_path / "config")}
        open_cluster(CloudAddress("k8s", connection, INSTALLATION, "")).find(["a"])
        assert {asked.headers["Authorization"] for asked in server.asked} == {"Bearer right"}


def test_what_cannot_be_sent_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **options: Any) -> None:
        raise ValueError(f"Invalid header value {options['headers']}")

    with serving(lambda _asked: Say()) as (_, driver):
        monkeypatch.setattr("urllib3.PoolManager.request", refuse)
        with pytest.raises(TransientCloudError) as caught:
            driver.report()
    assert "header" not in str(caught.value)


# --- Creating ---


def test_a_creation_can_change_nothing_that_is_there() -> None:
    theirs = served(0, labels={"team": "other"}, annotations={})

    def script(asked: Asked) -> Say:
        if asked.method == "GET":
            return Say(body=theirs)
        return status(409, "Conflict", "the object has been modified")

    with serving(script) as (server, driver), pytest.raises(CloudConflictError) as caught:
        driver.create(driver.resources(namespace_order(1))[0])
    assert caught.value.reason == "NameTaken"
    assert [asked.method for asked in server.asked] == ["PATCH", "GET"]
    asked = server.asked[0]
    assert (asked.method, asked.path) == ("PATCH", "/api/v1/namespaces/hrss-portal-1")
    assert asked.headers["Content-Type"] == "application/apply-patch+yaml"
    assert asked.query == {"fieldManager": ["govcloud"]}
    assert asked.body["metadata"]["resourceVersion"] == "1"
    assert asked.body["metadata"]["labels"]["govcloud.io/uid"] == "hrss-0001"


def test_what_a_lost_answer_has_made_is_found_by_making_it_again() -> None:
    def script(asked: Asked) -> Say:
        if asked.method == "GET":
            return Say(body=served(0))
        return status(409, "Conflict", "the object has been modified")

    with serving(script) as (server, driver):
        assert driver.create(driver.resources(namespace_order(1))[0]).id == "uid-0"
    assert [asked.method for asked in server.asked] == ["PATCH", "GET"]


# --- Changing ---


def changing(refuse: bool) -> Script:
    def script(asked: Asked) -> Say:
        if asked.method == "GET":
            return Say(body=served(1))
        if refuse and "force" not in asked.query:
            return status(409, "Conflict", CONFLICT, "FieldManagerConflict")
        return Say(body=served(1))

    return script


def test_what_others_manage_is_taken_back() -> None:
    with serving(changing(refuse=True)) as (server, driver):
        driver.change(seen(1), driver.resources(namespace_order(1, pods=20))[1], ["hard.pods"])
    applied = [asked for asked in server.asked if asked.method == "PATCH"]
    assert [asked.query.get("force") for asked in applied] == [None, ["true"]]
    assert applied[1].body["spec"]["hard"]["pods"] == "20"
    assert applied[1].body["metadata"]["resourceVersion"] == "7"


def test_what_others_manage_is_left_to_them_where_the_cloud_says_so() -> None:
    with serving(changing(refuse=True), conflicts="leave") as (server, driver):
        wanted = driver.resources(namespace_order(1, pods=20))[1]
        with pytest.raises(CloudConflictError) as caught:
            driver.change(seen(1), wanted, ["hard.pods"])
    assert caught.value.reason == "FieldManager"
    assert "kubectl-edit" in caught.value.message
    assert len(server.asked) == 2


def test_a_change_leaves_alone_what_it_does_not_name() -> None:
    """The policy may ignore a difference: changing something else must not heal it."""

    def script(asked: Asked) -> Say:
        item = served(1)
        item["spec"]["hard"]["secrets"] = "99"
        item["metadata"]["labels"]["govcloud.io/environment"] = "test"
        return Say(body=item)

    with serving(script) as (server, driver):
        driver.change(seen(1), driver.resources(namespace_order(1, pods=20))[1], ["hard.pods"])
    applied = server.asked[-1].body
    assert applied["spec"]["hard"]["pods"] == "20"
    assert applied["spec"]["hard"]["secrets"] == "99"
    assert applied["metadata"]["labels"]["govcloud.io/environment"] == "test"


@pytest.mark.guarantee("R2")
@pytest.mark.parametrize("label", ["uid", "part", "installation"])
def test_without_the_mark_nothing_is_written(label: str) -> None:
    item = served(1)
    del item["metadata"]["labels"][f"govcloud.io/{label}"]
    del item["metadata"]["annotations"]["govcloud.io/mark"]
    with serving(lambda _asked: Say(body=item)) as (server, driver):
        wanted = driver.resources(namespace_order(1, pods=20))[1]
        for act in (
            lambda: driver.change(seen(1), wanted, ["hard.pods"]),
            lambda: driver.delete(seen(1)),
        ):
            with pytest.raises(CloudConflictError):
                act()
    assert {asked.method for asked in server.asked} == {"GET"}


def test_removal_is_of_exactly_what_was_seen() -> None:
    with serving(lambda _asked: Say(body=served(0))) as (server, driver):
        driver.delete(seen(0))
    assert server.asked[-1].method == "DELETE"
    assert server.asked[-1].body["preconditions"] == {"uid": "uid-0", "resourceVersion": "7"}


def test_what_is_gone_or_another_by_now_is_not_removed() -> None:
    for say in (status(404, "NotFound"), Say(body=served(0, uid="another"))):
        with serving(lambda _asked, say=say: say) as (server, driver):
            driver.delete(seen(0))
        assert {asked.method for asked in server.asked} == {"GET"}


# --- Listing ---


def paged(count: int, size: int) -> Script:
    def script(asked: Asked) -> Say:
        if asked.path != "/api/v1/namespaces":
            return Say(body={"items": [], "metadata": {}})
        start = int((asked.query.get("continue") or ["0"])[0])
        items = [
            served(0, name=f"n{n}", uid=f"u{n}") for n in range(start, min(count, start + size))
        ]
        more = {"continue": str(start + size)} if start + size < count else {}
        return Say(body={"items": items, "metadata": more})

    return script


@pytest.mark.guarantee("R5")
def test_a_list_is_as_many_calls_as_pages() -> None:
    with serving(paged(12, 5), pageSize="5") as (server, driver):
        assert len([item for page in driver.observe() for item in page]) == 12
        assert len(server.asked) == 3 + 4 + 1
        selectors = {asked.path: asked.query.get("labelSelector") for asked in server.asked}
    for whole in ("/api/v1/namespaces", "/apis/storage.k8s.io/v1/storageclasses"):
        assert selectors.pop(whole) is None
    assert set(map(str, selectors.values())) == {"['app.kubernetes.io/managed-by=govcloud']"}
    assert {asked.query["limit"][0] for asked in server.asked} == {"5"}


def test_a_list_that_expires_half_way_fails_and_is_not_taken_for_whole() -> None:
    pages = paged(12, 5)

    def script(asked: Asked) -> Say:
        return status(410, "Expired") if "continue" in asked.query else pages(asked)

    with serving(script, pageSize="5") as (_, driver):
        with pytest.raises(TransientCloudError) as caught:
            list(driver.observe())
        assert caught.value.reason == "Expired"


def test_half_a_page_fails_and_is_not_taken_for_whole() -> None:
    def script(_asked: Asked) -> Say:
        return Say(body={"items": [served(0)], "metadata": {}}, cut=True)

    with serving(script) as (_, driver), pytest.raises(TransientCloudError) as caught:
        list(driver.observe())
    assert caught.value.reason == "ConnectionLost"


@pytest.mark.parametrize("raw", [b"{}", b"[]", b"null", b'{"items": {}, "metadata": {}}'])
def test_what_is_no_list_is_not_taken_for_an_empty_one(raw: bytes) -> None:
    with serving(lambda _asked: Say(raw=raw)) as (_, driver):
        with pytest.raises(TransientCloudError):
            list(driver.observe())
        with pytest.raises(TransientCloudError):
            driver.find(["a"])


def test_what_is_in_an_ending_namespace_is_ending() -> None:
    def script(asked: Asked) -> Say:
        if asked.path == "/api/v1/namespaces":
            ending = served(0, deletionTimestamp="2026-11-21T00:00:00Z")
            return Say(body={"items": [ending], "metadata": {}})
        items = [served(1)] if asked.path.endswith("resourcequotas") else []
        return Say(body={"items": items, "metadata": {}})

    with serving(script) as (_, driver):
        states = {found.part: found.state for found in driver.find(["hrss-0001"])}
    assert states == {"namespace": State.DELETING, "quota": State.DELETING}


def test_the_clusters_own_namespaces_are_nobodys_affair() -> None:
    names = ["default", "kube-system", "kube-public", "govcloud-access", "monitoring"]

    def script(asked: Asked) -> Say:
        there = asked.path == "/api/v1/namespaces"
        items = [{"metadata": {"name": n, "uid": n}} for n in names] if there else []
        return Say(body={"items": items, "metadata": {}})

    with serving(script) as (_, driver):
        found = [item for page in driver.observe() for item in page]
    assert [(item.name, item.uid) for item in found] == [("monitoring", "")]


# --- Who we are ---


def test_a_token_that_was_replaced_in_its_file_is_used(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    empty = Say(body={"items": [], "metadata": {}})
    with serving(lambda _asked: empty, **{"token-file": str(file)}) as (server, driver):
        driver.find(["a"])
        file.write_text("second\n")
        driver.find(["a"])
    told = [asked.headers["Authorization"] for asked in server.asked]
    assert (told[0], told[-1]) == ("Bearer first", "Bearer second")


def test_a_kubeconfig_names_cluster_and_user(tmp_path: Path) -> None:
    empty = Say(body={"items": [], "metadata": {}})
    server = Server(lambda _asked: empty)
    document = {
        "clusters": [{"name": "c", "cluster": {"server": server.url}}],
        "users": [{"name": "u", "user": {"token": "from-kubeconfig"}}],
        "contexts": [
            {"name": "wrong", "context": {"cluster": "none", "user": "none"}},
            {"name": "right", "context": {"cluster": "c", "user": "u"}},
        ],
        "current-context": "wrong",
    }
    file = tmp_path / "config"
    file.write_text(json.dumps(document))
    connection = {"kubeconfig": str(file), "context": "right"}
    driver = open_cluster(CloudAddress("k8s", connection, INSTALLATION, ""))
    driver.find(["a"])
    driver.close()
    server.shutdown()
    server.server_close()
    assert server.asked[0].headers["Authorization"] == "Bearer from-kubeconfig"
