"""A stand-in for the identity and image services of a region, for hosts of a room.

It knows what the role `disk` asks: a token, images with properties, their contents and checksums.
It is no OpenStack: there is one project, nothing is scheduled, nothing expires. What it does wrong
when `spoil` says so is what services do:

- `full`: there is no room for contents; `busy`: no image can be deleted
- `hash`: it keeps other contents than it was given
- `away`: it answers 503; `junk`: with what is no JSON; `move`: that all is elsewhere
- `lead`: the next page of a list is elsewhere
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

USER: Final = "mover"
PASSWORD: Final = "correct horse"  # noqa: S105 (opens nothing but this)
TOKEN: Final = "token-of-the-mover"  # noqa: S105 (opens nothing but this)


class ImageService:
    """What the services hold; `images` by id, `contents` by id, `calls` as `METHOD path`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.images: dict[str, dict[str, Any]] = {}
        self.contents: dict[str, bytes] = {}
        self.calls: list[str] = []
        self.spoil: set[str] = set()

    def login(self, asked: Any) -> bool:
        """Whether somebody may come in."""
        user = asked["auth"]["identity"].get("password", {}).get("user", {})
        return (user.get("name"), user.get("password")) == (USER, PASSWORD)

    def create(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Make an image without contents."""
        image = {**fields, "id": str(uuid4()), "status": "queued", "size": None}
        self.images[image["id"]] = image
        return image

    def fill(self, key: str, contents: bytes) -> None:
        """Take in an image's contents."""
        self.contents[key] = contents
        kept = contents[:-1] + b"?" if "hash" in self.spoil else contents
        self.images[key] |= {
            "status": "active",
            "size": len(contents),
            "os_hash_algo": "sha512",
            "os_hash_value": hashlib.sha512(kept).hexdigest(),
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: ImageService

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _say(self, code: int, told: object = None, text: bytes = b"", **headers: str) -> None:
        text = text if told is None else json.dumps(told).encode()
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _entered(self) -> bool:
        """Note the call; whether it may go on."""
        service = self.service
        service.calls.append(f"{self.command} {urlsplit(self.path).path}")
        login = self.path.endswith("/auth/tokens")
        if "away" in service.spoil:
            self._body()
            self._say(503, {"message": "come back later"})
        elif "move" in service.spoil and not login:
            self._body()
            self._say(302, None, Location=f"{service.url}/elsewhere")
        elif "junk" in service.spoil and not login:
            self._body()
            self._say(200, text=b"<html>")
        elif self.headers.get("X-Auth-Token") != TOKEN and not login:
            self._body()
            self._say(401, {"message": "who are you"})
        else:
            return True
        return False

    def do_POST(self) -> None:
        """Log in, or make an image."""
        if not self._entered():
            return
        asked, service = json.loads(self._body()), self.service
        if not self.path.endswith("/auth/tokens"):
            self._say(201, service.create(asked))
        elif not service.login(asked):
            self._say(401, {"message": "wrong password"})
        else:
            end = {"interface": "public", "region_id": "one", "url": service.url}
            catalog = [{"type": "image", "endpoints": [end]}]
            self._say(201, {"token": {"catalog": catalog}}, X_Subject_Token=TOKEN)

    def do_GET(self) -> None:
        """List images, one a page, or show one."""
        if not self._entered():
            return
        where, service = urlsplit(self.path), self.service
        key = where.path.rpartition("/")[2]
        if key != "images":
            found = service.images.get(key)
            self._say(*((200, found) if found else (404, {"message": "no such image"})))
            return
        wanted = {name: value[0] for name, value in parse_qs(where.query).items()}
        at, _ = int(wanted.pop("marker", 0)), wanted.pop("limit", None)
        fitting = [
            image
            for image in tuple(service.images.values())
            if all(image.get(name) == value for name, value in wanted.items())
        ]
        more = {"next": f"/v2/images?marker={at + 1}"} if at + 1 < len(fitting) else {}
        if "lead" in service.spoil:
            more = {"next": "https://elsewhere/v2/images"}
        self._say(200, {"images": fitting[at : at + 1], **more})

    def do_PUT(self) -> None:
        """Take in contents."""
        if not self._entered():
            return
        contents, key = self._body(), self.path.split("/")[-2]
        if "full" in self.service.spoil:
            self._say(413, {"message": "the quota of images is used up"})
        else:
            self.service.fill(key, contents)
            self._say(204)

    def do_DELETE(self) -> None:
        """Delete an image."""
        if not self._entered():
            return
        if "busy" in self.service.spoil:
            self._say(409, {"message": "the image is in use"})
        else:
            gone = self.service.images.pop(self.path.rpartition("/")[2], None)
            self._say(204 if gone else 404)


@contextmanager
def serving(address: str) -> Iterator[ImageService]:
    """Serve at an address of this machine until the block ends."""
    with ThreadingHTTPServer((address, 0), _Handler) as server:
        service = ImageService(f"http://{address}:{server.server_port}")
        server.RequestHandlerClass = type("Handler", (_Handler,), {"service": service})
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()
