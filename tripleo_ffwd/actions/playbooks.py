"""The action that generates a phase's playbooks from the stack's outputs."""

from __future__ import annotations

from typing import Any

from tripleo_ffwd.actions.base import Caller, FfwdAction
from tripleo_ffwd.files import make_private_dir, read_json
from tripleo_ffwd.plan import outputs as stored_outputs
from tripleo_ffwd.playbook_gen import pipeline, writing
from tripleo_ffwd.playbook_gen.options import GenerateOptions


class GeneratePlaybooksAction(FfwdAction):
    """Generate the playbooks of a phase into a directory named by their digest; the same input is written once.

    :param plan: name of the plan.
    :param phase: run, upgrade or converge.
    :param outputs: digest that ``ffwd.query_outputs`` returned.
    :param releases: the releases of the journey, when the outputs don't tell them.
    :param ssh_user: user on the nodes; [ffwd] ssh_user by default.
    :returns: ``{tree, digest, releases, stages, tasks, missing_inputs}``: a directory, its digest, names, counts.
    """

    def __init__(
        self, plan: str, phase: str, outputs: str, releases: list[str] | None = None, ssh_user: str | None = None
    ):
        self.plan = plan
        self.phase = phase
        self.outputs = outputs
        self.releases = releases
        self.ssh_user = ssh_user

    def act(self, caller: Caller) -> dict[str, Any]:
        options = GenerateOptions(
            phase=self.phase,
            releases=tuple(self.releases or ()),
            ssh_user=self.ssh_user or caller.conf.ssh_user,
            ssh_port=caller.conf.ssh_port,
            rolling_roles=tuple(caller.conf.rolling_roles),
            python_interpreter=caller.conf.python_interpreter,
        )
        compiled = pipeline.compile_playbooks(stored_outputs.read(caller.work_dir, self.outputs), options)
        manifest = compiled.manifest
        directory = caller.work_dir / "trees" / manifest["digest"]
        # Written whole or not at all: a tree of that digest that has its manifest is complete.
        if (read_json(directory / "manifest.json") or {}).get("digest") != manifest["digest"]:
            make_private_dir(directory.parent)
            writing.write_tree(compiled, directory)
        return {
            "tree": str(directory),
            "digest": manifest["digest"],
            "releases": list(manifest["releases"]),
            "stages": len(manifest["stages"]),
            "tasks": sum(stage["tasks"] for stage in manifest["stages"]),
            "missing_inputs": [dict(entry) for entry in manifest["missing_inputs"]],
        }
