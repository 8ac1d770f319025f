"""What nodes are made of: releases, packages, units, and a node's state as it is at newton; imports nothing.

The tools import it at every call, the embedded undercloud when it makes nodes.
"""

from __future__ import annotations

RELEASES = ("newton", "ocata", "pike", "queens")

# Package -> first release whose repository has it.
PACKAGES = {
    "openstack-nova-api": "newton",
    "openstack-nova-conductor": "newton",
    "openstack-nova-scheduler": "newton",
    "openstack-nova-placement-api": "ocata",
    "openstack-nova-compute": "newton",
    "openstack-cinder-api": "newton",
    "openstack-cinder-scheduler": "newton",
    "openstack-keystone": "newton",
    "openstack-neutron": "newton",
    "httpd": "newton",
    "mariadb-server": "newton",
    "haproxy": "newton",
    "pacemaker": "newton",
    "pcs": "newton",
    "python-hiera": "newton",
    "openvswitch": "newton",
    "libvirt": "newton",
    "python-paunch": "ocata",
    "docker": "ocata",
}

# Unit -> package that brings it.
UNITS = {
    "openstack-nova-api": "openstack-nova-api",
    "openstack-nova-conductor": "openstack-nova-conductor",
    "openstack-nova-scheduler": "openstack-nova-scheduler",
    "openstack-nova-placement-api": "openstack-nova-placement-api",
    "openstack-nova-compute": "openstack-nova-compute",
    "openstack-cinder-api": "openstack-cinder-api",
    "openstack-cinder-scheduler": "openstack-cinder-scheduler",
    "openstack-keystone": "openstack-keystone",
    "neutron-server": "openstack-neutron",
    "neutron-openvswitch-agent": "openstack-neutron",
    "httpd": "httpd",
    "mariadb": "mariadb-server",
    "haproxy": "haproxy",
    "pacemaker": "pacemaker",
    "pcsd": "pcs",
    "openvswitch": "openvswitch",
    "libvirtd": "libvirt",
    "docker": "docker",
}

# Service -> its database schemas, the package whose release a sync migrates to, and the units that use them.
SERVICES = {
    "nova": (
        ("nova_api", "nova"),
        "openstack-nova-api",
        (
            "openstack-nova-api",
            "openstack-nova-conductor",
            "openstack-nova-scheduler",
            "openstack-nova-placement-api",
        ),
    ),
    "cinder": (("cinder",), "openstack-cinder-api", ("openstack-cinder-api", "openstack-cinder-scheduler")),
    "keystone": (("keystone",), "openstack-keystone", ("openstack-keystone",)),
}

# Container -> unit whose work it does; the two can't run on one node at once.
CONTAINER_UNITS = {
    "nova_api": "openstack-nova-api",
    "nova_conductor": "openstack-nova-conductor",
    "nova_scheduler": "openstack-nova-scheduler",
    "nova_placement": "openstack-nova-placement-api",
    "nova_compute": "openstack-nova-compute",
    "cinder_api": "openstack-cinder-api",
    "cinder_scheduler": "openstack-cinder-scheduler",
    "keystone": "openstack-keystone",
}

ROLE_PACKAGES = {
    "Controller": (
        "openstack-nova-api",
        "openstack-nova-conductor",
        "openstack-nova-scheduler",
        "openstack-cinder-api",
        "openstack-cinder-scheduler",
        "openstack-keystone",
        "openstack-neutron",
        "httpd",
        "mariadb-server",
        "haproxy",
        "pacemaker",
        "pcs",
        "python-hiera",
        "openvswitch",
    ),
    "Compute": ("openstack-nova-compute", "openstack-neutron", "openvswitch", "libvirt", "python-hiera"),
}

ROLE_UNITS = {
    "Controller": (
        "openstack-nova-api",
        "openstack-nova-conductor",
        "openstack-nova-scheduler",
        "openstack-cinder-api",
        "openstack-cinder-scheduler",
        "openstack-keystone",
        "neutron-server",
        "httpd",
        "mariadb",
        "pacemaker",
        "pcsd",
        "openvswitch",
    ),
    "Compute": ("openstack-nova-compute", "neutron-openvswitch-agent", "openvswitch", "libvirtd"),
}

SCHEMAS = ("nova_api", "nova", "cinder", "keystone")
RESOURCES = ("haproxy", "galera")

TOOLS = (
    "cinder-manage",
    "crm_mon",
    "crudini",
    "df",
    "docker",
    "ffwd-repo",
    "hiera",
    "hostname",
    "keystone-manage",
    "nova-manage",
    "paunch",
    "pcs",
    "rpm",
    "systemctl",
    "uname",
    "yum",
)


def rank(release: str) -> int:
    """Return the place of a release among all, from 0."""
    return RELEASES.index(release)


def service_of(unit: str) -> str:
    """Return the service whose database the unit uses, or an empty string."""
    return next((name for name, (_, _, units) in SERVICES.items() if unit in units), "")


def newton_node(role: str) -> dict[str, object]:
    """Return the content of ``state/node.json`` of a node of the role as it is before the upgrade."""
    return {
        "role": role,
        "repo": RELEASES[0],
        "packages": dict.fromkeys(ROLE_PACKAGES[role], RELEASES[0]),
        "units": {unit: "active" for unit in ROLE_UNITS[role] if unit != "pacemaker"},
        "enabled": list(ROLE_UNITS[role]),
        "containers": {},
    }


def newton_database() -> dict[str, object]:
    """Return the content of ``database.json`` before the upgrade."""
    return {"schemas": dict.fromkeys(SCHEMAS, RELEASES[0]), "history": []}


def newton_cluster(members: list[str]) -> dict[str, object]:
    """Return the content of ``cluster.json`` before the upgrade: every controller online, every resource enabled."""
    return {"members": dict.fromkeys(members, "online"), "resources": dict.fromkeys(RESOURCES, "enabled")}
