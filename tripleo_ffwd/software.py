"""Software configs and deployments as values: what Heat derives of them, what the hook on a server reads; stdlib only.

Heat keeps a config once, and for each deployment of it another one, derived: the inputs have got their values, and for
structured deployments the inputs stand in the config. Everything in that is known from the config and the deployment,
so the derived ones need not be fetched one by one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import marshal
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

# Where a document that many servers share takes what each server has of its own.
OWN_ID = "@ffwd-own-config-id@"
OWN_SERVER = "@ffwd-own-server-id@"
OWN_STACK = "@ffwd-own-stack-id@"
OWN_TIME = "@ffwd-own-creation-time@"
FORMAT = 1

_MAY_BE_JSON = re.compile(r"\s*[\[{\"0-9tfnNI-]")
_INPUT_KEY = "get_input"
# The last format in which equal values give equal bytes, whoever else holds them.
_MARSHAL = 2


class Deployment(NamedTuple):
    """One deployment of a server; there are some twenty for each, so that it is no more than a tuple.

    Attributes:
        name: under which it is applied.
        config: digest of its document.
        id: of the derived config; the server knows by it what it has applied already.
        stack: name and id of the nested stack, joined by a slash.
        created: when Heat made the derived config, in Heat's words.
        post: whether it comes after the deploy steps.
    """

    name: str
    config: str
    id: str
    stack: str
    created: str
    post: bool


class Collection:
    """The deployments of an overcloud's servers; a document that several servers share is held once."""

    def __init__(self) -> None:
        self.documents: dict[str, str] = {}
        self.servers: dict[str, list[Deployment]] = {}
        self._frames: dict[bytes, str] = {}

    def assign(self, server: str, deployment: Deployment) -> None:
        """Add a deployment to those of a server; they are applied in the order in which they are added."""
        self.servers.setdefault(server, []).append(deployment)

    def add(self, derived: Mapping[str, Any], name: str) -> str:
        """Keep the document of a derived config under a deployment's name and return its digest.

        It is what the hook on the server reads: the hook for hieradata takes a mapping, all others take text.
        """
        # What servers have of their own is mostly the config alone, which comes first: the rest is worked out once.
        rest = marshal.dumps([name, *(item for item in derived.items() if item[0] != "config")], _MARSHAL)
        frame = self._frames.get(rest)
        if frame is None:
            frame = self._frames[rest] = json.dumps(_frame(derived, name), sort_keys=True)[1:]
        config = (_mapping if derived["group"] == "hiera" else _script)(derived.get("config"))
        text = f'{{"config": {config}, {frame}'
        digest = hashlib.sha256(text.encode()).hexdigest()[:32]
        self.documents.setdefault(digest, text)
        return digest

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values: what is stored and what the generator reads.

        Returns:
            ``{format, documents: {digest: text}, servers: {server id: [[name, digest, id, stack, created, post]]}}``;
            each server's deployments in the order in which they are applied.
        """
        servers = {server: [list(one) for one in found] for server, found in sorted(self.servers.items())}
        return {"format": FORMAT, "documents": dict(sorted(self.documents.items())), "servers": servers}


@dataclasses.dataclass(frozen=True)
class Like:
    """What derived configs of one kind of deployment have in common: their name, and inputs that Heat adds."""

    name: str
    action: str
    resource: str
    transport: str

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Like:
        """Return it as in one that Heat has derived."""
        given = {str(item["name"]): str(item.get("value")) for item in found.get("inputs") or ()}
        return cls(
            name=str(found.get("name") or ""),
            action=given.get("deploy_action", ""),
            resource=given.get("deploy_resource_name", ""),
            transport=given.get("deploy_signal_transport", ""),
        )


def derive(source: Mapping[str, Any], input_values: Mapping[str, Any], like: Like) -> dict[str, Any]:
    """Return the config that Heat derives from `source` for a deployment, as far as it is the same on all servers.

    Args:
        source: the config, as Heat's API gives it.
        input_values: the deployment's own.
        like: what it has in common with one that Heat has derived.
    """
    left = dict(input_values)
    inputs = [
        {**declared, "value": left.pop(declared["name"], declared.get("default"))}
        for declared in source.get("inputs") or ()
    ]
    inputs += [{"name": name, "type": "String", "value": value} for name, value in left.items()]
    given = {str(item["name"]): item["value"] for item in inputs}
    own = {
        "deploy_server_id": OWN_SERVER,
        "deploy_action": like.action,
        "deploy_stack_id": OWN_STACK,
        "deploy_resource_name": like.resource,
        "deploy_signal_transport": like.transport,
    }
    inputs += [{"name": name, "type": "String", "value": value} for name, value in own.items()]
    config = source.get("config")
    return {
        "name": like.name,
        "group": source.get("group") or "Heat::Ungrouped",
        "config": _substitute(config, given | own) if isinstance(config, (dict, list)) else config,
        "inputs": inputs,
        "outputs": [dict(item) for item in source.get("outputs") or ()],
        "options": source.get("options") or {},
    }


def same(derived: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """Return whether Heat's own derived config is the one worked out, but for what is each server's own."""

    def essence(config: Mapping[str, Any]) -> Any:
        mine = ("deploy_server_id", "deploy_stack_id")
        inputs = {item["name"]: item.get("value") for item in config.get("inputs") or () if item["name"] not in mine}
        outputs = [item["name"] for item in config.get("outputs") or ()]
        # Heat keeps an empty config as an empty text or an empty mapping.
        return config.get("group"), config.get("config") or "", inputs, outputs, config.get("options") or {}

    return bool(essence(derived) == essence(found))


def generalise(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a derived config as Heat has it, with what is the server's own taken out, as `derive` gives it."""
    own = {"deploy_server_id": OWN_SERVER, "deploy_stack_id": OWN_STACK}
    inputs = [{**item, "value": own.get(str(item["name"]), item.get("value"))} for item in found.get("inputs") or ()]
    return {**{key: found.get(key) for key in ("name", "group", "config", "outputs", "options")}, "inputs": inputs}


def _frame(derived: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the document of a derived config without the config.

    The forms are those of TripleO's own writer of Queens (tripleo-common 8, utils/config.py and its templates): hooks
    get an input's value as text.
    """
    return {
        "id": OWN_ID,
        "creation_time": OWN_TIME,
        "deployment_name": name,
        "name": derived.get("name"),
        "group": derived["group"],
        "inputs": [_input(item) for item in derived["inputs"]],
        "outputs": [_described(item) for item in derived.get("outputs") or ()],
        "options": derived.get("options") or {},
    }


def _substitute(snippet: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(snippet, dict):
        if len(snippet) == 1:
            [(key, name)] = snippet.items()
            if key == _INPUT_KEY and isinstance(name, str):
                return values.get(name)
        return {key: _substitute(value, values) for key, value in snippet.items()}
    return [_substitute(value, values) for value in snippet] if isinstance(snippet, list) else snippet


def _mapping(config: Any) -> str:
    """Return the JSON of hieradata; where it comes as JSON of one line, it stays as it is."""
    if not isinstance(config, str):
        return json.dumps(config or {}, sort_keys=True)
    try:
        data = json.loads(config or "{}")
    except ValueError:
        return json.dumps(config)
    return config if config and config.isascii() and "\n" not in config else json.dumps(data, sort_keys=True)


def _script(config: Any) -> str:
    """Return the JSON of a text."""
    if isinstance(config, str):
        # Data that came as JSON text is made readable, as TripleO does; a script is no JSON.
        try:
            data = json.loads(config) if _MAY_BE_JSON.match(config) else config
        except ValueError:
            data = config
    else:
        data = {} if config is None else config
    text = data if isinstance(data, str) else json.dumps(data, indent=2)
    if text.endswith("\n") and not text.endswith("\n\n"):
        return json.dumps(text)  # as most scripts are: without a copy
    return json.dumps(text.rstrip("\n") + "\n" if text else "")


def _described(item: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": item["name"], "description": str(item.get("description", "")), "type": item.get("type", "String")}


def _input(item: Mapping[str, Any]) -> dict[str, Any]:
    value = item.get("value")
    text = json.dumps(value) if isinstance(value, (dict, list)) else str(value)
    return {**_described(item), "value": text.rstrip("\n")}
