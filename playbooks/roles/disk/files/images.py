"""The image service of an OpenStack region, asked by HTTPS: no more than handing in one image.

An image carries a mark (`govcloud_move`) from the call on that makes it; nothing without it is ever
changed or deleted. Standard library only, and Python 3.6.
"""

import hashlib
import json
import os
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request

from ends import ComplaintError, LostError

CHUNK = 1 << 20
MOST = 16 << 20
"""Bytes of an answer that are read at most."""
TIMEOUT_S = 60
ACTIVE_WITHIN_S = 600
MARK = "govcloud_move"


class Stay(urllib.request.HTTPRedirectHandler):
    """Follows nobody elsewhere: the token and the disk are for this service only."""

    def redirect_request(self, *_):
        """Take it for the error that it is."""


class Images:
    """The images of one project; logs in when it is made."""

    def __init__(self, region, secret):
        self.region = region
        self.token = ""
        context = ssl.create_default_context(cafile=region["ca_file"] or None)
        self.opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context), Stay()
        )
        self.url = region["image_url"]
        self.login(secret)
        if not self.url.rstrip("/").endswith("/v2"):
            self.url = self.url.rstrip("/") + "/v2"

    def login(self, secret):
        """Get a token and, unless it was told, where the image service is."""
        asked = {"auth": self.identity(secret)}
        address = self.region["auth_url"].rstrip("/")
        if not address.endswith("/v3"):
            address += "/v3"
        headers, told = self.call("POST", address + "/auth/tokens", asked)
        self.token = headers.get("X-Subject-Token") or ""
        try:
            catalog = told["token"].get("catalog", [])
            found = [
                end["url"]
                for service in catalog
                if service["type"] == "image"
                for end in service["endpoints"]
                if end["interface"] == "public"
                and self.region["region"] in ("", end.get("region_id"))
            ]
        except (KeyError, TypeError, AttributeError):
            raise ComplaintError("the identity service answers what cannot be understood") from None
        if not self.token:
            raise ComplaintError("the identity service gives no token")
        if not self.url and len(set(found)) != 1:
            raise ComplaintError(
                "the identity service names %d image services: say which by `region` or `image_url`"
                % len(set(found))
            )
        self.url = self.url or found[0]

    def identity(self, secret):
        """Return who logs in, as Keystone wants it."""
        told = self.region
        if not told["project"]:
            credential = {"id": told["username"], "secret": secret}
            methods = ["application_credential"]
            return {"identity": {"methods": methods, "application_credential": credential}}
        user = {"name": told["username"], "domain": {"name": told["user_domain"]}}
        project = {"name": told["project"], "domain": {"name": told["project_domain"]}}
        password = {"user": dict(user, password=secret)}
        identity = {"methods": ["password"], "password": password}
        return {"identity": identity, "scope": {"project": project}}

    # --- Images ---

    def marked(self, mark):
        """Return the images that carry a mark."""
        return [one for one in self.listed(**{MARK: mark}) if one.get(MARK) == mark]

    def named(self, name):
        """Return the images of a name, whoever made them."""
        return [one for one in self.listed(name=name) if one.get("name") == name]

    def listed(self, **wanted):
        """Return all images of a kind, page by page."""
        path, found = "/v2/images?" + urllib.parse.urlencode(dict(wanted, limit=100)), []
        for _ in range(1000):
            _, told = self.call("GET", self.url[: -len("/v2")] + path)
            page = told.get("images")
            if not isinstance(page, list):
                raise ComplaintError("the image service answers what cannot be understood")
            found += page
            path = told.get("next")
            if not path:
                return found
            if not str(path).startswith("/v2/images"):
                raise ComplaintError("the image service leads elsewhere: %s" % path)
        raise ComplaintError("the image service has no end of images")

    def create(self, fields):
        """Make an image without contents, marked; return it."""
        _, told = self.call("POST", self.url + "/images", fields)
        if not isinstance(told.get("id"), str) or told.get(MARK) != fields[MARK]:
            raise ComplaintError("the image service did not make what it was asked for")
        return told

    def fill(self, image, file, counted):
        """Hand in the contents; `counted` is told of each piece."""
        address = "%s/images/%s/file" % (self.url, urllib.parse.quote(image["id"], safe=""))

        def pieces():
            with open(file, "rb") as source:
                for piece in iter(lambda: source.read(CHUNK), b""):
                    counted(len(piece))
                    yield piece

        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(os.path.getsize(file)),
        }
        self.call("PUT", address, pieces(), headers)

    def settled(self, image):
        """Return an image once the service has taken it in; refuse one that it has not."""
        until = time.time() + ACTIVE_WITHIN_S
        while True:
            _, told = self.call("GET", "%s/images/%s" % (self.url, image["id"]))
            if told.get("status") == "active":
                return told
            if told.get("status") not in ("queued", "saving", "importing"):
                raise ComplaintError("the image is %s" % told.get("status"))
            if time.time() > until:
                raise LostError("the image is %s still" % told.get("status"))
            time.sleep(1)

    def delete(self, image):
        """Delete an image; False where it is in use."""
        try:
            self.call("DELETE", "%s/images/%s" % (self.url, image["id"]))
        except InUseError:
            return False
        return True

    # --- Calls ---

    def call(self, method, address, body=None, headers=None):
        """Call; return the answer's headers and what it says."""
        self.safe(address)
        told = {
            "Accept": "application/json",
            **({"X-Auth-Token": self.token} if self.token else {}),
        }
        if isinstance(body, dict):
            body = json.dumps(body).encode()
            told["Content-Type"] = "application/json"
        request = urllib.request.Request(
            address, body, dict(told, **(headers or {})), method=method
        )
        try:
            with self.opener.open(request, timeout=TIMEOUT_S) as answer:
                text = answer.read(MOST)
                return answer.headers, json.loads(text.decode()) if text else {}
        except urllib.error.HTTPError as fault:
            self.judge(method, address, fault)
        except urllib.error.URLError as fault:
            if isinstance(fault.reason, ssl.SSLError) and "CERTIFICATE" in str(fault.reason):
                raise ComplaintError("%s: %s" % (address, fault.reason)) from None
            raise LostError("%s: %s" % (address, fault.reason)) from None
        except (socket.timeout, OSError, urllib.error.ContentTooShortError) as fault:
            raise LostError("%s: %s" % (address, fault)) from None
        except ValueError:
            raise ComplaintError("%s answers what cannot be understood" % address) from None
        raise AssertionError("unreachable")

    def safe(self, address):
        """Refuse to send secrets in the clear."""
        if not address.startswith("https://") and not self.region["plain_http"]:
            raise ComplaintError("%s is no https: allow it with `plain_http`" % address)

    @staticmethod
    def judge(method, address, fault):
        """Raise what an answer means."""
        said = fault.read(2000).decode("utf-8", "replace").strip()
        words = "%s %s: %d %s" % (method, address.split("?")[0], fault.code, said[:300])
        if fault.code == 404 and method == "DELETE":
            return
        if fault.code == 409 and method == "DELETE":
            raise InUseError(words)
        if fault.code == 401:
            raise ComplaintError("the region refuses the credentials (%s)" % address)
        if fault.code in (408, 429) or fault.code >= 500:
            raise LostError(words)
        raise ComplaintError(words)


class InUseError(Exception):
    """What is to be deleted is in use."""


def same(image, file):
    """Say what is wrong with an image that should be a file; empty: nothing."""
    if image.get("size") != os.path.getsize(file):
        return "the image has %s bytes, not %d" % (image.get("size"), os.path.getsize(file))
    way, value = image.get("os_hash_algo"), image.get("os_hash_value")
    if way not in hashlib.algorithms_available or not value:
        way, value = "md5", image.get("checksum")
    if not value:
        return "the image service keeps no checksum of the image"
    digest = hashlib.new(way)
    with open(file, "rb") as source:
        for piece in iter(lambda: source.read(CHUNK), b""):
            digest.update(piece)
    if digest.hexdigest() != value:
        return "the image service has other contents (%s)" % way
    return ""
