from __future__ import annotations

import configparser
import json
import socket
import stat
import subprocess
import sys

import pytest

from tripleo_ffwd import config
from tripleo_ffwd.embedded import configuration, ports
from tripleo_ffwd.embedded.site import open_site
from tripleo_ffwd.exceptions import ConfigurationError, InvalidInput

# Runs the console script's function in a Python where the extra is not installed.
WITHOUT_EXTRA = """
import importlib.util, sys
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in ("mistral", "heat") else real(name, *rest)
sys.modules["mistral"] = sys.modules["heat"] = None
import argparse
from tripleo_ffwd.cli import undercloud
from tripleo_ffwd.exceptions import FfwdError
parser = argparse.ArgumentParser()
undercloud.add_parser(parser.add_subparsers())
args = parser.parse_args(sys.argv[1:])
try:
    sys.exit(args.func(args))
except FfwdError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


def without_extra(*words):
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRA, "undercloud", *words], capture_output=True, text=True, check=False
    )


def test_without_the_extra_a_start_says_what_to_install(tmp_path):
    done = without_extra("start", "--dir", str(tmp_path))

    assert done.returncode == 1
    assert "ConfigurationError" in done.stderr
    assert "pip install tripleo-ffwd[embedded]" in done.stderr


def test_status_of_an_undercloud_that_never_ran(tmp_path):
    done = without_extra("status", "--json", "--dir", str(tmp_path))

    assert done.returncode == 0
    found = json.loads(done.stdout)
    log = str(tmp_path / "mistral" / "mistral.log")
    assert found["mistral"] == {"url": "", "pid": None, "log": log, "running": False}
    assert found["work_dir"] == str(tmp_path / "work")


def test_stop_of_an_undercloud_that_never_ran_does_nothing(tmp_path):
    done = without_extra("stop", "--dir", str(tmp_path))

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("stopped") == 2


def test_mistral_runs_ansible_in_the_state_directory_over_the_nodes_ssh_port(tmp_path):
    site = open_site(tmp_path / "a$b")

    path = configuration.write_mistral(site, port=20001, heat_port=20002)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    values = config.load_file(path)
    assert values.work_dir == str(site.work)
    assert values.heat_url == "http://127.0.0.1:20002/v1/admin"
    assert values.launcher == "detach"
    assert values.ssh_user == "heat-admin"
    assert values.ssh_port == site.ssh_port
    assert values.ssh_key_file == str(site.ssh_key_file)


def test_heat_keeps_its_encryption_key_over_starts(tmp_path):
    site = open_site(tmp_path)

    first = configuration.write_heat(site, port=20002).read_text()

    assert configuration.write_heat(site, port=20002).read_text() == first
    parser = configparser.RawConfigParser()
    parser.read_string(first)
    assert len(parser["DEFAULT"]["auth_encryption_key"]) == 32


def test_ports_are_chosen_once(tmp_path):
    path = tmp_path / "ports.json"

    first = ports.choose(path, {}, running=())

    assert first["mistral"] != first["heat"]
    assert ports.choose(path, {}, running=()) == first
    assert ports.choose(path, {}, running=("mistral", "heat")) == first


def test_a_taken_port_is_refused_by_name(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(ConfigurationError, match=f"Port {port} for Heat is taken.*--heat-port"):
            ports.choose(tmp_path / "ports.json", {"heat": port}, running=())

    assert not (tmp_path / "ports.json").exists()


def test_another_port_than_a_running_service_has_is_refused(tmp_path):
    path = tmp_path / "ports.json"
    kept = ports.choose(path, {}, running=())

    with pytest.raises(InvalidInput, match="Mistral runs on port"):
        ports.choose(path, {"mistral": kept["mistral"] + 1}, running=("mistral",))


def test_one_port_for_both_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="both services"):
        ports.choose(tmp_path / "ports.json", {"mistral": 20001, "heat": 20001}, running=())
