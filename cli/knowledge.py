"""What the kinds and their fields mean: a server's answer, or what this program itself knows.

Meanings hold no data: whoever writes YAML needs neither a workspace nor a token to ask for them.
"""

from typing import Any

from cli import session
from cli.client import path
from cli.speech import language
from govcloud import settings


def kinds() -> Any:
    """Return all kinds, with the words for each."""
    if _served():
        return session.client().get("/v1/kinds")
    from govcloud.domain.kinds.registry import described

    return described(language())


def explain(what: str) -> Any:
    """Return the documentation of `vm.spec.network` and of what is below it.

    Files that this program reads itself (`migration.papers`) are no server's to explain.
    """
    from migration.papers import named

    if _served() and named(what.partition(".")[0]) is None:
        return session.client().get("/v1/explain", path=what)
    from govcloud.domain.explain import explain as explanation

    return explanation(what, language(), named).plain()


def schema(kind: str | None) -> Any:
    """Return the JSON Schema of one kind, or of documents of any."""
    from migration.papers import named

    if kind is not None and (paper := named(kind)) is not None:
        from govcloud.domain.schema import paper_schema

        return paper_schema(*paper, language())
    if _served():
        return session.client().get("/v1/schema" if kind is None else path("schema", kind))
    from govcloud.domain.schema import combined_schema, kind_schema

    if kind is None:
        return combined_schema(language())
    from govcloud.api.kinds import kind_named

    return kind_schema(kind_named(kind).name, language())


def _served() -> bool:
    environment = session.current.environment
    return settings.load(environment, needs_workspace=False).server is not None
