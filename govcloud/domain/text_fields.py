"""Texts that must have a form of their own: networks, addresses, public keys, subjects."""

import base64
import binascii
import re
from ipaddress import ip_address, ip_network
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, WithJsonSchema

from govcloud.domain.base import LabelledEnum

_HOST_NAME: Final = re.compile(
    r"(?=.{1,253}$)(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*"
)
_ALL_DIGITS: Final = re.compile(r"[0-9.]+")
KEY_TYPES: Final = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
"""Types of public keys that machines accept; DSA is broken."""


class Source(LabelledEnum):
    """From where an opening lets in, where it is not a network."""

    SYSTEM = "system", "本系统"
    DEPARTMENT = "department", "本部门"
    INTERNET = "internet", "互联网"


def network(value: object) -> object:
    """Return a network in its canonical form; ValueError names the one that was probably meant."""
    if not isinstance(value, str):
        return value
    try:
        found = ip_network(value, strict=False)
    except ValueError:
        raise ValueError("bad_cidr") from None
    if "%" in value:
        raise ValueError("bad_cidr")
    if "/" not in value:
        raise ValueError(f"cidr_without_length:{found}")
    if ip_address(value.partition("/")[0]) != found.network_address:
        raise ValueError(f"cidr_with_host:{found}")
    return str(found)


def source(value: object) -> object:
    """Return one of the words for a source, or a network."""
    if not isinstance(value, str):
        return value
    try:
        return Source(value).value
    except ValueError:
        pass
    try:
        return network(value)
    except ValueError as error:
        if str(error) == "bad_cidr":
            raise ValueError("bad_source") from None
        raise


def host(value: object) -> object:
    """Return the address or the name of a host."""
    if not isinstance(value, str):
        return value
    try:
        ip_address(value)
    except ValueError:
        if _ALL_DIGITS.fullmatch(value) or not _HOST_NAME.fullmatch(value):
            raise ValueError("bad_address") from None
    return value


def public_key(value: object) -> object:
    """Return one OpenSSH public key on one line; what is private is not repeated in the fault."""
    if not isinstance(value, str) or not value:
        return value
    if "PRIVATE KEY" in value:
        raise ValueError("private_key:-----BEGIN…")
    words = value.split(maxsplit=2)
    if len(words) < 2 or "\n" in value.strip():
        raise ValueError("bad_public_key")
    if words[0] not in KEY_TYPES:
        if words[0].startswith(("ssh-", "ecdsa-", "sk-")):
            raise ValueError(f"public_key_type:{words[0]}")
        raise ValueError("bad_public_key")
    if not _is_blob(words[0], words[1]):
        raise ValueError("bad_public_key")
    return value.strip()


def _is_blob(kind: str, text: str) -> bool:
    """Whether base64 text is a list of fields with lengths, the first of which says `kind`."""
    try:
        blob = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return False
    fields, at = [], 0
    while at < len(blob):
        end = at + 4 + int.from_bytes(blob[at : at + 4], "big")
        fields.append(blob[at + 4 : end])
        at = end
    return at == len(blob) and len(fields) > 1 and fields[0] == kind.encode()


def subject(value: object) -> object:
    """Return the name of a user; what begins with `system:` is the cluster's own."""
    if isinstance(value, str) and value.strip().lower().startswith("system:"):
        raise ValueError("system_subject")
    return value


Network = Annotated[
    str,
    Field(strict=True, max_length=64),
    BeforeValidator(network),
    WithJsonSchema({"type": "string", "maxLength": 64, "examples": ["10.1.0.0/16"]}),
]
Opening = Annotated[
    str,
    Field(strict=True, max_length=64),
    BeforeValidator(source),
    WithJsonSchema({"type": "string", "maxLength": 64, "examples": ["department", "10.1.0.0/16"]}),
]
HostAddress = Annotated[
    str,
    Field(strict=True, max_length=253),
    BeforeValidator(host),
    WithJsonSchema({"type": "string", "maxLength": 253, "examples": ["10.1.2.3"]}),
]
PublicKey = Annotated[
    str,
    Field(strict=True, min_length=1, max_length=8_192),
    BeforeValidator(public_key),
    WithJsonSchema({"type": "string", "maxLength": 8_192, "examples": ["ssh-ed25519 AAAA…"]}),
]
Subject = Annotated[str, Field(strict=True, min_length=1, max_length=200), BeforeValidator(subject)]
