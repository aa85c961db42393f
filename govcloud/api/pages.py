"""Pages of lists: how many, where to go on, and how a page looks.

The continue token holds the sort key of the last row that was given out (`store.objects`), so that
a list that grows or shrinks meanwhile neither repeats nor skips what was there throughout.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import Query

from govcloud.store.objects import DEFAULT_LIMIT, MAX_LIMIT, Page

__all__ = ["DEFAULT_LIMIT", "Continue", "Limit", "Word", "page", "whole"]

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Items of a page.")]
Continue = Annotated[
    str | None,
    Query(alias="continue", max_length=2_000, description="Where the page before this one ended."),
]
Word = Annotated[str | None, Query(max_length=200)]
Row = TypeVar("Row")


def page(found: Page[Row], view: Callable[[Row], Mapping[str, Any]]) -> dict[str, Any]:
    """Return the JSON of a page; `total` on the first one only."""
    items = [view(row) for row in found.items]
    return {"items": items, "continue": found.next, "total": found.total}


def whole(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the JSON of a list that is always given as a whole."""
    return {"items": items, "continue": None, "total": len(items)}
