"""What is wrong with a plan's files, as values: found first, all, then told at once; imports only exceptions."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from tripleo_ffwd.exceptions import InvalidTemplates

# As many are spelled out in a message; a report with thousands would not pass through a workflow.
MAX_TOLD = 100


@dataclasses.dataclass(frozen=True)
class Problem:
    """One thing that is wrong, or that an operator wants to know.

    Attributes:
        kind: for programs: ``shape``, ``missing_file``, ``unknown_type``, ``unknown_parameter``, ``role``, ``undone``,
            ``left_behind`` or ``plan_environment``.
        what: one sentence without a full stop; never the value of a parameter.
        where: file within the plan (or the path that was given) and line.
        remedy: what to do; may be empty.
    """

    kind: str
    what: str
    where: str
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}"
        return f"{text} ({self.remedy})" if self.remedy else text


def as_dicts(problems: Iterable[Problem]) -> list[dict[str, str]]:
    """Return problems as small JSON."""
    return [dataclasses.asdict(problem) for problem in problems]


@dataclasses.dataclass
class Report:
    """What was found in a plan.

    Attributes:
        errors: what must be mended before Heat is called.
        warnings: what an operator wants to know.
    """

    errors: list[Problem] = dataclasses.field(default_factory=list)
    warnings: list[Problem] = dataclasses.field(default_factory=list)

    def raise_errors(self) -> None:
        """Raise one error that tells of all; nothing when there are none.

        Raises:
            InvalidTemplates: ``problems`` among its details has them one by one.
        """
        found = _without_consequences(self.errors)
        told = as_dicts(found[:MAX_TOLD])
        if len(found) == 1:
            raise InvalidTemplates(found[0].what, where=found[0].where, remedy=found[0].remedy, problems=told)
        if found:
            more = f"; and {len(found) - MAX_TOLD} more" if len(found) > MAX_TOLD else ""
            raise InvalidTemplates(
                f"{len(found)} things are wrong in the plan: {'; '.join(map(str, found[:MAX_TOLD]))}{more}",
                remedy="Mend them all, then try again; neither the plan nor the stack was touched",
                problems=told,
            )


def _without_consequences(problems: Sequence[Problem]) -> list[Problem]:
    """Return each problem once, without those that follow from others.

    When an environment can't be read, types and roles that nothing stands for may be in it. A reference that was
    reported when a file was copied is not reported again where it leads to.
    """
    unread = any(problem.kind == "shape" for problem in problems)
    found: dict[tuple[str, str], Problem] = {}
    for problem in problems:
        if not (unread and problem.kind in ("unknown_type", "role")):
            place = problem.where if problem.kind == "missing_file" else str(problem)
            found.setdefault((problem.kind, place), problem)
    return list(found.values())
