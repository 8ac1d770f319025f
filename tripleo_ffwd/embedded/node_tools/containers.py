"""paunch and docker: the containers of a node."""

from __future__ import annotations

from tripleo_ffwd.embedded.node_tools import catalog
from tripleo_ffwd.embedded.node_tools.node import Node, ToolError, Usage, locked, read_json, take_options


def check_start(node: Node, state: dict, name: str, release: str) -> None:  # type: ignore[type-arg]
    """Refuse to start a container beside the unit that it replaces, or at another release than its schemas."""
    unit = catalog.CONTAINER_UNITS.get(name, "")
    if state["units"].get(unit) == "active":
        raise ToolError(f"{name}: address in use: {unit} is active on {node.name}")
    service = catalog.service_of(unit)
    schemas = read_json(node.database_file)["schemas"]
    for schema in catalog.SERVICES[service][0] if service else ():
        if schemas[schema] != release:
            raise ToolError(f"{name}: container of {release} exited: the schema of {schema} is at {schemas[schema]}")


def apply(node: Node, state: dict, name: str, release: str) -> None:  # type: ignore[type-arg]
    """Start a container, or leave it when it runs at the release already."""
    if release not in catalog.RELEASES:
        raise Usage(f"paunch apply --config-id NAME --release {'|'.join(catalog.RELEASES)}")
    if state["containers"].get(name) == release:
        print(f"{name}: unchanged")
        return
    check_start(node, state, name, release)
    state["containers"][name] = release
    print(f"{name}: started at {release}")


def require_docker(state: dict, tool: str, package: str) -> None:  # type: ignore[type-arg]
    """Refuse when the tool is not installed or docker does not run."""
    if package not in state["packages"]:
        raise ToolError(f"{tool}: command not found", 127)
    if state["units"].get("docker") != "active":
        raise ToolError("Cannot connect to the Docker daemon: is docker running on this host?")


def paunch(node: Node, arguments: list[str]) -> int:
    """Stand for paunch."""
    options, words = take_options(
        arguments, "--debug --verbose -v", "--config-id --release --file --managed-by --label --log-file"
    )
    name = options.get("--config-id", "")
    with locked(node.state_file) as state:
        require_docker(state, "paunch", "python-paunch")
        if words == ["list"]:
            print("".join(f"{box} {release}\n" for box, release in state["containers"].items()), end="")
        elif words == ["apply"] and name:
            apply(node, state, name, options.get("--release", ""))
        elif words == ["delete"] and name:
            state["containers"].pop(name, None)
        else:
            raise Usage("paunch apply --config-id NAME --release RELEASE | delete --config-id NAME | list")
    return 0


def docker(node: Node, arguments: list[str]) -> int:
    """Stand for docker ps and docker stop."""
    with locked(node.state_file) as state:
        require_docker(state, "docker", "docker")
        if arguments[:1] == ["ps"]:
            print("".join(f"{name}\n" for name in state["containers"]), end="")
        elif arguments[:1] == ["stop"] and len(arguments) > 1:
            for name in arguments[1:]:
                if state["containers"].pop(name, None) is None:
                    raise ToolError(f"Error response from daemon: No such container: {name}")
        else:
            raise Usage("docker ps | stop NAME...")
    return 0


TOOLS = {"paunch": paunch, "docker": docker}
