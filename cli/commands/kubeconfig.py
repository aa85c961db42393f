"""The way into a namespace: a kubeconfig that works for a while, for its members."""

import json
from typing import Annotated, Any

import typer

from cli import complete, output, refs, render
from cli.columns import moment
from cli.options import Department, Format, Output
from cli.session import client
from cli.speech import t


def kubeconfig(
    *,
    target: Annotated[
        str,
        typer.Argument(metavar="NAMESPACE", help=t("arg_edit"), autocompletion=complete.references),
    ],
    role: Annotated[
        str | None, typer.Option("--role", metavar="ROLE", help=t("opt_kubeconfig_role"))
    ] = None,
    department: Department = None,
    form: Format = Output.YAML,
) -> None:
    """Print a kubeconfig that works for a while, for a member of the namespace."""
    named = target if "/" in target else f"ns/{target}"
    (reference,) = refs.parse([named], department)
    body = {"role": role} if role else {}
    found: dict[str, Any] = client().post(
        f"{reference.path}/kubeconfig", body, department=reference.department
    )
    if form is Output.JSON:
        output.emit(json.dumps(found["kubeconfig"], ensure_ascii=False, indent=2))
    else:
        render.structured(found["kubeconfig"], Output.YAML)
    if not output.quiet():
        output.complain(
            t("kubeconfig_until", role=found["role"], instant=moment(found["expiresAt"]))
        )
