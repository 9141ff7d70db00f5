"""What the terminal can show: its width, and colours as plain ANSI codes (rich takes too long)."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, TextIO

_RESET = "\x1b[0m"


@dataclass(frozen=True)
class Terminal:
    """How wide a line may be, and whether colours reach a person."""

    width: int = 80  # columns
    is_colored: bool = False

    @classmethod
    def behind(cls, stream: TextIO, environ: Mapping[str, str]) -> Self:
        """What a stream leads to; into a pipe, 80 columns unless COLUMNS says otherwise."""
        is_colored = (
            stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
        )
        return cls(shutil.get_terminal_size((80, 24)).columns, is_colored)

    def ink(self, text: str, codes: str) -> str:
        r"""A text in the colours of ANSI ``codes``, such as ``1;31``; unchanged without colours.

        >>> Terminal(is_colored=True).ink("x", "31")
        '\x1b[31mx\x1b[0m'
        >>> Terminal().ink("x", "31")
        'x'
        """
        return f"\x1b[{codes}m{text}{_RESET}" if self.is_colored and codes and text else text
