"""What a client of TripleO types, as the inputs of a phase."""

from __future__ import annotations

import pytest

from tripleo_ffwd.actions import calls, messages
from tripleo_ffwd.ansible_run.inventories import Inventory
from tripleo_ffwd.exceptions import InvalidInput

INVENTORY = Inventory(
    ("cmp-0", "cmp-1", "ctl-0", "undercloud"),
    {
        "Controller": ("ctl-0",),
        "Compute": ("cmp-0", "cmp-1"),
        "nova_compute": ("cmp-0", "cmp-1"),
        "overcloud": ("cmp-0", "cmp-1", "ctl-0"),
    },
    "over",
)


@pytest.mark.parametrize(
    ("typed", "roles", "nodes"),
    [
        ("Controller", ["Controller"], None),
        ("Controller,Compute", ["Controller", "Compute"], None),
        ("cmp-0, cmp-1", None, ["cmp-0", "cmp-1"]),
        ("cmp-0 cmp-1", None, ["cmp-0", "cmp-1"]),
        ("cmp-0:ctl-0", None, ["cmp-0", "ctl-0"]),
        ("nova_compute", None, ["cmp-0", "cmp-1"]),
        ("Compute,ctl-0", None, ["cmp-0", "cmp-1", "ctl-0"]),
        ("all", None, ["cmp-0", "cmp-1", "ctl-0"]),
        ("unknown-7", None, ["unknown-7"]),
        (["cmp-0"], None, ["cmp-0"]),
    ],
)
def test_nodes_are_roles_groups_or_hosts(typed, roles, nodes):
    assert calls.selected(typed, INVENTORY) == (roles, nodes)


@pytest.mark.parametrize("typed", ["Controller[0]", "cmp-*", "all,!ctl-0", "~cmp", "Compute:&cmp-0"])
def test_patterns_of_ansible_are_refused(typed):
    with pytest.raises(InvalidInput, match="pattern"):
        calls.selected(typed, INVENTORY)


def test_without_an_inventory_roles_and_nodes_are_taken_as_typed():
    assert calls.selected("Controller", None) == (["Controller"], None)
    assert calls.selected("cmp-0", None) == (None, ["cmp-0"])
    with pytest.raises(InvalidInput, match="nobody knows all nodes"):
        calls.selected("all", None)


def test_only_the_last_message_names_the_execution_itself():
    running = messages.body("w", "e-1", "", "RUNNING", "a stage begins", teller="t-1")["payload"]
    assert (running["execution_id"], running["execution"]["id"]) == ("t-1", "t-1")
    assert (running["root_execution_id"], running["execution"]["root_execution_id"]) == ("e-1", "e-1")
    last = messages.body("w", "e-1", "", "FAILED", "x" * 9000, teller="t-1")
    assert (last["type"], last["payload"]["execution_id"], last["payload"]["status"]) == ("w", "e-1", "FAILED")
    assert len(last["payload"]["message"]) == messages.MAX_MESSAGE
