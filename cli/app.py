"""The program as Typer sees it: groups that know their commands by name and load them when used."""

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from cli import help as pages
from cli.output import PipeClosedError
from cli.quick import quicken
from cli.speech import t
from cli.tree import ROOT, Branch, Leaf, key
from govcloud.errors import UsageError

SETTINGS: Final = {"help_option_names": ["-h", "--help"]}


class Command(TyperCommand):
    """A command whose help is laid out by `cli.help`."""

    path: tuple[str, ...] = ()

    def get_help_option(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Return the option `--help`, as quick as the others."""
        option = super().get_help_option(ctx)
        quicken([option])
        return option

    def get_help(self, ctx: typer.Context) -> str:  # type: ignore[override]
        """Return the help page."""
        return pages.command_page(self, ctx, key(self.path))


class Deferred(TyperCommand):
    """Stands for a command until it is used: its name and one line of help, nothing imported."""

    def __init__(self, name: str, path: tuple[str, ...], entry: Leaf | Branch) -> None:
        super().__init__(name, help=t(f"help_{key(path)}"), rich_markup_mode=None)
        self.path, self.entry = path, entry

    def load(self) -> TyperCommand | TyperGroup:
        """Import and build the command."""
        if isinstance(self.entry, Branch):
            return group(self.entry, self.path)
        return command(self.entry, self.path)

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """Parse the arguments by the real command."""
        return self.load().make_context(*args, **extra)


class Group(TyperGroup):
    """A command with commands below it, which are read from the table."""

    path: tuple[str, ...] = ()
    branch: Branch = ROOT

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """Return the names below, in the order of the table."""
        del ctx
        return list(self.branch.children)

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Deferred | None:  # type: ignore[override]
        """Return what stands for the command of that name."""
        del ctx
        entry = self.branch.children.get(cmd_name)
        return Deferred(cmd_name, (*self.path, cmd_name), entry) if entry else None

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Put in the name of the default command where the table has one and none is given."""
        names = ("-h", "--help", *self.branch.children)
        if self.branch.default is not None and (not args or args[0] not in names):
            args = [next(iter(self.branch.children)), *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run the command; a reader of stdout that has gone is told apart from other failures."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise PipeClosedError from error

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> Any:  # type: ignore[override]
        """Find the command, or say which one was perhaps meant."""
        if args[0] not in self.branch.children and not ctx.resilient_parsing:
            raise unknown(" ".join(("govcloud", *self.path)), args[0], list(self.branch.children))
        return super().resolve_command(ctx, args)

    def get_help_option(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Return the option `--help`, as quick as the others."""
        option = super().get_help_option(ctx)
        quicken([option])
        return option

    def get_help(self, ctx: typer.Context) -> str:  # type: ignore[override]
        """Return the help page."""
        return pages.group_page(self, ctx, key(self.path), self.branch)


def unknown(where: str, word: str, known: Sequence[str]) -> UsageError:
    """Return the error for a command that does not exist, with the nearest one that does."""
    near = get_close_matches(word, known, n=1, cutoff=0.5)
    if near:
        return UsageError("cli.no_such_command_near", command=word, near=f"{where} {near[0]}")
    return UsageError("cli.no_such_command", command=word, where=where)


def command(leaf: Leaf, path: tuple[str, ...]) -> TyperCommand:
    """Import a command's module and build the command."""
    function: Callable[..., None] = getattr(
        import_module(f"cli.commands.{leaf.module}"), leaf.function
    )
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(
        path[-1], cls=Command, help=t(f"help_{key(path)}"), context_settings=dict(SETTINGS)
    )(function)
    built = typer.main.get_command(app)
    assert isinstance(built, Command)
    quicken(built.params)
    built.path = path
    return built


def group(branch: Branch, path: tuple[str, ...]) -> Group:
    """Build a group; its commands stay unloaded."""
    app = typer.Typer(cls=Group, add_completion=False, rich_markup_mode=None)
    app.callback(
        invoke_without_command=True, help=t(f"help_{key(path)}"), context_settings=dict(SETTINGS)
    )(_bare)
    return _placed(typer.main.get_command(app), branch, path, path[-1])


def root() -> Group:
    """Build the whole program."""
    app = typer.Typer(cls=Group, add_completion=True, rich_markup_mode=None)
    app.callback(invoke_without_command=True, help=t("help"), context_settings=dict(SETTINGS))(
        _root
    )
    built = _placed(typer.main.get_command(app), ROOT, (), "govcloud")
    for parameter in built.params:
        if parameter.name in ("install_completion", "show_completion"):
            vars(parameter)["help"] = t(f"opt_{parameter.name}")
    return built


def _placed(built: object, branch: Branch, path: tuple[str, ...], name: str) -> Group:
    assert isinstance(built, Group)
    quicken(built.params)
    built.branch, built.path, built.name = branch, path, name
    return built


def _bare(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _root(
    *,
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help=t("opt_version"))] = False,
    lang: Annotated[str | None, typer.Option("--lang", metavar="zh|en", help=t("opt_lang"))] = None,
    server: Annotated[
        str | None, typer.Option("--server", metavar="URL", help=t("opt_server"))
    ] = None,
    workspace: Annotated[
        str | None, typer.Option("--workspace", metavar="DIR", help=t("opt_workspace"))
    ] = None,
    as_: Annotated[str | None, typer.Option("--as", metavar="NAME", help=t("opt_as"))] = None,
    no_color: Annotated[bool, typer.Option("--no-color", help=t("opt_no_color"))] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help=t("opt_quiet"))] = False,
) -> None:
    # `cli.globals` has taken these out before; they stand here for help and completion.
    del lang, server, workspace, as_, no_color, quiet
    if version:
        from cli.commands.workspace import print_version

        print_version()
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())
