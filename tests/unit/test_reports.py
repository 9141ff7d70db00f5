"""Messages as dbt-core 1.11 and dbt-duckdb 1.11 write them, copied from their results."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from runner.core import retries
from runner.core.errors import EngineError
from runner.dbt.protocol import Evidence, Publication, SourceSchema, WindowEvidence
from runner.dbt.reports import (
    EVIDENCE_PREFIX,
    REPORT_PREFIX,
    brief,
    invocation_result,
    is_lock,
    killed,
    schema_told,
)

FRAMES = (
    "\n  \n  > in macro _stop (macros/daybreak/errors.sql)\n"
    "  > called by macro _judge_gates (macros/daybreak/strategies/gates.sql)\n"
    "  > called by macro materialization_incremental_duckdb"
    " (macros/daybreak/materializations/incremental.sql)\n"
    "  > called by model stg_transactions (models/staging/landing/stg_transactions.sql)"
)
GATE_FOUND = [
    {
        "model": "stg_transactions",
        "test": "test.shop.stg_transactions_belong_to_their_file.1a",
        "check": "stg_transactions_belong_to_their_file",
        "failures": 1,
        "names_windows": True,
        "rows": [
            {
                "window_start": "2017-03-03 05:00:00",
                "window_end": "2017-03-04 05:00:00",
                "expected": "every row of its own business_date",
                "actual": "4369 rows of 2017-03-02 to 2017-03-02",
            }
        ],
    }
]
GATE = (
    "Compilation Error in model stg_transactions (models/staging/landing/stg_transactions.sql)\n"
    "  daybreak: withheld stg_transactions, its published rows stay as they were:\n"
    "  stg_transactions_belong_to_their_file: 2017-03-03: expected every row of its own"
    " business_date; actual 4369 rows of 2017-03-02 to 2017-03-02\n"
    f"  {EVIDENCE_PREFIX}{json.dumps(GATE_FOUND)}{FRAMES}"
)
LOCKED = (
    'IO Error: Could not set lock on file "/shop/data/warehouse.duckdb": Conflicting lock is held '
    "in /usr/bin/python3.11 (PID 14873). See also"
    " https://duckdb.org/docs/stable/connect/concurrency"
)

MESSAGES = {
    "gate": (
        GATE,
        "withheld stg_transactions, its published rows stay as they were: "
        "stg_transactions_belong_to_their_file: 2017-03-03: expected every row of its own "
        "business_date; actual 4369 rows of 2017-03-02 to 2017-03-02",
    ),
    "refused": (
        "Compilation Error in model merged (models/lab/merged.sql)\n  daybreak: merged selects 1 "
        "rows outside its window 2017-03-01 00:00:00 to 2017-03-02 00:00:00 (1 with a NULL d): "
        f"filter it with in_window('d'), or mend the rows at the source{FRAMES}",
        "merged selects 1 rows outside its window 2017-03-01 00:00:00 to 2017-03-02 00:00:00 "
        "(1 with a NULL d): filter it with in_window('d'), or mend the rows at the source",
    ),
    "binder": (
        "Runtime Error in model binder (models/lab/binder.sql)\n  Binder Error: Referenced column "
        '"no_such_column" not found in FROM clause!\n  Candidate bindings: "one"\n  \n  LINE 11: '
        "select no_such_column from (select 1 as one)\n                  ^",
        'Binder Error: Referenced column "no_such_column" not found in FROM clause! '
        'Candidate bindings: "one"',
    ),
    "conversion": (
        "Runtime Error in model conversion (models/lab/conversion.sql)\n  Conversion Error: Could "
        "not convert string 'x1' to INT32\n  \n  LINE 11: select cast('x' || 1 as integer) as one\n"
        "                  ^",
        "Conversion Error: Could not convert string 'x1' to INT32",
    ),
    "constraint": (
        "Runtime Error in model constrained (models/lab/constrained.sql)\n  Constraint Error: "
        "NOT NULL constraint failed: constrained__dbt_tmp.one",
        "constrained__dbt_tmp.one is NULL in a row, which its contract forbids: "
        "filter such rows out or mend them",
    ),
    "parser": (
        "Runtime Error in model parser (models/lab/parser.sql)\n  Parser Error: syntax error at or "
        'near "selec"\n  \n  LINE 11: selec 1\n           ^',
        'Parser Error: syntax error at or near "selec"',
    ),
    "two lines": (
        "Runtime Error in model division (models/lab/division.sql)\n  Invalid Input Error: said by "
        "the model\n  on two lines",
        "Invalid Input Error: said by the model on two lines",
    ),
    "jinja": (
        "Compilation Error in model jinja (models/lab/jinja.sql)\n  'undefined_macro' is "
        "undefined. This can happen when calling a macro that does not exist. Check for typos "
        'and/or install package dependencies with "dbt deps".',
        "'undefined_macro' is undefined. This can happen when calling a macro that does not exist. "
        'Check for typos and/or install package dependencies with "dbt deps".',
    ),
    "no such ref": (
        "Compilation Error\n  Model 'model.daybreak.bad' (models/lab/bad.sql) depends on a node "
        "named 'nowhere' which was not found",
        "Model 'model.daybreak.bad' (models/lab/bad.sql) depends on a node named 'nowhere' which "
        "was not found",
    ),
    "test": (
        "Got 1 result, configured to fail if != 0",
        "Got 1 result, configured to fail if != 0",
    ),
    "nothing": ("", ""),
}


@pytest.mark.parametrize("message", MESSAGES)
def test_brief_keeps_what_a_person_needs_on_one_line(message: str):
    said, expected = MESSAGES[message]
    assert brief(said) == expected


# What a person can mend is said in our words: what is wrong with which file, and what to do.
MENDABLE = {
    "locked": (LOCKED, "/shop/data/warehouse.duckdb", "pid 14873"),
    "missing file": (
        "Runtime Error in model missing_file (models/lab/missing_file.sql)\n  IO Error: No files "
        'found that match the pattern "data/landing/nowhere/*.parquet"\n  \n  LINE 11: select * '
        "from read_parquet('data/landing/nowhere/*.parquet')\n                         ^",
        "data/landing/nowhere/*.parquet",
        "land it",
    ),
    "truncated file": (
        "Runtime Error in model truncated (models/lab/truncated.sql)\n  Invalid Input Error: No "
        "magic bytes found at end of file 'data/landing/cut.parquet'\n  \n  LINE 11: select * from "
        "read_parquet('data/landing/cut.parquet')\n                         ^",
        "data/landing/cut.parquet",
        "land it again",
    ),
}


@pytest.mark.parametrize("message", MENDABLE)
def test_brief_says_what_to_do_about_a_file(message: str):
    said, file, remedy = MENDABLE[message]
    told = brief(said)
    assert told.startswith(file) or f" {file}" in told
    assert remedy in told
    assert "\n" not in told
    assert "LINE" not in told


def test_a_lock_is_known_by_its_message():
    assert is_lock(LOCKED)
    assert not any(is_lock(said) for said, _ in MESSAGES.values())


def node(message: str | None, status: str = "error") -> dict[str, object]:
    return {
        "unique_id": "model.daybreak.stg_transactions",
        "status": status,
        "message": message,
        "execution_time": 0.5,
    }


def test_gate_evidence_is_read_from_the_message_of_its_model():
    result = invocation_result([node(GATE)], None, None, 1.5)
    (found,) = result.evidence
    assert found == Evidence(
        model="stg_transactions",
        test="test.shop.stg_transactions_belong_to_their_file.1a",
        check="stg_transactions_belong_to_their_file",
        severity="error",
        failures=1,
        windows=(
            WindowEvidence(
                datetime(2017, 3, 3, 5, tzinfo=UTC),
                "every row of its own business_date",
                "4369 rows of 2017-03-02 to 2017-03-02",
            ),
        ),
        sample=(),
    )
    assert (result.error, result.seconds, result.publications) == (None, 1.5, ())


def test_a_hook_of_the_run_that_failed_is_the_error_of_the_invocation():
    hook = {
        **node("shop.on-run-end.1 failed, error:\n Catalog Error: no table rates"),
        "unique_id": "operation.shop.shop-on-run-end-1",
    }
    passed = {**hook, "status": "success", "message": "shop.on-run-end.1 passed"}
    assert invocation_result([node(None, "success"), passed], None, None, 1.0).error is None
    failed = invocation_result([node(None, "success"), hook, passed], None, None, 1.0)
    assert failed.error == "hook shop.on-run-end.1 failed: Catalog Error: no table rates"
    assert invocation_result([hook], None, killed(-9), 1.0).error == killed(-9)
    # What the runner itself asks of dbt is no hook.
    asked = {**hook, "unique_id": "operation.shop.report_publications", "message": None}
    assert invocation_result([asked], None, None, 1.0).error is None


def test_a_hook_that_fails_for_a_reason_that_may_pass_is_known_by_it():
    said = ' Database Error\n  IO Error: Could not set lock on file "a.duckdb": Conflicting lock'
    hook = {
        **node(f"shop.on-run-start.0 failed, error:\n{said}"),
        "unique_id": "operation.shop.shop-on-run-start-0",
    }
    error = invocation_result([hook], None, None, 1.0).error
    assert error is not None
    assert retries.classify(error).name == "lock"


def test_the_report_gives_publications_and_what_checks_found():
    told = {
        "publications": [
            [
                *("daily_revenue", "correct", 7, "backfill__2017-03-12", "0123", "4567"),
                "2026-03-08 06:00:00.25",
                [
                    ["2017-03-11 05:00:00", "2017-03-12 05:00:00", 18, None],
                    ["2017-03-12 05:00:00", "2017-03-13 04:00:00", 17, "2026-03-07 06:00:00"],
                ],
            ],
            [
                *("daily_revenue", None, 0, None, None, None, "2026-03-08 06:00:00"),
                [["2017-03-13 04:00:00", "2017-03-14 04:00:00", 0, None]],
            ],
        ],
        "evidence": [
            {
                "model": None,
                "test": "test.shop.revenue_is_positive",
                "check": "revenue_is_positive",
                "severity": "warn",
                "failures": 7,
                "names_windows": False,
                "rows": [{"sale_date": f"2017-03-0{day}", "revenue": "-1"} for day in range(1, 8)],
            }
        ],
    }
    result = invocation_result([node(None, "success")], REPORT_PREFIX + json.dumps(told), None, 1.0)
    second = Publication(
        model="daily_revenue",
        window_start=datetime(2017, 3, 12, 5, tzinfo=UTC),
        window_end=datetime(2017, 3, 13, 4, tzinfo=UTC),
        row_count=17,
        verdict="correct",
        fence=7,
        run_id="backfill__2017-03-12",
        code_hash="0123",
        published_at=datetime(2026, 3, 8, 6, 0, 0, 250_000, tzinfo=UTC),
        contents_since=datetime(2026, 3, 7, 6, tzinfo=UTC),
        checks_hash="4567",
    )
    assert result.publications == (
        replace(
            second,
            window_start=datetime(2017, 3, 11, 5, tzinfo=UTC),
            window_end=datetime(2017, 3, 12, 5, tzinfo=UTC),
            row_count=18,
            contents_since=second.published_at,
        ),
        second,
        Publication(
            model="daily_revenue",
            window_start=datetime(2017, 3, 13, 4, tzinfo=UTC),
            window_end=datetime(2017, 3, 14, 4, tzinfo=UTC),
            row_count=0,
            verdict=None,
            fence=0,
            run_id=None,
            code_hash=None,
            published_at=datetime(2026, 3, 8, 6, tzinfo=UTC),
            contents_since=datetime(2026, 3, 8, 6, tzinfo=UTC),
        ),
    )
    (found,) = result.evidence
    assert (found.model, found.severity, found.failures, found.windows) == (None, "warn", 7, ())
    assert found.sample == tuple(f"sale_date 2017-03-0{day}, revenue -1" for day in range(1, 6))
    assert result.nodes[0].message == ""


def test_without_a_report_nothing_is_published():
    result = invocation_result([node(None, "success")], None, killed(-9), 1.0)
    assert (result.publications, result.evidence) == ((), ())
    assert result.error == killed(-9)


@pytest.mark.parametrize(("code", "how"), [(-9, "signal 9"), (3, "exit code 3")])
def test_how_a_process_ended_is_said(code: int, how: str):
    assert how in killed(code)
    assert killed(code).startswith("dbt ended without a result")


def test_what_is_told_of_a_source_is_read():
    told = {
        "source": "landing.lines",
        "columns": [["id", "BIGINT"], ["cost", "DOUBLE"]],
        "recorded": [["id", "BIGINT"], ["price", "DOUBLE"]],
        "recorded_at": "2026-03-08 05:00:00.25",
        "changes": ["price looks renamed to cost"],
    }
    report = {"publications": [], "evidence": [], "schema": told}
    schema = schema_told(
        "landing.lines", invocation_result([], f"{REPORT_PREFIX}{json.dumps(report)}", None, 1.0)
    )
    assert schema == SourceSchema(
        source="landing.lines",
        columns=(("id", "BIGINT"), ("cost", "DOUBLE")),
        recorded=(("id", "BIGINT"), ("price", "DOUBLE")),
        recorded_at=datetime(2026, 3, 8, 5, 0, 0, 250000, tzinfo=UTC),
        changes=("price looks renamed to cost",),
    )


@pytest.mark.parametrize("error", ["the file is locked", None])
def test_a_source_that_cannot_be_looked_at_is_an_error(error: str | None):
    with pytest.raises(EngineError, match=error or "dbt said nothing of it") as raised:
        schema_told("landing.lines", invocation_result([], None, error, 1.0))
    assert str(raised.value).startswith("landing.lines cannot be looked at: ")


def test_evidence_that_makes_windows_stale_is_told_from_other():
    row = {"window_start": "2026-03-08 05:00:00", "expected": "none", "actual": "late rows: 1"}
    found = {"model": "lines", "test": "test.shop.late", "check": "late", "failures": 1}
    found |= {"names_windows": True, "rows": [row]}
    told = [found | {"makes_stale": True}, found | {"makes_stale": False}, found]
    report = json.dumps({"publications": [], "evidence": told})
    result = invocation_result([], f"{REPORT_PREFIX}{report}", None, 1.0)
    assert [evidence.makes_stale for evidence in result.evidence] == [True, False, False]
