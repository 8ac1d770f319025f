"""Waivers: findings that somebody takes upon themselves, with a reason and until a day. Pure.

A waiver is ``{key, reason, until}``. Until its day is over (UTC) the findings of its key stop nothing; they are listed
apart, with reason and day. One that has expired does not count, and is a finding itself.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Sequence
from typing import Any

from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.preflight.findings import CUSTOM, INFO, KEYS, WARNING, Finding

REMEDY = 'Give each as {"key": KEY, "reason": WHY, "until": "YYYY-MM-DD"}'


@dataclasses.dataclass(frozen=True)
class Waiver:
    """The findings of `key` are waived for a `reason`, `until` the end of a day."""

    key: str
    reason: str
    until: datetime.date

    def to_dict(self) -> dict[str, str]:
        """Return it as it was given."""
        return {"key": self.key, "reason": self.reason, "until": self.until.isoformat()}


@dataclasses.dataclass(frozen=True)
class Waived:
    """A finding that does not count, and the waiver why."""

    finding: Finding
    waiver: Waiver

    def to_dict(self) -> dict[str, Any]:
        """Return the finding with reason and day."""
        return {**self.finding.to_dict(), "reason": self.waiver.reason, "until": self.waiver.until.isoformat()}


def parse(given: Any) -> tuple[Waiver, ...]:
    """Return waivers as they were typed in.

    Args:
        given: a list of ``{key, reason, until}``; None for none.

    Raises:
        InvalidInput: one has no key, reason or day, or another thing; names it.
    """
    if given is None:
        return ()
    if not isinstance(given, list):
        raise InvalidInput(f"waivers must be a list, not {given!r}", where="waivers", remedy=REMEDY)
    return tuple(_parsed(one, number) for number, one in enumerate(given, 1))


def _parsed(one: Any, number: int) -> Waiver:
    where = f"waivers, number {number}"
    if not isinstance(one, dict) or not isinstance(one.get("key"), str) or not one["key"]:
        raise InvalidInput("it has no key", where=where, remedy=REMEDY)
    key = one["key"]
    if set(one) - {"key", "reason", "until"}:
        odd = ", ".join(sorted(set(one) - {"key", "reason", "until"}))
        raise InvalidInput(f"the waiver of {key} has more than it may: {odd}", where=where, remedy=REMEDY)
    if key not in KEYS and not key.startswith(CUSTOM):
        known = ", ".join(name for name in KEYS if name != "waiver")
        raise InvalidInput(f"there is no check {key!r}", where=where, remedy=f"Checks are {known} and custom:NAME")
    reason = one.get("reason")
    if not isinstance(reason, str) or not reason.strip():
        raise InvalidInput(f"the waiver of {key} has no reason", where=where, remedy=REMEDY)
    until = one.get("until")
    if not isinstance(until, str) or not until:
        raise InvalidInput(f"the waiver of {key} does not say until when", where=where, remedy=REMEDY)
    try:
        day = datetime.date.fromisoformat(until)
    except ValueError as error:
        raise InvalidInput(f"the waiver of {key} is until {until!r}, no day", where=where, remedy=REMEDY) from error
    return Waiver(key, reason.strip(), day)


def apply(
    findings: Iterable[Finding], waivers: Sequence[Waiver], today: datetime.date
) -> tuple[tuple[Finding, ...], tuple[Waived, ...]]:
    """Part the findings that stand from those that are waived.

    Args:
        findings: all of them.
        waivers: of them those that are in force count.
        today: in UTC.

    Returns:
        The findings that stand, among them one of each waiver that is of no use; and those that are waived.
    """
    in_force = {waiver.key: waiver for waiver in waivers if waiver.until >= today}
    standing: list[Finding] = []
    waived: list[Waived] = []
    for finding in findings:
        waiver = in_force.get(finding.key)
        if waiver is None:
            standing.append(finding)
        else:
            waived.append(Waived(finding, waiver))
    used = {one.waiver.key for one in waived}
    for waiver in waivers:
        if waiver.until < today:
            what = f"the waiver of {waiver.key} has expired on {waiver.until}, and does not count: {waiver.reason}"
            standing.append(Finding("waiver", WARNING, what, remedy="Renew it or mend the cause"))
        elif waiver.key not in used:
            standing.append(Finding("waiver", INFO, f"nothing was found that the waiver of {waiver.key} is for"))
    return tuple(standing), tuple(waived)
