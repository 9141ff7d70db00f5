"""The terminal: its width, and colours as plain ANSI codes (to import rich takes too long)."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, TextIO

from runner.core.visible import visible

_RESET = "\x1b[0m"


@dataclass(frozen=True)
class Terminal:
    """The width of a line, and whether a person looks at it, and sees colours."""

    width: int = 80  # columns
    is_colored: bool = False
    is_interactive: bool = False  # else lines go to a file or into a pipe

    @classmethod
    def behind(cls, stream: TextIO, environ: Mapping[str, str]) -> Self:
        """Describe where a stream leads; into a pipe, 80 columns unless COLUMNS says otherwise."""
        is_plain = environ.get("NO_COLOR") or environ.get("TERM") == "dumb"
        width, is_interactive = shutil.get_terminal_size((80, 24)).columns, stream.isatty()
        return cls(width, is_interactive and not is_plain, is_interactive)

    def ink(self, text: str, codes: str) -> str:
        r"""Return a text in the colours of ANSI ``codes``, such as ``1;31``; as it is without.

        >>> Terminal(is_colored=True).ink("x", "31")
        '\x1b[31mx\x1b[0m'
        >>> Terminal().ink("x", "31")
        'x'
        """
        text = visible(text)
        return f"\x1b[{codes}m{text}{_RESET}" if self.is_colored and codes and text else text
