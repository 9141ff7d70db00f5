"""Events of dbt for debugging are made only if somebody hears them: 0.4 of 2.1 seconds.

Warnings and errors keep their way, and so does what turns warnings into errors.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from dbt_common.events import event_manager_client
from dbt_common.events.base_types import BaseEvent, EventLevel
from dbt_common.events.event_manager import EventManager

from runner.dbt.speedups import expect


def probe() -> None:
    """Expect one door for all events, and events that turn any values into a message."""
    known = ("self", "e", "level", "node", "force_warn_or_error_handling")
    expect(EventManager.fire_event, *known)
    expect(event_manager_client.ctx_set_event_manager, "event_manager")
    expect(BaseEvent.__init__, "self", "args", "kwargs")
    expect(BaseEvent.__getattr__, "self", "key")
    expect(BaseEvent.__setattr__, "self", "key", "value")
    expect(BaseEvent.level_tag, "self")


def apply(heard: Collection[str]) -> None:
    """Let dbt make no event but the loud ones and those that an invocation's callbacks hear."""

    class Events(EventManager):
        def fire_event(
            self,
            e: BaseEvent,
            level: EventLevel | None = None,
            node: Any = None,
            force_warn_or_error_handling: bool = False,
        ) -> None:
            is_loud = (level or e.level_tag()) in (EventLevel.WARN, EventLevel.ERROR)
            if is_loud or force_warn_or_error_handling or type(e).__name__ in heard:
                super().fire_event(e, level, node, force_warn_or_error_handling)

    event_manager_client.ctx_set_event_manager(Events())
    _fill_on_demand(BaseEvent)


def _fill_on_demand(event: type[Any]) -> None:
    """Let an event turn its values into a message when somebody asks for one of them."""
    fill, read, write = (getattr(event, n) for n in ("__init__", "__getattr__", "__setattr__"))

    def keep(self: Any, *values: Any, **named: Any) -> None:
        self.__dict__["_values"] = values, named

    def filled(self: Any) -> Any:
        if "_values" in self.__dict__:
            values, named = self.__dict__.pop("_values")
            fill(self, *values, **named)
        return self

    def get(self: Any, name: str) -> Any:
        return read(filled(self), name)

    def put(self: Any, name: str, value: Any) -> None:
        write(filled(self), name, value)

    for name, method in (("__init__", keep), ("__getattr__", get), ("__setattr__", put)):
        setattr(event, name, method)
