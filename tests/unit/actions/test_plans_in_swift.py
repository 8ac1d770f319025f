"""The actions around a plan, with plans in Swift: the configuration alone decides."""

from __future__ import annotations

import tarfile
from types import SimpleNamespace

import pytest
import swift_stub
from mistral_lib import actions
from oslo_config import cfg
from plan_stores import FILES, write

from tripleo_ffwd import config
from tripleo_ffwd.actions.phases import AcquireLockAction, FinishPhaseAction
from tripleo_ffwd.actions.plans import UpdatePlanAction


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
