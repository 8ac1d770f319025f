"""What tests of actions share."""

from __future__ import annotations

import pytest
from oslo_config import cfg

from tripleo_ffwd import config


@pytest.fixture
def work_dir(tmp_path):
    """The [ffwd] work_dir of the actions that a test runs."""
    cfg.CONF(args=[], project="tripleo-ffwd", default_config_files=[])
    config.load()
    cfg.CONF.set_override("work_dir", str(tmp_path / "work"), group=config.GROUP)
    try:
        yield tmp_path / "work"
    finally:
        cfg.CONF.reset()
        cfg.CONF.clear_override("work_dir", group=config.GROUP)
