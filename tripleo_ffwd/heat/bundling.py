"""A plan's template, its environments and the files that they use, read as Heat's client does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.error import URLError

from heatclient import exc as heat_exc
from heatclient.common import environment_format, template_utils
from heatclient.common import utils as heat_utils

from tripleo_ffwd.exceptions import InvalidTemplates
from tripleo_ffwd.stack import Bundle


def build_bundle(template_path: Path, environment_paths: Sequence[Path]) -> Bundle:
    """Read a template, environments in order, and all files that they use.

    Args:
        template_path: the stack's template, at the top of the plan's files.
        environment_paths: within the same directory.

    Raises:
        InvalidTemplates: a file is missing, can't be parsed, or lies outside the directory; names it.
    """
    with _reading(template_path):
        files, template = template_utils.get_template_contents(template_file=str(template_path))
    environment: dict[str, Any] = {}
    for path in environment_paths:
        with _reading(path):
            content = environment_format.parse(path.read_text(encoding="utf-8"))
            here = heat_utils.base_url_for_url(heat_utils.normalise_file_path_to_url(str(path)))
            # One mapping for all: what several environments name is read once.
            template_utils.resolve_environment_urls(content.get("resource_registry"), files, here)
            environment = template_utils.deep_update(environment, content)
    base = heat_utils.base_url_for_url(heat_utils.normalise_file_path_to_url(str(template_path))) + "/"
    return Bundle.of(template, environment, files, base)


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn what heatclient raises while it reads templates and environments into InvalidTemplates."""
    try:
        yield
    except (URLError, OSError, heat_exc.CommandError, ValueError, AttributeError, TypeError) as error:
        told = " ".join(str(error).split())
        remedy = "Mend the file, then run the phase again"
        raise InvalidTemplates(
            f"It, or a file that it uses, can't be read: {told}", where=path.name, remedy=remedy
        ) from error
