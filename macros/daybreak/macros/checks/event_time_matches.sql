{% test event_time_matches(model, expression) %}
    {%- if execute -%}
        {%- do daybreak._require_windowed('event_time_matches') -%}
        {%- set dispatched = adapter.dispatch('test_event_time_matches', 'daybreak') -%}
        {{- daybreak._unless_empty(dispatched(model, expression)) -}}
    {%- endif -%}
{% endtest %}

{% macro default__test_event_time_matches(model, expression) %}
    {%- set judged = daybreak._judged_node() %}
    with windows as ({{ daybreak.window_spine(judged.config.batch_size) }}),

    misplaced as (
        select * from {{ model }}
        where {{ daybreak._event_time(judged) }} is distinct from {{ expression }}
    ),

    strangers as (
        select
            {{ daybreak._window_key_of(judged) }} as window_key,
            count(*) as row_count,
            min({{ expression }}) as earliest,
            max({{ expression }}) as latest,
            {{ daybreak.sample_rows('misplaced') }} as sample
        from misplaced
        group by 1
    )

    select
        windows.window_start,
        windows.window_end,
        {{ daybreak._literal('every row of its own ' ~ judged.config.event_time) }} as expected,
        strangers.row_count || ' rows of ' || coalesce(cast(strangers.earliest as varchar), 'NULL')
        || ' to ' || coalesce(cast(strangers.latest as varchar), 'NULL') as actual,
        strangers.sample
    from windows
    inner join strangers on windows.window_key = strangers.window_key
{% endmacro %}
