"""An overcloud of three controllers that are all this machine: a stack of outputs, and a playbook that waits for us."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

CONTROLLERS = [f"ctl-{index}" for index in range(3)]
# For Ansible, and so for every run: what is needed to take this machine for a node.
LOCAL = {"ansible_connection": "local"}

_PLAYBOOK = """
- hosts: overcloud
  gather_facts: false
  tasks:
    - set_fact: {releases: [ocata, pike]}
    - set_fact: {ffu_releases: "{{ releases | difference( releases | last )}}"}
    - include_tasks: fast_forward_upgrade_release_tasks.yaml
      loop_control: {loop_var: release}
      with_items: "{{ ffu_releases }}"
"""
_RELEASE = """
- include_tasks: fast_forward_upgrade_prep_role_tasks.yaml
  with_sequence: start=1 end=3
  loop_control: {loop_var: step}
"""
_ROLE = """
- include_tasks: Controller/fast_forward_upgrade_tasks.yaml
  when: tripleo_role_name == 'Controller'
"""
REASON = "the schema of nova is held by another process\nwho: nova-conductor"
_TASKS = """
- name: Stop the conductor
  shell: until test -e "{{ gate }}/1"; do sleep 0.05; done
  when: [step|int == 1, release == 'ocata']
- name: Migrate the schema
  fail: {msg: "{{ reason }}"}
  when:
    - step|int == 2
    - release == 'ocata'
    - inventory_hostname == 'ctl-1'
    - lookup("ansible.builtin.fileglob", gate ~ "/broken") | length > 0
- name: Start the conductor
  shell: until test -e "{{ gate }}/3"; do sleep 0.05; done
  when: [step|int == 3, release == 'ocata']
"""


def outputs(gate: Path) -> dict[str, Any]:
    """Return the outputs; tasks of steps 1 and 3 wait for files ``1`` and ``3`` in `gate`; ``broken`` fails step 2."""
    variables = {**LOCAL, "gate": str(gate), "reason": REASON}
    tasks = yaml.safe_load(_TASKS)
    return {
        "RoleData": {"Controller": {"fast_forward_upgrade_tasks": tasks, "upgrade_tasks": []}},
        "RoleConfig": {
            "fast_forward_upgrade_playbook": yaml.safe_load(_PLAYBOOK),
            "fast_forward_upgrade_release_tasks": _RELEASE,
            "fast_forward_upgrade_prep_role_tasks": _ROLE,
            "global_vars": variables,
        },
        "ServerIdData": {"server_ids": {"Controller": ["1", "2", "3"]}, "bootstrap_server_id": "1"},
        "RoleNetHostnameMap": {
            "Controller": {
                "canonical": [f"{name}.localdomain" for name in CONTROLLERS],
                "ctlplane": [f"{name}.ctlplane.localdomain" for name in CONTROLLERS],
            }
        },
        "RoleNetIpMap": {"Controller": {"ctlplane": [f"127.0.0.{20 + index}" for index in range(3)]}},
    }


def templates(directory: Path, gate: Path) -> Path:
    """Write templates of one file whose stack has the outputs; return their directory."""
    directory.mkdir(parents=True, exist_ok=True)
    values = {key: {"value": value} for key, value in outputs(gate).items()}
    (directory / "overcloud.yaml").write_text(yaml.safe_dump({"heat_template_version": "queens", "outputs": values}))
    return directory
