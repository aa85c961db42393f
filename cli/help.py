"""Help pages: laid out here because Chinese takes two cells a character and knows no blanks."""

import shutil
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from cli.output import pad, paint, width, wrap
from cli.speech import has, t
from cli.tree import Branch

if TYPE_CHECKING:
    import typer
    from typer.core import TyperCommand, TyperGroup

LIMIT: Final = 100
Rows = Sequence[tuple[str, str]]


def command_page(command: "TyperCommand", ctx: "typer.Context", name: str) -> str:
    """Return the page of one command: usage, what it does, arguments, options, examples."""
    pieces = [t("usage_options"), *argument_names(command.params)]
    arguments, options = _parameters(command.get_params(ctx), ctx)
    return _page(
        [
            _usage(ctx.command_path, pieces),
            *_prose(command.help or "", name),
            *_section("arguments", arguments),
            *_section("options", options),
            *_examples(name),
            "",
            t("see_global_options"),
        ]
    )


def group_page(group: "TyperGroup", ctx: "typer.Context", name: str, branch: Branch) -> str:
    """Return the page of a group: usage, what it does, commands by section, options, examples."""
    _, options = _parameters(group.get_params(ctx), ctx)
    prefix = f"{name}_" if name else ""
    listed = {child: t(f"help_{prefix}{child.replace('-', '_')}") for child in branch.children}
    lines = [_usage(ctx.command_path, [t("usage_command")]), *_prose(group.help or "", name)]
    for section, names in (branch.sections or {"commands": tuple(listed)}).items():
        lines += _section(section, [(child, listed[child]) for child in names])
    lines += _section("options", options) + _examples(name or "root")
    return _page(lines)


def _usage(path: str, pieces: Iterable[str]) -> str:
    return f"{paint(t('section_usage'), 'bold')}{' '.join([path, *pieces])}"


def argument_names(parameters: Iterable[Any]) -> Iterable[str]:
    """Yield what a usage line calls the arguments."""
    for parameter in parameters:
        if parameter.param_type_name == "argument":
            yield parameter.metavar or parameter.name.upper()


def _prose(summary: str, name: str) -> list[str]:
    paragraphs = [summary]
    if name and has(f"more_{name}"):
        paragraphs += t(f"more_{name}").strip().split("\n\n")
    lines: list[str] = []
    for paragraph in paragraphs:
        lines += ["", *wrap(paragraph, _columns())]
    return lines


def _parameters(parameters: Iterable[Any], ctx: "typer.Context") -> tuple[Rows, Rows]:
    arguments: list[tuple[str, str]] = []
    options: list[tuple[str, str]] = []
    for parameter in parameters:
        if parameter.hidden:
            continue
        if parameter.param_type_name == "argument":
            arguments.append((parameter.metavar or parameter.name.upper(), parameter.help or ""))
        else:
            options.append(option_row(parameter, ctx))
    return arguments, options


def option_row(parameter: Any, ctx: "typer.Context") -> tuple[str, str]:
    """Return the spellings of an option with what it takes, and its help."""
    if parameter.name == "help":
        return "-h, --help", t("opt_help")
    names = sorted([*parameter.opts, *parameter.secondary_opts], key=len)
    shown = ", ".join(names)
    if not parameter.is_flag:
        shown += " " + (parameter.metavar or parameter.display_type_rich(ctx=ctx).strip("<>"))
    return shown, parameter.help or ""


def _section(name: str, rows: Rows) -> list[str]:
    if not rows:
        return []
    left = min(max(width(first) for first, _ in rows), 30)
    lines = ["", paint(t(f"section_{name}"), "bold")]
    for first, second in rows:
        wrapped = wrap(second, max(_columns() - left - 4, 20)) if second else [""]
        if width(first) > left:
            lines.append(f"  {first}")
            wrapped = ["", *wrapped]
        else:
            lines.append(f"  {pad(first, left)}  {wrapped[0]}".rstrip())
        lines += [" " * (left + 4) + line for line in wrapped[1:]]
    return lines


def _examples(name: str) -> list[str]:
    if not has(f"examples_{name}"):
        return []
    examples = t(f"examples_{name}").strip().splitlines()
    return ["", paint(t("section_examples"), "bold"), *(f"  {line}" for line in examples)]


def _page(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def _columns() -> int:
    return min(shutil.get_terminal_size((LIMIT, 24)).columns, LIMIT)
