import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from runner.core.errors import UsageError
from runner.core.spans import Span
from runner.dbt.arguments import build_arguments, report_arguments, source_arguments, window_vars
from runner.dbt.protocol import Invocation

INVOCATION = Invocation(
    nodes=("lines", "revenue"),
    checks=(),
    exclude=("lines_reconcile",),
    with_unit_tests=True,
    span=Span(datetime(2026, 3, 8, 5, tzinfo=UTC), datetime(2026, 3, 9, 4, tzinfo=UTC)),
    run_id="backfill__2026-03-08",
    fence=7,
    code_hashes={"lines": "aaaa"},
    timeout=timedelta(hours=1),
)


def test_only_typed_values_travel_through_vars():
    assert json.loads(window_vars(INVOCATION)) == {
        "window_start": "2026-03-08T05:00:00+00:00",
        "window_end": "2026-03-09T04:00:00+00:00",
        "run_id": "backfill__2026-03-08",
        "fence": 7,
        "code_hashes": {"lines": "aaaa"},
    }


def test_the_newest_window_travels_if_it_is_known():
    newest = datetime(2026, 3, 9, 4, tzinfo=UTC)
    told = json.loads(window_vars(replace(INVOCATION, newest=newest)))
    assert told["newest_window"] == "2026-03-09T04:00:00+00:00"


def test_what_a_plain_build_would_say_travels_if_somebody_has_to_know():
    told = json.loads(window_vars(replace(INVOCATION, plain_codes={"lines": "plain:a"})))
    assert told["plain_codes"] == {"lines": "plain:a"}


def test_a_source_is_looked_at():
    name = json.dumps({"source_name": "landing.lines"})
    shown = source_arguments("report_schema", "landing.lines")
    assert shown == ["run-operation", "daybreak.report_schema", "--args", name]
    with pytest.raises(UsageError, match="holds Jinja"):
        source_arguments("accept_schema", "landing.{{ lines }}")


@pytest.mark.parametrize("jinja", ["{{ env_var('SECRET') }}", "{% do x() %}", "{# note #}"])
@pytest.mark.parametrize(
    "place",
    [
        lambda text: {"run_id": f"backfill__{text}"},
        lambda text: {"code_hashes": {text: "aaaa"}},
        lambda text: {"code_hashes": {"lines": text}},
        lambda text: {"plain_codes": {"lines": text}},
    ],
    ids=["run_id", "model", "hash", "plain"],
)
def test_jinja_from_outside_is_refused(jinja: str, place):
    with pytest.raises(UsageError, match="holds Jinja") as error:
        build_arguments(replace(INVOCATION, **place(jinja)))
    assert "\n" not in str(error.value)


def test_braces_that_are_no_jinja_are_let_through():
    invocation = replace(INVOCATION, run_id="a{b}c")
    assert json.loads(window_vars(invocation))["run_id"] == "a{b}c"


def words_after(arguments: list[str], option: str) -> list[str]:
    """The words that belong to an option."""
    rest = arguments[arguments.index(option) + 1 :]
    end = next((i for i, word in enumerate(rest) if word.startswith("--")), len(rest))
    return rest[:end]


def test_the_nodes_are_selected_and_the_judged_tests_left_out():
    arguments = build_arguments(INVOCATION)
    assert arguments[0] == "build"
    assert words_after(arguments, "--select") == ["lines", "revenue"]
    assert words_after(arguments, "--exclude") == ["lines_reconcile"]
    assert words_after(arguments, "--vars") == [window_vars(INVOCATION)]
    assert "--exclude-resource-type" not in arguments


def test_unit_tests_are_left_out_after_the_first_time():
    arguments = build_arguments(replace(INVOCATION, with_unit_tests=False, exclude=()))
    assert words_after(arguments, "--exclude-resource-type") == ["unit_test"]
    assert "--exclude" not in arguments


def test_checks_are_selected_beside_the_nodes_or_alone():
    checks = ("orders_are_unique", "orders_reconcile")
    both = build_arguments(replace(INVOCATION, checks=checks))
    assert words_after(both, "--select") == ["lines", "revenue", *checks]
    alone = build_arguments(replace(INVOCATION, nodes=(), checks=checks))
    assert words_after(alone, "--select") == list(checks)


def test_an_invocation_that_selects_nothing_is_refused():
    with pytest.raises(ValueError, match="would build everything"):
        build_arguments(replace(INVOCATION, nodes=()))


def test_the_warehouse_is_asked_for_a_range_or_for_everything():
    assert report_arguments(None) == ["run-operation", "daybreak.report_publications"]
    arguments = report_arguments(INVOCATION.span)
    assert arguments[:2] == ["run-operation", "daybreak.report_publications"]
    (values,) = words_after(arguments, "--vars")
    assert json.loads(values) == {
        "window_start": "2026-03-08T05:00:00+00:00",
        "window_end": "2026-03-09T04:00:00+00:00",
    }
