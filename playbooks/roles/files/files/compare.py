"""Compare with rsync, reading everything at both ends; prints what was found as JSON.

The input of the comparison is JSON in `argv[1]`: `rsync`, a dry run that names every difference
(`-i`); `changed`, a command that lists what changed at the source since a test copy began, or none.
"""

import json
import re
import subprocess
import sys

DIFFERS = re.compile(b"^([*]deleting  |[<>ch.][fdLDS][^ ]{9}) (.*)$", re.DOTALL)
VANISHED = 24


def main(wanted):
    """Run the comparison; ends with rsync's exit code."""
    work = subprocess.Popen(wanted["rsync"], stdout=subprocess.PIPE)
    differences, totals = [], {}
    for line in (said.rstrip(b"\n") for said in work.stdout):
        found = DIFFERS.match(line)
        if found and (not line.startswith(b".") or line[1:11].strip(b".")):
            differences.append((line, found.group(1), name_of(*found.groups())))
        for name, words in (("compared", b"Number of files"), ("bytes", b"Total file size")):
            if line.startswith(words + b": "):
                totals[name] = int(line[len(words) + 2 :].split()[0].replace(b",", b""))
    code = work.wait()
    # Of files in use, one may go meanwhile.
    if code and not (code == VANISHED and wanted["changed"]):
        sys.exit(code)
    if wanted["changed"] and differences:
        differences = still(differences, wanted["changed"])
    said = [line.decode("utf-8", "replace") for line, _, _ in differences]
    print(json.dumps(dict(totals, differences=len(said), first=said[:5])))


def name_of(kind, said):
    """Return the name of what rsync says: bytes it does not print stand there in octal digits."""
    if kind[1:2] == b"L":
        said = said.partition(b" -> ")[0]
    elif kind.startswith(b"h"):
        said = said.partition(b" => ")[0]
    name = re.sub(b"[\\\\]#([0-7]{3})", lambda found: bytes([int(found.group(1), 8)]), said)
    return name.strip(b"/")


def still(differences, changed):
    """Return the differences that changes at the source since the copy do not explain.

    What lies in a folder that is new here changed with it: to rename one is no change of its files.
    """
    listed = subprocess.Popen(changed, stdout=subprocess.PIPE)
    moving = {name.strip(b"/") for name in listed.communicate()[0].split(b"\0")}
    new = {name for _, kind, name in differences if kind.startswith(b"cd+") and name in moving}
    return [
        (line, kind, name)
        for line, kind, name in differences
        if not (name in moving or kind.startswith(b"*") or any(up in new for up in above(name)))
    ]


def above(name):
    """Return the folders in which something lies."""
    parts = name.split(b"/")
    return [b"/".join(parts[:length]) for length in range(1, len(parts))]


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
