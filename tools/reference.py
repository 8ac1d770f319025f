"""The reference of commands, actions, workflows and options, made from the code; also an extension of Sphinx.

`commands`, `actions`, `workflows` and `options` return reStructuredText; a test holds that nothing is missing in them.
In the documentation, ``.. ffwd-reference:: actions`` stands for that text.
"""

from __future__ import annotations

import argparse
import configparser
import importlib
import inspect
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tripleo_ffwd import config
from tripleo_ffwd.cli import main

ROOT = Path(__file__).parents[1]
# A line of a workflow's description that tells of an input.
_INPUT = re.compile(r"(\w+): (.+)")


def action_classes() -> dict[str, str]:
    """Return the actions, name → ``module:Class``, as the package declares them."""
    parser = configparser.ConfigParser(delimiters=("=",))
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    pairs = (line.partition("=") for line in parser["options.entry_points"]["mistral.actions"].splitlines() if line)
    return {name.strip(): place.strip() for name, _, place in pairs}


def actions() -> str:
    """Return a section for each action: its inputs with their defaults, and its documentation."""
    return "\n".join(line for name, place in sorted(action_classes().items()) for line in _action(name, place))


def _action(name: str, place: str) -> Iterator[str]:
    module, _, class_name = place.partition(":")
    found = getattr(importlib.import_module(module), class_name)
    inputs = list(inspect.signature(found.__init__).parameters.values())[1:]
    shown = [
        item.name if item.default is item.empty else f"{item.name}={json.dumps(item.default)}"
        for item in inputs
        if item.kind is item.POSITIONAL_OR_KEYWORD
    ]
    yield from _heading(name)
    yield f".. py:function:: {name}({', '.join(shown)})"
    yield ""
    yield from (f"   {line}".rstrip() for line in inspect.getdoc(found).splitlines())
    yield ""


def workbooks() -> dict[str, Mapping[str, Any]]:
    """Return the workbooks by name."""
    paths = sorted((ROOT / "workbooks").glob("*.yaml"))
    found = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in paths)
    return {workbook["name"]: workbook for workbook in found}


def workflows() -> str:
    """Return a section for each workflow: what it does, its inputs with their defaults, its output."""
    lines: list[str] = []
    for name, workbook in workbooks().items():
        lines += [f"Workbook ``{name}``", "-" * (len(name) + 13), "", *str(workbook["description"]).splitlines(), ""]
        found = workbook["workflows"]
        for workflow in (*_public(found), *(name for name in found if name not in _public(found))):
            lines += _workflow(f"{name}.{workflow}", found[workflow])
    return "\n".join(lines)


def _public(found: Mapping[str, Any]) -> list[str]:
    return [name for name in found if not name.startswith("_")]


def _workflow(name: str, workflow: Mapping[str, Any]) -> Iterator[str]:
    text, told = _described(str(workflow.get("description") or ""))
    yield from _heading(name)
    if name.rpartition(".")[2].startswith("_"):
        yield from ("*A part of the workflows above, not to be started by itself.*", "")
    yield from (text, "")
    for item in workflow.get("input") or ():
        key, default = next(iter(item.items())) if isinstance(item, dict) else (item, None)
        shown = f" (default ``{json.dumps(default)}``)" if isinstance(item, dict) else " (must be given)"
        yield f"``{key}``{shown}"
        yield f"   {_plain(told.get(key, 'See the workflows that use it.'))}"
        yield ""
    if workflow.get("output"):
        yield f"Output: {', '.join(f'``{key}``' for key in workflow['output'])}"
        yield ""


def _described(description: str) -> tuple[str, dict[str, str]]:
    """Return the text of a description, and what it says of each input."""
    told: dict[str, str] = {}
    text: list[str] = []
    key = ""
    for line in description.splitlines():
        match = _INPUT.fullmatch(line)
        if match:
            key, told[match[1]] = match[1], match[2]
        elif key and line.startswith(" "):
            told[key] += f" {line.strip()}"
        else:
            key = ""
            text.append(line)
    return _plain("\n".join(text).strip()), told


def _plain(text: str) -> str:
    """Return a text that is not meant to have any markup."""
    return text.replace("*", r"\*")


def options() -> str:
    """Return an entry for each option of the ``[ffwd]`` section."""
    return "\n".join(line for _, group in config.list_opts() for option in group for line in _option(option))


def _option(option: Any) -> Iterator[str]:
    default = json.dumps(option.default) if option.default not in (None, "") else "empty"
    limits = [
        f"{word} {value}"
        for word, value in (("at least", _of(option, "min")), ("at most", _of(option, "max")))
        if value
    ]
    kind = type(option).__name__.removesuffix("Opt").lower()
    yield f"``{option.name}``"
    yield f"   *{', '.join([kind, *limits])}; default* {'*empty*' if default == 'empty' else f'``{default}``'}"
    yield ""
    yield f"   {_plain(option.help)}"
    choices = getattr(option.type, "choices", None) or {}
    for choice, meaning in choices.items() if isinstance(choices, Mapping) else ():
        yield from ("", f"   - ``{choice}``: {_plain(meaning)}.")
    yield ""


def _of(option: Any, name: str) -> Any:
    return getattr(option.type, name, None)


def commands() -> str:
    """Return a section for each command of ``tripleo-ffwd``, with what its ``--help`` says."""
    os.environ["COLUMNS"] = "100"  # what argparse takes for the width of the terminal
    return "\n".join(line for name, parser in _parsers(main.build_parser()) for line in _command(name, parser))


def _parsers(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Yield the commands below a parser, each with its own parser, in the order in which they were declared."""
    groups = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    children = [child for group in groups for child in group.choices.values()]
    for child in children:
        yield from _parsers(child)
    if not children:
        yield parser.prog, parser


def _command(name: str, parser: argparse.ArgumentParser) -> Iterator[str]:
    yield from _heading(name)
    yield from ("::", "")
    yield from (f"   {line}".rstrip() for line in parser.format_help().splitlines())
    yield ""


def _heading(name: str) -> tuple[str, ...]:
    return (name, "~" * len(name), "")


PARTS = {"actions": actions, "workflows": workflows, "options": options, "commands": commands}


def setup(app: Any) -> dict[str, bool]:
    """Give Sphinx the directive ``ffwd-reference``."""
    from docutils import nodes
    from docutils.statemachine import StringList
    from sphinx.util.docutils import SphinxDirective
    from sphinx.util.nodes import nested_parse_with_titles

    class Reference(SphinxDirective):
        """One part of the reference in the place of the directive."""

        required_arguments = 1

        def run(self) -> list[nodes.Node]:
            part = self.arguments[0]
            text = PARTS[part]()
            container = nodes.section()
            container.document = self.state.document
            nested_parse_with_titles(self.state, StringList(text.splitlines(), source=f"reference {part}"), container)
            return list(container.children)

    app.add_directive("ffwd-reference", Reference)
    return {"parallel_read_safe": True}
