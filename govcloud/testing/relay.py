"""The part of the proxy that speaks HTTP: one listener, which passes on what it gets."""

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import SplitResult

from govcloud.testing.spoiling import Call, Rule

_PIECE: Final = 64 * 1024
_WAIT_S: Final = 300
# These are between two neighbours on the way; the proxy has its own.
_HOP_BY_HOP: Final = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "expect"}
)


class Relay(ThreadingHTTPServer):
    """A listener on loopback that stands for one service."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self,
        service: str,
        target: SplitResult,
        arrived: Callable[[Call], Rule | None],
        tls: ssl.SSLContext | None,
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.service = service
        self.arrived = arrived
        self._target = target
        self._tls = tls
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def upstream(self) -> http.client.HTTPConnection:
        """Return a new connection to the service."""
        host, port = self._target.hostname or "", self._target.port
        if self._target.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=_WAIT_S, context=self._tls)
        return http.client.HTTPConnection(host, port, timeout=_WAIT_S)

    @contextlib.contextmanager
    def cutting(self, connection: socket.socket) -> Iterator[None]:
        """Let a connection be cut while this lasts."""
        self._open.add(connection)
        try:
            yield
        finally:
            self._open.discard(connection)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that went away, or was cut off, is no fault of the proxy."""

    def disconnect(self) -> None:
        """Cut every connection that is open now."""
        for connection in tuple(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Listen no more and cut what is open."""
        self.shutdown()
        self._thread.join()
        self.server_close()
        self.disconnect()


class _CutError(Exception):
    """The connection is to be closed without another word."""


class _Handler(BaseHTTPRequestHandler):
    """Handles the requests of one connection, one after the other."""

    protocol_version = "HTTP/1.1"
    server: Relay
    # An answer is written in two pieces; without this the second waits for the first one's receipt.
    disable_nagle_algorithm = True

    def handle(self) -> None:
        """Handle the requests until one side closes."""
        with self.server.cutting(self.connection):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base's name)
        """Say nothing; the calls are recorded."""

    def _relay(self) -> None:
        path, _, query = self.path.partition("?")
        call = Call(self.server.service, self.command, path, query, self._body())
        rule = self.server.arrived(call)
        begun = time.monotonic()
        try:
            self._serve(call, rule)
        except (_CutError, OSError, http.client.HTTPException):
            self._hang_up()
        finally:
            call.seconds = time.monotonic() - begun

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _relay  # noqa: N815

    def _serve(self, call: Call, rule: Rule | None) -> None:
        if rule is not None:
            self._before(call, rule)
            if rule.answer is not None:
                self._say(call, rule.answer.status, dict(rule.answer.headers), rule.answer.body)
                return
        upstream = self.server.upstream()
        upstream.connect()
        with contextlib.closing(upstream), self.server.cutting(upstream.sock):
            upstream.request(call.method, self.path, body=call.body or None, headers=self._asked())
            response = upstream.getresponse()
            if rule is not None and rule.after is not None:
                rule.after(call)
            if rule is not None and rule.lost:
                response.read()
                raise _CutError
            self._pass_on(call, response, rule.cut_after_bytes if rule else None)

    def _before(self, call: Call, rule: Rule) -> None:
        time.sleep(rule.delay_s)
        if rule.before is not None:
            rule.before(call)
        if rule.cut:
            raise _CutError

    def _asked(self) -> dict[str, str]:
        return {
            name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP
        }

    def _say(self, call: Call, status: int, headers: dict[str, str], body: bytes) -> None:
        call.status = status
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if call.method != "HEAD":
            self.wfile.write(body)

    def _pass_on(self, call: Call, response: http.client.HTTPResponse, most: int | None) -> None:
        call.status = response.status
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        bare = call.method == "HEAD" or response.status in (204, 304)
        chunked = not bare and response.getheader("Content-Length") is None
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if bare:
            return
        for piece in _pieces(response, most):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _hang_up(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


def _pieces(response: http.client.HTTPResponse, most: int | None) -> Iterator[bytes]:
    """Give the body as it comes; when `most` bytes have gone through, cut."""
    left = most
    while piece := response.read1(_PIECE if left is None else min(left, _PIECE)):
        yield piece
        if left is not None:
            left -= len(piece)
            if left <= 0:
                raise _CutError
