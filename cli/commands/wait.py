"""Waiting until objects or requests are as they should be."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer

from cli import complete, output, refs
from cli.client import ApiError, path
from cli.labels import meaning
from cli.options import Department, Timeout
from cli.progress import spinner
from cli.session import client
from cli.speech import t
from govcloud.errors import ConflictError, UnavailableError, UsageError, WaitTimeoutError

FIRST_LOOK_S: Final = 0.2
SLOWEST_LOOK_S: Final = 2.0
"""Between looks: quick at first for what is nearly done, then slow enough for many who wait."""

Item = Mapping[str, Any] | None
_ABSENT: Final = ("requests.no_such_object", "requests.no_such_request")
_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a target said: reached or not, what it is like, whether it never will be."""

    done: bool
    state: str
    hopeless: bool = False


Judge = Callable[[Item], Look]


def wait(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="KIND/NAME|REQUEST…", help=t("arg_wait"), autocompletion=complete.references
        ),
    ],
    for_: Annotated[str | None, typer.Option("--for", metavar="STATE", help=t("opt_for"))] = None,
    every: Annotated[bool, typer.Option("--all", help=t("opt_all_of_kind"))] = False,
    department: Department = None,
    timeout: Timeout = "10m",
) -> None:
    """Wait until all of several objects or requests have reached a state."""
    limit = seconds(timeout)
    if every:
        _wait_for_kinds(targets, judge(for_ or "ready"), department, limit)
        return
    if targets[0].lower() in ("request", "requests"):
        targets = targets[1:]
    requests = [word for word in targets if refs.is_request(word)]
    others = [word for word in targets if not refs.is_request(word)]
    watched = {word: _of_request(word, for_ or "fulfilled") for word in requests}
    for reference in refs.parse(others, department) if others else []:
        watched[reference.shown] = _of_object(reference, for_ or "ready")
    until(watched, limit)


def fulfilled(ids: Sequence[str], timeout: str) -> None:
    """Wait until requests that were just submitted or approved are fulfilled."""
    until({identity: _of_request(identity, "fulfilled") for identity in ids}, seconds(timeout))


def until(watched: Mapping[str, Callable[[], Look]], limit_s: float) -> None:
    """Look again and again until each target is done; name those that are not when time is up.

    Raises WaitTimeoutError, or ConflictError as soon as one can no longer get there.
    """
    end, pause = time.monotonic() + limit_s, FIRST_LOOK_S
    left = dict(watched)
    with spinner(t("waiting", count=len(left))) as tell:
        while True:
            looks = {name: _look(look) for name, look in left.items()}
            _announce(looks)
            left = {name: left[name] for name, look in looks.items() if not look.done}
            if not left:
                return
            hopeless = [f"{name} ({look.state})" for name, look in looks.items() if look.hopeless]
            if hopeless:
                raise ConflictError("cli.wait_hopeless", objects=hopeless)
            if time.monotonic() + pause > end:
                lagging = [f"{name} ({looks[name].state})" for name in left]
                raise WaitTimeoutError("cli.wait_timeout", seconds=round(limit_s), objects=lagging)
            tell(t("waiting_for", count=len(left), first=next(iter(left))))
            time.sleep(pause)
            pause = min(pause * 1.5, SLOWEST_LOOK_S)


def _look(look: Callable[[], Look]) -> Look:
    # A server that restarts while somebody waits is no reason to give up before the time is.
    try:
        return look()
    except UnavailableError as error:
        return Look(done=False, state=error.reason)


def _announce(looks: Mapping[str, Look]) -> None:
    for name, look in looks.items():
        if look.done:
            output.emit(f"{name}  {look.state}")


def _of_object(reference: refs.Reference, wanted: str) -> Callable[[], Look]:
    decide = judge(wanted)

    def look() -> Look:
        return decide(_fetched(reference.path, reference.department))

    return look


def _fetched(place: str, department: str | None = None) -> Item:
    try:
        found: dict[str, Any] = client().get(place, department=department)
    except ApiError as error:
        # An object that is not there may come yet; a kind that is none, or a name that several
        # departments have, is a mistake.
        if error.key.startswith(_ABSENT):
            return None
        raise
    return found


def judge(wanted: str) -> Judge:
    """Return what decides about objects: `create`, `ready`, `deleted`, `phase=…`, `condition=…`."""
    name, _, value = meaning("status", wanted).lower().partition("=")
    if name == "condition":
        name, value = value.removesuffix("=true"), ""
    if name in ("create", "created", "exists"):
        return lambda item: Look(item is not None, t("wait_created") if item else t("wait_absent"))
    if name in ("delete", "deleted", "gone"):
        return lambda item: Look(item is None, t("wait_gone") if item is None else _state(item))
    if name in ("ready", "available"):
        return _ready
    value = meaning("phase", value)
    if name == "phase" and value:
        return lambda item: Look(
            item is not None and _status(item).get("phase") == value, _state(item)
        )
    raise UsageError("cli.bad_condition", condition=wanted)


def _status(item: Item) -> Mapping[str, Any]:
    return (item or {}).get("status") or {}


def _ready(item: Item) -> Look:
    if item is None:
        return Look(done=False, state=t("wait_absent"))
    status = _status(item)
    current = status.get("observedGeneration") == item["metadata"].get("generation")
    settled = current and status.get("progressing") is False
    ready = bool(status.get("ready")) and (current or not status.get("cloud"))
    return Look(ready, _state(item), hopeless=settled and not ready and bool(status.get("reason")))


def _state(item: Item) -> str:
    from cli.columns import status

    if item is None:
        return t("wait_absent")
    message = _status(item).get("message")
    return (
        f"{status(item)}: {message}" if message and not _status(item).get("ready") else status(item)
    )


def _of_request(identity: str, wanted: str) -> Callable[[], Look]:
    typed = wanted.lower().removeprefix("state=").removeprefix("condition=")
    name = meaning("request", typed)
    ends = ("fulfilled", "rejected", "returned", "withdrawn")
    ladder = ("review", "approved", "provisioning", "fulfilled")
    if name not in (*ladder, *ends, "create", "created"):
        raise UsageError("cli.bad_request_state", state=wanted)

    def look() -> Look:
        item = _fetched(path("requests", identity))
        if item is None:
            return Look(done=False, state=t("wait_absent"))
        state = item["state"]
        reached = name.startswith("create") or state == name
        if name in ladder and state in ladder:
            reached = ladder.index(state) >= ladder.index(name)
        return Look(reached, _request_state(item), hopeless=state in ends and not reached)

    return look


def _request_state(item: Mapping[str, Any]) -> str:
    from cli.columns import request_state

    progress = item.get("progress") or {}
    count = f" {progress['ready']}/{progress['total']}" if progress.get("total") else ""
    return f"{request_state(item)}{count}"


def _wait_for_kinds(
    kinds: Sequence[str], decide: Judge, department: str | None, limit: float
) -> None:
    def look(kind: str) -> Look:
        items = list(client().items(path("objects", kind), department=department))
        looks = {item["metadata"]["name"]: decide(item) for item in items}
        stuck = [name for name, look in looks.items() if look.hopeless]
        open_ = [name for name, look in looks.items() if not look.done]
        text = t("wait_counts", done=len(looks) - len(open_), total=len(looks))
        some = ", ".join((stuck or open_)[:5])
        return Look(
            not open_, f"{text}: {some}" if some else text, bool(stuck) and len(stuck) == len(open_)
        )

    until({kind: lambda kind=kind: look(kind) for kind in kinds}, limit)  # type: ignore[misc]


def seconds(text: str) -> float:
    """Return the seconds of `30s`, `10m`, `1h` or a bare number of seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    if match is None:
        raise UsageError("cli.bad_duration", text=text)
    return float(match[1]) * _UNITS[match[2]]
