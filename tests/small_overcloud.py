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
# What is run beside the phases: as the templates of Queens have the update, and those of Train what is external.
_UPDATE = """
- hosts: Controller
  name: Run update
  serial: 1
  gather_facts: false
  tasks:
    - include: update_steps_tasks.yaml
      with_sequence: start=0 end=1
      loop_control: {loop_var: step}
"""
_UPDATE_ROLE = """
- include: Controller/update_tasks.yaml
  when: tripleo_role_name == 'Controller'
"""
_UPDATE_TASKS = """
- name: Note the update
  shell: echo "{{ inventory_hostname }}" >> "{{ gate }}/updated"
  when: step|int == 1
"""
_EXTERNAL_STEP = """
- hosts: undercloud
  name: External upgrade step {step}
  gather_facts: false
  vars: {{step: '{step}', gate: {gate}}}
  tasks:
    - import_tasks: external_upgrade_steps_tasks.yaml
"""
_EXTERNAL_TASKS = """
- name: Note the external upgrade
  shell: echo "{{ step }} {{ noted | default('') }}" >> "{{ gate }}/external"
  tags: [ceph]
- name: Migrate online
  shell: echo "{{ step }} online" >> "{{ gate }}/external"
  tags: [online_upgrade]
"""


def outputs(gate: Path) -> dict[str, Any]:
    """Return the outputs; tasks of steps 1 and 3 wait for files ``1`` and ``3`` in `gate`; ``broken`` fails step 2."""
    variables = {**LOCAL, "gate": str(gate), "reason": REASON}
    tasks = yaml.safe_load(_TASKS)
    updates = yaml.safe_load(_UPDATE_TASKS)
    return {
        "RoleData": {"Controller": {"fast_forward_upgrade_tasks": tasks, "upgrade_tasks": [], "update_tasks": updates}},
        "RoleConfig": {
            "fast_forward_upgrade_playbook": yaml.safe_load(_PLAYBOOK),
            "fast_forward_upgrade_release_tasks": _RELEASE,
            "fast_forward_upgrade_prep_role_tasks": _ROLE,
            "update_steps_playbook": _UPDATE,
            "update_steps_tasks": _UPDATE_ROLE,
            "external_upgrade_steps_playbook": "".join(
                _EXTERNAL_STEP.format(step=step, gate=gate) for step in range(2)
            ),
            "external_upgrade_steps_tasks": yaml.safe_load(_EXTERNAL_TASKS),
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
