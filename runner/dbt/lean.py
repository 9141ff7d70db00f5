"""What dbt does for people and for tasks that are not ours is not done: half of a short build.

Each part says what it saves of a build of the demo's 22 models and their checks. None changes
what dbt runs, nor what it tells of it; a version of dbt that works otherwise is refused by the
tests of this module.
"""

from __future__ import annotations

import gc
from collections.abc import Collection
from typing import Any


def import_dbt() -> None:
    """Import dbt 0.4 of 1.5 seconds faster.

    What is imported stays, so nobody looks for garbage in it; and of the serializers that its
    classes have, the few that are used are made when they are.
    """
    from mashumaro.config import BaseConfig

    gc.disable()
    BaseConfig.lazy_compilation = True
    import dbt.cli.main  # noqa: F401


def leave_to_children() -> None:
    """Keep what is in memory out of every later look for garbage: a child shares it unchanged."""
    gc.collect()
    gc.freeze()
    gc.enable()


def hear_only(names: Collection[str]) -> None:
    """Let dbt's events for debugging be made only if somebody hears them: 0.4 of 2.1 seconds.

    ``names`` are those that the callbacks of an invocation wait for. Warnings and errors keep
    their way, and so does what turns warnings into errors.
    """
    from dbt_common.events import event_manager_client
    from dbt_common.events.base_types import BaseEvent, EventLevel
    from dbt_common.events.event_manager import EventManager

    class Events(EventManager):
        def fire_event(
            self,
            e: BaseEvent,
            level: EventLevel | None = None,
            node: Any = None,
            force_warn_or_error_handling: bool = False,
        ) -> None:
            is_loud = (level or e.level_tag()) in (EventLevel.WARN, EventLevel.ERROR)
            if is_loud or force_warn_or_error_handling or type(e).__name__ in names:
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
