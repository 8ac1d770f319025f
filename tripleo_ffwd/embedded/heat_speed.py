"""Make the embedded Heat fast on one machine; imports heat and oslo_messaging, for heat_server only.

A real overcloud is five hundred nested stacks, and Heat loads a stack anew from the database for each step of each of
its resources. What is here changes how much of that work is done, and what it waits for; not what comes out of it.
"""

from __future__ import annotations

import collections.abc
import gc
import itertools
import json
import re
import threading
import time
from collections.abc import Iterator
from typing import Any

from heat.common import exception
from heat.engine import attributes, resource, rsrc_defn
from heat.engine.hot import template as hot_template
from oslo_messaging._drivers import base as messaging_base
from oslo_messaging._drivers import impl_fake

# How many objects are made before Python looks for cycles among them. A loaded stack is tens of thousands: with
# Python's own 700 it is looked through again and again. Ten times as many would take half a gigabyte more.
_GC_THRESHOLD = 20_000

# References to a resource whose name is worked out when they are resolved.
_MADE_UP_NAME = re.compile(r'"(?:get_attr|get_resource|Fn::GetAtt|Ref)": (?:\[\{|\[\[|\{)|"repeat": ')

_REFERENCED = resource.Resource.referenced_attrs
# Stands for the text of what may name any resource.
_ANY = "\0"


def install() -> None:
    """Call it before the engine starts."""
    hot_template.HOTemplate20130523.resource_definitions = _definitions
    resource.Resource.referenced_attrs = referenced_attrs
    _wake_listeners()
    # What is loaded by now stays: it need not be looked at again.
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD, 10, 10)


class Definitions(collections.abc.MutableMapping[str, Any]):
    """The enabled resources' definitions of a template, each parsed when it is asked for.

    Heat parses all of them whenever it loads a stack, in most cases for the sake of one.
    """

    def __init__(self, template: Any, stack: Any) -> None:
        self._template = template
        self._stack = stack
        self._raw = template.t.get(template.RESOURCES) or {}
        self._found: dict[str, Any] = {}
        self._texts: dict[str, str] = {}
        conditions = template.conditions(stack)
        allowed = frozenset(template._RESOURCE_KEYS)
        for name, snippet in self._raw.items():
            try:
                unknown = set(snippet) - allowed
                if unknown:
                    raise ValueError(f"Invalid keyword(s) inside a resource definition: {', '.join(unknown)}")
                conditional = template.RES_CONDITION in snippet if hasattr(template, "RES_CONDITION") else False
            except (TypeError, ValueError, KeyError) as error:
                raise exception.StackValidationFailed(message=str(error)) from error
            self._found[name] = None
            if conditional and not self._enabled(name, conditions):
                del self._found[name]

    def __getitem__(self, name: str) -> Any:
        found = self._found[name]
        if found is None:
            found = self._found[name] = self._parse(name)
        return found

    def __setitem__(self, name: str, definition: Any) -> None:
        self._found[name] = definition
        self._texts.pop(name, None)

    def __delitem__(self, name: str) -> None:
        del self._found[name]

    def __contains__(self, name: object) -> bool:
        return name in self._found

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def naming(self, resource_name: str) -> Iterator[Any]:
        """Yield the definitions that may refer to a resource."""
        quoted = json.dumps(resource_name)
        for name in list(self._found):
            if name not in self._raw or self._may_name(name, self._raw[name], quoted):
                yield self[name]

    def in_outputs(self, resource_name: str) -> bool:
        """Tell whether an output may refer to a resource."""
        return self._may_name("", self._template.t.get("outputs"), json.dumps(resource_name))

    def _may_name(self, key: str, snippet: Any, quoted: str) -> bool:
        """Tell whether a part of the template has a resource's name in it, or names that are made up."""
        text = self._texts.get(key)
        if text is None:
            text = json.dumps(snippet, default=str)
            text = self._texts[key] = _ANY if _MADE_UP_NAME.search(text) else text
        return text is _ANY or quoted in text

    def _parse(self, name: str) -> Any:
        try:
            arguments = dict(self._template._rsrc_defn_args(self._stack, name, self._raw[name]))
        except (TypeError, ValueError, KeyError) as error:
            raise exception.StackValidationFailed(message=str(error)) from error
        return rsrc_defn.ResourceDefinition(name, **arguments)

    def _enabled(self, name: str, conditions: Any) -> bool:
        condition = self[name].condition()
        try:
            return condition is None or bool(conditions.is_enabled(condition))
        except ValueError as error:
            path = [self._template.RESOURCES, name, self._template.RES_CONDITION]
            raise exception.StackValidationFailed(path=path, message=str(error)) from error


def referenced_attrs(
    self: Any, stk_defn: Any = None, in_resources: bool = True, in_outputs: Any = True, load_all: bool = False
) -> set[Any]:
    """Return the attributes of a resource that are used, looked for only in definitions that name it.

    Heat parses all resources and outputs of the stack for it, each time a resource is done.
    """
    definition = self.stack.defn if stk_defn is None else stk_defn
    definition.enabled_rsrc_names()  # loads the definitions
    known = definition._resource_defns
    found: set[Any] = set()
    if not isinstance(known, Definitions):
        found |= _REFERENCED(self, definition, in_resources, in_outputs, load_all)
        return found
    if in_resources:
        uses = (one.dep_attrs(self.name, load_all) for one in known.naming(self.name))
        found = set(itertools.chain.from_iterable(uses))
    if attributes.ALL_ATTRIBUTES in found:
        found.remove(attributes.ALL_ATTRIBUTES)
        found |= set(self.attributes) - {self.SHOW}
    if in_outputs and known.in_outputs(self.name):
        found |= _REFERENCED(self, definition, False, in_outputs, load_all)
    return found


def _definitions(template: Any, stack: Any) -> Definitions:
    return Definitions(template, stack)


def _wake_listeners() -> None:
    """Hand messages over at once.

    The in-memory transport looks for messages twenty times a second, and each step of a resource is one: a stack of
    seven levels would wait for seconds, and its listeners would wake up for nothing all the time.
    """
    arrived = threading.Condition()
    deliver = impl_fake.FakeExchange.deliver_message
    stop = impl_fake.FakeListener.stop

    def deliver_message(exchange: Any, *arguments: Any, **options: Any) -> None:
        with arrived:
            deliver(exchange, *arguments, **options)
            arrived.notify_all()

    def stop_listener(listener: Any) -> None:
        stop(listener)
        with arrived:
            arrived.notify_all()

    def poll(listener: Any, timeout: float | None = None) -> Any:
        deadline = None if timeout is None else time.monotonic() + timeout
        with arrived:
            while not listener._stopped.is_set():
                for target in listener._targets:
                    exchange = listener._exchange_manager.get_exchange(target.exchange)
                    context, message, replies, requeue = exchange.poll(target, listener._pool)
                    if message is not None:
                        return impl_fake.FakeIncomingMessage(context, message, replies, requeue)
                remaining = 1.0 if deadline is None else deadline - time.monotonic()
                if remaining <= 0:
                    break
                arrived.wait(min(remaining, 1.0))
        return None

    impl_fake.FakeExchange.deliver_message = deliver_message
    impl_fake.FakeListener.stop = stop_listener
    impl_fake.FakeListener.poll = messaging_base.batch_poll_helper(poll)
