"""Resources of a stack and of its nested stacks, in few requests: whole subtrees, halved when Heat can't answer.

Heat looks at every nested stack of a subtree for one list of its resources, whatever is asked for, and has its own
limits of time and size. So a small overcloud is asked for in one request, a big one server by server, and the members
of a group that all carry the same megabyte a few at a time.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tripleo_ffwd.exceptions import Unavailable
from tripleo_ffwd.heat.connection import HeatClient, asking

DEPTH = 20
MEMBER = "*"
# Bytes of one answer: Heat passes it through a message queue, and we hold it in memory.
MAX_ANSWER = 16_000_000
# Characters of filters in one request's line: web servers refuse lines of 8 kB.
MAX_FILTERS = 6_000
_GROUPS = ("DeploymentGroup", "Deployments")


@dataclasses.dataclass(frozen=True)
class Row:
    """A resource: its name, type, state, physical id and attributes, the stack that it is in, the one that it is.

    A stack is written as name/id: by its id alone Heat would be asked for the name first. `path` holds the names of the
    resources above it, as far as they are known; `MEMBER` ends it within a group of deployments.
    """

    name: str
    type: str
    status: str
    reason: str
    physical_id: str
    created: str
    parent: str
    stack: str
    nested: str
    attributes: Mapping[str, Any]
    path: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Subtree:
    """A stack to be listed with all that is below it, the names above it, and how its resources are chosen."""

    stack: str
    path: tuple[str, ...]
    type: str
    filters: tuple[tuple[str, tuple[str, ...]], ...]


def rows(
    client: HeatClient,
    stack: str,
    path: tuple[str, ...] = (),
    *,
    depth: int = 0,
    detail: bool = False,
    filters: Mapping[str, Any] | None = None,
) -> list[Row]:
    """Return resources of a stack in one request.

    Raises:
        NotFound, Unavailable, ConfigurationError: the stack is gone, or Heat does not answer, or not to us.
    """
    arguments: dict[str, Any] = {"nested_depth": depth} if depth else {}
    if detail:
        arguments["with_detail"] = True
    if filters:
        arguments["filters"] = {
            key: list(value) if isinstance(value, tuple) else value for key, value in filters.items()
        }
    with asking(client, f"The resources of stack {'.'.join(path) or stack} can't be listed"):
        return [_row(found, path) for found in client.slow_api.resources.list(stack, **arguments)]


def in_parallel(client: HeatClient, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """Yield the results of a function in the items' order, at most [ffwd] heat_parallel_requests at once."""
    with ThreadPoolExecutor(max_workers=client.parallel, thread_name_prefix="heat") as pool:
        futures = [pool.submit(function, item) for item in items]
        try:
            for future in futures:
                yield future.result()
        finally:
            for future in futures:
                future.cancel()


def whole(client: HeatClient, subtree: Subtree) -> Iterator[list[Row]]:
    """Yield the chosen resources of a subtree; what Heat can't answer at once is asked for child by child.

    Raises:
        Unavailable: Heat does not answer for a stack without children either.
    """
    filters: dict[str, Any] = {**dict(subtree.filters), **({"type": subtree.type} if subtree.type else {})}
    try:
        found = rows(client, subtree.stack, subtree.path, depth=DEPTH, detail=True, filters=filters)
    except Unavailable:
        direct, children = split(client, subtree)
        if not children:
            raise
        yield direct
        for child in children:
            yield from whole(client, child)
        return
    yield found


def split(client: HeatClient, subtree: Subtree) -> tuple[list[Row], list[Subtree]]:
    """Return a stack's own chosen resources, and its nested stacks; the members of groups stand for themselves."""
    below = rows(client, subtree.stack, subtree.path)
    chosen = dict(subtree.filters).get("name", ())
    own = any(row.name in chosen or (subtree.type and row.type.startswith(subtree.type)) for row in below)
    filters: dict[str, Any] = {**dict(subtree.filters), **({"type": subtree.type} if subtree.type else {})}
    direct = rows(client, subtree.stack, subtree.path, detail=True, filters=filters) if own else []
    return direct, [
        dataclasses.replace(subtree, stack=row.nested, path=(*subtree.path, row.name)) for row in below if row.nested
    ]


def members(client: HeatClient, group: Subtree, stacks: Sequence[str]) -> Iterator[list[Row]]:
    """Yield the chosen resources of a group's members, so many at a time as one answer holds.

    Args:
        group: the group's stack.
        stacks: ids of the stacks of its members.
    """
    filters: dict[str, Any] = dict(group.filters)
    first = rows(client, stacks[0], group.path, depth=DEPTH, detail=True, filters=filters)
    size = sum(len(json.dumps(dict(row.attributes))) + 1000 for row in first) or 1
    if size * len(stacks) <= MAX_ANSWER:
        yield from whole(client, group)
        return
    # The first answer is not used: the plain list names all, so that the parts together are the whole.
    plain = rows(client, group.stack, group.path, depth=DEPTH, filters=filters)
    ids = sorted({row.physical_id for row in plain if row.physical_id}, key=str)
    many = max(1, len(ids) * MAX_ANSWER // (size * len(stacks)))

    def part(wanted: tuple[str, ...]) -> list[Row]:
        chosen = {"physical_resource_id": wanted}
        return rows(client, group.stack, group.path, depth=DEPTH, detail=True, filters=chosen)

    yield from in_parallel(client, part, _parts(ids, many))


def stack_of(reference: str) -> str:
    """Return name/id of the stack in a link or in a resource's reference to a stack."""
    return "/".join(reference.split("/")[-2:])


def is_group(row: Row) -> bool:
    """Return whether a resource is a group of deployments: one for each server, all with the same inputs."""
    return row.type.endswith(_GROUPS)


def _parts(ids: Sequence[str], many: int) -> Iterator[tuple[str, ...]]:
    part: list[str] = []
    length = 0
    for one in ids:
        if part and (len(part) >= many or length + len(one) + 24 > MAX_FILTERS):
            yield tuple(part)
            part, length = [], 0
        part.append(one)
        length += len(one) + 24
    if part:
        yield tuple(part)


def _row(found: Any, path: tuple[str, ...]) -> Row:
    links = {link["rel"]: link["href"] for link in getattr(found, "links", None) or ()}
    return Row(
        name=found.resource_name,
        type=found.resource_type,
        status=found.resource_status,
        reason=found.resource_status_reason or "",
        physical_id=found.physical_resource_id or "",
        created=getattr(found, "creation_time", "") or "",
        parent=getattr(found, "parent_resource", "") or "",
        stack=stack_of(links.get("stack", "")),
        nested=stack_of(links.get("nested", "")),
        attributes=getattr(found, "attributes", None) or {},
        path=path,
    )
