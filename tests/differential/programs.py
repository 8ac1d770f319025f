"""Random overclouds in the language that the generator supports: playbooks, task files, role data; imports hypothesis.

Names and values come from small pools, so that a task often reads what another registered or set, that names collide,
and that conditions hold as often as not. `PROGRAMS` draws an outputs dict with one fast forward playbook.
"""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

ROLES = {"Controller": ["c0", "c1"], "Compute": ["n0"]}
TAGS = ("t1", "t2", "always", "never")
REGISTERS = ("r0", "r1", "r2")
FACTS = ("f0", "f1", "r0")  # one name is a register and a fact
FILES = ("one", "two", "three")
STEPS = (0, 1, 2)
RELEASES = ("ocata", "pike")

_KNOWN = st.sampled_from(
    (
        "step|int == 0",
        "step|int == 1",
        "step|int == 2",
        "step|int >= 1",
        "step|int in [0, 2]",
        'step == "1"',
        "release == 'ocata'",
        "release == 'pike'",
        "release != 'pike'",
        "tripleo_role_name == 'Controller'",
        "tripleo_role_name != 'Controller'",
        "step is defined",
        "release is undefined",
        True,
        False,
        "false",
    )
)
_RUN_TIME = st.one_of(
    st.builds("{} is defined".format, st.sampled_from(REGISTERS + FACTS)),
    st.builds("{} is undefined".format, st.sampled_from(REGISTERS + FACTS)),
    st.builds("({} | default({{}})) is skipped".format, st.sampled_from(REGISTERS)),
    st.builds("{}.rc | default(9) == {}".format, st.sampled_from(REGISTERS), st.sampled_from((0, 1, 9))),
    st.builds("{} | default(false) | bool".format, st.sampled_from(FACTS)),
    st.builds("({}.stdout | default('')) == 'enabled'".format, st.sampled_from(REGISTERS)),
    st.builds("({} | default({{}})).changed | default(false)".format, st.sampled_from(REGISTERS)),
    st.just("is_bootstrap_node|bool"),
    st.just("inventory_hostname == 'c0'"),
)
# Conditions that end in an error where the variable is not there.
_BRITTLE = st.one_of(
    st.builds("{}.rc == 0".format, st.sampled_from(REGISTERS)),
    st.builds("{}".format, st.sampled_from(FACTS)),
    st.builds("{}|bool".format, st.sampled_from(FACTS)),
    st.builds("{}|succeeded".format, st.sampled_from(REGISTERS)),
    st.builds("{} is failed".format, st.sampled_from(REGISTERS)),
)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else value


def _joined(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    pair = st.tuples(leaves, st.sampled_from(("and", "or")), leaves, st.sampled_from(("{}", "not ({})", "({})")))
    return pair.map(lambda p: p[3].format(f"{_text(p[0])} {p[1]} {_text(p[2])}"))


_SAFE = st.one_of(_KNOWN, _RUN_TIME, _joined(st.one_of(_KNOWN, _RUN_TIME)))
_ANY = st.one_of(_KNOWN, _KNOWN, _RUN_TIME, _BRITTLE, _joined(st.one_of(_KNOWN, _RUN_TIME, _BRITTLE)))
_ITEM = st.sampled_from(("item == 'x'", "item != 'x' and step|int == 1", "release == item", "item == step"))
WHEN = st.one_of(_ANY, st.lists(_ANY, min_size=1, max_size=3))
SAFE_WHEN = st.one_of(_SAFE, st.lists(_SAFE, min_size=1, max_size=2))
_WORDS = st.sampled_from(
    (
        "x",
        "{{ release | default('-') }}",
        "{{ step | default('-') }}",
        "{{ f0 | default('-') }}",
        "{{ r0.rc | default('-') }}",
        "{{ r1.stdout | default('-') }}",
        "{{ (r2 | default({})) is skipped }}",
        "{{ v0 | default('-') }}",
        "{{ tripleo_role_name }}",
    )
)
_VALUES = st.sampled_from(
    (
        True,
        False,
        "True",
        "no",
        0,
        "{{ r0.rc | default(0) }}",
        "{{ r1.stdout | default('') }}",
        "{{ step | default(7) }}",
    )
)


@st.composite
def _modifiers(draw: st.DrawFn, task: dict[str, Any], item: bool) -> dict[str, Any]:
    """Give a task some of the keywords that the generator carries."""
    some = st.integers(0, 9)
    if draw(some) < 6:
        when = draw(WHEN)
        if item and draw(st.booleans()):
            when = [*(when if isinstance(when, list) else [when]), draw(_ITEM)]
        task["when"] = when
    for key, values, odds in (
        ("tags", st.one_of(st.sampled_from(TAGS[:2]), st.lists(st.sampled_from(TAGS), min_size=1, max_size=2)), 2),
        ("vars", st.fixed_dictionaries({"v0": _VALUES}), 1),
        ("become", st.booleans(), 1),
        ("environment", st.fixed_dictionaries({"KEY": _WORDS}), 1),
    ):
        if draw(some) < odds:
            task[key] = draw(values)
    return task


@st.composite
def _command(draw: st.DrawFn) -> dict[str, Any]:
    task: dict[str, Any] = {"name": f"task {draw(st.integers(0, 99))}"}
    if draw(st.integers(0, 9)) == 0:
        del task["name"]
    module = draw(st.sampled_from(("command", "command", "shell", "stat", "service")))
    words = draw(_WORDS)
    loops = draw(st.integers(0, 9)) < 2
    if loops:
        key = draw(st.sampled_from(("with_items", "loop")))
        task[key] = draw(
            st.sampled_from(
                (["x", "y"], ["x", "ocata", "1"], [], "{{ r0.results | default(['x']) | length | string | list }}")
            )
        )
        words += " {{ item }}"
    forms: dict[str, Any] = {"stat": {"path": words}, "service": f"name={words.replace(' ', '')} state=started"}
    task[module] = forms.get(module, f"do {words}")
    if draw(st.integers(0, 9)) < 5:
        task["register"] = draw(st.sampled_from(REGISTERS))
    rare = st.integers(0, 11)
    extras: tuple[tuple[str, Any], ...] = (
        ("ignore_errors", True),
        ("failed_when", ["step|int == 1", "release == 'ocata'"]),
        ("changed_when", "step|int == 2"),
        ("delegate_to", "c0"),
        ("run_once", True),
        ("no_log", True),
    )
    for key, value in extras:
        if draw(rare) == 0:
            task[key] = value
    return draw(_modifiers(task, loops))


@st.composite
def _set_fact(draw: st.DrawFn) -> dict[str, Any]:
    name, value = draw(st.sampled_from(FACTS)), draw(_VALUES)
    if draw(st.integers(0, 15)) == 0:
        name = draw(st.sampled_from(("step", "release", "is_bootstrap_node")))
        value = draw(st.sampled_from(("1", "pike", True)))
    arguments: Any = {name: value}
    if draw(st.integers(0, 3)) == 0 and isinstance(value, str):
        arguments = f"{name}={value.replace(' ', '')}"
    return draw(_modifiers({"name": "fact", "set_fact": arguments}, False))


@st.composite
def _block(draw: st.DrawFn, depth: int) -> dict[str, Any]:
    block: dict[str, Any] = {"block": draw(_tasks(depth - 1, 1, 3))}
    if draw(st.integers(0, 3)) == 0:
        block["rescue"] = draw(_tasks(0, 1, 2))
    if draw(st.integers(0, 5)) == 0:
        block["always"] = draw(_tasks(0, 1, 1))
    if draw(st.booleans()):
        block["name"] = "block"
    return draw(_modifiers(block, False))


@st.composite
def _include(draw: st.DrawFn, deeper: tuple[str, ...]) -> dict[str, Any]:
    action = draw(st.sampled_from(("include_tasks", "include_tasks", "import_tasks", "include")))
    task: dict[str, Any] = {action: f"{draw(st.sampled_from(deeper))}_tasks.yaml"}
    if draw(st.booleans()):
        task["when"] = draw(SAFE_WHEN)
    if action == "include_tasks" and draw(st.integers(0, 5)) == 0:
        task["with_items"] = ["x", "y"]
    if draw(st.integers(0, 5)) == 0:
        task["vars"] = {"v0": draw(_VALUES)}
    if draw(st.integers(0, 5)) == 0:
        task["tags"] = draw(st.sampled_from(TAGS[:3]))
    return task


@st.composite
def _tasks(draw: st.DrawFn, depth: int, least: int, most: int, deeper: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    kinds: list[st.SearchStrategy[dict[str, Any]]] = [_command(), _command(), _command(), _set_fact()]
    if depth > 0:
        kinds.append(_block(depth))
    if deeper:
        kinds.append(_include(deeper))
    return draw(st.lists(st.one_of(kinds), min_size=least, max_size=most))


_LOOP: dict[str, Any] = {"with_sequence": f"start={STEPS[0]} end={STEPS[-1]}", "loop_control": {"loop_var": "step"}}


@st.composite
def _role_includes(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A file that includes each role's tasks, as the templates have it."""
    action = draw(st.sampled_from(("include_tasks", "include")))
    extra = draw(st.sampled_from(([], [], ["is_bootstrap_node|bool"])))
    found: list[dict[str, Any]] = []
    for role in ROLES:
        condition = f"tripleo_role_name == '{role}'"
        found.append({action: f"{role}/upgrade_tasks.yaml", "when": [condition, *extra] if extra else condition})
    return found


@st.composite
def _release_play(draw: st.DrawFn) -> dict[str, Any]:
    """A play over releases, in the shape of the templates' fast forward playbook."""
    tasks: list[dict[str, Any]] = [
        {"set_fact": {"releases": [*RELEASES, "queens"]}},
        {"set_fact": {"ffu_releases": "{{ releases | difference( releases | last )}}"}},
        {
            "include_tasks": "release_tasks.yaml",
            "loop_control": {"loop_var": "release"},
            "with_items": "{{ ffu_releases }}",
        },
    ]
    if draw(st.booleans()):
        tasks += [{"set_fact": {"release": "{{ releases | last }}"}}, *draw(_tasks(1, 0, 2))]
    return {"hosts": "overcloud", "become": draw(st.booleans()), "gather_facts": False, "tasks": tasks}


@st.composite
def _step_play(draw: st.DrawFn) -> dict[str, Any]:
    """A play over steps, or at one step, with what keeps a play whole now and then."""
    play: dict[str, Any] = {
        "hosts": draw(st.sampled_from(("overcloud", "overcloud", "Controller:overcloud", "Controller", "Compute"))),
        "gather_facts": False,
        "tasks": draw(_tasks(1, 0, 2)),
    }
    if draw(st.booleans()):
        play["tasks"].append({"include_tasks": "roles_tasks.yaml", **copy.deepcopy(_LOOP)})
    else:
        play["vars"] = {"step": draw(st.sampled_from(("1", "2")))}
        play["tasks"].append({draw(st.sampled_from(("include", "import_tasks", "include_tasks"))): "roles_tasks.yaml"})
    play["tasks"] += draw(_tasks(0, 0, 1, FILES))
    for key, value, odds in (("serial", 1, 7), ("any_errors_fatal", True, 4), ("tags", ["t1"], 5), ("become", True, 4)):
        if draw(st.integers(0, odds)) == 0:
            play[key] = value
    return play


@st.composite
def programs(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the outputs of an overcloud."""
    config: dict[str, Any] = {"global_vars": {}}
    for index, name in enumerate(FILES):
        config[f"{name}_tasks"] = draw(_tasks(1, 0, 2, FILES[index + 1 :]))
    config["roles_tasks"] = draw(_role_includes())
    bootstrap: list[dict[str, Any]] = [
        {"name": "get bootstrap nodeid", "command": "hiera bootstrap_nodeid", "register": "bootstrap_node"},
        {"set_fact": "is_bootstrap_node={{bootstrap_node.stdout == inventory_hostname}}"},
    ]
    config["release_tasks"] = [
        *bootstrap,
        *draw(_tasks(1, 0, 2)),
        {"include_tasks": "roles_tasks.yaml", **copy.deepcopy(_LOOP)},
        *draw(_tasks(0, 0, 1, FILES)),
    ]
    first: dict[str, Any] = {"hosts": "overcloud", "gather_facts": draw(st.booleans()), "tasks": bootstrap}
    plays = [first, draw(_release_play()), *draw(st.lists(_step_play(), max_size=2))]
    config["fast_forward_upgrade_playbook"] = copy.deepcopy(plays)
    data = {
        "Controller": {"upgrade_tasks": draw(_tasks(2, 1, 6, FILES))},
        "Compute": {"upgrade_tasks": draw(_tasks(1, 0, 3, FILES))},
    }
    return {
        "RoleNetHostnameMap": {role: {"canonical": [f"{name}.x" for name in names]} for role, names in ROLES.items()},
        "RoleNetIpMap": {
            role: {"ctlplane": [f"192.0.2.{10 * index + number}" for number, _ in enumerate(names, 1)]}
            for index, (role, names) in enumerate(ROLES.items(), 1)
        },
        "ServerIdData": {
            "server_ids": {role: [f"id-{name}" for name in names] for role, names in ROLES.items()},
            "bootstrap_server_id": "id-c0",
        },
        "BlacklistedHostnames": [],
        "EnabledServices": {role: [] for role in ROLES},
        "RoleData": data,
        "RoleConfig": config,
    }
