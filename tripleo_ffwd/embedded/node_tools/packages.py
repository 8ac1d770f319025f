"""yum, rpm and ffwd-repo: packages, whose version is the release that they come from."""

from __future__ import annotations

import fnmatch

from tripleo_ffwd.embedded.node_tools import catalog
from tripleo_ffwd.embedded.node_tools.node import Node, ToolError, Usage, locked, read_json, take_options


def available(package: str, repo: str) -> bool:
    """Tell whether a release's repository has a package."""
    return package in catalog.PACKAGES and catalog.rank(catalog.PACKAGES[package]) <= catalog.rank(repo)


def update(state: dict, packages: list[str]) -> int:  # type: ignore[type-arg]
    """Bring packages to the enabled release, never backwards; return how many changed."""
    changed = 0
    for package in packages:
        before = state["packages"].get(package)
        if before is None or catalog.rank(before) < catalog.rank(state["repo"]):
            state["packages"][package] = state["repo"]
            print(f"{'Updated' if before else 'Installed'}: {package}-{state['repo']}")
            changed += 1
    return changed


def require_available(names: list[str], repo: str) -> None:
    """Refuse before anything is changed when the repository lacks a package."""
    missing = [name for name in names if not available(name, repo)]
    if missing:
        raise ToolError("\n".join(f"No package {name} available." for name in missing))


def change(node: Node, verb: str, names: list[str]) -> int:
    """Install, update or remove packages."""
    with locked(node.state_file) as state:
        installed = sorted(state["packages"])
        matched = [package for package in installed if any(fnmatch.fnmatch(package, name) for name in names)]
        if verb in ("remove", "erase"):
            for package in matched:
                del state["packages"][package]
                for unit in (unit for unit, owner in catalog.UNITS.items() if owner == package):
                    state["units"].pop(unit, None)
                    state["enabled"] = [name for name in state["enabled"] if name != unit]
                print(f"Removed: {package}")
            changed = len(matched)
        elif verb == "install":
            require_available(names, state["repo"])
            changed = update(state, names)
        else:
            plain = [name for name in names if not set(name) & set("*?[")]
            require_available(plain, state["repo"])
            changed = update(state, matched if names else installed)
    if not changed:
        print("Nothing to do")
    return 0


def yum(node: Node, arguments: list[str]) -> int:
    """Stand for yum."""
    options, words = take_options(
        arguments, "-y --assumeyes -q --quiet -v", "-d -e --setopt --enablerepo --disablerepo -x --exclude"
    )
    verb, names = (words[0] if words else ""), words[1:]
    if verb in ("clean", "makecache"):
        return 0
    if verb == "check-update":
        state = read_json(node.state_file)
        old = [name for name, at in state["packages"].items() if catalog.rank(at) < catalog.rank(state["repo"])]
        print("".join(f"{name} {state['repo']}\n" for name in old), end="")
        return 100 if old else 0
    if verb not in ("install", "update", "upgrade", "remove", "erase") or (not names and not verb.startswith("up")):
        raise Usage("yum [-y] install|update|upgrade|remove|check-update|clean|makecache PACKAGE...")
    if not {"-y", "--assumeyes"} & set(options):
        raise ToolError("Is this ok [y/d/N]: Exiting on user command; say yes with -y")
    return change(node, verb, names)


def rpm(node: Node, arguments: list[str]) -> int:
    """Stand for rpm -q."""
    options, names = take_options(arguments, "-q --query --quiet", "--qf --queryformat")
    if not {"-q", "--query"} & set(options) or not names:
        raise Usage("rpm -q [--qf FORMAT] PACKAGE...")
    form = options.get("--qf") or options.get("--queryformat") or "%{NAME}-%{VERSION}-1.el7.noarch\\n"
    packages = read_json(node.state_file)["packages"]
    missing = 0
    for name in names:
        if name in packages:
            line = form.replace("%{NAME}", name).replace("%{VERSION}", packages[name]).replace("\\n", "\n")
            print(line, end="")
        else:
            missing += 1
            print(f"package {name} is not installed")
    return missing


def ffwd_repo(node: Node, arguments: list[str]) -> int:
    """Stand for the customer's script that enables a release's repositories."""
    if arguments == ["show"]:
        print(read_json(node.state_file)["repo"])
        return 0
    if len(arguments) != 2 or arguments[0] != "enable" or arguments[1] not in catalog.RELEASES:
        raise Usage(f"ffwd-repo show | enable {'|'.join(catalog.RELEASES)}")
    with locked(node.state_file) as state:
        if catalog.rank(arguments[1]) < catalog.rank(state["repo"]):
            raise ToolError(f"ffwd-repo: {state['repo']} is enabled, can't go back to {arguments[1]}")
        state["repo"] = arguments[1]
    return 0


TOOLS = {"yum": yum, "rpm": rpm, "ffwd-repo": ffwd_repo}
