"""A proof as a person reads it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from runner.core.proofs import Proof, ProofVerdict, Property, PropertyResult, Result
from runner.core.windows import Calendar, Grain
from runner.proving.results import Difference, ProofReport, ReplayFinding
from runner.render.proofs import proof_page, proof_record, proofs_in_words, proofs_record

CALENDAR = Calendar(Grain.DAY, ZoneInfo("UTC"))
DAYS = tuple(CALENDAR.windows(CALENDAR.span_of_dates(date(2026, 3, 4), date(2026, 3, 6))))
PASSED = PropertyResult(Result.PASSED)
OPEN = PropertyResult(
    Result.NOT_APPLICABLE, "orders, which it is made from, failed it", is_open=True
)
DIFFERENCE = Difference(
    where="2026-03-05",
    others=1,
    expected_rows=2,
    found_rows=2,
    columns=("amount",),
    header=("order_id", "amount"),
    sample=(((7, None), (7, 2.5)),),
)
REPORT = ProofReport(
    pipeline="shop",
    windows=DAYS,
    outcomes={
        "orders": dict.fromkeys(Property, PASSED)
        | {
            Property.COMMUTES: PropertyResult(
                Result.FAILED, "run in reverse order, it holds other rows"
            )
        },
        "daily": dict.fromkeys(Property, PASSED) | {Property.COMMUTES: OPEN},
    },
    verdicts={"orders": ProofVerdict.DISPROVED, "daily": ProofVerdict.UNPROVED},
    code_hashes={},
    findings=(
        ReplayFinding("orders", Property.COMMUTES, "run in reverse order", difference=DIFFERENCE),
    ),
    left_out={},
    not_built={},
    seconds=2.04,
)


def test_a_failure_is_shown_with_its_rows_and_what_to_do():
    head, table, why, failure, what_next = proof_page(REPORT).split("\n\n")
    assert head == ("shop: 3 windows replayed in a scratch copy, 2026-03-04 … 2026-03-06, 2.0 s")
    cells = [[cell.strip() for cell in line.split("|")] for line in table.splitlines()]
    passed = ["pass"] * 4
    assert cells[2] == ["orders", "pass", "fail", *passed, "disproved"]
    assert cells[3] == ["daily", "pass", "n/a", *passed, "unproved"]
    assert why == "n/a  commutes: daily: orders, which it is made from, failed it"
    assert failure.splitlines() == [
        "fail orders, commutes: run in reverse order, window 2026-03-05 holds 2 rows, but not the "
        "same (and so 1 other window)",
        "     columns that differ: amount",
        "              | order_id | amount",
        "     =========+==========+=======",
        "     expected | 7        | NULL",
        "     found    | 7        | 2.5",
    ]
    assert what_next == (
        'next: mend orders (see docs/proving.md), then runner prove shop --select "orders"'
    )


def test_what_cannot_be_built_is_named_once_and_is_to_be_mended_too():
    broken = PropertyResult(
        Result.NOT_APPLICABLE, "it cannot be built even once: no such column", is_open=True
    )
    report = replace(
        REPORT,
        outcomes={**REPORT.outcomes, "weekly": dict.fromkeys(Property, broken)},
        verdicts={**REPORT.verdicts, "weekly": ProofVerdict.UNPROVED},
        not_built={"weekly": "no such column", "a_view": "no such table"},
    )
    page = proof_page(report)
    assert "\nn/a  weekly: it cannot be built even once: no such column\n" in page
    assert page.count("no such column") == 1
    mend = "next: mend orders, weekly, a_view (see docs/proving.md), then runner prove shop"
    assert page.endswith(f'{mend} --select "orders weekly"')
    assert proof_record(report)["not_built"] == report.not_built


def test_the_record_says_the_same():
    record = proof_record(REPORT)
    assert record["models"][1]["properties"]["commutes"] == {
        "result": "n/a",
        "reason": "orders, which it is made from, failed it",
    }
    [failure] = record["failures"]
    assert failure["sample"] == [
        {"expected": {"order_id": "7", "amount": None}, "found": {"order_id": "7", "amount": "2.5"}}
    ]
    assert (failure["window"], failure["other_windows"]) == ("2026-03-05", 1)


def test_what_is_known_of_a_pipeline_is_one_line():
    at = datetime(2026, 3, 7, tzinfo=UTC)
    wrong = Proof("orders", "abc", ProofVerdict.DISPROVED, (Property.COMMUTES,), "2026-03-04", at)
    proofs = {"orders": wrong, "daily": None, "weekly": None}
    assert proofs_in_words(proofs) == "daily, weekly unproved; orders disproved"
    assert proofs_record(proofs)["orders"]["failed"] == ["commutes"]
    assert proofs_record(proofs)["daily"] == {
        "verdict": "unproved",
        "failed": [],
        "windows": None,
        "proved_at": None,
    }
