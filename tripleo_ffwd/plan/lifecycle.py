"""The lifecycle environment of a phase: the templates' own, else an equivalent that is made for the plan.

Prepare brings the stack to the new release without a change on any node: what Heat would do there by itself stands for
nothing, and software deployments are only written down, for Ansible. Converge takes that back, but leaves the
deployments to Ansible. A stack update keeps what no environment names, so converge names all that prepare did.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

from tripleo_ffwd.plan.effective import NONE, Effective, is_file
from tripleo_ffwd.plan.library import Library
from tripleo_ffwd.plan.places import Files, NotReadable
from tripleo_ffwd.plan.plan_environment import GENERATED
from tripleo_ffwd.plan.version import TEMPLATE

# Phase → its lifecycle environment, when the templates have one.
TEMPLATES_OWN = {
    "prepare": "environments/lifecycle/ffwd-upgrade-prepare.yaml",
    "converge": "environments/lifecycle/ffwd-upgrade-converge.yaml",
}
# Phase → ours.
OURS = {phase: f"{GENERATED}/lifecycle-{phase}.yaml" for phase in TEMPLATES_OWN}

# What Heat does on the nodes at the end of an update. With config-download it is Ansible's.
STEPS = "OS::TripleO::DeploymentSteps"
ANSIBLES = (
    STEPS,
    "OS::TripleO::HostPrepDeployment",
    "OS::TripleO::Reboot::SoftwareDeployment",
    "OS::TripleO::Ssh::HostPubKey",
    "OS::TripleO::Ssh::KnownHostsDeployment",
)
WORKFLOWS = "OS::TripleO::WorkflowSteps"
_ROLE_STEPS = ("OS::TripleO::Tasks::{}PreConfig", "OS::TripleO::Tasks::{}PostConfig")
# Types that deploy to a server, and the template that writes the deployment down instead.
_DEPLOYMENTS = {
    "OS::Heat::SoftwareDeployment": "config-download-software.yaml",
    "OS::Heat::StructuredDeployment": "config-download-structured.yaml",
    "OS::TripleO::SoftwareDeployment": "config-download-structured.yaml",
    "OS::TripleO::StructuredDeployment": "config-download-structured.yaml",
}
GENERATED_FILES = (*OURS.values(), *(f"{GENERATED}/{name}" for name in dict.fromkeys(_DEPLOYMENTS.values())))
_FFWD = "FASTFORWARDUPGRADE"
# Parameter → (in prepare, in converge).
_PARAMETERS: Mapping[str, tuple[Any, Any]] = {
    "EnableOnlineDataMigrations": (False, True),
    "NetworkDeploymentActions": (["CREATE", "UPDATE"], ["CREATE"]),
    "StackUpdateType": (_FFWD, ""),
}
# Commands that an upgrade runs on each node before anything else; left behind, each later update would run them.
INIT_COMMANDS = ("UpgradeInitCommand", "UpgradeInitCommonCommand")

_RECORD = """\
heat_template_version: {version}
description: Writes a deployment down, for Ansible to run; nothing is sent to the server.
parameters:
  name: {{type: string, default: ''}}
  actions: {{type: comma_delimited_list, default: [CREATE, UPDATE]}}
  server: {{type: string}}
  config: {{type: string}}
  input_values: {{type: json, default: {{}}}}
  input_key: {{type: string, default: get_input}}
  signal_transport: {{type: string, default: CFN_SIGNAL}}
  input_values_validate: {{type: string, default: LAX}}
resources:
  TripleOServer:
    type: OS::Heat::DeployedServer
    properties: {{name: server_resource}}
  TripleOSoftwareDeployment:
    type: {kind}
    properties:
      name: deployment_resource
      config: {{get_param: config}}
      server: {{get_resource: TripleOServer}}
      input_values: {{get_param: input_values}}
      signal_transport: NO_SIGNAL
      actions: {{get_param: actions}}
  TripleODeployment:
    type: OS::Heat::Value
    properties:
      value:
        name: {{get_param: name}}
        server: {{get_param: server}}
        config: {{get_param: config}}
        input_values: {{get_param: input_values}}
        deployment: {{get_resource: TripleOSoftwareDeployment}}
outputs:
  deploy_status_code: {{value: 0}}
  deploy_stdout: {{value: ''}}
  deploy_stderr: {{value: ''}}
  show: {{value: ''}}
  update_managed_packages: {{value: false}}
  hostname: {{value: ''}}
"""


def templates_own(files: Files, phase: str) -> str:
    """Return the name of the templates' environment for a phase, or ``""``."""
    name = TEMPLATES_OWN.get(phase, "")
    return name if name and files.has(name) else ""


def generate(
    phase: str, files: Files, library: Library, roles: Sequence[str], base: Effective
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return our environment for a phase, empty when the templates have nothing for it, and templates that it needs.

    Args:
        phase: prepare or converge; there is nothing for others.
        files: the plan's.
        library: its templates.
        roles: names of the roles.
        base: what the environments before it come to.
    """
    if phase not in OURS:
        return {}, {}
    deployments, templates = _deployments(files, library, base)
    registry: dict[str, str] = dict(deployments)
    if deployments:
        registry |= {kind: NONE for kind in ANSIBLES if base.value_of(kind) not in (None, NONE)}
    stopped = [kind for kind in _stopped(roles) if kind not in registry and kind in base.types]
    for kind in stopped:
        target = NONE if phase == "prepare" else base.value_of(kind) or NONE
        registry[kind] = posixpath.relpath(target, GENERATED) if is_file(target) else target
    parameters = _parameters(phase, library)
    content: dict[str, Any] = {}
    if registry:
        content["resource_registry"] = registry
    if parameters:
        content["parameter_defaults"] = parameters
    return content, templates


def _stopped(roles: Sequence[str]) -> list[str]:
    return [STEPS, WORKFLOWS, *(pattern.format(role) for role in roles for pattern in _ROLE_STEPS)]


def _deployments(files: Files, library: Library, base: Effective) -> tuple[dict[str, str], dict[str, str]]:
    """Return the types that write deployments down, where they don't yet, and templates that the plan lacks for it."""
    registry: dict[str, str] = {}
    templates: dict[str, str] = {}
    for kind, name in _DEPLOYMENTS.items():
        if is_file(base.value_of(kind)) or not (kind in base.types or _is_builtin_in_use(kind, library)):
            continue
        target = name
        if not files.has(name):
            target = f"{GENERATED}/{name}"
            templates[target] = _record(files, name)
        registry[kind] = posixpath.relpath(target, GENERATED)
    return registry, templates


def _is_builtin_in_use(kind: str, library: Library) -> bool:
    return kind.startswith("OS::Heat::") and library.mentions(kind)


def _record(files: Files, name: str) -> str:
    kind = "OS::Heat::StructuredDeployment" if "structured" in name else "OS::Heat::SoftwareDeployment"
    try:
        root = files.load(TEMPLATE)
    except NotReadable:
        root = None
    version = root.get("heat_template_version", "ocata") if isinstance(root, dict) else "ocata"
    return _RECORD.format(version=version, kind=kind)


def _parameters(phase: str, library: Library) -> dict[str, Any]:
    place = 0 if phase == "prepare" else 1
    found = {name: values[place] for name, values in _PARAMETERS.items() if name in library.declared}
    if phase == "converge":
        found |= dict.fromkeys((name for name in INIT_COMMANDS if name in library.declared), "")
    if found.get("StackUpdateType"):
        # Templates from before Queens know upgrades, and none that is fast forward.
        found["StackUpdateType"] = next((name for name in (_FFWD, "UPGRADE") if _allowed(library, name)), "")
    return found


def _allowed(library: Library, value: str) -> bool:
    """Return whether every template that takes StackUpdateType takes this one."""
    for template in library.declared["StackUpdateType"]:
        for constraint in library.parameter("StackUpdateType", template).get("constraints") or []:
            values = constraint.get("allowed_values") if isinstance(constraint, dict) else None
            if isinstance(values, list) and value not in values:
                return False
    return True
