"""A real OpenStack on this machine, for tests: `python tests/labs/openstack up`."""

import argparse
import fcntl
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import services
from daemon import Daemon, LabError, start_all, stop_all
from settings import CLOUDS, STATE

_HOW = f"""OpenStack answers. Use it with
  OS_CLIENT_CONFIG_FILE={CLOUDS} OS_CLOUD=lab         (the driver's service user)
  OS_CLIENT_CONFIG_FILE={CLOUDS} OS_CLOUD=lab-admin   (the administrator)"""


def main() -> int:
    """Run one command; the exit code is 0 if it did what it says."""
    options = _parser().parse_args()
    try:
        _require_root()
        return int(options.run(options) or 0)
    except LabError as error:
        print(f"\nOpenStack lab: {error}", file=sys.stderr)
        return 1


def _require_root() -> None:
    if os.geteuid() != 0:
        raise LabError("root is needed: each service runs as a user of its own")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests/labs/openstack", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable, text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.set_defaults(run=run)
        return made

    command("up", _up, "Install, start and fill the cloud; run again at will.")
    down = command("down", _down, "Stop the cloud.")
    down.add_argument("--purge", action="store_true", help="Remove its data too.")
    command("heat", _heat, "Add Heat and start it; only a comparison needs it.")
    command("status", _status, "Say what runs and what answers.")
    for name, run, text in (
        ("start", _start, "Start processes and wait until they answer."),
        ("stop", _stop, "Stop processes."),
        ("kill", _kill, "Kill processes, as a crash would."),
        ("restart", _restart, "Stop processes and start them again."),
        ("log", _log, "Show the end of the processes' logs."),
    ):
        command(name, run, text).add_argument("names", nargs="+", metavar="PROCESS")
    return parser


@contextmanager
def _alone() -> Iterator[None]:
    """Hold the lab's lock: two `up` at once would both start everything."""
    STATE.parent.mkdir(parents=True, exist_ok=True)
    with (STATE.parent / "openstack.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _up(_options: argparse.Namespace) -> None:
    # Late: the SDK takes a second to import, which the other commands need not wait for.
    import raising

    with _alone():
        raising.install()
        raising.bring_up()
    print(_HOW)


def _heat(_options: argparse.Namespace) -> None:
    import heat

    with _alone():
        heat.bring_up()


def _down(options: argparse.Namespace) -> None:
    with _alone():
        # The services first: without queue and database they would not end in an orderly way.
        for daemons in (services.HEAT, services.SERVICES, services.IDENTITY, services.FOUNDATION):
            stop_all(daemons, kill=options.purge)
        if options.purge:
            shutil.rmtree(STATE, ignore_errors=True)


def _status(_options: argparse.Namespace) -> int:
    states = [daemon.state() for daemon in services.ALL]
    for daemon, state in zip(services.ALL, states, strict=True):
        print(f"{daemon.name:20} {state:16} {daemon.pid or '':>8}  {daemon.log}")
    return 0 if set(states) == {"answers"} else 1


def _named(options: argparse.Namespace) -> list[Daemon]:
    known = {daemon.name: daemon for daemon in (*services.ALL, *services.HEAT)}
    unknown = [name for name in options.names if name not in known]
    if unknown:
        raise LabError(f"no process {', '.join(unknown)}; there are {', '.join(known)}")
    return [known[name] for name in options.names]


def _start(options: argparse.Namespace) -> None:
    start_all(_named(options))


def _stop(options: argparse.Namespace) -> None:
    stop_all(_named(options))


def _kill(options: argparse.Namespace) -> None:
    stop_all(_named(options), kill=True)


def _restart(options: argparse.Namespace) -> None:
    _stop(options)
    _start(options)


def _log(options: argparse.Namespace) -> None:
    for daemon in _named(options):
        print(f"== {daemon.log}\n{daemon.tail(40)}")


if __name__ == "__main__":
    sys.exit(main())
