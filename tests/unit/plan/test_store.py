"""The plan store on real directories: versions, order of environments, what is refused and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tripleo_ffwd import heat
from tripleo_ffwd.exceptions import InvalidInput, InvalidTemplates, NotFound
from tripleo_ffwd.plan.store import PlanStore

PREPARE = "environments/lifecycle/ffwd-upgrade-prepare.yaml"
CONVERGE = "environments/lifecycle/ffwd-upgrade-converge.yaml"


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def templates(tmp_path):
    return write(
        tmp_path / "templates",
        {
            "overcloud.j2.yaml": "heat_template_version: queens\nresources:\n{% for r in roles %}"
            "  {{r.name}}: {type: OS::Own::{{r.name}}}\n{% endfor %}",
            "roles_data.yaml": "[{name: Controller}, {name: Compute}]",
            "puppet/role.role.j2.yaml": "heat_template_version: queens\ndescription: {{role.name}}\n",
            "overcloud-resource-registry.j2.yaml": "resource_registry:\n{% for r in roles %}"
            "  OS::Own::{{r.name}}: puppet/{{r.name.lower()}}-role.yaml\n{% endfor %}",
            PREPARE: "parameter_defaults: {Phase: prepare}\n",
            CONVERGE: "parameter_defaults: {Phase: converge}\n",
            "environments/docker.yaml": "parameter_defaults: {Docker: true}\n",
        },
    )


@pytest.fixture
def store(tmp_path):
    return PlanStore(tmp_path / "work")


def test_environments_come_in_tripleos_order(store, templates):
    version = store.create_version(
        "overcloud", templates=templates, environments=[str(templates / "environments/docker.yaml")], phase="prepare"
    )
    assert version.environments == ("overcloud-resource-registry.yaml", PREPARE, "environments/docker.yaml")
    assert store.current("overcloud") == version
    found = heat.build_bundle(version.template_path, version.environment_paths)
    assert set(found.files) == {"puppet/controller-role.yaml", "puppet/compute-role.yaml"}
    assert found.environment["parameter_defaults"] == {"Phase": "prepare", "Docker": True}


def test_the_same_again_is_the_same_version_and_another_phase_a_new_one(store, templates):
    first = store.create_version("p", templates=templates, environments=["environments/docker.yaml"], phase="prepare")
    assert store.create_version("p", templates=templates, phase="prepare") == first
    assert store.create_version("p", phase="prepare") == first
    second = store.create_version("p", phase="converge")
    assert second.number == 2
    assert second.environments == ("overcloud-resource-registry.yaml", CONVERGE, "environments/docker.yaml")
    assert [version.number for version in store.versions("p")] == [1, 2]
    assert first.path.stat().st_mode & 0o777 == 0o700
    assert first.template_path.stat().st_mode & 0o777 == 0o600


def test_an_environment_from_elsewhere_brings_the_files_it_uses(store, templates, tmp_path):
    home = write(
        tmp_path / "home",
        {
            "my/env.yaml": "# kept\nresource_registry:\n  OS::Own::Nic: ../nic/nic.yaml\n"
            f"  OS::Own::Compute: {templates}/puppet/controller-role.yaml\n",
            "nic/nic.yaml": "heat_template_version: queens\nresources:\n  R:\n    type: OS::Heat::Value\n"
            "    properties: {value: {get_file: script.sh}}\n",
            "nic/script.sh": "echo hello\n",
        },
    )
    version = store.create_version("p", templates=templates, environments=[home / "my/env.yaml"], phase="prepare")
    assert version.user_environments == ("user-environments/01-env.yaml",)
    assert "# kept" in version.environment_paths[-1].read_text()
    (home / "nic/script.sh").write_text("changed later\n")
    found = heat.build_bundle(version.template_path, version.environment_paths)
    assert "echo hello\n" in found.files.values()
    assert found.environment["resource_registry"]["OS::Own::Compute"] == "puppet/controller-role.yaml"
    later = store.create_version("p", templates=templates, phase="converge")
    assert later.user_files == version.user_files
    assert "echo hello\n" in heat.build_bundle(later.template_path, later.environment_paths).files.values()


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("environments/docker.yaml", "a: [unclosed\n", r"environments/docker.yaml: .*line \d"),
        ("environments/docker.yaml", "\nparameters_default: {}\n", r"docker.yaml, line 2: 'parameters_default'"),
        ("puppet/role.role.j2.yaml", "ok\n{{ role.missing.name }}\n", r"puppet/role.role.j2.yaml: line 2.*Controller"),
        ("puppet/role.role.j2.yaml", "{{role.name}}\n{% for %}\n", r"puppet/role.role.j2.yaml: line 2"),
        ("overcloud.j2.yaml", "{{ ''.__class__.__mro__ }}", r"overcloud.j2.yaml: line 1.*unsafe"),
        ("roles_data.yaml", "[{name: ../../etc}]", r"roles_data.yaml.*\.\./\.\./etc"),
    ],
)
def test_bad_templates_are_named_with_their_line_and_leave_the_plan_as_it_was(store, templates, name, text, told):
    before = store.create_version("p", templates=templates, environments=["environments/docker.yaml"], phase="prepare")
    write(templates, {name: text})
    with pytest.raises(InvalidTemplates, match=told):
        store.create_version("p", templates=templates, phase="prepare")
    assert store.current("p") == before
    assert [path.name for path in before.path.parent.iterdir()] == ["000001"]


@pytest.mark.parametrize("name", ["../x", "", "a/b", ".hidden", "x" * 64])
def test_a_name_that_could_lead_elsewhere_is_refused(store, templates, name):
    with pytest.raises(InvalidInput):
        store.create_version(name, templates=templates, phase="prepare")


def test_what_is_missing_is_named(store, templates, tmp_path):
    with pytest.raises(NotFound, match="`templates`"):
        store.create_version("p", phase="prepare")
    with pytest.raises(NotFound, match="p does not exist"):
        store.current("p")
    with pytest.raises(InvalidTemplates, match="gone"):
        store.create_version("p", templates=tmp_path / "gone", phase="prepare")
    for environment in ("no/such.yaml", "../outside.yaml", str(tmp_path / "absent.yaml")):
        with pytest.raises(InvalidTemplates, match=Path(environment).name):
            store.create_version("p", templates=templates, environments=[environment], phase="prepare")
    with pytest.raises(NotFound):
        store.current("p")


def test_only_the_number_kept_stays(tmp_path, templates):
    store = PlanStore(tmp_path / "work", keep=2)
    for value in range(4):
        write(templates, {"environments/docker.yaml": yaml.safe_dump({"parameter_defaults": {"V": value}})})
        store.create_version("p", templates=templates, phase="prepare")
    assert [version.number for version in store.versions("p")] == [3, 4]
    assert store.current("p").number == 4
