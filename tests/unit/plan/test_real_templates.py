"""Environments of the real Queens templates: nothing to say of what is right, all of what is wrong, in little time."""

from __future__ import annotations

import json
import time

import pytest
from overclouds import real, sdist

from tripleo_ffwd.exceptions import InvalidTemplates
from tripleo_ffwd.plan import arrangement, effective, places
from tripleo_ffwd.plan.environments import Placed
from tripleo_ffwd.plan.store import PlanStore

WRONG = """\
resource_registry:
  OS::TripleO::Services::NovaApi: nova-api.yaml
  OS::TripleO::WorkflowSteps: OS::Heat::None
parameter_defaults:
  NeutronBridgeMapping: datacentre:br-ex
  UpgradeInitCommonCommand: yum -y update
  BlockStorageHostnameFormat: x
"""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    try:
        return real.lay_out(tmp_path_factory.mktemp("operator"), real.WHOLE)
    except sdist.Unavailable as error:
        pytest.skip(f"SKIPPED, not done: {error}")


@pytest.fixture(scope="module")
def versions(inputs, tmp_path_factory):
    """Prepare's and converge's version of one plan."""
    store = PlanStore(tmp_path_factory.mktemp("work"))
    given = {"templates": inputs.templates, "environments": inputs.environments}
    return [store.create_version("overcloud", phase=phase, **given) for phase in ("prepare", "converge")]


def merged(version):
    return effective.merge(places.Files(version.files_dir), version.environments)


def test_what_a_real_operator_has_passes_without_a_word(versions):
    for version in versions:
        report = version.files_dir / arrangement.REPORT
        assert not report.exists(), json.loads(report.read_text())
        assert version.lifecycle in version.environments


def test_prepare_deploys_nothing_and_converge_takes_it_back(versions):
    prepare, converge = map(merged, versions)
    assert prepare.defaults["StackUpdateType"].value == "FASTFORWARDUPGRADE"
    assert prepare.value_of("OS::TripleO::WorkflowSteps") == "OS::Heat::None"
    assert prepare.value_of("OS::Heat::StructuredDeployment") == "config-download-structured.yaml"
    assert converge.defaults["StackUpdateType"].value == ""
    assert converge.defaults["UpgradeInitCommand"].value == ""
    assert converge.value_of("OS::TripleO::WorkflowSteps") == "OS::Mistral::ExternalResource"


def test_passwords_are_those_of_the_operator_and_the_rest_is_made_once(versions):
    prepare, converge = map(merged, versions)
    assert prepare.defaults["AdminPassword"].origin == "user-environments/07-local.yaml"
    made = {name for name, setting in prepare.defaults.items() if setting.origin == "ffwd/plan-parameters.yaml"}
    assert made >= {"CephManilaClientKey", "KeystoneFernetKey0", "MigrationSshKey"}
    assert all(converge.defaults[name].value == prepare.defaults[name].value for name in made)
    # These come from resources of the stack itself, whose values the nodes have.
    assert not made & {"MysqlRootPassword", "RabbitCookie", "PcsdPassword", "HorizonSecret", "HeatAuthEncryptionKey"}


def test_what_is_wrong_is_told_at_once_with_file_and_line(inputs, tmp_path):
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(WRONG)
    with pytest.raises(InvalidTemplates) as caught:
        PlanStore(tmp_path / "work").create_version(
            "overcloud",
            templates=inputs.templates,
            environments=[*inputs.environments, str(wrong)],
            phase="converge",
        )
    told = {problem["where"]: problem["what"] for problem in caught.value.details["problems"]}
    assert sorted(told) == [f"{wrong}, line {line}" for line in (2, 3, 5, 6)]
    assert "nova-api.yaml can't be read" in told[f"{wrong}, line 2"]
    assert "did you mean NeutronBridgeMappings" in told[f"{wrong}, line 5"]


def test_environments_of_the_templates_that_name_files_by_tripleo_s_own_place_are_taken(inputs, tmp_path):
    names = ["environments/nsx-config.yaml", "ci/environments/network/multiple-nics/network-isolation-absolute.yaml"]
    made = PlanStore(tmp_path / "work").create_version(
        "overcloud", templates=inputs.templates, environments=[*inputs.environments, *names], phase="prepare"
    )
    files = {setting.value for setting in merged(made).types.values() if setting.origin in names}
    assert "docker/services/neutron-plugin-nsx.yaml" in files and "network/ports/external.yaml" in files


def test_templates_from_before_fast_forward_upgrades_pass_with_our_lifecycle_environment(tmp_path):
    try:
        templates = sdist.templates("7.0.18")
    except sdist.Unavailable as error:
        pytest.skip(f"SKIPPED, not done: {error}")
    made = PlanStore(tmp_path / "work").create_version("overcloud", templates=templates, phase="prepare")
    assert made.lifecycle == "ffwd/lifecycle-prepare.yaml"
    found = merged(made)
    assert found.defaults["StackUpdateType"].value == "UPGRADE"
    for kind in ("OS::Heat::SoftwareDeployment", "OS::TripleO::SoftwareDeployment"):
        assert (made.files_dir / found.value_of(kind)).is_file()
    assert found.value_of("OS::TripleO::Tasks::ControllerPreConfig") == "OS::Heat::None"


def test_it_takes_a_second_or_two(versions, tmp_path):
    prepare = versions[0]
    placed = Placed(prepare.user_environments, prepare.user_files)
    previous = arrangement.Previous(prepare.files_dir, prepare.environments)
    began = time.process_time()
    arrangement.arrange(prepare.files_dir, "prepare", placed, previous=previous)
    assert time.process_time() - began < 5
