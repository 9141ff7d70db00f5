"""Where results are written: to whoever reads, in what its encoding holds, as long as it takes any.

A run whose reader has gone, or whose log's disk is full, goes on; what could not be written is said
at its end.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from runner.core.visible import visible
from runner.render.terminal import Terminal

if TYPE_CHECKING:
    from typing_extensions import Buffer

_LOST: list[OSError] = []  # the first error of each stream


class _Forgiving(io.RawIOBase):
    """A descriptor that takes everything: after the first error it throws away."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._is_lost = False

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        size = memoryview(data).nbytes
        if self._is_lost:
            return size
        try:
            return os.write(self._descriptor, data)
        except OSError as error:
            self._is_lost = True
            _LOST.append(error)
            return size


def open_streams() -> None:
    """Let stdout and stderr take whatever comes: characters that they cannot encode, and errors."""
    for name in ("stdout", "stderr"):
        stream: TextIO | None = getattr(sys, name)
        if stream is None:  # it was closed before we began
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
            continue
        try:
            descriptor = stream.fileno()
        except OSError:  # in memory
            continue
        stream.flush()
        taking = io.TextIOWrapper(
            io.BufferedWriter(_Forgiving(descriptor)),
            encoding=stream.encoding,
            errors="backslashreplace",
            line_buffering=True,
        )
        setattr(sys, name, taking)


def lost() -> str | None:
    """Return why something could not be written; None: all was, or who read it has gone."""
    return next((str(e.strerror) for e in _LOST if e.errno != errno.EPIPE), None)


def echo(text: str, *, err: bool = False) -> None:
    """Write a line or a page; what would steer a terminal in it is written out."""
    stream = sys.stderr if err else sys.stdout
    is_colored = Terminal.behind(stream, os.environ).is_colored
    stream.write(f"{visible(text, with_colours=is_colored)}\n")
    stream.flush()
