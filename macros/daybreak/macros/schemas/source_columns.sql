{# What a source looks like now: of a relation its columns, of landed files those of each file. #}

{#
    The source that a relation, or the text that it renders to, belongs to. Only those are tried
    that a columns_match reads: to ask for a source may load it.
#}
{% macro _source_of(relation) %}
    {%- for test in daybreak._columns_match_tests() -%}
        {%- for source_id in test.depends_on.nodes if source_id in graph.sources -%}
            {%- set node = graph.sources[source_id] -%}
            {%- if source(node.source_name, node.name) | string == relation | string -%}
                {{- return(node) -}}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- do daybreak._stop(
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
    {%- set location = daybreak._location(source(node.source_name, node.name)) -%}
    {%- if location is none -%}
        {{- return([]) -}}
    {%- endif -%}
    {%- set files = [] -%}
    {%- for row in run_query(
        'select file, ' ~ daybreak.landed_date('file') ~ ' as landed_on from glob(' ~ location ~ ')'
        ~ ' where ' ~ daybreak.landed_date('file') ~ ' is not null order by landed_on, file'
    ).rows -%}
        {%- do files.append({'name': row['file'], 'landed_on': row['landed_on'] | string}) -%}
    {%- endfor -%}
    {{- return(files) -}}
{% endmacro %}

{% macro _columns_of_file(file) %}
    {%- set columns = [] -%}
    {%- set read = daybreak._read_files(daybreak._file_literal(file.name), file.name, '') -%}
    {%- for name, data_type in daybreak._columns_of(read) if name != 'filename' -%}
        {#- Text tells no types: a file without rows, or with round amounts only, gives others. -#}
        {%- do columns.append([name, data_type if '.parquet' in file.name else 'untyped']) -%}
    {%- endfor -%}
    {{- return(columns) -}}
{% endmacro %}

{# The columns of a source as it is now; of dated files, those of the newest. #}
{% macro _columns_of_source(node) %}
    {%- set files = daybreak._dated_files(node) -%}
    {%- if files -%}
        {{- return(daybreak._columns_of_file(files[-1])) -}}
    {%- endif -%}
    {{- return(daybreak._columns_of(source(node.source_name, node.name))) -}}
{% endmacro %}

{#
    The columns of a source as this invocation has seen it through a test: of dated files, those of
    the newest in its windows that is news; none if there is no such file. What a backfill reads of
    last year is not what the source looks like.
#}
{% macro _columns_seen(node, test) %}
    {%- set files = daybreak._dated_files(node) -%}
    {%- set judged = daybreak._windowed_node_of(test) -%}
    {%- if not files -%}
        {{- return(daybreak._columns_of_source(node)) -}}
    {%- elif judged is none -%}
        {{- return(daybreak._columns_of_file(files[-1])) -}}
    {%- endif -%}
    {%- set recent = test.test_metadata.kwargs.get('recent', 7) -%}
    {%- set seen = daybreak._files_of_recent_windows(files, judged.config.batch_size, recent) -%}
    {{- return(daybreak._columns_of_file(seen | last) if seen else []) -}}
{% endmacro %}
