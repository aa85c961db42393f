"""One run: language first, then the one command, then whatever happened as an exit code."""

import errno
import os
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from cli import globals as options
from cli import lean, output, session, speech, streams
from govcloud import messages
from govcloud.errors import Exit, GovcloudError, Text


def process(argv: Sequence[str]) -> int:
    """Run the program as a process of its own and return its exit code."""
    lean.hurry()
    streams.plug()
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # They speak to programmers; the tests make them errors.
    code = run(argv)
    if code == Exit.INTERRUPTED:
        lean.leave_at_once(code)
    lean.leave()
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # All is done: Ctrl-C from here on just ends the process.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    return code


def run(argv: Sequence[str]) -> int:
    """Run the program and return its exit code; nothing that goes wrong gets past here."""
    try:
        return _guarded(lambda: _run(argv))
    finally:
        streams.settle()


def _run(argv: Sequence[str]) -> int:
    speech.speak(messages.preferred())
    line = options.completing()
    chosen, rest = options.split(argv if line is None else line)
    output.configure(color=not chosen.no_color, quiet=chosen.quiet)
    speech.speak(_language(chosen.language))
    running = session.start(chosen)
    from cli.app import root

    try:
        code = root().main(
            rest if line is None else argv, prog_name="govcloud", standalone_mode=False
        )
        sys.stdout.flush()
    except BaseException as error:
        if _interrupts(error):
            running.abandon()
        raise
    finally:
        running.close()
    return int(code or 0)


def _interrupts(error: BaseException) -> bool:
    import typer

    return isinstance(error, KeyboardInterrupt | EOFError | typer.Abort)


def _language(explicit: str | None) -> str:
    if explicit or os.environ.get("GOVCLOUD_LANG"):
        return messages.preferred(explicit)
    from govcloud import settings

    with suppress(GovcloudError, OSError):
        explicit = settings.load(needs_workspace=False).language
    return messages.preferred(explicit)


def _guarded(call: Callable[[], int]) -> int:
    try:
        return call()
    except GovcloudError as error:
        from cli import failures

        failures.show(error)
        return int(error.exit_code)
    except KeyboardInterrupt:
        output.complain("")
        return Exit.INTERRUPTED
    except (output.PipeClosedError, BrokenPipeError):
        return _pipe_closed()
    except OSError as error:
        return _system(error)
    except Exception as error:  # noqa: BLE001 - the last line of defence: no traceback reaches a user
        return _other(error)


def _pipe_closed() -> int:
    streams.mute()
    return Exit.PIPE_CLOSED


def _system(error: OSError) -> int:
    if error.errno == errno.EPIPE:
        return _pipe_closed()
    what = f"{error.filename}: " if error.filename else ""
    fault = messages.system_fault(error)
    said = messages.render(fault.key, speech.language()) if isinstance(fault, Text) else fault
    detail = f"{what}{said}"
    output.complain(speech.t("system_error", detail=detail))
    return Exit.FAILURE


def _other(error: Any) -> int:
    import typer

    if _interrupts(error):
        output.complain("")
        return Exit.INTERRUPTED
    # Typer keeps these two to itself; what it does export stands below them.
    usage_error, command_error = typer.BadParameter.__mro__[1:3]
    if isinstance(error, usage_error):
        return _usage(error)
    if isinstance(error, command_error):
        return _failure(str(getattr(error, "message", error)))
    if os.environ.get("GOVCLOUD_DEBUG"):
        raise error
    output.complain(speech.t("internal_error", type=type(error).__name__, detail=str(error)[:500]))
    return Exit.FAILURE


def _failure(message: str) -> int:
    output.complain(speech.t("error") + message)
    return Exit.FAILURE


def _usage(error: Any) -> int:
    from cli.usage import usage

    output.complain(speech.t("error") + usage(error))
    if error.ctx is not None:
        output.complain(speech.t("see_help", command=error.ctx.command_path))
    return Exit.USAGE
