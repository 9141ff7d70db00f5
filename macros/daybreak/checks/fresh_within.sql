{% test fresh_within(model, column_name, count, period='hour', as='utc') %}
    {%- if execute -%}
    {%- set judged = _judged_node() -%}
    {%- do _require_windowed(judged, 'fresh_within') -%}
    {%- set newest_utc = {
        'utc': 'max(' ~ column_name ~ ')',
        'instant': '(max(' ~ column_name ~ ") at time zone 'UTC')",
        'local': local_to_utc('max(' ~ column_name ~ ')'),
    }[as] -%}
    {%- set oldest_allowed = "windows.window_end - interval '" ~ count ~ ' ' ~ period ~ "'" %}

    with windows as ({{ window_spine(judged.config.batch_size) }}),

    newest as (
        select
            {{ event_window_key(judged) }} as window_key,
            {{ newest_utc }} as newest_at
        from {{ model }}
        group by 1
    )

    select
        windows.window_start,
        windows.window_end,
        'newest {{ column_name }} at ' || ({{ oldest_allowed }}) || ' UTC or later' as expected,
        coalesce(cast(newest.newest_at as varchar), 'NULL') as actual
    from windows
    inner join newest on windows.window_key = newest.window_key
    where coalesce(newest.newest_at < {{ oldest_allowed }}, true)
    {%- endif -%}
{% endtest %}
