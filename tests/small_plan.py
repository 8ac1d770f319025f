"""A small plan in the shape of TripleO's templates, and the pieces to break it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

PREPARE = "environments/lifecycle/ffwd-upgrade-prepare.yaml"
CONVERGE = "environments/lifecycle/ffwd-upgrade-converge.yaml"
REGISTRY = "overcloud-resource-registry-puppet.yaml"

_ROOT = """\
heat_template_version: queens
parameters:
  StackUpdateType:
    type: string
    default: ''
    constraints:
    - allowed_values: ['', UPGRADE, FASTFORWARDUPGRADE]
{% for role in roles %}
  {{role.name}}Services:
    type: comma_delimited_list
    default: {{role.ServicesDefault | default([])}}
  {{role.name}}Count:
    type: number
    default: 1
{% endfor %}
resources:
  RabbitCookie:
    type: OS::TripleO::RandomString
{% for role in roles %}
  {{role.name}}:
    type: OS::Heat::ResourceGroup
    properties:
      count: {get_param: {{role.name}}Count}
      resource_def:
        type: OS::TripleO::{{role.name}}
  {{role.name}}ServiceChain:
    type: OS::TripleO::Services
    properties:
      Services: {get_param: {{role.name}}Services}
  {{role.name}}PreConfig:
    type: OS::TripleO::Tasks::{{role.name}}PreConfig
{% endfor %}
  Steps:
    type: OS::TripleO::DeploymentSteps
  Workflows:
    type: OS::TripleO::WorkflowSteps
"""
_REGISTRY = """\
resource_registry:
  OS::TripleO::RandomString: OS::Heat::RandomString
  OS::TripleO::SoftwareDeployment: OS::Heat::StructuredDeployment
  OS::TripleO::Services: common/services.yaml
  OS::TripleO::DeploymentSteps: OS::Heat::StructuredDeploymentGroup
  OS::TripleO::WorkflowSteps: OS::Mistral::ExternalResource
  OS::TripleO::Services::Keystone: services/keystone.yaml
  OS::TripleO::Services::NovaCompute: services/nova-compute.yaml
{% for role in roles %}
  OS::TripleO::{{role.name}}: puppet/{{role.name.lower()}}-role.yaml
  OS::TripleO::Tasks::{{role.name}}PreConfig: extraconfig/pre.yaml
{% endfor %}
"""
_ROLE = """\
heat_template_version: queens
parameters:
  NetworkDeploymentActions: {type: comma_delimited_list, default: [CREATE]}
  UpgradeInitCommand:
    type: string
    default: ''
  UpgradeInitCommonCommand:
    type: string
    default: ''
resources:
  Script:
    type: OS::Heat::SoftwareConfig
    properties:
      config: {get_file: ../scripts/node.sh}
  Deployment:
    # {{role.name}}
    type: OS::TripleO::SoftwareDeployment
"""
_SERVICE = """\
heat_template_version: queens
parameters:
  AdminPassword:
    description: The administrator's.
    type: string
    hidden: true
  KeystoneFernetKeys:
    type: json
  MigrationSshKey:
    type: json
    default: {}
  RabbitCookie:
    type: string
    default: ''
  CephClientKey: {type: string}
  EnableOnlineDataMigrations:
    type: boolean
    default: true
  KeystoneWorkers: {type: number, default: 2}
outputs:
  role_data:
    value: {service_name: keystone}
"""
_FILES = {
    "overcloud.j2.yaml": _ROOT,
    "overcloud-resource-registry-puppet.j2.yaml": _REGISTRY,
    "roles_data.yaml": "- name: Controller\n  ServicesDefault:\n  - OS::TripleO::Services::Keystone\n"
    "- name: Compute\n  ServicesDefault:\n  - OS::TripleO::Services::NovaCompute\n",
    "common/services.yaml": "heat_template_version: queens\nparameters:\n  Services: {type: comma_delimited_list}\n"
    "resources:\n  Chain:\n    type: OS::Heat::ResourceChain\n    properties: {resources: {get_param: Services}}\n",
    "puppet/role.role.j2.yaml": _ROLE,
    "services/keystone.yaml": _SERVICE,
    "services/nova-compute.yaml": _SERVICE.replace("keystone", "nova_compute"),
    "extraconfig/pre.yaml": "heat_template_version: queens\n",
    "scripts/node.sh": "#!/bin/sh\n",
    "config-download-software.yaml": "heat_template_version: queens\nparameters: {server: {type: string}}\n",
    "config-download-structured.yaml": "heat_template_version: queens\nparameters: {server: {type: string}}\n",
    "environments/debug.yaml": "parameter_defaults:\n  KeystoneWorkers: 1\n",
    PREPARE: "resource_registry:\n  OS::TripleO::DeploymentSteps: OS::Heat::None\n"
    "  OS::TripleO::WorkflowSteps: OS::Heat::None\n"
    "  OS::Heat::StructuredDeployment: ../../config-download-structured.yaml\n"
    "parameter_defaults:\n  StackUpdateType: FASTFORWARDUPGRADE\n  EnableOnlineDataMigrations: false\n",
    CONVERGE: "resource_registry:\n  OS::TripleO::DeploymentSteps: OS::Heat::StructuredDeploymentGroup\n"
    "  OS::TripleO::WorkflowSteps: OS::Mistral::ExternalResource\n"
    "  OS::Heat::StructuredDeployment: OS::TripleO::Heat::StructuredDeployment\n"
    "parameter_defaults:\n  StackUpdateType: ''\n  EnableOnlineDataMigrations: true\n",
}


def write(root: Path, files: Mapping[str, str]) -> Path:
    """Write files by name and return their directory."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def write_plan(root: Path, files: Mapping[str, str | None] | None = None) -> Path:
    """Write the templates, with `files` instead of those of the same name; None leaves one out."""
    wanted = {**_FILES, **(files or {})}
    return write(root, {name: text for name, text in wanted.items() if text is not None})
