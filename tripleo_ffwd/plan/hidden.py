"""What of a plan is secret: the parameters that templates declare hidden, and the values of these and of others."""

from __future__ import annotations

from collections.abc import Iterable

from tripleo_ffwd import redaction
from tripleo_ffwd.plan import effective
from tripleo_ffwd.plan.places import Files, NotReadable
from tripleo_ffwd.plan.version import PlanVersion

_HIDDEN = "hidden"


def parameters(files: Files, names: Iterable[str]) -> dict[str, object]:
    """Return the parameters that any template declares hidden, with their defaults.

    Args:
        files: of a plan.
        names: of those that may be templates.
    """
    found: dict[str, object] = {}
    for name in names:
        if not name.endswith((".yaml", ".template")) or name.endswith(".j2.yaml"):
            continue
        try:
            if _HIDDEN not in files.text(name):
                continue
            content = files.load(name)
        except NotReadable:
            # It is no template that Heat could read; who needs it is told elsewhere.
            continue
        declared = content.get("parameters") if isinstance(content, dict) else None
        for parameter, schema in declared.items() if isinstance(declared, dict) else ():
            if isinstance(schema, dict) and str(schema.get(_HIDDEN, "")).lower() in ("true", "1", "yes", "on"):
                found[str(parameter)] = schema.get("default")
    return found


def values(version: PlanVersion) -> set[str]:
    """Return the values of a version that no log may show: of parameters that are hidden or have the name of a secret.

    Raises:
        OSError, NotReadable: its files can't be read.
    """
    files = Files(version.files_dir)
    names = (path.relative_to(files.root).as_posix() for path in sorted(files.root.rglob("*")) if path.is_file())
    hidden = parameters(files, names)
    merged = effective.merge(files, version.environments)
    found = {text for name, value in hidden.items() for text in redaction.values(name, value, hidden)}
    for name, setting in [*merged.defaults.items(), *merged.parameters.items()]:
        found |= set(redaction.values(name, setting.value, hidden))
    return found
