"""What is installed: dpkg and rpm."""

from migration.inventory.scan.answer import Answer, Found


def read(answer: Answer) -> Found:
    """Return the packages with their versions; none where the system has neither dpkg nor rpm."""
    part = next(answer.every("packages"), None)
    if part is None:
        return {"manager": "", "packages": {}}
    found = {}
    for line in part.lines:
        state, _, rest = line.partition("\t")
        name, _, version = rest.partition("\t")
        if state == "installed" and name:
            found[name] = version
    if not found:
        raise ValueError("no packages")
    return {"manager": part.argument, "packages": found}
