"""ffwd.generate_playbooks on the outputs of a real Queens overcloud, with and without its servers' deployments."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from oslo_config import cfg
from support import queens_outputs

from tripleo_ffwd import config, software
from tripleo_ffwd.actions import selection
from tripleo_ffwd.actions.base import Caller
from tripleo_ffwd.actions.playbooks import GeneratePlaybooksAction
from tripleo_ffwd.exceptions import InvalidInput, NotFound
from tripleo_ffwd.plan import outputs as stored_outputs


@pytest.fixture()
def caller(tmp_path: Path) -> Caller:
    options = cfg.ConfigOpts()
    options(args=[], project="tripleo-ffwd", default_config_files=[])
    section = config.load(options)
    options.set_override("work_dir", str(tmp_path), group=config.GROUP)
    return Caller(conf=section, security=None, action_execution="")


def deployments_of(outputs: dict) -> dict:
    """One deployment for each server, as they are fetched."""
    made = software.Collection()
    like = software.Like("deployment_resource", "CREATE", "TripleOSoftwareDeployment", "NO_SIGNAL")
    for ids in outputs["ServerIdData"]["server_ids"].values():
        for server in ids:
            digest = made.add(
                software.derive({"group": "script", "config": "#!/bin/sh\n"}, {}, like), "NetworkDeployment"
            )
            made.assign(server, software.Deployment("NetworkDeployment", digest, f"of-{server}", "s/1", "t", False))
    return made.to_json()


def test_a_queens_upgrade_is_generated_from_outputs_and_deployments(caller):
    outputs = queens_outputs()
    digest = stored_outputs.save(caller.work_dir, outputs)
    fetched = stored_outputs.save(caller.work_dir, deployments_of(outputs))
    made = GeneratePlaybooksAction("overcloud", "upgrade", digest, deployments=fetched).act(caller)
    assert made["missing_inputs"] == []
    assert len(json.dumps(made)) < 2000
    tree = Path(made["tree"])
    assert (tree / "deployments/servers/overcloud-controller-0.json").stat().st_mode & 0o777 == 0o600
    assert made == GeneratePlaybooksAction("overcloud", "upgrade", digest, deployments=fetched).act(caller)


def test_the_playbook_of_an_update_is_generated_alone(caller):
    digest = stored_outputs.save(caller.work_dir, queens_outputs())
    made = GeneratePlaybooksAction("overcloud", "update", digest).act(caller)
    assert [path.name for path in Path(made["tree"]).glob("*_playbook.yaml")] == ["update_steps_playbook.yaml"]
    with pytest.raises(InvalidInput, match=r"no playbook 'external_upgrade_steps_playbook.yaml'"):
        GeneratePlaybooksAction("overcloud", "external_upgrade", digest).act(caller)


def test_what_is_done_from_outside_is_for_all_nodes(caller):
    digest = stored_outputs.save(caller.work_dir, queens_outputs())
    assert len(selection.select(caller, "external_upgrade", digest, None, None)) > 5
    with pytest.raises(InvalidInput, match="external_upgrade is done from outside the nodes"):
        selection.select(caller, "external_upgrade", digest, None, ["overcloud-controller-0"])
    with pytest.raises(InvalidInput, match="update takes exactly one of roles and nodes"):
        selection.select(caller, "update", digest, None, None)


def test_what_would_be_passed_over_in_silence_is_refused_with_role_and_count(caller):
    digest = stored_outputs.save(caller.work_dir, queens_outputs())
    with pytest.raises(InvalidInput, match=r"pre_deployments_Controller \(3 servers\)") as caught:
        GeneratePlaybooksAction("overcloud", "upgrade", digest).act(caller)
    assert "pre_deployments_Compute (2 servers)" in str(caught.value)
    # The playbooks that need none can be had.
    made = GeneratePlaybooksAction("overcloud", "upgrade", digest, playbook="upgrade_steps_playbook.yaml").act(caller)
    assert {entry["playbook"] for entry in made["missing_inputs"]} == {"deploy_steps_playbook.yaml"}


def test_deployments_that_are_not_stored_are_named(caller):
    digest = stored_outputs.save(caller.work_dir, queens_outputs())
    with pytest.raises(NotFound, match="0123abc"):
        GeneratePlaybooksAction("overcloud", "upgrade", digest, deployments="0123abc").act(caller)
