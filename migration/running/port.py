"""The port between what decides the next step of a migration and what plays it on hosts.

What moves is described as workloads; each is moved by a role in `playbooks/roles`. A role is a
folder with `meta/argument_specs.yml`, which says its settings, and one task file a stage. The
words MUST and MAY are meant as in RFC 2119.

Switches (an address, a proxy, a name), base configuration and hooks are roles as well: `start` does
it, `undo` takes it back, and both MUST be repeatable. For them `source` and `target` are the one
host that they are played on.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from govcloud.ports.abilities import Stop

Number = int | float | str | bool


class Stage(StrEnum):
    """A task file of a role. Each MUST be repeatable, and resume what was interrupted (M2)."""

    PLAN = "plan"
    """Looks at both ends and changes neither: `bytes` to move, `room` on the target; fails, in a
    sentence, where something that the move needs is missing."""
    SYNC = "sync"
    """Brings the target's copy nearer; reads the source and changes nothing there (M1). Says
    `bytes` moved in this run, `bytes_total`, and where it can tell `bytes_remaining`."""
    FREEZE = "cutover"
    """Ends writes at the source, in its window; what was read there before can still be read.
    After it a last `SYNC` with the mode `final` moves what is left."""
    VERIFY = "verify"
    """Compares source and target (checksums, rows): fails at the first difference that counts,
    with `differences`; says `compared`. Changes nothing (M4)."""
    START = "start"
    """Lets the target serve. Roles of data that nothing serves MAY leave it out; roles that are
    played on one host MUST have it."""
    UNDO = "undo"
    """Lets the source serve as before and the target no more; takes away at the source whatever
    other stages left there; fails unless the source serves again (M3). What was written on the
    target since is kept there, and said as `written_since` and `kept_in`. With the mode `aborted`
    it also takes away at the target what an aborted copy left (M5). With the mode `test` it takes
    away the copy on the side, and nothing else: the source was never changed."""


class Mode(StrEnum):
    """What a stage is played for."""

    TEST = "test"
    """A copy on the side, away from where the real one will be, to try and to throw away."""
    INITIAL = "initial"
    DELTA = "delta"
    FINAL = "final"
    """The last copy, with the source frozen."""
    ABORTED = "aborted"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host and how to log in to it; never a secret: `key_file` is the path of a private key."""

    name: str
    address: str
    port: int = 22
    user: str = "root"
    key_file: str = ""
    known_hosts: str = ""
    """The path of a file of host keys; empty: those of the user who runs the controller."""
    bastion: str = ""
    """`user@host:port` through which it is reached; empty: directly."""
    become: bool = False
    fetch_through: str = ""
    """`user@host:port` through which a target fetches from it; empty: directly."""


@dataclass(frozen=True, slots=True)
class Play:
    """One stage of one workload, all that it takes.

    `settings` are the role's arguments; `secrets` are arguments whose values are references
    (`env:NAME`, `file:PATH`), which the player resolves where it runs and never writes down.
    `bandwidth_kib` is the most KiB/s that it may move. `key` tells this play's traces on hosts
    (folders, users, slots) from those of others: it is the same for every stage of a workload.
    `about` is what roles find in the variable `migration`: department, system, wave, step,
    workload, and the request by which the target came.
    """

    key: str
    role: str
    stage: Stage
    source: Endpoint
    target: Endpoint
    mode: Mode = Mode.NONE
    settings: Mapping[str, object] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    bandwidth_kib: int | None = None
    timeout_s: float | None = None
    check: bool = False
    """Say what would be done and do nothing."""
    about: Mapping[str, str] = field(default_factory=dict)


class Verdict(StrEnum):
    """How a play ended."""

    OK = "ok"
    FAILED = "failed"
    """A task failed, and would fail again: somebody has to look."""
    UNREACHABLE = "unreachable"
    """A host did not answer: to be tried again."""
    STOPPED = "stopped"
    """`stop` was set, or `timeout_s` passed; what was begun can be resumed."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a play says while it runs: which task, and counted bytes, as far as it knows them."""

    task: str
    bytes_done: int | None = None
    bytes_total: int | None = None


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a play.

    `numbers` is what the role measured (`Stage`); `task` and `message` say, masked, what failed, or
    that a role had nothing to do.
    `evidence` is what ansible-runner told of every task, secrets masked, as zlib-compressed lines
    of JSON.
    """

    verdict: Verdict
    numbers: Mapping[str, Number] = field(default_factory=dict)
    task: str = ""
    message: str = ""
    evidence: bytes = b""


class Player(Protocol):
    """Plays a stage of a role on real hosts."""

    def play(self, play: Play, told: Callable[[Told], None], stop: Stop) -> Played:
        """Play it to its end; never raises for what hosts do.

        When this process is killed, what it started on this machine MUST end too, and soon.
        """
        ...

    def roles(self) -> Mapping[str, Mapping[str, object]]:
        """Return what can be moved: by its name, the specification of each role.

        It is `argument_specs.main` of its `meta/argument_specs.yml`, with `options` under the
        names that people write, and `stages`, of which it has the task file.
        """
        ...
