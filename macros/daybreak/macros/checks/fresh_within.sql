{% test fresh_within(model, column_name, count, period='hour', as='utc') %}
    {%- if execute -%}
        {%- do daybreak._require_windowed('fresh_within') -%}
        {%- set dispatched = adapter.dispatch('test_fresh_within', 'daybreak') -%}
        {{- daybreak._unless_empty(dispatched(model, column_name, count, period, as)) -}}
    {%- endif -%}
{% endtest %}

{% macro default__test_fresh_within(model, column_name, count, period, as) %}
    {%- set judged = daybreak._judged_node() -%}
    {%- set utc = daybreak._utc_of(column_name, as, 'fresh_within') -%}
    {%- set oldest_allowed = "windows.window_end - interval '" ~ count ~ ' ' ~ period ~ "'" %}
    with windows as ({{ daybreak.window_spine(judged.config.batch_size) }}),

    newest as (
        select
            {{ daybreak._window_key_of(judged) }} as window_key,
            max({{ utc }}) as newest_at
        from {{ model }}
        group by 1
    )

    select
        windows.window_start,
        windows.window_end,
        {{ daybreak._literal('newest ' ~ column_name ~ ' at ') }} || ({{ oldest_allowed }})
        || ' UTC or later' as expected,
        coalesce(cast(newest.newest_at as varchar), 'NULL') as actual
    from windows
    inner join newest on windows.window_key = newest.window_key
    where coalesce(newest.newest_at < {{ oldest_allowed }}, true)
{% endmacro %}

{# A column that says when, as a naive UTC timestamp. #}
{% macro _utc_of(column, as, check) %}
    {%- set utc = {
        'utc': column,
        'instant': '(' ~ column ~ " at time zone 'UTC')",
        'local': daybreak.local_to_utc(column),
    }.get(as) -%}
    {%- if utc is none -%}
        {%- do daybreak._stop(
            check ~ " has no form '" ~ as ~ "': use 'utc', 'local' or 'instant'"
        ) -%}
    {%- endif -%}
    {{- return(utc) -}}
{% endmacro %}
