"""Running the controller: it makes the clouds be what was approved, and keeps them so."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from cli import output, session
from cli.speech import t
from govcloud.errors import UsageError

if TYPE_CHECKING:
    from types import FrameType

    from govcloud.reconcile.controller import Controller


def run(
    once: Annotated[bool, typer.Option("--once", help=t("opt_once"))] = False,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help=t("opt_controller_name"))
    ] = None,
) -> None:
    """Reconcile until stopped, or once until nothing more is to do."""
    from govcloud import bootstrap

    settings = session.current.settings
    if settings.server is not None:
        raise UsageError("cli.controller_needs_database")
    chosen = name or f"{socket.gethostname()}-{os.getpid()}"
    _log(chosen)
    controller = bootstrap.controller(settings, chosen)
    stop = threading.Event()
    with _stopping(stop):
        if once:
            _once(controller)
        else:
            output.note(t("controller_started", name=chosen))
            controller.run(stop)
            output.note(t("controller_stopped", name=chosen))


def _once(controller: "Controller") -> None:
    from cli.progress import spinner

    with spinner(t("reconciling")):
        controller.run_once()
    output.note(t("reconciled"))


def _log(name: str) -> None:
    # On a terminal warnings are enough; a service manager wants to know what was done.
    import logging

    level = logging.WARNING if sys.stderr.isatty() or output.quiet() else logging.INFO
    form = f"%(asctime)s %(levelname)s {name} %(name)s: %(message)s"
    logging.basicConfig(level=level, format=form, stream=sys.stderr)


@contextmanager
def _stopping(stop: threading.Event) -> Iterator[None]:
    """Let the first SIGTERM or SIGINT end the work in hand, and a second one end the process."""

    def on_signal(number: int, frame: "FrameType | None") -> None:
        del frame
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()
        output.note(t("stopping", signal=signal.Signals(number).name))

    former = {
        number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
