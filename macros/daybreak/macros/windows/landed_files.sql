{# The files of a source: where they lie, and how they are read. #}

{#
    The path or glob of a source's files as an SQL literal; none of a table, and of a call, which
    reads files its own way. dbt-duckdb puts quotes around a location as it stands, and none around
    one with a round bracket.
#}
{% macro _location(source_relation) %}
    {%- set is_text = source_relation is string -%}
    {%- set said = (source_relation if is_text else source_relation.external or '') | string -%}
    {%- if said.startswith("'") and said.endswith("'") and said | length > 2 -%}
        {%- set inside = said[1:-1] -%}
        {{- return(daybreak._literal(inside) if "'" in inside.replace("''", '') else said) -}}
    {%- elif '(' in said and not said.startswith('(') and "'" not in said and '"' not in said -%}
        {%- do daybreak._stop(
            'the external_location ' ~ said ~ ' has a round bracket, so dbt-duckdb takes it for a'
            ~ ' call: put it into quotes of its own, external_location: "' ~ "'" ~ said ~ "'" ~ '"'
        ) -%}
    {%- endif -%}
    {{- return(none) -}}
{% endmacro %}

{# The name of a file as an SQL literal that matches no other: what is in it is no glob. #}
{% macro _file_literal(name) %}
    {{- return(daybreak._literal(
        name | replace('[', '[[]') | replace('*', '[*]') | replace('?', '[?]')
    )) -}}
{% endmacro %}

{# The same of a column of names, as SQL that writes it. #}
{% macro _as_file_literal(column) %}
    {{- return(
        "'''' || regexp_replace(replace(" ~ column ~ ", '''', ''''''), '([*?\\[])', '[\\1]', 'g')"
        ~ " || ''''"
    ) -}}
{% endmacro %}

{# The call that reads files, given as SQL literals; all are of the kind of the one named. #}
{% macro _read_files(literals, name, options=none) %}
    {%- set kind = daybreak._kind_of_file(name) -%}
    {%- set how = daybreak._as_one_type(literals, kind) if options is none else options -%}
    {{- return('read_' ~ kind ~ '([' ~ literals ~ '], filename = true' ~ how ~ ')') -}}
{% endmacro %}

{# What a file is: parquet, csv or json; refused if it is none of these. #}
{% macro _kind_of_file(name) %}
    {%- set parts = name.lower().split('.') -%}
    {%- set is_packed = parts[-1] in ['gz', 'zst'] and parts | length > 2 -%}
    {%- set kind = {
        'csv': 'csv', 'tsv': 'csv', 'json': 'json', 'ndjson': 'json', 'jsonl': 'json',
    }.get(parts[-2 if is_packed else -1], 'parquet' if parts[-1] == 'parquet' else none) -%}
    {%- if kind is none -%}
        {%- do daybreak._stop(
            'landed_in_window cannot read ' ~ name ~ ': land .parquet files, or .csv, .tsv, .json,'
            ~ ' .ndjson or .jsonl, packed as .gz or .zst or not'
        ) -%}
    {%- endif -%}
    {{- return(kind) -}}
{% endmacro %}
