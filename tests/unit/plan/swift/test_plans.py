"""Plans in Swift: TripleO's container as it is, ours for it, what others change, copies; also on a real Swift.

`make test-swift` runs these on a real one, `make test` on a stand-in.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import requests
import yaml
from heatclient.common import template_utils
from plan_stores import CONVERGE, PREPARE, connection, in_swift, write

from tripleo_ffwd import heat
from tripleo_ffwd.exceptions import InvalidInput, NotFound, PlanLocked
from tripleo_ffwd.plan import changes, lock
from tripleo_ffwd.plan.rendering import render_tree
from tripleo_ffwd.plan.store import PlanStore
from tripleo_ffwd.plan.tree import contents, list_files

TRIPLEO = {
    "plan-environment.yaml": "version: 1.0\nname: overcloud\ntemplate: overcloud.yaml\nenvironments:\n"
    "- path: overcloud-resource-registry.yaml\n- path: user-environments/net.yaml\n"
    "passwords: {AdminPassword: planted-1f}\nparameter_defaults: {NtpServer: ntp.example.com}\n",
    "user-environments/net.yaml": "parameter_defaults: {Net: one}\n",
}


@pytest.fixture
def api(account):
    """The account, as another client uses it."""
    return connection(account)


@pytest.fixture
def swift_store(account, tmp_path) -> PlanStore:
    return in_swift(account)(tmp_path / "work")


@pytest.fixture
def made_by_tripleo(api, templates):
    """A plan as TripleO makes it: sources, what they render to, and its plan environment."""
    write(templates, TRIPLEO)
    render_tree(templates, list_files(templates))
    api.make_container("overcloud", {"X-Container-Meta-Usage-Tripleo": "plan"})
    files = contents(templates)
    for name, data in files.items():
        api.put("overcloud", name, data)
    return files


def objects(api, container: str) -> dict[str, bytes]:
    return {name: api.get(container, name) for name in api.listing(container)}


def test_tripleo_finds_the_current_version_in_a_container_of_its_own_kind(swift_store, templates, api):
    given = ["environments/docker.yaml"]
    version = swift_store.create_version("overcloud", templates=templates, environments=given, phase="prepare")
    assert api.container_headers("overcloud")["x-container-meta-usage-tripleo"] == "plan"
    there = objects(api, "overcloud")
    plan = yaml.safe_load(there.pop("plan-environment.yaml"))
    assert plan["name"] == "overcloud" and plan["template"] == "overcloud.yaml"
    assert [item["path"] for item in plan["environments"]] == list(version.environments)
    assert PREPARE in version.environments and "puppet/compute-role.yaml" in there
    assert there == {name: data for name, data in contents(version.files_dir).items() if name in there}
    swift_store.create_version("overcloud", phase="converge")
    plan = yaml.safe_load(api.get("overcloud", "plan-environment.yaml"))
    assert CONVERGE in [item["path"] for item in plan["environments"]]


def read_as_tripleo_does(account, container: str):
    """Read a plan as tripleo-common (Queens) does: Heat's client over the objects, the plan's own parameters last."""

    def request(method: str, url: str) -> str:
        response = requests.request(method, url, headers={"X-Auth-Token": account.token}, timeout=30)
        response.raise_for_status()
        return response.text

    base = f"{account.url}/{container}/"
    plan = yaml.safe_load(request("GET", f"{base}plan-environment.yaml"))
    files, template = template_utils.get_template_contents(
        template_object=base + plan["template"], object_request=request
    )
    more, environment = template_utils.process_multiple_environments_and_files(
        [base + item["path"] for item in plan["environments"]],
        env_path_is_object=lambda path: True,
        object_request=request,
    )
    for section in ("passwords", "derived_parameters", "parameter_defaults"):
        environment.setdefault("parameter_defaults", {}).update(plan.get(section, {}))
    return (
        template,
        json.loads(json.dumps(environment).replace(base, "")),
        {name.removeprefix(base): text for name, text in {**files, **more}.items()},
    )


@pytest.mark.parametrize("phase", ["prepare", "converge"])
def test_tripleo_gives_heat_the_same_as_we_do(swift_store, account, templates, tmp_path, phase):
    home = {"mine.yaml": "resource_registry: {'OS::Own::Compute': nic.yaml}\nparameter_defaults: {Net: mine}\n"}
    write(tmp_path / "home", {**home, "nic.yaml": "heat_template_version: queens\n"})
    plan = "version: 1.0\nenvironments: [{path: overcloud-resource-registry.yaml}]\npasswords: {AdminPassword: one}\n"
    write(templates, {"plan-environment.yaml": f"{plan}parameter_defaults: {{Net: plan, Phase: plan, Own: plan}}\n"})
    version = swift_store.create_version(
        "overcloud", templates=templates, environments=[tmp_path / "home/mine.yaml"], phase=phase
    )
    ours = heat.build_bundle(version.template_path, version.environment_paths)
    template, environment, files = read_as_tripleo_does(account, "overcloud")
    assert template == ours.template
    for section in ("parameter_defaults", "resource_registry"):
        assert environment[section] == ours.environment[section]
    assert ours.environment["parameter_defaults"]["Net"] == "mine"
    assert set(files) == set(ours.files)


def test_a_plan_made_by_tripleo_is_read_as_it_is_and_left_alone(swift_store, made_by_tripleo, api):
    assert swift_store.plans() == ("overcloud",)
    version = swift_store.current("overcloud")
    assert (version.number, swift_store.versions("overcloud")) == (0, ())
    assert version.environments[:2] == ("overcloud-resource-registry.yaml", "user-environments/net.yaml")
    bundle = heat.build_bundle(version.template_path, version.environment_paths)
    assert bundle.environment["parameter_defaults"]["Net"] == "one"
    assert bundle.environment["parameter_defaults"]["NtpServer"] == "ntp.example.com"
    assert bundle.environment["parameter_defaults"]["AdminPassword"] == "planted-1f"
    assert objects(api, "overcloud") == made_by_tripleo
    assert api.container_headers("overcloud-ffwd") is None


def test_the_first_version_of_ours_keeps_what_tripleo_made_as_one(swift_store, made_by_tripleo):
    version = swift_store.create_version("overcloud", phase="prepare")
    first, second = swift_store.versions("overcloud")
    assert second == version and PREPARE in version.environments
    assert first.phase == "" and "another client" in first.origin
    first = swift_store.version("overcloud", 1)
    assert (first.files_dir / "user-environments/net.yaml").read_bytes() == made_by_tripleo[
        "user-environments/net.yaml"
    ]
    found = changes.compare(first, version)
    assert found["parameters"]["added"] == {"Phase": "prepare"}
    assert found["parameters"]["removed"] == found["parameters"]["changed"] == {}


def test_what_another_client_changes_is_told_and_becomes_a_version_before_ours(swift_store, templates, api, tmp_path):
    mine = write(tmp_path / "home", {"mine.yaml": "parameter_defaults: {Mine: 1}\n"}) / "mine.yaml"
    given = ["environments/docker.yaml", mine]
    first = swift_store.create_version("overcloud", templates=templates, environments=given, phase="prepare")
    assert swift_store.foreign("overcloud") == ()
    api.put("overcloud", "environments/docker.yaml", b"parameter_defaults: {Docker: changed}\n")
    api.put("overcloud", "new.txt", b"new\n")
    assert swift_store.foreign("overcloud") == ("environments/docker.yaml", "new.txt")
    assert swift_store.current("overcloud") == first
    last = swift_store.create_version("overcloud", phase="converge")
    numbers = [version.number for version in swift_store.versions("overcloud")]
    assert (last.number, numbers) == (3, [1, 2, 3])
    theirs = swift_store.version("overcloud", 2)
    assert "another client" in theirs.origin and theirs.environments == first.environments
    found = changes.compare(first, theirs)
    assert found["templates"]["added"] == ["new.txt"]
    assert found["parameters"]["changed"] == {"Docker": [True, "changed"]}
    assert last.user_environments == first.user_environments
    assert CONVERGE in last.environments and PREPARE not in last.environments
    assert swift_store.foreign("overcloud") == ()


def test_a_container_that_was_deleted_is_filled_again_by_the_next_write(swift_store, templates, api):
    version = swift_store.create_version("overcloud", templates=templates, phase="prepare")
    before = objects(api, "overcloud")
    api.each(lambda name: api.delete("overcloud", name), before)
    assert swift_store.current("overcloud") == version
    assert swift_store.create_version("overcloud", phase="prepare") == version
    assert objects(api, "overcloud") == before


def test_hidden_objects_and_folders_in_tripleo_s_container_are_left_alone(swift_store, templates, api):
    api.make_container("overcloud", {"X-Container-Meta-Usage-Tripleo": "plan"})
    for name in (".gitreview", "folder/"):
        api.put("overcloud", name, b"")
    swift_store.create_version("overcloud", templates=templates, phase="prepare")
    swift_store.create_version("overcloud", phase="converge")
    assert {".gitreview", "folder/"} <= set(api.listing("overcloud"))


def test_a_container_that_is_no_plan_is_not_written_over(swift_store, templates, api):
    api.make_container("images")
    api.put("images", "precious.img", b"1")
    with pytest.raises(InvalidInput, match="Container images is there and is no plan"):
        swift_store.create_version("images", templates=templates, phase="prepare")
    assert api.listing("images").keys() == {"precious.img"}
    with pytest.raises(NotFound):
        swift_store.current("images")
    with pytest.raises(InvalidInput, match="can't end in -ffwd"):
        swift_store.create_version("a-ffwd", templates=templates, phase="prepare")


def test_a_container_is_a_source_for_either_backend(make, account, made_by_tripleo, tmp_path):
    download = in_swift(account)(tmp_path / "other").backend.download
    store = make(tmp_path / "work")
    store = PlanStore(tmp_path / "work", backend=store.backend, download=download)
    version = store.create_version("copy", templates="swift:overcloud", phase="prepare")
    assert version.origin == "swift:overcloud"
    assert (version.files_dir / "user-environments/net.yaml").is_file()
    assert "user-environments/net.yaml" in version.environments
    # One of ours, too, with what the phase and we had put into it.
    in_swift(account)(tmp_path / "other").create_version("overcloud", phase="prepare")
    again = store.create_version("copy", templates="swift:overcloud", phase="prepare")
    assert again.environments == version.environments
    assert not any(changes.compare(version, again)["parameters"].values())
    with pytest.raises(NotFound, match="Container nothing does not exist"):
        store.create_version("copy", templates="swift:nothing", phase="prepare")


def test_another_machine_gets_the_same_files_and_a_spoilt_copy_is_made_anew(account, templates, tmp_path):
    made = in_swift(account)(tmp_path / "one").create_version("p", templates=templates, phase="prepare")
    there = in_swift(account)(tmp_path / "two")
    found = there.current("p")
    assert found.path != made.path and found.digest == made.digest
    assert contents(found.files_dir) == contents(made.files_dir)
    assert found.path.stat().st_mode & 0o777 == 0o700 and found.template_path.stat().st_mode & 0o777 == 0o600
    found.template_path.write_bytes(b"")
    assert contents(there.current("p").files_dir) == contents(made.files_dir)


def test_versions_with_the_same_files_share_them_until_the_last_is_gone(account, templates, tmp_path, api):
    store = in_swift(account)(tmp_path / "work", keep=2)
    store.create_version("p", templates=templates, environments=["environments/docker.yaml"], phase="prepare")
    for value in (1, 2):
        write(templates, {"environments/docker.yaml": f"parameter_defaults: {{V: {value}}}\n"})
        store.create_version("p", templates=templates, phase="prepare")
        store.restore("p", store.versions("p")[0].number)
    versions = store.versions("p")
    archives = [name for name in api.listing("p-ffwd") if name.startswith("files/")]
    assert sorted(archives) == sorted({f"files/{version.digest}.tar.gz" for version in versions})
    assert store.current("p").files_dir.is_dir()


def hold(store: PlanStore, execution: str, known: str = "", state: str = ""):
    return lock.acquire(
        store.backend, "p", "prepare", execution, find_runs=tuple, known_holder=known, known_state=state
    )


def test_the_lock_is_one_for_all_work_directories(account, tmp_path):
    one, two = (in_swift(account)(tmp_path / name) for name in ("one", "two"))
    assert hold(one, "a") is None
    assert hold(two, "b").execution == "a"
    lock.check_owner(two.backend, "p", "a")
    with pytest.raises(PlanLocked, match="by execution a"):
        lock.check_owner(two.backend, "p", "b")
    with pytest.raises(PlanLocked, match="by execution a"), lock.free(two.backend, "p"):
        pass
    assert not lock.release(two.backend, "p", "b", find_runs=tuple)
    assert lock.release(two.backend, "p", "a", find_runs=tuple)
    assert lock.holder(one.backend, "p") is None
    assert hold(two, "b") is None


def test_only_one_takes_over_from_a_dead_holder(account, tmp_path):
    one, two = (in_swift(account)(tmp_path / name) for name in ("one", "two"))
    hold(one, "dead")
    # Both have looked at the same entry and found its holder gone; the second is slower.
    seen, value = two.backend.read_lock("p")
    assert hold(one, "a", "dead", lock.GONE) is None
    assert not two.backend.write_lock("p", seen, {**value, "execution": "b"})
    assert hold(two, "b", "dead", lock.GONE).execution == "a"
    assert lock.holder(two.backend, "p").execution == "a"


def test_the_log_of_the_lock_does_not_grow_for_ever(account, tmp_path, api):
    store = in_swift(account)(tmp_path / "work")
    for number in range(15):
        assert hold(store, str(number)) is None
        assert lock.release(store.backend, "p", str(number), find_runs=tuple)
    entries = [name for name in api.listing("p-ffwd") if name.startswith("lock/")]
    assert len(entries) == 20
    seen, _ = store.backend.read_lock("p")
    # Somebody who looked before all of this can't go on from there, although that entry's successor is gone.
    assert seen == 30 and not store.backend.write_lock("p", 1, {"execution": "late"})
    assert lock.holder(store.backend, "p") is None


def test_a_path_of_a_work_directory_still_names_its_own_lock(tmp_path: Path):
    assert lock.acquire(tmp_path, "p", "run", "one", find_runs=tuple) is None
    assert lock.holder(PlanStore(tmp_path).backend, "p").execution == "one"
