"""heat.py against a real Heat: status, update, refusals, failures with their reasons, recovery."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from oslo_config import cfg
from support import until

from tripleo_ffwd import config, heat
from tripleo_ffwd.exceptions import InvalidTemplates, NotFound, StackBusy, StackFailed, Unavailable

HOT = {"heat_template_version": "queens"}


@pytest.fixture(scope="module")
def client(cloud):
    return connect(cloud.heat_url)


def connect(url: str) -> heat.HeatClient:
    options = cfg.ConfigOpts()
    options(args=[], project="tripleo-ffwd", default_config_files=[])
    section = config.load(options)
    options.set_override("heat_url", url, group=config.GROUP)
    return heat.connect(section)


def bundle(directory: Path, value: str, **properties):
    """A stack with one nested stack, whose one resource takes `value`."""
    resource = {"type": "OS::Heat::TestResource", "properties": {"value": value, **properties}}
    contents = {
        "overcloud.yaml": {
            **HOT,
            "resources": {"Nested": {"type": "OS::Own::Nested"}},
            "outputs": {"B": {"value": "b"}, "A": {"value": {"get_attr": ["Nested", "made"]}}},
        },
        "nested.yaml": {
            **HOT,
            "resources": {"Inner": resource},
            "outputs": {"made": {"value": {"get_attr": ["Inner", "output"]}}},
        },
        "registry.yaml": {"resource_registry": {"OS::Own::Nested": "nested.yaml"}},
    }
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (directory / name).write_text(yaml.safe_dump(content))
    return heat.build_bundle(directory / "overcloud.yaml", [directory / "registry.yaml"])


def settle(client, started) -> dict:
    def settled():
        found = heat.poll(client, started.stack_id, started.marker)
        return found if found["settled"] else None

    return until("the end of the update", settled, 60)


def test_create_update_fail_and_recover(client, tmp_path):
    created = heat.create(client, "walk", bundle(tmp_path / "1", "one"), 60)
    assert created.complete and created.action == "CREATE"
    assert heat.get_outputs(client, "walk") == [
        {"output_key": "A", "output_value": "one"},
        {"output_key": "B", "output_value": "b"},
    ]
    nested = client.api.resources.list("walk")[0].physical_resource_id

    started = heat.update(client, "walk", bundle(tmp_path / "2", "two", wait_secs=3), timeout_mins=5)
    with pytest.raises(StackBusy, match="walk"):
        heat.update(client, "walk", bundle(tmp_path / "3", "three"))
    with pytest.raises(StackBusy):
        heat.get_outputs(client, "walk")
    assert settle(client, started)["succeeded"]
    assert heat.get_outputs(client, "walk")[0]["output_value"] == "two"
    # Another directory of the same templates replaces no nested stack and leaves no old files behind.
    assert client.api.resources.list("walk")[0].physical_resource_id == nested
    assert list(client.api.stacks.files("walk")) == ["nested.yaml"]

    ended = settle(client, heat.update(client, "walk", bundle(tmp_path / "4", "four", fail=True)))
    assert ended["state"] == "failed" and not ended["succeeded"]
    [failure] = ended["failures"]
    assert failure["path"] == "walk.Nested.Inner"
    assert failure["type"] == "OS::Heat::TestResource"
    assert failure["reason"] and failure["reason"] in ended["message"]
    with pytest.raises(StackFailed, match=r"walk\.Nested\.Inner"):
        heat.get_outputs(client, "walk")

    ended = settle(client, heat.update(client, "walk", bundle(tmp_path / "5", "five")))
    assert ended["succeeded"], ended["message"]
    assert heat.get_outputs(client, "walk")[0]["output_value"] == "five"


def test_an_end_older_than_the_marker_does_not_count(client, tmp_path):
    heat.create(client, "marked", bundle(tmp_path / "1", "one"), 60)
    found = client.api.stacks.get("marked", resolve_outputs=False)
    event = next(iter(client.api.events.list("marked", sort_dir="desc", limit=1))).id
    marker = f"{found.updated_time or '-'} {event}"
    assert heat.poll(client, "marked", marker)["state"] == "in_progress"
    assert heat.poll(client, "marked")["state"] == "complete"


def test_an_absent_stack_is_named_and_not_created(client, tmp_path):
    with pytest.raises(NotFound, match="absent does not exist"):
        heat.update(client, "absent", bundle(tmp_path, "one"))
    with pytest.raises(NotFound):
        heat.get_status(client, "absent")
    heat.delete(client, "absent")


def test_what_heat_refuses_comes_with_its_reason(client, tmp_path):
    heat.create(client, "refused", bundle(tmp_path / "1", "one"), 60)
    (tmp_path / "bad.yaml").write_text(yaml.safe_dump({**HOT, "resources": {"A": {"type": "OS::No::Such"}}}))
    with pytest.raises(InvalidTemplates, match="OS::No::Such"):
        heat.update(client, "refused", heat.build_bundle(tmp_path / "bad.yaml", []))
    assert heat.get_status(client, "refused").complete


def test_a_refused_connection_is_unavailable():
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9"):
        heat.get_status(connect("http://127.0.0.1:9/v1/admin"), "walk")
