"""The plan store in both backends: versions, order of environments, what is refused and leaves nothing behind."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
import yaml
from plan_stores import CONVERGE, PREPARE, write

from tripleo_ffwd import heat
from tripleo_ffwd.exceptions import InvalidInput, InvalidTemplates, NotFound
from tripleo_ffwd.plan.store import PlanStore


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
    assert store.versions("p") == (before,)
    assert not list(store.backend.directory("p").rglob(".staging*"))


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


def test_only_the_number_kept_stays(make, tmp_path, templates):
    store = make(tmp_path / "work", keep=2)
    for value in range(4):
        write(templates, {"environments/docker.yaml": yaml.safe_dump({"parameter_defaults": {"V": value}})})
        store.create_version("p", templates=templates, phase="prepare")
    assert [version.number for version in store.versions("p")] == [3, 4]
    assert store.current("p").number == 4


def edited(templates: Path, value: int) -> Path:
    return write(templates, {"environments/docker.yaml": f"parameter_defaults: {{V: {value}}}\n"})


def make_versions(store, templates, count: int = 3):
    given = ["environments/docker.yaml"]
    return [
        store.create_version("p", templates=edited(templates, value), environments=given, phase="prepare")
        for value in range(1, count + 1)
    ]


def test_going_back_makes_a_version_that_says_so_and_history_stays(store, templates):
    first, second, third = make_versions(store, templates)
    again = store.restore("p", 1)
    assert (again.number, again.restored_from, again.origin) == (4, 1, "version 1")
    assert (again.digest, again.environments, again.phase) == (first.digest, first.environments, first.phase)
    assert store.current("p") == again
    assert "V: 1" in again.environment_paths[-1].read_text()
    assert store.versions("p") == (first, second, third, again)
    assert [store.version("p", number) for number in (1, 2, 3)] == [first, second, third]


def test_what_can_t_be_restored_is_refused_and_the_plan_is_as_it_was(store, templates):
    *_, current = make_versions(store, templates, 2)
    with pytest.raises(NotFound, match="no version 7"):
        store.restore("p", 7)
    with pytest.raises(InvalidInput, match="is the current one"):
        store.restore("p", 2)
    assert store.current("p") == current and len(store.versions("p")) == 2


def test_a_version_to_look_at_is_listed_and_not_current_and_becomes_so_when_made_again(store, templates):
    first = store.create_version("p", templates=templates, environments=[], phase="prepare")
    looked = store.create_version("p", templates=edited(templates, 9), phase="converge", switch=False)
    assert looked.number == 2 and looked.files_dir.is_dir()
    assert store.current("p") == first
    assert store.versions("p") == (first, looked)
    assert store.create_version("p", templates=templates, phase="converge") == looked
    assert store.current("p") == looked
    assert store.versions("p") == (first, looked)


def test_the_first_look_at_a_plan_makes_no_current_version(store, templates):
    looked = store.create_version("p", templates=templates, phase="prepare", switch=False)
    with pytest.raises(NotFound, match="p does not exist"):
        store.current("p")
    assert store.create_version("p", templates=templates, phase="prepare") == looked == store.current("p")


def test_looks_in_between_don_t_push_the_current_version_out(make, tmp_path, templates):
    store = make(tmp_path / "work", keep=2)
    first = store.create_version("p", templates=templates, environments=["environments/docker.yaml"], phase="prepare")
    for value in (1, 2, 3):
        store.create_version("p", templates=edited(templates, value), phase="prepare", switch=False)
    assert store.current("p") == first
    assert [version.number for version in store.versions("p")] == [1, 3, 4]


def test_another_work_dir_or_executor_sees_the_same_versions(make, tmp_path, templates):
    made = make(tmp_path / "work").create_version("p", templates=templates, phase="prepare")
    found = make(tmp_path / "work").current("p")
    assert found == made
    assert sorted(path.name for path in found.files_dir.iterdir()) == sorted(
        path.name for path in made.files_dir.iterdir()
    )


def test_plans_are_listed_by_name(store, templates):
    assert store.plans() == ()
    for name in ("b", "a"):
        store.create_version(name, templates=templates, phase="prepare")
    assert store.plans() == ("a", "b")
    assert (store.current_number("a"), store.current_number("c")) == (1, None)


def test_a_tarball_gives_the_same_version_as_its_directory(store, templates, tmp_path):
    made = store.create_version("p", templates=templates, environments=["environments/docker.yaml"], phase="prepare")
    with tarfile.open(tmp_path / "t.tar.gz", "w:gz") as archive:
        archive.add(templates, "tripleo-heat-templates-8.4.1")
    assert store.create_version("p", templates=tmp_path / "t.tar.gz", phase="prepare") == made


def test_a_plan_of_the_release_before_is_read_and_goes_on(tmp_path, templates):
    made = PlanStore(tmp_path / "work").create_version(
        "p", templates=templates, environments=["environments/docker.yaml"], phase="prepare"
    )
    record = json.loads((made.path / "plan.json").read_text())
    for key in ("origin", "restored_from"):
        del record[key]
    (made.path / "plan.json").write_text(json.dumps(record))
    store = PlanStore(tmp_path / "work")
    found = store.current("p")
    assert (found.number, found.digest, found.environments) == (1, made.digest, made.environments)
    assert store.create_version("p", phase="converge").user_environments == ("environments/docker.yaml",)
    (made.path / "plan.json").write_text(json.dumps({**record, "of_a_later_release": 1}))
    assert store.version("p", 1) == found
