"""Pages of lists: how many, and where to go on.

A continue token holds the sort key of the last row that was given out, so that a list that grows or
shrinks meanwhile neither repeats nor skips what was there throughout. It is bound to the list's
filters by a short digest: one that belongs to another question is refused, not misread.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final, TypeVar

from fastapi import Query

from govcloud.errors import Diagnostic, InvalidInputError

DEFAULT_LIMIT: Final = 500
MAX_LIMIT: Final = 1_000

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]
Continue = Annotated[str | None, Query(alias="continue", max_length=2_000)]
Row = TypeVar("Row")
Key = Sequence[str | int]


def after(token: str | None, question: Mapping[str, Any]) -> list[Any] | None:
    """Return the key after which the page begins, None for the first one."""
    if token is None:
        return None
    try:
        padded = token + "=" * (-len(token) % 4)
        digest, *key = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, TypeError):
        raise _refused() from None
    if digest != _digest(question) or not all(isinstance(part, str | int) for part in key):
        raise _refused()
    return list(key)


def token(key: Key, question: Mapping[str, Any]) -> str:
    """Return the token of the page that begins after `key`."""
    text = json.dumps([_digest(question), *key], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def page(
    rows: Sequence[Row],
    limit: int,
    question: Mapping[str, Any],
    *,
    key: Callable[[Row], Key],
    view: Callable[[Row], Mapping[str, Any]],
    total: int | None = None,
) -> dict[str, Any]:
    """Return a page of JSON from up to `limit + 1` rows: the one too many says that more follow."""
    shown = rows[:limit]
    follow = token(key(shown[-1]), question) if len(rows) > limit else None
    return {"items": [view(row) for row in shown], "continue": follow, "total": total}


def whole(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a list that is always given as a whole."""
    return {"items": items, "continue": None, "total": len(items)}


def _digest(question: Mapping[str, Any]) -> str:
    text = json.dumps(question, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _refused() -> InvalidInputError:
    return InvalidInputError([Diagnostic("api.continue", field="continue")])
