"""Serializers of dbt's classes are made when they are first called: a third of dbt's import.

mashumaro writes and compiles a function for every class and format, even to put it off, and dbt
calls few of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mashumaro.core.meta.code.builder import InternalMethodName
from mashumaro.core.meta.mixin import compile_mixin_packer, compile_mixin_unpacker
from mashumaro.mixins import dict as mixins

from runner.dbt.speedups import UnexpectedDbtError, expect


def probe() -> None:
    """Expect mashumaro's two makers of serializers where classes call them, and their names."""
    known = ("cls", "format_name", "dialect")
    expect(mixins.compile_mixin_packer, *known, "encoder", "encoder_kwargs")  # type: ignore[attr-defined]
    expect(mixins.compile_mixin_unpacker, *known, "decoder")  # type: ignore[attr-defined]
    name = InternalMethodName.from_public("to_dict")
    if (name, name.public) != ("__mashumaro_to_dict__", "to_dict"):
        raise UnexpectedDbtError(f"mashumaro calls the serializer to_dict {name}")


def apply() -> None:
    """Put off the serializers of every class that is made from now on."""
    packer = _put_off(compile_mixin_packer, "to", lambda serializer: serializer)
    unpacker = _put_off(compile_mixin_unpacker, "from", classmethod)
    vars(mixins).update(compile_mixin_packer=packer, compile_mixin_unpacker=unpacker)


def _put_off(
    make: Callable[..., None], direction: str, method: Callable[[Any], Any]
) -> Callable[..., None]:
    """Let a class have its serializer made by the first call of it."""

    def put_off(cls: type, **about: Any) -> None:
        internal = InternalMethodName.from_public(f"{direction}_{about.get('format_name', 'dict')}")

        def first(it: Any, *values: Any, **named: Any) -> Any:
            make(cls, **about)
            return getattr(it, internal)(*values, **named)

        for name in (internal, internal.public):
            setattr(cls, name, method(first))

    return put_off
