"""What a shell offers when the user presses Tab: kinds, names, requests, departments.

A completion that fails offers nothing: whatever goes wrong is kept from the user's command line.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

import typer

Words = list[str]
SHELLS: Final = ("bash", "zsh", "fish", "powershell")
MOST: Final = 200
"""More candidates than this help nobody at a prompt, and cost time."""


def _quietly(ask: Callable[[], Iterable[str]], incomplete: str) -> Words:
    try:
        found = (word for word in ask() if word.startswith(incomplete))
        return sorted({word for word, _ in zip(found, range(MOST), strict=False)})
    except Exception:  # noqa: BLE001 - see the module's docstring
        return []


def _client() -> Any:
    from cli.session import client

    return client()


def kinds(incomplete: str) -> Words:
    """Return the words for kinds that begin so."""

    def ask() -> Iterable[str]:
        from cli import knowledge

        for kind in knowledge.kinds():
            yield kind["plural"]
            yield from kind.get("short") or ()

    return _quietly(ask, incomplete)


def documents(incomplete: str) -> Words:
    """Return the words for kinds, of objects and of files, that begin so."""
    from migration.papers import PAPERS

    return sorted({*kinds(incomplete), *_quietly(lambda: PAPERS, incomplete)})


def names(context: typer.Context, incomplete: str) -> Words:
    """Return the names of objects of the kind that was typed before."""
    kind = context.params.get("kind")
    return objects_of(str(kind), incomplete, context.params.get("department")) if kind else []


def objects_of(kind: str, incomplete: str, department: str | None = None) -> Words:
    """Return the names of objects of a kind."""

    def ask() -> Iterable[str]:
        from cli.client import path

        query = {"department": department} if department else {}
        for item in _client().items(path("objects", kind), limit=MOST, **query):
            yield item["metadata"]["name"]

    return _quietly(ask, incomplete)


def references(context: typer.Context, incomplete: str) -> Words:
    """Return `kind/name` words, or request numbers, for commands that take either."""
    kind, slash, name = incomplete.partition("/")
    if not slash:
        return [*(f"{word}/" for word in kinds(incomplete)), *requests(incomplete)]
    return [f"{kind}/{found}" for found in objects_of(kind, name, context.params.get("department"))]


def requests(incomplete: str) -> Words:
    """Return the numbers of open requests."""
    return _quietly(
        lambda: (item["id"] for item in _client().items("/v1/requests", limit=MOST, state="open")),
        incomplete,
    )


def departments(incomplete: str) -> Words:
    """Return the names of departments."""
    return objects_of("department", incomplete)


def clouds(incomplete: str) -> Words:
    """Return the names of clouds."""
    return objects_of("cloud", incomplete)


def roles(incomplete: str) -> Words:
    """Return the roles of users."""

    def ask() -> Iterable[str]:
        from govcloud.domain.access import Role

        return (role.value for role in Role)

    return _quietly(ask, incomplete)


def scopes(incomplete: str) -> Words:
    """Return the scopes of tokens."""
    return _quietly(lambda: ("full", "read"), incomplete)


def shells(incomplete: str) -> Words:
    """Return the shells that there are completion scripts for."""
    return _quietly(lambda: SHELLS, incomplete)


def files(incomplete: str) -> Words:
    """Return files and folders; the shell's own completion would stop at the first option."""
    from pathlib import Path

    def ask() -> Iterable[str]:
        folder, _, start = incomplete.rpartition("/")
        for entry in Path(folder or ("/" if incomplete.startswith("/") else ".")).iterdir():
            if entry.name.startswith(start) and (
                start.startswith(".") or not entry.name.startswith(".")
            ):
                shown = (
                    f"{folder}/{entry.name}" if folder or incomplete.startswith("/") else entry.name
                )
                yield f"{shown}/" if entry.is_dir() else shown

    return _quietly(ask, incomplete)
