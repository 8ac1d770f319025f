"""What our rendering makes of a release's templates is what the templates' own script makes of them, file by file.

Without FFWD_TEST_REAL=all one release and one set of roles and networks is tried; the releases are fetched.
"""

from __future__ import annotations

import os

import jinja2
import pytest
import yaml
from jinja2.sandbox import SandboxedEnvironment
from overclouds import processed, sdist

from tripleo_ffwd.plan.quick_jinja import Sandbox
from tripleo_ffwd.plan.store import PlanStore

EVERYTHING = os.environ.get("FFWD_TEST_REAL") == "all"
REGISTRY = "overcloud-resource-registry-puppet.yaml"
VERSIONS = ("8.4.1", "9.4.1", "11.6.0")

# A composable network, one that is off, one without name_lower, and one with the name of an old one.
NETWORKS = [
    {"name": "StorageNFS", "vip": True, "vlan": 70, "ip_subnet": "172.16.4.0/24", "enabled": True},
    {
        "name": "Backup",
        "name_lower": "backup_net",
        "vip": False,
        "ip_subnet": "172.16.9.0/24",
        "allocation_pools": [{"start": "172.16.9.4", "end": "172.16.9.250"}],
        "ipv6": True,
        "ipv6_subnet": "fd00:fd00:fd00:9000::/64",
        "gateway_ipv6": "fd00:fd00:fd00:9000::1",
    },
    {"name": "Replaced", "name_lower": "replaced", "enabled": False, "ip_subnet": "172.16.8.0/24"},
    {"name": "Renamed", "name_lower": "own_api", "compat_name": "Api", "vip": True, "ip_subnet": "172.16.7.0/24"},
]
EXCLUDES = ["puppet/objectstorage-role.yaml", "network/ports/tenant.yaml", "overcloud.yaml"]


def custom(version: str) -> dict:
    """Roles, networks and excludes that no release has by default."""
    source = sdist.templates(version)
    networks = yaml.safe_load((source / "network_data.yaml").read_text())
    for network in networks:
        if network["name"] == "Management":
            network["enabled"] = False
    taken = ("ControllerOpenstack", "Database", "Messaging", "Networker", "ComputeHCI", "ObjectStorage")
    roles = processed.roles(source, taken, disable_constraints=True)
    roles += processed.roles(source, ("Controller", "Compute"))  # with their deprecated parameters
    roles.append({"name": "Own_Role2", "networks": ["Backup"], "deprecated_nic_config_name": "own-nics.yaml"})
    return {
        "roles_data.yaml": roles,
        "network_data.yaml": [*networks, *NETWORKS],
        "j2_excludes.yaml": {"name": EXCLUDES},
        # Of before Pike: {{role}} is its name. Newer scripts no longer give the variable.
        "old.role.j2.yaml": "{{role}}: " + ("" if version == "11.6.0" else "{{disable_constraints}}"),
        "network/networks-own.network.j2.yaml": "{% include 'network.j2' %}\n# {{network.name}}\n\n",
    }


CASES = [(version, how) for version in VERSIONS for how in ("default", "custom")]


@pytest.mark.parametrize(("version", "how"), CASES if EVERYTHING else [(VERSIONS[0], "custom")])
def test_every_file_is_what_the_templates_own_script_makes(tmp_path, version, how):
    try:
        changes = custom(version) if how == "custom" else {}
        theirs = processed.copy(version, tmp_path / "theirs", changes)
    except sdist.Unavailable as reason:
        pytest.skip(f"SKIPPED, and not proven: {reason}")
    ours = processed.copy(version, tmp_path / "ours", changes)
    processed.by_script(theirs)
    written = processed.by_us(ours)
    assert len(written) > 100
    assert processed.differences(theirs, ours) == {}


@pytest.mark.parametrize("version", VERSIONS if EVERYTHING else VERSIONS[:1])
def test_every_template_is_compiled_as_jinja_compiles_it(version):
    try:
        root = sdist.templates(version)
    except sdist.Unavailable as reason:
        pytest.skip(f"SKIPPED, and not proven: {reason}")
    ours, theirs = Sandbox(), SandboxedEnvironment(autoescape=False, optimized=False)
    sources = sorted(root.rglob("*.j2*"))
    assert len(sources) > 60
    for path in sources:
        text = path.read_text()
        assert compiled(ours, text) == compiled(theirs, text), path


def compiled(environment: jinja2.Environment, text: str) -> object:
    return environment.compile(text, "name", "file", raw=True)


@pytest.mark.parametrize("version", VERSIONS if EVERYTHING else VERSIONS[:1])
def test_a_plan_is_made_of_a_release_as_it_is(tmp_path, version):
    try:
        templates = sdist.templates(version)
    except sdist.Unavailable as reason:
        pytest.skip(f"SKIPPED, and not proven: {reason}")
    store = PlanStore(tmp_path)
    made = store.create_version("overcloud", templates=templates, environments=[REGISTRY], phase="deploy")
    assert (made.files_dir / "puppet" / "controller-role.yaml").is_file()
