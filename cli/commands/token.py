"""Users' tokens: make, list, end."""

from typing import Annotated, Final

import typer

from cli import complete, output, render, session
from cli.client import path
from cli.columns import at, moment
from cli.labels import meaning
from cli.options import Department, Format, Output
from cli.render import Column
from cli.session import client
from cli.speech import t, word
from govcloud.errors import UsageError

TOKENS: Final = (
    Column("id", at("id")),
    Column("user", at("user")),
    Column("role", lambda item: word("role", item.get("role"))),
    Column("department", at("department")),
    Column("scope", lambda item: word("scope", item.get("scope"))),
    Column("created_at", lambda item: moment(item.get("createdAt"))),
    Column("expires_at", lambda item: moment(item.get("expiresAt"))),
    Column("revoked_at", lambda item: moment(item.get("revokedAt"))),
)


def _permissions(item: render.Item) -> list[str]:
    return [word("permission", name) for name in item.get("permissions") or ()]


WHO: Final = (
    Column("user", at("name")),
    Column("role", lambda item: word("role", item.get("role"))),
    Column("department", at("department")),
    Column("scope", lambda item: word("scope", item.get("scope"))),
    Column("expires_at", lambda item: moment(item["token"].get("expiresAt"))),
    Column("permissions", _permissions, wide=True),
)


def create(
    *,
    user: Annotated[str, typer.Argument(metavar="USER", help=t("arg_user"))],
    role: Annotated[
        str | None,
        typer.Option("--role", metavar="ROLE", help=t("opt_role"), autocompletion=complete.roles),
    ] = None,
    department: Department = None,
    scope: Annotated[
        str,
        typer.Option(
            "--scope", metavar="full|read", help=t("opt_scope"), autocompletion=complete.scopes
        ),
    ] = "full",
    expires_days: Annotated[
        int, typer.Option("--expires-days", metavar="N", min=1, help=t("opt_expires_days"))
    ] = 90,
    save: Annotated[bool, typer.Option("--save", help=t("opt_save"))] = False,
    save_as: Annotated[
        str | None, typer.Option("--save-as", metavar="NAME", help=t("opt_save_as"))
    ] = None,
    form: Format = Output.TABLE,
) -> None:
    """Make a token, and its user where there is none yet; it is shown this once."""
    role = meaning("role", role) if role else None
    body = {"user": user, "role": role, "department": department}
    given = {name: value for name, value in body.items() if value is not None}
    made = client().post("/v1/tokens", given | {"scope": scope, "expiresDays": expires_days})
    kept = save_as or (user if save else None)
    if kept is not None:
        _keep(kept, str(made.pop("token")))
        output.note(t("token_saved", name=kept))
        output.hint(t("hint_as", name=kept))
    if form in (Output.JSON, Output.YAML):
        render.structured(made, form)
    elif form is Output.NAME:
        output.emit(str(made["id"]))
    elif kept is None:
        output.emit(str(made["token"]))
        output.note(t("token_once", user=made["user"], until=moment(made.get("expiresAt"))))


def _keep(name: str, token: str) -> None:
    from govcloud import workspace

    folder = session.current.settings.workspace
    if folder is None:
        raise UsageError("cli.no_place_for_token")
    workspace.save_credential(folder, name, token)


def list_tokens(
    user: Annotated[str | None, typer.Option("--user", metavar="NAME", help=t("opt_user"))] = None,
    form: Format = Output.TABLE,
) -> None:
    """List tokens, without themselves."""
    found = client().get("/v1/tokens", user=user)["items"]
    render.show(found, TOKENS, form, name=lambda item: str(item["id"]), empty=t("no_tokens"))


def revoke(
    ids: Annotated[list[str], typer.Argument(metavar="TOKEN-ID…", help=t("arg_tokens"))],
) -> None:
    """End tokens now."""
    for identity in ids:
        client().delete(path("tokens", identity))
        output.note(t("token_revoked", id=identity))


def whoami(form: Format = Output.TABLE) -> None:
    """Show who the token speaks for, and what that one may do."""
    found = client().get("/v1/whoami")
    render.show([found], WHO, form, whole=found, name=lambda item: str(item["name"]))
    if form in (Output.TABLE, Output.WIDE):
        _remind(found["requests"])


def _remind(waiting: dict[str, int]) -> None:
    """Say how many requests wait for the caller, and what is to be noticed of them."""
    if waiting:
        output.note(t("whoami_waiting", count=waiting["waiting"]))
        for name, count in waiting.items():
            if name != "waiting":
                output.note(t("whoami_notice", count=count, notice=word("notice", name)))
