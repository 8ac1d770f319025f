"""One version of a plan as a value, and the names of plans; stdlib only."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tripleo_ffwd.exceptions import InvalidInput, NotFound

TEMPLATE = "overcloud.yaml"
_PLAN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}\Z")
_LISTS = ("environments", "user_environments", "user_files")


@dataclasses.dataclass(frozen=True)
class PlanVersion:
    """One version of a plan; nothing in it ever changes.

    Attributes:
        plan: name of the plan.
        number: from 1, one up with each version; 0 for a plan that TripleO made and of which no version was kept yet.
        path: directory of the version on this machine.
        digest: SHA-256 over names and contents of all files and the order of the environments, in hexadecimal.
        phase: the phase that it was made for; empty for an imported one.
        environments: names relative to `files_dir`, in the order that Heat gets them.
        files: how many files it has.
        lifecycle: the phase's environment among them; empty when the templates have none.
        user_environments: those that the operator gave, in order: what a later version takes over.
        user_files: files that came with them from outside the templates.
        created: when, UTC; empty when it can't be known.
        origin: where its files came from, for people.
        restored_from: number of the older version whose content it has again; 0 for none.
    """

    plan: str
    number: int
    path: Path
    digest: str
    phase: str
    environments: tuple[str, ...]
    files: int
    lifecycle: str = ""
    user_environments: tuple[str, ...] = ()
    user_files: tuple[str, ...] = ()
    created: str = ""
    origin: str = ""
    restored_from: int = 0

    @property
    def files_dir(self) -> Path:
        """Directory of the files."""
        return self.path / "files"

    @property
    def template_path(self) -> Path:
        """The template of the stack."""
        return self.files_dir / TEMPLATE

    @property
    def environment_paths(self) -> tuple[Path, ...]:
        """The environment files, in the order that Heat gets them."""
        return tuple(self.files_dir / name for name in self.environments)

    def same_as(self, other: PlanVersion | None) -> bool:
        """Return whether another version has the same content for the same phase."""
        return other is not None and (self.digest, self.phase) == (other.digest, other.phase)

    def to_record(self) -> dict[str, Any]:
        """Return what is stored beside the files: JSON, without the place."""
        record = dataclasses.asdict(self)
        del record["path"]
        return record

    @classmethod
    def of_record(cls, record: Mapping[str, Any], path: Path) -> PlanVersion:
        """Return the version of a stored record; what a newer release wrote beside it is left out."""
        known = {field.name for field in dataclasses.fields(cls)}
        lists = {key: tuple(record[key]) for key in _LISTS}
        return cls(**{key: value for key, value in {**record, **lists, "path": path}.items() if key in known})


def absent(plan: str, where: str, number: int | None = None) -> NotFound:
    """Return the error that says that a plan, or a version of one that is there, does not exist."""
    if number is None:
        remedy = "Make it with `tripleo-ffwd plan import`, or by the phase prepare with `templates`"
        return NotFound(f"Plan {plan} does not exist", where=where, remedy=remedy)
    remedy = f"See those that are kept with `tripleo-ffwd plan list {plan}`"
    return NotFound(f"Plan {plan} has no version {number}", where=where, remedy=remedy)


def other_version(plan: str, numbers: Iterable[int]) -> str:
    """Return the remedy for a version that can't be used any more; `numbers` are those of the plan's versions."""
    told = ", ".join(map(str, numbers))
    return f"Make another one current with `tripleo-ffwd plan restore {plan} N`; the versions are {told or 'none'}"


def check_name(plan: str) -> None:
    """Refuse what can't be the name of a plan: it becomes a directory, and a container.

    Raises:
        InvalidInput: it is empty, too long, or has other characters than letters, digits, ``_``, ``.``, ``-``.
    """
    if not isinstance(plan, str) or not _PLAN_NAME.match(plan):
        raise InvalidInput(
            f"{str(plan)[:80]!r} can't be the name of a plan",
            remedy="Use letters, digits, '_', '.' and '-', a letter or digit first, at most 63 in all",
        )
