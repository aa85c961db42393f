"""The topic of the audit trail: what the kernel notes, and how much of it auditd keeps."""

import os
import re

from ground import OWN, ComplaintError, Topic, read, run, write

CONFIGURATION = "/etc/audit/auditd.conf"
LOADED = "/etc/audit/audit.rules"
"""What `augenrules` makes of all rules; it is nobody's file."""
BITS = "-a always,exit -F arch=b64 -S "
PEOPLE = " -F auid>=1000 -F auid!=unset"
WATCHED = (
    ("identity", "/etc/passwd /etc/group /etc/shadow /etc/gshadow"),
    ("rights", "/etc/sudoers /etc/sudoers.d"),
    ("logins", "/etc/ssh /var/log/lastlog /var/log/wtmp /var/log/btmp"),
    ("clock", "/etc/localtime"),
    ("trail", "/etc/audit"),
)
"""Of level 2: who there is, who may what, who logs in, the clock, and the trail itself."""
CALLS = {
    2: [("clock", "adjtimex,settimeofday,clock_settime")],
    3: [
        ("root", "execve -F euid=0" + PEOPLE),
        ("kernel", "init_module,finit_module,delete_module"),
        ("mounts", "mount,umount2" + PEOPLE),
        ("denied", "openat,truncate,ftruncate -F exit=-EACCES" + PEOPLE),
        ("denied", "openat,truncate,ftruncate -F exit=-EPERM" + PEOPLE),
        ("permissions", "fchmod,fchmodat,fchown,fchownat,setxattr,removexattr" + PEOPLE),
    ],
}
"""By the level from which on they are noted: what people do as root is of level 3."""
OLDER = [
    ("denied", "open,creat -F exit=-EACCES" + PEOPLE),
    ("denied", "open,creat -F exit=-EPERM" + PEOPLE),
    ("permissions", "chmod,chown,lchown" + PEOPLE),
]
"""Calls that only x86 has, of level 3."""
KEPT = {2: 40, 3: 99}
"""Files of 50 MiB that are kept, the oldest of which makes room for a new one."""


def rules(level, machine):
    """Return the rules of a level, as `auditctl` reads them."""
    found = [
        "-w %s -p wa -k %s-%s" % (path, OWN, key)
        for key, paths in WATCHED
        for path in paths.split()
    ]
    calls = [call for each in sorted(CALLS) if each <= level for call in CALLS[each]]
    calls += OLDER if level >= 3 and machine == "x86_64" else []
    return found + ["%s%s -k %s-%s" % (BITS, call, OWN, key) for key, call in calls]


def tuned(text, level):
    """Return auditd's configuration, which has no folder for parts of it, with how much is kept."""
    wanted = {"max_log_file": 50, "num_logs": KEPT[level], "max_log_file_action": "ROTATE"}
    for name, value in wanted.items():
        line = "%s = %s" % (name, value)
        text, there = re.subn(r"(?m)^%s\s*=.*$" % name, line, text)
        text += "" if there else line + "\n"
    return text


class Trail(Topic):
    """The audit trail of a level of protection (等保)."""

    mode = 0o640

    def files(self):
        """Return the rules, and how much is kept."""
        now = read(CONFIGURATION)
        if now is None:
            raise ComplaintError("auditd is not installed; name it in `packages` (Debian: auditd)")
        level = int(self.wanted)
        text = "".join(rule + "\n" for rule in rules(level, os.uname().machine))
        return {"/etc/audit/rules.d/60-%s.rules" % OWN: text, CONFIGURATION: tuned(now, level)}

    def before(self):
        """Return whether it ran and was enabled, and the rules that were put together."""
        states = {what: run("systemctl", what, "auditd", check=False) for what in STATES}
        return dict(states, rules=read(LOADED))

    def apply(self):
        """Load the rules, and let auditd keep what they note, also after a reboot."""
        state = run("auditctl", "-s", check=False)
        if "enabled" not in state:
            raise ComplaintError("the kernel lets this host have no audit trail (a container?)")
        run("systemctl", "-q", "enable", "auditd")
        self.reread()
        run("systemctl", "start", "auditd")
        run("augenrules", "--load")

    @staticmethod
    def reread():
        """Let auditd, which refuses to be restarted, read its configuration anew."""
        if run("systemctl", "is-active", "auditd", check=False) == "active":
            run("systemctl", "kill", "-s", "HUP", "auditd")

    def restore(self, before):
        """Load the former rules; auditd ends where it did not run."""
        run("augenrules", "--load", check=False)
        write(LOADED, before["rules"], 0o640)
        self.reread()
        if before["is-active"] != "active":
            run("systemctl", "kill", "-s", "TERM", "auditd", check=False)
        if before["is-enabled"] != "enabled":
            run("systemctl", "-q", "disable", "auditd", check=False)

    def wrong(self):
        """Yield that it does not run, and of which rules the kernel has none."""
        for what, wanted in STATES.items():
            now = run("systemctl", what, "auditd", check=False)
            if now != wanted:
                yield "auditd is not %s" % wanted
        loaded = re.findall(r"(?m)(?:-k |key=)(\S+)$", run("auditctl", "-l", check=False))
        keys = [rule.split()[-1] for rule in rules(int(self.wanted), os.uname().machine)]
        for key in sorted(set(keys)):
            if loaded.count(key) < keys.count(key):
                yield "the kernel has %d of %d rules %s" % (
                    loaded.count(key),
                    keys.count(key),
                    key,
                )


STATES = {"is-active": "active", "is-enabled": "enabled"}
