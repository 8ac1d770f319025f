"""Stack outputs and deployments on disk, named by their digest: megabytes that never pass through a workflow."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from tripleo_ffwd.exceptions import NotFound
from tripleo_ffwd.files import write_atomic
from tripleo_ffwd.plan import records


def save(work_dir: Path, outputs: Any) -> str:
    """Store outputs, or what was fetched beside them, and return the digest; the same value is stored once.

    The digest is SHA-256 in hexadecimal.
    """
    digest = hashlib.sha256(json.dumps(outputs, sort_keys=True).encode()).hexdigest()
    path = _path(work_dir, digest)
    if not path.exists():
        write_atomic(path, json.dumps(outputs).encode())
    return digest


def read(work_dir: Path, digest: str) -> Any:
    """Return stored outputs.

    Raises:
        NotFound: nothing is stored under the digest.
        InvalidInput: the file is damaged.
    """
    remedy = "Remove it, and run the phase again: it queries the stack's outputs anew"
    value = records.read(_path(work_dir, digest), lambda value: value, remedy) if digest.isalnum() else None
    if value is None:
        raise NotFound(
            f"No stack outputs are stored as {digest[:64]!r}",
            where=str(work_dir / "outputs"),
            remedy="Query them with ffwd.query_outputs; all executors must share [ffwd] work_dir",
        )
    return value


def _path(work_dir: Path, digest: str) -> Path:
    return work_dir / "outputs" / f"{digest}.json"
