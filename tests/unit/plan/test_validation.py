"""What would fail in Heat or undo the phase is found before Heat is called: all at once, with file and line."""

from __future__ import annotations

import json

import pytest
import yaml
from small_plan import CONVERGE, PREPARE, write, write_plan

from tripleo_ffwd.exceptions import InvalidTemplates, NotFound
from tripleo_ffwd.plan.near_names import find_misspelled
from tripleo_ffwd.plan.store import PlanStore

ENVIRONMENT = """\
parameter_defaults:
  KeystoneWorkers: 4
  KeystoneWorker: hush-hush
  NobodyKnowsThis: 1
parameters:
  ControllerCount: 3
  KeystoneWorkers: 4
resource_registry:
  OS::TripleO::Services::Keystone: ../services/gone.yaml
"""


def problems(tmp_path, phase, *environments, files=None):
    """Return what is told of a plan: ``place: what`` each."""
    with pytest.raises(InvalidTemplates) as caught:
        make(tmp_path, phase, *environments, files=files)
    return [f"{problem['where']}: {problem['what']}" for problem in caught.value.details["problems"]]


def make(tmp_path, phase, *environments, files=None):
    source = write_plan(tmp_path / "templates", files)
    return PlanStore(tmp_path / "work").create_version("p", templates=source, environments=environments, phase=phase)


def warnings(version):
    report = version.files_dir / "ffwd/report.json"
    return [f"{found['where']}: {found['what']}" for found in json.loads(report.read_text())["warnings"]]


def test_everything_that_is_wrong_is_told_in_one_report(tmp_path):
    broken = {
        "my/environment.yaml": ENVIRONMENT,
        "roles_data.yaml": "- name: Controller\n  ServicesDefault:\n  - OS::TripleO::Services::Keystone\n"
        "  - OS::TripleO::Services::NovaApi\n- name: Compute\n- name: Lonely\n",
        "j2_excludes.yaml": "name: [puppet/compute-role.yaml]\n",
        "scripts/node.sh": None,
        "extraconfig/pre.yaml": "heat_template_version: queens\nresources:\n  A:\n    type: OS::TripleO::Unheard::Of\n"
        "  B:\n    type: nested/gone.yaml\n",
    }
    source = write_plan(tmp_path / "templates", broken)
    root = source / "overcloud.j2.yaml"
    root.write_text(root.read_text().replace("in roles %}", "in roles if role.name != 'Lonely' %}"))
    store = PlanStore(tmp_path / "work")
    with pytest.raises(InvalidTemplates) as caught:
        store.create_version("p", templates=source, environments=["my/environment.yaml"], phase="prepare")
    told = sorted(f"{problem['where']}: {problem['what']}" for problem in caught.value.details["problems"])
    rendered = "(rendered from overcloud-resource-registry-puppet.j2.yaml)"
    assert told == [
        "extraconfig/pre.yaml, line 4: Nothing says what the resource type OS::TripleO::Unheard::Of stands for",
        "extraconfig/pre.yaml, line 6: There is no file extraconfig/nested/gone.yaml",
        "my/environment.yaml, line 3: No template has a parameter KeystoneWorker; did you mean KeystoneWorkers?",
        "my/environment.yaml, line 7: overcloud.yaml has no parameter KeystoneWorkers",
        "my/environment.yaml, line 9: There is no file services/gone.yaml",
        f"overcloud-resource-registry-puppet.yaml, line 13 {rendered}: There is no file puppet/compute-role.yaml",
        "puppet/controller-role.yaml, line 14: There is no file scripts/node.sh",
        "puppet/lonely-role.yaml, line 14: There is no file scripts/node.sh",
        "roles_data.yaml, line 4: Nothing says what the resource type OS::TripleO::Services::NovaApi stands for",
        "roles_data.yaml, line 6: Role Lonely is not in overcloud.yaml",
    ]
    assert all(problem in str(caught.value) for problem in told)
    assert "hush" not in str(caught.value.to_dict())
    with pytest.raises(NotFound):
        store.current("p")


def test_a_role_that_the_registry_passes_over_has_no_templates(tmp_path):
    registry = write_plan(tmp_path / "other") / "overcloud-resource-registry-puppet.j2.yaml"
    text = registry.read_text().replace("in roles %}", "in roles if role.name != 'Compute' %}")
    told = problems(tmp_path, "prepare", files={"overcloud-resource-registry-puppet.j2.yaml": text})
    assert any(
        line.startswith(
            "roles_data.yaml, line 4: Role Compute has no templates: nothing says what OS::TripleO::Compute"
        )
        for line in told
    )


def test_a_parameter_that_no_template_has_is_kept_as_a_warning_with_its_place(tmp_path):
    files = {
        "my/own.yaml": "parameter_defaults:\n  BlockStorageCount: 0\n",
        # What comes with the templates nobody who uses them can mend.
        "environments/debug.yaml": "parameter_defaults:\n  KeystoneWorker: 1\n",
    }
    version = make(tmp_path, "prepare", "environments/debug.yaml", "my/own.yaml", files=files)
    assert warnings(version) == [
        "environments/debug.yaml, line 2: No template has a parameter KeystoneWorker; did you mean KeystoneWorkers?",
        "my/own.yaml, line 2: No template has a parameter BlockStorageCount: Heat passes over it",
    ]


def test_types_that_are_found_by_patterns_or_for_one_resource_or_not_needed_are_no_problem(tmp_path):
    template = """\
heat_template_version: queens
conditions: {never: false}
resources:
  ByPattern: {type: 'OS::TripleO::Tasks::Anything'}
  JustThis: {type: 'OS::TripleO::JustThis'}
  Perhaps: {type: 'OS::TripleO::Perhaps', condition: never}
  Plugin: {type: 'OS::TripleO::Heat::SoftwareDeployment'}
  Elsewhere: {type: 'Acme::Cloud::Thing'}
"""
    registry = """\
resource_registry:
  OS::TripleO::Tasks::*: OS::Heat::None
  resources:
    JustThis:
      OS::TripleO::JustThis: OS::Heat::None
"""
    version = make(tmp_path, "prepare", "my.yaml", files={"extraconfig/pre.yaml": template, "my.yaml": registry})
    assert [line.partition(":")[0] for line in warnings(version)] == ["extraconfig/pre.yaml, line 6"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "resource_registry:\n  OS::TripleO::DeploymentSteps: OS::Heat::StructuredDeploymentGroup\n",
            "line 2: It undoes prepare: OS::TripleO::DeploymentSteps must be OS::Heat::None, and is",
        ),
        (
            "resource_registry:\n  OS::Heat::StructuredDeployment: OS::TripleO::Heat::StructuredDeployment\n",
            "line 2: It undoes prepare: OS::Heat::StructuredDeployment must be config-download-structured.yaml",
        ),
        ("parameter_defaults:\n  StackUpdateType: ''\n", "line 2: It undoes prepare: StackUpdateType"),
        ("parameter_defaults:\n\n  EnableOnlineDataMigrations: true\n", "line 3: It undoes prepare: EnableOnline"),
    ],
)
def test_an_environment_that_undoes_prepare_is_refused(tmp_path, text, told):
    found = problems(tmp_path, "prepare", "mine.yaml", files={"mine.yaml": text})
    assert [line.startswith(f"mine.yaml, {told}") for line in found] == [True]


def test_converge_with_prepare_s_environment_still_in_it_is_refused(tmp_path):
    # A copy, as operators keep them beside their own environments.
    text = (write_plan(tmp_path / "other") / PREPARE).read_text().replace("../../", "templates/")
    copy = write(tmp_path, {"copy.yaml": text}) / "copy.yaml"
    assert problems(tmp_path, "converge", str(copy)) == [
        f"{copy}, line 3: It undoes converge: OS::TripleO::WorkflowSteps still stands for nothing, as prepare had it, "
        "and must be OS::Mistral::ExternalResource",
        f"{copy}, line 6: It undoes converge: StackUpdateType is not what the phase sets it to",
        f"{copy}, line 7: It undoes converge: EnableOnlineDataMigrations is not what the phase sets it to",
    ]
    left = "resource_registry: {'OS::TripleO::DeploymentSteps': 'OS::Heat::None'}\n"
    assert (
        "DeploymentSteps still stands for nothing"
        in problems(tmp_path, "converge", "left.yaml", files={"left.yaml": left})[0]
    )


def test_config_download_keeps_its_steps_to_itself_in_converge(tmp_path):
    text = (
        "resource_registry:\n  OS::TripleO::DeploymentSteps: OS::Heat::None\n"
        "  OS::Heat::StructuredDeployment: ../config-download-structured.yaml\n"
    )
    version = make(tmp_path, "converge", "environments/cd.yaml", files={"environments/cd.yaml": text})
    assert version.lifecycle == CONVERGE


@pytest.mark.parametrize("name", ["UpgradeInitCommand", "UpgradeInitCommonCommand"])
def test_a_command_of_the_upgrade_is_welcome_in_prepare_and_refused_in_converge(tmp_path, name):
    files = {"mine.yaml": f"parameter_defaults:\n  {name}: |\n    yum -y update secret-repository\n"}
    assert make(tmp_path, "prepare", "mine.yaml", files=files).number == 1
    (told,) = problems(tmp_path, "converge", "mine.yaml", files=files)
    assert told.startswith(f"mine.yaml, line 2: It undoes converge: {name} is left behind")
    assert "secret-repository" not in told


def test_a_command_of_the_upgrade_that_the_plan_forgets_is_emptied_in_the_stack(tmp_path):
    files = {"mine.yaml": "parameter_defaults:\n  UpgradeInitCommand: yum -y update\n  ControllerCount: 3\n"}
    make(tmp_path, "prepare", "mine.yaml", files=files)
    version = make(tmp_path, "converge")
    last = yaml.safe_load(version.environment_paths[-1].read_text())
    assert last["parameter_defaults"]["UpgradeInitCommand"] == ""
    assert warnings(version)[-1:] == [
        "mine.yaml of the version before: The stack keeps the parameter ControllerCount, which no environment sets "
        "any more"
    ]


def test_deployments_by_heat_in_converge_are_worth_a_warning(tmp_path):
    assert warnings(make(tmp_path, "converge")) == [
        f"{CONVERGE}, line 2: Heat deploys through its agents on the nodes, and Ansible does it again"
    ]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("NeutronBridgeMapping", "NeutronBridgeMappings"),
        ("NeutronBirdgeMappings", "NeutronBridgeMappings"),
        ("Neutron_Bridge_mappings", "NeutronBridgeMappings"),
        ("NtpServers", "NtpServer"),
        ("Compute2Count", ""),
        ("ObjectStorageCount", ""),
        ("DockerKeystoneImage", ""),
        ("Debugs", ""),
    ],
)
def test_a_name_is_taken_for_a_slip_only_when_it_is_near(name, meant):
    known = ["NeutronBridgeMappings", "NtpServer", "Compute1Count", "CephStorageCount", "KeystoneImage", "Debug"]
    assert find_misspelled(name, known) == meant
