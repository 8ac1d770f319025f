"""Heat or Mistral die in the middle of a stack update: nothing is lost, done twice or half-switched.

Real processes are killed. FFWD_TEST_FAULTS=all adds those that take longer: `make test-faults-heat`.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from oslo_config import cfg
from support import until

from tripleo_ffwd import config, heat
from tripleo_ffwd.actions.base import Caller
from tripleo_ffwd.actions.plans import UpdatePlanAction
from tripleo_ffwd.actions.stacks import GetStackStatusAction, UpdateStackAction
from tripleo_ffwd.embedded import undercloud
from tripleo_ffwd.plan import lock, phases
from tripleo_ffwd.plan.store import PlanStore

SLOW = pytest.mark.skipif(os.environ.get("FFWD_TEST_FAULTS") != "all", reason="slow: make test-faults-heat")


def caller_of(url: str, work_dir: Path) -> Caller:
    options = cfg.ConfigOpts()
    options(args=[], project="tripleo-ffwd", default_config_files=[])
    section = config.load(options)
    for name, value in {"heat_url": url, "work_dir": str(work_dir), "heat_stall_timeout": 10}.items():
        options.set_override(name, value, group=config.GROUP)
    return Caller(conf=section, security=None, action_execution="")


@pytest.fixture
def client(cloud):
    return heat.connect(caller_of(cloud.heat_url, cloud.work_dir).conf)


def templates(directory: Path, value: str, **properties: Any) -> str:
    directory.mkdir(parents=True, exist_ok=True)
    held = {"type": "OS::Heat::TestResource", "properties": {"value": value, **properties}}
    template = {"heat_template_version": "queens", "resources": {"Held": held}}
    (directory / "overcloud.yaml").write_text(yaml.safe_dump(template))
    return str(directory)


def create(client, tmp_path: Path, name: str) -> None:
    source = Path(templates(tmp_path / "created", "zero"))
    heat.create(client, name, heat.build_bundle(source / "overcloud.yaml", []), 60)


def starts(client, stack: str) -> int:
    own = [event for event in client.api.events.list(stack) if event.resource_name == stack]
    return sum(1 for event in own if event.resource_status == "UPDATE_IN_PROGRESS")


def value_of(client, stack: str) -> str:
    return client.api.resources.get(stack, "Held").attributes["output"]


@contextlib.contextmanager
def held_before_begin(cloud, plan: str) -> Iterator[None]:
    """Keep prepare between plan update and stack update, once it has the plan's lock: what records the phase waits."""
    with lock.guarded(cloud.work_dir, plan):
        yield


@contextlib.contextmanager
def losing_answers(url: str, status: int = 0) -> Iterator[tuple[str, threading.Event]]:
    """Yield a way to Heat that hands an update on and loses the answer, or gives `status`; the event says when."""
    happened, over = threading.Event(), threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def _pass_on(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
            to_heat = http.client.HTTPConnection(urlsplit(url).netloc)
            to_heat.request(self.command, self.path, data, dict(self.headers))
            answer = to_heat.getresponse()
            code, body, location = answer.status, answer.read(), answer.getheader("Location")
            to_heat.close()
            if self.command == "PATCH" and code == 202:
                happened.set()
                if not status:
                    over.wait()
                    return
                code, body = status, b"{}"
            self.send_response(code)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PATCH = do_POST = _pass_on  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1/admin", happened
    finally:
        over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def test_heat_killed_in_the_middle_of_an_update_is_ridden_out(cloud, client, tmp_path):
    create(client, tmp_path, "killed")
    execution = cloud.start("prepare", plan="killed", templates=templates(tmp_path / "1", "one", wait_secs=5))
    until("the update has begun", lambda: heat.get_status(client, "killed").in_progress, 60)
    undercloud.kill(cloud.site, "heat")
    told = GetStackStatusAction("killed").act(caller_of(cloud.heat_url, cloud.work_dir))
    assert (told["state"], told["settled"]) == ("unknown", False)
    undercloud.start(cloud.site)
    ended = cloud.wait(execution, 120)
    assert ended.state == "SUCCESS", ended.message
    assert value_of(client, "killed") == "one"
    assert PlanStore(cloud.work_dir).current_number("killed") == 1


def test_mistral_killed_between_plan_update_and_stack_update_goes_on(cloud, client, tmp_path):
    create(client, tmp_path, "between")
    execution = cloud.start("prepare", plan="between", templates=templates(tmp_path / "1", "one"))
    until("the comparison", lambda: "compare_plan" in cloud.tasks(execution), 60)
    with held_before_begin(cloud, "between"):
        until("the phase is about to begin", lambda: "begin_phase" in cloud.tasks(execution), 60)
        assert PlanStore(cloud.work_dir).current_number("between") is None
        assert phases.read_record(cloud.work_dir, "between").prepare == ""
        undercloud.kill(cloud.site, "mistral")
        assert starts(client, "between") == 0
    undercloud.start(cloud.site)
    ended = cloud.wait(execution, 120)
    assert ended.state == "SUCCESS", ended.message
    assert starts(client, "between") == 1
    assert [version.number for version in PlanStore(cloud.work_dir).versions("between")] == [1]
    assert PlanStore(cloud.work_dir).current_number("between") == 1
    assert phases.read_record(cloud.work_dir, "between").prepare == phases.FINISHED
    assert not (cloud.work_dir / "records/between/lock.json").exists()


def prepared(cloud, client, tmp_path: Path, request: pytest.FixtureRequest, name: str) -> dict[str, Any]:
    """A plan with a version that is to be sent, its lock held by `me`; returns the arguments of the update."""
    create(client, tmp_path, name)
    assert lock.acquire(cloud.work_dir, name, "prepare", "me", find_runs=lambda: ()) is None
    request.addfinalizer(lambda: lock.release(cloud.work_dir, name, "me", find_runs=lambda: ()))
    source = templates(tmp_path / "1", "one", wait_secs=2)
    made = UpdatePlanAction(name, "prepare", "me", templates=source, switch=False).act(
        caller_of(cloud.heat_url, cloud.work_dir)
    )
    return {"plan": name, "owner": "me", "version": made["version"], "request": "the same"}


def test_an_executor_killed_while_it_sends_the_update_is_followed_by_one_that_attaches(
    cloud, client, tmp_path, request
):
    arguments = prepared(cloud, client, tmp_path, request, "resent")
    with losing_answers(cloud.heat_url) as (url, happened):
        program = (
            f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); "
            f"from pathlib import Path; from {Path(__file__).stem} import caller_of; "
            "from tripleo_ffwd.actions.stacks import UpdateStackAction; "
            f"UpdateStackAction(**{arguments!r}).act(caller_of({url!r}, Path({str(cloud.work_dir)!r})))"
        )
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        executor = subprocess.Popen([sys.executable, "-c", program], env=environment)
        try:
            assert happened.wait(60)
        finally:
            executor.kill()
            executor.wait()
    started = UpdateStackAction(**arguments).act(caller_of(cloud.heat_url, cloud.work_dir))
    assert started["attached"]
    poll = GetStackStatusAction(started["stack_id"], started["marker"], started["deadline"])
    until("its end", lambda: poll.act(caller_of(cloud.heat_url, cloud.work_dir))["succeeded"], 60)
    assert starts(client, "resent") == 1
    assert PlanStore(cloud.work_dir).current_number("resent") == arguments["version"]


def test_an_answer_of_503_to_an_update_that_heat_accepted_is_no_error(cloud, client, tmp_path, request):
    arguments = prepared(cloud, client, tmp_path, request, "gateway")
    with losing_answers(cloud.heat_url, 503) as (url, _):
        started = UpdateStackAction(**arguments).act(caller_of(url, cloud.work_dir))
    assert started["attached"]
    until("its end", lambda: heat.poll(client, "gateway", started["marker"])["succeeded"], 60)
    assert starts(client, "gateway") == 1


@SLOW
def test_heat_that_is_away_when_the_update_is_to_be_sent_is_waited_for(cloud, client, tmp_path):
    create(client, tmp_path, "away")
    execution = cloud.start("prepare", plan="away", templates=templates(tmp_path / "1", "one"))
    until("the comparison", lambda: "compare_plan" in cloud.tasks(execution), 60)
    with held_before_begin(cloud, "away"):
        until("the phase is about to begin", lambda: "begin_phase" in cloud.tasks(execution), 60)
        undercloud.kill(cloud.site, "heat")
    until("the update is tried", lambda: "update_stack" in cloud.tasks(execution), 60)
    undercloud.start(cloud.site)
    ended = cloud.wait(execution, 120)
    assert ended.state == "SUCCESS", ended.message
    assert (value_of(client, "away"), starts(client, "away")) == ("one", 1)


@SLOW
def test_mistral_and_heat_killed_in_the_middle_of_an_update_go_on(cloud, client, tmp_path):
    create(client, tmp_path, "dark")
    execution = cloud.start("prepare", plan="dark", templates=templates(tmp_path / "1", "one", wait_secs=5))
    until("the update has begun", lambda: heat.get_status(client, "dark").in_progress, 60)
    for service in ("mistral", "heat"):
        undercloud.kill(cloud.site, service)
    undercloud.start(cloud.site)
    ended = cloud.wait(execution, 120)
    assert ended.state == "SUCCESS", ended.message
    assert value_of(client, "dark") == "one"


@SLOW
def test_heat_restarted_in_the_middle_of_an_update_is_ridden_out(cloud, client, tmp_path):
    create(client, tmp_path, "restarted")
    execution = cloud.start("prepare", plan="restarted", templates=templates(tmp_path / "1", "one", wait_secs=5))
    until("the update has begun", lambda: heat.get_status(client, "restarted").in_progress, 60)
    undercloud.restart(cloud.site, "heat")
    ended = cloud.wait(execution, 120)
    assert ended.state == "SUCCESS", ended.message
    assert value_of(client, "restarted") == "one"
