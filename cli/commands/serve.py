"""Serving the API to others over HTTP."""

import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Final

import typer

from cli import lean, output, session
from cli.speech import t
from govcloud.errors import UnavailableError, UsageError
from govcloud.messages import system_fault
from govcloud.settings import LOOPBACK

BACKLOG: Final = 2048
"""Connections that may wait to be accepted."""


def serve(
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help=t("opt_host"))
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="PORT", min=0, max=65535, help=t("opt_port"))
    ] = 8080,
    tls_cert: Annotated[
        str | None, typer.Option("--tls-cert", metavar="FILE", help=t("opt_tls_cert"))
    ] = None,
    tls_key: Annotated[
        str | None, typer.Option("--tls-key", metavar="FILE", help=t("opt_tls_key"))
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure-plain-http", help=t("opt_insecure"))
    ] = False,
) -> None:
    """Serve the API of this workspace until stopped."""
    if (tls_cert is None) != (tls_key is None):
        raise UsageError("cli.tls_needs_both")
    if host not in LOOPBACK and tls_cert is None and not insecure:
        raise UsageError("cli.plain_http_refused", host=host)
    if session.current.settings.server is not None:
        raise UsageError("cli.serve_needs_database")
    for file in (tls_cert, tls_key):
        _check_readable(file)
    _run(host, port, tls_cert, tls_key)


def _check_readable(file: str | None) -> None:
    try:
        if file is not None:
            Path(file).open("rb").close()
    except OSError as error:
        raise UsageError("cli.unreadable", file=file, detail=system_fault(error)) from error


def _run(host: str, port: int, cert: str | None, key: str | None) -> None:
    import uvicorn

    from govcloud import bootstrap

    services = bootstrap.services(session.current.settings)
    _ = services.database  # A database that cannot be used is told now, not at the first call.
    config = uvicorn.Config(
        bootstrap.app(services),
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        ssl_certfile=cert,
        ssl_keyfile=key,
        timeout_graceful_shutdown=15,
    )
    server = uvicorn.Server(config)
    # uvicorn hands on the signals that it has obeyed: an orderly end is an orderly exit code.
    former = signal.signal(signal.SIGTERM, lambda *_: setattr(server, "should_exit", True))
    lean.settle()
    try:
        config.load()
        with _listening(host, port) as listener:
            output.note(t("serving", url=_url(host, listener, "https" if cert else "http")))
            with suppress(KeyboardInterrupt):
                server.run(sockets=[listener])
    except ssl.SSLError as error:
        detail = error.reason or str(error)
        raise UsageError("cli.bad_certificate", cert=cert, key=key, detail=detail) from error
    finally:
        signal.signal(signal.SIGTERM, former)
        services.close()
    output.note(t("stopped"))


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """Yield a socket that listens already: whoever is told the address may call it at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(BACKLOG)
        except OSError as error:
            where = {"host": host, "port": port, "detail": system_fault(error)}
            raise UnavailableError("cli.cannot_listen", **where) from error
        yield listener


def _url(host: str, listener: socket.socket, scheme: str) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}:{listener.getsockname()[1]}"
