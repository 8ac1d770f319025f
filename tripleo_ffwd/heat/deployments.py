"""The servers' deployments, fetched in few requests: lists of resources with their details, each config once.

With TripleO's config-download each deployment is a nested stack of two resources that matter: ``TripleODeployment``, a
value that names the server, the config and the inputs, and ``TripleOSoftwareDeployment``, whose record in Heat names
the config that Heat derived. Heat shows both, and the configs, in lists of resources with details. What Heat derived
is worked out (see `software.derive`) and compared with Heat's own for one deployment of each kind; where it isn't the
same, or where the config or the inputs have changed since, Heat's own are fetched one by one.
"""

from __future__ import annotations

import collections
import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tripleo_ffwd import software
from tripleo_ffwd.exceptions import MalformedOutputs, NotFound, StackBusy, StackFailed
from tripleo_ffwd.heat import listing
from tripleo_ffwd.heat.connection import HeatClient, asking, get_stack
from tripleo_ffwd.heat.harvest import HOLDER, RECORD, Found, Harvest
from tripleo_ffwd.heat.listing import Row, Subtree
from tripleo_ffwd.software import Collection, Deployment

# Up to so many servers the whole stack is asked for at once.
WHOLE = 20
_NAMES = (("name", (HOLDER, RECORD)),)
_ANY = "OS::Heat::"
_ALL_CONFIGS = "Config"
_AGAIN = "Update the stack again with the prepare or converge phase, so that Heat makes it anew"


def fetch_deployments(client: HeatClient, stack: str, outputs: Any) -> dict[str, Any]:
    """Return the deployments of all servers of a stack, in the order in which they are to be applied.

    Args:
        stack: name or id of the stack.
        outputs: its outputs, as `get_outputs` returns them: ServerIdData names the servers.

    Returns:
        What `software.Collection.to_json` describes: JSON values, with each document once.

    Raises:
        NotFound: the stack, or a deployment's config, is gone; names it.
        StackBusy, StackFailed: a deployment is in progress or has failed; names it and its server.
        MalformedOutputs: the outputs don't tell the servers, or a deployment is of a server that they don't know.
        Unavailable, ConfigurationError: Heat does not answer, or not to us.
    """
    servers = server_ids(outputs)
    top = get_stack(client, stack, resolve_outputs=False)
    harvest = Harvest()
    for rows in _lists(client, f"{top.stack_name}/{top.id}", small=len(servers) <= WHOLE):
        harvest.add(rows)
    found = harvest.deployments()
    _check(found, servers)
    _complete(client, harvest, found)
    names = _names(client, found)
    collection = Collection()
    documents = _documents(client, harvest, found, names, collection)
    order = _order(found, names, servers)
    found.sort(
        key=lambda one: (one.server, one.post, order[servers[one.server], names[one.stack], one.post], one.created)
    )
    for one in found:
        name, digest = names[one.stack], documents[one.stack]
        collection.assign(one.server, Deployment(name, digest, one.config_id, one.record_stack, one.derived, one.post))
    return collection.to_json()


def server_ids(outputs: Any) -> dict[str, str]:
    """Return the role of each server by its id, as the outputs have it.

    Raises:
        MalformedOutputs: they don't.
    """
    values = outputs
    if isinstance(outputs, list):
        values = {item.get("output_key"): item.get("output_value") for item in outputs if isinstance(item, dict)}
    data = values.get("ServerIdData") if isinstance(values, dict) else None
    roles = data.get("server_ids") if isinstance(data, dict) else None
    if not isinstance(roles, dict) or not all(isinstance(ids, list) for ids in roles.values()):
        raise MalformedOutputs("does not tell the servers of each role", where="ServerIdData.server_ids")
    return {str(server): str(role) for role, ids in roles.items() for server in ids if server}


def _lists(client: HeatClient, stack: str, *, small: bool) -> Iterator[list[Row]]:
    """Yield lists of resources in which all deployments are, and most of the configs."""
    if small:
        yield from listing.whole(client, Subtree(stack, (), "", _NAMES))
        yield from listing.whole(client, Subtree(stack, (), _ALL_CONFIGS, ()))
        return
    plans: list[Subtree] = []
    groups: list[tuple[Subtree, list[str]]] = []
    top = listing.rows(client, stack)
    nested = [row for row in top if row.nested]
    apart = [row for row in nested if listing.is_group(row) or row.type == "OS::Heat::ResourceGroup"]
    below = listing.in_parallel(client, lambda row: listing.rows(client, row.nested, (row.name,)), apart)
    for row, inside in zip(apart, below, strict=True):
        children = [member for member in inside if member.nested]
        if listing.is_group(row):
            if children:
                groups.append(
                    (
                        Subtree(row.nested, (row.name, listing.MEMBER), "", _NAMES),
                        [member.nested for member in children],
                    )
                )
        else:
            plans += [Subtree(member.nested, (row.name, member.name), _ANY, ()) for member in children]
    # Neither a server nor a group of deployments: what is in them is asked for by name.
    plans += [Subtree(row.nested, (row.name,), "", _NAMES) for row in nested if row not in apart]
    for answers in listing.in_parallel(client, lambda subtree: list(listing.whole(client, subtree)), plans):
        yield from answers
    for group, stacks in groups:
        yield from listing.members(client, group, stacks)


def _check(found: Iterable[Found], servers: Mapping[str, str]) -> None:
    for one in found:
        where = f"{one.label}, server {one.server}"
        if one.server not in servers:
            raise MalformedOutputs(
                f"deployment {one.label} is of server {one.server}, which the outputs don't know",
                where="ServerIdData.server_ids",
            )
        if one.status.endswith("FAILED"):
            raise StackFailed(
                f"The deployment has failed ({one.status}): {one.reason[:300]}",
                where=where,
                remedy="Mend what failed, run the phase that updates the stack again, then this one",
            )
        if not one.status.endswith("COMPLETE"):
            raise StackBusy(
                f"The deployment is not complete ({one.status})",
                where=where,
                remedy="Wait until Heat has ended its work",
            )


def _complete(client: HeatClient, harvest: Harvest, found: list[Found]) -> None:
    """Fetch what no list had: records of deployments, then configs, each once."""
    lacking = [one for one in found if not one.config_id]

    def record(one: Found) -> Any:
        with asking(client, f"Deployment {one.label} of server {one.server} can't be read"):
            return client.api.software_deployments.get(one.record_id).to_dict()

    for one, told in zip(lacking, listing.in_parallel(client, record, lacking), strict=True):
        one.config_id, one.action = str(told["config_id"]), str(told["action"])
        one.made = one.derived = str(told.get("creation_time") or "")
    wanted = list(dict.fromkeys(one.source for one in found if one.source not in harvest.configs))

    def source(config: str) -> Any:
        # One that is gone may have left the derived ones behind, and those are what is applied.
        with contextlib.suppress(NotFound):
            return _config(client, config, f"Config {config}")

    for config, answer in zip(wanted, listing.in_parallel(client, source, wanted), strict=True):
        if answer is not None:
            harvest.add_config(config, answer)


def _config(client: HeatClient, config: str, what: str) -> dict[str, Any]:
    try:
        with asking(client, f"{what} can't be read"):
            found: dict[str, Any] = client.api.software_configs.get(config).to_dict()
            return found
    except NotFound as error:
        raise NotFound(f"{what} is gone: {config}", where=client.where, remedy=_AGAIN) from error


def _derived(client: HeatClient, one: Found) -> dict[str, Any]:
    return _config(client, one.config_id, f"The config of deployment {one.label} of server {one.server}")


def _names(client: HeatClient, found: Iterable[Found]) -> dict[str, str]:
    """Return the names of deployments by their stacks' ids.

    Without a name of its own a deployment is called as its resource; in a group that is a number, and the group's
    resource names it.
    """
    known: dict[str, str] = {}
    for one in found:
        name = one.name or one.parent
        if not name.isdigit():
            known[one.stack] = name
        elif one.path[-1:] == (listing.MEMBER,):
            known[one.stack] = one.path[-2]
        elif one.stack not in known:
            group = get_stack(client, one.stack, resolve_outputs=False).parent
            above = get_stack(client, group, resolve_outputs=False).parent
            title = listing.rows(client, above, filters={"physical_resource_id": group})
            if not title:
                raise NotFound(f"Nothing names deployment {one.label}", where=client.where, remedy=_AGAIN)
            known |= {row.nested: title[0].name for row in listing.rows(client, group) if row.nested}
            known[one.stack] = title[0].name
    return known


def _documents(
    client: HeatClient, harvest: Harvest, found: Iterable[Found], names: Mapping[str, str], collection: Collection
) -> dict[str, str]:
    """Return the digest of each deployment's document by the deployment's stack."""
    kinds: dict[tuple[str, ...], list[Found]] = collections.defaultdict(list)
    for one in found:
        group = harvest.configs.get(one.source, {}).get("group")
        kinds[names[one.stack], one.type, one.action, str(group)].append(one)
    chosen_samples = [(_current(harvest, alike) or alike)[0] for alike in kinds.values()]
    samples = listing.in_parallel(client, lambda one: _derived(client, one), chosen_samples)
    chosen: dict[str, str] = {}
    for (name, *_), alike, sample in zip(kinds, kinds.values(), samples, strict=True):
        like = software.Like.of(sample)
        first = _worked_out(harvest, current[0], like) if (current := _current(harvest, alike)) else None
        trusted = first is not None and software.same(first, sample)
        apart = [one for one in alike if not trusted or not harvest.is_current(one)]
        for one, answer in zip(apart, listing.in_parallel(client, lambda o: _derived(client, o), apart), strict=True):
            chosen[one.stack] = collection.add(software.generalise(answer), name)
        digests: dict[tuple[str, str], str] = {}
        for one in alike:
            if one.stack not in chosen:
                key = (one.source, one.inputs)
                if key not in digests:
                    digests[key] = collection.add(_worked_out(harvest, one, like) or {}, name)
                chosen[one.stack] = digests[key]
    return chosen


def _current(harvest: Harvest, found: Iterable[Found]) -> list[Found]:
    return [one for one in found if harvest.is_current(one)]


def _worked_out(harvest: Harvest, one: Found, like: software.Like) -> dict[str, Any] | None:
    source = harvest.configs.get(one.source)
    return source and software.derive(source, harvest.inputs[one.inputs], like)


def _order(
    found: Iterable[Found], names: Mapping[str, str], servers: Mapping[str, str]
) -> dict[tuple[str, str, bool], tuple[str, str, str]]:
    """Return what a role's deployments are sorted by: when Heat made the first of each name, as TripleO does it.

    Heat's times are whole seconds: within one the records' times decide, then the names, so that the order is always
    the same.
    """
    first: dict[tuple[str, str, bool], tuple[str, str, str]] = {}
    for one in found:
        key = (servers[one.server], names[one.stack], one.post)
        time = (one.created, one.made, names[one.stack])
        first[key] = min(first.get(key, time), time)
    return first
