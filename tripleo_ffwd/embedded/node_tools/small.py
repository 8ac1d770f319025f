"""hiera, crudini, hostname, uname and df."""

from __future__ import annotations

import configparser
import os
import sys

from tripleo_ffwd.embedded.node_tools.node import Node, ToolError, Usage, read_json, take_options


def hiera(node: Node, arguments: list[str]) -> int:
    """Stand for hiera: bootstrap_nodeid is the same on every node, of whatever role."""
    _, words = take_options(arguments, "-d --debug", "-c --config")
    if not words:
        raise Usage("hiera [-c FILE] KEY")
    data = {"bootstrap_nodeid": node.controllers()[0], "fqdn_canonical": f"{node.name}.localdomain"}
    own = node.root / "etc" / "puppet" / "hieradata.json"
    if own.exists():
        data.update(read_json(own))
    print(data.get(words[0], "nil"))
    return 0


def crudini(node: Node, arguments: list[str]) -> int:
    """Stand for crudini: one key of an INI file."""
    verb, *words = arguments or [""]
    if (verb, len(words)) not in (("--set", 4), ("--get", 3)):
        raise Usage("crudini --set FILE SECTION KEY VALUE | --get FILE SECTION KEY")
    path = node.root / words[0]
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(path, encoding="utf-8")
    section, key = words[1:3]
    if verb == "--get":
        if not parser.has_option(section, key):
            raise ToolError(f"Parameter not found: {key}")
        print(parser.get(section, key))
        return 0
    if section != parser.default_section and not parser.has_section(section):
        parser.add_section(section)
    parser.set(section, key, words[3])
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    with partial.open("w", encoding="utf-8") as stream:
        parser.write(stream)
    partial.replace(path)
    return 0


def hostname(node: Node, arguments: list[str]) -> int:
    """Stand for hostname."""
    print(f"{node.name}.localdomain" if {"-f", "--fqdn", "--long"} & set(arguments) else node.name)
    return 0


def uname(node: Node, arguments: list[str]) -> int:
    """Stand for uname: the machine's answer with the node's name in it."""
    real = os.uname()
    fields = {"s": real.sysname, "n": node.name, "r": real.release, "v": real.version, "m": real.machine}
    if not all(word.startswith("-") for word in arguments):
        raise Usage("uname [-asnrvm]")
    wanted = "".join(word.lstrip("-") for word in arguments if not word.startswith("--")) or "s"
    if "a" in wanted or "--all" in arguments:
        wanted = "snrvm"
    print(" ".join(value for key, value in fields.items() if key in wanted), file=sys.stdout)
    return 0


def df(node: Node, arguments: list[str]) -> int:
    """Stand for df -Pk: 40 GB for all, of which 30 are free."""
    if not all(word in ("-Pk", "-k", "-P") or word.startswith("/") for word in arguments):
        raise Usage("df -Pk [PATH...]")
    print("Filesystem     1024-blocks     Used Available Capacity Mounted on")
    for _ in [word for word in arguments if word.startswith("/")] or ["/"]:
        print("/dev/vda1         41943040 10485760  31457280      25% /")
    return 0


TOOLS = {"df": df, "hiera": hiera, "crudini": crudini, "hostname": hostname, "uname": uname}
