"""The proxy that counts calls and spoils them, before a small HTTP service."""

import contextlib
import http.client
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from govcloud.testing.proxy import Answer, Proxy, Rule, too_many

SERVER = "0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f"


class Service(ThreadingHTTPServer):
    """Answers each request with what it got; `/watch` goes on until `more` was set twice."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[str] = []
        self.more = threading.Semaphore(0)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Service

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.path == "/watch":
            self.watch()
        else:
            self.echo()

    def do_POST(self) -> None:
        self.echo()

    def echo(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.got.append(f"{self.command} {self.path}")
        answer = json.dumps({"host": self.headers["Host"], "body": body.decode()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def watch(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in (b"first\n", b"second\n"):
            self.server.more.acquire(timeout=60)
            self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line))
        self.wfile.write(b"0\r\n\r\n")


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(service: Service) -> Iterator[Proxy]:
    with Proxy({"compute": f"http://127.0.0.1:{service.server_port}/v2"}) as started:
        yield started


@pytest.fixture
def client(proxy: Proxy) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=proxy.url("compute"), timeout=60) as opened:
        yield opened


def test_calls_pass_and_are_counted(proxy: Proxy, client: httpx.Client, service: Service) -> None:
    answer = client.post("/servers?limit=2", json={"name": "web-1"}).json()
    client.get(f"/servers/{SERVER}")
    client.get(f"/servers/{SERVER.replace('-', '')}/action.json")
    assert json.loads(answer["body"]) == {"name": "web-1"}
    assert service.got[0] == "POST /v2/servers?limit=2"
    assert proxy.tally() == {
        ("compute", "POST", "/v2/servers"): 1,
        ("compute", "GET", "/v2/servers/{id}"): 1,
        ("compute", "GET", "/v2/servers/{id}/action.json"): 1,
    }
    assert proxy.writes() == {("compute", "POST", "/v2/servers"): 1}
    assert proxy.count(body='"name":') == 1
    assert proxy.count(method="GET", path="/action") == 1
    assert [call.status for call in proxy.calls] == [200, 200, 200]


def test_links_of_the_service_lead_back(proxy: Proxy, client: httpx.Client) -> None:
    assert client.get("/").json()["host"] in proxy.url("compute")


def test_a_body_without_a_stated_length(client: httpx.Client) -> None:
    assert client.post("/images", content=iter([b"ab", b"c"])).json()["body"] == "abc"


def test_answers_instead_of_the_service(
    proxy: Proxy, client: httpx.Client, service: Service
) -> None:
    proxy.add(
        Rule(method="GET", path="/servers", skip=1, times=2, answer=too_many(7)),
        Rule(path="/volumes", times=None, answer=Answer(413, body=b'{"overLimit": {}}')),
    )
    told = [client.get("/servers") for _ in range(4)]
    assert [answer.status_code for answer in told] == [200, 429, 429, 200]
    assert told[1].headers["Retry-After"] == "7"
    assert {client.get("/volumes").status_code for _ in range(3)} == {413}
    assert len(service.got) == 2
    proxy.clear()
    assert client.get("/volumes").status_code == 200
    assert proxy.count() == 1


def test_a_lost_answer_took_effect(proxy: Proxy, client: httpx.Client, service: Service) -> None:
    seen: list[str] = []
    proxy.add(Rule(method="POST", lost=True, after=lambda call: seen.append(call.path)))
    with pytest.raises(httpx.RemoteProtocolError):
        client.post("/servers")
    assert service.got == ["POST /v2/servers"]
    assert seen == ["/v2/servers"]
    assert proxy.calls[0].status is None
    assert client.post("/servers").status_code == 200


def test_a_cut_call_never_arrived(proxy: Proxy, client: httpx.Client, service: Service) -> None:
    proxy.add(Rule(cut=True))
    with pytest.raises(httpx.RemoteProtocolError):
        client.post("/servers")
    assert service.got == []


def test_an_answer_is_cut_half_way(proxy: Proxy, client: httpx.Client) -> None:
    proxy.add(Rule(cut_after_bytes=5))
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/servers")


def test_a_delay_is_longer_than_the_client_waits(proxy: Proxy, client: httpx.Client) -> None:
    proxy.add(Rule(delay_s=0.5))
    with pytest.raises(httpx.ReadTimeout):
        client.get("/servers", timeout=0.1)


def test_a_service_that_is_down() -> None:
    with Proxy({"compute": "http://127.0.0.1:1"}) as down, pytest.raises(httpx.HTTPError):
        httpx.get(down.url("compute"))


def test_a_watch_passes_as_it_comes(proxy: Proxy, client: httpx.Client, service: Service) -> None:
    address = httpx.URL(proxy.url("compute")).copy_with(path="/watch")
    with client.stream("GET", address) as answer:
        lines = answer.iter_lines()
        service.more.release()
        assert next(lines) == "first"
        service.more.release()
        assert next(lines) == "second"


def test_open_connections_are_cut(proxy: Proxy, client: httpx.Client, service: Service) -> None:
    address = httpx.URL(proxy.url("compute")).copy_with(path="/watch")
    with client.stream("GET", address) as answer:
        lines = answer.iter_lines()
        service.more.release()
        assert next(lines) == "first"
        proxy.disconnect()
        with pytest.raises(httpx.RemoteProtocolError):
            next(lines)
    assert client.get("/servers").status_code == 200


def test_a_head_has_no_body(proxy: Proxy) -> None:
    proxy.add(Rule(answer=Answer(503)))
    connection = http.client.HTTPConnection(httpx.URL(proxy.url("compute")).netloc.decode())
    with contextlib.closing(connection):
        for status in (503, 501):
            connection.request("HEAD", "/v2/servers")
            answer = connection.getresponse()
            assert answer.status == status
            answer.read()
