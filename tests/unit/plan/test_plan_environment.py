"""plan-environment.yaml: its environments, its parameters in TripleO's order, and the passwords kept with them."""

from __future__ import annotations

import base64
import re

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from small_plan import PREPARE, REGISTRY, write, write_plan

from tripleo_ffwd import heat
from tripleo_ffwd.exceptions import InvalidTemplates
from tripleo_ffwd.plan import last, passwords
from tripleo_ffwd.plan.store import PlanStore

LAST = "ffwd/plan-parameters.yaml"
PLAN = {
    "version": 1.0,
    "name": "overcloud",
    "template": "overcloud.yaml",
    "environments": [{"path": REGISTRY}, {"data": {"parameter_defaults": {"KeystoneWorkers": 3}}}],
    "passwords": {"AdminPassword": "from-passwords", "CephClientKey": "from-passwords"},
    "derived_parameters": {"CephClientKey": "derived", "KeystoneWorkers": 5, "ControllerCount": 2},
    "parameter_defaults": {"KeystoneWorkers": 7},
}


@pytest.fixture
def store(tmp_path):
    return PlanStore(tmp_path / "work")


def templates(tmp_path, **changes):
    plan = yaml.safe_dump({**PLAN, **changes}, sort_keys=False)
    return write_plan(tmp_path / "templates", {"plan-environment.yaml": plan})


def defaults(version):
    return heat.build_bundle(version.template_path, version.environment_paths).environment["parameter_defaults"]


def test_passwords_derived_parameters_and_defaults_are_merged_in_tripleo_s_order(tmp_path, store):
    version = store.create_version("p", templates=templates(tmp_path), phase="prepare")
    assert version.environments == (REGISTRY, "ffwd/plan-environment-02.yaml", PREPARE, LAST)
    found = defaults(version)
    assert found["AdminPassword"] == "from-passwords"
    assert found["CephClientKey"] == "derived"
    assert found["ControllerCount"] == 2
    assert found["KeystoneWorkers"] == 7


def test_what_the_operator_and_the_phase_set_wins_over_the_plan(tmp_path, store):
    left = {"KeystoneWorkers": 7, "StackUpdateType": "UPGRADE", "AdminPassword": "from-the-plan"}
    source = templates(tmp_path, parameter_defaults=left)
    mine = write(tmp_path, {"mine.yaml": "parameter_defaults: {AdminPassword: mine}\n"}) / "mine.yaml"
    found = defaults(store.create_version("p", templates=source, environments=[str(mine)], phase="converge"))
    assert (found["AdminPassword"], found["StackUpdateType"], found["KeystoneWorkers"]) == ("mine", "", 7)


@pytest.mark.parametrize("phase", ["prepare", "converge"])
def test_the_stack_is_told_that_it_is_updated_as_tripleo_s_client_does(tmp_path, store, phase):
    files = {"puppet/all-nodes.yaml": "heat_template_version: queens\nparameters: {StackAction: {type: string}}\n"}
    source = write_plan(tmp_path / "templates", files)
    assert defaults(store.create_version("p", templates=source, phase=phase))["StackAction"] == "UPDATE"
    mine = write(tmp_path, {"mine.yaml": "parameter_defaults: {StackAction: CREATE}\n"}) / "mine.yaml"
    told = defaults(store.create_version("p", templates=source, environments=[str(mine)], phase=phase))
    assert told["StackAction"] == "CREATE"


def test_types_of_the_plan_name_files_from_its_top(tmp_path, store):
    types = {"OS::TripleO::Services::Keystone": "services/nova-compute.yaml"}
    inline = {"data": {"resource_registry": {"OS::TripleO::Services::Extra": "services/keystone.yaml"}}}
    source = templates(tmp_path, resource_registry=types, environments=[{"path": REGISTRY}, inline])
    version = store.create_version("p", templates=source, phase="prepare")
    found = heat.build_bundle(version.template_path, version.environment_paths).environment["resource_registry"]
    assert found["OS::TripleO::Services::Keystone"] == "services/nova-compute.yaml"
    assert found["OS::TripleO::Services::Extra"] == "services/keystone.yaml"


def test_passwords_are_made_where_missing_and_kept_from_then_on(tmp_path, store):
    source = write_plan(tmp_path / "templates")
    first = defaults(store.create_version("p", templates=source, phase="prepare"))
    assert set(first) >= {"AdminPassword", "KeystoneFernetKeys", "MigrationSshKey", "CephClientKey"}
    assert "NovaPassword" not in first, "no template takes it"
    assert "RabbitCookie" not in first, "the stack makes it, and has kept it since it is there"
    again = store.create_version("p", templates=source, phase="prepare")
    assert again.number == 1
    second = defaults(store.create_version("p", templates=source, phase="converge"))
    assert {name: second[name] for name in first if name in passwords.NAMES} == {
        name: first[name] for name in first if name in passwords.NAMES
    }


def test_a_password_that_an_environment_had_is_kept_when_the_environment_goes(tmp_path, store):
    source = write_plan(tmp_path / "templates")
    mine = write(tmp_path, {"mine.yaml": "parameter_defaults: {AdminPassword: mine}\n"}) / "mine.yaml"
    version = store.create_version("p", templates=source, environments=[str(mine)], phase="prepare")
    assert "AdminPassword" not in yaml.safe_load((version.files_dir / LAST).read_text())["parameter_defaults"]
    later = store.create_version("p", templates=source, environments=[], phase="converge")
    assert defaults(later)["AdminPassword"] == "mine"


def test_a_password_that_only_the_stack_has_is_taken_from_it_and_asked_for_once(tmp_path, store):
    source = write_plan(tmp_path / "templates")
    asked = []

    def ask():
        asked.append(1)
        return {"AdminPassword": "of-the-stack", "NovaPassword": "of-no-template", "KeystoneWorkers": 9}

    found = defaults(store.create_version("p", templates=source, phase="prepare", known=ask))
    assert found["AdminPassword"] == "of-the-stack"
    assert "NovaPassword" not in found
    assert "KeystoneWorkers" not in found
    store.create_version("p", templates=source, phase="converge", known=ask)
    assert len(asked) == 1


def test_a_password_that_heat_covers_is_left_to_the_stack(tmp_path, store):
    source = write_plan(tmp_path / "templates")
    version = store.create_version("p", templates=source, phase="prepare", known=lambda: {"AdminPassword": "******"})
    assert "AdminPassword" not in defaults(version)
    assert "CephClientKey" in defaults(version)


def test_a_look_at_what_prepare_would_do_and_prepare_itself_make_the_same_passwords(tmp_path, store):
    source = write_plan(tmp_path / "templates")
    look = store.create_version("p", templates=source, phase="prepare", switch=False)
    assert store.create_version("p", templates=source, phase="prepare").number == look.number


def test_an_imported_plan_gets_no_passwords_before_the_stack_can_be_asked(tmp_path, store):
    version = store.create_version("p", templates=write_plan(tmp_path / "templates"))
    assert LAST not in version.environments


def test_tripleo_gets_from_our_plan_what_heat_gets_from_us(tmp_path, store):
    mine = (
        write(tmp_path, {"mine.yaml": "parameter_defaults: {AdminPassword: mine, KeystoneWorkers: 8}\n"}) / "mine.yaml"
    )
    version = store.create_version("p", templates=templates(tmp_path), environments=[str(mine)], phase="prepare")
    ours = defaults(version)
    told = last.sections_for_tripleo(version.files_dir)
    # TripleO's order: the environments as listed, then these.
    theirs = {**ours, **told["passwords"], **told["derived_parameters"], **told["parameter_defaults"]}
    assert theirs == ours
    assert set(told["passwords"]) == {"AdminPassword", "CephClientKey", "KeystoneFernetKeys", "MigrationSshKey"}


def test_the_plan_s_own_passwords_are_kept_when_new_templates_come_without(tmp_path, store):
    store.create_version("p", templates=templates(tmp_path), phase="prepare")
    bare = write_plan(tmp_path / "bare")
    assert defaults(store.create_version("p", templates=bare, phase="prepare"))["AdminPassword"] == "from-passwords"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"version": 2.0}, r"plan-environment.yaml, line 1: Version 2.0"),
        ({"template": "other.yaml"}, r"plan-environment.yaml, line 3: The template is 'other.yaml'"),
        ({"environments": [{"path": REGISTRY}, {"path": "gone.yaml"}]}, r"line 6: There is no environment gone.yaml"),
        ({"environments": [{"path": REGISTRY}, "bare.yaml"]}, r"plan-environment.yaml, line 6: An environment must be"),
        ({"environments": {"path": "x"}}, r"plan-environment.yaml, line 4: environments must be a list"),
        ({"passwords": ["hush"]}, r"plan-environment.yaml, line \d+: passwords must be a mapping"),
        ({"parameter_defaults": {"KeystoneWorkrs": 1}}, r"plan-environment.yaml, line 1\d: .*mean KeystoneWorkers"),
    ],
)
def test_what_is_wrong_in_it_is_told_with_its_line(tmp_path, store, changes, told):
    with pytest.raises(InvalidTemplates, match=told) as caught:
        store.create_version("p", templates=templates(tmp_path, **changes), phase="prepare")
    assert "hush" not in str(caught.value)
    assert "from-passwords" not in str(caught.value.to_dict())


def test_every_password_has_the_form_that_its_readers_take_apart():
    made = passwords.complete({"AdminPassword": "kept"}, passwords.NAMES)
    assert made["AdminPassword"] == "kept"
    assert set(made) == passwords.NAMES
    assert all(re.fullmatch(r"[A-Za-z0-9]{25}", made[name]) for name in ("NovaPassword", "SwiftHashSuffix"))
    assert (len(made["RabbitCookie"]), len(made["HeatAuthEncryptionKey"])) == (20, 32)
    assert len(made["PacemakerRemoteAuthkey"]) == 4096
    cephx = base64.b64decode(made["CephClientKey"])
    assert (len(cephx), cephx[:2], cephx[10:12]) == (28, b"\x01\x00", b"\x10\x00")
    for key in (made["KeystoneCredential0"], made["BarbicanSimpleCryptoKek"]):
        assert len(base64.urlsafe_b64decode(key)) == 32
    assert set(made["KeystoneFernetKeys"]) == {"/etc/keystone/fernet-keys/0", "/etc/keystone/fernet-keys/1"}
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", made["CephClusterFSID"])
    pair = made["MigrationSshKey"]
    private = serialization.load_pem_private_key(pair["private_key"].encode(), None)
    assert pair["private_key"].startswith("-----BEGIN RSA PRIVATE KEY-----")
    public = serialization.load_ssh_public_key(" ".join(pair["public_key"].split()[:2]).encode())
    assert public.public_numbers() == private.public_key().public_numbers()
    assert made["NovaPassword"] != passwords.complete({}, ["NovaPassword"])["NovaPassword"]
