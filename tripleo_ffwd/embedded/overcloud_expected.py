"""What the demo overcloud's nodes must look like at queens, and what must have been done to them; values only.

Written by hand from the service templates in ``plan/services``, not derived from them: it is what the templates'
tasks are checked against.
"""

from __future__ import annotations

from types import MappingProxyType

RELEASES = ("newton", "ocata", "pike", "queens")
SCHEMAS = ("cinder", "keystone", "nova", "nova_api")
RESOURCES = ("galera-bundle", "haproxy-bundle")

# Units that must be active at the end; no other may be.
ACTIVE_UNITS = MappingProxyType(
    {
        "Controller": frozenset({"docker", "mariadb", "openvswitch", "pcsd"}),
        "Compute": frozenset({"docker", "libvirtd", "openvswitch"}),
    }
)
CONTAINERS = MappingProxyType(
    {
        "Controller": frozenset(
            {
                "cinder_api",
                "cinder_scheduler",
                "keystone",
                "neutron_api",
                "nova_api",
                "nova_conductor",
                "nova_placement",
                "nova_scheduler",
            }
        ),
        "Compute": frozenset({"nova_compute", "neutron_ovs_agent"}),
    }
)
# Packages that must still be there: httpd goes only when a task runs that TripleO's own playbooks never run.
KEPT_PACKAGES = MappingProxyType(
    {
        "Controller": frozenset({"httpd", "openstack-cinder-api", "openstack-keystone", "openstack-nova-api"}),
        "Compute": frozenset({"libvirt", "openstack-nova-compute"}),
    }
)

_DATABASE = "[database]\nrelease = queens\n"
_NO_UPGRADE_LEVEL = "[upgrade_levels]\ncompute = \n"
# Files below a node's root directory and their whole content; NODE stands for the node's name, FIRST and VIP for the
# first controller's name and address.
FILES = MappingProxyType(
    {
        "Controller": {
            "etc/cinder/cinder.conf": f"[DEFAULT]\nhost = NODE\n{_DATABASE}",
            "etc/haproxy/haproxy.cfg": (
                "# Managed by TripleO, queens\nlisten keystone\n  bind FIRST:5000\n  server NODE check\n"
            ),
            "etc/keystone/keystone.conf": f"[DEFAULT]\npublic_endpoint = http://VIP:5000\n{_DATABASE}",
            "etc/nova/nova.conf": f"[DEFAULT]\nhost = NODE\n{_DATABASE}{_NO_UPGRADE_LEVEL}",
            "etc/sysconfig/iptables": "# queens, Controller\n-A INPUT -p tcp --dport 22 -j ACCEPT\n",
            "var/lib/ffwd/came-from": "newton\n",
            "var/lib/tripleo-config/role": "Controller\n",
        },
        "Compute": {
            "etc/nova/nova.conf": (f"[DEFAULT]\nhost = NODE\n[vnc]\nnovncproxy_host = FIRST\n{_NO_UPGRADE_LEVEL}"),
            "etc/sysconfig/iptables": "# queens, Compute\n-A INPUT -p tcp --dport 22 -j ACCEPT\n",
            "var/lib/ffwd/came-from": "newton\n",
            "var/lib/tripleo-config/role": "Compute\n",
        },
    }
)
# Left by newton or by the upgrade itself, and removed at its end.
LEFTOVERS = ("etc/haproxy/ffwd.conf", "var/lib/nova/upgrade_marker")
EXTERNAL_LOG = tuple(f"external deploy step {step}" for step in range(1, 6))

# What was done, command by command, on the bootstrap controller (b), the other controllers (c) and the computes (n).
# Commands that only ask are left out.
_SYNCS = (
    "b keystone-manage db_sync",
    "b cinder-manage db sync",
    "b nova-manage api_db sync",
    "b nova-manage db sync",
)


def _release(name: str) -> tuple[str, ...]:
    cells = ("b nova-manage cell_v2 map_cell0",) if name == "ocata" else ()
    return (
        f"b ffwd-repo enable {name}",
        "b yum -y update mariadb-server*",
        "b yum -y update openstack-keystone*",
        "b yum -y update openstack-cinder*",
        "b yum -y update openstack-nova*",
        "b systemctl restart mariadb",
        *_SYNCS[:3],
        *cells,
        _SYNCS[3],
    )


def _deploy(create: tuple[str, ...]) -> tuple[str, ...]:
    controller = ("cinder_api", "cinder_scheduler", "neutron_api", "nova_placement", "nova_api", "nova_conductor")
    return (
        "bcn yum -y install docker python-paunch",
        "bcn systemctl enable --now docker",
        *create,
        *(
            f"bc paunch apply --config-id {name} --release queens --managed-by tripleo-Controller"
            for name in ("keystone", *controller, "nova_scheduler")
        ),
        *(
            f"n paunch apply --config-id {name} --release queens --managed-by tripleo-Compute"
            for name in ("nova_compute", "neutron_ovs_agent")
        ),
        "b nova-manage cell_v2 discover_hosts",
    )


JOURNAL = MappingProxyType(
    {
        "run": (
            "bc crudini --set etc/haproxy/ffwd.conf maintenance state on",
            *(
                f"bc systemctl disable --now {unit}"
                for unit in (
                    "httpd",
                    "openstack-keystone",
                    "openstack-cinder-api",
                    "openstack-cinder-scheduler",
                    "neutron-server",
                    "openstack-nova-api",
                )
            ),
            "b pcs resource disable haproxy --wait=600",
            "bc systemctl disable --now openstack-nova-conductor",
            "bc systemctl disable --now openstack-nova-scheduler",
            *_release("ocata"),
            *_release("pike"),
            "b yum -y install openstack-nova-placement-api",
            "bcn ffwd-repo enable queens",
        ),
        "upgrade": (
            "b pcs resource disable galera --wait=600",
            "b pcs resource delete galera",
            "b pcs resource delete haproxy",
            "bc pcs cluster stop --force",
            "bc systemctl stop mariadb",
            "n systemctl disable --now openstack-nova-compute",
            "n systemctl disable --now neutron-openvswitch-agent",
            "n yum -y update openvswitch",
            "bcn yum -y update",
            "bc pcs cluster start",
            "bc systemctl start mariadb",
            *_SYNCS,
            *_deploy(
                (
                    "b pcs resource create galera-bundle bundle container docker image=centos-binary-mariadb:queens",
                    "b pcs resource create haproxy-bundle bundle container docker image=centos-binary-haproxy:queens",
                )
            ),
            "b cinder-manage db online_data_migrations",
            "b nova-manage db online_data_migrations",
        ),
        "converge": _deploy(()),
    }
)


def journal(kind: str, phases: tuple[str, ...]) -> tuple[str, ...]:
    """Return the commands that `phases` run on a node of a kind (``b``, ``c`` or ``n``), in order."""
    steps = (line.split(" ", 1) for phase in phases for line in JOURNAL[phase])
    return tuple(command for kinds, command in steps if kind in kinds)
