"""The preview as one HTML page that needs nothing beside itself: no script, no font, no picture, no network."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from tripleo_ffwd.cli import preview_rows
from tripleo_ffwd.cli.preview_rows import UNDERCLOUD, by_playbook, columns, columns_of

_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c2024; --soft: #5a6570; --line: #d8dde3; --band: #eef2f7;
  --cell: #f7f9fb; --link: #0b57a4; --stop: #b3131b; --stop-paper: #fdeced; --warn-paper: #fff6dd; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171a; --ink: #e6e9ec; --soft: #a3adb8; --line: #343b43;
  --band: #222a33; --cell: #1a1f24; --link: #7db8f5; --stop: #ff8d8d; --stop-paper: #3a1a1d; --warn-paper: #33290d; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 90rem; padding: 1.5rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; margin: 0 0 .5rem; } h2 { font-size: 1.25rem; margin: 2.2rem 0 .6rem;
  overflow-wrap: anywhere; }
a { color: var(--link); } :focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
code { font: .9em/1.4 ui-monospace, monospace; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; }
nav ul { list-style: none; margin: 1rem 0 0; padding: 0; display: flex; flex-wrap: wrap; gap: .3rem 1.5rem; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; }
@media (min-width: 80rem) { .fits { overflow-x: visible; } .fits thead th { position: sticky; top: 0; z-index: 1; } }
table { border-collapse: collapse; width: 100%; table-layout: fixed; }
caption { text-align: left; color: var(--soft); padding: .5rem .8rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .8rem; border-top: 1px solid var(--line);
  font-weight: normal; }
thead th { background: var(--band); border-top: 0; font-weight: 600; overflow-wrap: anywhere; }
thead small { display: block; }
thead th:first-child { width: 13rem; }
small { color: var(--soft); font-size: .85rem; font-weight: normal; }
summary small { display: inline-block; white-space: nowrap; }
th[scope=row] { position: sticky; left: 0; background: var(--paper); }
th[scope=rowgroup] > div { position: sticky; left: .8rem; display: inline-block; max-width: min(60rem, 80vw); }
tr.release th { background: var(--band); font-weight: 600; padding-top: .6rem; border-top: 3px solid var(--soft); }
tbody:first-of-type tr.release th { border-top-width: 1px; }
tr.no-return th { background: var(--stop-paper); border: solid var(--stop); border-width: 3px 0; }
tr.no-return strong { color: var(--stop); letter-spacing: .04em; }
td.wide { text-align: left; background: var(--cell); }
summary { cursor: pointer; } summary b { font-variant-numeric: tabular-nums; }
details ol, details ul { margin: .3rem 0 .3rem; padding-left: 1.3rem; } details p { margin: .4rem 0 0; }
.missing { background: var(--warn-paper); border-radius: 6px; padding: .8rem 1rem .2rem; margin-top: 1.5rem; }
.missing h2 { margin: 0; }
.mark { display: inline-block; border: 1px solid var(--line); border-radius: 4px; padding: 0 .35rem; font-size: .8rem;
  color: var(--soft); white-space: nowrap; }
@media print { .scroll { overflow: visible; border: 0; } thead th { position: static; } tr { break-inside: avoid; } }
"""

# Width of the columns in rem; up to so many roles the table fits a page, and its head can stay in sight.
_FIRST_WIDTH, _ROLE_WIDTH, _FIT = 13, 10, 6

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>{title}</h1>
{summary}
{contents}
</header>
<main>
{body}
</main>
</body>
</html>"""


def page(manifest: Mapping[str, Any]) -> str:
    """Return the page.

    Args:
        manifest: as manifest.json has it; every text of it is escaped.
    """
    releases = manifest["releases"]
    title = "Fast forward upgrade" + (f" to {releases[-1]}" if releases else "")
    playbooks = by_playbook(manifest)
    parts = [_missing(manifest)]
    parts += [_playbook(manifest, name, stages) for name, stages in playbooks.items()]
    parts.append(_modules(manifest))
    return _PAGE.format(
        title=escape(title),
        style=_STYLE,
        summary=_summary(manifest, playbooks),
        contents=_contents(manifest, playbooks),
        body="\n".join(part for part in parts if part),
    )


def _summary(manifest: Mapping[str, Any], playbooks: Mapping[str, list[Mapping[str, Any]]]) -> str:
    roles = []
    for role in manifest["roles"]:
        nodes = preview_rows.nodes_of(manifest, role)
        roles.append(f"{role} ({nodes})" if nodes else role)
    conditions = sum(len(stage["residual"]) for stage in manifest["stages"])
    tasks = sum(stage["tasks"] for stage in manifest["stages"])
    facts = {
        "Releases": " → ".join(manifest["releases"]) or "none",
        "Roles": ", ".join(roles),
        "Stages": f"{len(manifest['stages'])} in {_count(len(playbooks), 'playbook')}",
        "Tasks": f"{tasks}, with {_count(conditions, 'condition')} that only the nodes can decide",
        "Task order": manifest["task_order"],
    }
    items = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts.items())
    return f"<dl>{items}<dt>Digest</dt><dd><code>{escape(manifest['digest'])}</code></dd></dl>"


def _contents(manifest: Mapping[str, Any], playbooks: Mapping[str, list[Mapping[str, Any]]]) -> str:
    links = [(f"#{_anchor(name)}", name) for name in playbooks]
    if manifest["point_of_no_return"]:
        links.append(("#point-of-no-return", "Point of no return"))
    if manifest["modules"]:
        links.append(("#modules", "Modules, roles and plugins"))
    items = "".join(f'<li><a href="{escape(target)}">{escape(text)}</a></li>' for target, text in links)
    return f'<nav aria-label="On this page"><ul>{items}</ul></nav>'


def _missing(manifest: Mapping[str, Any]) -> str:
    items = "".join(
        f"<li><code>{escape(item['playbook'])}</code>: {escape(item['what'])}</li>"
        for item in manifest["missing_inputs"]
    )
    if not items:
        return ""
    head = "<h2>Missing inputs</h2><p>These playbooks cannot be started.</p>"
    return f'<section class="missing">{head}<ul>{items}</ul></section>'


def _playbook(manifest: Mapping[str, Any], name: str, stages: list[Mapping[str, Any]]) -> str:
    names = columns(manifest, stages)
    head = "".join(
        f'<th scope="col">{escape(role)}<small>{escape(preview_rows.nodes_of(manifest, role))}</small></th>'
        for role in names
    )
    body: list[str] = []
    release: Any = ""
    for row in preview_rows.rows(manifest, stages, names):
        if row[0]["release"] != release:
            release = row[0]["release"]
            body.append("</tbody><tbody>" if body else "<tbody>")
            if any(stage["release"] for stage in stages):
                text = f"Release {release}" if release else "Outside the releases"
                body.append(_band("release", len(names), escape(text)))
        body.append(_point(manifest, row[0], len(names)))
        body.append(_row(row, names))
    caption = "Stages in the order in which they run; the numbers are tasks. Open one for its nodes and its conditions."
    fits = " fits" if len(names) <= _FIT else ""
    width = _FIRST_WIDTH + _ROLE_WIDTH * len(names)
    return (
        f'<section><h2 id="{_anchor(name)}">{escape(name)}</h2><div class="scroll{fits}" tabindex="0" role="region" '
        f'aria-label="{escape(name)}"><table style="min-width: {width}rem"><caption>{caption}</caption><thead>'
        f'<tr><th scope="col">Stage</th>{head}</tr></thead>'
        f"{''.join(body)}</tbody></table></div></section>"
    )


def _band(kind: str, width: int, content: str, anchor: str = "") -> str:
    name = f' id="{anchor}"' if anchor else ""
    return f'<tr class="{kind}"{name}><th scope="rowgroup" colspan="{width + 1}"><div>{content}</div></th></tr>'


def _point(manifest: Mapping[str, Any], stage: Mapping[str, Any], width: int) -> str:
    point = manifest["point_of_no_return"]
    if not point or (point["playbook"], point["stage"]) != (stage["playbook"], stage["id"]):
        return ""
    tasks = dict.fromkeys((task["task"], task["what"]) for task in point["tasks"])
    items = "".join(f"<li>{escape(name)} <small>{escape(what)}</small></li>" for name, what in tasks)
    listed = f"<details><summary>{_count(len(tasks), 'task')}</summary><ul>{items}</ul></details>" if items else ""
    text = (
        "<strong>POINT OF NO RETURN</strong><br>Nothing above this line changes packages or databases for good. "
        f"From here on only a restored backup brings the cloud back: {escape(point['why'])}."
    )
    return _band("no-return", width, text + listed, "point-of-no-return")


def _row(row: list[Mapping[str, Any]], names: list[str]) -> str:
    first = row[0]
    mark = ' <span class="mark">bootstrap node</span>' if preview_rows.on_bootstrap(first) else ""
    cells = f'<th scope="row">{escape(preview_rows.label(first))}{mark}</th>'
    taken = columns_of(first, names)
    if first["role"] not in names:
        rest = len(names) - len(taken)
        return f'<tr>{cells}<td class="wide" colspan="{len(taken)}">{_cell(first)}</td>{"<td></td>" * rest}</tr>'
    here = {stage["role"]: stage for stage in row}
    return (
        f"<tr>{cells}{''.join(f'<td>{_cell(here[name])}</td>' if name in here else '<td></td>' for name in names)}</tr>"
    )


def _cell(stage: Mapping[str, Any]) -> str:
    residual = stage["residual"]
    conditions = f" <small>{_count(len(residual), 'condition')}</small>" if residual else ""
    items = "".join(f"<li><code>{escape(str(item))}</code></li>" for item in residual)
    listed = f"<p>Decided on the nodes:</p><ol>{items}</ol>" if residual else ""
    hosts = ", ".join(stage["hosts"])
    where = f"One of: {hosts}" if preview_rows.on_bootstrap(stage) and len(stage["hosts"]) > 1 else hosts
    together = "" if stage["role"] == UNDERCLOUD else _together(stage)
    tasks = f"<b>{stage['tasks']}</b> {'task' if stage['tasks'] == 1 else 'tasks'}"
    return (
        f"<details><summary>{tasks}{conditions}{together}</summary>"
        f"<p><code>{escape(stage['id'])}</code></p><p>{escape(where)}</p>{listed}</details>"
    )


def _together(stage: Mapping[str, Any]) -> str:
    whole = stage["id"].split("/")[2] in ("overcloud", "all")
    return f" <small>on {_count(len(stage['hosts']), 'node')} together</small>" if whole and stage["hosts"] else ""


def _modules(manifest: Mapping[str, Any]) -> str:
    missing = manifest["missing_modules"]
    items = []
    for name, tasks in manifest["modules"].items():
        found = "not looked for" if missing is None else "NOT FOUND" if name in missing else "found"
        found = "only the run can tell" if "{{" in name else found
        uses = "".join(f"<li><code>{escape(use['stage'])}</code> {escape(use['task'])}</li>" for use in tasks)
        items.append(
            f"<li><details><summary><code>{escape(name)}</code> <small>{found}, {_count(len(tasks), 'task')}</small>"
            f"</summary><ul>{uses}</ul></details></li>"
        )
    if not items:
        return ""
    return (
        '<section><h2 id="modules">Modules, roles and plugins that ansible-core does not have</h2>'
        f"<ul>{''.join(items)}</ul></section>"
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _anchor(playbook: str) -> str:
    return escape(playbook.removesuffix(".yaml").replace("_", "-"))
