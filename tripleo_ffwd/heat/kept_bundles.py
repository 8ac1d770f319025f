"""The bundle of a plan's version, kept for the execution that it was built for, beside the version's files.

Heat is asked for its limits and for a preview in one action and sent the update in another, maybe on another executor:
both have the same bundle, built once.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

from tripleo_ffwd.exceptions import WriteRefused
from tripleo_ffwd.files import write_atomic
from tripleo_ffwd.heat.bundling import build_bundle
from tripleo_ffwd.stack import Bundle

NAME = "bundle.json"


def bundle_of(directory: Path, execution: str, template_path: Path, environment_paths: Sequence[Path]) -> Bundle:
    """Return the bundle of a version: the one that the execution got before, else one that is built and kept.

    Args:
        directory: of the version; the bundle goes with it.
        execution: id of the root execution; empty to keep nothing.
        template_path, environment_paths: as `build_bundle` takes them.

    Raises:
        InvalidTemplates: as `build_bundle`.
    """
    path = directory / NAME
    if not execution:
        return build_bundle(template_path, environment_paths)
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        kept = json.loads(path.read_bytes())
        if kept["execution"] == execution:
            return Bundle(**kept["bundle"])
    bundle = build_bundle(template_path, environment_paths)
    # Without it, it is built once more.
    with contextlib.suppress(WriteRefused):
        write_atomic(path, json.dumps({"execution": execution, "bundle": vars(bundle)}).encode())
    return bundle
