{#
    What a failed check found, for the runner: rows that name windows, all of them, or the good
    ones could not be told from the bad; of any other check five rows are enough to understand.
#}
{% macro _evidence(test, sql, failures) %}
    {%- set sample = run_query('select * from ' ~ _subquery(sql, 'evidence') ~ ' limit 5') -%}
    {%- set names_windows = 'window_start' in sample.column_names
        and 'window_end' in sample.column_names
        and 'expected' in sample.column_names
        and 'actual' in sample.column_names
        and sample.rows | length > 0 -%}
    {%- set found = run_query(sql) if names_windows and sample.rows | length == 5 else sample -%}
    {%- set attached_to = test.attached_node | default(none) -%}
    {%- set rows = [] -%}
    {%- for row in found.rows -%}
        {%- set values = {} -%}
        {%- for column, value in row.items() -%}
            {%- do values.update({column: none if value is none else value | string}) -%}
        {%- endfor -%}
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
