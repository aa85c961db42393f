"""Whether a system serves: addresses fetched, ports opened, until they answer or time is up."""

import math
import socket
import ssl
import time
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

import httpx

from govcloud.domain.kinds.moving import Move, Probe
from govcloud.messages import DEFAULT_LANGUAGE, render
from govcloud.ports.abilities import Stop

PATIENCE_S: Final = 5.0
"""For one answer."""
PAUSE_S: Final = 1.0
LEAST_S: Final = 0.1
"""For the last answer before the time is up: none at all would be an error of ours."""


def healthy(move: Move, stop: Stop, within_s: float = math.inf) -> str:
    """Return "" as soon as all checks succeed, or after a while what the last one said.

    No answer is waited for longer than `within_s`, whatever the checks themselves are given.
    """
    over = time.monotonic() + within_s
    end = min(over, time.monotonic() + move.health_seconds)
    left = list(move.health)
    while left:
        wrong = probe(left[0], max(LEAST_S, min(PATIENCE_S, over - time.monotonic())))
        if not wrong:
            left.pop(0)
        elif time.monotonic() >= end or stop.wait(min(PAUSE_S, end - time.monotonic())):
            return wrong
    return ""


def probe(check: Probe, patience_s: float = PATIENCE_S) -> str:
    """Return "" where a check succeeds, else what is wrong; never a secret of an address."""
    if check.http is not None:
        return _http(check, patience_s)
    return _tcp(check.tcp or "", patience_s)


def _http(check: Probe, patience_s: float) -> str:
    address = check.http or ""
    place = urlsplit(address).netloc.rpartition("@")[2] or address
    try:
        # The hosts are inside: no proxy of the surroundings leads there.
        # What follows the status is not waited for: a stream of events never ends.
        with (
            httpx.Client(timeout=patience_s, trust_env=False, verify=False) as client,  # noqa: S501
            client.stream("GET", address) as answer,
        ):
            status = answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return _why(place, error)
    wrong = {"place": place, "status": status, "expected": check.expect}
    return "" if status == check.expect else _said("migrate.health_status", **wrong)


def _tcp(place: str, patience_s: float) -> str:
    address, _, port = place.rpartition(":")
    try:
        socket.create_connection((address.strip("[]"), int(port)), patience_s).close()
    except (OSError, ValueError) as error:
        return _why(place, error)
    return ""


_WHY: Final[Sequence[tuple[tuple[type[BaseException], ...], str]]] = (
    ((ConnectionRefusedError,), "refused"),
    ((TimeoutError, httpx.TimeoutException), "silent"),
    ((socket.gaierror,), "nameless"),
    ((ssl.SSLError, ConnectionResetError, BrokenPipeError), "odd"),
    ((OSError, httpx.ConnectError), "unreached"),
)


def _why(place: str, error: BaseException) -> str:
    """Return in words why nothing was answered: httpx hides what the system said behind its own."""
    behind: list[BaseException] = []
    step: BaseException | None = error
    while step is not None:
        behind.append(step)
        step = step.__cause__ or step.__context__
    words = (word for kinds, word in _WHY if any(isinstance(one, kinds) for one in behind))
    return _said(f"migrate.health_{next(words, 'odd')}", place=place)


def _said(key: str, **params: object) -> str:
    return render(key, DEFAULT_LANGUAGE, params)
