"""The hands of one cloud: a few threads that carry out actions, fairly.

Objects take turns, one action each, so that one with five hundred machines does not hold up one
with a single machine; and objects that failed before get at most half of the hands, so that those
which hang do not take them all (R6).
"""

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

Job = Callable[[], None]


@dataclass(slots=True)
class _Turn:
    """One object's jobs that are still to be done."""

    jobs: deque[Job]
    suspect: bool


@dataclass(slots=True)
class Crew:
    """`hands` threads, started as they are needed. Jobs must not raise."""

    name: str
    hands: int
    _turns: deque[_Turn] = field(default_factory=deque)
    _suspects: deque[_Turn] = field(default_factory=deque)
    _busy_suspects: int = 0
    _idle: int = 0
    _threads: list[threading.Thread] = field(default_factory=list)
    _change: threading.Condition = field(default_factory=threading.Condition)
    _closing: bool = False

    def submit(self, jobs: list[Job], *, suspect: bool = False) -> bool:
        """Let one object's jobs be done, in any order and at the same time; False: it is closed."""
        with self._change:
            if self._closing:
                return False
            (self._suspects if suspect else self._turns).append(_Turn(deque(jobs), suspect))
            # Hands that were told of earlier jobs and have not woken yet are idle still.
            queued = sum(len(turn.jobs) for turn in (*self._turns, *self._suspects))
            missing = min(queued - self._idle, self.hands - len(self._threads))
            for _ in range(max(0, missing)):
                self._start()
            self._change.notify(len(jobs))
        return True

    def close(self) -> None:
        """Drop what has not begun and wait for what has."""
        with self._change:
            self._closing = True
            self._turns.clear()
            self._suspects.clear()
            self._change.notify_all()
        for thread in self._threads:
            thread.join()

    def _start(self) -> None:
        thread = threading.Thread(target=self._work, name=f"{self.name}-hand", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            job, suspect = taken
            job()
            if suspect:
                with self._change:
                    self._busy_suspects -= 1
                    self._change.notify()

    def _take(self) -> tuple[Job, bool] | None:
        with self._change:
            while True:
                if self._closing:
                    return None
                allowed = 1 if self._turns else max(1, self.hands // 2)
                if self._suspects and self._busy_suspects < allowed:
                    self._busy_suspects += 1
                    return self._next(self._suspects), True
                if self._turns:
                    return self._next(self._turns), False
                self._idle += 1
                self._change.wait()
                self._idle -= 1

    @staticmethod
    def _next(turns: deque[_Turn]) -> Job:
        turn = turns.popleft()
        job = turn.jobs.popleft()
        if turn.jobs:
            turns.append(turn)
        return job
