"""Counting in several processes at once: a share each at a time, over a pipe of its own.

A worker gets the database's address over a pipe, because arguments and environment of a process can
be read by others and an address may hold a password. It ends when its pipe does, so with this
process, however that ends. Nothing is shared but the database: a report is told by two numbers of
facts, so no common snapshot is needed, and a worker that dies, even while it holds half an answer,
leaves nothing locked. (The queues of `concurrent.futures` are shared: in some releases of Python a
worker killed at the wrong moment makes them wait for ever.)
"""

import gc
import multiprocessing
import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Final, cast

from govcloud.errors import UnavailableError
from govcloud.reports.tallying import Answer, Rules, Share, count_share
from govcloud.store.engine import Database
from govcloud.store.facts import map_file

_CONTEXT: Final = multiprocessing.get_context("spawn")
_TURN: Final = threading.Lock()
"""One report at a time has the machine's cores: two at once would be slower, and larger."""


@dataclass(frozen=True, slots=True)
class _Failed:
    """Why a worker gave up: the parameters of a database's error, or the trace of a defect."""

    key: str
    params: dict[str, object]


@dataclass(frozen=True, slots=True)
class _Worker:
    process: SpawnProcess
    pipe: "Connection"

    def give(self, shares: Iterator[Share]) -> bool:
        """Give the next share; return whether there was one."""
        share = next(shares, None)
        if share is not None:
            with self._alive():
                self.pipe.send(share)
        return share is not None

    def answer(self) -> tuple[int, Answer]:
        """Return the answer, with the number of its share."""
        with self._alive():
            answer = self.pipe.recv()
        if not isinstance(answer, _Failed):
            return cast("tuple[int, Answer]", answer)
        if answer.key:
            raise UnavailableError(answer.key, **answer.params)
        raise RuntimeError(answer.params["trace"])

    @contextmanager
    def _alive(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, OSError) as error:
            self.process.join()
            code = self.process.exitcode
            raise UnavailableError("errors.report_worker", code=code) from error


def in_processes(
    url: str, rules: Rules, shares: Iterator[Share], processes: int
) -> Iterator[tuple[int, Answer]]:
    """Count shares in processes; yield the answers as they come, with the numbers of the shares.

    A share is taken from the iterator when a worker is free for it. UnavailableError where a worker
    dies or cannot use the database. The workers have ended when the iterator has.
    """
    with _TURN, _workers(url, rules, processes) as workers:
        busy = {worker.pipe: worker for worker in workers if worker.give(shares)}
        while busy:
            for pipe in cast("list[Connection]", wait(list(busy))):
                yield busy[pipe].answer()
                if not busy[pipe].give(shares):
                    del busy[pipe]


@contextmanager
def _workers(url: str, rules: Rules, processes: int) -> Iterator[list[_Worker]]:
    started: list[_Worker] = []
    try:
        with _no_interrupts():
            started.extend(_start(url, rules) for _ in range(processes))
        yield started
    except BaseException:
        for worker in started:
            worker.process.terminate()
        raise
    finally:
        for worker in started:
            worker.pipe.close()
        for worker in started:
            worker.process.join()


def _start(url: str, rules: Rules) -> _Worker:
    here, there = _CONTEXT.Pipe()
    with there:
        process = _CONTEXT.Process(target=_work, args=(there, url, rules), daemon=True)
        process.start()
    return _Worker(process, here)


@contextmanager
def _no_interrupts() -> Iterator[None]:
    """Start processes that do not hear Ctrl-C: it is for this one, which then ends them."""
    resource_tracker.ensure_running()  # else starting the first process would let signals in again
    former = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def _work(pipe: "Connection", url: str, rules: Rules) -> None:
    gc.disable()  # no cycles to be found, see `on_cloud`
    database = Database(url)
    try:
        with database.reading() as session:
            map_file(session)
            while True:
                share = pipe.recv()
                pipe.send((share.number, count_share(session, rules, share)))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # nobody waits for answers any more
    except UnavailableError as error:
        pipe.send(_Failed(error.key, error.params))
    except Exception:  # noqa: BLE001 (told where it can be shown and logged)
        pipe.send(_Failed("", {"trace": traceback.format_exc()}))
    finally:
        database.close()
