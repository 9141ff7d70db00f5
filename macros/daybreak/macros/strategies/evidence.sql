{#
    What a check found that has failed, or that warns, for the runner: rows that name windows, all of
    them, or the good ones could not be told from the bad; of any other check five rows are enough to
    understand. A list: of windows beyond error_if, and of those that are beyond warn_if only.
#}
{% macro _evidence(test, sql, failures, severity) %}
    {%- if daybreak._check_name(test) == 'daybreak.late_rows' -%}
        {{- return(daybreak._evidence_of_late_rows(test, sql, severity)) -}}
    {%- endif -%}
    {{- return(daybreak._evidence_of_rows(test, sql, failures, severity)) -}}
{% endmacro %}

{# Windows, and apart from them what is not counted: it names none, and makes none stale. #}
{% macro _evidence_of_late_rows(test, sql, severity) %}
    {%- set evidence = [] -%}
    {%- for condition in ['is not null', 'is null'] -%}
        {%- set part = 'select * from ' ~ daybreak._subquery(sql, 'late') ~ ' where window_start '
            ~ condition -%}
        {%- set failures = run_query(
            'select count(*) from ' ~ daybreak._subquery(part, 'part')
        ).rows[0][0] -%}
        {%- if failures -%}
            {%- do evidence.extend(daybreak._evidence_of_rows(test, part, failures, severity)) -%}
        {%- endif -%}
    {%- endfor -%}
    {{- return(evidence) -}}
{% endmacro %}

{% macro _evidence_of_rows(test, sql, failures, severity) %}
    {%- set rows_sql = daybreak._rows_with_null(test) or sql -%}
    {%- set sample = run_query(
        'select * from ' ~ daybreak._subquery(rows_sql, 'evidence') ~ ' limit 5'
    ) -%}
    {%- set may_name_windows = daybreak._has_window_columns(sample.column_names)
        and sample.rows | length > 0 -%}
    {%- set all = run_query(sql) if may_name_windows and sample.rows | length == 5 else sample -%}
    {%- set names_windows = may_name_windows and daybreak._are_windows(test, all.rows) -%}
    {%- set found = all if names_windows else sample -%}
    {%- set attached_to = test.attached_node | default(none) -%}
    {%- set severities = daybreak._severity_by_window(test, sql, severity)
        if names_windows else {} -%}
    {%- set rows = {'error': [], 'warn': []} -%}
    {%- for row in found.rows -%}
        {%- set values = daybreak._as_texts(row) -%}
        {%- set of_row = severities.get(values.window_start) if severities else severity -%}
        {%- if names_windows -%}
            {%- set sample = daybreak._sample_of_window(test, values)
                if loop.index <= 31 else [] -%}
            {%- do values.update({'sample': sample}) -%}
        {%- endif -%}
        {%- if of_row -%}
            {%- do rows[of_row].append(values) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set evidence = [] -%}
    {%- for of_rows in ['error', 'warn']
        if rows[of_rows] or (of_rows == severity and not rows.warn) -%}
        {%- do evidence.append({
            'model': attached_to,
            'test': test.unique_id,
            'check': test.name,
            'severity': of_rows,
            'failures': rows[of_rows] | length if severities else failures | int,
            'names_windows': names_windows,
            'makes_stale': names_windows
                and daybreak._check_name(test) == 'daybreak.late_rows',
            'rows': rows[of_rows],
        }) -%}
    {%- endfor -%}
    {{- return(evidence) -}}
{% endmacro %}

{#
    The severity of each window that a check names, by its start; none of one within the thresholds.
    Empty if the check has no thresholds: then all have that of the check.
#}
{% macro _severity_by_window(test, sql, severity) %}
    {%- set said = test.config -%}
    {%- if not daybreak._has_thresholds(said.fail_calc, said.warn_if, said.error_if, said.limit) -%}
        {{- return({}) -}}
    {%- endif -%}
    {%- set counted = daybreak._failures_per_window(sql, said.fail_calc, said.limit) -%}
    {%- set answers -%}
        select
            window_start,
            failures {{ said.error_if }} as should_error,
            failures {{ said.warn_if }} as should_warn
        from {{ daybreak._subquery(counted, 'counted') }}
    {%- endset -%}
    {%- set rows = run_query(answers).rows -%}
    {#- With --warn-error what is beyond warn_if has failed. -#}
    {%- set asks = 'should_error' if rows | selectattr('should_error') | list else 'should_warn' -%}
    {%- set found = {} -%}
    {%- for row in rows -%}
        {%- set of_window = severity if row[asks] and severity == 'error'
            else ('warn' if row['should_warn'] else none) -%}
        {%- do found.update({row['window_start'] | string: of_window}) -%}
    {%- endfor -%}
    {{- return(found) -}}
{% endmacro %}

{#
    Whether rows name windows of the model that they judge. A local midnight where UTC is asked for,
    or a NULL, would condemn no window and leave all of them for right: such a check names none.
#}
{% macro _are_windows(test, rows) %}
    {%- set named = [] -%}
    {%- for row in rows -%}
        {%- if row['window_start'] is none or row['window_end'] is none -%}
            {{- return(false) -}}
        {%- endif -%}
        {%- do named.append("(cast('" ~ row['window_start'] ~ "' as timestamp))") -%}
    {%- endfor -%}
    {%- set judged = daybreak._windowed_node_of(test) -%}
    {%- if judged is none or not daybreak._has_window_vars() -%}
        {{- return(true) -}}
    {%- endif -%}
    {%- set bounds = daybreak._bounds_as('utc') -%}
    {%- set strays -%}
        select count(*) from (values {{ named | join(', ') }}) as named (window_start)
        where named.window_start not in (
                select spine.window_start
                from ({{ daybreak.window_spine(judged.config.batch_size) }}) as spine
                union all
                select markers.window_start
                from {{ daybreak.publications_relation(judged.database) }} as markers
                where {{ daybreak._is_of(judged) }} and not (
                    markers.window_start >= {{ bounds.start }}
                    and markers.window_start < {{ bounds.end }}
                )
            )
    {%- endset -%}
    {{- return(run_query(strays).rows[0][0] == 0) -}}
{% endmacro %}

{# The windowed model that a test is about: the one it is attached to, else the last it reads. #}
{% macro _windowed_node_of(test) %}
    {%- set attached_to = test.attached_node | default(none) -%}
    {%- set read = [attached_to] if attached_to else test.depends_on.nodes | reverse | list -%}
    {%- for unique_id in read if unique_id in graph.nodes -%}
        {%- if daybreak._is_windowed(graph.nodes[unique_id]) -%}
            {{- return(graph.nodes[unique_id]) -}}
        {%- endif -%}
    {%- endfor -%}
    {{- return(none) -}}
{% endmacro %}

{# Which generic test it is, with its package; none of a singular one. #}
{% macro _check_name(test) %}
    {%- set metadata = test.test_metadata | default(none, true) -%}
    {%- if not metadata -%}
        {{- return(none) -}}
    {%- endif -%}
    {{- return((metadata.namespace ~ '.' if metadata.namespace else '') ~ metadata.name) -}}
{% endmacro %}

{# dbt's not_null gives nothing but the NULLs themselves: the rows around them say which. #}
{% macro _rows_with_null(test) %}
    {%- set judged = graph.nodes.get(test.attached_node | default(none)) -%}
    {%- if not judged or daybreak._check_name(test) not in ['not_null', 'dbt.not_null'] -%}
        {{- return(none) -}}
    {%- endif -%}
    {%- set conditions = [test.test_metadata.kwargs.column_name ~ ' is null'] -%}
    {%- if daybreak._is_windowed(judged) -%}
        {%- do conditions.append(daybreak._in_window_of(judged)) -%}
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
    {%- if not judged or not daybreak._is_windowed(judged) -%}
        {{- return([]) -}}
    {%- endif -%}
    {%- set opens = "cast('" ~ found.window_start ~ "' as timestamp)" -%}
    {%- if judged.config.batch_size != 'hour' -%}
        {%- set opens = 'cast(' ~ daybreak.utc_to_local(opens) ~ ' as date)' -%}
    {%- endif -%}
    {%- set of_window -%}
        select * from {{ judged.relation_name }}
        where {{ daybreak._in_window_of(judged) }}
            and {{ daybreak._window_key_of(judged) }} = {{ opens }}
        limit 5
    {%- endset -%}
    {%- set rows = [] -%}
    {%- for row in run_query(of_window).rows -%}
        {%- do rows.append(daybreak._as_texts(row)) -%}
    {%- endfor -%}
    {{- return(rows) -}}
{% endmacro %}

{# One line per bad window or row, at most five of a check. #}
{% macro _failures_as_text(failed) %}
    {%- set lines = [] -%}
    {%- for check in failed -%}
        {%- for row in check.rows[:5] -%}
            {%- do lines.append(check.check ~ ': ' ~ daybreak._row_as_text(row)) -%}
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
            .replace(tzinfo=modules.pytz.utc).astimezone(daybreak._zone()) -%}
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

{#
    What a model's own config says against its new rows, as evidence like that of a gate: a row of the
    query for each bad window. Empty if there is none.
#}
{% macro _evidence_of_model(check, sql) %}
    {%- set rows = [] -%}
    {%- for row in run_query(sql).rows -%}
        {%- do rows.append(daybreak._as_texts(row)) -%}
    {%- endfor -%}
    {%- set evidence = {
        'model': model.unique_id, 'test': model.unique_id, 'check': check,
        'severity': 'error', 'failures': rows | length, 'names_windows': true,
        'makes_stale': false, 'rows': rows,
    } -%}
    {{- return([evidence] if rows else []) -}}
{% endmacro %}
