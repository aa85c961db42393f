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
    """Return the documentation of `vm.spec.network` and of what is below it."""
    if _served():
        return session.client().get("/v1/explain", path=what)
    from govcloud.domain.explain import explain as explanation

    return explanation(what, language()).plain()


def schema(kind: str | None) -> Any:
    """Return the JSON Schema of one kind, or of documents of any."""
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
