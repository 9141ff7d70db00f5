"""Foreign text in what a person or a program reads."""

import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from runner.core.messages import _one_line
from runner.core.visible import visible, visible_in_json
from runner.render.columns import as_json, table
from runner.render.terminal import Terminal

TITLE = "\x1b]0;owned\x07"
foreign = st.text(st.characters(exclude_categories=()))


def steers(text: str) -> bool:
    return any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\t\n" for c in text)


@given(foreign)
def test_nothing_that_steers_is_left_and_all_else_is_as_it_was(text: str):
    shown = visible(text)
    assert not steers(shown)
    assert shown == visible(shown)
    if not steers(text) and not set(text) & set("\u061c\u200e\u200f\u2028\u2029\u202e\u2066"):
        assert shown.isprintable() or shown == text


@given(st.dictionaries(foreign, foreign))
def test_json_says_the_same(record: dict[str, str]):
    text = as_json(record)
    assert json.loads(text) == record
    assert not steers(text)
    assert visible_in_json(text) == text


def test_colours_that_are_ours_stay_and_what_hides_does_not():
    text = "\x1b[1;31mx\x1b[0m \x1b[8mhidden\x1b[2J"
    assert visible(text, with_colours=True) == "\x1b[1;31mx\x1b[0m \\x1b[8mhidden\\x1b[2J"


def test_a_table_is_aligned_by_what_is_shown():
    lines = table(["a", "b"], [[TITLE, "1"], ["x", "2"]]).splitlines()
    assert lines[2] == r"\x1b]0;owned\x07 | 1"
    assert len({line.index(" | ") for line in (lines[0], lines[2], lines[3])}) == 1


def test_what_is_coloured_is_shown_too():
    assert Terminal(is_colored=True).ink(TITLE, "31") == "\x1b[31m\\x1b]0;owned\\x07\x1b[0m"


def test_a_message_is_one_line_of_text():
    assert _one_line(f"a\n{TITLE}") == r"a \x1b]0;owned\x07"
