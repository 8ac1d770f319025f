"""pcs: the cluster of a site's controllers and its resources."""

from __future__ import annotations

from tripleo_ffwd.embedded.node_tools.node import Node, ToolError, Usage, locked, read_json

USAGE = "pcs status | cluster start|stop [--all] | resource show|disable|enable|create|delete NAME"


def set_member(node: Node, names: list[str], membership: str) -> None:
    """Take members of the cluster online or offline; refuses nodes that are no members."""
    with locked(node.cluster_file) as cluster:
        for name in names:
            if name not in cluster["members"]:
                raise ToolError(f"Error: {name} is not a member of the cluster")
            cluster["members"][name] = membership


def require_online(node: Node) -> None:
    """Refuse when the cluster does not run on this node."""
    if node.cluster()["members"].get(node.name) != "online":
        raise ToolError("Error: cluster is not currently running on this node")


def status(node: Node) -> int:
    """Print members and resources."""
    require_online(node)
    cluster = node.cluster()
    for membership in ("online", "offline"):
        names = " ".join(name for name, value in cluster["members"].items() if value == membership)
        print(f"{membership.title()}: [ {names} ]")
    show(cluster["resources"], "")
    return 0


def show(resources: dict[str, str], name: str) -> None:
    """Print one resource, or all."""
    if name and name not in resources:
        raise ToolError(f"Error: unable to find resource '{name}'")
    for resource, value in resources.items():
        if name in ("", resource):
            print(f" {resource}\t{'Started' if value == 'enabled' else 'Stopped (disabled)'}")


def change_resource(node: Node, verb: str, name: str) -> int:
    """Disable, enable, create, delete or show a resource."""
    require_online(node)
    if verb == "show":
        show(node.cluster()["resources"], name)
        return 0
    if not name:
        raise Usage(USAGE)
    with locked(node.cluster_file) as cluster:
        resources = cluster["resources"]
        if verb == "create":
            if name in resources:
                raise ToolError(f"Error: '{name}' already exists")
            resources[name] = "enabled"
        elif name not in resources:
            raise ToolError(f"Error: bundle/clone/group/master/resource '{name}' does not exist")
        elif verb == "delete":
            del resources[name]
        else:
            resources[name] = f"{verb}d"
    return 0


def pcs(node: Node, arguments: list[str]) -> int:
    """Stand for pcs."""
    if "pcs" not in read_json(node.state_file)["packages"]:
        raise ToolError("pcs: command not found", 127)
    words = [word for word in arguments if not word.startswith("-")]
    if words[:1] == ["status"]:
        return status(node)
    group, verb = [*words, "", ""][:2]
    if group == "cluster" and verb in ("start", "stop"):
        if verb == "stop":
            require_online(node)
        names = list(node.cluster()["members"]) if "--all" in arguments else [node.name]
        set_member(node, names, "online" if verb == "start" else "offline")
        return 0
    if group == "resource" and verb in ("show", "disable", "enable", "create", "delete"):
        return change_resource(node, verb, [*words, ""][2])
    raise Usage(USAGE)


def crm_mon(node: Node, arguments: list[str]) -> int:
    """Stand for crm_mon -1: what pcs status shows too, as pacemaker itself prints it."""
    if "pcs" not in read_json(node.state_file)["packages"]:
        raise ToolError("crm_mon: command not found", 127)
    cluster = node.cluster()
    if cluster["members"].get(node.name) != "online":
        raise ToolError("Connection to cluster failed: Transport endpoint is not connected", 107)
    for told, membership in (("Online", "online"), ("OFFLINE", "offline")):
        names = [name for name, value in cluster["members"].items() if value == membership]
        if names:
            print(f"{told}: [ {' '.join(names)} ]")
    show(cluster["resources"], "")
    return 0


TOOLS = {"crm_mon": crm_mon, "pcs": pcs}
