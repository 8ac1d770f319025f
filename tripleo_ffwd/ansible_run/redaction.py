"""Taking secrets out of texts: values of extra variables and of the plan; reads only the files that hold them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

SHORTEST = 6
SECRET_NAME = re.compile(r"pass|secret|token|credential|private|_key$|auth", re.IGNORECASE)
# Of a whole plan's settings; a tighter net, so that the log of a failure stays readable.
PLAN_SECRET = re.compile(
    r"passw|passphrase|secret|token|credential|private_?key|(^|[.:_])key(\.|$)|auth_?key", re.IGNORECASE
)
PLAN_FILES = ("global_vars.yaml", "group_vars/*", "host_vars/*")


class LenientLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """A safe loader that takes Ansible's tags for what they stand at."""


def _plain(loader: Any, _suffix: str, node: yaml.Node) -> Any:
    return loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else None


LenientLoader.add_multi_constructor("!", _plain)


def secrets(extra_vars: Mapping[str, Any], extra_vars_file: str = "", tree: Path | None = None) -> list[str]:
    """Return the texts that no log may show, longer ones first: of the extra variables and of the plan.

    Of `extra_vars` every text of six characters or more is masked; of the file, which is the operator's own and mostly
    harmless settings, those whose name says that they are secret; of the variables in a `tree` of playbooks likewise,
    from six characters on. A vault file needs none: its values are not known.
    """
    values = {value for _, value in _texts("", extra_vars) if len(value) >= SHORTEST}
    values |= {value for name, value in _texts("", _read(extra_vars_file)) if value and SECRET_NAME.search(name)}
    values |= set(_plan_secrets(tree)) if tree else set()
    # A secret of several lines shows up as lines, or with its line ends escaped.
    values |= {line for value in values for line in value.splitlines() if len(line.strip()) >= SHORTEST}
    return sorted(values, key=lambda value: (-len(value), value))


def _plan_secrets(tree: Path) -> Iterator[str]:
    for pattern in PLAN_FILES:
        for path in sorted(tree.glob(pattern)):
            for name, value in _texts("", _read(str(path))):
                # A path or a template is no secret, and masking it would hide what failed.
                if len(value) >= SHORTEST and not value.startswith(("/", "{{")) and PLAN_SECRET.search(name):
                    yield value


def _texts(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(f"{name}.{key}", item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(name, item)
    elif isinstance(value, (str, bytes)):
        yield name, value if isinstance(value, str) else value.decode("utf-8", "replace")


def _read(path: str) -> Mapping[str, Any]:
    if not path:
        return {}
    try:
        data = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=LenientLoader)
    except (OSError, ValueError, yaml.YAMLError):
        return {}  # Ansible reads it itself, and complains if it can't
    return data if isinstance(data, dict) else {}
