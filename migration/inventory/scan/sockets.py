"""Who listens and who talks to whom: the kernel's tables of sockets."""

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final

from migration.inventory.scan.answer import Answer, Found

Connection = dict[str, Any]
"""`direction` (`in`, `out`), `here`, `there` (addresses), `port` (of whoever listens), `times`."""
_PROGRAM: Final = re.compile(r'users:\(\("([^"]+)"')
_NETSTAT: Final = re.compile(r"\b\d+/(\S+)")
_PORT: Final = re.compile(r":(\d+)\s")


def read(answer: Answer) -> Found:
    """Return listeners with their programs, and connections to and from other hosts."""
    programs = dict(_programs(answer.lines("programs")))
    listeners = []
    for line in dict.fromkeys(answer.lines("listeners")):
        protocol, where = line.split()
        host, _, port = where.partition(":")
        number = int(port, 16)
        told: Connection = {"protocol": protocol, "address": address(host), "port": number}
        if (protocol, number) in programs:
            told["program"] = programs[protocol, number]
        listeners.append(told)
    if not any(one["protocol"] == "tcp" for one in listeners):
        raise ValueError("nobody listens, not even for SSH")
    return {"listeners": listeners, "connections": connections(answer.lines("connections"))}


def connections(lines: Iterable[str]) -> list[Connection]:
    """Return the connections to and from other hosts of lines such as `1 in 0100D50A 0016 …`."""
    found = []
    for line in lines:
        times, direction, here, port, there = line.split()
        ends = {"here": address(here), "there": address(there)}
        if ends["here"] != ends["there"] and not _loopback(ends["there"]):
            counted = {"port": int(port, 16), "times": int(times)}
            found.append({"direction": direction, **ends, **counted})
    return sorted(found, key=lambda one: (one["direction"], one["there"], one["port"]))


def address(text: str) -> str:
    """Return an address of the kernel's tables (little-endian words) as people write it."""
    words = [bytes.fromhex(text[at : at + 8])[::-1] for at in range(0, len(text), 8)]
    if len(words) == 1:
        return str(IPv4Address(words[0]))
    long = IPv6Address(b"".join(words))
    return str(long.ipv4_mapped or long)


def _loopback(text: str) -> bool:
    return text.startswith("127.") or text == "::1"


def _programs(lines: Iterable[str]) -> Iterator[tuple[tuple[str, int], str]]:
    for line in lines:
        protocol, program, port = (
            line[:3],
            _PROGRAM.search(line) or _NETSTAT.search(line),
            _PORT.search(line),
        )
        if program and port and protocol in ("tcp", "udp"):
            yield (protocol, int(port[1])), program[1].rstrip(":")
