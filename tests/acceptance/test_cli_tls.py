"""TLS: what of it fails is told as that, by who calls and by who serves."""

import ipaddress
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from govcloud.errors import Exit


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for this machine that nobody has signed but itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "city")])
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(here, critical=False)
        .sign(key, hashes.SHA256())
    )
    files = tmp_path / "server.crt", tmp_path / "server.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    return files


class _Other(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(502)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def listening(pair: tuple[Path, Path] | None = None) -> Iterator[str]:
    """Serve something that is not govcloud, with or without TLS; yield its https address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Other) as server:
        if pair is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*pair)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_certificate_that_is_not_trusted(city, govcloud, monkeypatch, pair):
    """Named as that, with where authorities are put; with its authority, it is trusted."""
    with listening(pair) as url:
        refused = govcloud("--server", url, "get", "vm", code=Exit.UNAVAILABLE).err
        assert "not trusted" in refused
        assert "SSL_CERT_FILE" in refused
        assert "permitted" not in refused
        monkeypatch.setenv("SSL_CERT_FILE", str(pair[0]))
        assert "502" in govcloud("--server", url, "get", "vm", code=Exit.UNAVAILABLE).err


def test_a_server_without_tls(city, govcloud):
    """An https address of a server that speaks plain HTTP."""
    with listening() as url:
        refused = govcloud("--server", url, "get", "vm", code=Exit.UNAVAILABLE).err
    assert "TLS" in refused
    assert "permitted" not in refused


@pytest.mark.parametrize("which", ["--tls-cert", "--tls-key"])
def test_serving_with_files_that_are_no_certificate(city, govcloud, tmp_path, pair, which):
    """Said before anything is served: what is not there, what is a folder, what is no PEM."""
    files = dict(zip(("--tls-cert", "--tls-key"), map(str, pair), strict=True))

    def served(file: Path) -> str:
        words = [word for pair in (files | {which: str(file)}).items() for word in pair]
        told = govcloud("serve", "--port", "0", *words, code=Exit.USAGE).err
        assert str(file) in told
        assert "→" in told
        assert "Serving" not in told
        return told

    assert "No such file" in served(tmp_path / "none")
    assert "directory" in served(tmp_path)
    (tmp_path / "junk").write_text("no certificate")
    assert "PEM" in served(tmp_path / "junk")
