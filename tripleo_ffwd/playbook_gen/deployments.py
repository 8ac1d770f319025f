"""The servers' deployments to files: what deployments.yaml reads, and the lists that the playbooks loop over; no I/O.

A document that several servers share is a file of its own; what one server alone has is in that server's file. Both are
texts that are put together, never parsed: an overcloud has as many deployments as twenty for each server.
"""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any

from tripleo_ffwd.exceptions import MalformedOutputs
from tripleo_ffwd.playbook_gen import rendering
from tripleo_ffwd.playbook_gen.deployment_tasks import DEPLOYMENT_TASKS
from tripleo_ffwd.playbook_gen.loading import Outputs, load_yaml

FORMAT = 1
DIRECTORY = "deployments"
_WHERE = "the servers' deployments"
# A name becomes a file's name on the server, and is put into an expression.
_NAME = re.compile(r"(?!\.)[^/\0{}'\"\\]{1,200}")
# The variables that playbooks loop over: pre_deployments_<Role> in Queens, <Role>_pre_deployments before it.
_LOOKUP = re.compile(r"\b((?:pre|post)_deployments|pre_network)_|_((?:pre|post)_deployments)\b")
_DIGEST = re.compile(r"[0-9a-f]{16,64}")
_ENTRY = (str, str, str, str, str, bool)
_REMEDY = "Query the stack's outputs again"


@dataclasses.dataclass(frozen=True)
class Deployments:
    """What Heat keeps for each server.

    Attributes:
        documents: digest → JSON text of what the hook on the server reads, without what is each server's own.
        servers: server id → its deployments in the order in which they are applied: (name, digest, id of the config,
            stack, creation time, whether it comes after the deploy steps).
    """

    documents: Mapping[str, str]
    servers: Mapping[str, tuple[tuple[str, str, str, str, str, bool], ...]]


def load_deployments(data: object) -> Deployments:
    """Return the checked deployments of ``{format, documents, servers}``, as they are fetched from Heat and stored.

    Raises:
        MalformedOutputs: a part is missing or not of its shape, or a name can't be a file's; names it.
    """
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise MalformedOutputs(f"are not of format {FORMAT}", where=_WHERE, remedy=_REMEDY)
    documents, servers = data.get("documents"), data.get("servers")
    if not isinstance(documents, dict) or not isinstance(servers, dict):
        raise MalformedOutputs("lack documents or servers", where=_WHERE, remedy=_REMEDY)
    for digest, text in documents.items():
        if not _DIGEST.fullmatch(str(digest)) or not isinstance(text, str):
            raise MalformedOutputs(f"document {str(digest)[:80]!r} is not a text", where=_WHERE, remedy=_REMEDY)
    names: set[str] = set()
    found = {}
    for server, entries in servers.items():
        if not isinstance(entries, list):
            raise MalformedOutputs("is not a list", where=f"deployments of server {server}", remedy=_REMEDY)
        found[str(server)] = tuple(_entry(entry, str(server), documents, names) for entry in entries)
    return Deployments(documents, found)


def files_of(deployments: Deployments, outputs: Outputs) -> dict[str, str]:
    """Return the files, by path, as a config-download tree has them: tasks, lists for roles and hosts, documents.

    Args:
        deployments: of all servers; those of servers that the outputs don't have (blacklisted ones) are left out.
        outputs: whose servers and roles they are.
    """
    files = {"deployments.yaml": DEPLOYMENT_TASKS}
    mine = {server.name: deployments.servers.get(server.server_id, ()) for server in outputs.servers}
    uses = collections.Counter(digest for entries in mine.values() for digest in {entry[1] for entry in entries})
    for digest in sorted(uses):
        if uses[digest] > 1:
            files[f"{DIRECTORY}/configs/{digest}.json"] = deployments.documents[digest]
    for server in outputs.servers:
        if mine[server.name]:
            path = f"{DIRECTORY}/servers/{server.name}.json"
            files[path] = _server_file(server.server_id, mine[server.name], deployments.documents, uses)
    for role in outputs.roles:
        lists = {name: _lists(mine[name]) for name in outputs.hosts(role)}
        usual = collections.Counter(lists.values()).most_common(1)[0][0] if lists else ((), ())
        files[f"group_vars/{role}"] = rendering.document(_variables(role, usual))
        for name, own in lists.items():
            if own != usual:
                files[f"host_vars/{name}"] = rendering.document(_variables(role, own))
    return files


def lacking(text: str, given: Mapping[str, str] | None, outputs: Outputs) -> list[str]:
    """Return what a play looks up of the servers' deployments and nobody gave: it would be passed over in silence.

    Args:
        text: of the play; the names of the variables stand in it, with the role's name left to run time.
        given: the files of a config-download tree, or of `files_of`; None when there are none.
        outputs: whose roles and servers count.
    """
    kinds = sorted({first or second for first, second in _LOOKUP.findall(text)})
    found: list[str] = []
    for role in outputs.roles if kinds else ():
        hosts = outputs.hosts(role)
        if not hosts:
            continue
        path, lists = _role_lists(given or {}, role)
        missing = [kind for kind in kinds if not {f"{kind}_{role}", f"{role}_{kind}"} & lists.keys()]
        found += [f"per-server deployments {kind}_{role} ({_number(hosts)})" for kind in missing]
        if given is None or not path:
            continue
        if given.get("deployments.yaml") != DEPLOYMENT_TASKS:
            found += _without_files(given, role, hosts, lists)
        elif bare := [host for host in hosts if f"{DIRECTORY}/servers/{host}.json" not in given]:
            found.append(f"per-server deployments of {', '.join(bare[:5])} ({role}, {_number(bare)})")
    return found


def _number(hosts: Sequence[str]) -> str:
    return f"{len(hosts)} server{'' if len(hosts) == 1 else 's'}"


def _role_lists(given: Mapping[str, str], role: str) -> tuple[str, dict[str, Any]]:
    """Return the path of a role's file of variables, empty when there is none, and the variables."""
    for path in (f"group_vars/{role}{suffix}" for suffix in ("", ".yaml", ".yml", ".json")):
        if path in given:
            value = load_yaml(given[path], path)
            return path, value if isinstance(value, dict) else {}
    return "", {}


def _without_files(given: Mapping[str, str], role: str, hosts: tuple[str, ...], lists: Mapping[str, Any]) -> list[str]:
    """Return the deployments of a classic tree that a role's list names, and that have no file for some server."""
    named = [name for key, names in lists.items() if "deployments" in key and isinstance(names, list) for name in names]
    found = []
    for name in dict.fromkeys(map(str, named)):
        bare = [host for host in hosts if f"{role}/{host}/{name}" not in given]
        if bare:
            found.append(f"deployment {name} of {', '.join(bare[:5])} ({role}, {_number(bare)})")
    return found


def _entry(
    entry: object, server: str, documents: Mapping[str, Any], names: set[str]
) -> tuple[str, str, str, str, str, bool]:
    where = f"deployments of server {server}"
    if not isinstance(entry, list) or tuple(map(type, entry)) != _ENTRY:
        raise MalformedOutputs(f"holds {str(entry)[:80]}, which is no deployment", where=where, remedy=_REMEDY)
    name, digest = entry[0], entry[1]
    if name not in names:
        if not _NAME.fullmatch(name):
            raise MalformedOutputs(
                f"the name {name[:80]!r} can't be a file's name",
                where=where,
                remedy="Give the deployment another name in the templates",
            )
        names.add(name)
    if digest not in documents:
        raise MalformedOutputs(f"the document of {name} is missing", where=where, remedy=_REMEDY)
    return (name, digest, entry[2], entry[3], entry[4], entry[5])


def _server_file(server_id: str, entries: Any, documents: Mapping[str, str], uses: Mapping[str, int]) -> str:
    """Return the JSON of a server's file; of two deployments of one name the later one counts, as in TripleO's tree."""
    found: dict[str, tuple[str, str]] = {}
    server = f'"server": {_quoted(server_id)}, "stack": '
    for name, digest, config_id, stack, created, _ in entries:
        head = f'{_quoted(name)}: {{"id": {_quoted(config_id)}, {server}{_quoted(stack)}, "created": {_quoted(created)}'
        if uses[digest] > 1:
            found[name] = (f'{head}, "config": "', f'{digest}"')
        else:
            found[name] = (f'{head}, "document": ', documents[digest])
    # Documents are long: each is copied once.
    parts = [text for head, content in found.values() for text in (", ", head, content, "}")]
    return "".join(("{", *parts[1:], "}\n"))


def _lists(entries: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    before = tuple(dict.fromkeys(entry[0] for entry in entries if not entry[5]))
    after = tuple(dict.fromkeys(entry[0] for entry in entries if entry[5]))
    return before, after


def _variables(role: str, lists: tuple[tuple[str, ...], tuple[str, ...]]) -> dict[str, Any]:
    """Return the variables that playbooks of Queens and of the releases around it look for."""
    before, after = (list(names) for names in lists)
    return {
        f"pre_deployments_{role}": before,
        f"post_deployments_{role}": after,
        f"{role}_pre_deployments": before,
        f"{role}_post_deployments": after,
    }
