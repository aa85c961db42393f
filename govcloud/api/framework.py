"""FastAPI as the API uses it, imported from here so that it comes without what nobody needs.

Its models of the OpenAPI document get their validators at their first use: only the document at
`/openapi.json` uses them. And it asks of every parameter whether it is a model of the old pydantic,
for which it would load all of that; where there is none to load, the answer is no.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pydantic import BaseModel

_OLD: Final = "pydantic.v1"


@contextmanager
def without_old_models() -> Iterator[None]:
    """Let the old pydantic be missing while routes are made, unless something has loaded it."""
    if _OLD in sys.modules:
        yield
        return
    sys.modules[_OLD] = None  # type: ignore[assignment] # importing it is now an ImportError
    try:
        yield
    finally:
        del sys.modules[_OLD]


@contextmanager
def _validators_later() -> Iterator[None]:
    """Let models that are made meanwhile get their validators at their first use."""
    BaseModel.model_config["defer_build"] = True
    try:
        yield
    finally:
        del BaseModel.model_config["defer_build"]


with _validators_later():
    from fastapi import APIRouter as APIRouter  # noqa: PLC0414 - re-exported
    from fastapi import FastAPI as FastAPI  # noqa: PLC0414
    from fastapi.exceptions import (
        RequestValidationError as RequestValidationError,  # noqa: PLC0414
    )
