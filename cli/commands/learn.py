"""What helps people write YAML and command lines: explain, schema, completion."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from cli import complete, knowledge, output, render
from cli.options import Output, Text, TextFormat
from cli.output import emit, pad, paint, width, wrap
from cli.speech import has, t
from govcloud.errors import UsageError

COLUMNS = 96
_GOING_ON = """\
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]]; then
        compopt -o nospace 2>/dev/null
    fi
    return 0
"""
"""What bash does besides: behind `vm/` there is more to come, and no blank."""


def explain(
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="[KIND[.FIELD…]]", help=t("arg_explain"), autocompletion=complete.documents
        ),
    ] = None,
    form: TextFormat = Text.TEXT,
) -> None:
    """Explain a kind or a field: what it means, its type, its default, what is below it."""
    if path is None:
        from cli.commands.objects import KINDS

        shown = Output.TABLE if form is Text.TEXT else Output(form.value)
        render.show(knowledge.kinds(), KINDS, shown, name=lambda item: str(item["name"]))
        from migration.papers import PAPERS

        output.hint(t("hint_explain", files=list(PAPERS)))
        return
    found = knowledge.explain(path)
    if form is not Text.TEXT:
        render.structured(found, Output(form.value))
        return
    emit("\n".join(_page(found)))


def _page(found: Mapping[str, Any]) -> Iterator[str]:
    yield f"{paint(found['path'], 'bold')}  <{_type(found)}>{_required(found)}"
    yield ""
    yield from (f"  {line}" for line in wrap(found.get("description") or "-", COLUMNS))
    for name in ("default", "example"):
        if found.get(name) is not None:
            yield f"  {t(f'explain_{name}')}{_value(found[name])}"
    for name, limit in (found.get("limits") or {}).items():
        yield f"  {t(f'explain_{name}')}{limit}"
    if found.get("enum"):
        yield ""
        yield paint(t("section_values"), "bold")
        wide = max(width(str(choice["value"])) for choice in found["enum"])
        for choice in found["enum"]:
            label = choice.get("label") if choice.get("label") != choice["value"] else ""
            yield f"  {pad(str(choice['value']), wide)}  {label or ''}".rstrip()
    if found.get("fields"):
        yield ""
        yield paint(t("section_fields"), "bold")
        for below in found["fields"]:
            yield from _field(below)


def _field(below: Mapping[str, Any]) -> Iterator[str]:
    name = str(below["path"]).rpartition(".")[2]
    yield f"  {paint(name, 'cyan')}  <{_type(below)}>{_required(below)}"
    text = below.get("description") or ""
    if below.get("enum"):
        text += f" [{', '.join(str(choice['value']) for choice in below['enum'])}]"
    if below.get("default") not in (None, "", [], {}):
        text += f" {t('explain_default')}{_value(below['default'])}"
    yield from (f"      {line}" for line in wrap(text.strip(), COLUMNS - 4) if line)


def _type(found: Mapping[str, Any]) -> str:
    return str(found.get("type") or "-")


def _required(found: Mapping[str, Any]) -> str:
    return f"  {t('explain_required')}" if found.get("required") else ""


def _value(value: object) -> str:
    from cli.views import value as shown

    return shown(value)


def schema(
    kind: Annotated[
        str | None,
        typer.Argument(metavar="[KIND]", help=t("arg_schema"), autocompletion=complete.documents),
    ] = None,
    file: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help=t("opt_to_file"))
    ] = None,
) -> None:
    """Print the JSON Schema of one kind or of all, for editors."""
    found = knowledge.schema(kind)
    text = render.as_json(found)
    if file is None:
        emit(text)
        return
    from cli.files import write

    write(file, (text + "\n").encode())
    output.note(t("written", file=file))
    output.hint(t("hint_schema", file=file))


def completion(
    shell: Annotated[
        str,
        typer.Argument(
            metavar="bash|zsh|fish|powershell",
            help=t("arg_shell"),
            autocompletion=complete.shells,
        ),
    ] = "bash",
) -> None:
    """Print the completion script of a shell."""
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    if shell not in complete.SHELLS:
        raise UsageError("cli.no_such_shell", shell=shell, known=complete.SHELLS)
    script = get_completion_script(
        prog_name="govcloud", complete_var="_GOVCLOUD_COMPLETE", shell=shell
    )
    emit(script.replace("    return 0\n", _GOING_ON) if shell == "bash" else script)
    if has("hint_completion"):
        output.hint(t("hint_completion"))
