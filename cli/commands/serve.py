"""Serving the API to others over HTTP."""

import os
from typing import Annotated

import typer

from cli import lean, output, session
from cli.speech import t
from govcloud.errors import UnavailableError, UsageError
from govcloud.settings import LOOPBACK


def serve(
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help=t("opt_host"))
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="PORT", min=0, max=65535, help=t("opt_port"))
    ] = 8443,
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
        if file is not None and not os.access(file, os.R_OK):
            raise UsageError("cli.unreadable", file=file, detail=os.strerror(2))
    _run(host, port, tls_cert, tls_key)


def _run(host: str, port: int, cert: str | None, key: str | None) -> None:
    import socket

    import uvicorn

    from govcloud import bootstrap

    services = bootstrap.services(session.current.settings)
    _ = services.database  # A database that cannot be used is told now, not at the first call.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        detail = error.strerror or str(error)
        raise UnavailableError("cli.cannot_listen", host=host, port=port, detail=detail) from error
    scheme, bound = ("https" if cert else "http"), listener.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    output.note(t("serving", url=f"{scheme}://{shown}:{bound}"))
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
    lean.settle()
    try:
        uvicorn.Server(config).run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        listener.close()
        services.close()
        output.note(t("stopped"))
