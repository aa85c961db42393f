"""Every command there is, in one table: where it lives and how it is grouped in the help.

The table is all that `govcloud --help` reads; a command's module is imported when it is run, asked
for its own help, or completed. Help texts stand in the catalogue under `help_<path>`, examples
under `examples_<path>`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Leaf:
    """A command: the module under `cli.commands` and the function in it."""

    module: str
    function: str
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Branch:
    """A command with commands below it; `default` runs where none of them is named."""

    children: Mapping[str, "Leaf | Branch"]
    default: Leaf | None = None
    sections: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


ROOT: Final = Branch(
    {
        "init": Leaf("workspace", "init"),
        "backup": Leaf("backup", "backup"),
        "restore": Leaf("backup", "restore"),
        "apply": Leaf("platform", "apply"),
        "delete": Leaf("platform", "delete"),
        "plan": Leaf("submit", "plan"),
        "submit": Leaf("submit", "submit"),
        "release": Leaf("submit", "release"),
        "edit": Leaf("edit", "edit"),
        "requests": Branch(
            {"list": Leaf("requests", "list_requests"), "show": Leaf("requests", "show")},
            default=Leaf("requests", "list_requests"),
        ),
        "approve": Leaf("decide", "approve"),
        "reject": Leaf("decide", "reject"),
        "return": Leaf("decide", "return_"),
        "withdraw": Leaf("decide", "withdraw"),
        "reassign": Leaf("decide", "reassign"),
        "add-reviewer": Leaf("decide", "add_reviewer"),
        "send-back": Leaf("decide", "send_back"),
        "confirm-condition": Leaf("decide", "confirm_condition"),
        "get": Leaf("objects", "get"),
        "kubeconfig": Leaf("kubeconfig", "kubeconfig"),
        "describe": Leaf("describe", "describe"),
        "wait": Leaf("wait", "wait"),
        "events": Leaf("objects", "events"),
        "explain": Leaf("learn", "explain"),
        "schema": Leaf("learn", "schema"),
        "quota": Branch(
            {
                "tree": Leaf("quota", "tree"),
                "show": Leaf("quota", "show"),
                "set": Leaf("quota", "set_"),
                "check": Leaf("quota", "check"),
            }
        ),
        "drift": Leaf("drift", "drift"),
        "unmanaged": Leaf("clouds", "unmanaged"),
        "cloud": Branch({"discover": Leaf("clouds", "discover")}),
        "adopt": Leaf("clouds", "adopt"),
        "stop": Leaf("machines", "stop"),
        "start": Leaf("machines", "start"),
        "reboot": Leaf("machines", "reboot"),
        "console-log": Leaf("machines", "console_log"),
        "ssh": Leaf("machines", "ssh"),
        "retry": Leaf("recover", "retry"),
        "rebuild": Leaf("recover", "rebuild"),
        "confirm": Leaf("recover", "confirm_release"),
        "force": Leaf("recover", "force"),
        "abandon": Leaf("recover", "abandon"),
        "resume": Leaf("recover", "resume"),
        "controller": Branch({"run": Leaf("controller", "run")}),
        "report": Branch(
            {
                "on-cloud-rate": Leaf("report", "on_cloud_rate"),
                "opening-time": Leaf("report", "opening_time"),
                "explain": Branch(
                    {
                        "on-cloud-rate": Leaf("report", "explain_on_cloud_rate"),
                        "fact": Leaf("report", "explain_fact"),
                    }
                ),
            }
        ),
        "migrate": Branch(
            {
                "inventory": Branch(
                    {
                        "scan": Leaf("migrate_scan", "scan"),
                        "import": Leaf("migrate_inventory", "import_"),
                    }
                ),
                "assess": Leaf("migrate_assess", "assess"),
                "plan": Leaf("migrate_plan", "plan"),
                "prepare": Leaf("migrate_prepare", "prepare"),
                "run": Leaf("migrate_run", "run"),
                "status": Leaf("migrate_status", "status"),
                "pause": Leaf("migrate_run", "pause"),
                "resume": Leaf("migrate_run", "resume"),
                "cutover": Leaf("migrate_run", "cutover"),
                "verify": Leaf("migrate_run", "verify"),
                "rollback": Leaf("migrate_run", "rollback"),
                "abandon": Leaf("migrate_run", "abandon"),
                "accept": Leaf("migrate_run", "accept"),
                "source-off": Leaf("migrate_run", "source_off"),
                "close-room": Leaf("migrate_run", "close_room"),
                "log": Leaf("migrate_status", "log"),
            }
        ),
        "audit": Branch({"log": Leaf("audit", "log"), "verify": Leaf("audit", "verify")}),
        "token": Branch(
            {
                "create": Leaf("token", "create"),
                "list": Leaf("token", "list_tokens"),
                "revoke": Leaf("token", "revoke"),
            }
        ),
        "serve": Leaf("serve", "serve"),
        "simulate": Branch(
            {
                "list": Leaf("simulate", "list_resources"),
                "remove": Leaf("simulate", "remove"),
                "change": Leaf("simulate", "change"),
                "fail": Leaf("simulate", "fail"),
                "unmark": Leaf("simulate", "unmark"),
                "add": Leaf("simulate", "add"),
                "limit": Leaf("simulate", "limit"),
                "fault": Leaf("simulate", "fault"),
                "calm": Leaf("simulate", "calm"),
            }
        ),
        "doctor": Leaf("workspace", "doctor"),
        "whoami": Leaf("token", "whoami"),
        "version": Leaf("workspace", "version"),
        "completion": Leaf("learn", "completion"),
    },
    sections={
        "start": ("init", "doctor", "whoami", "version", "completion"),
        "department": ("explain", "schema", "plan", "submit", "edit", "release", "withdraw"),
        "decide": (
            "requests",
            "approve",
            "reject",
            "return",
            "reassign",
            "add-reviewer",
            "send-back",
            "confirm-condition",
        ),
        "look": ("get", "kubeconfig", "describe", "wait", "events", "drift", "unmanaged", "quota"),
        "run": ("stop", "start", "reboot", "console-log", "ssh"),
        "operate": (
            "apply",
            "delete",
            "cloud",
            "adopt",
            "controller",
            "retry",
            "rebuild",
            "confirm",
            "force",
            "abandon",
            "resume",
            "serve",
            "backup",
            "restore",
            "token",
            "simulate",
        ),
        "migrate": ("migrate",),
        "audit": ("report", "audit"),
    },
)


def walk(
    branch: Branch = ROOT, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Leaf | Branch]]:
    """Yield every command with its path, in the order of the table."""
    for name, entry in branch.children.items():
        yield (*path, name), entry
        if isinstance(entry, Branch):
            yield from walk(entry, (*path, name))


def key(path: tuple[str, ...]) -> str:
    """Return what the catalogue calls a command: its path with underscores."""
    return "_".join(path).replace("-", "_")
