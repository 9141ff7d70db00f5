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
    {%- set oldest_allowed = "window_end - interval '" ~ count ~ ' ' ~ period ~ "'" %}
    with windows as ({{ daybreak.window_spine(judged.config.batch_size) }}),

    times as (
        select
            {{ daybreak._window_key_of(judged) }} as window_key,
            {{ utc }} as happened_at
        from {{ model }}
    ),

    -- A time beyond the window's end says nothing of how far its rows reach.
    newest as (
        select
            windows.window_start,
            windows.window_end,
            max(case when times.happened_at < windows.window_end then times.happened_at end)
                as newest_at,
            count(case when times.happened_at >= windows.window_end then 1 end) as beyond_count
        from windows
        inner join times on windows.window_key = times.window_key
        group by 1, 2
    )

    select
        window_start,
        window_end,
        {{ daybreak._literal('newest ' ~ column_name ~ ' at ') }} || ({{ oldest_allowed }})
        || ' UTC or later' as expected,
        coalesce(cast(newest_at as varchar), 'NULL')
        || case when beyond_count > 0 then ', and ' || beyond_count || ' beyond its end' else '' end
            as actual
    from newest
    where coalesce(newest_at < {{ oldest_allowed }}, true)
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
