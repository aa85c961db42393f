"""YAML text to plain values with positions: hostile input ends in faults, never in a traceback.

The syntax is PyYAML's (libyaml where it is there); the meaning is that of the YAML 1.2 core schema,
built here: `yes`, `no`, `on`, `off` and dates stay text, keys are always text, values are JSON
types and nothing else. Tags are faults. Aliases are faults too: an approver must be able to read
each document as it stands, and what cannot be repeated by reference cannot explode.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from govcloud.errors import Diagnostic, Text

MAX_FILE_BYTES: Final = 1024**2
MAX_TOTAL_BYTES: Final = 8 * 1024**2
MAX_DOCUMENTS: Final = 5_000
MAX_DEPTH: Final = 32
MAX_NODES: Final = 300_000
MAX_SCALAR: Final = 65_536
MAX_DIGITS: Final = 18

_ENDS_FILE: Final = frozenset({"input.too_many_documents", "input.too_many_nodes"})

Place = tuple[int, int]
"""Line and column, from 1."""

UNREAD: Final = object()
"""Stands for a value that could not be read: of no type, so that nothing takes it for a value."""

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MARKER: Final = re.compile(r"^(?:---|\.\.\.)(?=[ \t\n]|\Z)", re.MULTILINE)
# Control and zero-width characters; the line separators that YAML 1.1 and editors count
# differently; the direction marks that can show an approver something else than the text says.
_FORBIDDEN: Final = re.compile(
    r"[^\t\n\x20-\x7e\xa0-\u200a\u200c\u200d\u2010-\u2027\u202f-\u2065\u206a-\ud7ff"
    r"\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
# What Chinese input methods write where YAML wants `:` and a space.
_WIDE_COLON: Final = re.compile(r"^[ -]*[\w\"'-]+(：)", re.MULTILINE)
_PROBLEMS: Final = {
    "mapping values are not allowed in this context": "colon",
    "could not find expected ':'": "no_colon",
    "did not find expected key": "key",
    "did not find expected node content": "content",
    "did not find expected ',' or ']'": "list_end",
    "did not find expected ',' or '}'": "mapping_end",
    "did not find expected '-' indicator": "dash",
    "found unexpected end of stream": "quote",
    "found character that cannot start any token": "character",
    "block sequence entries are not allowed in this context": "sequence",
}
_WORDS: Final = dict.fromkeys(("", "~", "null", "Null", "NULL")) | {
    word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")
}
_INTEGER: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of input: the name to call it by, and what stands in it."""

    name: str
    text: str | bytes


@dataclass(slots=True)
class Node:
    """A value and where it stands; `items` are the nodes of a mapping's or sequence's values.

    `keys` holds where the keys of a mapping stand; `raw` a scalar as it was written.
    """

    value: Any
    line: int
    column: int
    items: "dict[str, Node] | list[Node] | None" = None
    keys: dict[str, Place] = field(default_factory=dict)
    raw: str = ""

    def place(self, path: tuple[str | int, ...], *, key: bool = False) -> Place:
        """Return where the value at `path` stands (or its key), or the deepest thing above it."""
        found: Node = self
        for depth, step in enumerate(path):
            if key and depth == len(path) - 1 and step in found.keys:
                return found.keys[str(step)]
            below = found.child(step)
            if below is None:
                break
            found = below
        return found.line, found.column

    def child(self, step: str | int) -> "Node | None":
        """Return the node of one key or index, or None."""
        if isinstance(self.items, dict):
            return self.items.get(str(step))
        if isinstance(self.items, list) and isinstance(step, int) and step < len(self.items):
            return self.items[step]
        return None


def field_path(path: tuple[str | int, ...]) -> str:
    """Return `spec.dataDisks[0].size` for its steps."""
    shown = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return shown.removeprefix(".")


class _Fault(Exception):  # noqa: N818 (never leaves this module)
    """A fault of the text; raised, it stops the reading of one document."""

    def __init__(self, key: str, place: Place | None, **params: object) -> None:
        super().__init__(key)
        self.key, self.place, self.params = key, place, params


@dataclass(slots=True)
class Reader:
    """Reads files one after another, counting what they amount to; collects the faults."""

    diagnostics: list[Diagnostic] = field(default_factory=list)
    largest: int = MAX_FILE_BYTES
    _bytes: int = 0
    _documents: int = 0
    _nodes: int = 0

    def documents(self, source: SourceFile) -> Iterator[tuple[Node, frozenset[Place]]]:
        """Yield the root of each document that can be read, and where in it there are faults.

        All faults become diagnostics; one with faults is yielded for its further checks only.
        """
        text = self._decode(source)
        if text is None:
            return
        for first_line, chunk in _chunks(text):
            builder = _Builder(first_line, MAX_NODES - self._nodes)
            try:
                self._compose(builder, chunk)
            except _Fault as fault:
                builder.root = None
                builder.faults.append(fault)
            for found in builder.faults:
                self._report(source, found)
            if any(found.key in _ENDS_FILE for found in builder.faults):
                return
            if builder.root is not None:
                yield builder.root, frozenset(fault.place or (1, 1) for fault in builder.faults)

    def fault(self, file: str, key: str, place: Place, **params: object) -> None:
        """Note a fault of the text."""
        line, column = place
        self.diagnostics.append(Diagnostic(key, params, file=file, line=line, column=column))

    def _report(self, source: SourceFile, fault: _Fault) -> None:
        self.fault(source.name, fault.key, fault.place or (1, 1), **fault.params)

    def _decode(self, source: SourceFile) -> str | None:
        """Return the text with plain line ends and no byte-order mark, or note why not."""
        try:
            text = self._utf8(source.text)
            _check_characters(text)
        except _Fault as fault:
            self._report(source, fault)
            return None
        return text

    def _utf8(self, raw: str | bytes) -> str:
        data = raw if isinstance(raw, bytes) else raw.encode("utf-8", "surrogatepass")
        if len(data) > self.largest:
            raise _Fault("input.file_too_large", None, bytes=len(data), limit=self.largest)
        self._bytes += len(data)
        if self._bytes > MAX_TOTAL_BYTES:
            raise _Fault("input.input_too_large", None, limit=MAX_TOTAL_BYTES)
        try:
            text = raw if isinstance(raw, str) else data.decode("utf-8")
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise _Fault("input.not_utf8", (line, 1)) from None
        return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")

    def _compose(self, builder: "_Builder", chunk: str) -> None:
        first_line = builder.first_line
        self._documents += 1
        if self._documents > MAX_DOCUMENTS:
            raise _Fault("input.too_many_documents", (first_line, 1), limit=MAX_DOCUMENTS)
        loader = _LOADER(chunk)
        try:
            while loader.check_event():
                builder.take(loader.get_event())
        except yaml.MarkedYAMLError as error:
            raise _syntax(error, chunk, first_line) from None
        except yaml.YAMLError:
            raise _Fault("input.syntax", (first_line, 1), problem="?") from None
        finally:
            loader.dispose()
            self._nodes += builder.count


def _check_characters(text: str) -> None:
    if match := _FORBIDDEN.search(text):
        start = match.start()
        line, column = text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start)
        code = f"U+{ord(match[0]):04X}"
        raise _Fault("input.forbidden_character", (line, column), code=code)


def _chunks(text: str) -> Iterator[tuple[int, str]]:
    """Yield each document's text with its first line.

    A line that starts with `---` or `...` ends a document wherever it stands, even inside a quoted
    or block scalar, so that splitting needs no parser; and one broken document spoils no other.
    """
    start, line = 0, 1
    for match in _MARKER.finditer(text):
        chunk = text[start : match.start()]
        if _has_content(chunk):
            yield line, chunk
        line += text.count("\n", start, match.start())
        start = match.start()
    if _has_content(text[start:]):
        yield line, text[start:]


def _has_content(chunk: str) -> bool:
    body = chunk[3:] if chunk.startswith(("---", "...")) else chunk
    lines = (line.strip() for line in body.split("\n"))
    return any(line and not line.startswith(("#", "%")) for line in lines)


def _syntax(error: yaml.MarkedYAMLError, chunk: str, first_line: int) -> _Fault:
    mark = error.problem_mark or error.context_mark
    problem = _problem(str(error.problem))
    if mark is None:
        return _Fault("input.syntax", (first_line, 1), problem=problem)
    lines = chunk.split("\n")
    for index in range(min(mark.line, len(lines) - 1), max(mark.line - 2, -1), -1):
        line = lines[index]
        indent = line[: len(line) - len(line.lstrip())]
        if "\t" in indent:
            return _Fault("input.tab", (first_line + index, indent.index("\t") + 1))
        if match := _WIDE_COLON.match(line):
            return _Fault("input.wide_colon", (first_line + index, match.start(1) + 1))
    return _Fault("input.syntax", (first_line + mark.line, mark.column + 1), problem=problem)


def _problem(words: str) -> Text | str:
    """Return the parser's words in the reader's language where we have them."""
    return Text(f"input.problem_{_PROBLEMS[words]}") if words in _PROBLEMS else words


@dataclass(slots=True)
class _Builder:
    """Builds one document from parser events, without recursion."""

    first_line: int
    allowance: int
    root: Node | None = None
    count: int = 0
    faults: list[_Fault] = field(default_factory=list)
    _stack: list[Node] = field(default_factory=list)
    _key: list[str | None] = field(default_factory=list)

    def take(self, event: yaml.Event) -> None:
        """Take the next event of the parser."""
        kind = type(event)
        if kind is yaml.ScalarEvent:
            self._scalar(event)
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            self._open(event, {} if kind is yaml.MappingStartEvent else [])
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            self._stack.pop()
            self._key.pop()
        elif kind is yaml.AliasEvent:
            self._alias(event)

    def _place(self, event: Any) -> Place:
        mark = event.start_mark
        return self.first_line + mark.line, mark.column + 1

    def _alias(self, event: Any) -> None:
        place = self._place(event)
        self._note("input.alias", place, name=event.anchor)
        if self._wants_key():
            self._take_key(f"*{event.anchor}", place)
        else:
            self._put(Node(UNREAD, *place))

    def _scalar(self, event: Any) -> None:
        place = self._place(event)
        self._check(event, place)
        text: str = event.value
        if len(text) > MAX_SCALAR:
            raise _Fault("input.scalar_too_long", place, limit=MAX_SCALAR)
        if self._wants_key():
            self._take_key(text, place)
            return
        self._put(Node(text if event.style else self._plain(text, place), *place, raw=text))

    def _plain(self, text: str, place: Place) -> Any:
        try:
            return plain_scalar(text)
        except OverflowError:
            self._note("input.number_too_long", place, limit=MAX_DIGITS)
            return UNREAD

    def _note(self, key: str, place: Place, **params: object) -> None:
        """Note a fault that the reading of the document survives."""
        self.faults.append(_Fault(key, place, **params))

    def _open(self, event: Any, value: dict[str, Any] | list[Any]) -> None:
        place = self._place(event)
        self._check(event, place)
        if len(self._stack) >= MAX_DEPTH:
            raise _Fault("input.too_deep", place, limit=MAX_DEPTH)
        if self._wants_key():
            raise _Fault("input.key_not_text", place)
        node = Node(value, *place, items={} if isinstance(value, dict) else [])
        self._put(node)
        self._stack.append(node)
        self._key.append(None)

    def _check(self, event: Any, place: Place) -> None:
        if event.tag is not None:
            self._note("input.tag", place, tag=event.tag)
        self.count += 1
        if self.count > self.allowance:
            raise _Fault("input.too_many_nodes", place, limit=MAX_NODES)

    def _wants_key(self) -> bool:
        return (
            bool(self._stack) and isinstance(self._stack[-1].items, dict) and self._key[-1] is None
        )

    def _take_key(self, name: str, place: Place) -> None:
        parent = self._stack[-1]
        if name in parent.keys:
            line, column = parent.keys[name]
            self._note("input.duplicate_key", place, name=name, line=line, column=column)
        else:
            parent.keys[name] = place
        self._key[-1] = name

    def _put(self, node: Node) -> None:
        if not self._stack:
            self.root = node
            return
        parent = self._stack[-1]
        if isinstance(parent.items, list):
            parent.items.append(node)
            parent.value.append(node.value)
        elif parent.items is not None and (key := self._key[-1]) is not None:
            # Of a key that stands twice, the first counts: the second is a fault already.
            parent.items.setdefault(key, node)
            parent.value.setdefault(key, node.value)
            self._key[-1] = None


def plain_scalar(text: str) -> str | int | float | bool | None:
    """Return the value of an unquoted scalar by the rules of the YAML 1.2 core schema.

    Raises OverflowError for a number of more digits than JSON carries faithfully.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "0123456789+-.":
        return text
    if _INTEGER.fullmatch(text):
        _check_digits(text, MAX_DIGITS)
        return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)
    if _FLOAT.fullmatch(text):
        _check_digits(text, 2 * MAX_DIGITS)
        value = float(text)
        if not math.isfinite(value):
            raise OverflowError
        return value
    return text


def _check_digits(text: str, limit: int) -> None:
    if len(text.lstrip("+-")) > limit:
        raise OverflowError
