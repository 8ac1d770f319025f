"""Random playbooks in the supported language: the templates' tree and ours execute the same, whatever they hold.

`make test` takes some programs that are always the same; FFWD_TEST_DIFFERENTIAL=all takes many new ones each time
(FFWD_TEST_PROGRAMS says how many). A failure prints the program, shrunk.
"""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from differential import compare, programs
from differential.compare import Ansible
from hypothesis import HealthCheck, Phase, given, note, reject, settings
from hypothesis import strategies as st

from tripleo_ffwd.exceptions import UnsupportedConstruct
from tripleo_ffwd.playbook_gen.options import GenerateOptions

ALL = os.environ.get("FFWD_TEST_DIFFERENTIAL") == "all"
COUNT = int(os.environ.get("FFWD_TEST_PROGRAMS", "150")) if ALL else 5
# Shrinking runs a program that fails a hundred times: worth it where somebody waits for the result.
PHASES = [Phase.explicit, Phase.generate, *([Phase.shrink] if ALL else [])]
SETTINGS = settings(
    max_examples=COUNT,
    deadline=None,
    database=None,
    derandomize=not ALL,
    phases=PHASES,
    print_blob=True,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
PLAYBOOK = "fast_forward_upgrade_playbook.yaml"
SELECTIONS = st.sampled_from(
    (
        {"tags": "t1"},
        {"tags": "t1,t2"},
        {"tags": "always"},
        {"tags": "t2", "skip_tags": "t1"},
        {"skip_tags": "t1"},
        {"skip_tags": "t2,never"},
        {"skip_tags": "always"},
        {"tags": "all,never"},
    )
)
EXTRA_VARS = st.sampled_from(
    ({"f0": True}, {"f1": "no"}, {"r0": {"rc": 0, "stdout": "enabled"}}, {"v0": "given", "is_bootstrap_node": True})
)


def check(outputs: dict[str, Any], seed: int, selection: dict[str, Any], ansible: Ansible, directory: Path) -> None:
    shown = {key: outputs[key] for key in ("RoleConfig", "RoleData")}
    note(f"seed {seed}, {selection}\n{yaml.safe_dump(shown, sort_keys=False)}")
    try:
        trees = compare.write_trees(outputs, directory, ansible, GenerateOptions(phase="run"))
        compare.compare_trees(trees, PLAYBOOK, str(seed), ansible, **selection)
    except (UnsupportedConstruct, compare.Refused):
        reject()  # with its reason: not compiled, or not run, is not wrong
    shutil.rmtree(directory)


@pytest.fixture()
def directories(tmp_path: Path) -> Any:
    """A new directory for each program."""
    return (tmp_path / str(number) for number in itertools.count())


@SETTINGS
@given(programs.programs(), st.integers(0, 3))
def test_any_program_runs_the_same_tasks(
    each_ansible: Ansible, directories: Any, outputs: dict[str, Any], seed: int
) -> None:
    check(outputs, seed, {}, each_ansible, next(directories))


@SETTINGS
@given(programs.programs(), st.integers(0, 3), SELECTIONS)
def test_tags_select_the_same_tasks(
    ansible: Ansible, directories: Any, outputs: dict[str, Any], seed: int, selection: dict[str, Any]
) -> None:
    check(outputs, seed, selection, ansible, next(directories))


@SETTINGS
@given(programs.programs(), st.integers(0, 3), EXTRA_VARS)
def test_extra_variables_mean_the_same(
    ansible: Ansible, directories: Any, outputs: dict[str, Any], seed: int, given_: dict[str, Any]
) -> None:
    check(outputs, seed, {"extra_vars": given_}, ansible, next(directories))
