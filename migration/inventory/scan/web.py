"""Web servers and their sites, by the configuration of nginx and of Apache."""

import re
from collections.abc import Iterator
from typing import Any, Final

from migration.inventory.scan.answer import Answer, Found, masked

_TOKEN: Final = re.compile(
    r"""#[^\n]*|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|[{};]|(?:\\.|\$\{\w+\}|[^\s{};])+"""
)


def read(answer: Answer) -> Found:
    """Return `servers` (name, version, serving) and the `sites` that they are configured for.

    A site: `server`, `names`, `listens`, `roots`, `proxies`, and the `file` in which it stands.
    """
    servers = []
    version = re.search(r"nginx/(\S+)", answer.word("version"))
    if version:
        serving = answer.word("serving") == "yes"
        servers.append({"name": "nginx", "version": version[1], "serving": serving})
    apache = re.search(r"Apache/(\S+)", answer.word("apache"))
    if apache:
        servers.append({"name": "apache", "version": apache[1]})
    sites = [
        {"server": "nginx", **site}
        for part in answer.every("file")
        for site in _sites(part.argument, part.text)
    ]
    if apache:
        sites += [
            {"server": "apache", **site}
            for part in answer.every("virtual")
            for site in _hosts(part.argument, part.lines)
        ]
    return {"servers": servers, "sites": sites}


def _site() -> dict[str, Any]:
    return {"names": [], "listens": [], "roots": [], "proxies": []}


def _sites(file: str, text: str) -> Iterator[dict[str, Any]]:
    site: dict[str, Any] | None = None
    depth = begun = 0
    for words, end in _statements(text):
        if end == "{":
            depth += 1
            if words[:1] == ["server"] and site is None:
                site, begun = _site(), depth
        elif end == "}":
            if site is not None and depth == begun:
                if site["listens"] or site["names"]:
                    yield {**site, "file": file}
                site = None
            depth -= 1
        elif site is not None and words:
            _directive(site, words)


_APACHE: Final = {
    "servername": "names",
    "serveralias": "names",
    "listen": "listens",
    "documentroot": "roots",
    "alias": "roots",
    "proxypass": "proxies",
    "proxypassmatch": "proxies",
}


def _hosts(file: str, lines: list[str]) -> Iterator[dict[str, Any]]:
    """Yield Apache's virtual hosts of a file, and what stands outside of them."""
    main = site = _site()
    for line in lines:
        words = [word.strip("\"'") for word in line.split()]
        if not words or words[0].startswith("#"):
            continue
        name, *values = words
        if name.lower() == "<virtualhost":
            site = _site()
            site["listens"] = [value.rstrip(">") for value in values]
        elif name.lower() == "</virtualhost>":
            yield {**site, "file": file}
            site = main
        elif values and name.lower() in _APACHE:
            # Of `Alias` and `ProxyPass` the second word says where it leads.
            leads = name.lower() in ("alias", "proxypass", "proxypassmatch")
            values = values if name.lower() == "serveralias" else values[leads : leads + 1]
            told = site[_APACHE[name.lower()]]
            told += [masked(value) for value in values if value not in told]
    if main["roots"] or main["proxies"]:
        yield {**main, "file": file}


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
