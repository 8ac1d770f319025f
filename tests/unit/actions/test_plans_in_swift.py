"""The actions around a plan, with plans in Swift: the configuration alone decides."""

from __future__ import annotations

import tarfile
from types import SimpleNamespace

import pytest
import swift_stub
import yaml
from mistral_lib import actions
from oslo_config import cfg
from plan_stores import FILES, write

from tripleo_ffwd import config
from tripleo_ffwd.actions.client_plans import (
    CreateContainerAction,
    ListPlansAction,
    RefreshPlanAction,
    UpdateParametersAction,
)
from tripleo_ffwd.actions.phases import AcquireLockAction, FinishPhaseAction
from tripleo_ffwd.actions.plans import UpdatePlanAction
from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.plan import refreshing
from tripleo_ffwd.plan.store import open_store


@pytest.fixture
def stub(tmp_path):
    with swift_stub.serving() as server:
        cfg.CONF(args=[], project="tripleo-ffwd", default_config_files=[])
        config.load()
        values = {"work_dir": str(tmp_path / "work"), "plan_backend": "swift", "swift_url": server.url}
        for name, value in values.items():
            cfg.CONF.set_override(name, value, group=config.GROUP)
        try:
            yield server
        finally:
            cfg.CONF.reset()
            for name in values:
                cfg.CONF.clear_override(name, group=config.GROUP)


def run(action):
    execution = SimpleNamespace(action_execution_id="a-1")
    return action.run(SimpleNamespace(execution=execution, security=swift_stub.caller()))


def test_a_phase_locks_updates_and_releases_a_plan_in_swift(stub, tmp_path):
    templates = write(tmp_path / "templates", FILES)
    assert run(AcquireLockAction("p", "prepare", "e-1")) == {"acquired": True, "holder": "e-1"}
    assert run(AcquireLockAction("p", "prepare", "e-2")) == {"acquired": False, "holder": "e-1"}
    refused = run(UpdatePlanAction("p", "prepare", "e-2", str(templates)))
    assert isinstance(refused, actions.Result) and refused.error["error"] == "PlanLocked"
    made = run(UpdatePlanAction("p", "prepare", "e-1", str(templates)))
    assert (made["version"], made["environments"][0]) == (1, "overcloud-resource-registry.yaml")
    assert "overcloud.yaml" in stub.files("p") and "current.json" in stub.files("p-ffwd")
    assert run(FinishPhaseAction("p", "prepare", "e-1", []))["status"] == "SUCCESS"
    assert run(AcquireLockAction("p", "prepare", "e-2")) == {"acquired": True, "holder": "e-2"}
    again = run(UpdatePlanAction("p", "prepare", "e-2", "swift:p"))
    assert again["environments"] == made["environments"]


def test_the_templates_of_a_phase_may_be_a_tarball(stub, tmp_path):
    templates = write(tmp_path / "templates", FILES)
    with tarfile.open(tmp_path / "t.tar.gz", "w:gz") as archive:
        archive.add(templates, "tripleo-heat-templates-8.4.1")
    run(AcquireLockAction("p", "prepare", "e-1"))
    packed = run(UpdatePlanAction("p", "prepare", "e-1", str(tmp_path / "t.tar.gz")))
    assert run(UpdatePlanAction("p", "prepare", "e-1", str(templates))) == packed


def client_uploads(stub, plan: str, files: dict[str, str]) -> None:
    """Fill a plan's container as TripleO's client does: all that was there goes first."""
    there = stub.containers[plan].objects
    there.clear()
    there.update({name: text.encode() for name, text in files.items()})


def test_a_plan_that_the_client_of_tripleo_makes_and_refreshes(stub):
    assert run(ListPlansAction()) == []
    assert run(CreateContainerAction("p")) is None
    assert "is there already" in run(CreateContainerAction("p"))
    environment = "name: p\ntemplate: overcloud.yaml\nenvironments: [{path: overcloud-resource-registry.yaml}]\n"
    client_uploads(stub, "p", {**FILES, "plan-environment.yaml": f"{environment}passwords: {{AdminPassword: kept}}\n"})
    made = run(RefreshPlanAction("p"))
    assert made["environments"][0] == "overcloud-resource-registry.yaml"
    # The client downloads what was rendered, and looks whether it knows the plan.
    assert b"OS::Own::Compute" in stub.files("p")["overcloud.yaml"]
    assert run(ListPlansAction()) == ["p"]
    assert run(UpdateParametersAction("p", {"Docker": False, "List": [1]})) is None
    stated = yaml.safe_load(stub.files("p")["plan-environment.yaml"])
    assert stated["parameter_defaults"] == {"Docker": False, "List": [1]}
    assert run(RefreshPlanAction("p"))["version"] > made["version"]
    assert yaml.safe_load(stub.files("p")["plan-environment.yaml"])["parameter_defaults"]["List"] == [1]


@pytest.mark.parametrize(
    "left", [{}, {"plan-environment.yaml": "name: p\ntemplate: overcloud.yaml\nenvironments: []\n"}]
)
def test_a_client_that_died_with_the_container_emptied_finds_the_plan_and_its_passwords_again(stub, left):
    run(CreateContainerAction("p"))
    environment = "name: p\ntemplate: overcloud.yaml\nenvironments: [{path: overcloud-resource-registry.yaml}]\n"
    client_uploads(stub, "p", {**FILES, "plan-environment.yaml": f"{environment}passwords: {{AdminPassword: kept}}\n"})
    run(RefreshPlanAction("p"))
    client_uploads(stub, "p", left)
    # It asks which plans there are, and fetches the passwords, before it empties the container once more.
    assert run(ListPlansAction()) == ["p"]
    found = yaml.safe_load(stub.files("p")["plan-environment.yaml"])
    assert found["passwords"]["AdminPassword"] == "kept"
    untouched = stub.files("p")
    run(ListPlansAction())
    assert stub.files("p") == untouched


def test_a_plan_without_passwords_is_put_back_as_well(stub):
    run(CreateContainerAction("p"))
    client_uploads(stub, "p", FILES)
    run(RefreshPlanAction("p"))
    before = yaml.safe_load(stub.files("p")["plan-environment.yaml"])
    client_uploads(stub, "p", {})
    assert run(ListPlansAction()) == ["p"]
    assert yaml.safe_load(stub.files("p")["plan-environment.yaml"]) == before


@pytest.mark.parametrize("lifecycle", ["ffwd-upgrade-prepare", "upgrade-prepare", "update-prepare", "update-converge"])
def test_a_plan_that_is_made_for_a_minor_update_is_not_taken_for_an_upgrade(stub, lifecycle):
    run(CreateContainerAction("p"))
    stated = f"name: p\ntemplate: overcloud.yaml\nenvironments: [{{path: environments/lifecycle/{lifecycle}.yaml}}]\n"
    client_uploads(stub, "p", {**FILES, "plan-environment.yaml": stated})
    store = open_store(config.load(), swift_stub.caller())
    if lifecycle != "update-prepare":
        refreshing.check_upgrade(store, "p")
        return
    with pytest.raises(InvalidInput, match=r"plan p: The plan is made for a minor update .* nothing was begun"):
        refreshing.check_upgrade(store, "p")


def test_a_plan_that_was_never_ours_stays_as_it_is_when_plans_are_listed(stub):
    run(CreateContainerAction("p"))
    client_uploads(
        stub, "p", {**FILES, "plan-environment.yaml": "name: p\ntemplate: overcloud.yaml\nenvironments: []\n"}
    )
    before = stub.files("p")
    assert run(ListPlansAction()) == ["p"]
    assert stub.files("p") == before


def test_a_plan_is_not_refreshed_under_a_phase(stub):
    run(CreateContainerAction("p"))
    client_uploads(stub, "p", FILES)
    run(RefreshPlanAction("p"))
    run(AcquireLockAction("p", "prepare", "e-1"))
    for action in (RefreshPlanAction("p"), UpdateParametersAction("p", {"A": "planted-17"})):
        refused = run(action)
        assert refused.error["error"] == "PlanLocked"
        assert "planted-17" not in str(refused.error)
