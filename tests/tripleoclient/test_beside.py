"""The unmodified clients and our commands: in one environment, and option by option."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from tripleo_client import Client

from tripleo_ffwd.cli.osc import phases

OURS = {
    "overcloud ffwd-upgrade prepare": phases.Prepare,
    "overcloud ffwd-upgrade run": phases.Run,
    "overcloud ffwd-upgrade converge": phases.Converge,
    "overcloud upgrade run": phases.Upgrade,
}
ENVIRONMENTS = os.environ.get("FFWD_TEST_TRIPLEOCLIENT", "").split()
DOCUMENTATION = Path(__file__).parents[2] / "doc/source/commands.rst"

# In the client's own environment: its options by command, and whether each takes a value.
_OPTIONS = """
import argparse, json, sys
from tripleoclient.v1 import overcloud_ffwd_upgrade as ffwd, overcloud_upgrade as upgrade
commands = {
    "overcloud ffwd-upgrade prepare": ffwd.FFWDUpgradePrepare,
    "overcloud ffwd-upgrade run": ffwd.FFWDUpgradeRun,
    "overcloud ffwd-upgrade converge": ffwd.FFWDUpgradeConverge,
    "overcloud upgrade run": upgrade.UpgradeRun,
}
app = argparse.Namespace(client_manager=None, options=None)
found = {}
for name, command in commands.items():
    actions = command(app, None).get_parser(name)._actions
    found[name] = {option: one.nargs != 0 for one in actions for option in one.option_strings}
print(json.dumps(found))
"""
# In ours, with the client's metadata beside it: whose each command is after OpenStackClient has loaded all.
_COMMANDS = """
import json, sys
place, root = sys.argv[1:]
sys.path.insert(0 if place == "before" else len(sys.path), root)
from openstackclient import shell
app = shell.OpenStackShell()
code = app.run(["--os-auth-type", "none", "--os-endpoint", "http://127.0.0.1:9", "overcloud", "plan", "list"])
print(json.dumps({name: getattr(entry, "value", "") for name, entry in app.command_manager.commands.items()}))
sys.exit(code)
"""
# For the client's own modules, which are for a Python that ours is not for.
_COMMAND = """
from osc_lib.command import command

class {name}(command.Command):
    "The client's own."

    def take_action(self, parsed_args):
        print("the client's own")
"""
_PLUGIN = """
API_NAME, API_VERSION_OPTION, DEFAULT_API_VERSION = "tripleoclient", "os_tripleoclient_api_version", "1"
API_VERSIONS = {"1": "tripleoclient.plugin", "2": "tripleoclient.plugin"}

def make_client(instance):
    return None

def build_option_parser(parser):
    parser.add_argument("--os-tripleoclient-api-version", default="%s")
    return parser
"""


@pytest.fixture
def clients(tmp_path) -> dict[str, Client]:
    """The installed clients by release: queens, train, queens-2."""
    if not ENVIRONMENTS:
        pytest.skip("needs the clients: make test-tripleoclient")
    found = [Client(Path(path), {}, tmp_path / "home") for path in ENVIRONMENTS]
    return {client.release: client for client in found}


def stand_in(client: Client, root: Path) -> dict[str, str]:
    """Put the client's metadata, as its wheel brought it, and modules of its names into `root`; return its commands."""
    shutil.copytree(client.record.parent, root / client.record.parent.name)
    entries = metadata.Distribution.at(client.record.parent).entry_points
    (group,) = {entry.group for entry in entries if entry.group.startswith("openstack.tripleoclient.")}
    commands = [entry for entry in entries if entry.group == group]
    for module in {entry.module for entry in commands}:
        path = root / f"{module.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        names = dict.fromkeys(entry.attr for entry in commands if entry.module == module)
        path.write_text("".join(_COMMAND.format(name=name) for name in names))
    (root / "tripleoclient" / "plugin.py").write_text(_PLUGIN % group[-1])
    return {entry.name.replace("_", " "): entry.value for entry in commands}


def client_options(client: Client) -> dict[str, dict[str, bool]]:
    done = subprocess.run(
        [client.environment / "bin" / "python", "-W", "ignore", "-c", _OPTIONS],
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(done.stdout))


def our_options(command: type[Any]) -> dict[str, bool]:
    parser = command(argparse.Namespace(client_manager=None, options=None), None).get_parser("x")
    return {option: one.nargs != 0 for one in parser._actions for option in one.option_strings}


def documented(command: str) -> set[str]:
    """The options in the tables below a command's name."""
    text = DOCUMENTATION.read_text(encoding="utf-8").partition("Options of the Queens client\n")[2]
    text = text.partition("Options that Queens does not have")[0]
    words = command.split()
    # `prepare` and `converge` share a table.
    title = f"``{command}``" if words[-1] == "run" else "``overcloud ffwd-upgrade prepare`` and ``converge``"
    table = re.split(r"\n``overcloud ", text.partition(f"\n{title}\n")[2])[0]
    return set(re.findall(r"``(--?[\w-]+)``", table))


@pytest.mark.parametrize("command", OURS)
def test_each_option_of_queens_is_there_takes_what_it_took_and_is_documented(clients, command):
    theirs = client_options(clients["queens"])[command]
    ours = our_options(OURS[command])
    assert {option: ours.get(option) for option in theirs} == theirs
    assert set(theirs) - {"-h", "--help"} - documented(command) == set()


@pytest.mark.parametrize("place", ["before", "behind"])
@pytest.mark.parametrize("release", ["queens", "train"])
def test_four_names_are_ours_and_all_others_stay_the_clients(clients, tmp_path, release, place):
    theirs = stand_in(clients[release], tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", _COMMANDS, place, str(tmp_path)],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "duplicate" not in done.stderr
    *said, listed = done.stdout.splitlines()
    assert said == ["the client's own"]
    found = json.loads(listed)
    assert {found[name].partition(":")[0] for name in OURS} == {"tripleo_ffwd.cli.osc.phases"}
    assert set(OURS) <= set(theirs)
    kept = {name: value for name, value in theirs.items() if name not in OURS}
    assert {name: found.get(name) for name in kept} == kept and len(kept) > 40
