{# What a windowed model must declare. Every message says what to write. #}
{% macro validate_windowed_config() %}
    {%- set strategy = config.get('incremental_strategy') -%}
    {%- if strategy not in ['overwrite_window', 'merge'] -%}
        {{ stop(model.name ~ " has an event_time, so it is replayed by window, and '" ~ (strategy or 'default')
            ~ "' would write rows twice or lose them: use incremental_strategy='overwrite_window',"
            ~ " or 'merge' with a unique_key and a version_column") }}
    {%- endif -%}
    {%- if model.language != 'sql' -%}
        {{ stop(model.name ~ ' is a Python model: windows are for SQL models; materialize it as a table') }}
    {%- endif -%}
    {%- if not config.get('event_time') -%}
        {{ stop(model.name ~ " has no event_time: name the column that says which window a row belongs to,"
            ~ " config(event_time='business_date')") }}
    {%- endif -%}
    {%- if config.get('batch_size') not in ['hour', 'day', 'week', 'month'] -%}
        {{ stop(model.name ~ "'s batch_size is " ~ (config.get('batch_size') or 'missing')
            ~ ": say how long a window is, 'hour', 'day', 'week' or 'month'") }}
    {%- endif -%}
    {%- if strategy == 'merge' -%}
        {%- if not config.get('unique_key') -%}
            {{ stop(model.name ~ " merges without a unique_key: name the column or columns that"
                ~ " identify a row, config(unique_key='order_id'), or use overwrite_window") }}
        {%- endif -%}
        {%- if not config.get('version_column') -%}
            {{ stop(model.name ~ " merges without a version_column: name the column that grows with every"
                ~ " newer version of a row, config(version_column='extracted_at'), so that an old"
                ~ " window replayed late never wins") }}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}

{# `--sample` narrows what a model reads but not the window that it replaces. #}
{% macro refuse_sample() %}
    {%- if flags.SAMPLE -%}
        {{ stop('--sample would replace whole windows of ' ~ model.name ~ ' by a part of their rows:'
            ~ ' narrow the vars start_date and end_date instead') }}
    {%- endif -%}
{% endmacro %}

{% macro refuse_narrow_refresh(existing) %}
    {%- set event_time = config.get('event_time') -%}
    {%- set lost -%}
        select count(*) as row_count, min({{ event_time }}) as earliest, max({{ event_time }}) as latest
        from {{ existing }}
        where coalesce(not ({{ in_window(event_time, event_time_as(model)) }}), true)
    {%- endset -%}
    {%- set found = run_query(lost).rows[0] -%}
    {%- if found['row_count'] > 0 -%}
        {{ stop('--full-refresh of ' ~ model.name ~ ' would lose ' ~ found['row_count'] ~ ' published rows ('
            ~ found['earliest'] ~ ' to ' ~ found['latest'] ~ ') that lie outside this window: widen the'
            ~ ' vars start_date and end_date, or leave --full-refresh out') }}
    {%- endif -%}
{% endmacro %}

{#
    Every row must lie in the window, or the next replay of its true window would leave it behind
    or double it. `relation` holds the rows to judge and no others.
#}
{% macro validate_rows_in_window(relation) %}
    {%- set event_time = config.get('event_time') -%}
    {%- set strangers -%}
        select
            count(*) as row_count,
            count(*) - count({{ event_time }}) as null_count,
            min({{ event_time }}) as earliest,
            max({{ event_time }}) as latest
        from {{ relation }}
        where coalesce(not ({{ in_window(event_time, event_time_as(model)) }}), true)
    {%- endset -%}
    {%- set found = run_query(strangers).rows[0] -%}
    {%- if found['row_count'] > 0 -%}
        {%- do raise_strangers(found) -%}
    {%- endif -%}
{% endmacro %}

{% macro raise_strangers(found) %}
    {%- set dated = found['row_count'] - found['null_count'] -%}
    {%- set offenders = [] -%}
    {%- if found['null_count'] > 0 -%}
        {%- do offenders.append(found['null_count'] ~ ' with a NULL ' ~ config.get('event_time')) -%}
    {%- endif -%}
    {%- if dated > 0 -%}
        {%- do offenders.append(dated ~ ' from ' ~ found['earliest'] ~ ' to ' ~ found['latest']) -%}
    {%- endif -%}
    {%- set bounds = window_bounds() -%}
    {{ stop(model.name ~ ' selects ' ~ found['row_count'] ~ ' rows outside its window ' ~ bounds.local_start
        ~ ' to ' ~ bounds.local_end ~ ' (' ~ offenders | join(', ') ~ '): filter it with in_window('
        ~ "'" ~ config.get('event_time') ~ "'), or mend the rows at the source") }}
{% endmacro %}
