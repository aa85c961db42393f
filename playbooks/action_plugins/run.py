"""Runs a program on a host without bringing a module there: in one connection, and without Python.

    run: {argv: [systemctl, is-active, nginx]}
    run: {argv: [python3, -], stdin: "print(1)"}      the input stands in no list of processes
    run: {shell: "psql -c 'SELECT 1'", env: {PGPASSWORD: "..."}}        nor do these
    run: {argv: [python3, -], stdin_from: program}  a variable's name: what it says is in no event

What comes back is what `ansible.builtin.command` tells; in check mode it is left out like that one.
"""

import shlex
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """The action `run`."""

    TRANSFERS_FILES = False
    _VALID_ARGS = frozenset({"argv", "env", "shell", "stdin", "stdin_from"})

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the program and return its end."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        if self._task.check_mode:
            return {**result, "skipped": True}
        args = dict(self._task.args)
        if "stdin_from" in args:
            args["stdin"] = self._templar.template((task_vars or {})[args.pop("stdin_from")])
        program, given = _told(args)
        ended = self._low_level_execute_command(program, in_data=given.encode())
        for name in ("stdout", "stderr"):
            ended[name] = ended[name].rstrip("\r\n")
            ended[f"{name}_lines"] = ended[name].splitlines()
        result |= ended | {"changed": True}
        if result["rc"] != 0:
            result |= {"failed": True, "msg": "non-zero return code"}
        return result


def _told(args: dict[str, Any]) -> tuple[str, str]:
    """Return the command and its input; one that takes none is said in the input of a shell."""
    if ("argv" in args) == ("shell" in args):
        raise AnsibleActionFail("run needs either argv or shell")
    argv = args.get("argv") or ["/bin/sh", "-c", args["shell"]]
    program = shlex.join(str(word) for word in argv)
    if "stdin" in args:
        return program, str(args["stdin"])
    env = (args.get("env") or {}).items()
    exports = [f"export {name}={shlex.quote(str(value))}" for name, value in env]
    return "/bin/sh", "\n".join([*exports, f"exec {program} < /dev/null", ""])
