"""A small dbt project around the repository's macros, one model for each thing to be tried.

It reads plain tables of the schema ``raw``, which the tests fill, in a warehouse per test.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, TextIO
from zoneinfo import ZoneInfo

import duckdb

from tests import warm_dbt
from tests.conftest import install_package
from tests.integration import dbt_child

NEW_YORK = ZoneInfo("America/New_York")

PROJECT = """
name: trial
version: "1.0.0"
config-version: 2
profile: daybreak
flags: {send_anonymous_usage_stats: false}
vars: {timezone: America/New_York, start_date: "2026-03-01", end_date: "2026-03-11"}
macro-paths: [macros, dbt_packages/daybreak/overrides]
dispatch: [{macro_namespace: dbt, search_order: [trial, daybreak, dbt]}]
models:
  trial: {+materialized: incremental, +incremental_strategy: overwrite_window, +batch_size: day}
"""

PROFILES = """
daybreak:
  target: dev
  outputs:
    dev:
      type: duckdb
      path: "{{ env_var('DAYBREAK_FOLDER') }}/warehouse.duckdb"
      attach: [{path: "{{ env_var('DAYBREAK_FOLDER') }}/other.duckdb", alias: other}]
      schema: main
      threads: 1
      keep_open: true
      disable_transactions: "{{ env_var('DAYBREAK_NO_TRANSACTIONS', 'False') | as_bool }}"
"""

_EVENTS = "select * from {{ source('raw', 'events') }} where {{ daybreak.in_window('day') }}"
_ALL_EVENTS = "select * from {{ source('raw', 'events') }}"
_MERGE = (
    "{{ config(event_time='day', incremental_strategy='merge', unique_key='id',"
    " version_column='version') }}"
)
MODELS = {
    # The comment at the end is part of the trial: it must not swallow what follows the query.
    "daily": "{{ config(event_time='day') }} " + _EVENTS + " -- that is all",
    "unfiltered": "{{ config(event_time='day') }} " + _ALL_EVENTS,
    "merged": _MERGE + " " + _EVENTS,
    "merged_that_keeps": _MERGE.replace(") }}", ", meta={'keeps_rows': true}) }}") + " " + _EVENTS,
    "merged_on_two": (
        "{{ config(event_time='day', incremental_strategy='merge', unique_key=['id', 'kind'],"
        " version_column='version') }} " + _EVENTS
    ),
    "sparse": "{{ config(event_time='day', meta={'may_be_empty': true}) }} " + _EVENTS,
    "of_sparse": (
        "{{ config(event_time='day') }} select * from {{ ref('sparse') }}"
        " where {{ daybreak.in_window('day') }}"
    ),
    "overwritten_by_key": (
        "{{ config(event_time='day', unique_key='id', meta={'may_be_empty': true}) }} " + _EVENTS
    ),
    "overwritten_by_two": "{{ config(event_time='day', unique_key=['id', 'kind']) }} " + _EVENTS,
    "grows": "{{ config(event_time='day', on_schema_change='append_new_columns') }} " + _EVENTS,
    "grows_merged": _MERGE.replace(") }}", ", on_schema_change='append_new_columns') }}")
    + " "
    + _EVENTS,
    "synced": "{{ config(event_time='day', on_schema_change='sync_all_columns') }} " + _EVENTS,
    "synced_merged": _MERGE.replace(") }}", ", on_schema_change='sync_all_columns') }}")
    + " "
    + _EVENTS,
    "never_grows": "{{ config(event_time='day', on_schema_change='fail') }} " + _EVENTS,
    "odd_names": (
        "{{ config(event_time='Sold on') }}"
        ' select id as "order", day as "Sold on", amount as "select" from'
        " {{ source('raw', 'events') }} where {{ daybreak.in_window('day') }}"
    ),
    "odd_names_merged": (
        "{{ config(event_time='Sold on', incremental_strategy='merge', unique_key='order',"
        " version_column='group') }}"
        ' select id as "order", day as "Sold on", version as "group" from'
        " {{ source('raw', 'events') }} where {{ daybreak.in_window('day') }}"
    ),
    "quoted_key": (
        "{{ config(event_time='day', unique_key='\"Order Id\"') }}"
        ' select id as "Order Id", day'
        " from {{ source('raw', 'events') }} where {{ daybreak.in_window('day') }}"
    ),
    "quoted_key_merged": (
        "{{ config(event_time='day', incremental_strategy='merge', unique_key=['\"Order Id\"'],"
        " version_column='\"Order Version\"') }}"
        ' select id as "Order Id", version as "Order Version", day'
        " from {{ source('raw', 'events') }} where {{ daybreak.in_window('day') }}"
    ),
    "keyed": "{{ config(event_time='day', unique_key='id') }} select id, day from"
    " {{ source('raw', 'events') }} where {{ daybreak.in_window('day') }}",
    "documented": (
        "{{ config(event_time='day', persist_docs={'relation': true, 'columns': true}) }} "
        + _EVENTS
    ),
    "hooked": (
        "{{ config(event_time='day',"
        " pre_hook=\"insert into raw.log values ('inside; -- commit')\","
        " post_hook='update {{ this }} set amount = amount + 1') }} " + _EVENTS
    ),
    "elsewhere": "{{ config(event_time='day', database='other') }} " + _EVENTS,
    "hourly": (
        "{{ config(event_time='seen_at', batch_size='hour', meta={'event_time_as': 'utc'}) }}"
        " select * from {{ source('raw', 'moments') }}"
        " where {{ daybreak.in_window('seen_at', as='utc') }}"
    ),
    "weekly": (
        "{{ config(event_time='day', batch_size='week') }} "
        "select * from {{ source('raw', 'events') }} where {{ daybreak.in_window('day') }}"
    ),
    "gated": "{{ config(event_time='day') }} -- depends_on: {{ ref('kinds') }}\n" + _EVENTS,
    "checked": (
        "{{ config(event_time='day') }} -- depends_on: {{ ref('closures') }} {{ ref('totals') }}\n"
        + _EVENTS
    ),
    "from_checked": (
        "{{ config(event_time='day') }} select * from {{ ref('seen') }}"
        " where amount > 0 and {{ daybreak.in_window('day') }}"
    ),
    "judged": "{{ config(event_time='day') }} " + _EVENTS,
    "unjudged": "{{ config(event_time='day') }} " + _EVENTS,
    "halved": "{{ config(event_time='day') }} " + _EVENTS,
    "twin_of_all": "{{ config(event_time='day') }} " + _EVENTS,
    "twin_of_positive": "{{ config(event_time='day') }} " + _EVENTS + " and amount > 0",
    "tolerant": "{{ config(event_time='day') }} " + _EVENTS,
    "tolerant_gate": "{{ config(event_time='day') }} " + _EVENTS,
    "looks_far": "{{ config(event_time='day') }} " + _EVENTS,
    "left_side": "{{ config(event_time='day') }} " + _EVENTS,
    "right_side": "{{ config(event_time='day') }} " + _EVENTS,
    "tells_without_tests": "{{ config(event_time='day') }} " + _EVENTS,
    "tells_with_gates": "{{ config(event_time='day') }} " + _EVENTS,
    "tells_with_tests": "{{ config(event_time='day') }} " + _EVENTS,
    # What the markers say before anything else of the invocation has judged them.
    "told_at_once": (
        "{{ config(materialized='table') }}"
        " -- depends_on: {{ ref('tells_without_tests') }} {{ ref('tells_with_gates') }}"
        " {{ ref('tells_with_tests') }}\n"
        "select model, verdict from {{ daybreak.publications_relation() }}"
    ),
    "gate_reads_stranger": "{{ config(event_time='day') }} " + _EVENTS,
    "gate_reads_source": "{{ config(event_time='day') }} " + _EVENTS,
    "gate_is_singular": "{{ config(event_time='day') }} " + _EVENTS,
    "merged_through_gates": _MERGE + " " + _EVENTS,
    "gate_gives_null": "{{ config(event_time='day') }} " + _EVENTS,
    # Refused
    "no_event_time": _EVENTS,
    "by_decade": "{{ config(event_time='day', batch_size='decade') }} " + _EVENTS,
    "no_unique_key": "{{ config(event_time='day', incremental_strategy='merge') }} " + _EVENTS,
    "no_version_column": (
        "{{ config(event_time='day', incremental_strategy='merge', unique_key='id') }} " + _EVENTS
    ),
    "hooked_before": (
        "{{ config(event_time='day',"
        " pre_hook=before_begin(\"insert into raw.log values ('x')\")) }} " + _EVENTS
    ),
    "hooked_after": (
        "{{ config(event_time='day', post_hook={'sql': \"insert into raw.log values ('x')\","
        " 'transaction': false}) }} " + _EVENTS
    ),
    "hook_commits": (
        "{{ config(event_time='day', post_hook=\"insert into raw.log values ('x'); /* so */"
        ' Commit") }} ' + _EVENTS
    ),
    "hook_calls_commit": (
        "{{ config(event_time='day', pre_hook=\"insert into raw.log values ('x')\","
        " post_hook=\"{{ 'commit' if execute }}\") }} " + _EVENTS
    ),
    "hook_commits_unseen": (
        "{{ config(event_time='day', post_hook=\"{% do run_query('commit') %}\") }} " + _EVENTS
    ),
    # Not windowed
    "plain_table": "{{ config(materialized='table') }} " + _ALL_EVENTS,
    "seen": "{{ config(materialized='view') }} select * from {{ ref('checked') }}",
    "kinds": "{{ config(materialized='view') }} select * from {{ source('raw', 'kinds') }}",
    "closures": "{{ config(materialized='view') }} select * from {{ source('raw', 'closures') }}",
    "totals": "{{ config(materialized='view') }} select * from {{ source('raw', 'totals') }}",
    "plain_incremental": (
        "{{ config(incremental_strategy='delete+insert', unique_key='id') }} " + _ALL_EVENTS
    ),
    # Not windowed, whatever dbt may use its event_time for.
    "appended": "{{ config(event_time='day', incremental_strategy='append') }} " + _EVENTS,
    "exported": (
        "{{ config(materialized='external', location=env_var('DAYBREAK_FOLDER', '.')"
        " ~ '/exported.parquet') }} " + _ALL_EVENTS
    ),
}

SCHEMA = """
version: 2

sources:
  - name: raw
    tables:
      - {name: events}
      - {name: moments}
      - {name: kinds}
      - {name: closures}
      - {name: totals}

snapshots:
  - name: events_snapshot
    relation: source('raw', 'events')
    config: {unique_key: id, strategy: check, check_cols: all}

models:
  - name: keyed
    config: {contract: {enforced: true}, on_schema_change: fail}
    columns:
      - {name: id, data_type: integer, constraints: [{type: primary_key}]}
      - {name: day, data_type: date}
  - name: documented
    description: One row per event.
    columns: [{name: id, description: Key of the event.}]

  - name: gated
    columns:
      - name: id
        data_tests:
          - dbt.unique: {name: gated_id_is_unique, config: &gate {meta: {gate: true}}}
          - not_null: {name: gated_id_is_known, config: *gate}
      - name: kind
        data_tests:
          - accepted_values:
              name: gated_kind_is_accepted
              arguments: {values: [a, b, c]}
              config: *gate
          - relationships:
              name: gated_kind_is_related
              arguments: {to: ref('kinds'), field: kind}
              config: *gate
      - name: amount
        data_tests:
          - not_null:
              name: gated_amount_of_a
              config: {meta: {gate: true}, where: "kind = 'a'"}
          - few_rows:
              name: gated_few_negative
              arguments: {condition: amount < 0}
              config: {meta: {gate: true}, error_if: ">2", warn_if: ">0", fail_calc: sum(found)}
          - not_null:
              name: gated_amount_warns
              config: {meta: {gate: true}, severity: warn}

  - name: gate_reads_stranger
    data_tests:
      - daybreak.reconciles_with: &against_totals
          name: stranger_gate
          arguments:
            to: ref('totals')
            to_event_time: day
            measures: {order: {actual: count(*), expected: sum(row_count)}}
          config: *gate
  - name: gate_reads_source
    data_tests:
      - daybreak.reconciles_with:
          name: source_gate
          arguments:
            to: source('raw', 'totals')
            to_event_time: day
            measures: {order: {actual: count(*), expected: sum(row_count)}}
          config: *gate
  - name: merged_through_gates
    columns:
      - name: amount
        data_tests: [not_null: {name: merged_amount_is_known, config: *gate}]
    data_tests:
      - daybreak.event_time_matches:
          name: merged_event_times
          arguments: {expression: "cast('2026-03-01' as date) + version - 1"}
          config: *gate
  - name: gate_gives_null
    columns:
      - name: amount
        data_tests:
          - not_null: {name: null_gate, config: {meta: {gate: true}, fail_calc: sum(amount)}}

  - name: hooked
    columns:
      - name: amount
        data_tests:
          - few_rows:
              name: hooked_amounts
              arguments: {condition: amount > 100}
              config: {meta: {gate: true}, fail_calc: sum(found)}

  - name: checked
    columns:
      - name: seen_at
        data_tests:
          - daybreak.fresh_within: {name: checked_is_fresh, arguments: {count: 6}}
    data_tests:
      - daybreak.rows_in_every_window:
          name: checked_has_rows
          arguments:
            closures: ref('closures')
            control_totals: ref('totals')
            control_date: day
            control_count: row_count
      - daybreak.reconciles_with:
          name: checked_reconciles
          arguments:
            to: ref('totals')
            to_event_time: day
            measures:
              order: {actual: count(*), expected: sum(row_count)}
              amount: {actual: sum(amount), expected: sum(amount)}
            tolerance: 1
            relative_tolerance: 0.1
      - daybreak.event_time_matches:
          name: checked_event_times
          arguments: {expression: cast(seen_at as date)}
  - name: from_checked
    data_tests:
      - daybreak.rows_in_every_window: {name: from_checked_has_rows}

  - name: judged
    data_tests:
      - daybreak.rows_in_every_window: {name: judged_has_rows}
  - name: halved
    columns:
      - name: id
        data_tests: [not_null]
  - name: twin_of_all
    data_tests:
      - daybreak.rows_in_every_window: {name: twin_has_rows}
  - name: twin_of_positive
    data_tests:
      - daybreak.rows_in_every_window: {name: twin_has_rows}
  - name: tolerant
    data_tests:
      - no_negative_amounts:
          name: tolerant_of_two
          config: &tolerant {error_if: ">2", warn_if: ">1"}
  - name: tolerant_gate
    data_tests:
      - no_negative_amounts:
          name: gate_tolerant_of_two
          config: {<<: *tolerant, meta: {gate: true}}
  - name: looks_far
    data_tests: [no_negative_day: {name: looks_at_all}]
  - name: left_side
    columns:
      - name: id
        data_tests: [not_null: {name: left_is_known}]
    data_tests:
      - daybreak.rows_in_every_window: {name: left_has_rows}
  - name: right_side
    columns:
      - name: id
        data_tests: [not_null: {name: right_is_known}]
  - name: tells_with_gates
    columns:
      - name: id
        data_tests: [not_null: {name: tells_gate, config: *gate}]
  - name: tells_with_tests
    columns:
      - name: id
        data_tests: [not_null]

  - name: seen
    data_tests:
      - daybreak.rows_in_every_window: {name: seen_has_rows}
"""

MACROS = """
{# A count of 0 is a row too, so that fail_calc has something to add up. #}
{% test few_rows(model, condition, column_name=none) %}
    select count(*) as found from {{ model }} where {{ condition }}
{% endtest %}

{# A row per bad row, which names its window. #}
{% test no_negative_amounts(model) %}
    select
        windows.window_start,
        windows.window_end,
        'nothing below 0' as expected,
        amount as actual
    from ({{ daybreak.window_spine('day') }}) as windows
    inner join {{ model }} on windows.window_key = day
    where amount < 0
{% endtest %}

{# Looks at all windows that are published, whichever run. #}
{% test no_negative_day(model) %}
    select
        window_start,
        window_end,
        'nothing below 0' as expected,
        amount as actual
    from {{ daybreak.publications_relation() }} as markers
    inner join {{ ref('looks_far') }} as tested
        on cast(markers.window_start as date) = tested.day
    where markers.model = 'looks_far' and amount < 0
{% endtest %}

{# For the tests of what macros render: each call's text, as JSON. #}
{% macro render_calls(calls) %}
    {%- set rendered = [] -%}
    {%- for call in calls -%}
        {%- do rendered.append(context.daybreak[call.macro](**call.arguments) | string) -%}
    {%- endfor -%}
    {%- do log('RENDERED ' ~ tojson(rendered)) -%}
{% endmacro %}
"""

SINGULAR = {
    # dbt narrows no singular test to the window.
    "halved_amounts": (
        "select * from {{ ref('halved') }} where amount > 100 and {{ daybreak.in_window('day') }}"
    ),
    "singular_gate": (
        "{{ config(meta={'gate': true}) }} select * from {{ ref('gate_is_singular') }}"
    ),
    "sides_agree": (
        "select id from {{ ref('left_side') }} except select id from {{ ref('right_side') }}"
    ),
}

TABLES = """
create schema if not exists raw;
create table raw.events (
    id integer, kind varchar, amount decimal(9, 2), version integer, day date, seen_at timestamp
);
create table raw.moments (id integer, seen_at timestamp);
create table raw.kinds (kind varchar);
create table raw.closures (closed_on date);
create table raw.totals (day date, row_count bigint, amount decimal(9, 2));
create table raw.log (entry varchar);
"""


def write(folder: Path) -> None:
    """Write the project, with our package as it is."""
    install_package(folder)
    files = {
        "dbt_project.yml": PROJECT,
        "profiles.yml": PROFILES,
        "macros/trial.sql": MACROS,
        "models/schema.yml": SCHEMA,
        "seeds/planted.csv": "id\n1\n2\n",
        "models/in_python.py": (
            "def model(dbt, session):\n"
            "    dbt.config(materialized='incremental', event_time='day')\n"
            "    return session.sql('select 1 as id')\n"
        ),
        **{f"models/{name}.sql": sql for name, sql in MODELS.items()},
        **{f"tests/{name}.sql": sql for name, sql in SINGULAR.items()},
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@dataclass(frozen=True)
class Invocation:
    """What came of one run of dbt."""

    success: bool
    nodes: dict[str, dict[str, str]]  # by name: status, message
    told: list[str]  # what the macros logged
    exception: str | None

    def error(self, node: str) -> str:
        """The message of a node that must have failed."""
        assert self.nodes[node]["status"] in ("error", "fail"), self.nodes[node]
        return self.nodes[node]["message"]

    def daybreak_error(self, node: str) -> str:
        """The line of a node's message that Daybreak wrote."""
        found = [line for line in self.error(node).splitlines() if "daybreak: " in line]
        assert len(found) == 1, self.error(node)
        return found[0].strip()

    def told_json(self, prefix: str) -> Any:
        """The one JSON value that was logged with a prefix."""
        (found,) = [text for text in self.told if text.startswith(prefix)]
        return json.loads(found.removeprefix(prefix))


@dataclass
class Project:
    """The project in a process of its own that parses once."""

    asks: TextIO
    answers: TextIO
    folder: Path  # of the project

    def invoke(self, folder: Path, *arguments: str, **environment: str) -> Invocation:
        """Run dbt on the warehouse in a folder."""
        settings = {
            "DAYBREAK_FOLDER": str(folder),
            "DAYBREAK_NO_TRANSACTIONS": "False",
            **environment,
        }
        request = {"arguments": arguments, "environment": settings}
        print(json.dumps(request), file=self.asks, flush=True)
        return self.answer()

    def render(self, calls: list[tuple[str, dict[str, str]]], **values: str) -> list[str]:
        """What macros render to, each given as its name and arguments, under these vars.

        Raises ValueError with dbt's message if one of them raises.
        """
        arguments = {"calls": [{"macro": name, "arguments": given} for name, given in calls]}
        rendered = self.invoke(
            self.folder,
            *("run-operation", "render_calls", "--args", json.dumps(arguments)),
            *("--vars", json.dumps(values)),
        )
        if not rendered.success:
            raise ValueError("\n".join(rendered.told))
        texts: list[str] = rendered.told_json("RENDERED ")
        return texts

    def answer(self) -> Invocation:
        """Read what came of the last request."""
        line = self.answers.readline()
        assert line, "dbt's process has ended"
        return Invocation(**json.loads(line))


@contextmanager
def started(folder: Path) -> Iterator[Project]:
    """Start dbt's process on the project in ``folder``."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("DAYBREAK_", "DBT_"))}
    environment |= {
        "DAYBREAK_FOLDER": str(folder),
        "DBT_PROFILES_DIR": str(folder),
        "DO_NOT_TRACK": "1",
    }
    ours, theirs = socket.socketpair()
    with theirs:
        process = warm_dbt.start(dbt_child.__name__, theirs, folder, environment)
    with ours, ours.makefile("w") as asks, ours.makefile() as answers:
        project = Project(asks, answers, folder)
        parsed = project.answer()
        assert parsed.success, parsed.exception
        yield project
    process.wait(timeout=30)


@dataclass(frozen=True)
class Trial:
    """The project on a warehouse of its own."""

    project: Project
    folder: Path  # of the warehouse

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Run SQL on the warehouse."""
        with duckdb.connect(str(self.folder / "warehouse.duckdb")) as connection:
            if "other." in statement:
                connection.execute(f"attach '{self.folder / 'other.duckdb'}' as other")
            return connection.execute(statement).fetchall()

    def events(self, *rows: str) -> None:
        """Let the source have these events: ``id, kind, amount, version, day``."""
        values = ", ".join(f"({row})" for row in rows)
        self.sql(
            "delete from raw.events; insert into raw.events (id, kind, amount, version, day) "
            + (
                f"values {values}"
                if rows
                else "select id, kind, amount, version, day from raw.events where false"
            )
        )

    def build(self, select: str, *arguments: str, **environment: str) -> Invocation:
        """Run one model over the project's range, without tests."""
        return self.project.invoke(
            self.folder, "run", "--select", select, *arguments, **environment
        )

    def run(self, select: str, first: str, last: str, *arguments: str, **more: Any) -> Invocation:
        """Run and test as the runner does, for the local dates first to last, inclusive."""
        values = {**window_vars(first, last), "run_id": "trial", "fence": 1, **more}
        return self.project.invoke(
            self.folder, "build", "--select", select, *arguments, "--vars", json.dumps(values)
        )

    def rows(self, relation: str, columns: str = "*") -> list[tuple[Any, ...]]:
        """A relation's rows, sorted."""
        return self.sql(f"select {columns} from {relation} order by all")

    def markers(self, model: str, columns: str = "verdict") -> list[tuple[Any, ...]]:
        """The markers of a model, the first window first; none if nothing was ever published."""
        if not self.has("daybreak_publications"):
            return []
        return self.sql(
            f"select {columns} from daybreak_publications where model = '{model}' "
            "order by window_start"
        )

    def has(self, relation: str) -> bool:
        """Whether there is such a table or view."""
        found = self.sql(
            f"select count(*) from information_schema.tables where table_name = '{relation}'"
        )
        return found[0][0] > 0


def window_vars(first: str, last: str, zone: ZoneInfo = NEW_YORK) -> dict[str, str]:
    """The runner's window vars for the local dates first to last, inclusive."""
    start = datetime.combine(date.fromisoformat(first), time.min, zone)
    end = datetime.combine(date.fromordinal(date.fromisoformat(last).toordinal() + 1), time.min)
    return {
        "window_start": start.astimezone(UTC).isoformat(),
        "window_end": end.replace(tzinfo=zone).astimezone(UTC).isoformat(),
    }
