"""The parts of a report: timelines of several runs, pictures, documents in pieces."""

from __future__ import annotations

import random
import re

import pytest

from tripleo_ffwd.exceptions import InvalidInput, NotFound
from tripleo_ffwd.reporting import charts, documents, page, timelines

STAGES = ("-/facts/all/all", "ocata/step1/Controller/all", "ocata/step1/Compute/all")


def run(number: int) -> dict:
    return {"run_id": f"r-{number}", "phase": "run", "playbook": "fast_forward_upgrade_playbook.yaml"}


def past(number: int, hosts: dict[str, str], *, seconds: float = 2.0) -> dict:
    slowest = {"host": "ctl-0", "seconds": seconds}
    counts = {"seconds": seconds, "tasks": 1, "changed": 1, "hosts": 1, "slowest": slowest}
    stages = [{"id": name, "role": name.split("/")[2], "begin": 1.5, **counts} for name in STAGES]
    return {"began": f"2026-11-23T0{number}:00:00+00:00", "stages": stages, "hosts": hosts}


def cells(*pasts: dict) -> dict[str, str]:
    (found,) = timelines.build((run(number), one) for number, one in enumerate(pasts))
    return {row["host"]: row["cells"] for row in found["hosts"]}


def test_the_newest_run_that_says_anything_of_a_node_counts():
    failed = past(1, {"ctl-0": "cF.", "cmp-0": "c. "})
    resumed = past(2, {"ctl-0": "dc.", "cmp-0": "d.c"})
    assert cells(failed, resumed) == {"ctl-0": "cr.", "cmp-0": "c.c"}
    assert cells(failed, past(2, {"ctl-0": "dX.", "cmp-0": "d. "}), resumed)["ctl-0"] == "cr."
    assert cells(resumed, failed)["ctl-0"] == "cF."


def test_batches_are_one_timeline_with_the_time_of_all():
    (found,) = timelines.build(
        [(run(1), past(1, {"cmp-0": "c.c"})), (run(2), past(2, {"cmp-10": "c.c", "cmp-9": "c.c"}))]
    )
    assert [row["host"] for row in found["hosts"]] == ["cmp-0", "cmp-9", "cmp-10"]
    assert {row["role"] for row in found["hosts"]} == {"Compute"}
    assert found["stages"][0]["seconds"] == 4.0
    assert found["stages"][0]["begin"] == "2026-11-23T01:00:01.500+00:00"
    assert (found["stages"][2]["release"], found["stages"][2]["step"]) == ("ocata", "step1")


def test_nodes_to_which_the_same_has_happened_share_a_line_and_failures_come_first():
    hosts = [{"host": f"cmp-{number}", "role": "Compute", "cells": "co"[number % 2] + "c "} for number in range(9)]
    rows = charts.alike([*hosts, {"host": "cmp-9", "role": "Compute", "cells": "cF "}])
    assert [(name, letters) for name, _, letters in rows] == [("cmp-9", "cF "), ("9 Compute", "cc ")]
    drawn = charts.matrix(rows)
    assert set(drawn.paths) == {"failed", "changed", "ahead"}
    assert (drawn.width, drawn.height) == (3 * charts.COLUMN, 2 * charts.ROW)


def test_the_picture_of_many_hosts_stays_small():
    chance = random.Random(1)
    rows = [(f"host-{number}", "", "".join(chance.choice("cos. ") for _ in range(120))) for number in range(300)]
    assert sum(map(len, charts.matrix(rows).paths.values())) < 1_000_000


@pytest.mark.parametrize(
    ("seconds", "told"), [(None, "-"), (0.44, "0.4 s"), (12.3, "12 s"), (185, "3:05"), (3723, "1:02:03")]
)
def test_times_are_told_as_people_read_them(seconds, told):
    assert page.clock(seconds) == told


def test_a_document_is_fetched_in_pieces_that_mistral_takes(tmp_path):
    text = "".join(chr(random.Random(number).randint(33, 0x2FFF)) for number in range(400_000))
    saved = documents.save(tmp_path, "p", "report", "html", text)
    assert saved["pieces"] > 1
    sizes = []

    def ask(number: int) -> str:
        piece = documents.piece(tmp_path, "p", saved["name"], number)
        sizes.append(len(piece))
        return piece

    assert documents.fetch(saved, ask) == text
    assert max(sizes) < 500_000
    with pytest.raises(InvalidInput, match=r"damaged|not what was written"):
        documents.fetch({**saved, "pieces": 1}, ask)
    with pytest.raises(InvalidInput, match="not what was written"):
        documents.fetch({**saved, "sha256": "0"}, ask)
    with pytest.raises(NotFound, match="no number 99"):
        documents.piece(tmp_path, "p", saved["name"], 99)


@pytest.mark.parametrize("name", ["../../runs/x", "report-1.html", "/etc/passwd", "report-20261123T000000000000.py"])
def test_what_is_no_document_is_not_handed_out(tmp_path, name):
    with pytest.raises(InvalidInput, match="no name of a document"):
        documents.piece(tmp_path, "p", name, 0)


def test_the_newest_documents_of_a_kind_are_kept(tmp_path):
    names = [documents.save(tmp_path, "p", "report", "json", str(number))["name"] for number in range(7)]
    other = documents.save(tmp_path, "p", "preview", "json", "{}")["name"]
    kept = sorted(path.name for path in (tmp_path / "records" / "p" / "documents").iterdir())
    assert kept == sorted([*names[2:], other])
    assert all(re.fullmatch(r"(report|preview)-\d{8}T\d{12}\.json", name) for name in kept)
