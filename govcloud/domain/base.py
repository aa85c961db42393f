"""What all kinds share: the strict model, the envelope, labelled enumerations.

Models are frozen values. YAML is written in camelCase, Python in snake_case, and nothing else is
accepted. The description of each field is its English documentation; the Chinese one stands in
`messages/zh/fields.toml` under `<Model>.<field>`, and a test finds the missing.
"""

import re
from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from pydantic.alias_generators import to_camel
from pydantic_core import InitErrorDetails

API_VERSION: Final = "govcloud.io/v1"

Name = Annotated[
    str, StringConstraints(strict=True, pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
]
Line = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=200)]
Prose = Annotated[str, StringConstraints(strict=True, max_length=4000)]
Flag = Annotated[bool, Field(strict=True)]
Count = Annotated[int, Field(strict=True, ge=0, le=1_000_000)]
Positive = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
Money = Annotated[float, Field(strict=True, ge=0, le=1e9)]


def entry_faults(found: Iterable[tuple[str, str]]) -> None:
    """Raise the faults of a mapping's entries, name and code, each with its own place."""
    lines = [
        InitErrorDetails(
            type="value_error", loc=(name,), input=None, ctx={"error": ValueError(code)}
        )
        for name, code in found
    ]
    if lines:
        raise ValidationError.from_exception_data("mapping", lines)


_ISO_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


def _day(value: object) -> object:
    # A date only: pydantic would also take seconds since 1970, which nobody means in YAML.
    if isinstance(value, date) or (isinstance(value, str) and _ISO_DAY.fullmatch(value)):
        return value
    raise ValueError("not_a_date")


Day = Annotated[date, BeforeValidator(_day)]


class LabelledEnum(StrEnum):
    """An enumeration whose members carry a Chinese label that YAML may use instead.

    Members are written `NAME = "canonical", "中文", "别名"…`; the first label is the one shown.
    """

    labels: tuple[str, ...]

    def __new__(cls, value: str, *labels: str) -> Self:
        """Make the member, remembering its labels."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.labels = labels
        return member

    @property
    def label(self) -> str:
        """The Chinese word for this member."""
        return self.labels[0] if self.labels else self.value

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        return next((member for member in cls if value in member.labels), None)


class Model(BaseModel):
    """A frozen part of a document; unknown keys are faults."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        validate_by_alias=True,
        validate_by_name=True,
        serialize_by_alias=True,
        allow_inf_nan=False,
        defer_build=True,  # a validator is built at its first use: commands use few of the kinds
    )

    def plain(self) -> dict[str, Any]:
        """Return the JSON-ready form as users write it: camelCase, with defaults."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def chosen(self) -> dict[str, Any]:
        """Return the form as users write it, without what is as it would be by default."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)

    def base(self) -> dict[str, Any]:
        """Return the form that programs compute with: quantities as whole numbers of base units."""
        return self.model_dump(mode="python", by_alias=True, exclude_none=True)


class Metadata(Model):
    """Who an object is."""

    name: Name = Field(description="Name, unique within its kind and department: a-z, 0-9 and -.")
    department: Name | None = Field(
        None, description="The department that owns the object; absent for platform objects."
    )
    display_name: Line | None = Field(None, description="The name that people read.")
    labels: dict[Line, Line] = Field(
        default_factory=dict, max_length=32, description="Labels to select by."
    )
    annotations: dict[Line, Prose] = Field(
        default_factory=dict, max_length=32, description="Notes that nothing selects by."
    )


class Document(Model):
    """One YAML document: the envelope around the spec of its kind."""

    api_version: str = Field(description=f"Always `{API_VERSION}`.", pattern=f"^{API_VERSION}$")
    kind: str = Field(description="The kind of object.")
    metadata: Metadata = Field(description="Who the object is.")
    spec: Any = Field(description="What the object should be.")
