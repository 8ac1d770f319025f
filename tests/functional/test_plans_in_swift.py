"""Prepare and converge with the plan in Swift: a Mistral and a Heat of their own, and the stand-in for Swift."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import clouds
import pytest
import swift_stub
import yaml
from clouds import Cloud

from tripleo_ffwd import config, heat
from tripleo_ffwd.cli.main import main
from tripleo_ffwd.embedded.site import open_site

PLAN = "small"
LIFECYCLE = "environments/lifecycle/ffwd-upgrade-{}.yaml"


@pytest.fixture(scope="module")
def stub() -> Iterator[swift_stub.SwiftStub]:
    with swift_stub.serving() as server:
        # What is sent where there is no keystone.
        server.token = "none"
        yield server


@pytest.fixture(scope="module")
def swift_cloud(tmp_path_factory: pytest.TempPathFactory, stub: swift_stub.SwiftStub) -> Iterator[Cloud]:
    directory = tmp_path_factory.mktemp("conf.d")
    (directory / "swift.conf").write_text(f"[ffwd]\nplan_backend = swift\nswift_url = {stub.url}\n")
    site = open_site(tmp_path_factory.mktemp("swift-cloud"))
    with pytest.MonkeyPatch.context() as environ:
        environ.setenv("MISTRAL_CONFIG_DIR", str(directory))
        try:
            yield clouds.opened(site)
        finally:
            clouds.closed(site)


def outputs() -> dict[str, Any]:
    """Those of an overcloud of one node, which is this machine: its playbooks need no SSH."""
    here = {"hosts": "overcloud", "connection": "local", "gather_facts": False}
    playbook = [{**here, "name": "All there is to do", "tasks": [{"debug": {"msg": "done"}}]}]
    return {
        "RoleData": {"Controller": {}},
        "RoleConfig": {"deploy_steps_playbook": yaml.safe_dump(playbook), "global_vars": {}},
        "ServerIdData": {"server_ids": {"Controller": ["1"]}, "bootstrap_server_id": "1"},
        "RoleNetHostnameMap": {"Controller": {"canonical": ["ctl-0.localdomain"], "ctlplane": ["ctl-0.ctlplane"]}},
        "RoleNetIpMap": {"Controller": {"ctlplane": ["127.0.0.9"]}},
    }


def write(directory: Path) -> Path:
    template = {
        "heat_template_version": "queens",
        "parameters": {"Phase": {"type": "string", "default": "none"}},
        "resources": {"Held": {"type": "OS::Heat::TestResource", "properties": {"value": {"get_param": "Phase"}}}},
        "outputs": {key: {"value": value} for key, value in outputs().items()},
    }
    files = {"overcloud.yaml": template}
    for phase in ("prepare", "converge"):
        files[LIFECYCLE.format(phase)] = {"parameter_defaults": {"Phase": phase}}
    for name, content in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(yaml.safe_dump(content))
    return directory


def held(client: heat.HeatClient) -> str:
    return client.api.resources.get(PLAN, "Held").attributes["output"]


def holders(stub: swift_stub.SwiftStub) -> list[dict[str, Any] | None]:
    """What the lock's log says, entry by entry."""
    ours = stub.files(f"{PLAN}-ffwd")
    return [json.loads(ours[name])["value"]["holder"] for name in sorted(ours) if name.startswith("lock/")]


def test_prepare_and_converge_with_the_plan_in_swift(swift_cloud, stub, tmp_path, capsys):
    client = heat.connect(config.load_file(swift_cloud.site.mistral / "mistral.conf"), None)
    source = write(tmp_path / "templates")
    heat.create(client, PLAN, heat.build_bundle(source / "overcloud.yaml", []), 60)

    prepared = swift_cloud.do("prepare", plan=PLAN, templates=str(source))
    assert prepared.state == "SUCCESS", prepared.message
    assert held(client) == "prepare"
    ours = stub.files(f"{PLAN}-ffwd")
    assert json.loads(ours["current.json"]) == {"number": 1}
    assert json.loads(ours["versions/000001.json"])["value"]["phase"] == "prepare"
    assert [one["path"] for one in yaml.safe_load(stub.files(PLAN)["plan-environment.yaml"])["environments"]] == [
        LIFECYCLE.format("prepare")
    ]
    first, given_back = holders(stub)
    assert (first["execution"], first["phase"], given_back) == (prepared.id, "prepare", None)

    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    told = {"ssh_key_file": str(key), "force_reason": "run and upgrade are not this test's"}
    converged = swift_cloud.do("converge", plan=PLAN, **told)
    assert converged.state == "SUCCESS", converged.message
    assert held(client) == "converge"
    assert json.loads(stub.files(f"{PLAN}-ffwd")["current.json"]) == {"number": 2}
    assert stub.files(PLAN)[LIFECYCLE.format("converge")] == (source / LIFECYCLE.format("converge")).read_bytes()
    assert [entry and entry["execution"] for entry in holders(stub)] == [prepared.id, None, converged.id, None]
    assert [run.state for run in swift_cloud.runs(PLAN)] == ["finished"]

    summaries = sorted((swift_cloud.work_dir / "records" / PLAN / "changes").iterdir())
    assert [path.name for path in summaries] == ["000001-prepare.json", "000002-converge.json"]
    changed = json.loads(summaries[1].read_bytes())["changes"]["parameters"]["changed"]
    assert changed == {"Phase": ["prepare", "converge"]}
    # What Heat was asked about is what it was sent: the bundle of each execution was built once.
    kept = [json.loads(path.read_bytes())["execution"] for path in swift_cloud.work_dir.rglob("bundle.json")]
    assert sorted(kept) == sorted([prepared.id, converged.id])

    # No plan is in the work directory; the command line finds it where the executors do.
    assert not (swift_cloud.work_dir / "plans" / PLAN / "versions" / "000001").exists()
    where = tmp_path / "ffwd.conf"
    where.write_text(f"[ffwd]\nplan_backend = swift\nswift_url = {stub.url}\nwork_dir = {tmp_path / 'elsewhere'}\n")
    assert main(["plan", "list", PLAN, "--json", "--config-file", str(where)]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["phase"], row["current"]) for row in rows] == [("prepare", False), ("converge", True)]
