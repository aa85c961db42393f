"""The machine and its operating system: `/proc`, `/sys`, `os-release`."""

import re
from typing import Final

from migration.inventory.scan.answer import Answer, Found

_SECTOR: Final = 512
_NO_VENDOR: Final = re.compile(
    r"^(to be filled|system manufacturer|not specified|n/?a$|default string)", re.IGNORECASE
)
_ADDRESS: Final = re.compile(r"\binet6?\s+(?:addr:\s*)?([0-9a-f.:]+)", re.IGNORECASE)


def read(answer: Answer) -> Found:
    """Return the machine: `memory` in MiB, `disks` in bytes, how `support` calls its system."""
    release = _release(answer.lines("os-release"))
    kernel = answer.word("uname").split()
    legacy = answer.word("release")
    found: Found = {
        "hostname": answer.word("hostname"),
        "kernel": " ".join(kernel[:2]),
        "arch": kernel[-1] if kernel else "",
        "os": release.get("PRETTY_NAME") or legacy,
        "os_id": release.get("ID", "").lower() or _legacy_id(legacy),
        "os_version": _version(release, legacy),
        "vcpu": int(answer.word("cpus") or 0),
        "model": answer.word("model").partition(":")[2].strip(),
        "memory": _kib(answer.word("memory")) // 1024,
        "hardware": _hardware(answer),
        "virtual": answer.word("virtual").replace("none", ""),
        "disks": {
            name: int(size) * _SECTOR for name, size in map(str.split, answer.lines("disks"))
        },
        "addresses": _addresses(answer.lines("addresses")),
    }
    if not found["vcpu"] or not found["memory"]:
        raise ValueError("neither processors nor memory")
    return {name: value for name, value in found.items() if value not in ("", None)}


def _release(lines: list[str]) -> dict[str, str]:
    pairs = (line.partition("=") for line in lines if not line.startswith("#"))
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}


def _version(release: dict[str, str], legacy: str) -> str:
    """Return the version with its service pack, where only `VERSION` names it: `22.03-SP3`."""
    version = release.get("VERSION_ID", "")
    pack = re.search(r"\bSP\d+\b", release.get("VERSION", ""))
    if version and pack and "." in version and pack[0] not in version:
        return f"{version}-{pack[0]}"
    if version:
        return version
    number = re.search(r"\d+(?:\.\d+)*", legacy)
    return number[0] if number else ""


def _legacy_id(legacy: str) -> str:
    words = {"centos": "centos", "red hat": "rhel", "oracle": "ol", "kylin": "kylin"}
    low = legacy.lower()
    named = next((name for word, name in words.items() if word in low), "")
    return named or ("debian" if re.match(r"\d+(\.\d+)*$|\w+/sid$", low) else "")


def _kib(line: str) -> int:
    number = re.search(r"(\d+)\s*kB", line)
    return int(number[1]) if number else 0


def _hardware(answer: Answer) -> str:
    words = [answer.word("vendor"), answer.word("product")]
    return " ".join(word for word in words if word and not _NO_VENDOR.match(word))


def _addresses(lines: list[str]) -> list[str]:
    found = (match[1].lower() for line in lines for match in [_ADDRESS.search(line)] if match)
    own = (one for one in found if one not in ("127.0.0.1", "::1") and not one.startswith("fe80"))
    return list(dict.fromkeys(own))
