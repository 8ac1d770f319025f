"""Roles whose nodes may be upgraded some by some, because the control plane does not stand on them; no I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

# What makes a role one of those, by its services.
WORKERS = frozenset({"nova_compute", "ceph_osd"})
# And what doesn't let it be one: the cluster manager, databases, messaging, and what answers on the API's addresses.
CONTROL = re.compile(
    r"pacemaker.*|mysql|mongodb|redis|ovn_dbs|etcd|rabbitmq|oslo_messaging|zaqar|keystone|haproxy|keepalived|memcached"
    r"|horizon|.*_(api|wsgi|proxy)(_.*)?|ceph_(mon|mgr|mds|rgw)|(nova|octavia|heat|manila|cinder)_.*(conductor|engine)"
    r"|nova_(placement|metadata|vnc_proxy|scheduler)|placement"
)


def rolling_roles(services: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the roles, of services by role, that have a worker's service and none of the control plane's."""
    return tuple(
        role
        for role, names in services.items()
        if WORKERS.intersection(names) and not any(CONTROL.fullmatch(name) for name in names)
    )
