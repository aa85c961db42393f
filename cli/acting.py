"""Acting on objects and requests, one or several: what is asked, and how it is told."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import typer

from cli import columns, failures, output, refs, render
from cli.options import Output
from cli.session import client
from cli.speech import word
from govcloud.errors import GovcloudError

T = TypeVar("T")
Done = dict[str, Any]


def post(reference: refs.Reference, verb: str, body: dict[str, Any] | None = None) -> Done:
    """Ask for something to be done with an object; return the answer."""
    found: Done = client().post(f"{reference.path}/{verb}", body, department=reference.department)
    return found


def tell(found: Done, done: str, form: Output) -> None:
    """Say what was done with an object."""
    if form in (Output.JSON, Output.YAML):
        render.structured(found, form)
        return
    name = columns.object_name(found)
    output.emit(name if form is Output.NAME else f"{name}  {word('done', done)}")


def each(
    things: Sequence[T], shown: Callable[[T], str], act: Callable[[T], Done], form: Output
) -> None:
    """Act on one after the other: what fails is told, the rest is done all the same.

    Programs get one answer, or a list of several. Ends with the code of the first failure.
    """
    done, failed = attempt(things, shown, act)
    if form in (Output.JSON, Output.YAML):
        render.structured(done[0] if len(things) == 1 else {"items": done}, form)
    if failed is not None:
        raise typer.Exit(failed.exit_code)


def attempt(
    things: Sequence[T], shown: Callable[[T], str], act: Callable[[T], Done]
) -> tuple[list[Done], GovcloudError | None]:
    """Act on one after the other; return what was done, and the first failure of several.

    What fails among several is told at once; of one alone it is raised.
    """
    if len(things) == 1:
        return [act(things[0])], None
    done: list[Done] = []
    failed: GovcloudError | None = None
    for thing in things:
        try:
            done.append(act(thing))
        except GovcloudError as error:
            output.complain(f"{shown(thing)}:")
            failures.show(error)
            failed = failed or error
    return done, failed
