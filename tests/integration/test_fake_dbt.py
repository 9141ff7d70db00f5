"""The fake dbt of the unit tests against the real one: the same scenarios have the same results."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from runner.dbt.protocol import Engine, Invocation, InvocationResult, Publication
from runner.dbt.warm import WarmEngine
from tests.conftest import REPOSITORY, install_package
from tests.unit.fake_dbt import (
    BEGINNING_OF_TIME,
    FakeDbt,
    check,
    days,
    gate,
    seed,
    shop,
    singular,
    table,
    view,
    windowed,
)
from tests.warm_dbt import forked_servers

# The same graph twice: for the fake, and below for dbt.
PIPELINE = shop(
    seed("prices"),
    windowed("lines", "prices"),
    view("clean", "lines"),
    windowed("revenue", "clean"),
    windowed("visits"),
    windowed("orders"),
    table("totals", "revenue"),
    gate("lines_gate", "lines"),
    check("lines_check", "lines"),
    check("lines_hint", "lines"),
    check("lines_far", "lines"),
    check("revenue_check", "revenue"),
    check("revenue_adds_up", "revenue"),
    singular("visits_fit_revenue", "visits", "revenue"),
    zone=ZoneInfo("UTC"),
)
EVERYTHING = ("prices", "lines", "clean", "revenue", "visits", "totals")
CHECKS_OF_LINES = ("lines_gate", "lines_check", "lines_hint", "lines_far")
CHECKS_OF_REVENUE = ("revenue_check", "revenue_adds_up", "visits_fit_revenue")
NAMELESS = {"revenue_adds_up", "visits_fit_revenue"}

_TEN_ROWS_A_DAY = """
{{ config(event_time='day') }} -- depends_on: {{ ref('prices') }}
select cast(moment as date) as day, number as id
from generate_series(
    timestamp '2017-03-01', timestamp '2017-03-09', interval 1 day
) as series (moment)
cross join range(10) as numbers (number)
where {{ daybreak.in_window('cast(moment as date)') }} and {{ is_fine() }}
"""
_MERGED = (
    "event_time='day', incremental_strategy='merge', unique_key='id', version_column='version'"
)
_ORDERS = """case
        when number = 9 and cast(moment as date) in (select day from raw.bad where what = 'moves')
            then 109
        else day(moment) * 100 + number
    end as id,
    day(moment) as version"""
FILES = {
    "dbt_project.yml": """
name: shop
version: "1.0.0"
config-version: 2
profile: daybreak
flags: {send_anonymous_usage_stats: false}
vars: {timezone: UTC, start_date: "2017-03-01", end_date: "2017-03-10"}
macro-paths: [macros, dbt_packages/daybreak/overrides]
dispatch: [{macro_namespace: dbt, search_order: [shop, daybreak, dbt]}]
models:
  shop: {+materialized: incremental, +incremental_strategy: overwrite_window, +batch_size: day}
""",
    "seeds/prices.csv": "id,price\n1,2\n",
    "macros/bad.sql": """
{% macro is_fine() %}
    (select case when count(*) = 0 then true
        else error('Conversion Error: {{ this.name }} cannot be made') end
    from raw.bad where bad.what = '{{ this.name }}' and {{ daybreak.in_window('bad.day') }})
{% endmacro %}
{% test bad_days(model, of) %}
    select distinct cast(tested.day as timestamp) as window_start,
        cast(tested.day as timestamp) + interval 1 day as window_end,
        '100 rows' as expected, '7 rows' as actual
    from (select * from {{ model }}) as tested inner join raw.bad on tested.day = bad.day
    where bad.what = '{{ of }}'
{% endtest %}
{% test bad_days_of_all(model, of) %}
    select distinct tested.window_start, tested.window_end,
        '100 rows' as expected, '7 rows' as actual
    from {{ daybreak.publications_relation() }} as tested
    inner join raw.bad on tested.window_start = cast(bad.day as timestamp)
    where tested.model = 'lines' and bad.what = '{{ of }}'
{% endtest %}
{% test bad_rows(model, of) %}
    select 7 as id from (select * from {{ model }}) as tested
    inner join raw.bad on tested.day = bad.day where bad.what = '{{ of }}' and tested.id = 7
{% endtest %}
""",
    "models/lines.sql": _TEN_ROWS_A_DAY,
    "models/visits.sql": _TEN_ROWS_A_DAY.replace("-- depends_on: {{ ref('prices') }}", ""),
    # Ten a day; that of a bad day takes number nine of the first day over.
    "models/orders.sql": _TEN_ROWS_A_DAY.replace("-- depends_on: {{ ref('prices') }}", "")
    .replace("event_time='day'", _MERGED)
    .replace("number as id", _ORDERS),
    "models/clean.sql": "{{ config(materialized='view') }} select * from {{ ref('lines') }}",
    "models/revenue.sql": "{{ config(event_time='day') }} select * from {{ ref('clean') }}"
    " where {{ daybreak.in_window('day') }} and {{ is_fine() }}",
    "models/totals.sql": "{{ config(materialized='table') }} select count(*) as row_count"
    " from {{ ref('revenue') }}",
    "models/schema.yml": """
version: 2
models:
  - name: lines
    data_tests:
      - bad_days: {name: lines_gate, arguments: {of: lines_gate}, config: {meta: {gate: true}}}
      - bad_days: {name: lines_check, arguments: {of: lines_check}}
      - bad_days_of_all: {name: lines_far, arguments: {of: lines_far}}
      - bad_days: {name: lines_hint, arguments: {of: lines_hint}, config: {severity: warn}}
  - name: revenue
    data_tests:
      - bad_days: {name: revenue_check, arguments: {of: revenue_check}}
      - bad_rows: {name: revenue_adds_up, arguments: {of: revenue_adds_up}}
unit_tests:
  - name: adds_up
    model: totals
    given: [{input: ref('revenue'), rows: [{id: 1}, {id: 2}]}]
    expect: {rows: [{row_count: 2}]}
""",
    "tests/visits_fit_revenue.sql": """
select 7 as id from {{ ref('visits') }} as visits
inner join {{ ref('revenue') }} as revenue on visits.day = revenue.day and visits.id = revenue.id
inner join raw.bad on visits.day = bad.day
where bad.what = 'visits_fit_revenue' and visits.id = 7
    and {{ daybreak.in_window('visits.day') }}
""",
}


# Scenarios


@dataclass
class Step:
    """One invocation, and what is bad by then."""

    bad: Mapping[str, tuple[int, ...]]  # model or test → days, counted from the first
    count: int = 3
    skip: int = 0
    nodes: tuple[str, ...] = EVERYTHING
    checks: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    judged: tuple[str, ...] = ()
    with_unit_tests: bool = False
    fence: int | None = None  # that of its number


SCENARIOS = {
    "all is well": [Step({})],
    "all is well twice": [Step({}), Step({}, count=4)],
    "with unit tests": [Step({}, with_unit_tests=True)],
    "a gate names a window": [Step({"lines_gate": (1,)}), Step({}, nodes=("lines",))],
    "a gate fails after it was published": [Step({}), Step({"lines_gate": (0, 2)})],
    "a gate that is left out": [Step({"lines_gate": (1,)}, exclude=("lines_gate",))],
    "a later check names windows": [Step({"lines_check": (0, 2)}), Step({}, count=1, skip=1)],
    "the check of a leaf names a window": [Step({"revenue_check": (1,)})],
    "a check names a window of another day": [
        Step({}),
        Step({"lines_far": (0, 2)}, count=3, skip=2),
        Step({}, count=1),
    ],
    "a check names a window that a newer run has published": [
        Step({}, count=1, fence=7),
        Step({"lines_far": (0,)}, skip=1, fence=6),
    ],
    "a check only warns": [Step({"lines_hint": (1,)})],
    "a check names nothing": [
        Step({"revenue_adds_up": (1,)}),
        Step({"revenue_adds_up": (1,)}, nodes=("revenue",), count=1),
        Step({"revenue_adds_up": (1,)}, nodes=("revenue",), count=1, skip=1),
    ],
    "a model fails": [Step({"revenue": (2,)}), Step({"revenue": (2,)}, count=2)],
    "a root fails": [Step({"lines": (0,)})],
    "a test of two models fails": [Step({"visits_fit_revenue": (0,)})],
    "one model after another": [
        Step({}, nodes=("prices", "lines")),
        Step({}, nodes=("clean", "revenue")),
        Step({}, nodes=("visits",)),
        Step({}, nodes=("totals",)),
    ],
    "what was published is only judged": [
        Step({"revenue_adds_up": (0,)}),
        Step({}, nodes=(), checks=("revenue_check", "revenue_adds_up", "visits_fit_revenue")),
    ],
    "some of the checks leave it unjudged": [
        Step({"revenue_adds_up": (0,)}),
        Step({}, nodes=(), checks=("revenue_check",)),
    ],
    "what was judged is judged by other checks": [
        Step({"lines_check": (0,)}),
        Step({"lines_gate": (1,)}, nodes=(), checks=CHECKS_OF_LINES, judged=("lines",)),
        Step({}, nodes=(), checks=CHECKS_OF_LINES, judged=("lines",), count=2),
    ],
    "without a gate what was judged is not judged again": [
        Step({}),
        Step({}, nodes=(), checks=CHECKS_OF_LINES[1:], judged=("lines",)),
    ],
    "a check that names nothing takes back what was said": [
        Step({}),
        Step({"revenue_adds_up": (0,)}, nodes=(), checks=CHECKS_OF_REVENUE, judged=("revenue",)),
        Step(
            {"revenue_adds_up": (0,)},
            nodes=(),
            checks=CHECKS_OF_REVENUE,
            judged=("revenue",),
            count=1,
        ),
    ],
    "who is judged beside what is built": [
        Step({}, nodes=("prices", "lines")),
        Step({}, nodes=("visits",), checks=CHECKS_OF_LINES, judged=("lines",), count=2),
    ],
    "a lower fence judges nothing": [
        Step({}, fence=7),
        Step({}, nodes=(), checks=CHECKS_OF_LINES, judged=("lines",), fence=6),
    ],
    "a lower fence publishes nothing": [Step({}, fence=7), Step({}, fence=6)],
    "a lower fence beside a newer window": [
        Step({}, count=1, skip=2, fence=7),
        Step({}, fence=6),
        Step({}, count=2, fence=6),
    ],
    "a merge takes a row over": [
        Step({}, nodes=("orders",), count=2),
        Step({"moves": (2,)}, nodes=("orders",), count=1, skip=2),
    ],
}


def invocation(step: Step, number: int) -> Invocation:
    return Invocation(
        nodes=step.nodes,
        checks=step.checks,
        exclude=step.exclude,
        with_unit_tests=step.with_unit_tests,
        span=days(PIPELINE, step.count, step.skip),
        run_id=f"run {number}",
        fence=number if step.fence is None else step.fence,
        code_hashes={node.unique_id: f"code {number}" for node in PIPELINE.windowed},
        checks_hashes={node.unique_id: f"checks {number}" for node in PIPELINE.windowed},
        judged=tuple(f"model.shop.{name}" for name in step.judged),
        timeout=timedelta(minutes=5),
    )


# What came of them


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fake")
    install_package(folder)
    shutil.copy(REPOSITORY / "profiles.yml", folder)
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    (folder / "data").mkdir()
    return folder


@pytest.fixture(scope="module")
def real(project: Path) -> Iterator[Engine]:
    with forked_servers(), WarmEngine(project) as engine:
        yield engine


@dataclass(frozen=True)
class Came:
    """What the runner sees of an invocation, as far as it goes by it."""

    statuses: dict[str, str]
    heard: dict[str, list[str]]
    messages: dict[str, bool]  # whether there are words, of what failed
    publications: set[Publication]
    touched: set[Publication]
    evidence: list[Any]
    error: str | None
    markers: set[Publication]  # what the warehouse says then


def name_of(unique_id: str) -> str:
    kind, _, name, *more = unique_id.split(".")
    return more[0] if kind == "unit_test" else name


def came(engine: Engine, asked: Invocation) -> Came:
    heard: dict[str, list[str]] = {}
    result = engine.build(
        asked, lambda node, word: heard.setdefault(name_of(node), []).append(word)
    )
    published = engine.published(None, asked.timeout)
    assert_began_once(result, asked)
    nodes = [node for node in result.nodes if not node.unique_id.startswith("operation.")]  # hooks
    return Came(
        statuses={name_of(node.unique_id): node.status for node in nodes},
        heard=heard,
        messages={
            name_of(node.unique_id): bool(node.message)
            for node in nodes
            if node.status in ("error", "fail", "warn")
        },
        publications=set(timeless(result.publications)),
        touched=set(timeless(result.touched)),
        evidence=sorted((without_rows(found) for found in result.evidence), key=repr),
        error=result.error,
        markers=set(timeless(published)),
    )


def assert_began_once(result: InvocationResult, asked: Invocation) -> None:
    """What an invocation publishes bears one time: when it began."""
    mine = {p.published_at for p in result.publications if p.run_id == asked.run_id}
    assert len(mine) <= 1


def timeless(found: tuple[Publication, ...]) -> Iterator[Publication]:
    """As of one time, but for whether the rows are older than the marker, or newer."""
    for one in found:
        order = (one.contents_since > one.published_at) - (one.contents_since < one.published_at)
        since = BEGINNING_OF_TIME + timedelta(seconds=order)
        yield replace(one, published_at=BEGINNING_OF_TIME, contents_since=since)


def without_rows(found: Any) -> Any:
    """Without the rows behind what a check says, which the fake does not have."""
    return replace(
        found,
        test=name_of(found.test),
        windows=tuple(replace(w, sample=()) for w in sorted(found.windows, key=str)),
    )


def start_anew(project: Path) -> Callable[[Step], None]:
    """An empty warehouse; returns what tells it of a step."""
    warehouse = project / "data" / "warehouse.duckdb"
    warehouse.unlink(missing_ok=True)

    def tell(step: Step) -> None:
        rows = [(what, date(2017, 3, 1 + day)) for what, found in step.bad.items() for day in found]
        with duckdb.connect(str(warehouse)) as connection:
            connection.execute("create schema if not exists raw")
            connection.execute("create or replace table raw.bad (what varchar, day date)")
            for row in rows:
                connection.execute("insert into raw.bad values (?, ?)", row)

    return tell


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_the_fake_does_what_dbt_does(project: Path, real: Engine, name: str):
    tell = start_anew(project)
    fake = FakeDbt(
        PIPELINE,
        nameless=NAMELESS,
        warning={"lines_hint"},
        far={"lines_far"},
        content=lambda *_: "the same ten rows",
        unit_tests={"adds_up": "totals"},
    )
    labels = [window.label for window in PIPELINE.calendar.windows(days(PIPELINE, 9))]
    for number, step in enumerate(SCENARIOS[name], start=1):
        tell(step)
        fake.bad = {what: {labels[day] for day in found} for what, found in step.bad.items()}
        taken = {labels[day]: labels[0] for day in step.bad.get("moves", ())}
        fake.takes_over = {"orders": taken}
        asked = invocation(step, number)
        assert came(fake, asked) == came(real, asked), (number, step)
