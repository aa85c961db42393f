"""Topics of who may log in: accounts, and what the SSH server allows."""

import grp
import os
import pwd
import re
import shutil

from ground import OWN, ComplaintError, Topic, read, run, said, write

SSH = "/etc/ssh/sshd_config"
INCLUDE = "Include /etc/ssh/sshd_config.d/*.conf\n"


class Accounts(Topic):
    """People's accounts."""

    mode = 0o440

    def __init__(self, wanted):
        super().__init__(wanted)
        for one in wanted:
            if not re.match(r"[a-z_][a-z0-9_-]{0,31}$", one["name"]):
                raise ComplaintError("%r is no name of an account" % one["name"])

    def files(self):
        """Return what lets those who may do everything."""
        return {
            "/etc/sudoers.d/%s-%s" % (OWN, one["name"]): "%s ALL=(ALL) NOPASSWD: ALL\n"
            % one["name"]
            for one in self.wanted
            if one.get("sudo")
        }

    def before(self):
        """Return the accounts that there were, with their groups and keys."""
        return {one["name"]: self.seen(one["name"]) for one in self.wanted}

    @staticmethod
    def seen(name):
        """Return an account's groups and keys; None: there is no such account."""
        try:
            home = pwd.getpwnam(name).pw_dir
        except KeyError:
            return None
        groups = [one.gr_name for one in grp.getgrall() if name in one.gr_mem]
        return {"groups": groups, "keys": read(home + "/.ssh/authorized_keys")}

    def apply(self):
        """Have the accounts, and let their keys in."""
        if self.files() and not shutil.which("visudo", path="/usr/sbin:/sbin:/usr/bin:/bin"):
            raise ComplaintError("an account may do everything, and there is no sudo on this host")
        for one in self.wanted:
            if self.seen(one["name"]) is None:
                # A password that nobody has: one that is locked shuts keys out too, without PAM.
                run("useradd", "-m", "-p", "*", "-s", "/bin/bash", one["name"])
            for group in one.get("groups") or []:
                run("usermod", "-a", "-G", group, one["name"])
            there = self.seen(one["name"])["keys"] or ""
            new = [key.strip() for key in one.get("keys") or [] if key.strip() not in there]
            if new:
                head = there if there.endswith("\n") or not there else there + "\n"
                self.keys(one["name"], head + "".join(key + "\n" for key in new))

    @staticmethod
    def keys(name, text):
        """Write the keys that open an account."""
        account = pwd.getpwnam(name)
        folder, owner = account.pw_dir + "/.ssh", (account.pw_uid, account.pw_gid)
        if not os.path.isdir(folder):
            os.mkdir(folder, 0o700)
            os.chown(folder, *owner)
        write(folder + "/authorized_keys", text, 0o600, owner)

    def restore(self, before):
        """Give accounts their groups and keys back; those that were not there go, homes stay."""
        for name, was in before.items():
            now = self.seen(name)
            if was is None and now is not None:
                run("userdel", name)
            elif was is not None and now is not None and was != now:
                run("usermod", "-G", ",".join(was["groups"]), name)
                self.keys(name, was["keys"])

    def wrong(self):
        """Yield each that is not there, in its groups, with its keys."""
        for one in self.wanted:
            seen = self.seen(one["name"])
            if seen is None:
                yield "there is no account %s" % one["name"]
                continue
            keys = [key for key in one.get("keys") or [] if key.strip() not in (seen["keys"] or "")]
            if keys:
                yield "%d keys of %s are missing" % (len(keys), one["name"])
            mine = [*seen["groups"], grp.getgrgid(pwd.getpwnam(one["name"]).pw_gid).gr_name]
            for group in set(one.get("groups") or []) - set(mine):
                yield "%s is not in the group %s" % (one["name"], group)


class Ssh(Topic):
    """What the SSH server allows."""

    mode = 0o600

    def files(self):
        """Return a file that is read first, since of an option the first that is found counts."""
        lines = ["%s %s\n" % (name, said(value)) for name, value in sorted(self.wanted.items())]
        found = {"/etc/ssh/sshd_config.d/00-%s.conf" % OWN: "".join(lines)}
        main = read(SSH) or ""
        if not re.match(r"(\s*(#.*)?\n)*\s*Include\s+/etc/ssh/sshd_config\.d/", main):
            found[SSH] = INCLUDE + main
        return found

    def apply(self):
        """Read it anew, if it is right."""
        run("sshd", "-t")
        for service in ("ssh", "sshd"):
            if run("systemctl", "is-active", service, check=False):
                run("systemctl", "reload", service)
                return

    def wrong(self):
        """Yield each that the server goes by otherwise."""
        found = dict(line.partition(" ")[::2] for line in run("sshd", "-T").splitlines())
        for name, value in sorted(self.wanted.items()):
            now = found.get(name.lower())
            same = now in (said(value), {"prohibit-password": "without-password"}.get(said(value)))
            if not same:
                yield "sshd: %s is %s" % (name, now)
