"""The demo plan's templates: they render, use only what the nodes have, and make outputs of TripleO's shape."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tripleo_ffwd.embedded import overcloud
from tripleo_ffwd.embedded.node_tools import catalog
from tripleo_ffwd.plan import rendering

SAMPLE = Path(__file__).parent / "samples" / "prepare_outputs.json"
TASK_LISTS = (
    "fast_forward_upgrade_tasks",
    "fast_forward_post_upgrade_tasks",
    "upgrade_tasks",
    "post_upgrade_tasks",
    "host_prep_tasks",
    "deploy_steps_tasks",
    "update_tasks",
)
# What a shell has without any package.
SHELL_WORDS = {"mkdir", "touch"}
PLAYBOOKS = ("deploy_steps_playbook", "upgrade_steps_playbook", "post_upgrade_steps_playbook")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("plan") / "plan"
    shutil.copytree(overcloud.PLAN_DIR, root)
    rendering.render_tree(root, [path.relative_to(root).as_posix() for path in root.rglob("*.j2.yaml")])
    return root


@pytest.fixture(scope="module")
def outputs() -> dict[str, Any]:
    """The outputs that a real Heat gave for the plan after prepare."""
    return {item["output_key"]: item["output_value"] for item in json.loads(SAMPLE.read_text(encoding="utf-8"))}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def services(root: Path) -> dict[str, dict[str, Any]]:
    registry = load(root / "overcloud-resource-registry.yaml")["resource_registry"]
    return {
        name: load(root / file)["outputs"]["role_data"]["value"]
        for name, file in registry.items()
        if name.startswith("OS::TripleO::Services::")
    }


def flatten(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for task in tasks:
        yield task
        for part in ("block", "rescue", "always"):
            yield from flatten(task.get(part, []))


def role_tasks(root: Path, role: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = services(root)
    return [task for name in role["ServicesDefault"] for task in found[name].get(key, [])]


def test_every_rendered_file_is_yaml(rendered: Path) -> None:
    files = [path for path in rendered.rglob("*.yaml") if ".j2." not in path.name]
    assert len(files) > 20
    for path in files:
        assert load(path), path


def test_registries_point_at_files_that_are_there(rendered: Path) -> None:
    environments = [rendered / "overcloud-resource-registry.yaml", *(rendered / "environments").rglob("*.yaml")]
    for environment in environments:
        for name, target in load(environment).get("resource_registry", {}).items():
            assert target == "OS::Heat::None" or (environment.parent / target).is_file(), (environment, name)


def test_every_service_of_a_role_is_registered_and_used(rendered: Path) -> None:
    roles = load(rendered / "roles_data.yaml")
    assert {name for role in roles for name in role["ServicesDefault"]} == set(services(rendered))
    assert {role["name"]: role["CountDefault"] for role in roles} == {"Controller": 3, "Compute": 2}


def test_tasks_use_only_tools_that_nodes_have(rendered: Path) -> None:
    known = {*catalog.TOOLS, *SHELL_WORDS}
    for name, data in services(rendered).items():
        for task in flatten([task for key in TASK_LISTS for task in data.get(key, [])]):
            text = task.get("command") or task.get("shell") or ""
            for command in re.split(r"&&|\|\|", text):
                assert not command or command.split()[0] in known, (name, command)


def test_tasks_write_below_the_nodes_home_only(rendered: Path) -> None:
    for name, data in services(rendered).items():
        for task in flatten([task for key in TASK_LISTS for task in data.get(key, [])]):
            for module in ("copy", "file", "lineinfile"):
                if module in task:
                    path = task[module].get("dest") or task[module]["path"]
                    assert path.startswith("{{ ansible_facts['env']['HOME'] }}/"), (name, path)


def test_unit_names_in_tasks_are_those_of_the_nodes(rendered: Path) -> None:
    for data in services(rendered).values():
        for task in flatten([task for key in TASK_LISTS for task in data.get(key, [])]):
            words = str(task.get("command", "")).split()
            if words[:1] == ["systemctl"] and "{{" not in words:
                assert words[-1] in catalog.UNITS


def test_lifecycle_environments_set_and_reset_the_same_parameters(rendered: Path) -> None:
    prepare, converge = (
        load(rendered / f"environments/lifecycle/ffwd-upgrade-{phase}.yaml") for phase in ("prepare", "converge")
    )
    assert set(converge["parameter_defaults"]) | {"FastForwardUpgradeReleases"} == set(prepare["parameter_defaults"])
    assert prepare["parameter_defaults"]["StackUpdateType"] == "UPGRADE"
    assert converge["parameter_defaults"]["StackUpdateType"] == ""
    assert prepare["resource_registry"] == {"OS::TripleO::DeploymentSteps": "OS::Heat::None"}
    assert set(converge["resource_registry"]) == set(prepare["resource_registry"])


def test_sample_outputs_are_those_of_the_templates(rendered: Path, outputs: dict[str, Any]) -> None:
    for role in load(rendered / "roles_data.yaml"):
        for key in TASK_LISTS:
            made = [task.get("name") for task in outputs["RoleData"][role["name"]][key]]
            assert made == [task.get("name") for task in role_tasks(rendered, role, key)], (role["name"], key)
        assert outputs["EnabledServices"][role["name"]] == [
            services(rendered)[name]["service_name"] for name in role["ServicesDefault"]
        ]


def test_role_config_has_tripleos_shape(outputs: dict[str, Any]) -> None:
    role_config = outputs["RoleConfig"]
    assert isinstance(role_config["fast_forward_upgrade_playbook"], list)
    assert role_config["fast_forward_upgrade_playbook"][0]["tasks"][0]["set_fact"]["releases"] == [
        "ocata",
        "pike",
        "queens",
    ]
    assert isinstance(role_config["external_deploy_steps_tasks"], list)
    texts = [name for name, value in role_config.items() if isinstance(value, str)]
    assert len(texts) >= 15
    for name in texts:
        assert isinstance(yaml.safe_load(role_config[name]), list), name
    line = role_config["global_vars"]["ssh_known_hosts"]["overcloud-controller-0"]
    assert re.fullmatch(
        r"\[192\.0\.2\.10\]\*,\[overcloud-controller-0\.localdomain\]\*,\[overcloud-controller-0\]\* ssh-ed25519 \S+",
        line,
    )


def test_deploy_playbook_interleaves_external_tasks(outputs: dict[str, Any]) -> None:
    plays = yaml.safe_load(outputs["RoleConfig"]["deploy_steps_playbook"])
    hosts = [(play["hosts"], play["vars"]["step"]) for play in plays if "step" in play.get("vars", {})]
    assert hosts == [
        (name, str(step))
        for step in range(1, 6)
        for name in ("undercloud", "Controller:overcloud", "Controller:overcloud")
    ]


def test_role_maps_have_tripleos_shape(outputs: dict[str, Any]) -> None:
    assert outputs["RoleNetIpMap"]["Controller"]["ctlplane"] == ["192.0.2.10", "192.0.2.11", "192.0.2.12"]
    assert outputs["RoleNetHostnameMap"]["Compute"]["canonical"] == [
        "overcloud-novacompute-0.localdomain",
        "overcloud-novacompute-1.localdomain",
    ]
    ids = outputs["ServerIdData"]
    assert ids["bootstrap_server_id"] == ids["server_ids"]["Controller"][0]
    assert outputs["BlacklistedHostnames"] == [""] * 5
    assert outputs["StackUpdateType"] == "UPGRADE" and outputs["DeploymentSteps"] is None


def test_templates_keep_tripleos_old_idioms_and_no_others(outputs: dict[str, Any]) -> None:
    text = json.dumps(outputs)
    assert "include:" in outputs["RoleConfig"]["upgrade_steps_playbook"]
    assert "galera_res|succeeded" in text
    assert not re.search(r"\|\s*(changed|failed|skipped)\b|\bwarn:", text)
