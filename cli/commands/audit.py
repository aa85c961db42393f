"""The audit log: reading it, and proving that nobody has touched it."""

import re
from typing import Annotated, Any, Final

import typer

from cli import output, render
from cli.columns import at, moment
from cli.labels import meaning
from cli.options import Format, Limit, Output
from cli.render import Column
from cli.session import client
from cli.speech import t, word
from govcloud.errors import Exit, UsageError


def _outcome_style(text: str) -> str | None:
    return None if text.strip() == word("outcome", "ok") else "red"


LOG: Final = (
    Column("seq", at("seq"), right=True),
    Column("at", lambda item: moment(item.get("at"))),
    Column("actor", at("actor")),
    Column("role", lambda item: word("role", item.get("role")), wide=True),
    Column("department", at("department"), wide=True),
    Column("action", lambda item: word("audit-action", item.get("action"))),
    Column("target", at("target")),
    Column("request", at("requestId")),
    Column("outcome", lambda item: word("outcome", item.get("outcome")), style=_outcome_style),
    Column("hash", at("hash"), wide=True),
)
FAULTS: Final = (
    Column("seq", at("seq"), right=True),
    Column("what", lambda item: word("tampering", item.get("what"))),
    Column("message", at("message")),
)


def log(
    actor: Annotated[
        str | None, typer.Option("--actor", metavar="NAME", help=t("opt_actor"))
    ] = None,
    action: Annotated[
        str | None, typer.Option("--action", metavar="ACTION", help=t("opt_action"))
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", metavar="TARGET", help=t("opt_target"))
    ] = None,
    limit: Limit = 100,
    form: Format = Output.TABLE,
) -> None:
    """Show the audit log, newest first."""
    action = meaning("audit-action", action) if action else None
    found = client().items("/v1/audit", limit=limit, actor=actor, action=action, target=target)
    render.show(found, LOG, form, name=lambda item: str(item["seq"]), empty=t("no_audit"))


def verify(
    head: Annotated[
        str | None, typer.Option("--head", metavar="SEQ:HASH", help=t("opt_head"))
    ] = None,
    form: Format = Output.TABLE,
) -> None:
    """Walk the hash chain and locate what was altered, removed or inserted."""
    found = client().post("/v1/audit/verify", {"known": _head(head)} if head else None)
    if form in (Output.JSON, Output.YAML):
        render.structured(found, form)
    elif form in (Output.CSV, Output.NAME):
        render.show(found["faults"], FAULTS, form, name=lambda item: str(item["seq"]))
    elif found["ok"]:
        output.emit(t("audit_whole", count=found["checked"]))
        if found.get("head"):
            known = f"{found['head']['seq']}:{found['head']['hash']}"
            output.emit(t("audit_head", head=known))
            output.hint(t("hint_head", head=known))
    else:
        output.emit(t("audit_broken", count=found["checked"], faults=len(found["faults"])))
        render.show(found["faults"], FAULTS, form, name=lambda item: str(item["seq"]))
    if not found["ok"]:
        raise typer.Exit(Exit.VERIFICATION)


def _head(text: str) -> dict[str, Any]:
    found = re.fullmatch("([0-9]{1,18}):([0-9a-f]{8,64})", text.lower())
    if found is None:
        raise UsageError("cli.bad_head", head=text)
    return {"seq": int(found[1]), "hash": found[2]}
