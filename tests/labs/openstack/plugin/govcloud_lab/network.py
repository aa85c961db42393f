"""Ports and floating addresses are ACTIVE at once, on every host: no agent is needed."""

from neutron.services.l3_router.l3_router_plugin import L3RouterPlugin
from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api


class LabMechanismDriver(api.MechanismDriver):
    """Bind each port to the first segment that it may have."""

    def initialize(self):
        """Nothing to prepare."""

    def bind_port(self, context):
        """Take the first segment, as a bridge that is up."""
        for segment in context.segments_to_bind:
            context.set_binding(
                segment[api.ID],
                portbindings.VIF_TYPE_BRIDGE,
                {portbindings.CAP_PORT_FILTER: True},
                status=constants.PORT_STATUS_ACTIVE,
            )
            return


class LabRouterPlugin(L3RouterPlugin):
    """Routers and floating addresses; with no agent to report, a status follows what is stored."""

    def create_floatingip(self, context, floatingip):
        """Make a floating address, which is ACTIVE once it leads to a port."""
        return self._reported(context, super().create_floatingip(context, floatingip))

    def update_floatingip(self, context, id, floatingip):  # noqa: A002 (Neutron's name)
        """Change a floating address, which is ACTIVE as long as it leads to a port."""
        return self._reported(context, super().update_floatingip(context, id, floatingip))

    def _reported(self, context, address):
        leads = address["port_id"] is not None
        status = constants.FLOATINGIP_STATUS_ACTIVE if leads else constants.FLOATINGIP_STATUS_DOWN
        self.update_floatingip_status(context, address["id"], status)
        return {**address, "status": status}
