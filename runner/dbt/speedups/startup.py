"""What dbt does for people and for tasks that are not ours is not done: half of a short build.

Each part says what it saves of a build of the demo's 22 models and their checks. None changes
what dbt runs, nor what it tells of it; a version of dbt that works otherwise is refused by the
tests of this module.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Callable, Collection, Iterable
from functools import lru_cache
from typing import Any

from runner.dbt.speedups.compile_cache import CompileCache


def import_dbt() -> None:
    """Import dbt in half of its 1.7 seconds.

    What is imported stays, so nobody looks for garbage in it; and of the serializers that its
    classes have, the few that are used are made when they are.
    """
    from mashumaro.core.meta.mixin import compile_mixin_packer, compile_mixin_unpacker
    from mashumaro.mixins import dict as mixins

    gc.disable()
    packer = _put_off(compile_mixin_packer, "to", lambda serializer: serializer)
    unpacker = _put_off(compile_mixin_unpacker, "from", classmethod)
    vars(mixins).update(compile_mixin_packer=packer, compile_mixin_unpacker=unpacker)
    import dbt.cli.main  # noqa: F401


def _put_off(
    make: Callable[..., None], direction: str, method: Callable[[Any], Any]
) -> Callable[..., None]:
    """Let a class have its serializer made by the first call of it.

    mashumaro itself writes and compiles a function for every class and format even to put it off.
    """
    from mashumaro.core.meta.code.builder import InternalMethodName

    def put_off(cls: type, **about: Any) -> None:
        internal = InternalMethodName.from_public(f"{direction}_{about.get('format_name', 'dict')}")

        def first(it: Any, *values: Any, **named: Any) -> Any:
            make(cls, **about)
            return getattr(it, internal)(*values, **named)

        for name in (internal, internal.public):
            setattr(cls, name, method(first))

    return put_off


def leave_to_children() -> None:
    """Keep what is in memory out of every later look for garbage: a child shares it unchanged."""
    gc.freeze()
    gc.enable()


def keep_templates(kept: CompileCache) -> None:
    """Compile no template whose code is kept: 1.0 of 4.1 seconds.

    Jinja itself keeps the code of templates that were loaded from files, but not of those that
    were made from a text, as dbt's are.
    """
    import jinja2

    compile_text = jinja2.Environment.compile

    def compiled(
        environment: jinja2.Environment,
        source: Any,
        name: str | None = None,
        filename: str | None = None,
        *rest: Any,
        **more: Any,
    ) -> Any:
        # What has a name or a file is told apart by more than its text.
        if rest or more or name is not None or filename is not None:
            return compile_text(environment, source, name, filename, *rest, **more)
        key = "template", type(environment).__qualname__, str(source)
        return kept.of(key, lambda: compile_text(environment, source))

    jinja2.Environment.compile = compiled  # type: ignore[assignment,method-assign]


def keep_trees(kept: CompileCache) -> None:
    """Parse no template whose tree is kept: 0.9 of 2.5 seconds of a first parse.

    dbt parses every macro twice to know its name and what it calls, before it is ever compiled.
    """
    from dbt_common.clients.jinja import MacroFuzzEnvironment

    from runner.dbt.speedups import ast_cache

    parse = MacroFuzzEnvironment._parse  # noqa: SLF001

    def parsed(
        environment: MacroFuzzEnvironment, source: str, name: str | None, filename: str | None
    ) -> Any:
        made = []

        def make() -> bytes:
            made.append(parse(environment, source, name, filename))
            return ast_cache.to_bytes(made[0])

        key = "tree", type(environment).__qualname__, str(source)
        try:
            found = kept.of(key, make)
        except ValueError:  # a constant that has no bytes
            found = None
        return made[0] if made else ast_cache.from_bytes(found, environment)

    MacroFuzzEnvironment._parse = parsed  # type: ignore[method-assign,assignment]  # noqa: SLF001


def keep_schemas(kept: CompileCache) -> None:
    """Derive no schema of dbt's classes that is kept: 0.25 of 0.75 seconds of an unchanged parse.

    A class is known by its name, and by the age of the files that it and its parents are in.
    """
    from dbt_common.dataclass_schema import dbtClassMixin

    derive = dbtClassMixin.json_schema.__func__  # type: ignore[attr-defined]

    @lru_cache
    def schema(cls: type) -> Any:
        key = "schema", cls.__module__, cls.__qualname__, *_ages(cls)
        try:
            return json.loads(kept.of(key, lambda: json.dumps(derive(cls))))
        except TypeError:  # a default that JSON has no word for
            return derive(cls)

    dbtClassMixin.json_schema = classmethod(schema)  # type: ignore[method-assign,assignment,arg-type]


def _ages(cls: type) -> list[int]:
    files = {getattr(sys.modules.get(one.__module__), "__file__", None) for one in cls.__mro__}
    return [os.stat(file).st_mtime_ns for file in sorted(filter(None, files))]  # noqa: PTH116


def share_type_testers() -> None:
    """Let results with the same columns share what guesses their types: 0.1 of 2.1 seconds.

    Each would make a parser of dates of its own, which knows the words of many languages.
    """
    from dbt_common.clients import agate_helper

    make = lru_cache(agate_helper.build_type_tester)

    def shared(
        text_columns: Iterable[str], string_null_values: Iterable[str] | None = ("null", "")
    ) -> Any:
        nothing = None if string_null_values is None else tuple(string_null_values)
        return make(tuple(text_columns), nothing)

    agate_helper.build_type_tester = shared


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
