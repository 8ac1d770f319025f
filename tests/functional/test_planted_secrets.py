"""Secrets planted wherever an operator has some, then looked for wherever we could have left them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import clouds
import keystone_stub
import psutil
import pytest
import requests
import yaml
from ansible_lab import supervisor_of
from clouds import Cloud
from secret_search import contents, found_in, rows, said_by_processes
from support import processes_naming

from tripleo_ffwd.cli.main import main
from tripleo_ffwd.embedded import faults, nodes, overcloud
from tripleo_ffwd.embedded.site import open_site
from tripleo_ffwd.plan import effective
from tripleo_ffwd.plan.places import Files
from tripleo_ffwd.plan.store import PlanStore

PLAN = "overcloud"
FIRST = "overcloud-controller-0"
WAITS = "planted-unit"

# Each has characters that other programs write otherwise.
SECRETS = {
    "extra_vars": 'pl4nted/v"1+9d1f',
    "extra_vars_file": "pl4nted/f'2+7c2e",
    "parameter": "pl4nted/p3+5b6a",
    "hidden": "pl4nted/h4+1e8c",
    "constrained": "pl4nted/c5+6f0d",
    "service": "pl4nted/s6+3a9b",
    "token": "pl4nted/t7+8e2f",
    "no_log": "pl4nted/n8+4d7c",
    "failed": "pl4nted/n9+2b5e",
}
OF_THE_PLAN = ("parameter", "hidden", "generated")
# Where each may be, and why: parts of paths below the site, tables of the databases.
ALLOWED = {
    # What somebody types into an input of Mistral's is in its database.
    "extra_vars": {"mistral.sqlite"},
    "extra_vars_file": set(),
    # What Heat and the nodes need: the plan, the stack, the outputs, the playbooks that were made of them.
    # A run's own copy of the playbook is one of these.
    **{name: {"heat.sqlite", "work/plans/", "work/outputs/", "work/trees/", "/tree/fast_"} for name in OF_THE_PLAN},
    "constrained": {"work/plans/"},
    "service": {"mistral/conf.d/"},
    # Mistral keeps the token of whoever starts an execution, as a run's supervisor's action does, with its own jobs.
    "token": {"mistral.sqlite scheduled_jobs_v2"},
    "no_log": set(),
    "failed": set(),
    # The operator's own file, and the environment that it was typed into.
    "ssh key": {"nodes/id_ed25519", "mistral.sqlite environments_v2"},
}

SERVICE = {
    "heat_template_version": "queens",
    "parameters": {
        "PlantedPassword": {"type": "string", "default": ""},
        "OddlyNamed": {"type": "string", "default": "", "hidden": True},
        "AdminPassword": {"type": "string", "default": "", "hidden": True},
        "Constrained": {"type": "string", "default": "", "hidden": True, "constraints": [{"length": {"max": 4}}]},
        "EndpointMap": {"type": "json", "default": {}},
        "RoleName": {"type": "string", "default": ""},
    },
}


def in_task(text: str) -> dict[str, Any]:
    """A text with the stack's secrets in it, as templates put them into tasks."""
    names = {"PASSWORD": "PlantedPassword", "ODD": "OddlyNamed", "ADMIN": "AdminPassword"}
    return {"str_replace": {"template": text, "params": {word: {"get_param": name} for word, name in names.items()}}}


def service(marker: Path) -> dict[str, Any]:
    """A service whose tasks come across every secret, tell them in every way, and fail when they run first."""
    covered = {"no_log": True}
    both = "operator_secret ~ ' ' ~ file_password"
    tasks = [
        {"name": "Tell them", "debug": {"msg": in_task(f"{{{{ {both} }}}} PASSWORD ODD ADMIN")}},
        {"name": "Tell {{ file_password }}", "command": "true"},
        {"name": "Tell in base64", "debug": {"msg": f"{{{{ ('user:' ~ {both}) | b64encode }}}}"}},
        {"name": "Tell as part of a URL", "debug": {"msg": f"{{{{ ({both}) | urlencode }}}}"}},
        {"name": "Tell as JSON in JSON", "debug": {"msg": f"{{{{ {{'a': {both}}} | to_json | to_json }}}}"}},
        # Put together where it runs, so that only the result is the secret.
        {"name": "Hide", "shell": echo(SECRETS["no_log"]), **covered, "register": "hidden_result"},
        {"name": "Hide a failure", "shell": f"{echo(SECRETS['failed'])}; false", **covered, "ignore_errors": True},
        {"name": "Wait", "command": f"systemctl is-active {WAITS}", "failed_when": False},
        {
            "name": "Fail once",
            "shell": in_task(
                f"mkdir {marker}-{{{{ inventory_hostname }}}} || exit 0; "
                f"echo no {{{{ ({both}) | quote }}}} PASSWORD ODD >&2; false"
            ),
        },
    ]
    here = {"when": ["step|int == 0", "release == 'ocata'"]}
    data = {
        "service_name": "planted",
        "config_settings": {
            "planted::db_password": {"get_param": "PlantedPassword"},
            "planted::odd": {"get_param": "OddlyNamed"},
            "planted::connection": in_task("mysql+pymysql://planted:ADMIN@192.0.2.1/planted"),
        },
        "fast_forward_upgrade_tasks": [{**task, **here} for task in tasks],
    }
    return {**SERVICE, "outputs": {"role_data": {"value": data}}}


def echo(secret: str) -> str:
    return f"echo {secret[:6]}''{secret[6:]}"


class Planted:
    """A cloud with planted secrets."""

    def __init__(self, cloud: Cloud, root: Path) -> None:
        self.cloud = cloud
        self.root = root
        self.secrets = {**SECRETS, "ssh key": cloud.site.ssh_key_file.read_text()}
        self.variables = root / "variables.yaml"
        self.variables.write_text(yaml.safe_dump({"file_password": SECRETS["extra_vars_file"]}))
        self.variables.chmod(0o600)
        # As it was typed in: without its last line end.
        self.put_environment("planted_keys", private_key=self.secrets["ssh key"].rstrip())

    def put_environment(self, name: str, **variables: str) -> None:
        body = {"name": name, "variables": json.dumps(variables)}
        requests.post(f"{self.cloud.mistral.url}/environments", json=body, timeout=30).raise_for_status()

    def prepare(self, **more: str) -> Any:
        templates, environment = self.root / "templates", self.root / "planted.yaml"
        if not templates.exists():
            shutil.copytree(overcloud.PLAN_DIR, templates)
            (templates / "services" / "planted.yaml").write_text(yaml.safe_dump(service(self.root / "ran")))
        (servers,) = overcloud.queens_environments(self.cloud.site)
        there = yaml.safe_load(servers.read_text())["parameter_defaults"]
        parameters = {
            # One node of each role tells as much as all of them.
            **{name: there[name][:1] for name in ("ControllerServers", "ComputeServers")},
            "ControllerServices": ["OS::TripleO::Services::Planted"],
            "ComputeServices": [],
            "PlantedPassword": SECRETS["parameter"],
            "OddlyNamed": SECRETS["hidden"],
            **more,
        }
        registry = {"OS::TripleO::Services::Planted": "../services/planted.yaml"}
        environment.write_text(yaml.safe_dump({"parameter_defaults": parameters, "resource_registry": registry}))
        shutil.copy(environment, templates / "environments" / "planted.yaml")
        environments = [str(servers), "environments/planted.yaml"]
        return self.cloud.do("prepare", plan=PLAN, templates=str(templates), environments=environments)

    def arguments(self, **more: Any) -> dict[str, Any]:
        given = {"operator_secret": SECRETS["extra_vars"]}
        files = {"extra_vars_file": str(self.variables), "ssh_key_env": "planted_keys"}
        return {"plan": PLAN, "extra_vars": given, "verbosity": 3, **files, **more}


@pytest.fixture(scope="module")
def planted(tmp_path_factory) -> Iterator[Planted]:
    site = open_site(tmp_path_factory.mktemp("planted"))
    with keystone_stub.serving(SECRETS["token"]) as url:
        settings = {"auth_url": url, "auth_username": "planted", "auth_password": SECRETS["service"]}
        # Nobody takes the messages: they stay where they can be searched.
        settings["notify_command"] = "false"
        lines = [f"{name} = {value}" for name, value in {**settings, "auth_project_name": "service"}.items()]
        for directory in (site.mistral, site.mistral / "conf.d"):
            directory.mkdir(mode=0o700)
        (site.mistral / "conf.d" / "planted.conf").write_text("\n".join(["[ffwd]", *lines, ""]))
        (site.mistral / "conf.d" / "planted.conf").chmod(0o600)
        try:
            cloud = clouds.opened(site)
            nodes.start(site)
            overcloud.build_environment(site)
            overcloud.create_newton_stack(site, cloud.heat_url)
            yield Planted(cloud, tmp_path_factory.mktemp("operator"))
        finally:
            clouds.closed(site)


@pytest.fixture(scope="module")
def travelled(planted: Planted) -> SimpleNamespace:
    """All that is to be searched: after a prepare that fails, one that doesn't, a run that fails, one that doesn't."""
    cloud, site = planted.cloud, planted.cloud.site
    refused = planted.prepare(Constrained=SECRETS["constrained"])
    assert refused.state == "ERROR"
    prepared = planted.prepare()
    assert prepared.state == "SUCCESS", prepared.message
    generated = parameter_of_the_plan(planted.cloud, "AdminPassword")
    planted.secrets["generated"] = generated
    faults.set(site, FIRST, "block", WAITS)
    execution = cloud.start("run", **planted.arguments())
    faults.wait_blocked(site, FIRST, timeout=120)
    live = cloud.runs(PLAN)[-1]
    alive, files_then = said_by_processes(), contents(Path(live.run_dir))
    family = psutil.Process(supervisor_of(live)).children(recursive=True)
    agents = [process for process in family if process.name() == "ssh-agent"]
    faults.clear(site, FIRST)
    failed = cloud.wait(execution)
    again = cloud.do("run", **planted.arguments(resume=True))
    for form in ("html", "json"):
        reported = cloud.do("report", plan=PLAN, format=form)
        assert reported.state == "SUCCESS", reported.message
    return SimpleNamespace(
        refused=refused, failed=failed, again=again, live=live, alive=alive, files_then=files_then, agents=agents
    )


def parameter_of_the_plan(cloud: Cloud, name: str) -> str:
    version = PlanStore(cloud.work_dir).current(PLAN)
    return str(effective.merge(Files(version.files_dir), version.environments).defaults[name].value)


def test_the_runs_came_across_all_of_them(planted, travelled):
    assert "Constrained" in travelled.refused.message
    assert travelled.failed.state == "ERROR" and travelled.failed.output["failed"][0]["task"] == "Fail once"
    assert travelled.again.state == "SUCCESS", travelled.again.message
    assert [path.name for path in planted.root.glob("ran-*")] == [f"ran-{FIRST}"]
    log = (Path(travelled.live.run_dir) / "ansible.log").read_text()
    assert log.count("******") > 10 and "Tell as JSON in JSON" in log
    records = contents(planted.cloud.work_dir / "records" / PLAN)
    documents = [text for name, text in records.items() if name.startswith("documents/report-")]
    assert len(documents) == 2 and all(b"Fail once" in text and b"******" in text for text in documents)
    notices = [json.loads(text) for name, text in records.items() if name.endswith(".msg")]
    assert {notice["event"] for notice in notices} == {"phase_started", "stage", "failure", "phase_ended"}


def test_the_ssh_key_was_held_by_an_agent_that_is_gone(planted, travelled):
    assert len(travelled.agents) == 1
    assert processes_naming(travelled.live.run_id) == []
    assert not [agent for agent in travelled.agents if agent.is_running()]
    assert "handed.json" not in travelled.files_then and not any("ssh_key" in name for name in travelled.files_then)


def test_no_process_shows_one(planted, travelled):
    where = found_in(iter(travelled.alive.items()), planted.secrets)
    assert {name: places for name, places in where.items() if places} == {}


def test_a_live_run_has_them_only_where_ansible_needs_them(planted, travelled):
    where = found_in(iter(travelled.files_then.items()), planted.secrets)
    assert where["extra_vars"] <= {"extra_vars.json", "ansible/inside.json"}
    # What the log must not show is told to the callback plugin, in a file that is removed.
    assert where["extra_vars_file"] <= {"ansible/inside.json"}
    for name in OF_THE_PLAN:
        assert where[name] <= {"ansible/inside.json", "tree/fast_forward_upgrade_playbook.yaml"}
    assert not where["ssh key"] and not where["service"] and not where["token"] and not where["no_log"]


def test_nothing_that_is_left_has_one_where_it_may_not(planted, travelled):
    site = planted.cloud.site
    texts = {**contents(site.root)}
    databases = [row for path in (site.mistral, site.heat) for base in path.glob("*.sqlite") for row in rows(base)]
    where = found_in(iter([*texts.items(), *databases]), planted.secrets)
    stray = {
        name: sorted(place for place in places if not any(part in place for part in ALLOWED[name]))
        for name, places in where.items()
    }
    assert {name: places for name, places in stray.items() if places} == {}
    for name in ("extra_vars", "parameter", "ssh key"):
        assert where[name], f"{name} was looked for where it is"


def test_commands_and_outputs_tell_none(planted, travelled, capsys):
    work = ["--work-dir", str(planted.cloud.work_dir)]
    for run in planted.cloud.runs(PLAN):
        for options in ([], ["--json"]):
            main(["run", "show", run.run_id, *options, *work])
    main(["run", "list", *work])
    main(["plan", "list", PLAN, *work])
    main(["report", "--format", "json", *work])
    told = capsys.readouterr()
    outputs = json.dumps([travelled.refused.output, travelled.failed.output, travelled.again.output])
    texts = {"out": told.out, "err": told.err, "outputs": outputs}
    where = found_in(((name, text.encode()) for name, text in texts.items()), planted.secrets)
    assert {name: places for name, places in where.items() if places} == {}
    assert "Fail once" in told.out


def test_all_that_is_left_is_the_owners_alone(planted, travelled):
    work = planted.cloud.work_dir
    for path in [work, *work.rglob("*")]:
        assert path.is_symlink() or path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"ssh_key_env": "no_such_keys"}, "Mistral environment no_such_keys: There is none of this name"),
        ({"ssh_key_env": "half_keys"}, "Mistral environment half_keys: it is no private key"),
        ({"ssh_key_env": "planted_keys", "ssh_key_file": "/a/key"}, "at most one of ssh_key_env and ssh_key_file"),
    ],
)
def test_a_key_that_can_not_be_used_is_refused_by_name_before_anything_is_touched(planted, travelled, given, told):
    before = len(planted.cloud.runs(PLAN))
    key = planted.secrets["ssh key"]
    if "half_keys" in given.values():
        planted.put_environment("half_keys", private_key=key[: len(key) // 2])
    ended = planted.cloud.do("run", plan=PLAN, **given)
    assert ended.state == "ERROR" and told in ended.message
    assert len(planted.cloud.runs(PLAN)) == before
    assert set(planted.cloud.tasks(ended.id)) == {"acquire_lock", "fail_phase"}
