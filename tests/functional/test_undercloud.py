"""The embedded Mistral and Heat as a user of `tripleo-ffwd undercloud` sees them, and workflows over their crashes."""

from __future__ import annotations

import concurrent.futures
import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from support import processes_naming, until

from tripleo_ffwd.embedded import undercloud
from tripleo_ffwd.embedded.site import open_site
from tripleo_ffwd.exceptions import InvalidInput, LaunchFailed
from tripleo_ffwd.mistral import Mistral

# A phase in small: a sub-workflow polls and one makes steps one after the other, a join takes them up.
WORKBOOK = """
version: '2.0'
name: probe
workflows:
  phase:
    output: {polled: <% $.polled %>}
    task-defaults: {retry: {count: 5, delay: 1}}
    tasks:
      first: {action: std.noop, on-success: [left, right]}
      left: {workflow: poll, publish: {polled: <% task().result.polled %>}, on-success: both}
      right: {workflow: steps, on-success: both}
      both: {join: all, action: std.noop, on-success: last}
      last: {action: std.noop}
  poll:
    output: {polled: <% $.polled %>}
    tasks:
      look:
        action: std.echo
        input: {output: again}
        retry: {count: 4, delay: 1, continue-on: <% true %>}
        on-complete: check
      check: {action: std.echo, input: {output: 'yes'}, publish: {polled: <% task().result %>}}
  steps:
    task-defaults: {retry: {count: 5, delay: 1}}
    tasks:
      a: {action: std.noop, on-success: b}
      b: {action: std.sleep, input: {seconds: 1}, on-success: c}
      c: {action: std.noop, on-success: d}
      d: {action: std.sleep, input: {seconds: 1}, on-success: e}
      e: {action: std.noop}
  nap:
    input: [seconds]
    tasks:
      nap: {action: std.sleep, input: {seconds: <% $.seconds %>}}
"""

TEMPLATE = """
heat_template_version: queens
resources:
  value: {type: OS::Heat::Value, properties: {value: kept}}
outputs:
  value: {value: {get_attr: [value, value]}}
"""


def cli(*words, root):
    command = [sys.executable, "-m", "tripleo_ffwd.cli.main", "undercloud", *words, "--json", "--dir", str(root)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = open_site(tmp_path_factory.mktemp("undercloud"))
    try:
        yield made
    finally:
        undercloud.stop(made)
        assert processes_naming(str(made.root)) == []


@pytest.fixture(scope="module")
def first(site):
    """What two starts at once printed."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: cli("start", root=site.root), range(2)))
    assert [(d.returncode, d.stderr) for d in done] == [(0, ""), (0, "")]
    return [json.loads(d.stdout) for d in done]


@pytest.fixture(scope="module")
def mistral(first):
    client = Mistral(first[0]["mistral"]["url"])
    client.put_workbook(WORKBOOK, exists=False)
    return client


def ended(mistral, execution):
    def probe():
        found = mistral.execution(execution)
        return found if found.state in ("SUCCESS", "ERROR", "CANCELLED") else None

    return until(f"the end of {execution}", probe, 60)


def get(url):
    with urllib.request.urlopen(url, timeout=10) as response:
        return json.loads(response.read())


def sleeping(url, execution):
    """Wait for the one action of `nap` to run and return its URL."""
    (task,) = until("the task", lambda: get(f"{url}/executions/{execution}/tasks")["tasks"], 20)
    (action,) = until("its action", lambda: get(f"{url}/tasks/{task['id']}/action_executions")["action_executions"], 20)
    return f"{url}/action_executions/{action['id']}", f"{url}/tasks/{task['id']}"


def test_two_starts_at_once_make_one_undercloud(first, site):
    assert first[0] == first[1]
    assert first[0]["mistral"]["running"] and first[0]["heat"]["running"]
    assert len(processes_naming(f"{site.root}/mistral/mistral.conf")) == 1


def test_status_tells_urls_pids_and_logs(first, site):
    done = cli("status", root=site.root)

    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found == first[0]
    assert found["work_dir"] == str(site.work)
    assert Path(found["mistral"]["log"]).stat().st_size > 0
    assert (site.mistral / "mistral.conf").stat().st_mode & 0o077 == 0


def test_another_port_than_the_running_one_is_refused(first, site):
    done = cli("start", "--mistral-port", "19999", root=site.root)

    assert done.returncode == 1
    assert "Mistral runs on port" in done.stderr
    with pytest.raises(InvalidInput, match="no service 'swift'"):
        undercloud.restart(site, "swift")


def test_after_a_crash_workflows_go_on_and_a_lost_action_fails_within_seconds(site, mistral, first):
    url = first[0]["mistral"]["url"]
    phases = [mistral.start("probe.phase", {}) for _ in range(2)]
    lost = mistral.start("probe.nap", {"seconds": 600})
    action, _ = sleeping(url, lost)

    undercloud.kill(site, "mistral")
    assert undercloud.status(site).pids.keys() == {"heat"}
    assert undercloud.start(site).fresh == ("mistral",)

    assert ended(mistral, lost).state == "ERROR"
    assert "Mistral ended while the action ran" in json.dumps(get(action)["output"])
    assert_polled(mistral, phases)


def test_over_a_restart_workflows_go_on_and_a_running_action_finishes_and_runs_once(site, mistral):
    before = undercloud.status(site)
    phases = [mistral.start("probe.phase", {}) for _ in range(2)]
    nap = mistral.start("probe.nap", {"seconds": 2})
    _, task = sleeping(before.mistral_url, nap)

    after = undercloud.restart(site, "mistral")

    assert (after.mistral_url, after.pids["heat"]) == (before.mistral_url, before.pids["heat"])
    assert after.pids["mistral"] != before.pids["mistral"]
    assert ended(mistral, nap).state == "SUCCESS"
    assert len(get(f"{task}/action_executions")["action_executions"]) == 1
    assert_polled(mistral, phases)


def assert_polled(mistral, executions):
    for execution in executions:
        found = ended(mistral, execution)
        assert found.state == "SUCCESS", found.state_info
        assert json.loads(found.output)["polled"] == "yes"


def test_heat_keeps_a_stack_over_a_restart(site, first):
    from heatclient.client import Client

    url = first[0]["heat"]["url"]
    heat = Client("1", endpoint=url, token="any", username="admin", password="any", region_name="regionOne")
    stack = heat.stacks.create(stack_name="probe", template=TEMPLATE)["stack"]["id"]

    def complete():
        return heat.stacks.get(stack).stack_status == "CREATE_COMPLETE"

    until("the stack", complete, 30)
    before = undercloud.status(site).pids

    done = cli("restart", "heat", root=site.root)

    assert (done.returncode, done.stderr) == (0, "")
    assert complete()
    assert heat.stacks.get(stack).outputs[0]["output_value"] == "kept"
    after = undercloud.status(site).pids
    assert after["mistral"] == before["mistral"] and after["heat"] != before["heat"]


def test_stop_leaves_nothing_and_keeps_the_ports(site, first):
    for _ in range(2):
        done = cli("stop", root=site.root)
        assert (done.returncode, done.stderr) == (0, "")
        found = json.loads(done.stdout)
        assert not found["mistral"]["running"] and not found["heat"]["running"]
        assert processes_naming(str(site.root)) == []
    assert found["mistral"]["url"] == first[0]["mistral"]["url"]


def test_a_start_that_fails_says_why_and_leaves_nothing(tmp_path):
    broken = open_site(tmp_path)
    broken.mistral.mkdir(mode=0o700)
    (broken.mistral / "mistral.sqlite").write_text("no database, but long enough to be taken for one " * 20)

    with pytest.raises(LaunchFailed) as caught:
        undercloud.start(broken)

    assert "Mistral ended while it started" in str(caught.value)
    assert "file is not a database" in str(caught.value)
    assert str(broken.mistral / "mistral.log") in str(caught.value)
    assert processes_naming(str(tmp_path)) == []
