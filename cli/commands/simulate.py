"""What happens to a simulated cloud behind the controller's back; for demonstrations and tests.

The one family of commands that does not go through the API: a real cloud's operators do not either.
It is for whoever may operate, all the same.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli import output, render, rights, session
from cli.columns import at
from cli.options import Format, Output
from cli.render import Column
from cli.speech import t, word
from govcloud.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from govcloud.ports.cloud import Observed

Cloud = Annotated[
    str | None, typer.Option("--cloud", metavar="NAME", help=t("opt_simulated_cloud"))
]
Resource = Annotated[str, typer.Argument(metavar="RESOURCE", help=t("arg_resource"))]
RESOURCES: Final = (
    Column("id", at("id")),
    Column("type", at("type")),
    Column("name", at("name")),
    Column("tenant", at("tenant")),
    Column("state", lambda item: word("resource-state", item["state"])),
    Column("uid", at("uid"), wide=True),
    Column("part", at("part")),
    Column(
        "properties",
        lambda item: ", ".join(f"{k}={v}" for k, v in item["props"].items()),
        wide=True,
    ),
    Column("fault", at("fault"), wide=True),
)
FAULTS: Final = (
    Column("kind", at("kind")),
    Column("method", at("method")),
    Column("count", at("count"), right=True),
    Column("probability", at("probability"), right=True),
    Column("seconds", at("seconds"), right=True),
    Column("reason", at("reason")),
)


def list_resources(
    cloud: Cloud = None,
    kind: Annotated[
        str | None, typer.Option("--type", metavar="TYPE", help=t("opt_resource_type"))
    ] = None,
    form: Format = Output.TABLE,
) -> None:
    """List what a simulated cloud holds, ours and others'."""
    import time

    from provisioners.simulated import tamper

    found = tamper.list_resources(_file(cloud), time.time())
    shown = (_plain(one) for one in found if kind is None or one.type == kind)
    render.show(
        shown, RESOURCES, form, name=lambda item: str(item["name"]), empty=t("no_resources")
    )


def remove(resource: Resource, cloud: Cloud = None) -> None:
    """Remove a resource at once, as if somebody had deleted it in the cloud's own console."""
    from provisioners.simulated import tamper

    _tell("removed", tamper.remove(_file(cloud), resource))


def change(
    resource: Resource,
    field: Annotated[str, typer.Argument(metavar="FIELD=VALUE", help=t("arg_field_value"))],
    cloud: Cloud = None,
) -> None:
    """Change a property of a resource at once."""
    from provisioners.simulated import tamper

    name, equals, value = field.partition("=")
    if not equals:
        raise UsageError("cli.bad_field_value", text=field)
    _tell("changed", tamper.change(_file(cloud), resource, name, tamper.read_value(value)))


def fail(
    resource: Resource,
    reason: Annotated[
        str, typer.Option("--reason", metavar="WORD", help=t("opt_fault_reason"))
    ] = "HostFailed",
    cloud: Cloud = None,
) -> None:
    """Let a resource break down at once."""
    from provisioners.simulated import tamper

    _tell("failed", tamper.fail(_file(cloud), resource, reason))


def unmark(resource: Resource, cloud: Cloud = None) -> None:
    """Take govcloud's mark from a resource: then it is nobody's."""
    from provisioners.simulated import tamper

    _tell("unmarked", tamper.unmark(_file(cloud), resource))


def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help=t("arg_new_resource"))],
    kind: Annotated[
        str, typer.Option("--type", metavar="TYPE", help=t("opt_resource_type"))
    ] = "server",
    cloud: Cloud = None,
) -> None:
    """Add a resource that govcloud has not made."""
    from provisioners.simulated import tamper

    _tell("added", tamper.add_foreign(_file(cloud), name, kind))


def limit(
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help=t("arg_tenant"))],
    text: Annotated[str, typer.Argument(metavar="CLASS=AMOUNT", help=t("arg_class_amount"))],
    cloud: Cloud = None,
) -> None:
    """Change a limit of a tenant at once, as if somebody had set the cloud's own quota."""
    from provisioners.simulated import tamper

    name, equals, amount = text.partition("=")
    if not equals:
        raise UsageError("cli.bad_class_amount", text=text)
    tamper.set_limit(_file(cloud), tenant, name, amount)
    _say("changed", f"tenant/{tenant}", text)


def fault(
    *,
    kind: Annotated[str | None, typer.Argument(metavar="[FAULT]", help=t("arg_fault"))] = None,
    method: Annotated[str, typer.Option("--method", metavar="CALL", help=t("opt_method"))] = "*",
    count: Annotated[
        int | None, typer.Option("--count", metavar="N", help=t("opt_fault_count"))
    ] = None,
    probability: Annotated[
        float, typer.Option("--probability", metavar="P", help=t("opt_probability"))
    ] = 1.0,
    seconds: Annotated[float, typer.Option("--seconds", metavar="S", help=t("opt_seconds"))] = 0.0,
    reason: Annotated[
        str, typer.Option("--reason", metavar="WORD", help=t("opt_fault_reason"))
    ] = "",
    cloud: Cloud = None,
    form: Format = Output.TABLE,
) -> None:
    """Put a fault in force; without one, list those that are."""
    from provisioners.simulated import tamper

    file = _file(cloud)
    if kind is not None:
        chosen = tamper.fault_kind(kind)
        tamper.set_fault(file, tamper.Fault(chosen, method, count, probability, 0, seconds, reason))
        output.note(t("fault_set", kind=kind, cloud=file.stem))
        return
    found = [
        {name: getattr(one, name) for name in one.__slots__} for one in tamper.active_faults(file)
    ]
    render.show(found, FAULTS, form, name=lambda item: str(item["kind"]), empty=t("no_faults"))


def calm(cloud: Cloud = None) -> None:
    """End all faults."""
    from provisioners.simulated import tamper

    output.note(t("faults_ended", count=tamper.clear_faults(_file(cloud))))


def _file(cloud: str | None) -> Path:
    from provisioners.simulated.file import cloud_file

    settings = session.current.settings
    if settings.server is not None or settings.clouds_folder is None:
        raise UsageError("cli.simulate_is_local")
    rights.whole_city()
    if cloud is not None:
        return cloud_file(settings.clouds_folder, cloud)
    suffix = cloud_file("", "x").suffix
    found = sorted(settings.clouds_folder.glob(f"*{suffix}"))
    if not found:
        raise NotFoundError("cli.no_simulated_cloud")
    if len(found) > 1:
        raise UsageError("cli.which_cloud", clouds=[file.stem for file in found])
    return found[0]


def _plain(one: "Observed") -> dict[str, Any]:
    return {
        "id": one.id,
        "type": one.type,
        "name": one.name,
        "tenant": one.tenant,
        "state": one.state.value,
        "uid": one.uid,
        "part": one.part,
        "props": dict(one.props),
        "tags": dict(one.tags),
        "info": dict(one.info),
        "fault": one.fault,
    }


def _tell(what: str, one: "Observed") -> None:
    _say(what, f"{one.type}/{one.name}", one.id)


def _say(what: str, name: str, key: str) -> None:
    output.emit(name)
    output.note(t("tampered", what=word("tampered", what), id=key))
    output.hint(t("hint_tampered"))
