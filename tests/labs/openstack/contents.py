"""What the lab offers: zones, flavors, images, volume types and the public network."""

from openstack.connection import Connection
from settings import HOSTS, VOLUME_TYPES

# Name: vCPU, memory in MiB, disk in GiB.
_FLAVORS = {
    "c1m1": (1, 1024, 10),
    "c1m2": (1, 2048, 20),
    "c2m4": (2, 4096, 40),
    "c4m8": (4, 8192, 40),
    "c8m16": (8, 16384, 80),
    "c16m64": (16, 65536, 80),
}
_IMAGES = {"debian-12": ("debian", "12"), "debian-11": ("debian", "11")}
_IMAGE_BYTES = 64 * 1024
# Ranges that RFC 2544 and RFC 3849 set apart: nobody's addresses.
_PUBLIC = {4: "198.18.0.0/16", 6: "2001:db8:18::/64"}


def offer(cloud: Connection) -> None:
    """Make whatever is not there yet."""
    _zones(cloud)
    _flavors(cloud)
    _images(cloud)
    _volume_types(cloud)
    _public_network(cloud)


def _zones(cloud: Connection) -> None:
    existing = {aggregate.name: aggregate for aggregate in cloud.compute.aggregates()}
    for host, zone in HOSTS.items():
        aggregate = existing.get(zone) or cloud.compute.create_aggregate(
            name=zone, availability_zone=zone
        )
        if host not in (aggregate.hosts or ()):
            cloud.compute.add_host_to_aggregate(aggregate, host)


def _flavors(cloud: Connection) -> None:
    existing = {flavor.name for flavor in cloud.compute.flavors()}
    for name, (vcpus, ram, disk) in _FLAVORS.items():
        if name not in existing:
            cloud.compute.create_flavor(name=name, vcpus=vcpus, ram=ram, disk=disk)


def _images(cloud: Connection) -> None:
    existing = {image.name for image in cloud.image.images()}
    for name, (system, version) in _IMAGES.items():
        if name not in existing:
            cloud.image.create_image(
                name=name,
                data=bytes(_IMAGE_BYTES),
                disk_format="raw",
                container_format="bare",
                visibility="public",
                min_disk=1,
                os_distro=system,
                os_version=version,
            )


def _volume_types(cloud: Connection) -> None:
    existing = {one.name for one in cloud.block_storage.types()}
    for name in VOLUME_TYPES:
        if name not in existing:
            cloud.block_storage.create_type(
                name=name, extra_specs={"volume_backend_name": name}, is_public=True
            )


def _public_network(cloud: Connection) -> None:
    network = cloud.network.find_network("public") or cloud.network.create_network(
        name="public",
        is_router_external=True,
        provider_network_type="flat",
        provider_physical_network="public",
    )
    existing = {subnet.ip_version for subnet in cloud.network.subnets(network_id=network.id)}
    for version, cidr in _PUBLIC.items():
        if version not in existing:
            cloud.network.create_subnet(
                network_id=network.id,
                name=f"public-v{version}",
                ip_version=version,
                cidr=cidr,
                is_dhcp_enabled=False,
            )
