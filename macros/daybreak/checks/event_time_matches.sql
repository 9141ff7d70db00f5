{% test event_time_matches(model, expression) %}
    {%- if execute -%}
    {%- set judged = _judged_node() -%}
    {%- do _require_windowed(judged, 'event_time_matches') -%}
    {%- set event_time = judged.config.event_time %}

    with windows as ({{ window_spine(judged.config.batch_size) }}),

    strangers as (
        select
            {{ event_window_key(judged) }} as window_key,
            count(*) as row_count,
            min({{ expression }}) as earliest,
            max({{ expression }}) as latest
        from {{ model }}
        where {{ event_time }} is distinct from {{ expression }}
        group by 1
    )

    select
        windows.window_start,
        windows.window_end,
        'every row of its own {{ event_time }}' as expected,
        strangers.row_count || ' rows of ' || coalesce(cast(strangers.earliest as varchar), 'NULL')
        || ' to ' || coalesce(cast(strangers.latest as varchar), 'NULL') as actual
    from windows
    inner join strangers on windows.window_key = strangers.window_key
    {%- endif -%}
{% endtest %}
