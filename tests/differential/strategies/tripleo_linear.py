"""Stands in for TripleO's strategy of this name, which later templates name: Ansible's own."""

from __future__ import annotations

from ansible.plugins.strategy import linear


class StrategyModule(linear.StrategyModule):
    pass
