"""Fault injection around any provisioner: hooks before and after each call, and a null object."""

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NoReturn, TypeVar

from govcloud.errors import CloudError
from govcloud.ports.cloud import CloudReport, Observed, Order, Provisioner, Resource, TenantQuota

T = TypeVar("T")
Hook = Callable[[str, int], None]
"""Called with a method's name and how often it has been called by now, from 1; may raise."""


def _nothing(_method: str, _count: int) -> None:
    """Do nothing."""


class InterceptedProvisioner:
    """A provisioner whose calls pass through hooks; a page of a listing is a call.

    What `before` raises comes instead of the call. What `after` raises comes instead of its answer,
    when the cloud has acted: so a lost answer, or a kill at that very step, can be staged.
    """

    def __init__(self, inner: Provisioner, before: Hook = _nothing, after: Hook = _nothing) -> None:
        self.calls: Counter[str] = Counter()
        self._inner = inner
        self._before = before
        self._after = after
        self._lock = threading.Lock()

    def resources(self, order: Order) -> tuple[Resource, ...]:
        """Pass on; this is no call of a cloud."""
        return self._inner.resources(order)

    def ground(self, order: Order) -> Sequence[Order]:
        """Pass on; this is no call of a cloud."""
        return self._inner.ground(order)

    def observe(self) -> Iterator[Sequence[Observed]]:
        """Pass on, page by page."""
        return self._pages("observe", self._inner.observe)

    def find(self, uids: Sequence[str]) -> Sequence[Observed]:
        """Pass on."""
        return self._call("find", lambda: self._inner.find(uids))

    def create(self, resource: Resource) -> Observed:
        """Pass on."""
        return self._call("create", lambda: self._inner.create(resource))

    def change(self, observed: Observed, wanted: Resource, fields: Sequence[str]) -> Observed:
        """Pass on."""
        return self._call("change", lambda: self._inner.change(observed, wanted, fields))

    def delete(self, observed: Observed) -> None:
        """Pass on."""
        self._call("delete", lambda: self._inner.delete(observed))

    def quotas(self) -> Iterator[Sequence[TenantQuota]]:
        """Pass on, page by page."""
        return self._pages("quotas", self._inner.quotas)

    def set_quota(self, tenant: str, limits: Mapping[str, int]) -> None:
        """Pass on."""
        self._call("set_quota", lambda: self._inner.set_quota(tenant, limits))

    def report(self) -> CloudReport:
        """Pass on."""
        return self._call("report", self._inner.report)

    def close(self) -> None:
        """Pass on, without hooks."""
        self._inner.close()

    def _call(self, method: str, act: Callable[[], T]) -> T:
        count = self._enter(method)
        answer = act()
        self._after(method, count)
        return answer

    def _enter(self, method: str) -> int:
        with self._lock:
            self.calls[method] += 1
            count = self.calls[method]
        self._before(method, count)
        return count

    def _pages(
        self, method: str, act: Callable[[], Iterator[Sequence[T]]]
    ) -> Iterator[Sequence[T]]:
        pages = act()
        while True:
            count = self._enter(method)
            page = next(pages, None)
            if page is None:
                return
            self._after(method, count)
            yield page


def raising(error: Exception, method: str, *counts: int) -> Hook:
    """Return a hook that raises at the given calls of a method, at each if none are given."""

    def hook(called: str, count: int) -> None:
        if called == method and (not counts or count in counts):
            raise error

    return hook


def killing(method: str, count: int) -> Hook:
    """Return a hook that kills this process with SIGKILL at the given call of a method."""

    def hook(called: str, nth: int) -> None:
        if (called, nth) == (method, count):
            os.kill(os.getpid(), signal.SIGKILL)

    return hook


class ErrorProvisioner:
    """A provisioner that answers every call with the same error; `resources` are none."""

    def __init__(self, error: CloudError) -> None:
        self._error = error

    def _raise(self, *_: object) -> NoReturn:
        raise self._error

    def resources(self, order: Order) -> tuple[Resource, ...]:  # noqa: ARG002 (the port's)
        """Return nothing."""
        return ()

    def ground(self, order: Order) -> Sequence[Order]:  # noqa: ARG002 (the port's)
        """Return nothing."""
        return ()

    def close(self) -> None:
        """Do nothing."""

    observe = find = create = change = delete = quotas = set_quota = report = _raise
