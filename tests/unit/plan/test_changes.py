"""What a new version changes, as an operator reads it before the stack is touched; secrets covered."""

from __future__ import annotations

import json

import pytest
from plan_stores import CONVERGE, PREPARE, write

from tripleo_ffwd import redaction
from tripleo_ffwd.cli import plan_text
from tripleo_ffwd.plan import changes
from tripleo_ffwd.plan.store import PlanStore

EMPTY = {"added": {}, "removed": {}, "changed": {}}


@pytest.fixture
def store(tmp_path):
    return PlanStore(tmp_path / "work")


def version(store, templates, files, *, phase="prepare"):
    write(templates, files)
    return store.create_version("p", templates=templates, environments=list(ENVIRONMENTS), phase=phase)


ENVIRONMENTS = ("environments/a.yaml", "environments/b.yaml")


def test_parameters_and_types_are_compared_as_heat_gets_them(store, templates):
    old = version(
        store,
        templates,
        {
            ENVIRONMENTS[0]: "parameter_defaults: {Same: 1, Over: 1, Gone: 1, Map: {x: 1, y: 1}}\n"
            "resource_registry: {'OS::Own::A': ../puppet/compute-role.yaml, 'OS::Own::B': 'OS::Heat::None'}\n",
            ENVIRONMENTS[1]: "parameter_defaults: {Over: 2, Map: {y: 2}}\n",
        },
    )
    new = version(
        store,
        templates,
        {
            # What a later environment says again is no change.
            ENVIRONMENTS[0]: "parameter_defaults: {Same: 1, Over: 7, New: [1], Map: {x: 3}}\n"
            "resource_registry: {'OS::Own::A': ../puppet/controller-role.yaml, 'OS::Own::C': 'OS::Heat::Value'}\n",
            "puppet/new.yaml": "a: 1\n",
        },
    )
    found = changes.compare(old, new)
    assert found["parameters"] == {
        "covered": [],
        "added": {"New": [1]},
        "removed": {"Gone": 1},
        "changed": {"Map": [{"x": 1, "y": 2}, {"x": 3, "y": 2}]},
    }
    assert found["types"] == {
        "added": {"OS::Own::C": "OS::Heat::Value"},
        "removed": {"OS::Own::B": "OS::Heat::None"},
        "changed": {"OS::Own::A": ["puppet/compute-role.yaml", "puppet/controller-role.yaml"]},
    }
    assert found["environments"]["changed"] == [ENVIRONMENTS[0]]
    assert found["templates"] == {"added": ["puppet/new.yaml"], "removed": [], "changed": []}
    assert (found["old"], found["new"], found["equal"]) == (1, 2, False)
    json.dumps(found)


def test_another_phase_shows_what_its_environment_does(store, templates):
    files = dict.fromkeys(ENVIRONMENTS, "{}\n")
    old, new = (version(store, templates, files, phase=phase) for phase in ("prepare", "converge"))
    found = changes.compare(old, new)
    assert PREPARE in found["environments"]["before"] and CONVERGE in found["environments"]["after"]
    assert found["parameters"]["changed"] == {"Phase": ["prepare", "converge"]}


def test_the_same_is_equal_and_the_first_version_adds_everything(store, templates):
    made = version(store, templates, dict.fromkeys(ENVIRONMENTS, "parameter_defaults: {One: 1}\n"))
    found = changes.compare(made, made)
    assert found["equal"] and found["parameters"] == {**EMPTY, "covered": []} and found["types"] == EMPTY
    found = changes.compare(None, made)
    assert not found["equal"] and found["old"] is None
    assert found["parameters"]["added"]["One"] == 1 and "overcloud.yaml" in found["templates"]["added"]


def test_secrets_are_named_and_their_values_nowhere(store, templates):
    def files(mark: str) -> dict[str, str]:
        return {
            "puppet/svc.yaml": "heat_template_version: queens\nparameters:\n"
            "  OddlyNamed: {type: string, hidden: true}\n  Plain: {type: string, hidden: false}\n",
            ENVIRONMENTS[0]: "parameter_defaults:\n"
            f"  AdminPassword: {mark}1\n  OddlyNamed: {mark}2\n  Plain: shown-{mark[-1]}\n"
            f"  ControllerExtraConfig: {{'keystone::admin_token': {mark}3, 'nova::workers': 4,\n"
            f"    deep: [{{key: {mark}4}}]}}\n"
            f"  Url: 'http://user:{mark}5@host/'\n"
            f"  Text: |\n    -----BEGIN RSA PRIVATE KEY-----\n    {mark}6\n",
            ENVIRONMENTS[1]: "{}\n",
        }

    old, new = (version(store, templates, files(mark)) for mark in ("planted-a", "planted-b"))
    found = changes.compare(old, new)
    text = json.dumps(found)
    assert "planted" not in text
    changed = found["parameters"]["changed"]
    assert changed["AdminPassword"] == changed["OddlyNamed"] == changed["Text"] == [redaction.MASK] * 2
    assert changed["Plain"] == ["shown-a", "shown-b"]
    shown = {"keystone::admin_token": redaction.MASK, "nova::workers": 4, "deep": [{"key": redaction.MASK}]}
    assert changed["ControllerExtraConfig"] == [shown, shown]
    assert changed["Url"] == [f"http://user:{redaction.MASK}@host/"] * 2
    assert found["parameters"]["covered"] == [
        "AdminPassword",
        "ControllerExtraConfig.deep[0].key",
        "ControllerExtraConfig.keystone::admin_token",
        "OddlyNamed",
        "Text",
        "Url",
    ]
    assert "planted" not in json.dumps(changes.compare(None, new))


def test_a_secret_within_a_value_is_told_beside_what_is_shown(store, templates):
    def files(mark: str, more: str) -> dict[str, str]:
        value = f"workers: {len(more)}, 'nova::db_password': {mark}, kept_key: same, lists: [{{key: {mark}}}, 2{more}]"
        other = f"[{{key: {mark}}}, {{a: {mark}}}]"
        return {
            ENVIRONMENTS[0]: f"parameter_defaults:\n  Extra: {{{value}}}\n  Other: {other}\n",
            ENVIRONMENTS[1]: "{}\n",
        }

    old, new = (version(store, templates, files(*one)) for one in (("planted-a", ""), ("planted-b", ", 3")))
    told = "\n".join(plan_text.changes(changes.compare(old, new)))
    assert told.partition("parameters\n")[2] == (
        "~ Extra\n"
        "    ~ Extra.lists\n"
        "        + 3\n"
        "    ~ Extra.nova::db_password: ****** (changed)\n"
        "    ~ Extra.workers: 0 → 3\n"
        "~ Other\n"
        '    - {"a": "planted-a"}\n'
        '    + {"a": "planted-b"}\n'
        "    ~ Other[0].key: ****** (changed)"
    )


SECRETS = """
AdminPassword HorizonSecret CephClientKey KeystoneFernetKeys KeystoneCredential0 RabbitCookie AdminToken SSLKey ssh_key
PacemakerRemoteAuthkey OctaviaCaKeyPassphrase MigrationSshKey nova::db_password api-token BarbicanSimpleCryptoKek
private_key
"""


@pytest.mark.parametrize("name", SECRETS.split())
def test_names_of_secrets(name):
    assert redaction.is_secret(name)


@pytest.mark.parametrize(
    "name", ["KeystoneRegion", "NtpServer", "keystone::workers", "DockerNamespace", "ControllerCount"]
)
def test_names_of_none(name):
    assert not redaction.is_secret(name)
