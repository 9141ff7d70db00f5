{#
    Looks at windows that are published already, those of this invocation and any other, so it
    only warns. The runner makes the windows that it names stale; re-run, they have no late row.
    A row whose time of loading is still to come, or a sentinel, would be late after every run: it is
    not counted, and one row without a window says so.
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
        {{ daybreak._newest_published(judged, marker_key, lookback) }}
    ),

    -- So that what was published last, whenever it was, decides how far back is read.
    source_rows as (
        select
            {{ event_key }} as window_key,
            {{ daybreak._utc_of(loaded_at, loaded_at_as, 'late_rows') }} as loaded_at
        from {{ daybreak._arrived_since(of, daybreak._newest_published(judged, marker_key, lookback)) }}
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
            and source_rows.loaded_at <= (current_timestamp at time zone 'UTC')
        group by published.window_start, published.window_end, published.published_at
    ),

    to_come as (
        select
            count(*) as row_count,
            max(source_rows.loaded_at) as loaded_at
        from source_rows
        inner join published on source_rows.window_key = published.window_key
        where source_rows.loaded_at > (current_timestamp at time zone 'UTC')
    )

    select
        window_start,
        window_end,
        'no row loaded after it was published, ' || date_trunc('second', published_at)
        || ' UTC' as expected,
        'late rows: ' || row_count as actual
    from late
    union all
    select
        null as window_start,
        null as window_end,
        'rows that were loaded before now' as expected,
        'not counted, as loaded in the future: ' || row_count || ' rows, up to ' || loaded_at
        || ' UTC' as actual
    from to_come
    where row_count > 0
{% endmacro %}

{# The windows that are looked at, the newest by data. #}
{% macro _newest_published(judged, marker_key, lookback) -%}
    select
        {{ marker_key }} as window_key,
        window_start,
        window_end,
        published_at
    from {{ daybreak._markers(judged.database) }} as markers
    where {{ daybreak._is_of(judged) }}
    order by window_start desc
    limit {{ lookback | int }}
{%- endmacro %}

{# What of a source may hold rows loaded since windows were published: of landed files not all. #}
{% macro _arrived_since(of, published) %}
    {{- return(adapter.dispatch('arrived_since', 'daybreak')(of, published)) -}}
{% endmacro %}

{% macro default__arrived_since(of, published) %}
    {{- return(of) -}}
{% endmacro %}

{#
    The files that were written since. Their columns may differ: one that has not the column which
    says when a row was loaded has no late row either.
#}
{% macro duckdb__arrived_since(of, published) %}
    {%- set location = daybreak._location(of) -%}
    {%- if location is none -%}
        {{- return(of) -}}
    {%- endif -%}
    {%- set arrived -%}
        select
            max(filename) as last_file,
            string_agg({{ daybreak._as_file_literal('filename') }}, ', ' order by filename) as files
        from read_blob({{ location }})
        where last_modified at time zone 'UTC' > (
            select min(published_at) from ({{ published }}) as published
        )
    {%- endset -%}
    {%- set found = run_query(arrived).rows[0] -%}
    {%- if found['files'] -%}
        {{- return(daybreak._read_files(
            found['files'], found['last_file'], ', union_by_name = true'
        )) -}}
    {%- endif -%}
    {%- set a_file = run_query('select max(file) from glob(' ~ location ~ ')').rows[0][0] -%}
    {{- return(
        '(select * from ' ~ daybreak._read_files(daybreak._file_literal(a_file), a_file, '')
        ~ ' limit 0)' if a_file else of
    ) -}}
{% endmacro %}
