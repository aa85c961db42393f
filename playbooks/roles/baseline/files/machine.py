"""Topics of the machine: its clock, its name, its kernel, its journal."""

import os
import re

from ground import OWN, ComplaintError, Topic, read, run, said


class Zone(Topic):
    """The time zone."""

    def files(self):
        """Return the link that programs follow, and the name that Debian keeps beside it."""
        place = "/usr/share/zoneinfo/" + self.wanted
        if not os.path.isfile(place):
            raise ComplaintError("there is no time zone %s in /usr/share/zoneinfo" % self.wanted)
        found = {"/etc/localtime": "-> " + place}
        return dict(found, **{"/etc/timezone": self.wanted + "\n"}) if Zone.named() else found

    @staticmethod
    def named():
        """Whether this host keeps the name of its zone."""
        return os.path.exists("/etc/timezone") or os.path.exists("/etc/debian_version")

    def apply(self):
        """Programs that know the zone from their start are told: cron, and the log."""
        for service in ("cron", "crond", "rsyslog"):
            run("systemctl", "try-restart", service, check=False)


class Clock(Topic):
    """The servers that the clock follows."""

    def files(self):
        """Return a file of chrony, or of systemd."""
        if self.service() == "chrony":
            lines = ["server %s iburst\n" % server for server in self.wanted]
            return {"/etc/chrony/conf.d/%s.conf" % OWN: "".join(lines)}
        text = "[Time]\nNTP=%s\n" % " ".join(self.wanted)
        return {"/etc/systemd/timesyncd.conf.d/%s.conf" % OWN: text}

    @staticmethod
    def service():
        """Return who keeps the time here."""
        if os.path.isdir("/etc/chrony/conf.d"):
            return "chrony"
        if run("systemctl", "cat", "systemd-timesyncd", check=False):
            return "systemd-timesyncd"
        raise ComplaintError("neither chrony nor systemd-timesyncd is installed to keep the time")

    def before(self):
        """Return whether it was enabled."""
        return {"enabled": run("systemctl", "is-enabled", self.service(), check=False)}

    def apply(self):
        """Let it follow them, also after a reboot."""
        run("systemctl", "-q", "enable", self.service())
        run("systemctl", "restart", self.service())

    def restore(self, before):
        """Let it be as it was."""
        run("systemctl", "try-restart", self.service(), check=False)
        if before["enabled"] != "enabled":
            run("systemctl", "-q", "disable", "--now", self.service(), check=False)

    def wrong(self):
        """Yield that it is not enabled."""
        if run("systemctl", "is-enabled", self.service(), check=False) != "enabled":
            yield "%s is not enabled" % self.service()


class Name(Topic):
    """The host's name."""

    def files(self):
        """Return the name, and where nothing else knows it, its address."""
        hosts = read("/etc/hosts") or ""
        found = {"/etc/hostname": self.wanted + "\n"}
        if not re.search(r"(?m)^[^#\n]*\s%s(\s|$)" % re.escape(self.wanted), hosts):
            found["/etc/hosts"] = hosts.rstrip("\n") + "\n127.0.1.1 %s\n" % self.wanted
        return found

    def apply(self):
        """Take the name that stands in the file."""
        run("hostname", (read("/etc/hostname") or self.wanted).strip())

    def wrong(self):
        """Yield what the kernel has instead."""
        if os.uname().nodename != self.wanted:
            yield "the host's name is %s" % os.uname().nodename


class Kernel(Topic):
    """Parameters of the kernel."""

    def files(self):
        """Return one file that is read at each start."""
        lines = ["%s = %s\n" % (name, said(value)) for name, value in sorted(self.wanted.items())]
        return {"/etc/sysctl.d/60-%s.conf" % OWN: "".join(lines)}

    def before(self):
        """Return what they were."""
        return {name: run("sysctl", "-n", name) for name in self.wanted}

    def apply(self):
        """Set them now too."""
        run("sysctl", "-q", "-p", "/etc/sysctl.d/60-%s.conf" % OWN)

    def restore(self, before):
        """Set them back."""
        for name, value in before.items():
            run("sysctl", "-q", "-w", "%s=%s" % (name, value))

    def wrong(self):
        """Yield each that the kernel has otherwise."""
        for name, value in sorted(self.wanted.items()):
            now = run("sysctl", "-n", name)
            if now.split() != said(value).split():
                yield "%s is %s" % (name, now)


class Journal(Topic):
    """What is kept of systemd's journal."""

    def files(self):
        """Say where, and how much."""
        text = "[Journal]\nStorage=persistent\nSystemMaxUse=%s\n" % self.wanted
        return {"/etc/systemd/journald.conf.d/%s.conf" % OWN: text}

    def apply(self):
        """Begin to keep it, with what is in memory."""
        run("systemctl", "restart", "systemd-journald")
        run("journalctl", "--flush", check=False)

    def wrong(self):
        """Yield that it does not stand on the disk."""
        if not os.path.isdir("/var/log/journal/" + (read("/etc/machine-id") or "-").strip()):
            yield "the journal is not kept in /var/log/journal"
