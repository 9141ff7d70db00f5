{#
    What a failed check found, for the runner: rows that name windows, all of them, or the good
    ones could not be told from the bad; of any other check five rows are enough to understand.
#}
{% macro _evidence(test, sql, failures) %}
    {%- set rows_sql = _rows_with_null(test) or sql -%}
    {%- set sample = run_query('select * from ' ~ _subquery(rows_sql, 'evidence') ~ ' limit 5') -%}
    {%- set names_windows = 'window_start' in sample.column_names
        and 'window_end' in sample.column_names
        and 'expected' in sample.column_names
        and 'actual' in sample.column_names
        and sample.rows | length > 0 -%}
    {%- set found = run_query(sql) if names_windows and sample.rows | length == 5 else sample -%}
    {%- set attached_to = test.attached_node | default(none) -%}
    {%- set rows = [] -%}
    {%- for row in found.rows -%}
        {%- set values = _as_texts(row) -%}
        {%- if names_windows -%}
            {%- set sample = _sample_of_window(test, values) if loop.index <= 31 else [] -%}
            {%- do values.update({'sample': sample}) -%}
        {%- endif -%}
        {%- do rows.append(values) -%}
    {%- endfor -%}
    {{- return({
        'model': attached_to.split('.')[-1] if attached_to else none,
        'check': test.name,
        'failures': failures | int,
        'names_windows': names_windows,
        'makes_stale': _check_name(test) == 'late_rows',
        'rows': rows,
    }) -}}
{% endmacro %}

{# Which generic test it is; none of a singular one. #}
{% macro _check_name(test) %}
    {%- set metadata = test.test_metadata | default(none, true) -%}
    {{- return(metadata.name if metadata else none) -}}
{% endmacro %}

{# dbt's not_null gives nothing but the NULLs themselves: the rows around them say which. #}
{% macro _rows_with_null(test) %}
    {%- set judged = graph.nodes.get(test.attached_node | default(none)) -%}
    {%- if not judged or _check_name(test) != 'not_null' -%}
        {{- return(none) -}}
    {%- endif -%}
    {%- set conditions = [test.test_metadata.kwargs.column_name ~ ' is null'] -%}
    {%- if _is_windowed(judged) -%}
        {%- do conditions.append(_in_window_of(judged)) -%}
    {%- endif -%}
    {%- if test.config.where -%}
        {%- do conditions.append('(' ~ test.config.where ~ ')') -%}
    {%- endif -%}
    {{- return('select * from ' ~ judged.relation_name ~ ' where ' ~ conditions | join(' and ')) -}}
{% endmacro %}

{% macro _as_texts(row) %}
    {%- set values = {} -%}
    {%- for column, value in row.items() -%}
        {%- do values.update({column: none if value is none else value | string}) -%}
    {%- endfor -%}
    {{- return(values) -}}
{% endmacro %}

{#
    Up to five rows behind a bad window: those that the check itself gives in a column `sample`
    (JSON, see sample_rows), or else the first that the model has in this window.
#}
{% macro _sample_of_window(test, found) %}
    {%- if 'sample' in found -%}
        {{- return(fromjson(found.sample, []) if found.sample else []) -}}
    {%- endif -%}
    {%- set judged = graph.nodes.get(test.attached_node | default(none)) -%}
    {%- if not judged or not _is_windowed(judged) -%}
        {{- return([]) -}}
    {%- endif -%}
    {%- set opens = "cast('" ~ found.window_start ~ "' as timestamp)" -%}
    {%- if judged.config.batch_size != 'hour' -%}
        {%- set opens = 'cast(' ~ utc_to_local(opens) ~ ' as date)' -%}
    {%- endif -%}
    {%- set of_window -%}
        select * from {{ judged.relation_name }}
        where {{ _in_window_of(judged) }} and {{ _window_key_of(judged) }} = {{ opens }}
        limit 5
    {%- endset -%}
    {%- set rows = [] -%}
    {%- for row in run_query(of_window).rows -%}
        {%- do rows.append(_as_texts(row)) -%}
    {%- endfor -%}
    {{- return(rows) -}}
{% endmacro %}

{# One line per bad window or row, at most five of a check. #}
{% macro _failures_as_text(failed) %}
    {%- set lines = [] -%}
    {%- for check in failed -%}
        {%- for row in check.rows[:5] -%}
            {%- do lines.append(check.check ~ ': ' ~ _row_as_text(row)) -%}
        {%- endfor -%}
        {%- if check.failures > 5 -%}
            {%- do lines.append(check.check ~ ': ' ~ (check.failures - 5) ~ ' more') -%}
        {%- endif -%}
    {%- endfor -%}
    {{- return(lines | join('\n')) -}}
{% endmacro %}

{% macro _row_as_text(row) %}
    {%- if 'window_start' in row and 'expected' in row -%}
        {%- set local_start = modules.datetime.datetime.fromisoformat(row.window_start)
            .replace(tzinfo=modules.pytz.utc).astimezone(_zone()) -%}
        {{- return(
            local_start.strftime('%Y-%m-%d %H:%M') | replace(' 00:00', '') ~ ': expected '
            ~ row.expected ~ '; actual ' ~ row.actual
        ) -}}
    {%- endif -%}
    {%- set values = [] -%}
    {%- for name, value in row.items() -%}
        {%- do values.append(name ~ ' ' ~ value) -%}
    {%- endfor -%}
    {{- return(values | join(', ')) -}}
{% endmacro %}

{# On lines of its own: a query may end in a comment. #}
{% macro _subquery(sql, alias) %}
    {{- return('(\n' ~ sql ~ '\n) as ' ~ alias) -}}
{% endmacro %}
