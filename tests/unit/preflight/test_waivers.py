"""Waivers as they are typed in, and what they do to findings."""

from __future__ import annotations

import datetime

import pytest

from tripleo_ffwd import config
from tripleo_ffwd.exceptions import InvalidInput
from tripleo_ffwd.preflight import findings, reports, waivers
from tripleo_ffwd.preflight.findings import Finding

TODAY = datetime.date(2026, 11, 23)
GOOD = {"key": "sudo", "reason": "the user is root", "until": "2026-11-23"}
SUDO = Finding("sudo", "error", "no", "n1", inhibitor=True)
CLOCK = Finding("clock-skew", "warning", "late", "n2")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "waivers must be a list, not {}"),
        (["sudo"], "it has no key"),
        ([{**GOOD, "key": "sudoo"}], "there is no check 'sudoo'"),
        ([{**GOOD, "reason": " "}], "the waiver of sudo has no reason"),
        ([{"key": "sudo", "until": "2026-11-23"}], "the waiver of sudo has no reason"),
        ([{"key": "sudo", "reason": "r"}], "the waiver of sudo does not say until when"),
        ([{**GOOD, "until": "tomorrow"}], "the waiver of sudo is until 'tomorrow', no day"),
        ([GOOD, {**GOOD, "node": "n1"}], "more than it may: node"),
    ],
)
def test_a_waiver_needs_key_reason_and_day(given, told):
    with pytest.raises(InvalidInput) as refused:
        waivers.parse(given)
    assert told in str(refused.value)


def test_a_waiver_is_good_until_the_end_of_its_day():
    standing, waived = waivers.apply([SUDO, CLOCK], waivers.parse([GOOD]), TODAY)
    assert standing == (CLOCK,)
    assert [one.to_dict() for one in waived] == [
        {**SUDO.to_dict(), "reason": "the user is root", "until": "2026-11-23"}
    ]


def test_an_expired_waiver_does_not_count_and_says_so():
    standing, waived = waivers.apply([SUDO], waivers.parse([GOOD]), TODAY + datetime.timedelta(days=1))
    assert waived == ()
    assert standing[0] == SUDO
    assert standing[1].what.startswith("the waiver of sudo has expired on 2026-11-23, and does not count")


def test_a_waiver_that_nothing_is_found_for_is_told():
    standing, _ = waivers.apply([], waivers.parse([GOOD, {**GOOD, "key": "custom:x"}]), TODAY)
    assert [(one.key, one.severity) for one in standing] == [("waiver", "info")] * 2


def test_errors_of_the_named_checks_stop_a_phase_and_nothing_else():
    soft = Finding("sudo", "warning", "no")
    own = Finding("custom:x", "warning", "no", inhibitor=True)
    bad = Finding("custom:y", "error", "no")
    decided = findings.decide([CLOCK, soft, own, bad, SUDO], ["sudo"])
    assert [(one.key, one.severity) for one in decided if one.inhibitor] == [("sudo", "error"), ("custom:x", "warning")]
    assert decided[0].inhibitor and not decided[-1].inhibitor, "inhibitors come first"
    assert [one.key for one in findings.decide([bad], ["custom"]) if one.inhibitor] == ["custom:y"]


def test_what_stops_by_default_is_known():
    assert set(config.load_file(None).check_inhibitors) <= set(findings.KEYS)


def report(stopped, *waived):
    identity = {"id": "i", "plan": "p", "phase": "run", "execution": "e", "nodes": ["n1", "n2"], "seconds": 1}
    more = findings.not_made("pacemaker", "no answer", "n2")
    standing = findings.decide([SUDO, Finding("sudo", "error", "no", "n3"), CLOCK, more], ["sudo"])
    return reports.make(identity, standing, waived, stopped=stopped)


def test_a_report_counts_and_names_what_could_not_be_made(tmp_path):
    made = report(True)
    assert made["counts"] == {"inhibitors": 2, "error": 2, "warning": 2, "info": 0, "waived": 0}
    assert made["not_made"] == [{"key": "pacemaker", "where": "n2", "why": "the check could not be made: no answer"}]
    assert reports.summary(made) == "2 nodes looked at: 2 errors and 2 warnings"
    some = {**made, "not_asked": ["n3"]}
    assert reports.summary(some) == "2 nodes looked at, 1 not looked at: 2 errors and 2 warnings"
    assert reports.told(made) == "sudo on n1, n3: no"
    path = reports.write(reports.checks_dir(tmp_path) / "20261123", made)
    assert path.stat().st_mode & 0o777 == 0o600
    assert reports.read(reports.checks_dir(tmp_path), "") == made


def test_reports_with_waivers_are_kept_when_others_go(tmp_path):
    (waived,) = waivers.apply([SUDO], waivers.parse([GOOD]), TODAY)[1]
    checks = reports.checks_dir(tmp_path)
    for number in range(reports.KEPT + 3):
        reports.write(checks / f"{number:04}", report(False, *([waived] if number == 1 else [])))
    kept = [one["waived"] for one in reports.read_all(tmp_path)]
    assert len(kept) == reports.KEPT + 1 and kept[0]
