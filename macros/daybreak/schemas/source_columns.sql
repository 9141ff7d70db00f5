{# What a source looks like now: of a relation its columns, of landed files those of each file. #}

{#
    The source that a relation, or the text that it renders to, belongs to. Only those are tried
    that a columns_match reads: to ask for a source may load it.
#}
{% macro _source_of(relation) %}
    {%- for test in _columns_match_tests() -%}
        {%- for source_id in test.depends_on.nodes if source_id in graph.sources -%}
            {%- set node = graph.sources[source_id] -%}
            {%- if source(node.source_name, node.name) | string == relation | string -%}
                {{- return(node) -}}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- do _stop(
        'columns_match watches a source, and ' ~ relation ~ " is none: write of: source('…', '…')"
    ) -%}
{% endmacro %}

{% macro _source_name(node) %}
    {{- return(node.source_name ~ '.' ~ node.name) -}}
{% endmacro %}

{# Name and type of each column of a relation, a list of files or anything to select from. #}
{% macro _columns_of(relation) %}
    {%- set columns = [] -%}
    {%- for column in adapter.get_column_schema_from_query('select * from ' ~ relation) -%}
        {%- do columns.append([column.name, column.dtype]) -%}
    {%- endfor -%}
    {{- return(columns) -}}
{% endmacro %}

{#
    The landed files of a source that are named after a date, the oldest first: their names and
    whether they lie in the window. Empty if it has no such files: then it is looked at as one.
#}
{% macro _dated_files(node) %}
    {{- return(adapter.dispatch('dated_files', 'daybreak')(node)) -}}
{% endmacro %}

{% macro default__dated_files(node) %}
    {{- return([]) -}}
{% endmacro %}

{% macro duckdb__dated_files(node) %}
    {%- set location = source(node.source_name, node.name).external or '' -%}
    {%- if not location or '(' in location -%}
        {{- return([]) -}}
    {%- endif -%}
    {%- set files = [] -%}
    {%- for row in run_query(
        'select file, ' ~ landed_date('file') ~ ' as landed_on from glob(' ~ location ~ ')'
        ~ ' where ' ~ landed_date('file') ~ ' is not null order by landed_on, file'
    ).rows -%}
        {%- do files.append({'name': row['file'], 'landed_on': row['landed_on'] | string}) -%}
    {%- endfor -%}
    {{- return(files) -}}
{% endmacro %}

{% macro _columns_of_file(file) %}
    {%- set columns = _columns_of(_read_files([file.name])) -%}
    {#- Added by reading, not by the source. -#}
    {{- return(columns | rejectattr(0, 'equalto', 'filename') | list) -}}
{% endmacro %}

{# The columns of a source as it is now; of dated files, those of the newest. #}
{% macro _columns_of_source(node) %}
    {%- set files = _dated_files(node) -%}
    {%- if files -%}
        {{- return(_columns_of_file(files[-1])) -}}
    {%- endif -%}
    {{- return(_columns_of(source(node.source_name, node.name))) -}}
{% endmacro %}

{#
    The columns of a source as this invocation has seen it: of dated files, those of the newest
    in its window, which its model could read; none if there is no such file.
#}
{% macro _columns_seen(node) %}
    {%- set files = _dated_files(node) -%}
    {%- if not files -%}
        {{- return(_columns_of_source(node)) -}}
    {%- endif -%}
    {%- set bounds = _window_bounds() -%}
    {%- set seen = [] -%}
    {%- for file in files
        if bounds.local_start[:10] <= file.landed_on
        and file.landed_on ~ ' 00:00:00' < bounds.local_end -%}
        {%- do seen.append(file) -%}
    {%- endfor -%}
    {{- return(_columns_of_file(seen[-1]) if seen else []) -}}
{% endmacro %}
