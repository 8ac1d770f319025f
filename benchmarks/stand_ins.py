"""Stand-ins for modules: action plugins that answer at once, so that Ansible is measured and not the modules."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

# What works on variables alone is done as it is.
REAL = frozenset(
    ("set_fact", "debug", "assert", "fail", "include_vars", "add_host", "group_by", "meta", "include", "include_tasks")
) | {"import_tasks", "include_role", "import_role", "import_playbook"}
_STAND_IN = '''"""Answers at once, as if all were as the task wants it."""

from ansible.plugins.action import ActionBase

ANSWER = {"changed": False, "rc": 0, "stdout": "", "stdout_lines": [], "stderr": "", "files": []}
ANSWER |= {"stat": {"exists": True}, "ansible_job_id": "1", "started": 1, "finished": 1}


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        answer = dict(ANSWER)
        if "bootstrap_nodeid" in str(self._task.args.get("_raw_params")):
            answer["stdout"] = "overcloud-controller-0"
        return answer
'''
_FACTS = '''"""Gathers the facts that the tasks ask for."""

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        name = task_vars["inventory_hostname"]
        facts = {"hostname": name, "fqdn": name + ".localdomain", "os_family": "RedHat", "service_mgr": "systemd"}
        facts |= {"distribution": "CentOS", "mounts": [], "interfaces": ["lo", "eth0"]}
        return {"changed": False, "ansible_facts": {"ansible_" + key: value for key, value in facts.items()}}
'''


def write(directory: Path, modules: Iterable[str]) -> None:
    """Write stand-ins for these modules (names without a collection), and for the gathering of facts."""
    directory.mkdir(parents=True, exist_ok=True)
    for module in (*modules, "async_status"):
        if module.isidentifier() and module not in REAL:
            (directory / f"{module}.py").write_text(_STAND_IN, encoding="utf-8")
    for module in ("gather_facts", "setup"):
        (directory / f"{module}.py").write_text(_FACTS, encoding="utf-8")
