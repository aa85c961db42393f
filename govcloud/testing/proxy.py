"""A proxy between a client and a real service that counts the calls and spoils those it is told to.

It listens on loopback, with a port of its own for each service behind it, so that paths stay what
they are and links that a service writes from the Host header lead back through the proxy. Answers
are passed on as they come, so a watch works. What is spoiled, and how, is data:

    with Proxy({"compute": "http://127.0.0.1:8774"}) as proxy:
        proxy.add(Rule(method="POST", path=r"/servers$", lost=True))
        client.create_server(proxy.url("compute"))     # made, but the answer never arrives
        assert proxy.count(method="POST") == 1
"""

import ssl
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from govcloud.testing.relay import Relay
from govcloud.testing.spoiling import Answer, Call, Rule, too_many

__all__ = ["Answer", "Call", "Proxy", "Rule", "too_many"]


@dataclass(slots=True)
class _Placed:
    """A rule with the number of calls that fitted it."""

    rule: Rule
    fitted: int = 0

    def takes(self, call: Call) -> bool:
        """Count a call if it fits, and tell whether it is to be spoiled."""
        if not self.rule.fits(call):
            return False
        self.fitted += 1
        number = self.fitted - self.rule.skip
        return number > 0 and (self.rule.times is None or number <= self.rule.times)


@dataclass
class Proxy:
    """The proxy of some services: name and address; `tls` is how those with https are talked to."""

    services: Mapping[str, str]
    tls: ssl.SSLContext | None = None
    calls: list[Call] = field(default_factory=list, init=False)
    _placed: list[_Placed] = field(default_factory=list, init=False)
    _relays: dict[str, Relay] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __enter__(self) -> Self:
        for service, address in self.services.items():
            self._relays[service] = Relay(service, urlsplit(address), self._arrived, self.tls)
        return self

    def __exit__(self, *_: object) -> None:
        for relay in self._relays.values():
            relay.close()

    def url(self, service: str) -> str:
        """Return the address to use instead of the service's own; its path is the same."""
        here = f"127.0.0.1:{self._relays[service].server_port}"
        return urlsplit(self.services[service])._replace(scheme="http", netloc=here).geturl()

    def add(self, *rules: Rule) -> None:
        """Spoil what fits these rules from now on; of several, the one added first decides."""
        with self._lock:
            self._placed += [_Placed(rule) for rule in rules]

    def clear(self) -> None:
        """Forget all rules and all calls."""
        with self._lock:
            self._placed.clear()
            self.calls.clear()

    def disconnect(self) -> None:
        """Cut every connection that is open now; new ones are welcome."""
        for relay in self._relays.values():
            relay.disconnect()

    def count(self, *, service: str = "", method: str = "", path: str = "", body: str = "") -> int:
        """Return how many calls fit; the arguments mean what they mean in a rule."""
        wanted = Rule(service, method, path, body)
        with self._lock:
            return sum(wanted.fits(call) for call in self.calls)

    def tally(self) -> Counter[tuple[str, str, str]]:
        """Return the number of calls by service, method and shape of the path."""
        with self._lock:
            return Counter((call.service, call.method, call.shape) for call in self.calls)

    def writes(self) -> Counter[tuple[str, str, str]]:
        """Return the tally of the calls that change something; logging in does not count."""
        reading = ("GET", "HEAD", "OPTIONS")
        return Counter(
            {
                key: number
                for key, number in self.tally().items()
                if key[1] not in reading and not key[2].endswith("/auth/tokens")
            }
        )

    def _arrived(self, call: Call) -> Rule | None:
        """Record a call and return the rule that spoils it, if any."""
        with self._lock:
            self.calls.append(call)
            # Each rule counts what fits it, also when an earlier one decides.
            taking = [placed.rule for placed in self._placed if placed.takes(call)]
        return taking[0] if taking else None
