"""What `runner diff` prints."""

from __future__ import annotations

from datetime import UTC, datetime

from runner.project.code_changes import CodeDifference
from runner.render.code import code_page, code_record
from runner.render.columns import as_json

AT = datetime(2026, 6, 19, 5, 30, tzinfo=UTC)
CHANGED = CodeDifference("orders", AT, ("--- orders as it ran", "+++ orders now"), ("a note",))


def test_a_difference_is_shown_with_when_the_earlier_code_ran():
    assert code_page(CHANGED).splitlines() == [
        "orders: what has changed since 2026-06-19 05:30 UTC",
        "--- orders as it ran",
        "+++ orders now",
        "a note",
    ]


def test_no_difference_and_no_earlier_code_are_said():
    assert code_page(CodeDifference("orders", AT)) == (
        "orders: its code is what it was in its last run"
    )
    assert "nothing is known of an earlier code" in code_page(CodeDifference("orders", None))


def test_a_program_gets_the_lines():
    assert as_json(code_record(CHANGED)) == (
        '{\n  "model": "orders",\n  "since": "2026-06-19T05:30:00+00:00",\n  "lines": [\n'
        '    "--- orders as it ran",\n    "+++ orders now"\n  ],\n'
        '  "notes": [\n    "a note"\n  ]\n}'
    )
