{% test reconciles_with(
    model, to, measures, to_event_time, to_event_time_as='date', tolerance=0, relative_tolerance=0
) %}
    {%- if execute -%}
    {%- set judged = _judged_node() -%}
    {%- do _require_windowed(judged, 'reconciles_with') -%}
    {%- set grain = judged.config.batch_size -%}

    with windows as ({{ window_spine(grain) }}),

    actual as (
        select
            {{ event_window_key(judged) }} as window_key
            {%- for name, measure in measures.items() %},
            {{ measure.actual }} as {{ name }}
            {%- endfor %}
        from {{ model }}
        group by 1
    ),

    expected as (
        select
            {{ window_key(to_event_time, to_event_time_as, grain) }} as window_key
            {%- for name, measure in measures.items() %},
            {{ measure.expected }} as {{ name }}
            {%- endfor %}
        from {{ to }}
        where {{ in_window(to_event_time, to_event_time_as) }}
        group by 1
    ),

    compared as (
        select
            windows.window_start,
            windows.window_end
            {%- for name in measures %},
            coalesce(actual.{{ name }}, 0) as actual_{{ name }},
            coalesce(expected.{{ name }}, 0) as expected_{{ name }},
            abs(coalesce(actual.{{ name }}, 0) - coalesce(expected.{{ name }}, 0))
            > {{ tolerance }} + {{ relative_tolerance }} * abs(coalesce(expected.{{ name }}, 0))
                as differs_{{ name }}
            {%- endfor %}
        from windows
        left join actual on windows.window_key = actual.window_key
        left join expected on windows.window_key = expected.window_key
    )

    select
        window_start,
        window_end,
        {{ _differing(measures, 'expected') }} as expected,
        {{ _differing(measures, 'actual') }} as actual
    from compared
    where {% for name in measures %}{{ ' or ' if not loop.first }}differs_{{ name }}{% endfor %}
    {%- endif -%}
{% endtest %}

{# "lines 4012, sales_value 9000.10": the measures that differ, and no others. #}
{% macro _differing(measures, side) -%}
    concat_ws(', '
    {%- for name in measures -%}
        , case when differs_{{ name }} then '{{ name }} ' || {{ side }}_{{ name }} end
    {%- endfor -%}
    )
{%- endmacro %}
