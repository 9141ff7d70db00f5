"""A person's YAML is edited by its text: old and new keys are there, and nothing else has moved."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runner.adopt.yaml_edits import with_item, with_key
from runner.core.errors import UsageError

COMMENTS = st.sampled_from(["", "# mine\n", "\n", "  # deep, 'odd\n", "#\n\n# two: [of, them]\n"])
TAILS = st.sampled_from(["", "  # why", "   #", " "])
WORDS = st.from_regex(r"[a-z]{1,8}", fullmatch=True).filter(
    lambda word: word not in ("vars", "on", "off", "yes", "no", "y", "n", "true", "false", "null")
)
VALUES = st.sampled_from(
    ["1", "a b", '"x: #y"', "'it''s'", "[a, b]", "{a: 1, b: [c]}", "|\n    two\n    lines", ""]
)


@st.composite
def documents(draw: st.DrawFn, extra: str = "") -> str:
    """Keys and values in any order, with comments between and behind them."""
    keys = draw(st.lists(WORDS, max_size=4, unique=True))
    parts = [f"{key}: {draw(VALUES)}" for key in keys]
    parts = [p if "|" in p else p + draw(TAILS) for p in parts]
    if extra:
        parts.insert(draw(st.integers(0, len(parts))), extra)
    text = draw(COMMENTS) + "".join(f"{part}\n{draw(COMMENTS)}" for part in parts)
    return text if draw(st.booleans()) else text.rstrip("\n")


def added(before: str, after: str) -> str:
    """What was put in at one place; fails if anything else of the text is not as it was."""
    start = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), None)
    start = len(before) if start is None else start
    length, found = len(after) - len(before), list[str]()
    for at in range(start, -1, -1):
        more = after[at : at + length]
        if before[:at] + more + before[at:] == after:
            found.insert(0 if at == 0 or before[at - 1] == "\n" else len(found), more)
    if found:
        return found[0]  # of several ways to see it, that of whole lines
    raise AssertionError(f"more was changed:\n{before}\n->\n{after}")


def read(text: str) -> dict[str, Any]:
    return yaml.safe_load(text) or {}


@given(documents())
def test_whatever_comments_a_document_has_a_key_is_added_and_all_else_stays(text: str):
    paths = ["macros", "daybreak_package/overrides"]
    after = with_key(text, (), "macro-paths", paths)
    assert read(after) == {**read(text), "macro-paths": paths}
    assert "macro-paths" in added(text, after)


@given(
    st.data(),
    st.sampled_from(
        [
            "vars:\n  # about a\n  a: 1\n\n  b: {c: 2}  # two",
            "vars: {a: 1}",
            "vars: {}",
            "vars:",
            "vars: {\n  a: 1,  # one\n  }",
            "vars:\n      shop:\n        a: 1",
        ]
    ),
)
def test_a_key_is_added_to_a_mapping_however_it_is_written(data: st.DataObject, given_vars: str):
    text = data.draw(documents(given_vars))
    after = with_key(text, ("vars",), "timezone", "UTC", comment="The zone.")
    before = read(text)
    assert read(after) == {**before, "vars": {**(before["vars"] or {}), "timezone": "UTC"}}
    assert "timezone: UTC" in added(text, after)


@given(
    st.data(),
    st.sampled_from(
        [
            "list: [a, b]  # two",
            "list: [a]",
            "list: ['a', \"b\", ]",
            "list:\n  - a\n  # about b\n  - b  # two",
            "list:\n- a\n- b",
            "list:\n  - a: 1\n    b: 2",
            "list: [\n  a,  # one\n  b\n]",
        ]
    ),
)
def test_an_item_is_added_to_a_list_however_it_is_written(data: st.DataObject, given_list: str):
    text = data.draw(documents(given_list))
    after = with_item(text, ("list",), {"local": "x"})
    before = read(text)
    assert read(after) == {**before, "list": [*before["list"], {"local": "x"}]}
    assert "local: x" in added(text, after)


def test_an_item_is_put_before_another():
    block = (
        "dispatch:\n  - macro_namespace: dbt\n    search_order:\n      - shop  # us\n      - dbt\n"
    )
    flow = "dispatch: [{macro_namespace: dbt, search_order: [shop, dbt]}]\n"
    for text in (block, flow):
        after = with_item(text, ("dispatch", 0, "search_order"), "daybreak", before="dbt")
        assert read(after)["dispatch"][0]["search_order"] == ["shop", "daybreak", "dbt"]
        assert "aybreak" in added(text, after)


@pytest.mark.parametrize("text", ["list:\n", "list: []\n", "list: a\n"])
def test_what_is_no_list_yet_becomes_one(text: str):
    found = read(text)["list"]
    items = found if isinstance(found, list) else [found] if found else []
    assert read(with_item(text, ("list",), "b")) == {"list": [*items, "b"]}


def test_line_ends_stay_what_they_are():
    after = with_key("a: 1\r\nvars:\r\n  b: 2\r\n", ("vars",), "c", 3)
    assert after == "a: 1\r\nvars:\r\n  b: 2\r\n  c: 3\r\n"


def test_a_comment_stays_above_the_key_that_it_is_about():
    before = "vars:\n  # The zone.\n  timezone: UTC  # all year\n\nmodels: {}\n"
    after = with_key(before, ("vars",), "start_date", "2026-01-01", comment="The first.")
    assert after == before.replace(
        "all year\n", "all year\n  # The first.\n  start_date: '2026-01-01'\n"
    )


def test_a_document_in_one_flow_is_edited_in_it():
    assert with_key("{a: 1}\n", (), "b", [1]) == "{b: [1], a: 1}\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: {{ x }}\n", "no YAML"),
        ("vars: 7\n", "vars holds no keys"),
        ("base: &base {a: 1}\nvars: *base\n", "write `b: 2` yourself"),
    ],
)
def test_what_cannot_be_edited_is_said_with_what_to_write(text: str, says: str):
    with pytest.raises(UsageError, match=says):
        with_key(text, ("vars",), "b", 2)
