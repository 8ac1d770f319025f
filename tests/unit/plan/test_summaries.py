"""The summary of a version's changes: one sentence, one private file, the oldest forgotten."""

from __future__ import annotations

import json

from tripleo_ffwd.plan import summaries

NOTHING = {"added": {}, "removed": {}, "changed": {}}
CHANGES = {
    "templates": {"added": ["a"], "removed": [], "changed": ["b"]},
    "environments": {"before": ["one", "two"], "after": ["two", "three"], "changed": ["two"]},
    "parameters": {**NOTHING, "changed": {"Debug": [False, True]}},
    "types": NOTHING,
}
UNTOLD = {"supported": False, "nested": False, "reason": "HTTP 500", "counts": {}}


def test_it_counts_what_a_comparison_names():
    assert summaries.counts(CHANGES) == {"templates": 2, "environments": 3, "parameters": 1, "types": 0}


def test_the_sentence_tells_what_heat_can_and_can_not_foresee():
    numbers = summaries.counts(CHANGES)
    told = summaries.describe(4, numbers, UNTOLD, reordered=True)
    assert told == (
        "version 4 changes 2 templates, 3 environments, 1 parameter, 0 resource types, and the order of the "
        "environments; Heat can't tell what becomes of the resources: HTTP 500"
    )
    counts = {"added": 1, "deleted": 2, "replaced": 3, "updated": 4, "unchanged": 5}
    flat = {"supported": True, "nested": False, "reason": "", "counts": counts}
    assert summaries.describe(4, numbers, flat, reordered=False).endswith(
        "Heat would add 1, delete 2, replace 3, update 4 resources and leave 5 as they are, not counting those of "
        "nested stacks, of which it can't tell"
    )


def test_files_are_private_and_the_oldest_are_forgotten(tmp_path):
    for number in range(1, summaries.KEEP + 3):
        path = summaries.save(tmp_path, "overcloud", {"phase": "prepare", "version": number})
    assert json.loads(path.read_text())["plan"] == "overcloud"
    assert path.stat().st_mode & 0o777 == 0o600
    kept = sorted(found.name for found in path.parent.iterdir())
    assert len(kept) == summaries.KEEP and kept[0] == "000003-prepare.json"
