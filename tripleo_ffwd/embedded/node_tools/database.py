"""nova-manage, cinder-manage and keystone-manage: the site's one database and its schemas."""

from __future__ import annotations

import time

from tripleo_ffwd.embedded.node_tools import catalog
from tripleo_ffwd.embedded.node_tools.node import Node, ToolError, Usage, locked, read_json

# Tool -> its service, and subcommand -> the schema that it migrates.
SYNCS = {
    "nova-manage": ("nova", {"api_db sync": "nova_api", "db sync": "nova"}),
    "cinder-manage": ("cinder", {"db sync": "cinder"}),
    "keystone-manage": ("keystone", {"db_sync": "keystone"}),
}
# Subcommands that need the database and change no schema.
OTHERS = {
    "nova-manage": (
        "db online_data_migrations",
        "cell_v2 map_cell0",
        "cell_v2 create_cell",
        "cell_v2 update_cell",
        "cell_v2 discover_hosts",
        "cell_v2 simple_cell_setup",
    ),
    "cinder-manage": ("db online_data_migrations",),
    "keystone-manage": ("bootstrap", "token_flush"),
}


def check_not_used(node: Node, service: str) -> None:
    """Refuse when anything that uses the service's database runs on any controller."""
    units = catalog.SERVICES[service][2]
    for name in node.controllers():
        state = node.state_of(name)
        running = [unit for unit in units if state["units"].get(unit) == "active"]
        running += [
            box for box, unit in catalog.CONTAINER_UNITS.items() if unit in units and box in state["containers"]
        ]
        if running:
            raise ToolError(f"{running[0]} still runs on {name}: stop it before the schema is migrated")


def check_step(schemas: dict[str, str], schema: str, target: str) -> None:
    """Refuse to go back, to skip a release, and to migrate nova before nova_api."""
    current = schemas[schema]
    distance = catalog.rank(target) - catalog.rank(current)
    if distance < 0:
        raise ToolError(f"{schema}: schema is at {current}, can't go back to {target}")
    if distance > 1:
        following = catalog.RELEASES[catalog.rank(current) + 1]
        raise ToolError(f"{schema}: schema is at {current}, can't migrate to {target}: {following} comes first")
    if schema == "nova" and schemas["nova_api"] != target:
        raise ToolError(f"nova: the schema of nova_api is at {schemas['nova_api']}: run api_db sync first")


def sync(node: Node, service: str, schema: str, target: str) -> int:
    """Migrate one schema to the release of the node's package."""
    with locked(node.database_file) as database:
        current = database["schemas"][schema]
        if current == target:
            print(f"{schema}: schema is at {target} already")
        else:
            check_step(database["schemas"], schema, target)
            check_not_used(node, service)
            database["schemas"][schema] = target
            print(f"{schema}: schema migrated from {current} to {target}")
        entry = {"service": schema, "from": current, "to": target, "node": node.name, "time": round(time.time(), 3)}
        database["history"].append(entry)
    return 0


def manage(tool: str, node: Node, arguments: list[str]) -> int:
    """Stand for one of the three tools."""
    service, syncs = SYNCS[tool]
    package = catalog.SERVICES[service][1]
    state = read_json(node.state_file)
    if package not in state["packages"]:
        raise ToolError(f"{tool}: command not found", 127)
    words = [word for word in arguments if not word.startswith("-")]
    command = " ".join(words[: 1 if tool == "keystone-manage" else 2])
    if command not in syncs and command not in OTHERS[tool]:
        raise Usage(f"{tool} {' | '.join([*syncs, *OTHERS[tool]])}")
    if state["units"].get("mariadb") != "active":
        raise ToolError(f"{tool}: can't connect to the database: mariadb is not active on {node.name}")
    if command in syncs:
        return sync(node, service, syncs[command], state["packages"][package])
    return 0


def nova_manage(node: Node, arguments: list[str]) -> int:
    """Stand for nova-manage."""
    return manage("nova-manage", node, arguments)


def cinder_manage(node: Node, arguments: list[str]) -> int:
    """Stand for cinder-manage."""
    return manage("cinder-manage", node, arguments)


def keystone_manage(node: Node, arguments: list[str]) -> int:
    """Stand for keystone-manage."""
    return manage("keystone-manage", node, arguments)


TOOLS = {"nova-manage": nova_manage, "cinder-manage": cinder_manage, "keystone-manage": keystone_manage}
