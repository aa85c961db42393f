"""The place itself: init, doctor, version."""

import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from cli import output, render, session
from cli.columns import at
from cli.options import Format, Output, Text, TextFormat
from cli.output import emit, pad, paint
from cli.render import Column
from cli.speech import t, word
from govcloud import __version__, settings
from govcloud.errors import Exit, GovcloudError, UsageError


def _name(check: Mapping[str, Any]) -> str:
    """Return what is checked: `database`, `cloud/changshu-vm`."""
    what, slash, which = str(check.get("check", "")).partition("/")
    return word("check", what) + slash + which


CHECKS: Final = (
    Column("check", _name),
    Column("status", lambda check: word("doctor", check["status"])),
    Column("message", at("message")),
    Column("remedy", at("remedy")),
)


def init(
    directory: Annotated[
        str | None, typer.Argument(metavar="[FOLDER]", help=t("arg_folder"))
    ] = None,
    new_database: Annotated[
        bool, typer.Option("--new-database", help=t("opt_new_database"))
    ] = False,
    time_zone: Annotated[
        str | None, typer.Option("--time-zone", metavar="NAME", help=t("opt_time_zone"))
    ] = None,
) -> None:
    """Make a workspace, or complete and upgrade the one that is there."""
    from cli.progress import spinner
    from govcloud import bootstrap

    if directory == "":  # to the system, the current folder
        raise UsageError("cli.empty_path")
    environment = session.current.environment
    with spinner(t("initialising")):
        made = bootstrap.init(
            Path(directory) if directory is not None else settings.home(environment),
            environment,
            new_database=new_database,
            time_zone=time_zone,
        )
    emit(str(made.workspace))
    output.note(t("workspace_created" if made.created else "workspace_kept"))
    if made.token_made:
        output.note(t("first_token"))
    output.hint(t("hint_init"))


def version(
    client_only: Annotated[bool, typer.Option("--client", help=t("opt_client_only"))] = False,
    form: TextFormat = Text.TEXT,
) -> None:
    """Show the version of the program, and of the server or database where there is one."""
    found: dict[str, Any] = {"client": __version__, "python": platform.python_version()}
    if not client_only:
        found["server"] = _server_version()
    if form is not Text.TEXT:
        render.structured(found, Output(form.value))
        return
    print_version()
    server = found.get("server") or {}
    if server.get("version"):
        where = session.current.settings.server or t("in_process")
        emit(t("server_version", version=server["version"], where=where))


def print_version() -> None:
    """Print the program's own version, one line."""
    emit(f"govcloud {__version__}")


def _server_version() -> Mapping[str, Any] | None:
    try:
        found: Mapping[str, Any] = session.client().get("/v1/version")
    except GovcloudError as error:
        return {"error": str(error.key)}
    return found


def doctor(form: Format = Output.TABLE) -> None:
    """Check what is configured, what can be reached, and what is out of date."""
    checks = [_python(), *_workspace()]
    try:
        found = session.client().get("/v1/doctor")
        checks += found["checks"]
    except GovcloudError as error:
        from cli import failures

        checks.append(_check("fail", "api", "\n".join(failures.lines(error))))
    if form in (Output.TABLE, Output.WIDE):
        for check in checks:
            _show(check)
    else:
        whole = {"checks": checks}
        render.show(checks, CHECKS, form, whole=whole, name=lambda check: str(check["check"]))
    if any(check["status"] == "fail" for check in checks):
        raise typer.Exit(Exit.UNAVAILABLE)


def _check(status: str, name: str, message: str) -> dict[str, Any]:
    return {"check": name, "status": status, "message": message, "remedy": None}


def _python() -> dict[str, Any]:
    detail = f"govcloud {__version__}, Python {platform.python_version()}, {sys.platform}"
    return _check("ok", "program", detail)


def _workspace() -> list[dict[str, Any]]:
    try:
        configured = session.current.settings
    except GovcloudError as error:
        from cli import failures

        return [_check("fail", "workspace", "\n".join(failures.lines(error)))]
    where = _check("ok", "workspace", str(configured.workspace or "-"))
    server = configured.server or t("in_process")
    return [where, _check("ok", "server", server)]


def _show(check: Mapping[str, Any]) -> None:
    status = str(check.get("status", "ok"))
    style = {"ok": "green", "warn": "yellow", "fail": "red"}.get(status, "dim")
    first, *rest = str(check.get("message") or "").split("\n")
    emit(f"{paint(pad(word('doctor', status), 6), style)}  {_name(check)}: {first}")
    for line in rest:
        emit(f"    {line}")
    if check.get("remedy"):
        emit(f"    → {check['remedy']}")
