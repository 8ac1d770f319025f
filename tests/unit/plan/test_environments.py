"""The order in which Heat gets a plan's environments, and what becomes of those that an operator names."""

from __future__ import annotations

import pytest
import yaml
from small_plan import CONVERGE, PREPARE, REGISTRY, write, write_plan

from tripleo_ffwd import heat
from tripleo_ffwd.exceptions import InvalidTemplates
from tripleo_ffwd.plan.store import PlanStore

LAST = "ffwd/plan-parameters.yaml"


@pytest.fixture
def templates(tmp_path):
    return write_plan(tmp_path / "templates")


@pytest.fixture
def make(tmp_path, templates):
    """Make a version of the plan `p` from its templates."""
    store = PlanStore(tmp_path / "work")

    def make(phase, *environments):
        return store.create_version("p", templates=templates, environments=environments, phase=phase)

    return make


def effective(version):
    return heat.build_bundle(version.template_path, version.environment_paths).environment


def test_the_phase_s_lifecycle_environment_stands_before_the_operator_s(make):
    version = make("prepare", "environments/debug.yaml")
    assert version.lifecycle == PREPARE
    assert version.environments == (REGISTRY, PREPARE, "environments/debug.yaml", LAST)


def test_prepare_s_own_named_by_the_operator_does_not_undo_converge(make):
    version = make("converge", "environments/debug.yaml", PREPARE)
    assert version.environments == (REGISTRY, CONVERGE, "environments/debug.yaml", LAST)
    assert effective(version)["parameter_defaults"]["StackUpdateType"] == ""


def test_the_operator_s_order_decides(make, tmp_path):
    write(tmp_path, {f"{name}.yaml": f"parameter_defaults: {{KeystoneWorkers: {name}}}\n" for name in "345"})
    names = [str(tmp_path / f"{name}.yaml") for name in "354"]
    assert effective(make("prepare", *names))["parameter_defaults"]["KeystoneWorkers"] == 4
    assert effective(make("prepare", *reversed(names)))["parameter_defaults"]["KeystoneWorkers"] == 3


def test_templates_without_lifecycle_environments_get_ours(tmp_path):
    without = {PREPARE: None, CONVERGE: None, "config-download-software.yaml": None}
    templates = write_plan(tmp_path / "templates", without)
    store = PlanStore(tmp_path / "work")
    prepare = store.create_version("p", templates=templates, environments=["environments/debug.yaml"], phase="prepare")
    assert prepare.environments == (REGISTRY, "ffwd/lifecycle-prepare.yaml", "environments/debug.yaml", LAST)
    during = effective(prepare)
    assert during["parameter_defaults"]["StackUpdateType"] == "FASTFORWARDUPGRADE"
    assert during["parameter_defaults"]["EnableOnlineDataMigrations"] is False
    types = during["resource_registry"]
    for kind in ("DeploymentSteps", "WorkflowSteps", "Tasks::ControllerPreConfig", "Tasks::ComputePreConfig"):
        assert types[f"OS::TripleO::{kind}"] == "OS::Heat::None"
    assert types["OS::TripleO::SoftwareDeployment"] == "config-download-structured.yaml"
    after = effective(store.create_version("p", phase="converge"))
    assert after["parameter_defaults"]["StackUpdateType"] == ""
    assert after["parameter_defaults"]["EnableOnlineDataMigrations"] is True
    assert after["parameter_defaults"]["UpgradeInitCommand"] == ""
    assert after["resource_registry"]["OS::TripleO::Tasks::ControllerPreConfig"] == "extraconfig/pre.yaml"
    assert after["resource_registry"]["OS::TripleO::WorkflowSteps"] == "OS::Mistral::ExternalResource"
    # Ansible deploys from here on: Heat must not do it, too.
    assert after["resource_registry"]["OS::TripleO::SoftwareDeployment"] == "config-download-structured.yaml"
    assert after["resource_registry"]["OS::TripleO::DeploymentSteps"] == "OS::Heat::None"
    assert set(types) <= set(after["resource_registry"]), "a stack update keeps what no environment names"


def test_templates_that_can_not_write_deployments_down_get_ours_for_it(tmp_path):
    names = ("config-download-software.yaml", "config-download-structured.yaml", PREPARE, CONVERGE)
    templates = write_plan(tmp_path / "templates", dict.fromkeys(names))
    version = PlanStore(tmp_path / "work").create_version("p", templates=templates, phase="prepare")
    target = effective(version)["resource_registry"]["OS::TripleO::SoftwareDeployment"]
    written = yaml.safe_load((version.files_dir / target).read_text())
    assert written["heat_template_version"] == "queens"
    assert written["resources"]["TripleOSoftwareDeployment"]["type"] == "OS::Heat::StructuredDeployment"
    assert written["resources"]["TripleOSoftwareDeployment"]["properties"]["signal_transport"] == "NO_SIGNAL"


def test_templates_from_before_fast_forward_upgrades_get_the_update_type_that_they_know(tmp_path):
    templates = write_plan(tmp_path / "templates", {PREPARE: None, CONVERGE: None})
    root = templates / "overcloud.j2.yaml"
    root.write_text(root.read_text().replace(", FASTFORWARDUPGRADE", ""))
    version = PlanStore(tmp_path / "work").create_version("p", templates=templates, phase="prepare")
    assert effective(version)["parameter_defaults"]["StackUpdateType"] == "UPGRADE"


def test_all_that_is_missing_around_the_operator_s_environments_is_told_at_once(make, tmp_path):
    write(
        tmp_path,
        {
            "one.yaml": "resource_registry:\n  OS::TripleO::NodeUserData: gone.yaml\n  OS::Own::Nic: nic.yaml\n",
            "nic.yaml": "heat_template_version: queens\nresources:\n  R:\n    type: OS::Heat::SoftwareConfig\n"
            "    properties:\n      config: {get_file: gone.sh}\n",
            "two.yaml": "parameter_default: {}\n",
            "three.yaml": "a: [\n",
        },
    )
    names = [str(tmp_path / f"{name}.yaml") for name in ("one", "absent", "two", "three")]
    with pytest.raises(InvalidTemplates) as caught:
        make("prepare", *names, "no/such.yaml")
    told = [f"{problem['where']}: {problem['what']}" for problem in caught.value.details["problems"]]
    assert all(problem in str(caught.value) for problem in told)
    told[4] = told[4].partition(" YAML: line 2")[0]
    assert told == [
        f"{tmp_path}/one.yaml, line 2: {tmp_path}/gone.yaml can't be read: No such file or directory",
        f"{tmp_path}/nic.yaml, line 6: {tmp_path}/gone.sh can't be read: No such file or directory",
        f"environment 2: {tmp_path}/absent.yaml can't be read: No such file or directory",
        f"{tmp_path}/two.yaml, line 1: 'parameter_default' is no section of an environment",
        f"{tmp_path}/three.yaml: The file is not",
        "environment 5: Environment no/such.yaml is not in the templates",
    ]


PLACE = "/usr/share/openstack-tripleo-heat-templates"


def test_the_place_where_tripleo_puts_the_templates_is_the_plan_s_top(make, templates, tmp_path):
    """As in the templates' own nsx-config.yaml, and in network templates that operators keep at home."""
    nic = "heat_template_version: queens\nresources:\n  R:\n    type: OS::Heat::SoftwareConfig\n    properties:\n"
    nic += f"      config: {{get_file: {PLACE}/scripts/node.sh}} # {PLACE}/scripts\n"
    shipped = f"resource_registry:\n  OS::TripleO::NodeUserData: {PLACE}/extraconfig/pre.yaml # kept\n"
    write(templates, {"environments/nsx.yaml": shipped, "network/nic.yaml": nic})
    home = f"resource_registry: {{OS::Own::Nic: nic.yaml, OS::Own::Shipped: 'file://{PLACE}/network/nic.yaml'}}\n"
    write(tmp_path / "home", {"net.yaml": home, "nic.yaml": nic})
    version = make("prepare", "environments/nsx.yaml", f"{PLACE}/environments/debug.yaml", tmp_path / "home/net.yaml")
    assert version.user_environments[:2] == ("environments/nsx.yaml", "environments/debug.yaml")
    found = heat.build_bundle(version.template_path, version.environment_paths)
    types = found.environment["resource_registry"]
    assert types["OS::TripleO::NodeUserData"] == "extraconfig/pre.yaml"
    assert types["OS::Own::Shipped"] == "network/nic.yaml"
    assert f"user-files{tmp_path}/home/nic.yaml" == types["OS::Own::Nic"]
    assert found.files["scripts/node.sh"] == "#!/bin/sh\n"
    assert (version.files_dir / "environments/nsx.yaml").read_text().endswith('"../extraconfig/pre.yaml" # kept\n')


def test_what_the_templates_do_not_have_in_that_place_is_told_by_its_whole_name(make, templates):
    missing = f"{PLACE}/gone.yaml"
    write(templates, {"environments/nsx.yaml": f"resource_registry:\n  OS::Own::A: {missing}\n"})
    with pytest.raises(InvalidTemplates, match=f"environments/nsx.yaml, line 2: {missing} is not in the plan"):
        make("prepare", "environments/nsx.yaml")
    with pytest.raises(InvalidTemplates, match=f"{missing} can't be read: No such file"):
        make("prepare", missing)


def test_templates_named_by_their_own_absolute_path_are_the_plan_s(make, templates):
    own = f"resource_registry:\n  OS::Own::A: {templates}/extraconfig/pre.yaml\n"
    write(templates, {"environments/own.yaml": own})
    assert effective(make("prepare", "environments/own.yaml"))["resource_registry"]["OS::Own::A"] == (
        "extraconfig/pre.yaml"
    )
