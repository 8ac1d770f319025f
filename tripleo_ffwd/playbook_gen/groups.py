"""The inventory's groups of services, by the names that TripleO's own inventory gives them; imports loading, no I/O."""

from __future__ import annotations

from tripleo_ffwd.playbook_gen.loading import Outputs

# What ceph-ansible calls the hosts of a service.
_CEPH = {
    "ceph_client": "clients",
    "ceph_mds": "mdss",
    "ceph_mgr": "mgrs",
    "ceph_mon": "mons",
    "ceph_nfs": "nfss",
    "ceph_osd": "osds",
    "ceph_rbdmirror": "rbdmirrors",
    "ceph_rgw": "rgws",
}


def of_services(outputs: Outputs) -> dict[str, list[str]]:
    """Return ``{group: [role, …]}``: a group for each enabled service, in small letters too, and ceph-ansible's."""
    found: dict[str, list[str]] = {}
    for role, services in outputs.enabled_services.items():
        if role not in outputs.roles:
            continue
        for service in services:
            for name in (service, service.lower(), _CEPH.get(service)):
                if name and role not in found.setdefault(name, []):
                    found[name].append(role)
    return found
