"""What the events of a scan mean: each host's answers, and why it has none. Pure."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from migration.inventory.scan.answer import Answer
from migration.running.refusals import by_sudo, with_complaints

_ANSWERED: Final = "runner_item_on_ok"
_ENDED: Final = ("runner_on_ok", "runner_on_failed")
_LOGIN: Final = "Log in"
_RIGHTS: Final = "Tell the rights"
_SUBJECT: Final = "Read a subject"
"""Tasks of the role `scan`."""
_LONGEST: Final = 300
_NOISE: Final = re.compile(
    r"Warning: Permanently added|(Shared c|C)onnection to \S+ closed|sudo: unable to resolve host"
)


@dataclass(slots=True)
class Heard:
    """What one host has said so far.

    `unreachable` is the reason where it cannot be logged in to, or was lost; `rights` why it lets
    nobody become root. `login`: from where, and to which port.
    """

    host: str
    answers: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    unreachable: str = ""
    rights: str = ""
    root: bool = False
    login: dict[str, Any] = field(default_factory=dict)
    done: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """Something new: a host has said, or begins to say, something of a subject."""

    heard: Heard
    subject: str = ""


class Hearing:
    """Listens to the events of one scan, one line of JSON each.

    `complaints` returns what the login at a host's bastion complained of, where that is kept.
    """

    def __init__(
        self,
        mask: Callable[[str], str],
        told: Callable[[Notice], None],
        complaints: Callable[[str], str] = lambda _host: "",
    ) -> None:
        self._mask, self._told, self._complaints = mask, told, complaints
        self.hosts: dict[str, Heard] = {}
        self.fault = ""

    def hear(self, line: bytes) -> None:
        """Take in an event."""
        event = json.loads(line)
        name, data = event["event"], event["event_data"] or {}
        result = data.get("res") or {}
        if name == "error":
            self.fault = self._mask(str(result.get("msg", "")).strip()) or self.fault
        elif "host" in data and name.startswith("runner_"):
            heard = self.hosts.setdefault(data["host"], Heard(data["host"]))
            self._host(name, str(data.get("task", "")), result, heard)

    def _host(self, name: str, task: str, result: Mapping[str, Any], heard: Heard) -> None:
        if name.startswith("runner_item") and task == _SUBJECT:
            self._subject(str(result.get("item", "")), result, heard, good=name == _ANSWERED)
        elif name == "runner_on_unreachable" or result.get("unreachable"):
            self._lose(result, heard)
            self._end(heard)
        elif name == "runner_on_failed" and task == _RIGHTS:
            heard.rights = self._why(result)
            self._end(heard)
        elif name == "runner_on_failed" and task != _SUBJECT:
            heard.unreachable = self._why(result)
            self._end(heard)
        elif name in _ENDED:
            self._step(task, result, heard)

    def _step(self, task: str, result: Mapping[str, Any], heard: Heard) -> None:
        answer = Answer(str(result.get("stdout", "")))
        if task == _LOGIN:
            words = answer.word("login").split()
            if len(words) == 4:
                heard.login = {"from": words[0], "port": int(words[3])}
        elif task == _RIGHTS:
            heard.root = answer.word("rights") == "0"
        elif task == _SUBJECT:
            self._end(heard)
        self._told(Notice(heard))

    def _subject(
        self, subject: str, result: Mapping[str, Any], heard: Heard, *, good: bool
    ) -> None:
        if result.get("unreachable"):
            self._lose(result, heard)
        if good:
            heard.answers[subject] = str(result.get("stdout", ""))
        else:
            heard.missing[subject] = self._why(result)
        self._told(Notice(heard, subject))

    def _end(self, heard: Heard) -> None:
        if not heard.done:
            heard.done = True
            self._told(Notice(heard))

    def _lose(self, result: Mapping[str, Any], heard: Heard) -> None:
        """Note why a host says nothing more; what counts is what SSH says last."""
        complaints = self._mask(self._complaints(heard.host))
        said = with_complaints(self._said(result), complaints)[-_LONGEST:]
        if by_sudo(said):
            heard.rights = said
        else:
            heard.unreachable = said

    def _why(self, result: Mapping[str, Any]) -> str:
        return self._said(result)[:_LONGEST]

    def _said(self, result: Mapping[str, Any]) -> str:
        """Return what went wrong on one line, the program's own words before Ansible's."""
        said = [str(result.get(name) or "").strip() for name in ("stderr", "msg", "module_stderr")]
        text = next(filter(None, said), "").removeprefix("Task failed: ")
        lines = [line.strip() for line in self._mask(text).splitlines() if line.strip()]
        told = [line for line in lines if not _NOISE.match(line)] or lines
        return " ".join(told)
