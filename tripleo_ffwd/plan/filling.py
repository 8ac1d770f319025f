"""The files of a new version, put together in a directory: templates, rendered, and the operator's environments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tripleo_ffwd.exceptions import InvalidTemplates
from tripleo_ffwd.plan import references, tree
from tripleo_ffwd.plan.arrangement import Previous, arrange
from tripleo_ffwd.plan.environments import Placed, place
from tripleo_ffwd.plan.rendering import render_tree
from tripleo_ffwd.plan.sources import Source
from tripleo_ffwd.plan.version import TEMPLATE, PlanVersion


def fill(
    staging: Path,
    current: PlanVersion | None,
    plan: str,
    source: Source | None,
    given: Sequence[Path | str] | None,
    phase: str,
    *,
    unused: PlanVersion | None = None,
    known: Callable[[], Mapping[str, Any]] = dict,
) -> PlanVersion:
    """Put all files of a new version into ``staging/files`` and return it, unnumbered.

    Args:
        staging: an empty directory.
        current: the version to take from what is not given.
        plan: name of the plan.
        source: where the templates are; None takes those of `current`.
        given: the operator's environments; None takes those of `current`.
        phase: the phase whose lifecycle environment is put before them; empty for none.
        unused: the newest version, when it was never current: passwords that were made for it are good.
        known: see `arrangement.arrange`.

    Raises:
        InvalidTemplates: a file is missing, or can't be rendered or read; names it, and the line.
        OSError: a file can't be written.
    """
    root = staging / "files"
    root.mkdir(mode=0o700)
    carried = current.user_files if current is not None and given is None else ()
    if source is not None:
        _copy_templates(source.path, root)
    elif current is not None:
        tree.copy_files(current.files_dir, root, tree.list_files(current.files_dir, skip=current.user_files))
    if current is not None:
        tree.copy_files(current.files_dir, root, carried)
    render_tree(root, tree.list_files(root, skip=carried))
    if not (root / TEMPLATE).is_file():
        where = source.name if source is not None else str(root)
        raise InvalidTemplates(
            f"There is no {TEMPLATE}", where=where, remedy="Give the directory that has it, or overcloud.j2.yaml"
        )
    references.make_relative(root, tree.list_files(root, skip=carried), source.directory if source else None)
    if given is None:
        placed = Placed(current.user_environments if current is not None else (), carried)
    else:
        placed = place(root, source.directory if source is not None else None, given)
    previous = Previous(current.files_dir, current.environments) if current is not None else None
    arranged = arrange(
        root, phase, placed, previous=previous, kept_in=[unused.files_dir] if unused else (), known=known
    )
    names = arranged.environments
    digest, count = tree.digest(root, names)
    origin = source.name if source is not None else f"version {current.number}" if current is not None else ""
    return PlanVersion(
        plan,
        0,
        staging,
        digest,
        phase,
        names,
        count,
        lifecycle=arranged.lifecycle,
        user_environments=placed.names,
        user_files=placed.copied,
        origin=origin,
    )


def _copy_templates(source: Path, root: Path) -> None:
    try:
        names = tree.list_files(source)
        if not names:
            remedy = "Give the directory that has overcloud.yaml or overcloud.j2.yaml"
            raise InvalidTemplates("The directory of the templates is empty", where=str(source), remedy=remedy)
        tree.copy_files(source, root, names)
    except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
        raise InvalidTemplates(
            f"The templates can't be read: {error.strerror}",
            where=str(error.filename or source),
            remedy="Give a directory, a tarball or swift:CONTAINER that this user can read here (for a phase: that "
            "Mistral's executor can read on its machine)",
        ) from error
