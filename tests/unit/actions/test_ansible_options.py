"""The input `ansible`: checked by name, [ffwd] behind it."""

from __future__ import annotations

from typing import Any

import pytest
from oslo_config import cfg

from tripleo_ffwd import config
from tripleo_ffwd.actions import ansible_options, inputs
from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.model import RunSpec


def conf(**values: Any) -> cfg.GroupAttr:
    loaded = cfg.ConfigOpts()
    loaded(args=[], default_config_files=[])
    config.load(loaded)
    for name, value in values.items():
        loaded.set_override(name, value, group="ffwd")
    return loaded.ffwd


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"stratgy": "free"}, "ansible has no 'stratgy'. It takes become, become_method, become_user, "),
        ({"serial": 0}, "ansible.serial must be a number of nodes, a share of them such as '25%', or a list of those"),
        ({"serial": []}, "ansible.serial must be"),
        ({"serial": ["1", "some"]}, "ansible.serial must be"),
        ({"become": "yes"}, "ansible.become must be true or false, not 'yes'"),
        ({"pipelining": 1}, "ansible.pipelining must be true or false, not 1"),
        ({"connect_timeout": "5"}, "ansible.connect_timeout must be a whole number of at least 1, not '5'"),
        ({"library": ["/a"]}, "ansible.library must be a text"),
        ("free", "ansible must be an object"),
    ],
)
def test_a_wrong_one_is_named_with_those_that_there_are(given: Any, told: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        inputs.check({"ansible": given})
    assert told in str(caught.value)


def test_options_of_ssh_are_not_shown() -> None:
    with pytest.raises(InvalidInput) as caught:
        inputs.check({"ansible": {"ssh_extra_args": ["-o ProxyCommand=connect planted"]}})
    assert "planted" not in str(caught.value)


def test_each_becomes_a_field_of_what_is_run() -> None:
    given = {
        "become": False,
        "become_user": "stack",
        "become_method": "su",
        "collections_path": "/c",
        "inventory_file": "/i",
        "connect_timeout": 5,
        "gather_timeout": 60,
        "library": "/l",
        "pipelining": False,
        "roles_path": "/r",
        "serial": [1, "25%"],
        "ssh_extra_args": "-o A=b",
        "strategy": "linear",
    }
    assert set(given) == set(ansible_options.OPTIONS)
    spec = RunSpec("p", "run", "x.yaml", "/t", "d", **ansible_options.fields(conf(), given))
    assert (spec.become, spec.become_user, spec.become_method, spec.connect_timeout) == (False, "stack", "su", 5)
    assert (spec.ansible_collections_path, spec.ansible_library, spec.ansible_roles_path) == ("/c", "/l", "/r")
    assert spec.gather_timeout == 60
    assert (spec.pipelining, spec.serial, spec.ssh_extra_args, spec.strategy) == (False, (1, "25%"), "-o A=b", "linear")


def test_what_is_not_given_is_what_the_configuration_says() -> None:
    found = ansible_options.fields(conf(ansible_serial="1, 50%", ssh_pipelining=False), {"become": None})
    # As root, as TripleO runs its playbooks: some of them don't say so themselves.
    assert (found["become"], found["become_user"]) == (True, "root")
    assert (found["serial"], found["pipelining"], found["strategy"]) == ((1, "50%"), False, "linear")
    assert ansible_options.fields(conf(), None)["serial"] == ()


@pytest.mark.parametrize(("given", "sizes"), [(2, (2,)), ("30%", ("30%",)), ("2", (2,)), ([1, "5"], (1, 5))])
def test_sizes_come_in_several_shapes(given: Any, sizes: tuple[int | str, ...]) -> None:
    inputs.check({"ansible": {"serial": given}})
    assert ansible_options.fields(conf(), {"serial": given})["serial"] == sizes
