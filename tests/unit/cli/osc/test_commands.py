"""The commands of `openstack` before they reach a Mistral, or when there is none: options, errors, who has a name."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from openstack_cli import Openstack

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


def test_a_mistral_that_is_down_is_named(openstack, nobody):
    for command in ([*FFWD, "status"], [*FFWD, "run", "--yes"], ["overcloud", "upgrade", "run", "--roles", "Compute"]):
        done = openstack(*command)
        assert done.code == 1
        assert f"{nobody}: Mistral does not answer" in done.err
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


@pytest.mark.parametrize("answer", ["", "no\n", "Yes\n", "y\n"])
def test_anything_but_yes_begins_nothing(openstack, answer):
    done = openstack(*FFWD, "converge", stdin=answer)
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


def test_completion_knows_the_commands(openstack):
    text = openstack("complete").out
    assert set(OURS) <= set(text.partition("cmds_overcloud_ffwd_upgrade='")[2].partition("'")[0].split())
    assert "--skip-tags" in text.partition("cmds_overcloud_upgrade_run=")[2].partition("\n")[0]


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
