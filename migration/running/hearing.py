"""What a play's events mean: progress, numbers, what failed, and the evidence that is kept."""

import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from govcloud.messages import DEFAULT_LANGUAGE, render
from migration.running.port import Number, Played, Told, Verdict
from migration.running.references import Masking
from migration.running.refusals import explained, with_complaints

_FAILURES: Final = {"runner_on_failed", "runner_on_unreachable", "runner_item_on_failed", "error"}
_IDLE: Final = {"runner_retry", "verbose"}
"""Events that say nothing that another does not: looking again, and lines of ansible's own."""
_UNREACHABLE_EXIT: Final = 4
_NO_REASON: Final = "non-zero return code"
"""What Ansible says where a program's own complaint says more."""


class Hearing:
    """Listens to the events of one play, one line of JSON each.

    `complaints`: the file of what a bastion complained of last.
    """

    def __init__(
        self, mask: Masking, told: Callable[[Told], None], complaints: Path | None = None
    ) -> None:
        self._complaints = complaints
        self._mask = mask
        self._told = told
        self._packing = zlib.compressobj(6)
        self._packed: list[bytes] = []
        self._task = ""
        self._failure = ("", "")
        self._numbers: dict[str, Number] = {}
        self._unreachable = False
        self._complete = False

    def hear(self, line: bytes) -> None:
        """Take in an event."""
        event = json.loads(line.decode("utf-8", "replace"))
        # What is decided on is not masked: a secret may be a word of Ansible's too.
        name = event["event"]
        if self._mask:
            event["event_data"] = self._mask.within(event["event_data"])
            line = json.dumps(event).encode()
        data = event["event_data"] or {}
        if name not in _IDLE:
            self._packed.append(self._packing.compress(line + b"\n"))
        if name == "playbook_on_task_start":
            self._task = str(data.get("task", ""))
            self._told(Told(self._task))
        elif name in {"runner_retry", "runner_on_ok"}:
            self._count(data)
        elif name in _FAILURES and not data.get("ignore_errors"):
            result = data.get("res") or {}
            task = str(data.get("task", ""))
            # Of a task with items, what its first item says tells more than the task's own word.
            if not ("results" in result and self._failure[0] == task):
                self._failure = (task, self._why(result))
            self._unreachable |= name == "runner_on_unreachable" or _work(result).get(
                "broken", False
            )
        elif name == "playbook_on_stats":
            self._complete = True
            self._numbers = dict(data.get("artifact_data") or {})

    def _why(self, result: Mapping[str, Any]) -> str:
        """Return why a task failed; who refused a login is said in a sentence of ours."""
        said = _why(result)
        if self._complaints is not None and self._complaints.exists():
            said = with_complaints(said, self._complaints.read_text("utf-8", "replace"))
        refused = explained(said)
        said = render(refused.key, DEFAULT_LANGUAGE, refused.params) if refused else said
        return self._mask(said)

    def _count(self, data: Mapping[str, Any]) -> None:
        """Tell the bytes that work on a host has counted, and of how many, where it knows."""
        work = _work(data.get("res") or {})
        if work:
            self._told(Told(self._task, work["bytes"], work.get("total")))

    def played(self, ended: int | None) -> Played:
        """Return what came of it; `ended` is ansible's exit code, None where it was stopped."""
        task, message = self._failure
        if ended is None:
            verdict, message = Verdict.STOPPED, ""
        elif ended == 0 and self._complete:
            return Played(Verdict.OK, self._numbers, evidence=self._evidence())
        elif self._unreachable or ended == _UNREACHABLE_EXIT or not (self._complete or message):
            verdict = Verdict.UNREACHABLE
            message = message or render("migrate.play_broken", DEFAULT_LANGUAGE, {"code": ended})
        else:
            verdict = Verdict.FAILED
        return Played(verdict, self._numbers, task or self._task, message, self._evidence())

    def _evidence(self) -> bytes:
        return b"".join([*self._packed, self._packing.flush()])


def _work(result: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what `job.py` said of its work, or nothing where something else was said."""
    said = result.get("stdout")
    if not (isinstance(said, str) and said.startswith("{")):
        return {}
    try:
        work = json.loads(said)
    except ValueError:
        return {}
    return work if isinstance(work, dict) and {"ended", "bytes"} <= set(work) else {}


def _why(result: Mapping[str, Any]) -> str:
    """Return what a failed task says, with what its program complained of."""
    if work := _work(result):
        return str(work.get("stderr", "")).strip()
    said = [result.get(name) for name in ("msg", "stdout", "stderr", "module_stderr", "censored")]
    parts = [str(part).strip() for part in said if part and str(part).strip()]
    telling = [part for part in parts if part != _NO_REASON]
    return "; ".join(dict.fromkeys(telling or parts))
