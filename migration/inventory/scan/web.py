"""Web servers and their sites: nginx by its configuration, Apache by its version."""

import re
from collections.abc import Iterator
from typing import Any, Final

from migration.inventory.scan.answer import Answer, Found, masked

_TOKEN: Final = re.compile(
    r"""#[^\n]*|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[{};]|(?:\\.|\$\{\w+\}|[^\s{};])+"""
)


def read(answer: Answer) -> Found:
    """Return `servers` (name, version, serving) and the `sites` that nginx is configured for."""
    servers = []
    version = re.search(r"nginx/(\S+)", answer.word("version"))
    if version:
        serving = answer.word("serving") == "yes"
        servers.append({"name": "nginx", "version": version[1], "serving": serving})
    apache = re.search(r"Apache/(\S+)", answer.word("apache"))
    if apache:
        servers.append({"name": "apache", "version": apache[1]})
    sites = [site for part in answer.every("file") for site in _sites(part.argument, part.text)]
    return {"servers": servers, "sites": sites}


def _sites(file: str, text: str) -> Iterator[dict[str, Any]]:
    site: dict[str, Any] | None = None
    depth = begun = 0
    for words, end in _statements(text):
        if end == "{":
            depth += 1
            if words[:1] == ["server"] and site is None:
                site, begun = {"names": [], "listens": [], "roots": [], "proxies": []}, depth
        elif end == "}":
            if site is not None and depth == begun:
                if site["listens"] or site["names"]:
                    yield {**site, "file": file}
                site = None
            depth -= 1
        elif site is not None and words:
            _directive(site, words)


def _directive(site: dict[str, Any], words: list[str]) -> None:
    lists = {"server_name": "names", "listen": "listens", "root": "roots", "alias": "roots"}
    passing = ("proxy_pass", "fastcgi_pass", "uwsgi_pass", "grpc_pass")
    lists |= dict.fromkeys(passing, "proxies")
    name, *values = words
    if name not in lists:
        return
    values = values if name == "server_name" else values[:1]
    told = site[lists[name]]
    told += [masked(value) for value in values if value not in told]


def _statements(text: str) -> Iterator[tuple[list[str], str]]:
    words: list[str] = []
    for token in _TOKEN.findall(text):
        if token.startswith("#"):
            continue
        if token in ("{", "}", ";"):
            yield words, token
            words = []
        else:
            words.append(token.strip("\"'"))
