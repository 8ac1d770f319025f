"""Bad input is refused before anything is touched, by name and value."""

from __future__ import annotations

import pytest

from tripleo_ffwd.actions import inputs
from tripleo_ffwd.exceptions import InvalidInput


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("poll_interval", 0, "poll_interval must be a whole number of at least 1, not 0"),
        ("poll_interval", "5", "poll_interval must be a whole number of at least 1, not '5'"),
        ("timeout", 0.5, "timeout must be a whole number"),
        ("run_timeout", True, "run_timeout must be a whole number"),
        ("environments", "network.yaml", "environments must be a list of texts, not 'network.yaml'"),
        ("environments", [{"path": "a.yaml"}], "environments must be a list of texts"),
        ("roles", "Controller", "roles must be a list of texts, not 'Controller'"),
        ("nodes", [""], "nodes must be a list of texts"),
        ("dry_run", "false", "dry_run must be true or false, not 'false'"),
        ("skip_tags", ["a"], "skip_tags must be a text"),
        ("templates", 5, "templates must be a text, not 5"),
        ("extra_vars", "a=b", "extra_vars must be an object"),
        ("forks", 0, "forks must be a whole number of at least 1, not 0"),
        ("verbosity", 5, "verbosity must be a whole number from 0 to 4, not 5"),
        ("job", "upgrade", "job must be one of update, external_update, external_upgrade, not 'upgrade'"),
        ("job", ["update"], "job must be one of"),
        ("resume", "yes", "resume must be true or false, not 'yes'"),
    ],
)
def test_a_wrong_value_is_named(name, value, told):
    with pytest.raises(InvalidInput) as caught:
        inputs.check({name: value})
    assert told in str(caught.value)
    assert caught.value.where == name


def test_extra_vars_are_not_shown():
    with pytest.raises(InvalidInput) as caught:
        inputs.check({"extra_vars": "password=planted"})
    assert "planted" not in str(caught.value)


def test_what_is_not_given_is_fine():
    inputs.check({"timeout": None, "roles": None, "resume": False, "extra_vars": {}, "poll_interval": 1})
    inputs.check(None)
