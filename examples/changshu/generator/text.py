"""YAML as people would write it: short mappings on one line, quotes only where they are needed."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from govcloud.domain.base import API_VERSION
from govcloud.domain.yamltext import plain_scalar

WIDTH = 96
_NEEDS_QUOTES = re.compile(r"^[\s&*!|>'\"%@`#?{}\[\],-]|[,\[\]{}]|: |:$| #|\s$")


@dataclass(frozen=True)
class Doc:
    """One document: kind, who it is, what it should be, and what its author notes above it."""

    kind: str
    metadata: Mapping[str, Any]
    spec: Mapping[str, Any]
    note: str = ""

    def lines(self) -> Iterator[str]:
        """Yield the document's lines."""
        yield from (f"# {line}" for line in self.note.splitlines())
        body = {"apiVersion": API_VERSION, "kind": self.kind, "metadata": self.metadata}
        yield from _mapping({**body, "spec": self.spec}, 0, top=True)


def file_text(docs: Sequence[Doc], head: str = "") -> str:
    """Return a file of documents under a heading comment."""
    lines = [f"# {line}" for line in head.splitlines()]
    if lines:
        lines.append("")
    for index, doc in enumerate(docs):
        lines += ["---"] if index else []
        lines += doc.lines()
    return "\n".join(lines) + "\n"


def _mapping(value: Mapping[str, Any], indent: int, *, top: bool = False) -> Iterator[str]:
    pad = " " * indent
    for key, inner in value.items():
        if inner is None:
            continue
        short = f"{pad}{_scalar(key)}: {_flow(inner)}"
        if _leaf(inner) and len(short) <= WIDTH and not (top and key == "spec"):
            yield short
        elif isinstance(inner, Mapping):
            yield f"{pad}{_scalar(key)}:"
            yield from _mapping(inner, indent + 2)
        else:
            yield f"{pad}{_scalar(key)}:"
            yield from (f"{pad}  - {_flow(entry)}" for entry in inner)


def _leaf(value: Any) -> bool:
    """Whether a value reads well on one line: a scalar, or a small collection of scalars."""
    if isinstance(value, Mapping):
        return len(value) <= 4 and all(not isinstance(v, Mapping | list) for v in value.values())
    if isinstance(value, list):
        return len(value) <= 8 and all(not isinstance(v, Mapping | list) for v in value)
    return True


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        pairs = (f"{_scalar(k)}: {_flow(v)}" for k, v in value.items() if v is not None)
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    plain = not _NEEDS_QUOTES.search(value) and isinstance(plain_scalar(value), str)
    return value if plain else json.dumps(value, ensure_ascii=False)
