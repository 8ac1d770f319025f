from __future__ import annotations

import io
import json
from pathlib import Path

import yaml

from tripleo_ffwd.ansible_run.heart import Heart
from tripleo_ffwd.ansible_run.playbook import PlaybookRun
from tripleo_ffwd.ansible_run.rundir import RunDir
from tripleo_ffwd.ansible_run.tree import load
from tripleo_ffwd.model import RunSpec


def test_output_is_taken_in_though_the_log_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"stages": []}))
    (tmp_path / "inventory.yaml").write_text(yaml.safe_dump({"overcloud": {"hosts": {"ctl-0": {}}}}))
    run = RunDir(tmp_path / "run")
    run.log.mkdir(parents=True)
    spec = RunSpec("overcloud", "upgrade", "upgrade_steps_playbook.yaml", str(tmp_path), "digest")
    playbook = PlaybookRun(run, spec, load(tmp_path), Heart(run, spec, interval=1))
    output = io.BytesIO(b"ok: [ctl-0]\n" * 100_000 + b"\xff\xfe" * 1_000_000 + b"\nERROR! no such role\n")
    playbook._pump(output)
    assert output.read() == b""
    assert playbook.judge(1, None) == ("failed", "ansible-playbook ended with 1: no such role")
