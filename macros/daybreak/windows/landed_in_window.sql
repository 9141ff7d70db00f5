{#
    Reading the whole glob would let one truncated file fail every window: its schema is taken
    from the file that sorts first, whichever window that is. So the files are listed first.
    With no file in the window it reads no row (the gates judge that); with no file at all a
    build stops and says so, while `dbt compile`, `dbt docs` and sqlfluff see the glob.
#}
{% macro landed_in_window(source_relation) %}
    {{- return(adapter.dispatch('landed_in_window', 'daybreak')(source_relation)) -}}
{% endmacro %}

{% macro default__landed_in_window(source_relation) %}
    {{- return(source_relation) -}}
{% endmacro %}

{% macro duckdb__landed_in_window(source_relation) %}
    {#- A unit test's rows have no location; a location that is a call reads files its own way. -#}
    {%- set location = (source_relation.external or '') | string -%}
    {%- if not execute or not location or '(' in location -%}
        {{- return(source_relation) -}}
    {%- endif -%}
    {%- set files = _landed_files(location) -%}
    {%- if not files and flags.WHICH in ['build', 'run'] -%}
        {%- do _stop(
            'no landing file matches ' ~ location ~ ': land the files, or set DAYBREAK_LANDING'
        ) -%}
    {%- elif not files -%}
        {{- return(source_relation) -}}
    {%- endif -%}
    {%- set inside = files | selectattr('is_in_window') | map(attribute='name') | list -%}
    {%- if inside -%}
        {{- return(_read_files(inside)) -}}
    {%- endif -%}
    {{- return('(select * from ' ~ _read_files([files[-1].name]) ~ ' limit 0)') -}}
{% endmacro %}

{# Every file that the location matches, by name, and whether its date lies in the window. #}
{% macro _landed_files(location) %}
    {%- set files = [] -%}
    {%- set listed = run_query(
        'select file, coalesce(' ~ in_window(landed_date('file')) ~ ', false) as is_in_window'
        ~ ' from glob(' ~ location ~ ') order by file'
    ) -%}
    {%- for row in listed.rows -%}
        {%- do files.append({'name': row['file'], 'is_in_window': row['is_in_window']}) -%}
    {%- endfor -%}
    {{- return(files) -}}
{% endmacro %}

{% macro _read_files(names) %}
    {%- set reader = {
        'parquet': 'read_parquet', 'csv': 'read_csv', 'json': 'read_json',
    }.get(names[0].split('.')[-1]) -%}
    {%- if reader is none -%}
        {%- do _stop(
            'landed_in_window cannot read ' ~ names[0] ~ ': land .parquet, .csv or .json files'
        ) -%}
    {%- endif -%}
    {%- set quoted = [] -%}
    {%- for name in names -%}
        {%- do quoted.append(_literal(name)) -%}
    {%- endfor -%}
    {{- return(reader ~ '([' ~ quoted | join(', ') ~ '], filename = true)') -}}
{% endmacro %}

{% macro landed_date(filename) %}
    {{- return(adapter.dispatch('landed_date', 'daybreak')(filename)) -}}
{% endmacro %}

{% macro default__landed_date(filename) %}
    {{- return('try_cast(parse_filename(' ~ filename ~ ', true) as date)') -}}
{% endmacro %}
