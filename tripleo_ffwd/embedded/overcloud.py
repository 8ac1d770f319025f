"""The demo overcloud: the environment that names its nodes, its newton stack, and the check of what became of them."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from oslo_config import cfg

from tripleo_ffwd import config, files, heat
from tripleo_ffwd.embedded import overcloud_expected as expected
from tripleo_ffwd.embedded.site import Site
from tripleo_ffwd.exceptions import NotFound, StackFailed
from tripleo_ffwd.plan import rendering

PLAN_DIR = Path(__file__).parent / "plan"
STACK = "overcloud"
TEMPLATE = "overcloud.yaml"
# Relative to the rendered templates, in the order that Heat gets them; the nodes' environment comes after them.
NEWTON_ENVIRONMENTS = ("overcloud-resource-registry.yaml", "environments/newton.yaml")

# A role's parameter in the nodes' environment.
_PARAMETER = "{role}Servers"
_NAMESPACE = uuid.UUID("7c1f6a0e-0b2f-5a51-9a77-2f1f6b0f8f0e")
# Verbs with which a tool only asks, and tools that never do anything else.
_QUESTIONS = (
    "check-update",
    "is-active",
    "is-enabled",
    "is-failed",
    "makecache",
    "show",
    "status",
    "--get",
    "list",
    "ps",
)
_ASKING_TOOLS = ("hiera", "hostname", "rpm", "uname")


def build_environment(site: Site) -> Path:
    """Write the Heat environment that names the site's nodes and return its path.

    Raises:
        NotFound: the nodes were never started.
    """
    servers: dict[str, list[dict[str, str]]] = {}
    for node in _nodes(site):
        server = {
            "name": node["name"],
            "address": node["address"],
            # Servers have an id in any cloud; here it follows from the site and the name, so that it never changes
            "server_id": str(uuid.uuid5(_NAMESPACE, f"{site.network}/{node['name']}")),
            "host_key": " ".join(node["host_key"].split()[:2]),
        }
        servers.setdefault(node["role"], []).append(server)
    defaults: dict[str, Any] = {_PARAMETER.format(role=role): members for role, members in servers.items()}
    defaults["ControlPlaneVip"] = servers["Controller"][0]["address"]
    defaults["ExternalDeployDir"] = str(external_dir(site))
    path = _environment_file(site)
    files.write_atomic(path, yaml.safe_dump({"parameter_defaults": defaults}, sort_keys=True).encode())
    return path


def queens_environments(site: Site) -> tuple[Path, ...]:
    """Return the environments that the operator of the demo overcloud passes to prepare and converge."""
    return (_environment_file(site),)


def create_newton_stack(
    site: Site, heat_url: str, *, stack: str = STACK, timeout: int = 600, credentials: Mapping[str, str] | None = None
) -> None:
    """Create the overcloud's stack as it was deployed at newton, and wait until Heat has it.

    Args:
        site: where the nodes are; `build_environment` is called for it.
        heat_url: the embedded Heat's endpoint.
        stack: name of the stack.
        timeout: seconds.
        credentials: options of [ffwd] by name, ``auth_url`` and so on, for a Heat that does not take any caller.

    Raises:
        StackBusy: there is a stack of that name.
        StackFailed, Unavailable: Heat could not make it.
    """
    servers = build_environment(site)
    options = cfg.ConfigOpts()
    options(args=[], project="tripleo-ffwd", default_config_files=[])
    section = config.load(options)
    for name, value in {"heat_url": heat_url, **(credentials or {})}.items():
        options.set_override(name, value, group=config.GROUP)
    client = heat.connect(section)
    with tempfile.TemporaryDirectory(prefix="tripleo-ffwd-") as scratch:
        root = Path(scratch) / "plan"
        shutil.copytree(PLAN_DIR, root)
        rendering.render_tree(root, _template_sources(root))
        shutil.copyfile(servers, root / servers.name)
        environments = [root / name for name in (*NEWTON_ENVIRONMENTS, servers.name)]
        heat.create(client, stack, heat.build_bundle(root / TEMPLATE, environments))
    _wait(client, stack, timeout)


def _wait(client: heat.HeatClient, stack: str, timeout: int) -> None:
    deadline = time.monotonic() + timeout
    while not (status := heat.poll(client, stack))["settled"]:
        if time.monotonic() > deadline:
            raise StackFailed(f"Stack {stack} was not created in {timeout} s", where=client.where)
        time.sleep(0.3)
    if not status["succeeded"]:
        raise StackFailed(f"Stack {stack} was not created: {status['reason']}", where=client.where)


def release_of(site: Site, node: str) -> str:
    """Return the release of a node's packages; ``ocata-queens`` when they are of several."""
    return _release(_state(site, node))


def check_final_state(site: Site) -> list[str]:
    """Compare every node with what it must be after converge; return what is wrong, one sentence each."""
    nodes = _nodes(site)
    findings = []
    for node in nodes:
        findings += [f"{node['name']}: {finding}" for finding in _check_node(site, node, nodes[0])]
    findings += _check_schemas(site, nodes[0]["name"])
    findings += _check_cluster(site, [node["name"] for node in nodes if node["role"] == "Controller"])
    findings += _check_external(site)
    return findings


def check_journal(site: Site, phases: Sequence[str] = ("run", "upgrade", "converge")) -> list[str]:
    """Compare what was done on every node, command by command, with what `phases` do when nothing fails.

    Every command must have run once, in order, successfully, on the right nodes; commands that only ask don't count.
    """
    findings = []
    for index, node in enumerate(_nodes(site)):
        kind = "n" if node["role"] == "Compute" else "c" if index else "b"
        wanted = expected.journal(kind, tuple(phases))
        done = effects(site, node["name"])
        for place, (want, did) in enumerate(zip(wanted, done, strict=False), 1):
            if want != did:
                findings.append(f"{node['name']}: command {place} was `{did}`, must be `{want}`")
                break
        else:
            findings += [f"{node['name']}: `{command}` never ran" for command in wanted[len(done) :]]
            findings += [f"{node['name']}: `{command}` ran unexpectedly" for command in done[len(wanted) :]]
    return findings


def effects(site: Site, node: str) -> tuple[str, ...]:
    """Return the commands that changed something on a node, in order; a failed one ends in `` (rc N)``."""
    done = []
    for entry in _journal(site, node):
        if not _asks(entry["tool"], entry["argv"]):
            suffix = f" (rc {entry['rc']})" if entry["rc"] else ""
            done.append(" ".join([entry["tool"], *entry["argv"]]) + suffix)
    return tuple(done)


def _check_node(site: Site, node: Mapping[str, Any], first: Mapping[str, Any]) -> list[str]:
    role, state = node["role"], _state(site, node["name"])
    findings = []
    if _release(state) != "queens" or state["repo"] != "queens":
        findings.append(f"packages at {_release(state)}, repository at {state['repo']}, must be queens")
    if gone := sorted(expected.KEPT_PACKAGES[role] - set(state["packages"])):
        findings.append(f"removed packages {gone}")
    active = {unit for unit, value in state["units"].items() if value == "active"}
    if active != expected.ACTIVE_UNITS[role]:
        findings.append(f"active units {sorted(active)}, must be {sorted(expected.ACTIVE_UNITS[role])}")
    if stale := sorted(unit for unit in state["enabled"] if unit not in active | {"pacemaker"}):
        findings.append(f"units {stale} are enabled, but not active")
    wanted = dict.fromkeys(sorted(expected.CONTAINERS[role]), "queens")
    if state["containers"] != wanted:
        findings.append(f"containers {state['containers']}, must be {wanted}")
    root = Path(node["root"])
    for name, content in expected.FILES[role].items():
        for word, value in (("NODE", node["name"]), ("FIRST", first["name"]), ("VIP", first["address"])):
            content = content.replace(word, value)
        findings += _check_file(root / name, name, content)
    findings += [f"{name} is still there" for name in expected.LEFTOVERS if (root / name).exists()]
    return findings


def _check_file(path: Path, name: str, wanted: str) -> list[str]:
    if not path.is_file():
        return [f"{name} is missing"]
    content = path.read_text(encoding="utf-8")
    return [] if content == wanted else [f"{name} is {content!r}, must be {wanted!r}"]


def _check_schemas(site: Site, bootstrap: str) -> list[str]:
    """Each schema went through every release once, in order, on the bootstrap node; again at one release is fine."""
    database = _read(site.nodes / "database.json")
    findings = []
    steps = list(zip(expected.RELEASES, expected.RELEASES[1:], strict=False))
    for schema in expected.SCHEMAS:
        migrations = [item for item in database["history"] if item["service"] == schema and item["from"] != item["to"]]
        if [(item["from"], item["to"]) for item in migrations] != steps:
            findings.append(f"schema {schema} went {[(item['from'], item['to']) for item in migrations]}, must {steps}")
        if elsewhere := sorted({item["node"] for item in migrations} - {bootstrap}):
            findings.append(f"schema {schema} was migrated on {elsewhere}, must be on {bootstrap}")
    return findings


def _check_cluster(site: Site, controllers: Sequence[str]) -> list[str]:
    cluster = _read(site.nodes / "cluster.json")
    findings = []
    if cluster["members"] != dict.fromkeys(controllers, "online"):
        findings.append(f"cluster members {cluster['members']}, all must be online")
    if cluster["resources"] != dict.fromkeys(expected.RESOURCES, "enabled"):
        findings.append(f"cluster resources {cluster['resources']}, must be {expected.RESOURCES}, enabled")
    return findings


def _check_external(site: Site) -> list[str]:
    """External deploy tasks ran on the undercloud, step by step."""
    log = external_dir(site) / "external-deploy.log"
    lines = tuple(log.read_text(encoding="utf-8").splitlines()) if log.is_file() else ()
    findings = [] if lines == expected.EXTERNAL_LOG else [f"{log} has {lines}, must have {expected.EXTERNAL_LOG}"]
    if not (external_dir(site) / "overcloudrc").is_file():
        findings.append(f"{external_dir(site) / 'overcloudrc'} is missing")
    return findings


def _asks(tool: str, argv: Sequence[str]) -> bool:
    return tool in _ASKING_TOOLS or any(word in _QUESTIONS for word in argv[:2])


def _release(state: Mapping[str, Any]) -> str:
    found = sorted(set(state["packages"].values()), key=expected.RELEASES.index)
    return "-".join(dict.fromkeys((found[0], found[-1]))) if found else ""


def _template_sources(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*.j2.yaml"))


def _environment_file(site: Site) -> Path:
    return site.root / "overcloud" / "servers.yaml"


def external_dir(site: Site) -> Path:
    """Return where what is done from outside the nodes leaves its files."""
    return site.root / "overcloud" / "external"


def _nodes(site: Site) -> list[dict[str, Any]]:
    path = site.nodes / "nodes.json"
    if not path.is_file():
        raise NotFound("The site has no nodes", where=str(path), remedy="Start them with `tripleo-ffwd nodes start`")
    nodes: list[dict[str, Any]] = _read(path)["nodes"]
    return nodes


def _state(site: Site, node: str) -> dict[str, Any]:
    return _read(_root_of(site, node) / "state" / "node.json")


def _journal(site: Site, node: str) -> list[dict[str, Any]]:
    path = _root_of(site, node) / "journal.jsonl"
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _root_of(site: Site, name: str) -> Path:
    for node in _nodes(site):
        if node["name"] == name:
            return Path(node["root"])
    raise NotFound(f"The site has no node {name}", remedy="Name one of `tripleo-ffwd nodes show`")


def _read(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data
