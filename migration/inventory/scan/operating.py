"""What belongs to an operating system and not to what it was set up for, by name."""

from typing import Final

UNITS: Final = frozenset(
    {
        *("accounts-daemon", "acpid", "anacron", "apparmor", "atd", "auditd", "avahi-daemon"),
        *("blk-availability", "chrony", "chronyd", "cloud-config", "cloud-final", "cloud-init"),
        *("cloud-init-local", "console-setup", "cron", "crond", "dbus", "dbus-broker", "dnsmasq"),
        *("e2scrub_reap", "emergency", "firewalld", "getty", "gssproxy", "haveged", "ifup"),
        *("irqbalance", "iscsid", "kdump", "keyboard-setup", "ksm", "ksmtuned", "libstoragemgmt"),
        *("lvm2-monitor", "mcelog", "mdmonitor", "ModemManager", "multipathd", "networking"),
        *("NetworkManager", "NetworkManager-dispatcher", "NetworkManager-wait-online", "nftables"),
        *("nis-domainname", "nscd", "ntp", "ntpd", "open-vm-tools", "packagekit", "polkit"),
        *("postfix", "qemu-guest-agent", "rngd", "rpcbind", "rsyslog", "rtkit-daemon", "smartd"),
        *("snapd", "ssh", "sshd", "sssd", "sysstat", "tuned", "udisks2", "ufw", "upower"),
        *("unattended-upgrades", "unbound-anchor", "vgauthd", "vmtoolsd", "wpa_supplicant"),
        # Databases and web servers, which roles of their own move.
        *("nginx", "apache2", "httpd", "postgresql", "mariadb", "mysql", "mysqld"),
    }
)
CRON: Final = frozenset(
    {
        *("0hourly", "anacron", "certbot", "e2scrub_all", "mdadm", "ntpsec", "php", "placeholder"),
        *("popularity-contest", "raid-check", "sysstat", ".placeholder"),
    }
)
"""Names in /etc/cron.d."""
_BEGINNINGS: Final = ("systemd-", "getty@", "serial-getty@", "user@", "postgresql@", "postgresql-")


def is_unit(name: str) -> bool:
    """Whether a unit is the system's own, or one of a database that a role moves."""
    return name.startswith(_BEGINNINGS)
