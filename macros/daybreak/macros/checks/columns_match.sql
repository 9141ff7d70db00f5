{#
    On a windowed model it names windows: of landed files those whose file has changed, of any
    other source all of this invocation. On the source itself it names the changed columns.
    A source of which nothing is recorded passes, and is recorded when the invocation ends.
#}
{% test columns_match(model, of=none, recent=7) %}
    {%- if execute -%}
        {%- if of is not none -%}
            {%- do daybreak._require_windowed('columns_match') -%}
            {{- daybreak._unless_empty(daybreak._windows_of_changed_columns(of, recent)) -}}
        {%- else -%}
            {%- set watched = daybreak._source_of(model) -%}
            {{- daybreak._unless_empty(daybreak._changed_columns(watched)) -}}
        {%- endif -%}
    {%- endif -%}
{% endtest %}

{% macro _changed_columns(watched) %}
    {%- set recorded = daybreak._recorded_schema(daybreak._source_name(watched)) -%}
    {%- set found = daybreak._columns_of_source(watched) -%}
    {%- set changes = daybreak._schema_changes(recorded.columns, found)
        if recorded.columns else [] -%}
    {%- set rows = [] -%}
    {%- for change in changes -%}
        {%- do rows.append(
            'select ' ~ daybreak._literal(change.column_name) ~ ' as column_name, '
            ~ daybreak._literal(change.expected) ~ ' as expected, '
            ~ daybreak._literal(change.actual) ~ ' as actual'
        ) -%}
    {%- endfor -%}
    {{- return(rows | join(' union all ') or 'select null as column_name limit 0') -}}
{% endmacro %}

{% macro _windows_of_changed_columns(of, recent) %}
    {%- set grain = daybreak._judged_node().config.batch_size -%}
    {%- set found = daybreak._changes_by_date(daybreak._source_of(of), grain, recent) -%}
    {%- set first_day, day_count = daybreak._days_of_window() %}
    with windows as ({{ daybreak.window_spine(grain) }}),

    changes as (
        {% for change in found -%}
            {{ 'union all' if not loop.first }}
            select
                cast({{ daybreak._literal(change.landed_on) }} as date) as landed_on,
                {{ daybreak._literal(change.expected) }} as expected,
                {{ daybreak._literal(change.actual) }} as actual
        {% else -%}
            select
                cast(null as date) as landed_on,
                '' as expected,
                '' as actual
            from windows
            where false
        {% endfor -%}
    ),

    named as (
        select
            windows.window_start,
            windows.window_end,
            changes.expected,
            changes.actual,
            row_number() over (
                partition by windows.window_start order by changes.landed_on
            ) as place
        from windows
        inner join changes
            on changes.landed_on is null
            or (
                changes.landed_on >= {{ first_day }}
                and changes.landed_on < {{ first_day }} + {{ day_count }}
            )
    )

    select
        window_start,
        window_end,
        expected,
        actual
    from named
    where place = 1
{% endmacro %}

{# How a source has changed: by date of its recent landed files, or, without a date, as it is. #}
{% macro _changes_by_date(watched, grain, recent) %}
    {%- set recorded = daybreak._recorded_schema(daybreak._source_name(watched)).columns -%}
    {%- set files = daybreak._dated_files(watched) if recorded else [] -%}
    {%- set seen = [] -%}
    {%- if files -%}
        {%- for file in daybreak._files_of_recent_windows(files, grain, recent) -%}
            {%- do seen.append((file.landed_on, daybreak._columns_of_file(file))) -%}
        {%- endfor -%}
    {%- elif recorded -%}
        {%- do seen.append((none, daybreak._columns_of_source(watched))) -%}
    {%- endif -%}
    {%- set found = [] -%}
    {%- for landed_on, columns in seen -%}
        {%- set changes = daybreak._schema_changes(recorded, columns) -%}
        {%- if changes -%}
            {%- do found.append({
                'landed_on': landed_on,
                'expected': changes | map(attribute='expected') | join(', '),
                'actual': changes | map(attribute='actual') | join(', '),
            }) -%}
        {%- endif -%}
    {%- endfor -%}
    {{- return(found) -}}
{% endmacro %}

{# What files looked like long ago is history and no news: it was right, or accepted, then. #}
{% macro _files_of_recent_windows(files, grain, recent) %}
    {%- set first_day, day_count = daybreak._days_of_window() -%}
    {%- set ranges = run_query(
        'select cast(' ~ first_day ~ ' as varchar) as first_day, cast(' ~ first_day ~ ' + '
        ~ day_count ~ ' as varchar) as day_after from ('
        ~ daybreak._recent_windows(grain, recent) ~ ') as recent'
    ).rows -%}
    {%- set inside = [] -%}
    {%- for file in files -%}
        {%- for range_of_days in ranges
            if range_of_days['first_day'] | string <= file.landed_on
            and file.landed_on < range_of_days['day_after'] | string
            and file not in inside -%}
            {%- do inside.append(file) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{- return(inside) -}}
{% endmacro %}
