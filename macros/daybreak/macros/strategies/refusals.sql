{# What is refused before or while a window is replaced. Every message says what to write. #}

{% macro _validate_windowed_config() %}
    {%- set strategy = config.get('incremental_strategy') -%}
    {%- if strategy not in ['overwrite_window', 'merge', 'microbatch'] -%}
        {%- do daybreak._stop(
            model.name ~ " has an event_time, so it is replayed by window, and '"
            ~ (strategy or 'default') ~ "' would write rows twice or lose them: use"
            ~ " incremental_strategy='overwrite_window', or 'merge' with a unique_key and a"
            ~ ' version_column'
        ) -%}
    {%- endif -%}
    {%- if model.language != 'sql' -%}
        {%- do daybreak._stop(
            model.name ~ ' is a Python model: windows are for SQL models; materialize it as a table'
        ) -%}
    {%- endif -%}
    {%- if not config.get('event_time') -%}
        {%- do daybreak._stop(
            model.name ~ ' has no event_time: name the column that says which window a row belongs'
            ~ " to, config(event_time='business_date')"
        ) -%}
    {%- endif -%}
    {%- if config.get('batch_size') not in ['hour', 'day', 'week', 'month', 'year'] -%}
        {%- do daybreak._stop(
            model.name ~ "'s batch_size is " ~ (config.get('batch_size') or 'missing')
            ~ ": say how long a window is, 'hour', 'day', 'week', 'month' or 'year'"
        ) -%}
    {%- endif -%}
    {%- if strategy == 'merge' -%}
        {%- do daybreak._validate_merge_config() -%}
    {%- elif strategy == 'microbatch' -%}
        {%- do daybreak._validate_microbatch_config() -%}
    {%- endif -%}
    {%- do daybreak._validate_hooks() -%}
    {%- do daybreak._refuse_part_of_a_window() -%}
    {%- do daybreak._refuse_sample() -%}
{% endmacro %}

{% macro _validate_merge_config() %}
    {%- if not config.get('unique_key') -%}
        {%- do daybreak._stop(
            model.name ~ ' merges without a unique_key: name the column or columns that identify a'
            ~ " row, config(unique_key='order_id'), or use overwrite_window"
        ) -%}
    {%- endif -%}
    {%- if not config.get('version_column') -%}
        {%- do daybreak._stop(
            model.name ~ ' merges without a version_column: name the column that grows with every'
            ~ " newer version of a row, config(version_column='extracted_at'), so that an old"
            ~ ' window replayed late never wins'
        ) -%}
    {%- endif -%}
{% endmacro %}

{# Half a week replaced would be marked as the whole of it. #}
{% macro _refuse_part_of_a_window() %}
    {%- set grain = config.get('batch_size') -%}
    {%- set bounds = daybreak._window_bounds() -%}
    {%- set dates = daybreak._dates_that_begin(bounds) -%}
    {%- for bound, opens in [
        (bounds.local_start, dates.start), (bounds.local_end, dates.end),
    ] -%}
        {%- if grain == 'hour' -%}
            {%- set is_whole = bound.endswith(':00:00') -%}
        {%- else -%}
            {%- set day = modules.datetime.date.fromisoformat(opens or '0001-01-02') -%}
            {%- set is_whole = opens and daybreak._first_date_before(day, grain) == day -%}
        {%- endif -%}
        {%- if not is_whole -%}
            {%- do daybreak._stop(
                'no ' ~ grain ~ ' of ' ~ model.name ~ ' begins at ' ~ bound ~ ' ('
                ~ var('timezone') ~ '): give window_start and window_end that cut no ' ~ grain
                ~ ' in two'
            ) -%}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}

{# `--sample` narrows what a model reads but not the window that it replaces. #}
{% macro _refuse_sample() %}
    {#- dbt's `flags` do not carry it. -#}
    {%- if invocation_args_dict.get('sample') -%}
        {%- do daybreak._stop(
            '--sample would replace whole windows of ' ~ model.name ~ ' by a part of their rows:'
            ~ ' narrow the vars start_date and end_date instead'
        ) -%}
    {%- endif -%}
{% endmacro %}

{% macro _has_event_time(relation) %}
    {%- set columns = adapter.get_columns_in_relation(relation)
        | map(attribute='name') | map('lower') | list -%}
    {{- return(config.get('event_time') | replace('"', '') | lower in columns) -}}
{% endmacro %}

{% macro _refuse_narrow_refresh(existing) %}
    {%- if not daybreak._has_event_time(existing) -%}
        {%- do daybreak._stop(
            '--full-refresh of ' ~ model.name ~ ' would lose published rows, and without a column '
            ~ config.get('event_time') ~ ' in the table nothing says which: rename or drop '
            ~ existing ~ ' yourself, then build without --full-refresh'
        ) -%}
    {%- endif -%}
    {%- set lost = daybreak._rows_outside_window(existing) -%}
    {%- if lost['row_count'] > 0 -%}
        {%- do daybreak._stop(
            '--full-refresh of ' ~ model.name ~ ' would lose ' ~ lost['row_count'] ~ ' published'
            ~ ' rows (' ~ lost['earliest'] ~ ' to ' ~ lost['latest'] ~ ') that lie outside this'
            ~ ' window: widen the vars start_date and end_date, or leave --full-refresh out'
        ) -%}
    {%- endif -%}
{% endmacro %}

{#
    Every row must lie in the window, or the next replay of its true window would leave it behind
    or double it. `relation` holds the rows to judge and no others.
#}
{% macro _refuse_rows_outside_window(relation) %}
    {%- set found = daybreak._rows_outside_window(relation) -%}
    {%- set event_time = config.get('event_time') -%}
    {%- if found['row_count'] > 0 -%}
        {%- set offenders = [] -%}
        {%- if found['null_count'] > 0 -%}
            {%- do offenders.append(found['null_count'] ~ ' with a NULL ' ~ event_time) -%}
        {%- endif -%}
        {%- if found['row_count'] > found['null_count'] -%}
            {%- do offenders.append(
                (found['row_count'] - found['null_count']) ~ ' from ' ~ found['earliest'] ~ ' to '
                ~ found['latest']
            ) -%}
        {%- endif -%}
        {%- set bounds = daybreak._window_bounds() -%}
        {%- do daybreak._stop(
            model.name ~ ' selects ' ~ found['row_count'] ~ ' rows outside its window '
            ~ bounds.local_start ~ ' to ' ~ bounds.local_end ~ ' (' ~ offenders | join(', ')
            ~ "): filter it with daybreak.in_window('" ~ event_time ~ "'), or mend the rows at the source"
        ) -%}
    {%- endif -%}
{% endmacro %}

{# How many rows lie outside the window or have no event time, and between which event times. #}
{% macro _rows_outside_window(relation) %}
    {%- set event_time = daybreak._event_time(model) -%}
    {%- set outside -%}
        select
            count(*) as row_count,
            count(*) - count({{ event_time }}) as null_count,
            cast(min({{ event_time }}) as varchar) as earliest,
            cast(max({{ event_time }}) as varchar) as latest
        from {{ relation }}
        where coalesce(not {{ daybreak._in_window_of(model) }}, true)
    {%- endset -%}
    {{- return(run_query(outside).rows[0]) -}}
{% endmacro %}

{#
    An event time whose type is not what event_time_as says would be cut in the zone of the session:
    a timestamp with a zone taken for a date, or one without taken for an instant.
#}
{% macro _refuse_other_event_time(columns) %}
    {%- set as = daybreak._event_time_as(model) -%}
    {%- set name = daybreak._event_time(model) | replace('"', '') -%}
    {%- for column in columns if column.name | lower == name | lower -%}
        {%- set type = column.dtype | upper -%}
        {%- set has_zone = type in ['TIMESTAMPTZ', 'TIMESTAMP WITH TIME ZONE'] -%}
        {%- if has_zone and as in ['date', 'utc', 'local'] -%}
            {%- do daybreak._stop(
                'the event_time ' ~ name ~ ' of ' ~ model.name ~ ' is a ' ~ type ~ ', and is taken'
                ~ " for '" ~ as ~ "': write meta: {event_time_as: instant}, or select a date of"
                ~ " yours, cast(" ~ name ~ " at time zone '" ~ var('timezone') ~ "' as date)"
            ) -%}
        {%- elif not has_zone and as == 'instant' -%}
            {%- do daybreak._stop(
                'the event_time ' ~ name ~ ' of ' ~ model.name ~ ' is a ' ~ type ~ ", which has no"
                ~ " zone, and is taken for 'instant': write meta: {event_time_as: utc}, or local,"
                ~ ' or date'
            ) -%}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}
