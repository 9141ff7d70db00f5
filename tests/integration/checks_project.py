"""A small dbt project around the checks that judge windows, one model for each way to use them.

Like :mod:`tests.integration.macros_project`, whose dbt process and trials it uses.
"""

from __future__ import annotations

from pathlib import Path

from tests.conftest import install_package
from tests.integration.macros_project import PROFILES, PROJECT, TABLES

_EVENTS = "select * from {{ source('raw', 'events') }} where {{ daybreak.in_window('day') }}"
_DAILY = "{{ config(event_time='day') }} " + _EVENTS
_WEEKLY = "{{ config(event_time='day', batch_size='week') }} " + _EVENTS
_MONTHLY = "{{ config(event_time='day', batch_size='month') }} " + _EVENTS
_HOURLY = "{{ config(event_time='seen_at', batch_size='hour', meta={'event_time_as': 'utc'}) }} "
_MOMENTS = (
    "select * from {{ source('raw', 'moments') }}"
    " where {{ daybreak.in_window('seen_at', as='utc') }}"
)

MODELS = {
    # rows_in_every_window
    "whole": _DAILY,
    "mixed": "{{ config(event_time='day') }} select id, day from {{ ref('whole') }}"
    " where amount > 0 and {{ daybreak.in_window('day') }} union all select id, day from"
    " {{ source('raw', 'others') }} where {{ daybreak.in_window('day') }}",
    "child": "{{ config(event_time='day') }} select * from {{ ref('whole') }}"
    " where {{ daybreak.in_window('day') }}",
    "closed_weeks": _WEEKLY,
    "closed_months": _MONTHLY,
    "closed_hours": _HOURLY + _MOMENTS,
    "hours_of_days": _HOURLY + "-- depends_on: {{ ref('whole') }}\n"
    "select moments.* from {{ source('raw', 'moments') }} as moments where false",
    "hours_of_days_only": _HOURLY + "select id, cast(day as timestamp) as seen_at"
    " from {{ ref('whole') }} where false",
    # reconciles_with
    "kept": "{{ config(event_time='day') }} select * from {{ source('raw', 'events') }}"
    " where amount >= 0 and {{ daybreak.in_window('day') }}",
    "moments_of_day": _DAILY,
    "counted": "{{ config(event_time='day') }} select day, count(*) as row_count from"
    " {{ source('raw', 'events') }} where amount is not null and {{ daybreak.in_window('day') }}"
    " group by day",
    "reconciled_with_nothing": _DAILY,
    # volume_within
    "steady": _DAILY,
    "watched": "{{ config(event_time='day', meta={'may_be_empty': true}) }} " + _EVENTS,
    "steady_weeks": _WEEKLY,
    "steady_months": _MONTHLY,
    "steady_hours": _HOURLY + _MOMENTS,
    "filtered": _DAILY,
    "filtered_gate": _DAILY,
    # null_rate_within
    "filled": _DAILY,
    "filled_later": _DAILY,
    "filled_nowhere": _DAILY,
    # columns_match
    "shaped": "{{ config(event_time='day') }} select id, day from"
    " {{ source('raw', 'shapes') }} where {{ daybreak.in_window('day') }}",
    "shaped_gate": "{{ config(event_time='day') }} select id, day from"
    " {{ source('raw', 'shapes') }} where {{ daybreak.in_window('day') }}",
    "landed": "{{ config(event_time='day') }} select id, day from"
    " {{ daybreak.landed_in_window(source('drop', 'landed')) }} "
    "where {{ daybreak.in_window('day') }}",
    "landed_gate": "{{ config(event_time='day') }} select id, day from"
    " {{ daybreak.landed_in_window(source('drop', 'landed')) }} "
    "where {{ daybreak.in_window('day') }}",
    "landed_csv": "{{ config(event_time='day') }} select id, day from"
    " {{ daybreak.landed_in_window(source('text', 'csv')) }} where {{ daybreak.in_window('day') }}",
    "landed_json": "{{ config(event_time='day') }} select id, day from"
    " {{ daybreak.landed_in_window(source('text', 'json')) }} "
    "where {{ daybreak.in_window('day') }}",
    "no_source": _DAILY,
    "shaped_like_a_model": _DAILY,
    # late_rows
    "timely": _DAILY,
    "timely_local": _DAILY,
    "timely_instant": _DAILY,
    "timely_hours": _HOURLY + _MOMENTS,
    "late_gate": _DAILY,
    # Checks of an analyst's own, which do not keep to UTC
    "local_midnights": _DAILY,
    "no_windows": _DAILY,
}

OWN_CHECKS = """
{% test bad_days(model, window_start) %}
    select {{ window_start }} as window_start, day + interval 1 day as window_end,
        'more than 0' as expected, amount as actual
    from {{ model }} where amount < 0
{% endtest %}
"""

SCHEMA = """
version: 2

sources:
  - name: raw
    tables:
      - {name: events}
      - {name: moments}
      - {name: others}
      - {name: closures}
      - {name: totals}
      - name: shapes
        data_tests: [daybreak.columns_match: {name: shapes_match}]
  - name: drop
    meta: {external_location: "landing/*.parquet"}
    tables: [{name: landed}]
  - name: text
    meta: {external_location: "landing/*.{name}"}
    tables: [{name: csv}, {name: json}]

models:
  - name: mixed
    data_tests: [daybreak.rows_in_every_window: {name: mixed_has_rows}]
  - name: child
    data_tests:
      - daybreak.rows_in_every_window: {name: child_has_rows, config: {meta: {gate: true}}}
  - name: moments_of_day
    data_tests:
      - daybreak.reconciles_with:
          name: moments_conserved
          arguments: {to: "source('raw', 'moments')", to_event_time: seen_at, rejected: "false"}
  - name: local_midnights
    data_tests: [bad_days: {name: local_bad, arguments: {window_start: cast(day as timestamp)}}]
  - name: no_windows
    data_tests: [bad_days: {name: null_bad, arguments: {window_start: cast(null as timestamp)}}]
  - name: closed_weeks
    data_tests:
      - daybreak.rows_in_every_window: &closable
          name: closed_weeks_has_rows
          arguments: &evidence
            closures: source('raw', 'closures')
            control_totals: source('raw', 'totals')
            control_date: day
            control_count: row_count
  - name: closed_months
    data_tests:
      - daybreak.rows_in_every_window: {name: closed_months_has_rows, arguments: *evidence}
  - name: closed_hours
    data_tests: [daybreak.rows_in_every_window: {name: closed_hours_has_rows, arguments: *evidence}]
  - name: hours_of_days
    data_tests: [daybreak.rows_in_every_window: {name: hours_of_days_has_rows}]
  - name: hours_of_days_only
    data_tests: [daybreak.rows_in_every_window: {name: hours_of_days_only_has_rows}]

  - name: kept
    data_tests:
      - daybreak.reconciles_with:
          name: kept_conserves
          arguments: &conserved
            to: source('raw', 'events')
            to_event_time: day
            rejected: amount < 0
          config: &gate {meta: {gate: true}}
  - name: counted
    data_tests:
      - daybreak.reconciles_with:
          name: counted_conserves
          arguments: {<<: *conserved, published: sum(row_count), tolerance: 1}
  - name: reconciled_with_nothing
    data_tests:
      - daybreak.reconciles_with:
          name: reconciled_with_nothing
          arguments: {to: "source('raw', 'events')", to_event_time: day}

  - name: steady
    data_tests: [daybreak.volume_within: {name: steady_volume, config: *gate}]
  - name: watched
    data_tests:
      - daybreak.volume_within:
          name: watched_volume
          arguments: {recent: 2, history: 4, min_history: 2, closures: "source('raw', 'closures')"}
  - name: steady_weeks
    data_tests: [daybreak.volume_within: {name: weeks_volume, arguments: &short {min_history: 2}}]
  - name: steady_months
    data_tests: [daybreak.volume_within: {name: months_volume, arguments: *short}]
  - name: steady_hours
    data_tests: [daybreak.volume_within: {name: hours_volume, arguments: *short}]
  - name: filtered
    data_tests: [daybreak.volume_within: {name: filtered_volume, config: {where: amount > 0}}]
  - name: filtered_gate
    columns:
      - name: amount
        data_tests:
          - daybreak.null_rate_within:
              name: filtered_nulls
              config: {meta: {gate: true}, where: amount > 0}

  - name: filled
    columns:
      - name: amount
        data_tests: [daybreak.null_rate_within: {name: filled_amount, config: *gate}]
  - name: filled_later
    data_tests:
      - daybreak.null_rate_within:
          name: filled_both
          arguments: {columns: [amount, '"kind"'], allowance: 0.2, min_history: 2}
  - name: filled_nowhere
    data_tests: [daybreak.null_rate_within: {name: filled_nowhere}]

  - name: shaped
    data_tests:
      - daybreak.columns_match: {name: shaped_match, arguments: {of: "source('raw', 'shapes')"}}
  - name: shaped_gate
    data_tests:
      - daybreak.columns_match:
          name: shaped_gate_match
          arguments: {of: "source('raw', 'shapes')"}
          config: *gate
  - name: landed
    data_tests:
      - daybreak.columns_match:
          name: landed_match
          arguments: {of: "source('drop', 'landed')", recent: 3}
  - name: landed_gate
    data_tests:
      - daybreak.columns_match:
          name: landed_gate_match
          arguments: {of: "source('drop', 'landed')"}
          config: *gate
  - name: landed_csv
    data_tests:
      - daybreak.columns_match: {name: csv_match, arguments: {of: "source('text', 'csv')"}}
  - name: landed_json
    data_tests:
      - daybreak.columns_match: {name: json_match, arguments: {of: "source('text', 'json')"}}
  - name: shaped_like_a_model
    data_tests: [daybreak.columns_match: {name: like_a_model, arguments: {of: ref('no_source')}}]

  - name: timely
    data_tests:
      - daybreak.late_rows:
          name: timely_late
          arguments: &late {of: "source('raw', 'events')", event_time: day, loaded_at: seen_at}
  - name: timely_local
    data_tests:
      - daybreak.late_rows:
          name: local_late
          arguments: {<<: *late, loaded_at_as: local, lookback: 2}
  - name: timely_instant
    data_tests:
      - daybreak.late_rows:
          name: instant_late
          arguments: {<<: *late, loaded_at: "seen_at at time zone 'UTC'", loaded_at_as: instant}
  - name: timely_hours
    data_tests:
      - daybreak.late_rows:
          name: hours_late
          arguments:
            of: source('raw', 'moments')
            event_time: seen_at
            event_time_as: utc
            loaded_at: loaded_at
  - name: late_gate
    data_tests:
      - daybreak.late_rows:
          name: gate_of_late_rows
          arguments: *late
          config: {meta: {gate: true}}
"""

MORE_TABLES = """
create table raw.others (id integer, day date);
create table raw.shapes (id integer, day date, price decimal(9, 2), note varchar);
alter table raw.moments add column loaded_at timestamp;
"""


def write(folder: Path) -> None:
    """Write the project, with the repository's macros as they are."""
    install_package(folder)
    files = {
        "dbt_project.yml": PROJECT,
        "profiles.yml": PROFILES,
        "models/schema.yml": SCHEMA,
        "macros/own_checks.sql": OWN_CHECKS,
        **{f"models/{name}.sql": sql for name, sql in MODELS.items()},
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "landing").mkdir()


ALL_TABLES = TABLES + MORE_TABLES
