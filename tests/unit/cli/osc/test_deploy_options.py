"""What becomes of the options of TripleO's prepare and converge."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from tripleo_ffwd.cli.osc import deploy_options
from tripleo_ffwd.exceptions import InvalidInput, NotFound

# As `openstack overcloud ffwd-upgrade converge --help` of python-tripleoclient 9.3.1 shows them, without its own --yes.
QUEENS = (
    "--templates --stack --timeout -t --control-scale --compute-scale --ceph-storage-scale --block-storage-scale "
    "--swift-storage-scale --control-flavor --compute-flavor --ceph-storage-flavor --block-storage-flavor "
    "--swift-storage-flavor --libvirt-type --ntp-server --no-proxy --overcloud-ssh-user --overcloud-ssh-key "
    "--environment-file -e --environment-directory --roles-file -r --networks-file -n --plan-environment-file -p "
    "--no-cleanup --update-plan-only --validation-errors-nonfatal --validation-warnings-fatal --disable-validations "
    "--dry-run --run-validations --skip-postconfig --force-postconfig --skip-deploy-identifier --rhel-reg --reg-method "
    "--reg-org --reg-force --reg-sat-url --reg-activation-key --answers-file --disable-password-generation "
    "--deployed-server --config-download --output-dir"
)
# Of other commands, or of the commands themselves.
ELSEWHERE = {"--stack", "--overcloud-ssh-user", "--overcloud-ssh-key", "--dry-run"}


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    deploy_options.add_options(parser, deploy_options.CEPH_ANSIBLE)
    return parser.parse_args(arguments)


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_option_of_the_queens_client_is_known():
    parser = argparse.ArgumentParser()
    deploy_options.add_options(parser, deploy_options.CEPH_ANSIBLE)
    known = {name for action in parser._actions for name in action.option_strings}
    assert set(QUEENS.split()) - ELSEWHERE <= known
    assert "--ceph-ansible-playbook" in known


def test_every_option_of_the_queens_client_is_in_the_documentation():
    text = (Path(__file__).parents[4] / "doc/source/commands.rst").read_text(encoding="utf-8")
    mentioned = {name for word in text.split("``") for name in word.replace(",", " ").split()}
    more = {"--nodes", "--roles", "--playbook", "--static-inventory", "--ssh-user", "--skip-tags", "--yes"}
    assert {*QUEENS.split(), *more, "--ceph-ansible-playbook"} - mentioned == set()


def test_without_options_the_plan_keeps_its_templates_and_environments(home):
    assert deploy_options.arguments(parse(), {}) == {"timeout": 240}


def test_templates_without_a_value_are_those_of_the_package(home):
    assert deploy_options.arguments(parse("--templates"), {})["templates"] == deploy_options.TEMPLATES
    assert deploy_options.arguments(parse("--templates", "swift:ours"), {})["templates"] == "swift:ours"


def test_environments_come_in_the_order_of_the_queens_client(home):
    for name in ("own/b.yaml", "own/a.yaml", ".tripleo/environments/site.yaml", "var/last.yaml", "here.yaml"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("parameter_defaults: {}\n")
    (home / "answers.yaml").write_text("templates: /usr/share/t\nenvironments: [/etc/answered.yaml]\n")
    options = parse("-e", "here.yaml", "-e", "/etc/there.yaml", "-e", "environments/ssl.yaml", "--timeout", "90")
    options.environment_directories.append(str(home / "own"))
    options.answers_file = "answers.yaml"
    assert deploy_options.arguments(options, {"TRIPLEO_ENVIRONMENT_DIRECTORY": str(home / "var")}) == {
        "timeout": 90,
        "templates": "/usr/share/t",
        "environments": [
            str(home / ".tripleo/environments/site.yaml"),
            str(home / "own/a.yaml"),
            str(home / "own/b.yaml"),
            str(home / "var/last.yaml"),
            "/etc/answered.yaml",
            str(home / "here.yaml"),
            "/etc/there.yaml",
            "environments/ssl.yaml",
        ],
    }


def test_a_directory_of_environments_that_is_not_there_is_named(home):
    with pytest.raises(NotFound, match=r"nowhere: There is no such directory of environments"):
        deploy_options.arguments(parse("--environment-directory", "nowhere"), {})


@pytest.mark.parametrize(
    ("text", "told"),
    [("environments: one.yaml\n", "mapping of `templates`"), ("- a\n", "mapping of"), ("a: [\n", "no YAML")],
)
def test_a_wrong_answers_file_is_named(home, text, told):
    (home / "answers.yaml").write_text(text)
    with pytest.raises(InvalidInput, match=told) as caught:
        deploy_options.arguments(parse("--answers-file", "answers.yaml"), {})
    assert caught.value.where == "answers.yaml"


@pytest.mark.parametrize("option", [one for one in deploy_options.WITHOUT if one.refused], ids=lambda one: one.names[0])
def test_what_would_not_happen_is_refused(option):
    values = ["value"] if option.takes else []
    with pytest.raises(InvalidInput) as caught:
        deploy_options.check(parse(option.names[-1], *values), deploy_options.CEPH_ANSIBLE)
    assert str(caught.value) == f"{option.names[0]} has no place here: {option.why}"


def test_what_has_no_effect_says_so(capsys):
    options = parse("--no-cleanup", "--output-dir", "/tmp/x", "--ceph-ansible-playbook", "/usr/share/x.yml")
    deploy_options.check(options, deploy_options.CEPH_ANSIBLE)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(" ")[0] for line in lines] == ["--no-cleanup", "--output-dir", "--ceph-ansible-playbook"]
    assert all(" has no effect: " in line for line in lines)
