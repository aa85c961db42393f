"""The folder of a scan: a file of JSON a host, written as soon as the host has said what it can."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from govcloud.errors import Diagnostic, InvalidInputError, UsageError
from govcloud.messages import system_fault
from migration.inventory.scan.record import Record, fresh

_HOSTS: Final = "hosts"


class Folder:
    """The records of a room's hosts, by address; only whoever scans may read them."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self._files: dict[str, Path] = {}

    def records(self) -> dict[str, Record]:
        """Return what earlier scans have found; InvalidInputError for a file that is no record."""
        found: dict[str, Record] = {}
        for file in sorted((self.path / _HOSTS).glob("*.json")):
            record = _read(file)
            found[record["address"]] = record
            self._files[record["address"]] = file
        return found

    def keep(self, record: Mapping[str, object]) -> None:
        """Write a record as a whole, over the former one."""
        address = str(record["address"])
        file = self._files.get(address) or self._free(str(record["name"]), address)
        draft = file.with_suffix(".part")
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft.touch(0o600)
            draft.write_text(json.dumps(record, ensure_ascii=False, indent=1) + "\n", "utf-8")
            draft.replace(file)
        except OSError as error:
            detail = system_fault(error)
            raise UsageError("cli.unwritable", file=str(file), detail=detail) from error
        self._files[address] = file

    def _free(self, name: str, address: str) -> Path:
        taken = set(self._files.values())
        for word in (name, f"{name}-{address}"):
            file = self.path / _HOSTS / (re.sub(r"[^\w.-]+", "_", word).strip(".") + ".json")
            if file not in taken:
                return file
        return file


def _read(file: Path) -> Record:
    try:
        record = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInputError([Diagnostic("migrate.scan_no_record", file=str(file))]) from error
    if not isinstance(record, dict) or not record.keys() >= fresh("", "").keys():
        raise InvalidInputError([Diagnostic("migrate.scan_no_record", file=str(file))])
    return record
