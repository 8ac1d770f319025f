"""The action that generates a phase's playbooks from the stack's outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tripleo_ffwd.actions.base import Caller, FfwdAction
from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.files import make_private_dir
from tripleo_ffwd.model import JOB_PLAYBOOKS
from tripleo_ffwd.plan import journal
from tripleo_ffwd.plan import outputs as stored_outputs
from tripleo_ffwd.playbook_gen import pipeline, writing
from tripleo_ffwd.playbook_gen.deployments import load_deployments
from tripleo_ffwd.playbook_gen.options import GenerateOptions
from tripleo_ffwd.playbook_gen.tree import PlaybookTree


class GeneratePlaybooksAction(FfwdAction):
    """Generate the playbooks of a phase into a directory named by their digest; the same input is written once.

    :param plan: name of the plan.
    :param phase: run, upgrade or converge, or a job beside them: update, external_update or external_upgrade.
    :param outputs: digest of the outputs that ``ffwd.query_outputs`` returned.
    :param deployments: digest of the servers' deployments that it returned; empty when the phase needs none.
    :param releases: the releases of the journey, when the outputs don't tell them.
    :param ssh_user: user on the nodes; [ffwd] ssh_user by default.
    :param playbook: ``all`` or the one playbook that is going to be run: one that lacks an input is refused now, not
        after the ones before it have changed the nodes.
    :returns: ``{tree, digest, releases, stages, tasks, missing_inputs}``: a directory, its digest, names, counts.
    """

    def __init__(
        self,
        plan: str,
        phase: str,
        outputs: str,
        releases: list[str] | None = None,
        ssh_user: str | None = None,
        playbook: str = "all",
        deployments: str = "",
    ):
        self.plan = plan
        self.phase = phase
        self.outputs = outputs
        self.releases = releases
        self.ssh_user = ssh_user
        self.playbook = playbook
        self.deployments = deployments

    def act(self, caller: Caller) -> dict[str, Any]:
        releases = tuple(self.releases or ())
        tree = compiled(caller, self.phase, self.outputs, self.deployments, releases=releases, ssh_user=self.ssh_user)
        manifest = tree.manifest
        _check_complete(manifest["missing_inputs"], self.playbook)
        directory = caller.work_dir / "trees" / manifest["digest"]
        if not writing.is_written(directory, manifest["digest"]):
            make_private_dir(directory.parent)
            writing.write_tree(tree, directory)
        journal.note(
            caller.work_dir,
            self.plan,
            journal.GENERATE,
            phase=self.phase,
            digest=manifest["digest"],
            outputs=self.outputs,
            deployments=self.deployments,
        )
        return {
            "tree": str(directory),
            "digest": manifest["digest"],
            "releases": list(manifest["releases"]),
            "stages": len(manifest["stages"]),
            "tasks": sum(stage["tasks"] for stage in manifest["stages"]),
            "missing_inputs": [dict(entry) for entry in manifest["missing_inputs"]],
        }


def compiled(
    caller: Caller,
    phase: str,
    outputs: str,
    deployments: str,
    *,
    releases: tuple[str, ...] = (),
    ssh_user: str | None = None,
) -> PlaybookTree:
    """Return the playbooks of a phase; nothing is written.

    Args:
        caller: the action's surroundings.
        phase: run, upgrade or converge, or a job beside them.
        outputs: digest of stored outputs.
        deployments: digest of the servers' deployments; empty when the phase needs none.
        releases: the releases of the journey, when the outputs don't tell them.
        ssh_user: user on the nodes; [ffwd] ssh_user by default.

    Raises:
        MalformedOutputs: the outputs are not what a stack has.
        NotFound: nothing is stored under a digest.
    """
    options = GenerateOptions(
        phase=None if phase in JOB_PLAYBOOKS else phase,
        only=JOB_PLAYBOOKS.get(phase, ()),
        releases=releases,
        ssh_user=ssh_user or caller.conf.ssh_user,
        ssh_port=caller.conf.ssh_port,
        python_interpreter=caller.conf.python_interpreter,
        deployments=load_deployments(stored_outputs.read(caller.work_dir, deployments)) if deployments else None,
    )
    return pipeline.compile_playbooks(stored_outputs.read(caller.work_dir, outputs), options)


def _check_complete(missing: Sequence[Mapping[str, str]], playbook: str) -> None:
    wanted = [entry for entry in missing if playbook in ("all", entry.get("playbook"))]
    if wanted:
        told = "; ".join(f"{entry.get('playbook')}: {entry.get('what')}" for entry in wanted)
        raise InvalidInput(
            f"The playbooks lack what they need: {told}",
            remedy="Heat has no such deployments: update the stack with TripleO's config-download environment, then "
            "run the phase again",
            missing_inputs=[dict(entry) for entry in wanted],
        )
