{% test reconciles_with(
    model, to, measures, to_event_time, to_event_time_as='date', tolerance=0, relative_tolerance=0
) %}
    {%- if execute -%}
        {%- do _require_windowed('reconciles_with') -%}
        {%- set dispatched = adapter.dispatch('test_reconciles_with', 'daybreak') -%}
        {{- _unless_empty(dispatched(
            model, to, measures, to_event_time, to_event_time_as, tolerance, relative_tolerance
        )) -}}
    {%- endif -%}
{% endtest %}

{% macro default__test_reconciles_with(
    model, to, measures, to_event_time, to_event_time_as, tolerance, relative_tolerance
) %}
    {%- set judged = _judged_node() -%}
    {%- set grain = judged.config.batch_size %}
    with windows as ({{ window_spine(grain) }}),

    actual as (
        select
            {{ _window_key_of(judged) }} as window_key
            {%- for name, measure in measures.items() %},
            {{ measure.actual }} as {{ adapter.quote(name) }}
            {%- endfor %}
        from {{ model }}
        group by 1
    ),

    expected as (
        select
            {{ window_key(to_event_time, to_event_time_as, grain) }} as window_key
            {%- for name, measure in measures.items() %},
            {{ measure.expected }} as {{ adapter.quote(name) }}
            {%- endfor %}
        from {{ to }}
        where {{ in_window(to_event_time, to_event_time_as) }}
        group by 1
    ),

    compared as (
        select
            windows.window_start,
            windows.window_end,
            expected.window_key is not null as is_expected
            {%- for name in measures %}
            {%- set of_actual = 'coalesce(actual.' ~ adapter.quote(name) ~ ', 0)' %}
            {%- set of_expected = 'coalesce(expected.' ~ adapter.quote(name) ~ ', 0)' %},
            {{ of_actual }} as {{ adapter.quote('actual_' ~ name) }},
            {{ of_expected }} as {{ adapter.quote('expected_' ~ name) }},
            abs({{ of_actual }} - {{ of_expected }})
            > {{ tolerance }} + {{ relative_tolerance }} * abs({{ of_expected }})
                as {{ adapter.quote('differs_' ~ name) }}
            {%- endfor %}
        from windows
        left join actual on windows.window_key = actual.window_key
        left join expected on windows.window_key = expected.window_key
    )

    select
        window_start,
        window_end,
        case
            when is_expected then {{ _differing(measures, 'expected') }}
            else 'no row'
        end as expected,
        {{ _differing(measures, 'actual') }} as actual
    from compared
    where
        {% for name in measures -%}
            {{ 'or ' if not loop.first }}{{ adapter.quote('differs_' ~ name) }}
        {% endfor %}
{% endmacro %}

{# "lines 4012, sales_value 9000.10": the measures that differ, and no others. #}
{% macro _differing(measures, side) -%}
    concat_ws(', '
    {%- for name in measures -%}
        , case when {{ adapter.quote('differs_' ~ name) }}
            then {{ _literal(name ~ ' ') }} || {{ adapter.quote(side ~ '_' ~ name) }} end
    {%- endfor -%}
    )
{%- endmacro %}
