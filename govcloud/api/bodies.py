"""What bodies of requests are made of."""

from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, ConfigDict, StringConstraints

from govcloud.domain.base import Model

_LAYOUT: Final = frozenset("\n\t\r")


class Body(Model):
    """A body; strict like the documents, and built at once, as the framework wants it."""

    model_config: ClassVar[ConfigDict] = ConfigDict(defer_build=False)


def _storable(text: str) -> str:
    # NUL and lone surrogates are no text to a database, and no person types them.
    if any((char < " " and char not in _LAYOUT) or "\ud800" <= char <= "\udfff" for char in text):
        raise ValueError("characters that are no text")
    return text


Word = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=200), AfterValidator(_storable)
]
Note = Annotated[str, StringConstraints(strict=True, max_length=4_000), AfterValidator(_storable)]
