"""Running the controller: it makes the clouds be what was approved, and keeps them so."""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cli import lean, output, session
from cli.client import path
from cli.columns import moment
from cli.progress import spinner
from cli.speech import language, t
from govcloud.errors import Exit, GovcloudError, UsageError
from govcloud.messages import render

if TYPE_CHECKING:
    from types import FrameType

    from govcloud.reconcile.leftover import Once

LOOK_S: Final = 1.0
"""Between two looks at how much is left, on a terminal."""


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
    lean.settle()
    with _stopping(stop):
        if not once:
            output.note(t("controller_started", name=chosen))
        came = _work(lambda: controller.run_once(stop) if once else controller.run(stop))
    if came is None or stop.is_set():
        output.note(t("controller_stopped", name=chosen))
    elif came.complete:
        output.note(t("reconciled"))
    else:
        _confess(came)
        raise typer.Exit(Exit.INCOMPLETE)


def _confess(came: "Once") -> None:
    """Name what is left, and the clouds of which nothing is known."""
    for cloud in came.unread:
        when = cloud.observed_at.isoformat() if cloud.observed_at else None
        words = {"cloud": cloud.cloud, "error": cloud.error or "-", "at": moment(when)}
        output.complain(t(f"sight_{cloud.sight}", **words))
    if came.count:
        output.complain(t("left_over", count=came.count))
    for one in came.left:
        message = render(one.text.key, language(), one.text.params)
        output.complain(t("left_one", object=one.object, reason=one.reason, message=message))
    if came.count > len(came.left):
        output.complain("  …")


def _work(call: Callable[[], "Once | None"]) -> "Once | None":
    # The controller works in a thread of its own: this one takes signals and shows how far it is.
    failed: list[BaseException] = []
    came: list[Once | None] = []

    def guarded() -> None:
        try:
            came.append(call())
        except BaseException as error:  # noqa: BLE001 - raised again below
            failed.append(error)

    worker = threading.Thread(target=guarded, name="controller", daemon=True)
    worker.start()
    with spinner(t("reconciling")) as tell:
        while worker.is_alive():
            worker.join(LOOK_S)
            if output.watched() and worker.is_alive():
                tell(_left())
    if failed:
        raise failed[0]
    return came[0]


def _left() -> str:
    """Return how much is left to do, as far as that can be learned."""
    try:
        door = session.client()
        kinds = [kind["plural"] for kind in door.get("/v1/kinds") if kind["allocates"]]
        lists = [door.get(path("objects", kind), phase="pending", limit=1) for kind in kinds]
    except GovcloudError:
        return t("reconciling")
    return t("reconciling_left", count=sum(found["total"] or 0 for found in lists))


def _log(name: str) -> None:
    # On a terminal warnings are enough; a service manager wants to know what was done.
    import logging

    level = logging.WARNING if sys.stderr.isatty() or output.quiet() else logging.INFO
    form = f"%(asctime)s %(levelname)s {name} %(name)s: %(message)s"
    logging.basicConfig(level=level, format=form, stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)


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
