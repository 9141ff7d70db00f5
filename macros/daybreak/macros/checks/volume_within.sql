{% test volume_within(
    model, spread=5, at_least=0.3, history=8, min_history=4, recent=7, closures=none,
    closed_on='closed_on'
) %}
    {%- if execute -%}
        {%- do daybreak._require_windowed('volume_within') -%}
        {%- do daybreak._refuse_where('volume_within') -%}
        {%- set dispatched = adapter.dispatch('test_volume_within', 'daybreak') -%}
        {{- daybreak._unless_empty(dispatched(
            model, spread, at_least, history, min_history, recent, closures, closed_on
        )) -}}
    {%- endif -%}
{% endtest %}

{% macro default__test_volume_within(
    model, spread, at_least, history, min_history, recent, closures, closed_on
) %}
    {%- set judged = daybreak._judged_node() %}
    with recent_windows as ({{ daybreak._recent_windows(judged.config.batch_size, recent) }}),

    counted as (
        select
            {{ daybreak._window_key_of(judged) }} as window_key,
            count(*) as row_count
        from {{ model }}
        group by 1
    ),

    verified as ({{ daybreak._verified_windows(judged, history) }}),

    medians as (
        select
            window_key,
            count(*) as window_count,
            percentile_cont(0.5) within group (order by row_count) as median_count
        from verified
        group by 1
        having count(*) >= {{ min_history | int }}
    ),

    spreads as (
        select
            verified.window_key,
            percentile_cont(0.5) within group (
                order by abs(verified.row_count - medians.median_count)
            ) as median_deviation
        from verified
        inner join medians on verified.window_key = medians.window_key
        group by 1
    ),

    compared as (
        select
            recent_windows.window_start,
            recent_windows.window_end,
            medians.window_count,
            medians.median_count,
            coalesce(counted.row_count, 0) as row_count,
            greatest(
                {{ spread }} * spreads.median_deviation, {{ at_least }} * medians.median_count
            ) as allowed
        from recent_windows
        inner join medians on recent_windows.window_key = medians.window_key
        inner join spreads on recent_windows.window_key = spreads.window_key
        left join counted on recent_windows.window_key = counted.window_key
    )

    select
        window_start,
        window_end,
        cast(ceil(greatest(median_count - allowed, 0)) as bigint) || ' to '
        || cast(floor(median_count + allowed) as bigint) || ' rows, by the '
        || window_count || ' verified windows before it' as expected,
        row_count || ' rows' as actual
    from compared
    where abs(row_count - median_count) > allowed
        and not (row_count = 0 and {{ daybreak._all_days_closed(closures, closed_on) }})
{% endmacro %}
