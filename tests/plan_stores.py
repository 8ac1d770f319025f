"""Templates in small, and stores of plans to put them into, in a directory and in Swift."""

from __future__ import annotations

import types
from collections.abc import Callable
from pathlib import Path

from oslo_config import cfg
from swift_server import Account

from tripleo_ffwd import config
from tripleo_ffwd.plan.store import PlanStore
from tripleo_ffwd.plan.swift import account as swift_account
from tripleo_ffwd.plan.swift.backend import SwiftBackend

PREPARE = "environments/lifecycle/ffwd-upgrade-prepare.yaml"
CONVERGE = "environments/lifecycle/ffwd-upgrade-converge.yaml"
FILES = {
    "overcloud.j2.yaml": "heat_template_version: queens\nresources:\n{% for r in roles %}"
    "  {{r.name}}: {type: OS::Own::{{r.name}}}\n{% endfor %}",
    "roles_data.yaml": "[{name: Controller}, {name: Compute}]",
    "puppet/role.role.j2.yaml": "heat_template_version: queens\ndescription: {{role.name}}\n",
    "overcloud-resource-registry.j2.yaml": "resource_registry:\n{% for r in roles %}"
    "  OS::Own::{{r.name}}: puppet/{{r.name.lower()}}-role.yaml\n{% endfor %}",
    PREPARE: "parameter_defaults: {Phase: prepare}\n",
    CONVERGE: "parameter_defaults: {Phase: converge}\n",
    "environments/docker.yaml": "parameter_defaults: {Docker: true}\n",
}

# A work directory → a store of plans that uses it.
Maker = Callable[[Path], PlanStore]


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def options(**values: object) -> cfg.GroupAttr:
    made = cfg.ConfigOpts()
    made(args=[], project="tripleo-ffwd", default_config_files=[])
    section = config.load(made)
    for name, value in values.items():
        made.set_override(name, value, group=config.GROUP)
    return section


def connection(account: Account) -> swift_account.SwiftAccount:
    caller = types.SimpleNamespace(auth_token=account.token, service_catalog=None, region_name=None)
    return swift_account.connect(options(swift_url=account.url), caller)


def in_swift(account: Account, *, settle: float = 0.0) -> Maker:
    def make(work_dir: Path, **more: int) -> PlanStore:
        backend = SwiftBackend(work_dir, connection(account), settle=settle)
        return PlanStore(work_dir, backend=backend, download=backend.download, **more)

    return make
