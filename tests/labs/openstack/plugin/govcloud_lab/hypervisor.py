"""Nova's fake hypervisor, which remembers its machines when its service is restarted.

A real hypervisor goes on when nova-compute stops. The fake one keeps its machines in the memory of
nova-compute, so that after a restart a machine could be neither stopped nor started.
"""

from typing import ClassVar

from nova.compute import power_state
from nova.virt import fake


class RememberingDriver(fake.FakeDriver):
    """What Nova's database says is there, is there."""

    capabilities: ClassVar = {**fake.FakeDriver.capabilities, "supports_migrate_to_same_host": True}

    def _recall(self, instance):
        if instance.uuid not in self.instances and instance.power_state in (
            power_state.RUNNING,
            power_state.SHUTDOWN,
        ):
            self.instances[instance.uuid] = fake.FakeInstance(
                instance.name, instance.power_state, instance.uuid
            )

    def get_info(self, instance, use_cache=True):
        """Tell the power state."""
        self._recall(instance)
        return super().get_info(instance, use_cache)

    def power_off(self, instance, timeout=0, retry_interval=0):
        """Switch off."""
        self._recall(instance)
        super().power_off(instance, timeout, retry_interval)

    def power_on(self, context, instance, network_info, block_device_info=None, accel_info=None):
        """Switch on."""
        self._recall(instance)
        super().power_on(context, instance, network_info, block_device_info, accel_info)

    def detach_interface(self, context, instance, vif):
        """Take a port away, also one that was plugged before a restart."""
        self._interfaces.pop(vif["id"], None)
