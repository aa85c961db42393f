"""Scanning a room: hosts are asked, and what each says is kept as soon as it has said it."""

from collections.abc import Callable, Sequence
from datetime import datetime

from migration.inventory.scan.asking import Asker, Question
from migration.inventory.scan.folder import Folder
from migration.inventory.scan.hearing import Heard, Notice
from migration.inventory.scan.record import LOGIN, ROOT, Record, added, fresh
from migration.inventory.scan.subjects import understood
from migration.inventory.scan.targets import Target

UNREADABLE = "?"
"""Why a subject is missing whose answer nobody understands."""


def scan(
    asker: Asker,
    question: Question,
    *,
    targets: Sequence[Target],
    folder: Folder | None,
    now: Callable[[], datetime],
    told: Callable[[Notice], None],
) -> list[Record]:
    """Ask the hosts and keep what they say in the folder, if there is one; return their records."""
    by_key = {target.key: target for target in targets}
    records = folder.records() if folder else {}

    def hear(notice: Notice) -> None:
        if notice.heard.done and not notice.subject and notice.heard.host in by_key:
            keep(notice.heard)
        told(notice)

    def keep(heard: Heard) -> None:
        target = by_key.pop(heard.host)
        record = added_heard(records.get(target.address), target, heard, now())
        records[target.address] = record
        if folder is not None:
            folder.keep(record)

    heard = asker.ask(question, hear)
    for key in list(by_key):  # Of which Ansible did not say that they had come to an end.
        keep(heard.get(key) or Heard(key, unreachable=UNREADABLE))
    return [records[target.address] for target in targets]


def added_heard(record: Record | None, target: Target, heard: Heard, at: datetime) -> Record:
    """Return a host's record with what it has said. Pure."""
    known = record or fresh(target.name, target.address)
    parts = {name: known["told"].get(name, {}) | target.told[name] for name in target.told}
    known = known | {
        "name": target.name,
        "groups": list(target.groups),
        "told": known["told"] | parts,
    }
    if heard.login:
        known |= {"login": heard.login, "root": heard.root}
    read = {subject: understood(subject, text) for subject, text in heard.answers.items()}
    found = {subject: told for subject, told in read.items() if told is not None}
    missing = {subject: UNREADABLE for subject, told in read.items() if told is None}
    missing |= heard.missing
    missing |= {ROOT: heard.rights} if heard.rights else {}
    missing |= {LOGIN: heard.unreachable} if heard.unreachable else {}
    return added(known, found, missing, at)
