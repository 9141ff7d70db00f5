{% test reconciles_with(
    model, to, to_event_time, measures=none, to_event_time_as='date', tolerance=0,
    relative_tolerance=0, rejected=none, published='count(*)'
) %}
    {%- if execute -%}
        {%- do daybreak._require_windowed('reconciles_with') -%}
        {%- if (measures is none) == (rejected is none) -%}
            {%- do daybreak._stop(
                "reconciles_with takes 'measures', to compare them, or 'rejected', to account for"
                ~ ' every row of the source: give one of the two'
            ) -%}
        {%- endif -%}
        {%- if rejected is not none -%}
            {%- set dispatched = adapter.dispatch('reconciles_rows_with', 'daybreak') -%}
            {{- daybreak._unless_empty(dispatched(
                model, to, to_event_time, to_event_time_as, tolerance, relative_tolerance,
                rejected, published
            )) -}}
        {%- else -%}
            {%- set dispatched = adapter.dispatch('test_reconciles_with', 'daybreak') -%}
            {{- daybreak._unless_empty(dispatched(
                model, to, measures, to_event_time, to_event_time_as, tolerance,
                relative_tolerance
            )) -}}
        {%- endif -%}
    {%- endif -%}
{% endtest %}

{% macro default__test_reconciles_with(
    model, to, measures, to_event_time, to_event_time_as, tolerance, relative_tolerance
) %}
    {%- set judged = daybreak._judged_node() -%}
    {%- set grain = judged.config.batch_size %}
    with windows as ({{ daybreak.window_spine(grain) }}),

    actual as (
        select
            {{ daybreak._window_key_of(judged) }} as window_key
            {%- for name, measure in measures.items() %},
            {{ measure.actual }} as {{ adapter.quote(name) }}
            {%- endfor %}
        from {{ model }}
        group by 1
    ),

    expected as (
        select
            {{ daybreak.window_key(to_event_time, to_event_time_as, grain) }} as window_key
            {%- for name, measure in measures.items() %},
            {{ measure.expected }} as {{ adapter.quote(name) }}
            {%- endfor %}
        from {{ to }}
        where {{ daybreak.in_window(to_event_time, to_event_time_as) }}
        group by 1
    ),

    compared as (
        select
            windows.window_start,
            windows.window_end,
            expected.window_key is not null as is_expected
            {%- for name in measures %}
            {%- set of_actual = daybreak._measured('actual', adapter.quote(name)) %}
            {%- set of_expected = daybreak._measured('expected', adapter.quote(name)) %},
            {{ of_actual }} as {{ adapter.quote('actual_' ~ name) }},
            {{ of_expected }} as {{ adapter.quote('expected_' ~ name) }},
            {{ daybreak._differs(of_actual, of_expected, tolerance, relative_tolerance) }}
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
            when is_expected then {{ daybreak._differing(measures, 'expected') }}
            else 'no row'
        end as expected,
        {{ daybreak._differing(measures, 'actual') }} as actual
    from compared
    where
        {% for name in measures -%}
            {{ 'or ' if not loop.first }}{{ adapter.quote('differs_' ~ name) }}
        {% endfor %}
{% endmacro %}

{# A measure of one side: nothing of a window without rows, and what it is of one with rows. #}
{% macro _measured(side, name) -%}
    case when {{ side }}.window_key is null then 0 else {{ side }}.{{ name }} end
{%- endmacro %}

{#
    Two numbers differ unless both are finite and near enough; NULL is near NULL alone, and NaN and
    infinity are near nothing. Sums of floating-point numbers depend on the order of their rows: of
    those a thousand-millionth is let pass.
#}
{% macro _differs(actual, expected, tolerance, relative_tolerance) -%}
    {{- adapter.dispatch('differs', 'daybreak')(
        actual, expected, tolerance, relative_tolerance
    ) -}}
{%- endmacro %}

{% macro duckdb__differs(actual, expected, tolerance, relative_tolerance) -%}
    not coalesce(
        (({{ actual }}) is null and ({{ expected }}) is null)
        or (
            isfinite(cast(({{ actual }}) as double))
            and isfinite(cast(({{ expected }}) as double))
            and abs(({{ actual }}) - ({{ expected }})) <= {{ tolerance }} + greatest(
                {{ relative_tolerance }},
                case
                    when typeof(({{ actual }}) - ({{ expected }})) in ('DOUBLE', 'FLOAT') then 1e-9
                    else 0
                end
            ) * abs({{ expected }})
        ),
        false
    )
{%- endmacro %}

{# "lines 4012, sales_value 9000.10": the measures that differ, and no others. #}
{% macro _differing(measures, side) -%}
    concat_ws(', '
    {%- for name in measures -%}
        , case when {{ adapter.quote('differs_' ~ name) }}
            then {{ daybreak._literal(name ~ ' ') }}
                || coalesce(cast({{ adapter.quote(side ~ '_' ~ name) }} as varchar), 'NULL') end
    {%- endfor -%}
    )
{%- endmacro %}

{#
    Conservation: every row of the source is published or declared as rejected. A filter that is
    NULL of a row does not reject it.
#}
{% macro default__reconciles_rows_with(
    model, to, to_event_time, to_event_time_as, tolerance, relative_tolerance, rejected, published
) %}
    {%- set judged = daybreak._judged_node() -%}
    {%- set grain = judged.config.batch_size %}
    with windows as ({{ daybreak.window_spine(grain) }}),

    actual as (
        select
            {{ daybreak._window_key_of(judged) }} as window_key,
            {{ published }} as published_count
        from {{ model }}
        group by 1
    ),

    source_rows as (
        select
            {{ daybreak.window_key(to_event_time, to_event_time_as, grain) }} as window_key,
            count(*) as row_count,
            count(case when ({{ rejected }}) then 1 end) as rejected_count
        from {{ to }}
        where {{ daybreak.in_window(to_event_time, to_event_time_as) }}
        group by 1
    ),

    compared as (
        select
            windows.window_start,
            windows.window_end,
            coalesce(source_rows.row_count, 0) as row_count,
            coalesce(source_rows.rejected_count, 0) as rejected_count,
            coalesce(source_rows.row_count - source_rows.rejected_count, 0) as kept_count,
            coalesce(actual.published_count, 0) as published_count
        from windows
        left join actual on windows.window_key = actual.window_key
        left join source_rows on windows.window_key = source_rows.window_key
    )

    select
        window_start,
        window_end,
        row_count || ' rows of the source = ' || kept_count || ' published + '
        || rejected_count || ' rejected' as expected,
        published_count || ' published, ' || case
            when published_count < kept_count then (kept_count - published_count) || ' lost'
            else (published_count - kept_count) || ' too many'
        end as actual
    from compared
    where abs(published_count - kept_count) > {{ tolerance }} + {{ relative_tolerance }} * kept_count
{% endmacro %}
