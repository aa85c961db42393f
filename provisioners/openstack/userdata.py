"""What a new machine is told for its first start: cloud-init's user data, from `templates/`."""

from collections.abc import Mapping
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from functools import cache
from importlib import resources
from typing import Any, Final

from jinja2 import Environment, StrictUndefined, Template

from govcloud.domain import city

TEMPLATE: Final = "user-data.yaml.j2"
DEFAULTS: Final[Mapping[str, Any]] = {
    "ntp_servers": (),
    "account": "gov",
    "key": "",
    "hardening": True,
}


def user_data(build: Mapping[str, Any]) -> str:
    """Return the user data of a machine; `build` is its resource's.

    Values are quoted by the template, so that nothing in them can become an instruction. What the
    department adds is a part of its own, which cloud-init merges: its lists are appended to ours.
    """
    told = {
        "timezone": city.zone(),
        **DEFAULTS,
        **{name: build[name] for name in _TOLD if name in build},
    }
    ours = _template().render(told)
    addition = str(build.get("addition") or "")
    return _together(ours, addition) if addition else ours


def _together(ours: str, addition: str) -> str:
    message = MIMEMultipart(boundary="govcloud-part")
    for name, text in (("govcloud", ours), ("department", addition)):
        part = MIMEText(text, "cloud-config", "utf-8")
        part.add_header("Content-Disposition", "attachment", filename=f"{name}.yaml")
        part.add_header("Merge-Type", _MERGE)
        message.attach(part)
    return message.as_string()


_MERGE: Final = "list(append)+dict(no_replace,recurse_list)+str()"
_TOLD: Final = ("hostname", "fqdn", "department", "system", "timezone", *DEFAULTS)


@cache
def _template() -> Template:
    text = resources.files("templates.cloud_init").joinpath(TEMPLATE).read_text(encoding="utf-8")
    environment = Environment(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # noqa: S701
    )
    return environment.from_string(text)
