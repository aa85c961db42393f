"""How one sees that something answers, without any client library."""

import http.client
import socket
from collections.abc import Callable
from pathlib import Path

_SECONDS = 30


def http_answers(port: int, path: str = "/") -> Callable[[], bool]:
    """Return a probe: does a web service answer, and not with a fault of its own?"""

    def probe() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
        try:
            connection.request("GET", path)
            return connection.getresponse().status < 500
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return probe


def greets(address: int | Path, says: bytes = b"") -> Callable[[], bool]:
    """Return a probe: is something said at this port or socket, once we have said our part?"""

    def probe() -> bool:
        family = socket.AF_INET if isinstance(address, int) else socket.AF_UNIX
        target = ("127.0.0.1", address) if isinstance(address, int) else str(address)
        with socket.socket(family) as client:
            client.settimeout(_SECONDS)
            try:
                client.connect(target)
                client.sendall(says)
                return bool(client.recv(1))
            except OSError:
                return False

    return probe
