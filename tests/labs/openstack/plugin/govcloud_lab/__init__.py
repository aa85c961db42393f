"""What the lab adds to OpenStack's own services: a hypervisor, a network binding, volumes."""
