"""What makes the embedded Heat fast, tried in a process of its own: Heat's and Mistral's options don't fit into one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(os.environ.get("FFWD_TEST_REAL") != "all", reason="a minute: make test-overcloud")
def test_it_comes_to_what_heat_itself_comes_to():
    cases = Path(__file__).with_name("heat_speed_cases.py")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(cases)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout
