"""What comes out of the compiler; imports model only."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from tripleo_ffwd.model import Stage


@dataclasses.dataclass(frozen=True)
class Note:
    """One thing that was rewritten, or that should be looked at: the file, the task's name or place, what was done."""

    file: str
    task: str
    what: str


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What a tree is made of.

    Attributes:
        digest: sha256 over the version and the hashes of all files; the same for the same input.
        version: the generator's; a change of it changes the digest.
        releases: the releases of the upgrade, without the one it starts from.
        roles: names of the roles, in the outputs' order.
        rolling: names of the roles that the control plane does not stand on, see `rolling.rolling_roles`.
        bootstrap: the overcloud's bootstrap server, ``{server_id, host}``; a role's is decided on the nodes.
        task_order: ``sorted`` or ``written``.
        stages: all stages, playbook by playbook, in order.
        files: ``{path, sha256}`` of every file but the manifest.
        rewritten: what was rewritten, and what should be looked at.
        modules: modules, roles (as ``role NAME``) and plugins (as ``strategy NAME``, ``filter NAME``, …) that
            ansible-core doesn't have → their tasks, ``[{playbook, stage, task}]``.
        missing_modules: those of `modules` that Ansible doesn't find; None while nobody has looked.
        point_of_no_return: ``{playbook, stage, why, tasks}``, see `no_return.find`; None when there is none.
        folded: names, sorted, whose values stand in the playbooks, decided or given by us: loop variables (such as
            ``step`` and ``release``), facts that were known (``releases``), ``tripleo_role_name``. Extra variables of
            these names would outrank what the stages were made with, and must be refused.
        built: playbooks that the outputs don't have, built from RoleData's task lists in TripleO's documented shape.
        missing_inputs: ``{playbook, what}``: a playbook that stands here can't be started.
    """

    digest: str
    version: str
    releases: tuple[str, ...]
    roles: tuple[str, ...]
    rolling: tuple[str, ...]
    bootstrap: Mapping[str, str | None]
    task_order: str
    stages: tuple[Stage, ...]
    files: tuple[Mapping[str, str], ...]
    rewritten: tuple[Note, ...]
    modules: Mapping[str, list[dict[str, str]]]
    missing_modules: tuple[str, ...] | None
    point_of_no_return: Mapping[str, Any] | None
    folded: tuple[str, ...]
    built: tuple[str, ...]
    missing_inputs: tuple[Mapping[str, str], ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the manifest as manifest.json has it."""
        # One level at a time: `asdict` copies each list of hosts, which are long and many.
        found = {key: list(value) if isinstance(value, tuple) else value for key, value in vars(self).items()}
        return {
            **found,
            "stages": [dict(vars(stage)) for stage in self.stages],
            "rewritten": [dict(vars(note)) for note in self.rewritten],
        }


@dataclasses.dataclass(frozen=True)
class PlaybookTree:
    """A generated tree as a value: `files` are (path, text), sorted by path; `manifest` is what manifest.json holds."""

    files: tuple[tuple[str, str], ...]
    manifest: Mapping[str, Any]
