"""Nodes in batches: what an operator may ask for, and which nodes go together and when. Pure.

Control-plane roles go whole and first, all of them together: a cluster is not upgraded by halves. Then come the
canaries of the other roles, then their other nodes, role by role, in batches that may grow. Batches that run side by
side make a wave; the next wave begins when every batch of the one before has ended well.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from tripleo_ffwd.exceptions import InvalidInput

CONTROL_PLANE = "control-plane"


@dataclasses.dataclass(frozen=True)
class Batching:
    """How nodes are divided into batches.

    Attributes:
        canary: nodes of a role that go before its others; 0 for none.
        size: nodes in the first batch after them.
        growth: how many times as large each next batch of a role is.
        max_size: most nodes in a batch; 0 for no bound.
        parallel: batches side by side.
        failure_budget: nodes of a role that may fail before nothing more is begun, by role; ``*`` for each other role.
        soak: seconds between two waves.
        health_check: a playbook's path or a command's words, run between two waves; empty for none.
        rolling_roles: roles that go in batches; None for those that the control plane does not stand on.
    """

    canary: int = 1
    size: int = 10
    growth: float = 1
    max_size: int = 0
    parallel: int = 1
    failure_budget: Mapping[str, int] = dataclasses.field(default_factory=dict)
    soak: int = 0
    health_check: tuple[str, ...] = ()
    rolling_roles: tuple[str, ...] | None = None

    def budget(self, role: str) -> int:
        """Return how many nodes of a role may fail."""
        return self.failure_budget.get(role, self.failure_budget.get("*", 0))


@dataclasses.dataclass(frozen=True)
class Batch:
    """Nodes that are upgraded together.

    Attributes:
        name: ``control-plane``, ``ROLE-canary``, ``ROLE-1`` and so on.
        role: their role; empty for the control plane.
        targets: their names.
        canary: true for the first ones of a role, whose failure is what they are there for: no budget covers it.
    """

    name: str
    role: str
    targets: tuple[str, ...]
    canary: bool = False


def _whole(least: int) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_growth(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 1 <= value <= 100


def _is_budget(value: Any) -> bool:
    is_count = _whole(0)
    return is_count(value) or (isinstance(value, dict) and all(is_count(count) for count in value.values()))


def _is_check(value: Any) -> bool:
    words = [value] if isinstance(value, str) else value
    return isinstance(words, list) and all(isinstance(word, str) for word in words) and words != []


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) and name for name in value)


_KEYS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "canary": (_whole(0), "a whole number, 0 for no canaries"),
    "size": (_whole(1), "a whole number of at least 1"),
    "growth": (_is_growth, "a number from 1 to 100"),
    "max_size": (_whole(1), "a whole number of at least 1"),
    "parallel": (_whole(1), "a whole number of at least 1"),
    "failure_budget": (_is_budget, "a whole number, or one for each role"),
    "soak": (_whole(0), "a whole number of seconds"),
    "health_check": (_is_check, "the path of a playbook, or a command as a list of words"),
    "rolling_roles": (_is_names, "a list of names of roles"),
}


def parse(wanted: Mapping[str, Any]) -> Batching:
    """Return what an operator asks for.

    Args:
        wanted: the input `batches`, with any of the keys of `Batching`.

    Raises:
        InvalidInput: a key is unknown or has a value that it does not take; names the key.
    """
    for key, value in wanted.items():
        if key not in _KEYS:
            raise InvalidInput(f"batches has no {key!r}", where="batches", remedy=f"Use {', '.join(_KEYS)}")
        holds, takes = _KEYS[key]
        if not holds(value):
            raise InvalidInput(f"must be {takes}, not {value!r}", where=f"batches.{key}", remedy="Correct it")
    given = dict(wanted)
    budget, check = given.pop("failure_budget", {}), given.pop("health_check", "")
    roles = given.pop("rolling_roles", None)
    words = [check] if isinstance(check, str) else check
    return Batching(
        **given,
        failure_budget=dict(budget) if isinstance(budget, dict) else {"*": budget},
        health_check=tuple(filter(None, words)),
        rolling_roles=None if roles is None else tuple(roles),
    )


def check_roles(batching: Batching, selected: Collection[str]) -> None:
    """Refuse names of roles that are none of the selected nodes'.

    Raises:
        InvalidInput: names the role.
    """
    for key, names in (("rolling_roles", batching.rolling_roles or ()), ("failure_budget", batching.failure_budget)):
        unknown = [name for name in names if name not in selected and (key, name) != ("failure_budget", "*")]
        if unknown:
            raise InvalidInput(
                f"No node of role {unknown[0]} is selected",
                where=f"batches.{key}",
                remedy=f"The selected nodes are of {', '.join(selected)}",
            )


def waves(
    batching: Batching, selected: Mapping[str, tuple[str, ...]], rolling: Collection[str]
) -> tuple[tuple[Batch, ...], ...]:
    """Return the batches of the selected nodes, wave by wave.

    Args:
        batching: how they are divided.
        selected: names of the selected nodes by role, in the order of the overcloud's roles.
        rolling: names of the roles that the control plane does not stand on.

    Raises:
        InvalidInput: a budget or a rolling role is named that the nodes don't have, or a budget for a role that goes
            whole.
    """
    in_batches = rolling if batching.rolling_roles is None else batching.rolling_roles
    check_roles(batching, selected)
    whole = [role for role, nodes in selected.items() if role not in in_batches and nodes]
    for role in whole:
        if batching.failure_budget.get(role):
            raise InvalidInput(
                f"{role} belongs to the control plane, of which no node may fail",
                where="batches.failure_budget",
                remedy="Leave it out, or name the roles that go in batches as rolling_roles",
            )
    first = Batch(CONTROL_PLANE, "", tuple(node for role in whole for node in selected[role]))
    canaries, others = [], []
    for role, nodes in selected.items():
        if role in in_batches and nodes:
            canary, rest = nodes[: batching.canary], nodes[batching.canary :]
            canaries += [Batch(f"{role}-canary", role, canary, canary=True)] if canary else []
            others += _divide(batching, role, rest)
    return ((first,),) * bool(whole) + (*_side_by_side(canaries, batching), *_side_by_side(others, batching))


def _divide(batching: Batching, role: str, nodes: tuple[str, ...]) -> list[Batch]:
    divided = []
    left = list(nodes)
    for number, size in enumerate(_sizes(batching), start=1):
        if not left:
            break
        divided.append(Batch(f"{role}-{number}", role, tuple(left[:size])))
        left = left[size:]
    return divided


def _sizes(batching: Batching) -> Iterator[int]:
    size: float = batching.size
    for _ in itertools.count():
        # Beyond any overcloud growth would only make floats overflow.
        size = min(size, float(batching.max_size or 1_000_000))
        yield int(size)
        size *= batching.growth


def _side_by_side(batches: list[Batch], batching: Batching) -> Iterator[tuple[Batch, ...]]:
    for start in range(0, len(batches), batching.parallel):
        yield tuple(batches[start : start + batching.parallel])
