"""Plain words need no validator: Typer would load pydantic to find that a string is one.

Loading it takes as long as all the rest of a command that asks a server. Values that are of their
type already go past Typer's conversion; whatever needs one (numbers, words that are no member of an
enumeration) takes the usual way, with the usual errors.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any, Final

Convert = Callable[[Any, Any], Any]
_NOT_PLAIN: Final = object()


def quicken(parameters: Iterable[Any]) -> None:
    """Let the parameters of a command take plain values as they are."""
    for parameter in parameters:
        described = getattr(parameter, "type_descriptor", None)
        if described is not None and "process_value" not in vars(parameter):
            parameter.process_value = _process(parameter, described.annotation)


def _process(parameter: Any, annotation: Any) -> Convert:
    usual: Convert = parameter.process_value
    required, many = parameter.required, parameter.multiple or parameter.nargs == -1

    def process(context: Any, value: Any) -> Any:
        found = (
            (() if many else None) if value is None and not required else _plain(value, annotation)
        )
        if found is _NOT_PLAIN:
            return usual(context, value)
        return (
            found if parameter.callback is None else parameter.callback(context, parameter, found)
        )

    return process


def _plain(value: Any, annotation: Any) -> Any:
    if annotation in (str, bool) and isinstance(value, annotation):
        return value
    if annotation == list[str] and value and all(isinstance(word, str) for word in value):
        return tuple(value)
    if isinstance(annotation, type) and isinstance(value, annotation):
        return value
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return next((member for member in annotation if member.value == value), _NOT_PLAIN)
    return _NOT_PLAIN
