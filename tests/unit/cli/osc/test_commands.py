"""The commands of `openstack` before they reach a Mistral, or when there is none: options, errors, who has a name."""

from __future__ import annotations

import argparse
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from openstack_cli import Openstack

from tripleo_ffwd.cli.osc.check import Check
from tripleo_ffwd.cli.osc.nodes import ListNodes
from tripleo_ffwd.cli.osc.overview import ListRuns, Status
from tripleo_ffwd.cli.osc.reports import Preview

FFWD = ("overcloud", "ffwd-upgrade")
OURS = (
    "cancel",
    "check",
    "converge",
    "list",
    "nodes",
    "pause",
    "prepare",
    "preview",
    "report",
    "resume",
    "run",
    "status",
    "watch",
)


@pytest.fixture(scope="module")
def nobody() -> str:
    """An address at which nobody answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    return f"http://127.0.0.1:{port}/v2"


@pytest.fixture(scope="module")
def openstack(tmp_path_factory, nobody):
    client = Openstack(tmp_path_factory.mktemp("operator"), {"OS_MISTRAL_URL": nobody})
    yield client
    client.close()


@pytest.mark.parametrize("command", [*OURS, "upgrade run"])
def test_a_mistral_that_is_down_is_named(openstack, nobody, command):
    yes = ["--yes"] if command in ("prepare", "run", "converge") else []
    words = ["upgrade", "run", "--roles", "Compute"] if command == "upgrade run" else ["ffwd-upgrade", command, *yes]
    done = openstack("overcloud", *words)
    assert done.code == 1
    assert f"{nobody}: Mistral does not answer: Connection refused" in done.err
    assert "Traceback" not in done.err


def test_an_endpoint_that_is_no_mistral_is_named(openstack, tmp_path):
    server = subprocess.Popen(
        [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert server.stdout
        port = re.search(r"port (\d+)", server.stdout.readline())
        assert port
        url = f"http://127.0.0.1:{port[1]}/v2"
        done = openstack(*FFWD, "list", OS_MISTRAL_URL=url)
    finally:
        server.terminate()
        server.communicate()
    assert done.code == 1
    assert url in done.err
    assert "Traceback" not in done.err


def test_without_any_address_keystone_is_asked_for(openstack):
    done = openstack(*FFWD, "status", OS_MISTRAL_URL="")
    assert done.code == 1
    assert "auth-url" in done.err or "auth_url" in done.err


@pytest.mark.parametrize(
    ("phase", "answer"), [("prepare", "no\n"), ("run", "Yes\n"), ("run", "y\n"), ("converge", ""), ("converge", "no\n")]
)
def test_anything_but_yes_begins_nothing(openstack, phase, answer):
    done = openstack(*FFWD, phase, stdin=answer)
    assert done.code == 1
    assert "Proceed with the fast forward upgrade? Type 'yes' to continue" in done.out
    assert done.out.endswith("Cancelling fast forward upgrade\n")
    assert done.err == ""


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("upgrade run", "one of the arguments --nodes --roles is required"),
        ("upgrade run --nodes a --roles b", "argument --roles: not allowed with argument --nodes"),
        ("upgrade run --roles Compute --limit compute-0", "instead of --limit use --nodes or --roles"),
        ("upgrade run --nodes a --batch-size 5", "instead of --batch-size use --batches size=COUNT"),
        ("upgrade run --nodes compute-0 compute-1", "a list is one word, separated by commas"),
        ("ffwd-upgrade run --ssh_user stack", "instead of --ssh_user use --ssh-user"),
        ("ffwd-upgrade prepare --playbook all", "there is no --playbook"),
        ("ffwd-upgrade watch --execution-id 1", "instead of --execution-id use --execution"),
        ("ffwd-upgrade prepare --environment-fiel a.yaml", "use --environment-file"),
        ("ffwd-upgrade check --phase prepare", "choose from 'run', 'upgrade', 'converge'"),
        ("ffwd-upgrade check --limit compute-0", "instead of --limit use --nodes or --roles"),
        ("ffwd-upgrade preview --phases run", "instead of --phases use --phase"),
        ("ffwd-upgrade report --ouptut a.html", "instead of --ouptut use --output"),
        ("ffwd-upgrade status overcloud", "it takes no names without an option before them"),
        ("ffwd-upgrade list --limit many", "--limit: invalid int value: 'many'"),
        ("ffwd-upgrade list -f xml", "choose from"),
    ],
)
def test_wrong_options_name_the_right_ones(openstack, command, told):
    done = openstack("overcloud", *command.split())
    assert done.code == 2
    assert told in done.err


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("upgrade run --roles , ", "--roles names nothing"),
        ("upgrade run --nodes a --playbook deploy.yaml", "Use one of all, upgrade_steps_playbook.yaml, deploy_steps"),
        ("upgrade run --nodes a --skip-tags common", "--skip-tags common is not supported. Supported are validation"),
        ("ffwd-upgrade run --yes --static-inventory /nowhere/hosts", "/nowhere/hosts: There is no such inventory"),
        ("upgrade run --nodes a --batches 5", "--batches 5 is neither key=value nor a JSON object"),
        ("ffwd-upgrade prepare --yes --roles-file roles.yaml", "put it into the templates as roles_data.yaml"),
        ("ffwd-upgrade run --yes --extra-vars secret", "--extra-vars number 1 is neither key=value nor a JSON object"),
    ],
)
def test_what_is_wrong_is_refused_before_mistral_is_asked(openstack, command, told):
    done = openstack("overcloud", *command.split())
    assert done.code == 1
    assert told in done.err
    assert "does not answer" not in done.err


@pytest.mark.parametrize("command", [Status, ListNodes, ListRuns, Check, Preview], ids=lambda one: one.__name__)
def test_what_shows_data_takes_the_formats(command):
    parser = command(argparse.Namespace(client_manager=None, options=None), None).get_parser("x")
    (formats,) = (action.choices for action in parser._actions if "-f" in action.option_strings)
    assert {"table", "json", "yaml", "value"} <= set(formats)


# What bash-completion brings, as far as `openstack complete` needs it; then a line is typed, and Tab.
_COMPLETE = """
_get_comp_words_by_ref() { cur=${COMP_WORDS[COMP_CWORD]}; words=("${COMP_WORDS[@]}"); }
source "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_openstack
echo "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("overcloud ffwd-upgrade ", OURS),
        ("overcloud ffwd-upgrade sta", ["status"]),
        ("overcloud upgrade run --skip", ["--skip-tags"]),
        ("overcloud ffwd-upgrade check --extra", ["--extra-vars", "--extra-vars-file"]),
    ],
)
def test_tab_completes_the_commands_and_their_options(completion, typed, offered):
    words = ["bash", "-c", _COMPLETE, "bash", str(completion), "openstack", *typed.split(" ")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert set(offered) <= set(done.stdout.split()) and len(done.stdout.split()) <= len(offered) + 1


@pytest.fixture(scope="module")
def completion(openstack, tmp_path_factory) -> Path:
    """What `openstack complete` prints, as a file; the function is called after the program that prints it."""
    file = tmp_path_factory.mktemp("completion") / "openstack"
    text = openstack("complete").out
    file.write_text(text.replace(text.partition("()")[0], "_openstack"))
    return file


# A client that has our four names too, and one of its own.
_ENTRY_POINTS = """
[openstack.cli.extension]
tripleoclient = tripleoclient.plugin

[openstack.tripleoclient.v2]
overcloud_ffwd-upgrade_prepare = tripleoclient.commands:Theirs
overcloud_ffwd-upgrade_run = tripleoclient.commands:Theirs
overcloud_ffwd-upgrade_converge = tripleoclient.commands:Theirs
overcloud_upgrade_run = tripleoclient.commands:Theirs
overcloud_plan_export = tripleoclient.commands:Theirs
"""
_PLUGIN = """
API_NAME = "tripleoclient"
API_VERSION_OPTION = "os_tripleoclient_api_version"
API_VERSIONS = {"2": "tripleoclient.plugin"}
DEFAULT_API_VERSION = "2"

def make_client(instance):
    return None

def build_option_parser(parser):
    parser.add_argument("--os-tripleoclient-api-version", default="2")
    return parser
"""
_COMMANDS = """
from osc_lib.command import command

class Theirs(command.Command):
    "The other client's command."

    def take_action(self, parsed_args):
        print("the other client")
"""
_BOTH = """
import sys
place, root = sys.argv[1:]
sys.path.insert(0 if place == "before" else len(sys.path), root)
from openstackclient import shell
app = shell.OpenStackShell()
code = app.run(["--os-auth-type", "none", "--os-endpoint", "http://127.0.0.1:9", "overcloud", "plan", "export"])
for name in ("ffwd-upgrade prepare", "ffwd-upgrade run", "ffwd-upgrade converge", "upgrade run"):
    print(app.command_manager.find_command(["overcloud", *name.split()])[0].__module__)
sys.exit(code)
"""


@pytest.mark.parametrize("place", ["before", "behind"])
def test_beside_the_other_client_four_names_are_ours_and_the_rest_is_theirs(tmp_path: Path, openstack, place):
    root = tmp_path / "site"
    (root / "tripleoclient").mkdir(parents=True)
    for name, text in {"__init__": "", "plugin": _PLUGIN, "commands": _COMMANDS}.items():
        (root / "tripleoclient" / f"{name}.py").write_text(text)
    metadata = root / "python_tripleoclient-99.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: python-tripleoclient\nVersion: 99.0\n")
    (metadata / "entry_points.txt").write_text(_ENTRY_POINTS)
    done = subprocess.run(
        [sys.executable, "-c", _BOTH, place, str(root)],
        env={**openstack.environment, "XDG_CACHE_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["the other client", *["tripleo_ffwd.cli.osc.phases"] * 4]
    assert "duplicate" not in done.stderr
