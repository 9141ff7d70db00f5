"""Foreign text made safe to show: what would steer a terminal is written out instead.

Data, file names and the errors of others reach terminals, logs and messages. An escape code among
them could set a window's title, hide lines or answer for the person who reads.
"""

from __future__ import annotations

import re

# Control characters of both halves of Latin-1 but tab and newline; what turns the direction of a
# text, or breaks lines where nobody else does; halves of characters, which no encoding takes.
_STEERING = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
_FOUND = re.compile(f"[{_STEERING}]")
# The colours that we write ourselves; none of them hides a text.
_COLOURED = re.compile(rf"(\x1b\[(?:0|1|1;3[1-7]|3[1-7])m)|[{_STEERING}]")


def visible(text: str, *, with_colours: bool = False) -> str:
    r"""Return a text with what steers a terminal written out; twice is once.

    ``with_colours`` leaves the codes of plain colours.

    >>> print(visible("a\x1b]0;title\x07b"))
    a\x1b]0;title\x07b
    >>> print(visible("x\u202ey\x9b"))
    x\u202ey\x9b
    """
    if with_colours:
        return _COLOURED.sub(lambda found: found[1] or _written(found), text)
    return _FOUND.sub(_written, text)


def visible_in_json(text: str) -> str:
    r"""Return JSON's text with the same characters as JSON's own escapes: it says the same.

    >>> print(visible_in_json('{"a": "x\x9by"}'))
    {"a": "x\u009by"}
    """
    return _FOUND.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _written(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
