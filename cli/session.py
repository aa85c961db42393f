"""What one run of the program knows: its settings, and the one door to the API."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from cli.globals import Globals
from govcloud import settings as configuration

if TYPE_CHECKING:
    from cli.client import Client

_VARIABLES: Final[Mapping[str, str]] = {
    "server": "GOVCLOUD_SERVER",
    "workspace": "GOVCLOUD_WORKSPACE",
    "credential": "GOVCLOUD_CREDENTIAL",
    "language": "GOVCLOUD_LANG",
}

_TOKENS: Final = ("GOVCLOUD_TOKEN", "GOVCLOUD_TOKEN_FILE")


@dataclass
class Session:
    """The global options of this run over the environment, and what is opened because of them."""

    chosen: Globals

    @property
    def environment(self) -> dict[str, str]:
        """The environment, with the options that were given put over it.

        Whoever says `--as` means that name, whatever token the environment holds.
        """
        given = {
            variable: value
            for name, variable in _VARIABLES.items()
            if (value := getattr(self.chosen, name)) is not None
        }
        named = self.chosen.credential is not None
        kept = {k: v for k, v in os.environ.items() if not (named and k in _TOKENS)}
        return {**kept, **given}

    @cached_property
    def settings(self) -> configuration.Settings:
        """The settings; raises where neither a workspace nor a server is configured."""
        return configuration.load(self.environment)

    @cached_property
    def client(self) -> "Client":
        """The door to the API: a server's, or the application in this process."""
        from cli.client import connect

        return connect(self.settings)

    def close(self) -> None:
        """Give back what was opened."""
        if "client" in self.__dict__:
            self.client.close()
            del self.client

    def abandon(self) -> None:
        """Leave what was opened as it is: closing would wait for what a thread still computes."""
        self.__dict__.pop("client", None)


current = Session(Globals())


def start(chosen: Globals) -> Session:
    """Begin a run with these global options."""
    global current  # noqa: PLW0603
    current.close()
    current = Session(chosen)
    return current


def client() -> "Client":
    """Return the door to the API of this run."""
    return current.client
