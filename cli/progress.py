"""Progress on a terminal, silence in a pipe."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cli.output import watched

Tell = Callable[[str], None]


@contextmanager
def spinner(text: str) -> Iterator[Tell]:
    """Show that something is going on, and what; the yielded function changes the text.

    Off a terminal nothing is printed and nothing is imported.
    """
    if not watched():
        yield lambda _: None
        return
    from rich.console import Console

    with Console(stderr=True).status(_plain(text)) as status:
        yield lambda said: status.update(_plain(said))


def _plain(text: str) -> str:
    # Names of objects may hold what rich takes for markup.
    return text.replace("[", "\\[")
