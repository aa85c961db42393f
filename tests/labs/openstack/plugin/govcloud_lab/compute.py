"""The program nova-compute; Debian's package of that name would bring a whole libvirt."""

import sys

# First: it patches the standard library for Nova's green threads.
from nova.cmd import compute
from nova.virt import fake

from govcloud_lab.hypervisor import RememberingDriver

# Nova loads a driver from its own package only.
fake.RememberingDriver = RememberingDriver

if __name__ == "__main__":
    sys.argv[0] = "nova-compute"
    compute.main()
