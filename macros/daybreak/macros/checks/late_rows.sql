{#
    Looks at windows that are published already, those of this invocation and any other, so it
    only warns. The runner makes the windows that it names stale; re-run, they have no late row.
#}
{% test late_rows(
    model, of, event_time, loaded_at, event_time_as='date', loaded_at_as='utc', lookback=60
) %}
    {{- config(severity='warn') -}}
    {%- if execute -%}
        {%- do daybreak._require_windowed('late_rows') -%}
        {%- set dispatched = adapter.dispatch('test_late_rows', 'daybreak') -%}
        {{- daybreak._unless_empty(dispatched(
            of, event_time, loaded_at, event_time_as, loaded_at_as, lookback
        )) -}}
    {%- endif -%}
{% endtest %}

{% macro default__test_late_rows(
    of, event_time, loaded_at, event_time_as, loaded_at_as, lookback
) %}
    {%- set judged = daybreak._judged_node() -%}
    {%- set grain = judged.config.batch_size -%}
    {%- set event_key = daybreak.window_key(event_time, event_time_as, grain) -%}
    {%- set marker_key = 'window_start' if grain == 'hour'
        else 'cast(' ~ daybreak.utc_to_local('window_start') ~ ' as date)' %}
    with published as (
        select
            {{ marker_key }} as window_key,
            window_start,
            window_end,
            published_at
        from {{ daybreak._markers(judged.database) }} as markers
        where {{ daybreak._is_of(judged) }}
        order by window_start desc
        limit {{ lookback | int }}
    ),

    -- So that what was published last, whenever it was, decides how far back is read.
    source_rows as (
        select
            {{ event_key }} as window_key,
            {{ daybreak._utc_of(loaded_at, loaded_at_as, 'late_rows') }} as loaded_at
        from {{ of }}
        where {{ event_key }} >= (select min(window_key) from published)
    ),

    late as (
        select
            published.window_start,
            published.window_end,
            published.published_at,
            count(*) as row_count
        from published
        inner join source_rows on published.window_key = source_rows.window_key
        where source_rows.loaded_at > published.published_at
        group by published.window_start, published.window_end, published.published_at
    )

    select
        window_start,
        window_end,
        'no row loaded after it was published, ' || date_trunc('second', published_at)
        || ' UTC' as expected,
        'late rows: ' || row_count as actual
    from late
{% endmacro %}
