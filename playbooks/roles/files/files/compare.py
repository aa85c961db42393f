"""Compare with rsync, reading everything at both ends; prints what was found as JSON.

The input of the comparison is JSON in `argv[1]`: `rsync`, a dry run that names every difference
(`-i`); `changed`, a command that lists what changed at the source since a test copy began, or none.
"""

import json
import re
import subprocess
import sys

DIFFERS = re.compile(r"^(?:\*deleting  |[<>ch.][fdLDS]\S{9}) (.*?)(?: (?:->|=>) .*)?$")


def main(wanted):
    """Run the comparison; ends with rsync's exit code."""
    work = subprocess.Popen(wanted["rsync"], stdout=subprocess.PIPE, universal_newlines=True)
    differences, totals = [], {}
    for line in work.stdout:
        found = DIFFERS.match(line.rstrip("\n"))
        if (found and not line.startswith(".")) or (found and line[1:11].strip(".")):
            differences.append((line.rstrip("\n"), found.group(1)))
        for name, words in (("compared", "Number of files"), ("bytes", "Total file size")):
            if line.startswith(words + ": "):
                totals[name] = int(line[len(words) + 2 :].split()[0].replace(",", ""))
    if work.wait():
        sys.exit(work.returncode)
    if wanted["changed"] and differences:
        differences = still(differences, wanted["changed"])
    said = [line for line, _ in differences]
    print(json.dumps(dict(totals, differences=len(said), first=said[:5])))


def still(differences, changed):
    """Return the differences that changes at the source since the copy do not explain."""
    listed = subprocess.run(changed, stdout=subprocess.PIPE, universal_newlines=True)
    moving = {line.strip("/") for line in listed.stdout.splitlines()}
    return [
        (line, name)
        for line, name in differences
        if name.strip("/") not in moving and not line.startswith("*deleting")
    ]


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
