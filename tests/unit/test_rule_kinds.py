"""What each rule finds of its kind in rule_kinds.txt, and what it leaves alone."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from runner.lint.facts import Facts, Parent
from runner.lint.judge import judge

LINES = "from {{ ref('lines') }}"
WINDOW = "where {{ daybreak.in_window('sold_on') }}"
WORDS = {
    "TODAY": f"with today as (select * {LINES} {WINDOW})",
    "READ": f"{LINES} {WINDOW}",
    "LINES": LINES,
    "WINDOW": WINDOW,
}
WINDOWED = Facts(
    materialized="incremental",
    incremental_strategy="overwrite_window",
    event_time="sold_on",
    windowed_parents={"daily_sales": "sold_on"},
    parents={
        "lines": Parent(keys=(("line_id",),)),
        "products": Parent(keys=(("product_id",),)),
        "prices": Parent(keys=(("product_id", "valid_from"),)),
        "orders": Parent(keys=(("order_id",),)),
        "shop.events": Parent(keys=(("event_id",),), inexact=("score",)),
    },
    name="me",
    schema="marts",
    grain="day",
    is_whole=True,
)
FACTS = {
    "": WINDOWED,
    "by key": replace(
        WINDOWED, incremental_strategy="delete+insert", event_time=None, unique_key=("customer_id",)
    ),
    "merge": replace(
        WINDOWED, incremental_strategy="merge", unique_key=("order_id",), version_column="version"
    ),
}
SECTIONS = re.findall(
    r"^## (DB\d\d)(?: \((.*?)\))?: .*?\n((?:(?:bad|good).*\n)+)",
    (Path(__file__).parent / "rule_kinds.txt").read_text(),
    re.MULTILINE,
)
CASES = [
    (verdict, rule, facts, text)
    for rule, facts, lines in SECTIONS
    for verdict, text in (line.split(maxsplit=1) for line in lines.splitlines())
]


@pytest.mark.parametrize(("verdict", "rule", "facts", "text"), CASES)
def test_a_kind_is_found_and_what_is_right_is_left_alone(
    verdict: str, rule: str, facts: str, text: str
):
    for word, meant in WORDS.items():
        text = re.sub(rf"\b{word}\b", meant, text)
    found = {finding.rule for finding in judge(text, FACTS[facts])}
    assert rule in found if verdict == "bad" else not found, text


def test_both_sides_of_every_rule_that_follows_rows_are_there():
    told = {(rule, verdict) for verdict, rule, *_ in CASES}
    rules = {"DB01", "DB02", "DB04", "DB06", "DB11", "DB12", "DB13", "DB14", "DB15"}
    assert told == {(rule, verdict) for rule in rules for verdict in ("bad", "good")}
