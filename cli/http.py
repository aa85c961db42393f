"""httpx as the commands use it; imported from here, so that it comes without what nobody needs."""

from cli import lean

lean.skip_unused()

import httpx as httpx  # noqa: E402, PLC0414 - re-exported
