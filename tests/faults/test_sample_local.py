"""Rows of the table of faults, at one moment each: those whose hosts are all this machine.

The whole table at many moments: `make test-faults`. ``FFWD_TEST_FAULTS_SEED`` draws other moments.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from faults.going import go
from faults.lab import Lab
from faults.table import ROWS, Row

SEED = os.environ.get("FFWD_TEST_FAULTS_SEED", "1")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    made = Lab(tmp_path_factory.mktemp("faults") / "lab", on_nodes=False)
    yield made
    made.close()


@pytest.mark.parametrize("row", [row for row in ROWS if row.sample and not row.on_nodes], ids=lambda row: row.name)
def test_what_must_be_true_is_true_after_a_fault(row: Row, lab: Lab) -> None:
    go(lab, row, f"{SEED}.0")
